# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: the filter `redirect`: sends the client elsewhere.
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: let the request choose the scheme or host, unless the operator wrote {host} or a name
#   of the path there; nor let what is a path become a host ("//evil").
# Read next: redirect.pxd for the contract.

from libc.stdint cimport uint16_t, uint32_t
from libc.string cimport memcpy
from pygw._core.arena cimport arena_bytes
from pygw._core.check cimport unlikely
from pygw._core.fault cimport E_CORE_MEMORY, E_DOWN_TARGET
from pygw._core.filters.fields cimport fields_t, fields_build, fields_append, FIELDS_REPLY
from pygw._core.filters.verdict cimport verdict_refuse
from pygw._core.headers cimport headers_add, header_name_of
from pygw._core.http1_line cimport http1_authority_split
from pygw._core.limits cimport TEMPLATE_MAX
from pygw._core.part cimport Part, plan_alloc, plan_fail, plan_keep
from pygw._core.reply cimport reply_set
from pygw._core.retarget cimport path_clean
from pygw._core.template cimport (
    template_t, template_build, template_run, PLACE_ORIGIN, PLACE_PATH, PLACE_QUERY)
from pygw._core.types.exchange cimport (
    exchange_t, filter_t, filter_ops_t, verdict_t, VERDICT_REPLY, VERDICT_ABORT)
from pygw._core.types.header cimport span_t, H_LOCATION
from pygw._core.types.memory cimport arena_t
from pygw._core.view cimport span

cdef enum:
    LOCATION_BYTES_MAX = 8192

cdef struct conf_t:
    uint32_t status
    fields_t fields           # Location alone; none when it is made of templates
    template_t* origin        # plan; NULL: the location is fixed
    template_t* path          # plan
    template_t* query         # plan; NULL: none
    span_t fragment           # plan
    bint keep_query

cdef filter_ops_t ops
cdef filter_ops_t made_ops


# --- build ----------------------------------------------------------------------------------------


# RFC 9110 10.2.2: a URI reference, which RFC 3986 writes in printable ASCII.
cdef int location_build(Part part, arena_t* arena, conf_t* conf) except -1:
    cdef bytes location = part.text("location", LOCATION_BYTES_MAX)
    if not location or not all(0x20 < byte < 0x7F for byte in location):
        plan_fail(part.at("location"), "must be a URL in printable ASCII without spaces")
    return fields_build([["Location", location.decode()]], part.at("location"), FIELDS_REPLY,
                        arena, 1, &conf.fields)


cdef int templates_build(Part part, arena_t* arena, conf_t* conf) except -1:
    cdef bytes fragment = part.text("fragment", LOCATION_BYTES_MAX)
    if not all(0x20 < byte < 0x7F for byte in fragment):
        plan_fail(part.at("fragment"), "must be printable ASCII without spaces")
    conf.origin = template_build(part.value("origin"), part.at("origin"), PLACE_ORIGIN,
                                 TEMPLATE_MAX, arena)
    conf.path = template_build(part.value("path"), part.at("path"), PLACE_PATH, TEMPLATE_MAX,
                               arena)
    if part.has("query"):
        conf.query = template_build(part.value("query"), part.at("query"), PLACE_QUERY,
                                    TEMPLATE_MAX, arena)
    conf.keep_query = part.flag("keep_query")
    plan_keep(arena, fragment, &conf.fragment)
    return part.finish()


cdef int redirect_build(Part part, arena_t* arena, filter_t* out) except -1:
    cdef conf_t* conf = <conf_t*>plan_alloc(arena, sizeof(conf_t))
    conf.status = part.number("status", 301, 308)
    if conf.status not in (301, 302, 303, 307, 308):
        plan_fail(part.at("status"), "must be one of 301, 302, 303, 307, 308")
    if part.has("to"):
        templates_build(part.part("to"), arena, conf)
    else:
        location_build(part, arena, conf)
    out.ops = &ops if conf.origin == NULL else &made_ops
    out.conf = conf
    return 0


# --- run ------------------------------------------------------------------------------------------


cdef verdict_t redirect_request(exchange_t* x, const filter_t* f) noexcept nogil:
    cdef const conf_t* conf = <conf_t*>f.conf
    cdef int error = reply_set(x, conf.status, span(b"", 0), span(b"", 0))
    if error == 0:
        error = fields_append(&conf.fields, &x.response.half.headers, &x.arena)
    if unlikely(error != 0):
        x.error = error
        return VERDICT_ABORT
    return VERDICT_REPLY


# The parts of a Location, the path not yet clean.
cdef struct parts_t:
    span_t origin
    span_t path
    span_t query
    span_t kept


# Whether it is "scheme://authority".
cdef bint origin_valid(span_t origin) noexcept nogil:
    cdef span_t host
    cdef uint16_t port
    cdef uint32_t i = 0
    while i + 2 < origin.len and not (origin.ptr[i] == c':' and origin.ptr[i + 1] == c'/'
                                      and origin.ptr[i + 2] == c'/'):
        i += 1
    return i + 3 < origin.len and http1_authority_split(
        span(origin.ptr + i + 3, origin.len - i - 3), &host, &port)


cdef int parts_run(exchange_t* x, const conf_t* conf, parts_t* p) noexcept nogil:
    cdef int error = template_run(conf.origin, x, &p.origin)
    p.query = span(b"", 0)
    p.kept = x.request.query if conf.keep_query else span(b"", 0)
    if error == 0:
        error = template_run(conf.path, x, &p.path)
    if error == 0 and conf.query != NULL:
        error = template_run(conf.query, x, &p.query)
    if error == 0 and conf.origin.count and not origin_valid(p.origin):
        error = E_DOWN_TARGET
    if error == 0 and p.path.len == 0:
        p.path = span(b"/", 1)
    return error


cdef inline char* put(char* at, span_t text) noexcept nogil:
    if text.len:
        memcpy(at, text.ptr, text.len)        # COPY: the location is made of its parts
    return at + text.len


cdef int location_add(exchange_t* x, const conf_t* conf, const parts_t* p) noexcept nogil:
    cdef size_t size = <size_t>p.origin.len + p.path.len + p.query.len + p.kept.len \
        + conf.fragment.len + 3
    cdef char* text = arena_bytes(&x.arena, size)
    cdef char* at = text
    cdef uint32_t clean
    if unlikely(text == NULL):
        return E_CORE_MEMORY
    at = put(at, p.origin)
    clean = path_clean(p.path, at)
    if clean == 0:
        return E_DOWN_TARGET
    at += clean
    if p.query.len + p.kept.len:
        at = put(at, span(b"?", 1))
    at = put(at, p.query)
    if p.query.len and p.kept.len:
        at = put(at, span(b"&", 1))
    at = put(at, p.kept)
    if conf.fragment.len:
        at = put(put(at, span(b"#", 1)), conf.fragment)
    return headers_add(&x.response.half.headers, &x.arena, header_name_of(H_LOCATION),
                       span(text, at - text))


cdef verdict_t redirect_made(exchange_t* x, const filter_t* f) noexcept nogil:
    cdef const conf_t* conf = <conf_t*>f.conf
    cdef parts_t parts
    cdef int error = parts_run(x, conf, &parts)
    if error == 0:
        error = reply_set(x, conf.status, span(b"", 0), span(b"", 0))
    if error == 0:
        error = location_add(x, conf, &parts)
    return verdict_refuse(x, error) if unlikely(error != 0) else VERDICT_REPLY


ops.name = b"redirect"
ops.request = redirect_request
made_ops.name = b"redirect"
made_ops.request = redirect_made
