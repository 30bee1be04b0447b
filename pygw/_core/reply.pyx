# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: answers of the gateway's own: what a filter replies, what a fault becomes.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: send; it fills exchange.response, the exchange sends it.
# Read next: reply.pxd for the contract.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, strlen
from libc.time cimport time_t, tm, gmtime_r
from pygw._core.arena cimport arena_bytes
from pygw._core.check cimport BUG_ON, unlikely
from pygw._core.exchange_memory cimport exchange_response_reset
from pygw._core.fault cimport fault_t, fault_get, E_CORE_INTERNAL, E_CORE_MEMORY, E_CORE_METHOD
from pygw._core.headers cimport headers_add, headers_find, header_name_of
from pygw._core.http1_write cimport http1_reason
from pygw._core.libs.llhttp cimport (
    HTTP_DELETE, HTTP_GET, HTTP_HEAD, HTTP_OPTIONS, HTTP_PATCH, HTTP_POST, HTTP_PUT, HTTP_QUERY,
    HTTP_SOURCE, llhttp)
from pygw._core.types.exchange cimport exchange_t, XF_RESPONSE_STARTED
from pygw._core.types.header cimport (
    span_t, header_t, headers_t, H_ACCEPT, H_CONTENT_LENGTH, H_CONTENT_TYPE, H_DATE,
    H_PROXY_STATUS, H_RETRY_AFTER)
from pygw._core.types.message cimport (
    half_t, FRAMING_NONE, FRAMING_LENGTH, MF_SELF_MADE, MF_HEAD_ONLY)
from pygw._core.view cimport (
    span, span_is_nocase, span_next_member, span_trim, decimal_write)

cdef extern from "<time.h>" nogil:
    enum: CLOCK_REALTIME_COARSE
    struct timespec:
        time_t tv_sec
    int clock_gettime(int clock, timespec* out)

cdef const char* DAYS = b"SunMonTueWedThuFriSat"
cdef const char* MONTHS = b"JanFebMarAprMayJunJulAugSepOctNovDec"
cdef const char* DIGITS = b"0123456789abcdef"

cdef enum:
    ALLOW_MAX = 512           # bytes of an Allow with every method there is

# What a CONNECT may try instead.
cdef uint64_t ALLOWED = (1 << <int>HTTP_GET | 1 << <int>HTTP_HEAD | 1 << <int>HTTP_POST
                         | 1 << <int>HTTP_PUT | 1 << <int>HTTP_PATCH | 1 << <int>HTTP_DELETE
                         | 1 << <int>HTTP_OPTIONS)
# All that a request may have.
cdef uint64_t METHODS = (<uint64_t>2 << <int>HTTP_SOURCE) - 1 | <uint64_t>1 << <int>HTTP_QUERY
# The methods in the order of an Allow: what is common first, the others by number.
cdef uint8_t[7] COMMON = [HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_PUT, HTTP_PATCH, HTTP_DELETE,
                          HTTP_OPTIONS]

cdef char date_text[30]
cdef time_t date_second = -1


# --- date -----------------------------------------------------------------------------------------


cdef inline void two_digits(char* out, int n) noexcept nogil:
    out[0] = <char>(c'0' + n // 10 % 10)
    out[1] = <char>(c'0' + n % 10)


# IMF-fixdate (RFC 9110 5.6.7), of fixed length and free of any locale.
cdef void date_write(char* out, const tm* t) noexcept nogil:
    # COPY: a date is made of its parts
    memcpy(out, b"___, __ ___ ____ __:__:__ GMT", 29)
    memcpy(out, DAYS + 3 * t.tm_wday, 3)
    two_digits(out + 5, t.tm_mday)
    memcpy(out + 8, MONTHS + 3 * t.tm_mon, 3)     # COPY: as above
    two_digits(out + 12, (t.tm_year + 1900) // 100)
    two_digits(out + 14, (t.tm_year + 1900) % 100)
    two_digits(out + 17, t.tm_hour)
    two_digits(out + 20, t.tm_min)
    two_digits(out + 23, t.tm_sec)


cdef span_t reply_date() noexcept nogil:
    global date_second
    cdef timespec now
    cdef tm parts
    clock_gettime(CLOCK_REALTIME_COARSE, &now)
    if unlikely(now.tv_sec != date_second):
        gmtime_r(&now.tv_sec, &parts)
        date_write(date_text, &parts)
        date_second = now.tv_sec
    return span(date_text, 29)


# --- any answer -----------------------------------------------------------------------------------


cdef inline int add(exchange_t* x, uint16_t id, span_t value) noexcept nogil:
    return headers_add(&x.response.half.headers, &x.arena, header_name_of(id), value)


cdef int reply_set(exchange_t* x, uint32_t status, span_t content_type,
                   span_t body) noexcept nogil:
    cdef half_t* half = &x.response.half
    cdef bint bodiless = status == 204 or status == 304        # RFC 9110 15.3.5, 15.4.5
    cdef char digits[20]
    cdef int error = 0
    BUG_ON(status < 200 or status > 599)
    if unlikely(x.flags & XF_RESPONSE_STARTED):
        return E_CORE_INTERNAL
    exchange_response_reset(x)
    x.response.status = <uint16_t>status
    x.response.reason = http1_reason(status)
    if bodiless or status == 205:                              # RFC 9110 15.3.6
        body = span(b"", 0)
    half.version = 11
    half.flags = MF_SELF_MADE
    half.framing = FRAMING_LENGTH
    half.length = body.len
    x.reply_body = body
    if not bodiless:
        error = add(x, H_CONTENT_LENGTH, span(digits, decimal_write(digits, body.len)))
    if bodiless or x.request.method == HTTP_HEAD:
        half.flags |= MF_HEAD_ONLY
        half.framing = FRAMING_NONE
        half.length = 0
    if error == 0:
        error = add(x, H_DATE, reply_date())
    if error == 0 and content_type.len:
        error = add(x, H_CONTENT_TYPE, content_type)
    return E_CORE_MEMORY if unlikely(error != 0) else 0


# --- the form a client wants ----------------------------------------------------------------------


# The quality of the most specific range so far that covers a type (RFC 9110 12.5.1).
cdef struct wish_t:
    uint8_t rank              # 0 none, 1 */*, 2 type/*, 3 type/subtype
    uint16_t quality          # thousandths


cdef inline void wish(wish_t* w, uint8_t rank, uint16_t quality) noexcept nogil:
    if rank > w.rank or (rank == w.rank and quality > w.quality):
        w.rank = rank
        w.quality = quality


# Cuts off what precedes the next ';', trimmed; `rest` is left behind the ';', or empty.
cdef inline span_t before_semicolon(span_t* rest) noexcept nogil:
    cdef uint32_t i = 0
    cdef span_t part
    while i < rest.len and rest.ptr[i] != c';':
        i += 1
    part = span_trim(span(rest.ptr, i))
    i = i + 1 if i < rest.len else i
    rest.ptr += i
    rest.len -= i
    return part


# The weight among a range's parameters in thousandths (RFC 9110 12.4.2); 1000 when there is none,
# 0 when it is malformed.
cdef uint16_t weight_of(span_t parameters) noexcept nogil:
    cdef span_t p
    cdef uint32_t i, scale = 1000, sum = 0
    while parameters.len:
        p = before_semicolon(&parameters)
        if p.len < 3 or (p.ptr[0] | 0x20) != c'q' or p.ptr[1] != c'=':
            continue
        for i in range(2, p.len):
            if i == 3:
                if p.ptr[i] != c'.':
                    return 0
                continue
            if not c'0' <= p.ptr[i] <= c'9' or scale == 0:
                return 0
            sum += scale * <uint32_t>(p.ptr[i] - c'0')
            scale //= 10
        return <uint16_t>sum if sum <= 1000 else 0
    return 1000


cdef void wish_range(span_t member, wish_t* json, wish_t* text) noexcept nogil:
    cdef span_t kind = before_semicolon(&member)
    cdef uint16_t quality = weight_of(member)
    if span_is_nocase(kind, b"*/*", 3):
        wish(json, 1, quality)
        wish(text, 1, quality)
    elif span_is_nocase(kind, b"application/*", 13):
        wish(json, 2, quality)
    elif span_is_nocase(kind, b"text/*", 6):
        wish(text, 2, quality)
    elif (span_is_nocase(kind, b"application/problem+json", 24)
          or span_is_nocase(kind, b"application/json", 16)):
        wish(json, 3, quality)
    elif span_is_nocase(kind, b"text/plain", 10) or span_is_nocase(kind, b"text/html", 9):
        wish(text, 3, quality)        # who asks for HTML is a person with a browser


# Whether text/plain is preferred to problem+json; without a word from the client it is not. (Of a
# head that could not be read the exchange has dropped all fields.)
cdef bint wants_text(exchange_t* x) noexcept nogil:
    cdef headers_t* hs = &x.request.half.headers
    cdef header_t* h
    cdef wish_t json, text
    cdef span_t rest, member
    json.rank = json.quality = text.rank = text.quality = 0
    h = headers_find(hs, H_ACCEPT, NULL)
    while h != NULL:
        rest = h.value
        while span_next_member(&rest, &member):
            wish_range(member, &json, &text)
        h = headers_find(hs, H_ACCEPT, h)
    return text.quality > json.quality


# --- faults ---------------------------------------------------------------------------------------


# Text being put together; `at` never passes `end`: sizes are computed before.
cdef struct writer_t:
    char* at                  # arena: next byte
    char* end                 # arena: one past the last


cdef inline void put(writer_t* w, const char* text, size_t size) noexcept nogil:
    BUG_ON(<size_t>(w.end - w.at) < size)
    memcpy(w.at, text, size)      # COPY: a text is made of its parts
    w.at += size


# Escaped as within a JSON string (RFC 8259 7).
cdef void put_escaped(writer_t* w, const char* text, size_t size) noexcept nogil:
    cdef size_t i
    cdef uint8_t c
    for i in range(size):
        c = <uint8_t>text[i]
        if c == c'"' or c == c'\\':
            put(w, b"\\", 1)
        elif c < 0x20:
            put(w, b"\\u00", 4)
            put(w, DIGITS + (c >> 4), 1)
            put(w, DIGITS + (c & 15), 1)
            continue
        put(w, text + i, 1)


cdef void put_problem(writer_t* w, const fault_t* f, span_t title) noexcept nogil:
    cdef char digits[20]
    put(w, b'{"title":"', 10)
    put_escaped(w, title.ptr, title.len)
    put(w, b'","status":', 11)
    put(w, digits, decimal_write(digits, f.status))
    put(w, b',"detail":"', 11)
    put_escaped(w, f.sentence, strlen(f.sentence))
    put(w, b'"}\n', 3)


cdef void put_text(writer_t* w, const fault_t* f, span_t title) noexcept nogil:
    cdef char digits[20]
    put(w, digits, decimal_write(digits, f.status))
    put(w, b" ", 1)
    put(w, title.ptr, title.len)
    put(w, b"\n", 1)
    put(w, f.sentence, strlen(f.sentence))
    put(w, b"\n", 1)


cdef int add_proxy_status(exchange_t* x, const char* token) noexcept nogil:
    cdef char text[128]
    cdef size_t size = strlen(token)
    BUG_ON(size > sizeof(text) - 12)
    memcpy(text, b"pygw; error=", 12)     # COPY: a value is made of its parts
    memcpy(text + 12, token, size)
    return add(x, H_PROXY_STATUS, span(text, 12 + size))


cdef void put_method(writer_t* w, int method, uint64_t methods) noexcept nogil:
    cdef const char* name
    if methods >> method & 1:
        name = llhttp.method_name(method)
        if w.at[-1] != c'\n':
            put(w, b", ", 2)
        put(w, name, strlen(name))


# Allow: methods by their bits (RFC 9110 15.5.6).
cdef int add_allow(exchange_t* x, uint64_t methods) noexcept nogil:
    cdef char text[512]       # ALLOW_MAX
    cdef writer_t w
    cdef int i
    text[0] = c'\n'
    w.at = text + 1
    w.end = text + ALLOW_MAX
    for i in range(7):
        put_method(&w, COMMON[i], methods)
    for i in range(64):
        if not ALLOWED >> i & 1:
            put_method(&w, i, methods & METHODS)
    return headers_add(&x.response.half.headers, &x.arena, span(b"Allow", 5),
                       span(text + 1, w.at - text - 1))


# OPTIONS where routes take other methods is no failure (RFC 9110 9.3.7).
cdef int reply_options(exchange_t* x) noexcept nogil:
    cdef int failed = reply_set(x, 204, span(NULL, 0), span(NULL, 0))
    x.error = 0
    return failed if failed != 0 else add_allow(x, x.allow | <uint64_t>1 << <int>HTTP_OPTIONS)


cdef int reply_fault(exchange_t* x, int error) noexcept nogil:
    cdef const fault_t* f = fault_get(error)
    cdef span_t title = http1_reason(f.status)
    cdef bint text = wants_text(x)
    cdef size_t room = 64 + 6 * (title.len + strlen(f.sentence))
    cdef char* body = arena_bytes(&x.arena, room)
    cdef writer_t w
    cdef int failed
    if error == E_CORE_METHOD and x.request.method == HTTP_OPTIONS:
        return reply_options(x)
    if x.error == 0:
        x.error = error
    if unlikely(body == NULL):
        return E_CORE_MEMORY
    w.at = body
    w.end = body + room
    if text:
        put_text(&w, f, title)
        failed = reply_set(x, f.status, span(b"text/plain; charset=utf-8", 25),
                           span(body, w.at - body))
    else:
        put_problem(&w, f, title)
        failed = reply_set(x, f.status, span(b"application/problem+json", 24),
                           span(body, w.at - body))
    if failed == 0 and f.proxy_error != NULL:
        failed = add_proxy_status(x, f.proxy_error)
    if failed == 0 and f.status == 503:
        failed = add(x, H_RETRY_AFTER, span(b"1", 1))          # RFC 9110 10.2.3
    if failed == 0 and f.status == 405:
        failed = add_allow(x, x.allow if error == E_CORE_METHOD else ALLOWED)
    return failed
