# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: the filter `test_detached`, which sends requests of its own and waits for none of them.
# Thread and GIL: the build half and doors hold the GIL; the run half is one loop, no GIL.
# Never does: load in a gateway unless a test imports it: importing registers the filter.
# Read next: ../detached.pxd.
"""``{"filter": "test_detached", "upstream": place, "count": N, "deadline_ms": N, "body": TEXT,
"most": bytes}``: N detached requests, GET /0 and so on, or POST with a body; ``ended()`` tells."""

from libc.stdint cimport uint32_t
from libc.stdio cimport snprintf
from libc.string cimport memcpy, strlen
from pygw._core.arena cimport arena_bytes
from pygw._core.buffer cimport slices_add, slices_init
from pygw._core.build_filters cimport filter_register
from pygw._core.detached cimport *
from pygw._core.fault cimport E_HOOK_BODY_LENGTH
from pygw._core.libs.llhttp cimport HTTP_GET, HTTP_POST
from pygw._core.part cimport Part, plan_alloc, plan_keep
from pygw._core.types.exchange cimport *
from pygw._core.types.header cimport span_t
from pygw._core.types.memory cimport arena_t, slice_t, slices_t
from pygw._core.types.message cimport FRAMING_LENGTH
from pygw._core.view cimport span

cdef enum:
    ENDED_MAX = 8192
    BODY_KEPT = 32

cdef struct conf_t:
    uint32_t upstream
    uint32_t count
    uint32_t deadline_ms
    uint32_t most             # bytes of answer that are taken
    span_t body               # plan

cdef struct ended_t:
    uint32_t number
    int error
    uint32_t status
    uint32_t bytes
    char body[32]             # BODY_KEPT

cdef filter_ops_t ops
cdef detached_on_t on
cdef ended_t told[8192]       # ENDED_MAX: by number
cdef ended_t over[8192]       # ENDED_MAX: in the order of their ends
cdef uint32_t sent, over_count, refused, heads
cdef uint32_t most


cdef int build(Part part, arena_t* arena, filter_t* out) except -1:
    cdef conf_t* conf = <conf_t*>plan_alloc(arena, sizeof(conf_t))
    conf.upstream = part.number("upstream", 0, 100)
    conf.count = part.number("count", 0, ENDED_MAX)
    conf.deadline_ms = part.number("deadline_ms", 0, 100000)
    conf.most = part.number("most", 0, 0x7FFFFFFF)
    plan_keep(arena, part.text("body", 65536), &conf.body)
    out.ops = &ops
    out.conf = conf
    return 0


cdef int on_head(detached_t* d) noexcept nogil:
    global heads
    heads += 1
    (<ended_t*>d.owner).status = d.x.response.status
    return 0


cdef int on_body(detached_t* d, slices_t* body) noexcept nogil:
    cdef ended_t* e = <ended_t*>d.owner
    cdef slice_t* s = body.first
    while s != NULL:
        if e.bytes + s.len < BODY_KEPT:
            memcpy(e.body + e.bytes, s.ptr, s.len)       # COPY: for a test to look at
        e.bytes += s.len
        s = s.next
    return 0 if e.bytes <= most else <int>E_HOOK_BODY_LENGTH


cdef void on_end(detached_t* d, int error) noexcept nogil:
    global over_count
    cdef ended_t* e = <ended_t*>d.owner
    e.error = error
    over[over_count] = e[0]
    over_count += 1


cdef bint send(exchange_t* x, const conf_t* conf, uint32_t number) noexcept nogil:
    cdef detached_t* d = detached_make(x, &x.plan.upstreams[conf.upstream])
    cdef slices_t body
    cdef char* path
    if d == NULL:
        return False
    path = arena_bytes(&d.x.arena, 16)
    snprintf(path, 16, b"/%u", number)
    d.x.request.path = span(path, <uint32_t>strlen(path))
    d.x.request.authority = d.x.upstream.name
    d.x.request.method = HTTP_POST if conf.body.len else HTTP_GET
    d.x.request.method_name = span(b"POST", 4) if conf.body.len else span(b"GET", 3)
    if conf.body.len:
        d.x.request.half.framing = FRAMING_LENGTH
        d.x.request.half.length = conf.body.len
        slices_init(&body)
        if slices_add(x.host.buffers, &body, NULL, conf.body.ptr, conf.body.len) != 0:
            detached_cancel(d)
            return False
        detached_body(d, &body)
    detached_body_end(d)
    detached_start(d, &on, &told[number], conf.deadline_ms)
    return True


cdef verdict_t run(exchange_t* x, const filter_t* f) noexcept nogil:
    global sent, refused, most
    cdef const conf_t* conf = <conf_t*>f.conf
    cdef uint32_t _i
    most = conf.most
    for _i in range(conf.count):
        if sent == ENDED_MAX:
            break
        told[sent] = ended_t(number=sent, error=0, status=0, bytes=0)
        if send(x, conf, sent):
            sent += 1
        else:
            refused += 1
    return VERDICT_NEXT


def reset() -> None:
    """Forgets all that was told."""
    global sent, over_count, refused, heads
    sent = over_count = refused = heads = 0


def counts() -> dict[str, int]:
    """How many were sent, could not be made, were answered, and are over."""
    return {"sent": sent, "refused": refused, "heads": heads, "ended": over_count}


def ended() -> list[tuple[int, int, int, bytes]]:
    """Number, error, status and the first bytes of each that is over, in that order."""
    return [(over[i].number, over[i].error, over[i].status,
             over[i].body[:min(over[i].bytes, <uint32_t>BODY_KEPT - 1)])
            for i in range(over_count)]


on.head = on_head
on.body = on_body
on.end = on_end
ops.name = b"test_detached"
ops.request = run
filter_register("test_detached", build)
