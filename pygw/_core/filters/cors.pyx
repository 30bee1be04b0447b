# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: the filter `cors`: which pages of other origins may read answers (WHATWG Fetch 3.2).
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: let any origin in with credentials, or leave a service's own word on the matter.
# Read next: cors.pxd for the contract.

from libc.stdint cimport uint32_t
from pygw._core.arena cimport arena_alloc
from pygw._core.check cimport unlikely
from pygw._core.fault cimport E_CORE_MEMORY
from pygw._core.filters.fields cimport fields_t, fields_build, fields_append, FIELDS_REPLY
from pygw._core.filters.vary cimport vary_add
from pygw._core.headers cimport header_name_valid, headers_add, headers_find_name
from pygw._core.libs.llhttp cimport HTTP_OPTIONS
from pygw._core.limits cimport CORS_ORIGINS, HEADERS_MAX
from pygw._core.part cimport Part, plan_alloc, plan_fail, plan_keep, plan_text
from pygw._core.reply cimport reply_set
from pygw._core.types.exchange cimport (
    exchange_t, filter_t, filter_ops_t, verdict_t, VERDICT_NEXT, VERDICT_REPLY, VERDICT_ABORT)
from pygw._core.types.header cimport span_t, header_t, headers_t, H_OTHER, HF_REMOVED
from pygw._core.types.memory cimport arena_t
from pygw._core.view cimport (
    lower, span, span_equal_nocase, span_is_nocase, span_next_member)

cdef enum:
    YEAR_S = 31536000
    NAME_MAX = 255

# One origin that is let in: `before` alone, or anything between `before` and `behind`.
cdef struct origin_t:
    span_t before             # plan: "https://a.test", or "https://"
    span_t behind             # plan: ".a.test:8443"; empty: exact

cdef struct conf_t:
    origin_t* origins         # plan; NULL: any
    uint32_t origin_count
    bint any_method
    bint any_header
    bint private_network
    bint constant             # the answer is the same for all origins: "*"
    fields_t preflight        # Allow-Methods, Allow-Headers, Max-Age, Allow-Credentials
    fields_t actual           # Expose-Headers, Allow-Credentials
    span_t preflight_vary     # static

cdef filter_ops_t ops
# What a slot says of a request that was answered here.
cdef span_t ANSWERED


# --- build ----------------------------------------------------------------------------------------


cdef int origin_build(object value, str place, arena_t* arena, origin_t* out) except -1:
    cdef bytes text = plan_text(value, place, 1024)
    cdef bytes scheme, separator, host
    scheme, separator, host = text.partition(b"://")
    if text != b"null" and not (scheme and separator and host) \
            or not all(0x20 < c < 0x7F for c in text) or host.count(b"*") > 1:
        plan_fail(place, "must be an origin such as https://a.test or https://*.a.test")
    if not host.startswith(b"*."):
        if b"*" in text:
            plan_fail(place, "has a * that is no whole first label")
        return plan_keep(arena, text, &out.before)
    plan_keep(arena, scheme + separator, &out.before)
    return plan_keep(arena, host[1:], &out.behind)


cdef int origins_build(Part part, arena_t* arena, conf_t* conf) except -1:
    cdef list origins
    if not part.has("origins"):
        part.value("origins")             # null is a value, no key is a fault
        return 0
    origins = part.items("origins")
    if not origins or len(origins) > CORS_ORIGINS:
        plan_fail(part.at("origins"), f"must be 1 to {<int>CORS_ORIGINS} origins")
    conf.origins = <origin_t*>plan_alloc(arena, len(origins) * sizeof(origin_t))
    for i, origin in enumerate(origins):
        origin_build(origin, f"{part.at('origins')}[{i}]", arena, &conf.origins[<size_t>i])
    conf.origin_count = <uint32_t>len(origins)
    return 0


# The names under `key` as one field's value; None for null.
cdef str names_joined(Part part, str key):
    cdef list names
    cdef bytes name
    if not part.has(key):
        part.value(key)
        return None
    names = part.items(key)
    if len(names) > HEADERS_MAX:
        plan_fail(part.at(key), f"has more than {<int>HEADERS_MAX} names")
    for i, one in enumerate(names):
        name = plan_text(one, f"{part.at(key)}[{i}]", NAME_MAX)
        if not header_name_valid(span(name, len(name))):
            plan_fail(f"{part.at(key)}[{i}]", "not a name (RFC 9110 5.1)")
    return ", ".join(names)


cdef int cors_build(Part part, arena_t* arena, filter_t* out) except -1:
    cdef conf_t* conf = <conf_t*>plan_alloc(arena, sizeof(conf_t))
    cdef str methods = names_joined(part, "methods")
    cdef str headers = names_joined(part, "headers")
    cdef str expose = names_joined(part, "expose")
    cdef bint credentials = part.flag("credentials")
    cdef list shared = [["Access-Control-Allow-Credentials", "true"]] if credentials else []
    cdef list preflight = list(shared)
    origins_build(part, arena, conf)
    if credentials and conf.origins == NULL:
        plan_fail(part.at("credentials"), "needs a list of origins")
    conf.any_method = methods is None
    conf.any_header = headers is None
    conf.private_network = part.flag("private_network")
    conf.constant = conf.origins == NULL
    if methods:
        preflight.append(["Access-Control-Allow-Methods", methods])
    if headers:
        preflight.append(["Access-Control-Allow-Headers", headers])
    if part.has("max_age_s"):
        preflight.append(["Access-Control-Max-Age", str(part.number("max_age_s", 0, YEAR_S))])
    else:
        part.value("max_age_s")
    if expose:
        shared = shared + [["Access-Control-Expose-Headers", expose]]
    fields_build(preflight, part.place, FIELDS_REPLY, arena, len(preflight), &conf.preflight)
    fields_build(shared, part.place, FIELDS_REPLY, arena, len(shared), &conf.actual)
    conf.preflight_vary = span(
        b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers, "
        b"Access-Control-Request-Private-Network", 109 if conf.private_network else 69)
    out.ops = &ops
    out.conf = conf
    return 0


# --- run ------------------------------------------------------------------------------------------


cdef inline span_t asked(exchange_t* x, const char* name, uint32_t size) noexcept nogil:
    cdef header_t* h = headers_find_name(&x.request.half.headers, span(name, size), NULL)
    return span(NULL, 0) if h == NULL else h.value


cdef bint is_below(span_t origin, const origin_t* o) noexcept nogil:
    cdef uint32_t i, end
    cdef char c
    if origin.len <= o.before.len + o.behind.len:
        return False
    end = origin.len - o.behind.len
    if not span_equal_nocase(span(origin.ptr, o.before.len), o.before) \
            or not span_equal_nocase(span(origin.ptr + end, o.behind.len), o.behind):
        return False
    for i in range(o.before.len, end):
        c = lower(origin.ptr[i])
        if not (c'a' <= c <= c'z' or c'0' <= c <= c'9' or c == c'-' or c == c'_'
                or (c == c'.' and i > o.before.len and origin.ptr[i - 1] != c'.')):
            return False
    return origin.ptr[end - 1] != c'.'


# The request's only Origin if it is let in; else ptr NULL.
cdef span_t origin_let_in(exchange_t* x, const conf_t* conf) noexcept nogil:
    cdef headers_t* hs = &x.request.half.headers
    cdef header_t* h = headers_find_name(hs, span(b"Origin", 6), NULL)
    cdef const origin_t* o = conf.origins
    cdef uint32_t i
    if h == NULL or headers_find_name(hs, span(b"Origin", 6), h) != NULL:
        return span(NULL, 0)
    if o == NULL:
        return span(b"*", 1)
    for i in range(conf.origin_count):
        if is_below(h.value, &o[i]) if o[i].behind.len else span_equal_nocase(h.value, o[i].before):
            return h.value
    return span(NULL, 0)


# Whether a list is one of names and nothing else: it is given back to who sent it.
cdef bint list_valid(span_t text) noexcept nogil:
    cdef span_t member
    while span_next_member(&text, &member):
        if not header_name_valid(member):
            return False
    return True


cdef int asked_back(exchange_t* x, const char* question, uint32_t asked_size, const char* name,
                    uint32_t size) noexcept nogil:
    cdef span_t value = asked(x, question, asked_size)
    if value.len == 0 or not list_valid(value):
        return 0
    return headers_add(&x.response.half.headers, &x.arena, span(name, size), value)


cdef int preflight_fields(exchange_t* x, const conf_t* conf, span_t origin) noexcept nogil:
    cdef headers_t* hs = &x.response.half.headers
    cdef int error = headers_add(hs, &x.arena, span(b"Access-Control-Allow-Origin", 27), origin)
    if error == 0:
        error = fields_append(&conf.preflight, hs, &x.arena)
    if error == 0 and conf.any_method:
        error = asked_back(x, b"Access-Control-Request-Method", 29,
                           b"Access-Control-Allow-Methods", 28)
    if error == 0 and conf.any_header:
        error = asked_back(x, b"Access-Control-Request-Headers", 30,
                           b"Access-Control-Allow-Headers", 28)
    if error == 0 and conf.private_network and span_is_nocase(
            asked(x, b"Access-Control-Request-Private-Network", 38), b"true", 4):
        error = headers_add(hs, &x.arena, span(b"Access-Control-Allow-Private-Network", 36),
                            span(b"true", 4))
    return error


cdef verdict_t preflight_answer(exchange_t* x, const filter_t* f, span_t origin) noexcept nogil:
    cdef const conf_t* conf = <conf_t*>f.conf
    cdef int error = reply_set(x, 204, span(b"", 0), span(b"", 0))
    if error == 0:
        error = headers_add(&x.response.half.headers, &x.arena, span(b"Vary", 4),
                            conf.preflight_vary)
    if error == 0 and origin.ptr != NULL:
        error = preflight_fields(x, conf, origin)
    if unlikely(error != 0):
        x.error = error
        return VERDICT_ABORT
    x.slots[f.slot] = &ANSWERED
    return VERDICT_REPLY


# The slot leads to the origin that was let in, as later filters may take the field out.
cdef int cors_keep(exchange_t* x, const filter_t* f, span_t origin) noexcept nogil:
    cdef span_t* kept
    if origin.ptr == NULL or (<conf_t*>f.conf).constant:
        return 0
    kept = <span_t*>arena_alloc(&x.arena, sizeof(span_t))
    if unlikely(kept == NULL):
        return E_CORE_MEMORY
    kept[0] = origin
    x.slots[f.slot] = kept
    return 0


cdef verdict_t cors_request(exchange_t* x, const filter_t* f) noexcept nogil:
    cdef span_t origin = origin_let_in(x, <conf_t*>f.conf)
    if unlikely(x.request.method == HTTP_OPTIONS) and asked(x, b"Origin", 6).ptr != NULL \
            and asked(x, b"Access-Control-Request-Method", 29).ptr != NULL:
        return preflight_answer(x, f, origin)
    if unlikely(cors_keep(x, f, origin) != 0):
        x.error = E_CORE_MEMORY
        return VERDICT_ABORT
    return VERDICT_NEXT


cdef void others_remove(headers_t* hs) noexcept nogil:
    cdef uint32_t i
    for i in range(hs.count):
        if (hs.items[i].id == H_OTHER and hs.items[i].name.len > 15
                and span_is_nocase(span(hs.items[i].name.ptr, 15), b"access-control-", 15)):
            hs.items[i].flags |= HF_REMOVED


cdef verdict_t cors_response(exchange_t* x, const filter_t* f) noexcept nogil:
    cdef const conf_t* conf = <conf_t*>f.conf
    cdef span_t* slot = <span_t*>x.slots[f.slot]
    cdef headers_t* hs = &x.response.half.headers
    cdef span_t origin = span(b"*", 1) if conf.constant else span(NULL, 0)
    cdef int error = 0
    if slot == &ANSWERED:
        return VERDICT_NEXT
    others_remove(hs)
    if slot != NULL:
        origin = slot[0]
    if not conf.constant:
        error = vary_add(hs, &x.arena, span(b"Origin", 6))
    if error == 0 and origin.ptr != NULL:
        error = headers_add(hs, &x.arena, span(b"Access-Control-Allow-Origin", 27), origin)
        if error == 0:
            error = fields_append(&conf.actual, hs, &x.arena)
    if unlikely(error != 0):
        x.error = error
        return VERDICT_ABORT
    return VERDICT_NEXT


# The request may have failed before this filter saw it.
cdef verdict_t cors_fault(exchange_t* x, const filter_t* f) noexcept nogil:
    if x.slots[f.slot] == NULL and cors_keep(x, f, origin_let_in(x, <conf_t*>f.conf)) != 0:
        return VERDICT_ABORT
    return cors_response(x, f)


ops.name = b"cors"
ops.fault = cors_fault
ops.request = cors_request
ops.response = cors_response
