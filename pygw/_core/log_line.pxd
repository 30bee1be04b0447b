# Owns: the formats of the access log: one exchange as one line of text.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: write more than LOG_LINE_MAX bytes, or a byte that could end or fake a line.
# Read next: resolver.pxd.
#
# combined: nginx's `combined` in local time, then ` upstream=URL t=1.234ms cause=LABEL`. Bytes
#   below 0x20, above 0x7E, `"` and `\` are written \xHH. What is missing is `-`.
# json: one object: time (RFC 3339, UTC), client, method, target, version, status, bytes, referer,
#   user_agent, host, route, upstream, attempts, duration_ms, upstream_ms (attempt's start to the
#   answer's first byte), request_id, cause. What is missing is null. Valid UTF-8 stays; a byte that
#   is none becomes the text \xHH. With `hooks` also what each filter took: a list of {name, phase,
#   us, wait_us if it waited, outcome}: next, reply, abort, failed, skipped, deadline or cancelled;
#   those for which the line has no room are counted in hooks_left_out.
# Both: status is 499 when the client left, 0 (000) when nothing was answered; cause is `-` for a
# success, else the fault's label. Fields are cut at the bounds below, never within an escape.

from libc.stdint cimport uint32_t, uint64_t, int64_t
from pygw._core.types.exchange cimport exchange_t

# Bytes a field may take in the line, escapes included.
cdef enum:
    LOG_METHOD_MAX = 32
    LOG_TARGET_MAX = 3072
    LOG_REFERER_MAX = 2048
    LOG_AGENT_MAX = 1024
    LOG_NAME_MAX = 256        # host, route, upstream, each
    LOG_ID_MAX = 128

# Times as text, made once a second.
cdef struct log_clock_t:
    uint64_t second           # of what lies below; 0: nothing yet
    char local[26]            # 10/Oct/2000:13:55:36 -0700
    char utc[19]              # 2000-10-10T20:55:36

# Write one line, its '\n' included, to `out` (LOG_LINE_MAX bytes); return its length.
cdef uint32_t log_line_combined(char* out, log_clock_t* clock, exchange_t* x,
                                uint64_t unix_ms) noexcept nogil
cdef uint32_t log_line_json(char* out, log_clock_t* clock, exchange_t* x,
                            uint64_t unix_ms) noexcept nogil
