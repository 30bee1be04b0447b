# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: which route a request takes.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: change the bytes that are forwarded.
# Read next: router.pxd for the order of precedence, build_router.pyx for how the tree is made.

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy
from pygw._core.arena cimport arena_alloc, arena_bytes
from pygw._core.check cimport BUG_ON, likely, unlikely
from pygw._core.conditions cimport CONDITIONS_HOLD, conditions_judge, dfa_takes
from pygw._core.fault cimport E_CORE_MEMORY, E_CORE_METHOD, E_CORE_NO_ROUTE
from pygw._core.limits cimport ROUTE_PARAMS_MAX
from pygw._core.path cimport (
    ROUTE_SCRATCH, path_is_plain, path_lenient, path_literal, path_resolve)
from pygw._core.route_hash cimport HOST_ROOM, hash_at, hash_bytes, host_fold
from pygw._core.types.address cimport address_t
from pygw._core.types.exchange cimport exchange_t, plan_t, route_t
from pygw._core.types.header cimport span_t
from pygw._core.types.memory cimport arena_t
from pygw._core.types.message cimport request_t
from pygw._core.types.route cimport (
    NODE_MANY, PICK_ASKS, branch_t, exact_t, host_node_t, node_t, partial_t, router_t)
from pygw._core.view cimport span

cdef enum:
    DIGITS_MAX = 19           # of {name:int}: what fits 64 bits

# One reading of a path on its way through a tree.
cdef struct walk_t:
    asked_t* asked            # borrow(router_match, until it returns)
    const router_t* router    # plan
    const char* path          # borrow(router_match, until it returns)
    uint32_t size
    uint32_t depth            # names taken so far
    bint server               # "*": only what takes every path


# --- where routes end -----------------------------------------------------------------------------


# Among picks that have conditions, the first whose conditions hold.
cdef route_t* choose_among(walk_t* w, uint32_t leaf, uint32_t count) noexcept nogil:
    cdef asked_t* a = w.asked
    cdef route_t* route
    cdef uint32_t i, pick
    cdef int failed
    for i in range(count):
        pick = leaf if count == 1 else w.router.picks[leaf + i]
        route = &a.plan.routes[pick & ~<uint32_t>PICK_ASKS]
        failed = CONDITIONS_HOLD
        if pick & PICK_ASKS:
            failed = conditions_judge(route.conditions, a.request, a.client, &a.allow)
        if a.seen == NULL:
            if failed == CONDITIONS_HOLD:
                return route
        elif a.seen_count < a.seen_max:
            a.seen[a.seen_count].route = pick & ~<uint32_t>PICK_ASKS
            a.seen[a.seen_count].failed = failed
            a.seen_count += 1
    return NULL


cdef inline route_t* choose(walk_t* w, uint32_t leaf, uint32_t count) noexcept nogil:
    if likely(count == 1 and not leaf & PICK_ASKS and w.asked.seen == NULL):
        return &w.asked.plan.routes[leaf]
    return choose_among(w, leaf, count)


# --- the tree -------------------------------------------------------------------------------------


cdef inline uint32_t segment_end(const walk_t* w, uint32_t at) noexcept nogil:
    while at < w.size and w.path[at] != c'/':
        at += 1
    return at


cdef inline uint32_t edge_find(const router_t* r, uint32_t node, const char* segment,
                               uint32_t size) noexcept nogil:
    cdef uint64_t h = hash_at(hash_bytes(segment, size), node)
    cdef uint32_t i = <uint32_t>h & r.edge_mask
    cdef const char* label
    while r.edges[i].value:
        if r.edges[i].tag == <uint32_t>(h >> 32):
            label = r.block + r.edges[i].value + sizeof(node_t)
            if (<const node_t*>(r.block + r.edges[i].value)).label >= size \
                    and memcmp(label, segment, size) == 0:
                return r.edges[i].value
        i = (i + 1) & r.edge_mask
    return 0


cdef inline bint is_integer(span_t s) noexcept nogil:
    cdef uint32_t i
    for i in range(s.len):
        if not c'0' <= s.ptr[i] <= c'9':
            return False
    return s.len <= DIGITS_MAX


# Children that take any segment of a kind; the one that ends at `end` is not empty.
cdef route_t* walk_branches(walk_t* w, const node_t* n, uint32_t pos, uint32_t end) noexcept nogil:
    cdef const branch_t* b = <const branch_t*>(w.router.block + n.expressions)
    cdef span_t segment = span(w.path + pos + 1, end - pos - 1)
    cdef route_t* found = NULL
    cdef uint32_t i
    BUG_ON(w.depth >= ROUTE_PARAMS_MAX)
    w.asked.params[w.depth] = segment
    w.depth += 1
    if n.integer and is_integer(segment):
        found = walk(w, n.integer, end)
    for i in range(n.expression_count):
        if found != NULL:
            break
        if dfa_takes(&w.router.dfas[b[i].dfa], segment):
            found = walk(w, b[i].child, end)
    if found == NULL and n.param:
        found = walk(w, n.param, end)
    if found == NULL:
        w.depth -= 1
    return found


# Wildcards at the end. What follows the '/' or the begun segment is one more name.
cdef route_t* walk_rest(walk_t* w, const node_t* n, uint32_t pos) noexcept nogil:
    cdef const partial_t* p = <const partial_t*>(w.router.block + n.partials)
    cdef span_t rest = span(w.path + pos + 1, w.size - pos - 1)
    cdef route_t* found
    BUG_ON(w.depth >= ROUTE_PARAMS_MAX)
    while n.partials and p.leaf_count:
        if p.size <= rest.len and memcmp(w.router.block + p.text, rest.ptr, p.size) == 0:
            w.asked.params[w.depth] = span(rest.ptr + p.size, rest.len - p.size)
            found = choose(w, p.leaf, p.leaf_count)
            if found != NULL:
                return found
        p += 1
    if n.tail_count:
        w.asked.params[w.depth] = rest
        return choose(w, n.tail, n.tail_count)
    return NULL


# The best route below the node `at` for what of the path begins at `pos`: with '/', or nothing.
cdef route_t* walk(walk_t* w, uint32_t at, uint32_t pos) noexcept nogil:
    cdef const node_t* n = <const node_t*>(w.router.block + at)
    cdef uint32_t end = 0, child = n.literal
    cdef route_t* found
    if n.label:
        if w.size - pos < n.label or memcmp(w.path + pos, <const char*>(n + 1), n.label) != 0:
            return NULL
        pos += n.label
    if pos == w.size:
        return choose(w, n.leaf, n.leaf_count) if n.leaf_count else NULL
    if w.path[pos] != c'/':
        return NULL
    if child:
        if child == NODE_MANY:
            end = segment_end(w, pos + 1)
            child = edge_find(w.router, at, w.path + pos, end - pos)
        if child:
            found = walk(w, child, pos)
            if found != NULL:
                return found
    if n.branches:
        if end == 0:
            end = segment_end(w, pos + 1)
        if end > pos + 1:
            found = walk_branches(w, n, pos, end)
            if found != NULL:
                return found
    if n.tail_count or n.partials:
        return walk_rest(w, n, pos)
    return NULL


# --- hosts ----------------------------------------------------------------------------------------


# A route whose path has no wildcard: the best there can be for a host.
cdef route_t* match_exact(walk_t* w, uint32_t host) noexcept nogil:
    cdef const router_t* r = w.router
    cdef const exact_t* e
    cdef uint64_t h = hash_at(hash_bytes(w.path, w.size), host)
    cdef uint32_t i = <uint32_t>h & r.exact_mask
    while r.exacts[i].value:
        if r.exacts[i].tag == <uint32_t>(h >> 32):
            e = <const exact_t*>(r.block + r.exacts[i].value)
            if e.host == host and e.size == w.size \
                    and memcmp(<const char*>(e + 1), w.path, w.size) == 0:
                return choose(w, e.leaf, e.leaf_count)
        i = (i + 1) & r.exact_mask
    return NULL


cdef route_t* match_host(walk_t* w, uint32_t host) noexcept nogil:
    cdef const host_node_t* h = &w.router.hosts[host]
    cdef const node_t* root
    cdef route_t* found
    if unlikely(w.server):
        root = <const node_t*>(w.router.block + h.root)
        w.asked.params[0] = span(w.path, 0)
        return choose(w, root.tail, root.tail_count) if h.root and root.tail_count else NULL
    if h.has_exact:
        found = match_exact(w, host)
        if found != NULL:
            return found
    return walk(w, h.root, 0) if h.root else NULL


# The place of a host's name, folded; 0: no route has it.
cdef inline uint32_t name_find(const router_t* r, const char* name, uint32_t size) noexcept nogil:
    cdef uint64_t h = hash_at(hash_bytes(name, size), 0)
    cdef uint32_t i = <uint32_t>h & r.name_mask
    cdef const host_node_t* host
    while r.names[i].value:
        if r.names[i].tag == <uint32_t>(h >> 32):
            host = &r.hosts[r.names[i].value]
            if host.name.len == size and memcmp(host.name.ptr, name, size) == 0:
                return r.names[i].value
        i = (i + 1) & r.name_mask
    return 0


# The host of an authority, without port and final dot.
cdef inline span_t host_of(span_t authority) noexcept nogil:
    cdef const char* end
    if authority.len and authority.ptr[0] == c'[':
        end = <const char*>memchr(authority.ptr, c']', authority.len)
        return span(authority.ptr, end + 1 - authority.ptr) if end != NULL else authority
    end = <const char*>memchr(authority.ptr, c':', authority.len) if authority.len else NULL
    if end != NULL:
        authority.len = <uint32_t>(end - authority.ptr)
    if authority.len > 1 and authority.ptr[authority.len - 1] == c'.':
        authority.len -= 1
    return authority


cdef route_t* match_named(walk_t* w) noexcept nogil:
    cdef const router_t* r = w.router
    cdef char[HOST_ROOM] name
    cdef span_t host = host_of(w.asked.request.authority)
    cdef route_t* found
    cdef uint32_t place, i
    if unlikely(host.len == 0 or host.len > HOST_ROOM):
        return NULL
    host_fold(host.ptr, host.len, name)
    place = name_find(r, name, host.len)
    if place:
        found = match_host(w, place)
        if found != NULL:
            return found
    if host.len <= r.wildcard_shortest:
        return NULL
    for i in range(1, host.len - r.wildcard_shortest + 1):
        if name[i] != c'.' or host.len - i > r.wildcard_longest:
            continue
        place = name_find(r, name + i, host.len - i)
        if place:
            found = match_host(w, place)
            if found != NULL:
                return found
    return NULL


# --- readings -------------------------------------------------------------------------------------


cdef inline route_t* match_reading(asked_t* a, const router_t* router, span_t path) noexcept nogil:
    cdef walk_t w
    cdef route_t* found
    w.asked = a
    w.router = router
    w.path = path.ptr
    w.size = path.len
    w.depth = 0
    w.server = path.len == 1 and path.ptr[0] == c'*'
    a.allow = 0
    if router.host_count:
        found = match_named(&w)
        if found != NULL:
            return found
    return match_host(&w, 0)


# The names of an odd path lie in a scratch that goes: they move to the arena.
cdef int params_keep(asked_t* a, const route_t* route, span_t reading) noexcept nogil:
    cdef uint32_t i
    cdef char* copy
    if route.param_count == 0 or a.arena == NULL:
        return 0
    copy = arena_bytes(a.arena, reading.len)
    if unlikely(copy == NULL):
        return E_CORE_MEMORY
    memcpy(copy, reading.ptr, reading.len)     # COPY: the reading is no part of the head
    for i in range(route.param_count):
        a.params[i].ptr = copy + (a.params[i].ptr - reading.ptr)
    return 0


# A path with more than one reading: what all of them agree on.
cdef int match_odd(asked_t* a, route_t** out) noexcept nogil:
    cdef char[ROUTE_SCRATCH] scratch
    cdef span_t path = a.request.path
    cdef uint32_t size = path_literal(path, scratch)
    cdef uint64_t allow
    cdef route_t* route
    if size == 0:
        return E_CORE_NO_ROUTE
    if a.seen == NULL:
        route = match_reading(a, a.plan.router, span(scratch, size))
        allow = a.allow
        if route == NULL and allow == 0:
            return E_CORE_NO_ROUTE
        size = path_lenient(path, scratch)
        if size == 0 or match_reading(a, a.plan.lenient, span(scratch, size)) != route \
                or (route == NULL and a.allow != allow):
            return E_CORE_NO_ROUTE
        size = path_literal(path, scratch)
    size = path_resolve(scratch, size)
    if size == 0:
        return E_CORE_NO_ROUTE
    out[0] = match_reading(a, a.plan.router, span(scratch, size))
    if a.seen == NULL and (out[0] != route or (route == NULL and a.allow != allow)):
        return E_CORE_NO_ROUTE
    if out[0] == NULL:
        return E_CORE_METHOD if a.allow else E_CORE_NO_ROUTE
    return params_keep(a, route, span(scratch, size))


cdef void router_ask(asked_t* a, const plan_t* plan, const request_t* request,
                     const address_t* client, arena_t* arena) noexcept nogil:
    a.plan = plan
    a.request = request
    a.client = client
    a.arena = arena
    a.seen = NULL
    a.seen_max = 0
    a.seen_count = 0


cdef int router_match(asked_t* a, route_t** out) noexcept nogil:
    cdef span_t path = a.request.path
    cdef int error = E_CORE_NO_ROUTE
    out[0] = NULL
    a.allow = 0
    if likely(path.len and path.ptr[0] == c'/'):
        if unlikely(not path_is_plain(path)):
            error = match_odd(a, out)
            if error == 0:
                a.param_count = out[0].param_count
                return 0
            out[0] = NULL
            if error != E_CORE_METHOD:
                a.allow = 0            # of one reading only
            return error
    elif path.len != 1 or path.ptr[0] != c'*':
        return E_CORE_NO_ROUTE
    out[0] = match_reading(a, a.plan.router, path)
    if unlikely(out[0] == NULL):
        return E_CORE_METHOD if a.allow else E_CORE_NO_ROUTE
    a.param_count = out[0].param_count
    return 0


cdef int router_take(exchange_t* x) noexcept nogil:
    cdef asked_t asked
    cdef route_t* route
    cdef size_t size
    cdef int error
    router_ask(&asked, x.plan, &x.request, &x.client, &x.arena)
    error = router_match(&asked, &route)
    if unlikely(error != 0):
        x.allow = asked.allow
        return error
    if asked.param_count:
        size = asked.param_count * sizeof(span_t)
        x.params = <span_t*>arena_alloc(&x.arena, size)
        if unlikely(x.params == NULL):
            return E_CORE_MEMORY
        memcpy(x.params, asked.params, size)   # COPY: the question ends here
    x.route = route
    return 0
