# cython: language_level=3
# Owns: the tree that finds a route, from the routes' forms.
# Thread and GIL: holds the GIL; may run on any thread; touches nothing published.
# Never does: read a plan's text, or match a request.
# Read next: build_router.pxd for the contract, types/route.pxd for the shapes.
"""The tree of a plan's routes, and its block of nodes."""

import struct

from libc.stdint cimport uint32_t, uint64_t, uintptr_t
from libc.string cimport memcpy
from pygw._core.limits cimport ROUTE_CANDIDATES_MAX, ROUTE_EXPRESSIONS_MAX
from pygw._core.part cimport plan_alloc, plan_fail, plan_keep
from pygw._core.path cimport path_decode
from pygw._core.route_hash cimport hash_at, hash_bytes
from pygw._core.types.exchange cimport plan_t
from pygw._core.types.memory cimport arena_t
from pygw._core.types.route cimport (
    NODE_MANY, PICK_ASKS, branch_t, dfa_t, exact_t, host_node_t, node_t, partial_t, router_t,
    slot_t)
from pygw._core.view cimport span

cdef enum:
    LINE = 64                 # bytes of a cache line: what fits one does not lie in two
    LABEL_MAX = 0xFFFF


cdef class Form:
    """A route as the tree sees it."""


cdef class Branch:
    """A place in a path; what leads on, and which routes end here."""

    cdef dict literals        # segment: Branch
    cdef Branch integer
    cdef dict expressions     # place of a dfa: Branch
    cdef Branch param
    cdef dict partials        # beginning of a segment: forms
    cdef list leaf
    cdef list tail

    def __cinit__(self) -> None:
        self.literals = {}
        self.expressions = {}
        self.partials = {}
        self.leaf = []
        self.tail = []

    # The only thing here is one literal child.
    cdef bint is_link(self):
        return (len(self.literals) == 1 and not self.leaf and not self.tail
                and not self.expressions and not self.partials and self.integer is None
                and self.param is None)

    cdef Branch step(self, int kind, object value, str where):
        if kind == SEGMENT_LITERAL:
            return self.literals.get(value) or self.grown(self.literals, value)
        if kind == SEGMENT_EXPRESSION:
            if value not in self.expressions and len(self.expressions) == ROUTE_EXPRESSIONS_MAX:
                plan_fail(where, f"has more than {<int>ROUTE_EXPRESSIONS_MAX} expressions at one"
                          " place, with those of other routes")
            return self.expressions.get(value) or self.grown(self.expressions, value)
        if kind == SEGMENT_INTEGER:
            self.integer = self.integer or Branch()
            return self.integer
        self.param = self.param or Branch()
        return self.param

    cdef Branch grown(self, dict children, object value):
        children[value] = Branch()
        return children[value]

    cdef int add(self, Form form, list segments) except -1:
        cdef Branch at = self
        for kind, value in segments:
            if kind == SEGMENT_REST:
                (at.partials.setdefault(value, []) if value else at.tail).append(form)
                return 0
            at = at.step(kind, value, form.where)
        at.leaf.append(form)
        return 0


cdef class Writer:
    """The block of a tree as it grows."""

    cdef bytearray block
    cdef list picks
    cdef list edges           # (hash, node)
    cdef list exacts          # (hash, record)

    def __cinit__(self) -> None:
        self.block = bytearray(LINE)      # 0 is the place of nothing
        self.picks = []
        self.edges = []
        self.exacts = []

    # Room for `size` bytes; within one cache line if they fit one.
    cdef uint32_t room(self, size_t size) except 0:
        cdef size_t at = (len(self.block) + 7) & ~<size_t>7
        if at % LINE + min(size, <size_t>LINE) > LINE:
            at = (at + LINE - 1) & ~<size_t>(LINE - 1)
        self.block.extend(bytes(at + size - len(self.block)))
        return <uint32_t>at

    # The pick of the only form, or the place of the first of several, best first.
    cdef uint32_t pick(self, list forms) except? 0:
        cdef Form form
        cdef list made = []
        cdef uint32_t at = len(self.picks)
        if len(forms) > ROUTE_CANDIDATES_MAX:
            form = forms[<int>ROUTE_CANDIDATES_MAX]
            plan_fail(form.where, f"has the host and path of {<int>ROUTE_CANDIDATES_MAX} other"
                      " routes, which is the most")
        for form in sorted(forms, key=best_first):
            made.append(form.place | (<uint32_t>PICK_ASKS if form.asks else 0))
        if len(made) == 1:
            return made[0]
        self.picks.extend(made)
        return at

    cdef uint32_t node(self, Branch branch, bytes label) except 0:
        cdef uint32_t at, literal = 0, integer = 0, param = 0, branches = 0
        cdef uint32_t expressions, partials
        cdef Branch child
        while label and branch.is_link():
            segment, child = next(iter(branch.literals.items()))
            if len(label) + len(segment) + 1 > LABEL_MAX:
                break
            label += b"/" + segment
            branch = child
        at = self.room(sizeof(node_t) + len(label))
        self.block[at + sizeof(node_t):at + sizeof(node_t) + len(label)] = label
        for segment, child in branch.literals.items():
            literal = self.node(child, b"/" + segment)
            if len(branch.literals) > 1:
                self.edges.append((edge_hash(b"/" + segment, at), literal))
        if len(branch.literals) > 1:
            literal = NODE_MANY
        if branch.integer is not None:
            integer = self.node(branch.integer, b"")
        expressions = self.expressions(branch)
        if branch.param is not None:
            param = self.node(branch.param, b"")
        partials = self.partials(branch)
        branches = bool(integer or param or expressions)
        struct.pack_into("<4H8I", self.block, at, len(label), len(branch.leaf), len(branch.tail),
                         len(branch.expressions), self.pick(branch.leaf), self.pick(branch.tail),
                         literal, integer, expressions, param, partials, branches)
        return at

    cdef uint32_t expressions(self, Branch branch) except? 0:
        cdef uint32_t at
        cdef Branch child
        cdef list made = []
        if not branch.expressions:
            return 0
        for dfa, child in sorted(branch.expressions.items(), key=first_of):
            made += [dfa, self.node(child, b"")]
        at = self.room(len(branch.expressions) * sizeof(branch_t))
        struct.pack_into(f"<{len(made)}I", self.block, at, *made)
        return at

    cdef uint32_t partials(self, Branch branch) except? 0:
        cdef uint32_t at
        cdef list made = []
        if not branch.partials:
            return 0
        for text in sorted(branch.partials, key=longest_first):
            at = self.room(len(text))
            self.block[at:at + len(text)] = text
            forms = branch.partials[text]
            made += [at, len(text), self.pick(forms), len(forms)]
        at = self.room((len(branch.partials) + 1) * sizeof(partial_t))
        struct.pack_into(f"<{len(made)}I", self.block, at, *made)
        return at

    cdef int exact(self, uint32_t host, bytes path, list forms) except -1:
        cdef uint32_t at = self.room(sizeof(exact_t) + len(path))
        struct.pack_into("<4I", self.block, at, host, self.pick(forms), len(forms), len(path))
        self.block[at + sizeof(exact_t):at + sizeof(exact_t) + len(path)] = path
        self.exacts.append((edge_hash(path, host), at))
        return 0


def best_first(form: Form) -> tuple:
    """What decides between routes of one host and path."""
    return tuple([-part for part in form.rank]), form.place


def longest_first(text: bytes) -> tuple:
    """The order of wildcards within a segment."""
    return -len(text), text


def first_of(pair: tuple) -> object:
    """A pair's first."""
    return pair[0]


cdef uint64_t edge_hash(bytes key, uint32_t place):
    return hash_at(hash_bytes(key, len(key)), place)


cdef slot_t* table_build(arena_t* arena, list entries, uint32_t* mask) except NULL:
    cdef uint32_t size = 2, i
    cdef uint64_t h
    cdef slot_t* slots
    while size < 2 * <size_t>len(entries):
        size *= 2
    mask[0] = size - 1
    slots = <slot_t*>plan_alloc(arena, size * sizeof(slot_t))
    for key, value in entries:
        h = key
        i = <uint32_t>h & mask[0]
        while slots[i].value:
            i = (i + 1) & mask[0]
        slots[i].tag = <uint32_t>(h >> 32)
        slots[i].value = value
    return slots


cdef int block_keep(arena_t* arena, Writer writer, router_t* out) except -1:
    cdef char* memory = <char*>plan_alloc(arena, len(writer.block) + LINE)
    cdef const char* made = writer.block
    cdef uint32_t i
    cdef uint32_t* picks = <uint32_t*>plan_alloc(arena, len(writer.picks) * sizeof(uint32_t))
    memory += (LINE - <uintptr_t>memory % LINE) % LINE
    memcpy(memory, made, len(writer.block))    # COPY: the block is laid out once it is whole
    for i in range(<uint32_t>len(writer.picks)):
        picks[i] = writer.picks[i]
    out.block = memory
    out.picks = picks
    out.edges = table_build(arena, writer.edges, &out.edge_mask)
    out.exacts = table_build(arena, writer.exacts, &out.exact_mask)
    return 0


# The path of a form without any wildcard; None when it has one.
cdef bytes exact_path(list segments):
    if any([kind != SEGMENT_LITERAL for kind, _ in segments]):
        return None
    return b"".join([b"/" + value for _, value in segments])


cdef int host_build(Writer writer, uint32_t place, list forms, host_node_t* out) except -1:
    cdef Branch root = Branch()
    cdef dict exacts = {}
    cdef bint branched = False
    cdef Form form
    cdef list segments
    for form, segments in forms:
        path = exact_path(segments)
        if path is None:
            root.add(form, segments)
            branched = True
        else:
            exacts.setdefault(path, []).append(form)
    for path, same in exacts.items():
        writer.exact(place, path, same)
    out.has_exact = bool(exacts)
    if branched:
        out.root = writer.node(root, b"")
    return 0


# A tree of all forms with the segments given for each.
cdef router_t* tree_build(arena_t* arena, list forms, list all_segments) except NULL:
    cdef router_t* out = <router_t*>plan_alloc(arena, sizeof(router_t))
    cdef Writer writer = Writer()
    cdef dict hosts = {b"": []}       # any host is the first
    cdef list names = []
    cdef host_node_t* nodes
    cdef Form form
    cdef uint32_t place = 0
    for form, segments in zip(forms, all_segments):
        for name in form.hosts:
            hosts.setdefault(name, []).append((form, segments))
    nodes = <host_node_t*>plan_alloc(arena, len(hosts) * sizeof(host_node_t))
    out.hosts = nodes
    out.host_count = len(hosts) - 1
    out.wildcard_shortest = 0xFFFFFFFFU
    for name, listed in hosts.items():
        plan_keep(arena, name, &nodes[place].name)
        host_build(writer, place, listed, &nodes[place])
        if name.startswith(b"."):
            out.wildcard_shortest = min(out.wildcard_shortest, <uint32_t>len(name))
            out.wildcard_longest = max(out.wildcard_longest, <uint32_t>len(name))
        if place:
            names.append((edge_hash(name, 0), place))
        place += 1
    out.names = table_build(arena, names, &out.name_mask)
    block_keep(arena, writer, out)
    return out


cdef bytes decoded(bytes text):
    cdef bytearray out = bytearray(text)
    cdef char* place = out
    return bytes(out[:path_decode(span(<const char*>text, len(text)), place)])


cdef list lenient_segments(list segments):
    return [(kind, decoded(value) if kind in (SEGMENT_LITERAL, SEGMENT_REST) else value)
            for kind, value in segments]


cdef int router_build(plan_t* plan, list forms, const dfa_t* dfas) except -1:
    cdef Form form
    cdef list literal = [form.segments for form in forms]
    cdef list lenient = [lenient_segments(segments) for segments in literal]
    plan.router = tree_build(&plan.arena, forms, literal)
    plan.lenient = plan.router
    if lenient != literal:
        plan.lenient = tree_build(&plan.arena, forms, lenient)
    plan.router.dfas = dfas
    plan.lenient.dfas = dfas
    return 0
