# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: the filter `prefix`: takes a prefix off the path, puts one before it.
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: take off half a segment: "/api" is no prefix of "/apis".
# Read next: prefix.pxd for the contract.

from libc.stdint cimport uint32_t
from pygw._core.check cimport unlikely
from pygw._core.filters.verdict cimport verdict_refuse
from pygw._core.limits cimport TEMPLATE_MAX
from pygw._core.part cimport Part, plan_alloc, plan_fail, plan_keep
from pygw._core.retarget cimport path_clean, retarget_path
from pygw._core.types.exchange cimport (
    exchange_t, filter_t, filter_ops_t, verdict_t, VERDICT_NEXT)
from pygw._core.types.header cimport span_t
from pygw._core.types.memory cimport arena_t
from pygw._core.view cimport hex_value, span

cdef struct conf_t:
    span_t strip              # plan
    span_t add                # plan

cdef filter_ops_t ops


# --- build ----------------------------------------------------------------------------------------


cdef int prefix_keep(Part part, str key, arena_t* arena, span_t* out) except -1:
    cdef char[TEMPLATE_MAX] clean
    cdef bytes text = part.text(key, TEMPLATE_MAX)
    if text and (path_clean(span(text, len(text)), clean) != <uint32_t>len(text)
                 or text.endswith(b"/")):
        plan_fail(part.at(key), "must be a normal path that begins with / and does not end with it")
    return plan_keep(arena, text, out)


cdef int prefix_build(Part part, arena_t* arena, filter_t* out) except -1:
    cdef conf_t* conf = <conf_t*>plan_alloc(arena, sizeof(conf_t))
    prefix_keep(part, "strip", arena, &conf.strip)
    prefix_keep(part, "add", arena, &conf.add)
    if conf.strip.len + conf.add.len == 0:
        plan_fail(part.place, "needs strip or add")
    out.ops = &ops
    out.conf = conf
    return 0


# --- run ------------------------------------------------------------------------------------------


# The byte at `*i` in the form that decides (RFC 3986 6.2.2): a triplet of an unreserved character
# is that character, any other triplet a value of its own beyond 255. `*i` moves behind it.
cdef inline int form_next(span_t s, uint32_t* i) noexcept nogil:
    cdef int c = <unsigned char>s.ptr[i[0]]
    cdef int high = -1, low = -1
    i[0] += 1
    if c != c'%':
        return c
    if s.len - i[0] >= 2:
        high = hex_value(s.ptr[i[0]])
        low = hex_value(s.ptr[i[0] + 1])
    if high < 0 or low < 0:
        return c
    i[0] += 2
    c = high * 16 + low
    if (c'0' <= c <= c'9' or c'A' <= c <= c'Z' or c'a' <= c <= c'z'
            or c == c'-' or c == c'.' or c == c'_' or c == c'~'):
        return c
    return 256 + c


# How many bytes of the path the prefix covers; 0: it does not begin with it.
cdef uint32_t prefix_covers(span_t prefix, span_t path) noexcept nogil:
    cdef uint32_t i = 0, k = 0
    while k < prefix.len:
        if i >= path.len or form_next(path, &i) != form_next(prefix, &k):
            return 0
    return i if i == path.len or path.ptr[i] == c'/' else 0


cdef verdict_t prefix_request(exchange_t* x, const filter_t* f) noexcept nogil:
    cdef const conf_t* conf = <conf_t*>f.conf
    cdef span_t path = x.request.path
    cdef uint32_t covered = prefix_covers(conf.strip, path) if conf.strip.len else 0
    cdef int error
    if covered == 0 and conf.add.len == 0:
        return VERDICT_NEXT
    path = span(path.ptr + covered, path.len - covered)
    if path.len == 0:
        path = span(b"/", 1)
    error = retarget_path(x, conf.add, path)
    return verdict_refuse(x, error) if unlikely(error != 0) else VERDICT_NEXT


ops.name = b"prefix"
ops.request = prefix_request
