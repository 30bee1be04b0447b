# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: the formats of the access log: one exchange as one line of text.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: write more than LOG_LINE_MAX bytes, or a byte that could end or fake a line.
# Read next: log_line.pxd for the contract.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memchr, memcpy, strlen
from libc.time cimport time_t, tm, gmtime_r, localtime_r
from pygw._core.check cimport BUG_ON, likely, unlikely
from pygw._core.fault cimport fault_get
from pygw._core.limits cimport LOG_LINE_MAX
from pygw._core.types.bill cimport (
    bill_item_t, bill_row_t, BILL_FAILED, BILL_LATE, BILL_OUTCOMES)
from pygw._core.types.exchange cimport (
    exchange_t, VERDICT_ABORT, VERDICT_NEXT, VERDICT_REPLY, XF_REFUSED)
from pygw._core.types.header cimport (
    span_t, header_t, headers_t, H_REFERER, H_USER_AGENT, HF_REMOVED, HF_SENSITIVE,
)
from pygw._core.view cimport span, decimal_write

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    /* Whether each of 8 bytes is 0x20..0x7E and neither '"' nor '\\\\': it stays as it is. */
    static inline int plain8(const char *p) {
        const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
        uint64_t x, quote, slash, del;
        memcpy(&x, p, 8);
        quote = x ^ (ones * '"');
        slash = x ^ (ones * '\\\\');
        del = x ^ (ones * 0x7F);
        return !((x | (x - ones * 0x20) | (quote - ones) | (slash - ones) | (del - ones)) & highs);
    }
    #include <time.h>
    static inline long tm_offset_s(const struct tm *t) { return t->tm_gmtoff; }
    """
    bint plain8(const char* p) noexcept nogil
    # Local time minus UTC; a member that libc.time does not declare.
    long tm_offset_s(const tm* t) noexcept nogil

cdef const char* HEX_DIGITS = b"0123456789abcdef"
cdef const char** PHASE_NAMES = [b"request", b"request_body", b"attempt", b"response",
                                 b"response_body", b"log"]
cdef enum:
    HOOK_ROOM = 320           # bytes that one entry of `hooks` may need, and what follows the last
cdef const char* MONTHS = b"JanFebMarAprMayJunJulAugSepOctNovDec"


cdef inline char* put(char* at, const char* text, uint32_t size) noexcept nogil:
    memcpy(at, text, size)    # COPY: the line is new memory
    return at + size


cdef inline char* put_number(char* at, uint64_t n) noexcept nogil:
    return at + decimal_write(at, n)


cdef char* put_padded(char* at, uint32_t n, uint32_t digits) noexcept nogil:
    cdef uint32_t i = digits
    while i > 0:
        i -= 1
        at[i] = <char>(c'0' + n % 10)
        n //= 10
    return at + digits


# Nanoseconds as milliseconds with three decimals.
cdef char* put_ms(char* at, uint64_t ns) noexcept nogil:
    cdef uint64_t us = ns // 1000
    at = put_number(at, us // 1000)
    at[0] = c'.'
    return put_padded(at + 1, <uint32_t>(us % 1000), 3)


# The same as microseconds.
cdef char* put_us(char* at, uint64_t ns) noexcept nogil:
    return put_ms(at, ns * 1000)


cdef inline bint is_plain(uint8_t c) noexcept nogil:
    return 0x20 <= c < 0x7F and c != c'"' and c != c'\\'


cdef inline char* put_hex(char* at, uint8_t c) noexcept nogil:
    at[0] = HEX_DIGITS[c >> 4]
    at[1] = HEX_DIGITS[c & 15]
    return at + 2


# Copies plain bytes off the front of `s` while there is room before `stop`.
cdef inline char* put_plain(char* at, const char* stop, span_t* s) noexcept nogil:
    cdef const char* p = s.ptr
    cdef const char* end = p + s.len
    while end - p >= 8 and stop - at >= 8 and plain8(p):
        memcpy(at, p, 8)          # COPY: a log line is made of its parts
        at += 8
        p += 8
    while p < end and at < stop and is_plain(<uint8_t>p[0]):
        at[0] = p[0]
        at += 1
        p += 1
    s.len = <uint32_t>(end - p)
    s.ptr = p
    return at


# --- combined -------------------------------------------------------------------------------------


# At most `most` bytes of text for within quotes; "-" for nothing.
cdef char* put_text(char* at, span_t s, uint32_t most) noexcept nogil:
    cdef char* stop = at + most
    if s.len == 0:
        return put(at, b"-", 1)
    while True:
        at = put_plain(at, stop, &s)
        if likely(s.len == 0) or stop - at < 4:
            return at
        at = put_hex(put(at, b"\\x", 2), <uint8_t>s.ptr[0])
        s.ptr += 1
        s.len -= 1


# As put_text for outside quotes: blanks are escaped too.
cdef char* put_word(char* at, span_t s, uint32_t most) noexcept nogil:
    cdef char* stop = at + most
    cdef uint32_t i
    if s.len == 0 or likely(memchr(s.ptr, c' ', s.len) == NULL):
        return put_text(at, s, most)
    for i in range(s.len):
        if stop - at < 4:
            break
        if is_plain(<uint8_t>s.ptr[i]) and s.ptr[i] != c' ':
            at[0] = s.ptr[i]
            at += 1
        else:
            at = put_hex(put(at, b"\\x", 2), <uint8_t>s.ptr[i])
    return at


# What a line says of an exchange besides its spans.
cdef struct facts_t:
    uint32_t status
    const char* cause         # static
    uint64_t duration_ns
    bint readable             # the request's spans mean something
    span_t referer
    span_t agent
    span_t upstream


cdef inline span_t field_shown(const header_t* h) noexcept nogil:
    return span(NULL, 0) if h.flags & HF_SENSITIVE else h.value


cdef void facts_find(facts_t* f, exchange_t* x) noexcept nogil:
    cdef const headers_t* hs = &x.request.half.headers
    cdef uint32_t i
    f.status = x.response.status
    f.cause = b"-"
    if x.error != 0:
        f.cause = fault_get(x.error).label
        if f.status == 0 or fault_get(x.error).status == 499:
            f.status = fault_get(x.error).status
    f.duration_ns = x.host.now_ns(x.host) - x.started_ns
    f.readable = not x.flags & XF_REFUSED and x.request.method_name.len != 0
    f.referer = span(NULL, 0)
    f.agent = span(NULL, 0)
    for i in range(hs.count):
        if hs.items[i].flags & HF_REMOVED:
            continue
        if hs.items[i].id == H_REFERER:
            f.referer = field_shown(&hs.items[i])
        elif hs.items[i].id == H_USER_AGENT:
            f.agent = field_shown(&hs.items[i])
    f.upstream = span(NULL, 0)
    if x.attempts and x.attempt.target != NULL:
        f.upstream = x.attempt.target.url


cdef inline char* put_version(char* at, uint8_t version) noexcept nogil:
    at[0] = <char>(c'0' + version // 10)
    at[1] = c'.'
    at[2] = <char>(c'0' + version % 10)
    return at + 3


cdef char* put_request(char* at, const exchange_t* x, const facts_t* f) noexcept nogil:
    if unlikely(not f.readable):
        return put(at, b"-", 1)
    at = put_text(at, x.request.method_name, LOG_METHOD_MAX)
    at = put(at, b" ", 1)
    at = put_text(at, x.request.target, LOG_TARGET_MAX)
    return put_version(put(at, b" HTTP/", 6), x.request.half.version)


cdef uint32_t log_line_combined(char* out, log_clock_t* clock, exchange_t* x,
                                uint64_t unix_ms) noexcept nogil:
    cdef facts_t f
    cdef char* at = out
    facts_find(&f, x)
    clock_set(clock, unix_ms // 1000)
    at = put(at, x.client.text, x.client.text_len)
    at = put(at, b" - - [", 6)
    at = put(at, clock.local, sizeof(clock.local))
    at = put(at, b'] "', 3)
    at = put_request(at, x, &f)
    at = put(at, b'" ', 2)
    at = put_padded(at, f.status, 3)
    at = put(at, b" ", 1)
    at = put_number(at, x.body_bytes)
    at = put(at, b' "', 2)
    at = put_text(at, f.referer, LOG_REFERER_MAX)
    at = put(at, b'" "', 3)
    at = put_text(at, f.agent, LOG_AGENT_MAX)
    at = put(at, b'" upstream=', 11)
    at = put_word(at, f.upstream, LOG_NAME_MAX)
    at = put(at, b" t=", 3)
    at = put_ms(at, f.duration_ns)
    at = put(at, b"ms cause=", 9)
    at = put(at, f.cause, <uint32_t>strlen(f.cause))
    at[0] = c'\n'
    BUG_ON(at + 1 - out > LOG_LINE_MAX)
    return <uint32_t>(at + 1 - out)


# --- json -----------------------------------------------------------------------------------------


cdef inline bint is_tail(span_t s, uint32_t index, uint8_t low, uint8_t high) noexcept nogil:
    return index < s.len and low <= <uint8_t>s.ptr[index] <= high


# Bytes of the UTF-8 sequence that `s` begins with, 0 if it is none (RFC 3629 4).
cdef uint32_t utf8_length(span_t s) noexcept nogil:
    cdef uint8_t c = <uint8_t>s.ptr[0]
    cdef uint8_t low = 0x80, high = 0xBF
    if c < 0x80:
        return 1
    if 0xC2 <= c <= 0xDF:
        return 2 if is_tail(s, 1, low, high) else 0
    if 0xE0 <= c <= 0xEF:
        if c == 0xE0:
            low = 0xA0
        elif c == 0xED:
            high = 0x9F
        return 3 if is_tail(s, 1, low, high) and is_tail(s, 2, 0x80, 0xBF) else 0
    if 0xF0 <= c <= 0xF4:
        if c == 0xF0:
            low = 0x90
        elif c == 0xF4:
            high = 0x8F
        return 4 if is_tail(s, 1, low, high) and is_tail(s, 2, 0x80, 0xBF) \
            and is_tail(s, 3, 0x80, 0xBF) else 0
    return 0


# One character that is not plain, six bytes at most.
cdef char* put_json_special(char* at, span_t s, uint32_t length) noexcept nogil:
    cdef uint8_t c = <uint8_t>s.ptr[0]
    if length > 1:
        return put(at, s.ptr, length)
    if length == 0:
        return put_hex(put(at, b"\\\\x", 3), c)
    if c == c'"' or c == c'\\':
        at[0] = c'\\'
        at[1] = s.ptr[0]
        return at + 2
    return put_hex(put(at, b"\\u00", 4), c)


# A string of at most `most` bytes between its quotes, or null.
cdef char* put_string(char* at, span_t s, uint32_t most) noexcept nogil:
    cdef char* stop = at + 1 + most
    cdef uint32_t length
    if s.len == 0:
        return put(at, b"null", 4)
    at[0] = c'"'
    at += 1
    while True:
        at = put_plain(at, stop, &s)
        if likely(s.len == 0) or stop - at < 6:
            break
        length = utf8_length(s)
        at = put_json_special(at, s, length)
        if length == 0:
            length = 1
        s.ptr += length
        s.len -= length
    at[0] = c'"'
    return at + 1


cdef char* put_json_request(char* at, const exchange_t* x, const facts_t* f) noexcept nogil:
    if unlikely(not f.readable):
        return put(at, b',"method":null,"target":null,"version":null', 43)
    at = put(at, b',"method":', 10)
    at = put_string(at, x.request.method_name, LOG_METHOD_MAX)
    at = put(at, b',"target":', 10)
    at = put_string(at, x.request.target, LOG_TARGET_MAX)
    at = put(at, b',"version":"', 12)
    at = put_version(at, x.request.half.version)
    return put(at, b'"', 1)


cdef char* put_json_upstream(char* at, const exchange_t* x, const facts_t* f) noexcept nogil:
    at = put(at, b',"upstream":', 12)
    at = put_string(at, f.upstream, LOG_NAME_MAX)
    at = put(at, b',"attempts":', 12)
    at = put_number(at, x.attempts)
    at = put(at, b',"duration_ms":', 15)
    at = put_ms(at, f.duration_ns)
    at = put(at, b',"upstream_ms":', 15)
    # A first byte older than the attempt belongs to the one before.
    if f.upstream.len == 0 or x.attempt.head_ns < x.attempt.started_ns or x.attempt.head_ns == 0:
        return put(at, b"null", 4)
    return put_ms(at, x.attempt.head_ns - x.attempt.started_ns)


cdef char* put_json_about(char* at, const exchange_t* x, const facts_t* f) noexcept nogil:
    cdef span_t empty = span(NULL, 0)
    at = put(at, b',"status":', 10)
    at = put_number(at, f.status)
    at = put(at, b',"bytes":', 9)
    at = put_number(at, x.body_bytes)
    at = put(at, b',"referer":', 11)
    at = put_string(at, f.referer, LOG_REFERER_MAX)
    at = put(at, b',"user_agent":', 14)
    at = put_string(at, f.agent, LOG_AGENT_MAX)
    at = put(at, b',"host":', 8)
    at = put_string(at, x.request.authority if f.readable else empty, LOG_NAME_MAX)
    at = put(at, b',"route":', 9)
    return put_string(at, empty if x.route == NULL else x.route.name, LOG_NAME_MAX)


# What a run came to, by verdict | bill_fault.
cdef const char* outcome_of(uint8_t outcome) noexcept nogil:
    if outcome == BILL_OUTCOMES:
        return b"cancelled"
    if outcome >= BILL_LATE:
        return b"deadline"
    if outcome >= BILL_FAILED:
        return b"failed" if outcome > BILL_FAILED else b"skipped"
    if outcome == VERDICT_NEXT:
        return b"next"
    if outcome == VERDICT_REPLY:
        return b"reply"
    return b"abort" if outcome == VERDICT_ABORT else b"wait"


cdef char* put_word_of(char* at, const char* text) noexcept nogil:
    return put(at, text, <uint32_t>strlen(text))


cdef char* put_hook(char* at, const bill_item_t* item) noexcept nogil:
    cdef const bill_row_t* row = item.row
    at = put(at, b'{"name":', 8)
    at = put_string(at, span(row.name, row.name_len), LOG_NAME_MAX)
    at = put(at, b',"phase":"', 10)
    at = put_word_of(at, PHASE_NAMES[row.phase])
    at = put(at, b'","us":', 7)
    at = put_us(at, item.ns)
    if item.wait_ns:
        at = put_us(put(at, b',"wait_us":', 11), item.wait_ns)
    at = put(at, b',"outcome":"', 12)
    at = put_word_of(at, outcome_of(item.outcome))
    return put(at, b'"}', 2)


# What each filter took, in the order in which phases come; how many had no room.
cdef char* put_hooks(char* at, const char* stop, const exchange_t* x) noexcept nogil:
    cdef const bill_item_t* item
    cdef uint32_t i, left_out = 0
    cdef bint first = True
    at = put(at, b',"hooks":[', 10)
    for i in range(x.bill.item_count):
        item = &x.bill.items[i]
        if item.row == NULL or item.row.key != item.key:
            continue
        if stop - at < HOOK_ROOM:
            left_out += 1
            continue
        if not first:
            at = put(at, b",", 1)
        first = False
        at = put_hook(at, item)
    at = put(at, b"]", 1)
    if left_out:
        at = put_number(put(at, b',"hooks_left_out":', 18), left_out)
    return at


cdef uint32_t log_line_json(char* out, log_clock_t* clock, exchange_t* x,
                            uint64_t unix_ms) noexcept nogil:
    cdef facts_t f
    cdef char* at = out
    facts_find(&f, x)
    clock_set(clock, unix_ms // 1000)
    at = put(at, b'{"time":"', 9)
    at = put(at, clock.utc, sizeof(clock.utc))
    at[0] = c'.'
    at = put_padded(at + 1, <uint32_t>(unix_ms % 1000), 3)
    at = put(at, b'Z","client":"', 13)
    at = put(at, x.client.text, x.client.text_len)
    at = put(at, b'"', 1)
    at = put_json_request(at, x, &f)
    at = put_json_about(at, x, &f)
    at = put_json_upstream(at, x, &f)
    at = put(at, b',"request_id":', 14)
    at = put_string(at, x.request_id, LOG_ID_MAX)
    at = put(at, b',"cause":"', 10)
    at = put(at, f.cause, <uint32_t>strlen(f.cause))
    at = put(at, b'"', 1)
    if unlikely(x.bill != NULL) and x.plan.log_hooks:
        at = put_hooks(at, out + LOG_LINE_MAX, x)
    at = put(at, b"}\n", 2)
    BUG_ON(at - out > LOG_LINE_MAX)
    return <uint32_t>(at - out)


# --- time -----------------------------------------------------------------------------------------


cdef char* put_clock(char* at, const tm* t) noexcept nogil:
    at = put_padded(at, t.tm_hour, 2)
    at[0] = c':'
    at = put_padded(at + 1, t.tm_min, 2)
    at[0] = c':'
    return put_padded(at + 1, t.tm_sec, 2)


cdef void clock_set_local(log_clock_t* clock, const tm* t) noexcept nogil:
    cdef long offset_s = tm_offset_s(t)
    cdef uint32_t minutes = <uint32_t>((offset_s if offset_s >= 0 else -offset_s) // 60)
    cdef char* at = put_padded(clock.local, t.tm_mday, 2)
    at[0] = c'/'
    at = put(at + 1, MONTHS + 3 * t.tm_mon, 3)
    at[0] = c'/'
    at = put_padded(at + 1, t.tm_year + 1900, 4)
    at[0] = c':'
    at = put_clock(at + 1, t)
    at[0] = c' '
    at[1] = c'-' if offset_s < 0 else c'+'
    at = put_padded(at + 2, minutes // 60, 2)
    put_padded(at, minutes % 60, 2)


cdef void clock_set_utc(log_clock_t* clock, const tm* t) noexcept nogil:
    cdef char* at = put_padded(clock.utc, t.tm_year + 1900, 4)
    at[0] = c'-'
    at = put_padded(at + 1, t.tm_mon + 1, 2)
    at[0] = c'-'
    at = put_padded(at + 1, t.tm_mday, 2)
    at[0] = c'T'
    put_clock(at + 1, t)


cdef void clock_set(log_clock_t* clock, uint64_t second) noexcept nogil:
    cdef time_t now = <time_t>second
    cdef tm parts
    if likely(clock.second == second):
        return
    clock.second = second
    localtime_r(&now, &parts)
    clock_set_local(clock, &parts)
    gmtime_r(&now, &parts)
    clock_set_utc(clock, &parts)
