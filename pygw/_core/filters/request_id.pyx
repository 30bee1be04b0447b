# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: the filter `request_id`: under which name, in which form and of whom an id is taken.
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: take an id that could not stand in a log or a field.
# Read next: request_id.pxd for the contract.

from libc.stdint cimport uint32_t
from pygw._core.arena cimport arena_bytes
from pygw._core.check cimport unlikely
from pygw._core.fault cimport E_CORE_MEMORY
from pygw._core.filters.fields cimport (
    names_t, names_build, names_remove, FIELDS_REQUEST)
from pygw._core.forwarding cimport forwarding_trusts, request_id_sane
from pygw._core.headers cimport headers_add, headers_find_name
from pygw._core.ids cimport ids_t, ids_uuid7, UUID_LENGTH
from pygw._core.part cimport Part, plan_alloc, plan_fail
from pygw._core.types.exchange cimport (
    exchange_t, filter_t, filter_ops_t, verdict_t, VERDICT_NEXT, VERDICT_ABORT, XF_ID_MADE)
from pygw._core.types.header cimport span_t, header_t, headers_t, H_HOST, H_X_REQUEST_ID
from pygw._core.types.memory cimport arena_t
from pygw._core.view cimport span

cdef enum id_trust:
    TRUST_PROXIES = 0
    TRUST_ALL = 1
    TRUST_NONE = 2

cdef struct conf_t:
    names_t name              # of the field, alone
    int trust                 # id_trust
    bint hex

cdef filter_ops_t ops
cdef filter_ops_t named_ops
cdef dict TRUST = {b"proxies": TRUST_PROXIES, b"all": TRUST_ALL, b"none": TRUST_NONE}


cdef int request_id_build(Part part, arena_t* arena, filter_t* out) except -1:
    cdef conf_t* conf = <conf_t*>plan_alloc(arena, sizeof(conf_t))
    cdef bytes trust = part.text("trust", 16)
    cdef bytes form = part.text("format", 16)
    names_build([part.value("header")], part.at("header"), FIELDS_REQUEST, arena, 1, &conf.name)
    if conf.name.items.id == H_HOST:
        plan_fail(part.at("header"), "a request has exactly one Host")
    if trust not in TRUST:
        plan_fail(part.at("trust"), "must be proxies, all or none")
    if form not in (b"uuid7", b"hex"):
        plan_fail(part.at("format"), "must be uuid7 or hex")
    conf.trust = TRUST[trust]
    conf.hex = form == b"hex"
    out.ops = &ops if conf.name.items.id == H_X_REQUEST_ID else &named_ops
    out.conf = conf
    return 0


# The id that came, if it may be kept; else an empty span.
cdef span_t id_came(exchange_t* x, const conf_t* conf) noexcept nogil:
    cdef headers_t* hs = &x.request.half.headers
    cdef header_t* h
    if conf.trust == TRUST_NONE or (conf.trust == TRUST_PROXIES and not forwarding_trusts(x)):
        return span(NULL, 0)
    h = headers_find_name(hs, conf.name.items.name, NULL)
    if h == NULL or headers_find_name(hs, conf.name.items.name, h) != NULL:
        return span(NULL, 0)
    return h.value if request_id_sane(h.value) else span(NULL, 0)


cdef int id_make(exchange_t* x, const conf_t* conf) noexcept nogil:
    cdef char* text = arena_bytes(&x.arena, UUID_LENGTH)
    cdef uint32_t i, n = 0
    if unlikely(text == NULL):
        return E_CORE_MEMORY
    ids_uuid7(<ids_t*>x.host.ids, x.host.unix_ms(x.host), text)
    x.flags |= XF_ID_MADE
    if conf.hex:
        for i in range(UUID_LENGTH):
            if text[i] != c'-':
                text[n] = text[i]
                n += 1
        x.flags &= ~<uint32_t>XF_ID_MADE       # a trace id is cut from a UUID's text only
    x.request_id = span(text, n if conf.hex else <uint32_t>UUID_LENGTH)
    return 0


cdef verdict_t id_choose(exchange_t* x, const filter_t* f) noexcept nogil:
    cdef const conf_t* conf = <conf_t*>f.conf
    cdef span_t came = id_came(x, conf)
    cdef int error = 0
    if came.ptr != NULL:
        x.request_id = came
        x.flags &= ~<uint32_t>XF_ID_MADE
    elif conf.hex or not x.flags & XF_ID_MADE:
        error = id_make(x, conf)
    if unlikely(error != 0):
        x.error = error
        return VERDICT_ABORT
    return VERDICT_NEXT


cdef verdict_t id_write(exchange_t* x, const conf_t* conf, headers_t* hs) noexcept nogil:
    cdef int error
    names_remove(&conf.name, hs)
    error = headers_add(hs, &x.arena, conf.name.items.name, x.request_id)
    if unlikely(error != 0):
        x.error = error
        return VERDICT_ABORT
    return VERDICT_NEXT


# forwarding.pyx writes X-Request-ID itself; another name is written here.
cdef verdict_t named_request(exchange_t* x, const filter_t* f) noexcept nogil:
    if unlikely(id_choose(x, f) == VERDICT_ABORT):
        return VERDICT_ABORT
    return id_write(x, <conf_t*>f.conf, &x.request.half.headers)


cdef verdict_t named_response(exchange_t* x, const filter_t* f) noexcept nogil:
    return id_write(x, <conf_t*>f.conf, &x.response.half.headers)


# The request may have failed before the filter chose: then it has the id that all have.
cdef verdict_t named_fault(exchange_t* x, const filter_t* f) noexcept nogil:
    return named_response(x, f) if x.request_id.len else VERDICT_NEXT


ops.name = b"request_id"
ops.request = id_choose
named_ops.name = b"request_id"
named_ops.request = named_request
named_ops.response = named_response
named_ops.fault = named_fault
