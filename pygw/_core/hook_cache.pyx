# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: decisions of hooks that a worker keeps: what a run wrote and answered, by a key.
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: keep what a run that failed or aborted did.
# Read next: hook_cache.pxd for the contract.
"""Kept decisions: what a plan says of them."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset
from pygw._core.arena cimport arena_alloc, arena_bytes, arena_fini, arena_init, arena_zalloc
from pygw._core.block cimport block_give, block_take, blocks_fini, blocks_init
from pygw._core.check cimport unlikely
from pygw._core.headers cimport headers_find_name
from pygw._core.hook_line cimport hook_line_up
from pygw._core.hook_mask cimport mask_allows, mask_allows_name
from pygw._core.hooks cimport hook_enter, hook_leave
from pygw._core.ids cimport ids_random, ids_t
from pygw._core.limits cimport (
    ARENA_CHUNK, HOOK_CACHE_BUCKETS, HOOK_CACHE_BYTES, HOOK_CACHE_BYTES_ONE,
    HOOK_CACHE_ENTRIES, HOOK_CACHE_LEADS, HOOK_CACHE_OPS, TEMPLATE_MAX)
from pygw._core.part cimport Part, plan_alloc, plan_fail
from pygw._core.route_hash cimport hash_bytes, hash_word
from pygw._core.stats cimport (
    ST_HOOK_CACHE_HITS, ST_HOOK_CACHE_MISSES, ST_HOOK_CACHE_WAITS, stat_add)
from pygw._core.template cimport (
    PLACE_VALUE, template_ambiguous, template_build, template_run, template_t)
from pygw._core.types.exchange cimport exchange_t, host_t, plan_t, PHASE_REQUEST
from pygw._core.types.header cimport header_t, headers_t
from pygw._core.types.hook cimport *
from pygw._core.types.memory cimport arena_t
from pygw._core.view cimport span

cdef enum:
    ENTRY_INLINE = 512
    TTL_MAX_MS = 86400000
    BUCKETS = HOOK_CACHE_BUCKETS
    TABLE_BYTES = (HOOK_CACHE_BUCKETS + HOOK_CACHE_LEADS) * sizeof(void*)

cdef struct cache_entry_t:
    cache_entry_t* next               # own: its bucket
    cache_entry_t** link              # borrow(cache, while it is there): what points here
    cache_entry_t* newer              # borrow(cache, while it is there): in the order of use
    cache_entry_t* older              # own: likewise
    const hook_t* hook                # plan: forgotten before that goes
    uint64_t hash
    uint64_t ends_ns                  # monotonic
    outcome_t outcome
    uint32_t bytes                    # that count for HOOK_CACHE_BYTES
    span_t key                        # arena
    op_t* ops                         # arena
    arena_t arena
    char inline_memory[512]           # ENTRY_INLINE


# --- build ----------------------------------------------------------------------------------------


# The pieces of a key that tell all of what a hook reads by this name; none: there are none. Of
# cookies and of the query single ones do.
cdef list key_pieces(str read):
    cdef str name = read.lower()
    if name == "query":
        return [["query"], ["pair"]]
    if name == "headers.cookie":
        return [["header", "cookie"], ["cookie"]]
    if name.startswith("headers."):
        return [["header", name[8:]]]
    if name in ("method", "path", "scheme", "authority"):
        return [[name]]
    return [["client_ip"]] if name == "client" else []


# A key that does not tell all that the hook reads gives one request what another's was.
cdef int key_check(Part part, Part said, list reads) except -1:
    pieces = [[str(word).lower() for word in piece] for piece in said.value("key")
              if isinstance(piece, list)]
    for read in reads:
        wanted = key_pieces(read)
        if not wanted:
            plan_fail(said.at("key"), f"cannot hold {ascii(read)[:60]}, which the hook reads: a"
                                      " decision that depends on it must not be kept")
        if not any(piece[:len(one)] == one for piece in pieces for one in wanted):
            plan_fail(said.at("key"), f"says nothing of {ascii(read)[:60]}, which the hook reads:"
                                      " one request would get what was decided for another")
    return 0


cdef const caching_t* caching_build(Part part, const hook_t* hook, list reads,
                                    arena_t* arena) except? NULL:
    cdef caching_t* out
    cdef Part said
    if not part.has("cache"):
        return NULL
    said = part.part("cache")
    out = <caching_t*>plan_alloc(arena, sizeof(caching_t))
    out.key = template_build(said.value("key"), said.at("key"), PLACE_VALUE, TEMPLATE_MAX, arena)
    out.ttl_ms = <uint32_t>said.number("ttl_ms", 1, TTL_MAX_MS)
    said.finish()
    if reads is None:
        plan_fail(part.at("cache"), "needs reads, in the entry or declared by the hook: what it may"
                                    " look at decides whether the key is whole")
    key_check(part, said, reads)
    if hook.phases != 1 << <int>PHASE_REQUEST:
        plan_fail(part.at("cache"), "is for a hook of the phase request: say phases: [request]")
    return out


# --- the store ------------------------------------------------------------------------------------


cdef void hook_cache_init(hook_cache_t* c) noexcept nogil:
    memset(c, 0, sizeof(hook_cache_t))
    blocks_init(&c.entries, sizeof(cache_entry_t))
    blocks_init(&c.tables, TABLE_BYTES)


cdef void hook_cache_fini(hook_cache_t* c) noexcept nogil:
    while c.oldest != NULL:
        entry_drop(c, <cache_entry_t*>c.oldest)
    if c.buckets != NULL:
        block_give(&c.tables, c.buckets)
        c.buckets = NULL
    blocks_fini(&c.entries)
    blocks_fini(&c.tables)


cdef void forget(hook_cache_t* c, const hook_t* hook) noexcept nogil:
    cdef cache_entry_t* e = <cache_entry_t*>c.newest
    cdef cache_entry_t* older
    while e != NULL:
        older = e.older
        if e.hook == hook:
            entry_drop(c, e)
        e = older


cdef void hook_cache_forget(hook_cache_t* c, const plan_t* plan) noexcept nogil:
    cdef uint32_t i
    for i in range(plan.hook_count):
        if (<hook_t*>plan.hooks[i]).caching != NULL:
            forget(c, <hook_t*>plan.hooks[i])


cdef void order_remove(hook_cache_t* c, cache_entry_t* e) noexcept nogil:
    if e.newer != NULL:
        e.newer.older = e.older
    else:
        c.newest = e.older
    if e.older != NULL:
        e.older.newer = e.newer
    else:
        c.oldest = e.newer


cdef void order_push(hook_cache_t* c, cache_entry_t* e) noexcept nogil:
    e.newer = NULL
    e.older = <cache_entry_t*>c.newest
    if e.older != NULL:
        e.older.newer = e
    else:
        c.oldest = e
    c.newest = e


cdef void entry_drop(hook_cache_t* c, cache_entry_t* e) noexcept nogil:
    order_remove(c, e)
    e.link[0] = e.next
    if e.next != NULL:
        e.next.link = e.link
    c.count -= 1
    c.bytes -= e.bytes
    arena_fini(&e.arena)
    block_give(&c.entries, e)


cdef inline cache_entry_t** bucket_of(hook_cache_t* c, uint64_t hash) noexcept nogil:
    return <cache_entry_t**>&c.buckets[hash % BUCKETS]


cdef cache_entry_t* entry_find(hook_cache_t* c, const hook_t* hook, uint64_t hash,
                               span_t key) noexcept nogil:
    cdef cache_entry_t* e
    if c.buckets == NULL:
        return NULL
    e = bucket_of(c, hash)[0]
    while e != NULL:
        if (e.hash == hash and e.hook == hook and e.key.len == key.len
                and memcmp(e.key.ptr, key.ptr, key.len) == 0):
            return e
        e = e.next
    return NULL


# The table and its seed: keys are what clients send.
cdef bint table_make(hook_cache_t* c, host_t* host) noexcept nogil:
    if c.buckets != NULL:
        return True
    c.buckets = <void**>block_take(&c.tables)
    if unlikely(c.buckets == NULL):
        return False
    memset(c.buckets, 0, TABLE_BYTES)
    c.leads = <record_t**>(c.buckets + BUCKETS)
    # COPY: of bytes into a number
    memcpy(&c.seed, ids_random(<ids_t*>host.ids, sizeof(c.seed)), sizeof(c.seed))
    return True


# --- keys -----------------------------------------------------------------------------------------


# A field of which the key does not tell all: it came more than once, and the hook may look at the
# others; or it is there and empty, which in a key is the same as none.
cdef bint is_ambiguous(exchange_t* x, const mask_t* reads) noexcept nogil:
    cdef headers_t* hs = &x.request.half.headers
    cdef span_t name
    cdef header_t* h
    cdef uint32_t i
    for i in range(reads.counts[<int>SIDE_REQUEST]):
        name = reads.names[<int>SIDE_REQUEST][i]
        h = headers_find_name(hs, name, NULL)
        if h == NULL:
            continue
        if h.value.len == 0 or headers_find_name(hs, name, h) != NULL:
            return True
    return False


# Each piece with its length before it: no value can be taken for two, or for a part of the next.
cdef bint key_make(exchange_t* x, const template_t* t, record_t* r) noexcept nogil:
    cdef template_t one
    cdef span_t[32] values                               # TEMPLATE_PIECES
    cdef uint64_t size = 0
    cdef char* p
    cdef uint32_t i
    for i in range(t.count):
        one = t[0]
        one.pieces = &t.pieces[i]
        one.count = 1
        if template_run(&one, x, &values[i]) != 0:
            return False
        size += values[i].len + sizeof(uint32_t)
    if size > HOOK_CACHE_BYTES_ONE // 2:
        return False
    p = arena_bytes(&x.arena, size + 1)
    if unlikely(p == NULL):
        return False
    r.key = span(p, size)
    for i in range(t.count):
        memcpy(p, &values[i].len, sizeof(uint32_t))      # COPY: a key is new memory
        p += sizeof(uint32_t)
        if values[i].len:
            memcpy(p, values[i].ptr, values[i].len)      # COPY: as above
        p += values[i].len
    return True


# --- a run ----------------------------------------------------------------------------------------


cdef int op_do(hook_call_t* call, const op_t* o) noexcept nogil:
    cdef const hook_host_t* api = call.hooks.api
    cdef void* k = call.hooks
    cdef const char* name = o.name.ptr
    cdef const char* value = o.value.ptr
    if o.what == OP_HEADER_SET:
        return api.header_set(k, o.number, name, o.name.len, value, o.value.len)
    if o.what == OP_HEADER_ADD:
        return api.header_add(k, o.number, name, o.name.len, value, o.value.len)
    if o.what == OP_HEADER_DEL:
        return api.header_del(k, o.number, name, o.name.len)
    if o.what == OP_METHOD:
        return api.method_set(k, value, o.value.len)
    if o.what == OP_PATH:
        return api.path_set(k, value, o.value.len)
    if o.what == OP_QUERY:
        return api.query_set(k, value, o.value.len)
    if o.what == OP_VAR:
        return api.var_set(k, name, o.name.len, value, o.value.len)
    if o.what == OP_REPLY:
        return api.reply(k, o.number, name, o.name.len, value, o.value.len)
    return api.reply_header(k, name, o.name.len, value, o.value.len)


# What was decided, once more. A write for which there is no room fails the run, as it would have.
cdef outcome_t entry_do(hook_call_t* call, const cache_entry_t* e) noexcept nogil:
    cdef hook_call_t* before = hook_enter(call)
    cdef outcome_t outcome = e.outcome
    cdef const op_t* o = e.ops
    call.error[0] = 0
    while o != NULL:
        if unlikely(op_do(call, o) < 0):
            call.fault = HOOK_MEMORY
            outcome = OUTCOME_FAILED
            break
        o = o.next
    hook_leave(call, before)
    return outcome


# What is known for a key and not too old; NULL: nothing.
cdef cache_entry_t* entry_good(hook_call_t* call, const record_t* r) noexcept nogil:
    cdef host_t* host = call.x.host
    cdef cache_entry_t* e = entry_find(&call.hooks.cache, call.hook, r.hash, r.key)
    return e if e != NULL and e.ends_ns > host.now_ns(host) else NULL


cdef outcome_t entry_hit(hook_call_t* call, cache_entry_t* e) noexcept nogil:
    order_remove(&call.hooks.cache, e)
    order_push(&call.hooks.cache, e)
    stat_add(call.x.host.counters, ST_HOOK_CACHE_HITS, 1)
    return entry_do(call, e)


cdef outcome_t hook_cache_take(hook_call_t* call) noexcept nogil:
    cdef exchange_t* x = call.x
    cdef hook_cache_t* c = &call.hooks.cache
    cdef record_t* r
    cdef cache_entry_t* e
    if (is_ambiguous(x, call.hook.reads)
            or template_ambiguous(<template_t*>call.hook.caching.key, x)
            or not table_make(c, x.host)):
        return OUTCOME_WAIT
    r = <record_t*>arena_zalloc(&x.arena, sizeof(record_t))
    if unlikely(r == NULL) or not key_make(x, <template_t*>call.hook.caching.key, r):
        return OUTCOME_WAIT
    r.last = &r.first
    r.hash = hash_word(hash_bytes(r.key.ptr, r.key.len) ^ c.seed, <uint64_t><size_t>call.hook)
    r.call = call
    e = entry_good(call, r)
    if e != NULL:
        return entry_hit(call, e)
    call.record = r
    if call.hook.may_wait and hook_line_up(c, r):
        stat_add(x.host.counters, ST_HOOK_CACHE_WAITS, 1)
    else:
        stat_add(x.host.counters, ST_HOOK_CACHE_MISSES, 1)
    return OUTCOME_WAIT


cdef outcome_t hook_cache_again(hook_call_t* call) noexcept nogil:
    cdef cache_entry_t* e = entry_good(call, call.record)
    if e == NULL:
        stat_add(call.x.host.counters, ST_HOOK_CACHE_MISSES, 1)
        return OUTCOME_WAIT
    call.record.broken = True                            # it is kept already
    return entry_hit(call, e)


cdef bint span_keep(arena_t* arena, span_t s, span_t* out) noexcept nogil:
    cdef char* copy = arena_bytes(arena, s.len + 1)
    if unlikely(copy == NULL):
        return False
    if s.len:
        memcpy(copy, s.ptr, s.len)                       # COPY: it outlives its exchange
    out[0] = span(copy, s.len)
    return True


# Appends a copy of an op in `arena`. NULL: no room.
cdef op_t** op_add(arena_t* arena, op_t** last, const op_t* of) noexcept nogil:
    cdef op_t* o = <op_t*>arena_alloc(arena, sizeof(op_t))
    if unlikely(o == NULL):
        return NULL
    o.next = NULL
    o.what = of.what
    o.number = of.number
    if not span_keep(arena, of.name, &o.name) or not span_keep(arena, of.value, &o.value):
        return NULL
    last[0] = o
    return &o.next


cdef bint entry_fill(cache_entry_t* e, const record_t* r) noexcept nogil:
    cdef op_t** last = &e.ops
    cdef const op_t* o = r.first
    e.ops = NULL
    if not span_keep(&e.arena, r.key, &e.key):
        return False
    while o != NULL:
        last = op_add(&e.arena, last, o)
        if last == NULL:
            return False
        o = o.next
    return True


cdef void hook_cache_keep(hook_call_t* call, outcome_t outcome) noexcept nogil:
    cdef hook_cache_t* c = &call.hooks.cache
    cdef record_t* r = call.record
    cdef host_t* host = call.x.host
    cdef cache_entry_t* e
    if r.broken:
        return
    e = entry_find(c, call.hook, r.hash, r.key)
    if e != NULL:
        entry_drop(c, e)
    e = <cache_entry_t*>block_take(&c.entries)
    if unlikely(e == NULL):
        return
    arena_init(&e.arena, e.inline_memory, ENTRY_INLINE, 2 * HOOK_CACHE_BYTES_ONE)
    if not entry_fill(e, r):
        arena_fini(&e.arena)
        block_give(&c.entries, e)
        return
    e.hook = call.hook
    e.hash = r.hash
    e.outcome = outcome
    e.ends_ns = host.now_ns(host) + <uint64_t>call.hook.caching.ttl_ms * 1000000
    e.bytes = <uint32_t>sizeof(cache_entry_t)
    if e.arena.bytes > ENTRY_INLINE:
        e.bytes += <uint32_t>(ARENA_CHUNK + e.arena.bytes)
    while c.count >= HOOK_CACHE_ENTRIES or (c.count and c.bytes + e.bytes > HOOK_CACHE_BYTES):
        entry_drop(c, <cache_entry_t*>c.oldest)
    e.link = bucket_of(c, e.hash)
    e.next = e.link[0]
    if e.next != NULL:
        e.next.link = &e.next
    e.link[0] = e
    order_push(c, e)
    c.count += 1
    c.bytes += e.bytes


# --- writes ---------------------------------------------------------------------------------------


cdef bint is_allowed(const mask_t* m, int phase, int what, uint32_t number,
                     span_t name) noexcept nogil:
    if what <= OP_HEADER_DEL:
        return mask_allows_name(m, <int>number, name)
    if what == OP_VAR:
        return mask_allows_name(m, MASK_VARS, name)
    if what == OP_METHOD:
        return mask_allows(m, FIELD_METHOD)
    if what == OP_PATH:
        return mask_allows(m, FIELD_PATH)
    if what == OP_QUERY:
        return mask_allows(m, FIELD_QUERY)
    if what == OP_STATUS:
        return mask_allows(m, FIELD_STATUS)
    if what == OP_BODY:
        return mask_allows(m, FIELD_BODY if phase <= PHASE_REQUEST + 1 else FIELD_RESPONSE_BODY)
    return mask_allows(m, FIELD_REPLY)


cdef int hook_watch(hook_call_t* call, int what, uint32_t number, span_t name,
                    span_t value) noexcept nogil:
    cdef record_t* r
    cdef op_t o
    cdef op_t** last
    if not is_allowed(call.hook.writes, call.phase, what, number, name):
        return HOST_MASKED
    if call.hook.caching == NULL or call.record == NULL or call.record.broken:
        return 0
    r = call.record
    r.count += 1
    r.bytes += name.len + value.len
    o.what = <uint8_t>what
    o.number = number
    o.name = name
    o.value = value
    last = NULL
    if r.count <= HOOK_CACHE_OPS and r.bytes <= HOOK_CACHE_BYTES_ONE // 2:
        last = op_add(&call.x.arena, r.last, &o)
    if last == NULL:
        r.broken = True
    else:
        r.last = last
    return 0
