# Owns: every expected failure: its number, side, status, whether a retry may help, its names.
# Thread and GIL: any; a static table.
# Never does: carry a message that an attacker wrote.
# Read next: fault.pyx for the rows, then exchange.pxd.
#
# E_<side>_<what>: DOWN the client or its bytes, UP the service, CORE the gateway itself, HOOK user
# code. Values are negative so that a function can return 0 or one of them.

from libc.stdint cimport uint8_t, uint16_t

cdef enum fault_side:
    SIDE_DOWN = 0
    SIDE_UP = 1
    SIDE_CORE = 2
    SIDE_HOOK = 3

cdef enum fault:
    E_OK = 0
    E_DOWN_LINE = -1              # start line malformed
    E_DOWN_VERSION = -2
    E_DOWN_METHOD = -3            # unknown method
    E_DOWN_TARGET = -4            # request-target malformed
    E_DOWN_CONNECT = -5           # CONNECT is not served
    E_DOWN_LINE_LENGTH = -6
    E_DOWN_HEAD_LENGTH = -7
    E_DOWN_HEADER_COUNT = -8
    E_DOWN_HEADER = -9            # a field's name, value or line end malformed
    E_DOWN_HOST = -10             # missing, doubled or malformed Host
    E_DOWN_FRAMING = -11          # Content-Length and Transfer-Encoding that could be read two ways
    E_DOWN_CODING = -12           # a transfer coding other than chunked
    E_DOWN_CHUNK = -13            # malformed chunk framing
    E_DOWN_TRAILER = -14
    E_DOWN_BODY_LENGTH = -15      # longer than body_limit
    E_DOWN_EXPECT = -16           # an expectation other than 100-continue
    E_DOWN_HEAD_TIMEOUT = -17
    E_DOWN_BODY_TIMEOUT = -18
    E_DOWN_SLOW_READER = -19      # took no bytes for slow_reader
    E_DOWN_CLOSED = -20           # FIN while its exchange ran
    E_DOWN_RESET = -21            # RST, or an error of its socket
    E_DOWN_LOOP = -22             # Via already names this instance
    E_UP_REFUSED = -30
    E_UP_UNREACHABLE = -31
    E_UP_CONNECT_TIMEOUT = -32
    E_UP_NAME = -33               # the target's name does not resolve
    E_UP_CLOSED = -34             # closed before a whole head came
    E_UP_RESET = -35
    E_UP_PROTOCOL = -36           # what came is no HTTP/1 response
    E_UP_HEADER = -37
    E_UP_FRAMING = -38
    E_UP_CHUNK = -39
    E_UP_TRAILER = -40
    E_UP_HEAD_LENGTH = -41
    E_UP_HEADER_COUNT = -42
    E_UP_CODING = -43
    E_UP_RESPONSE_TIMEOUT = -44   # no head in time
    E_UP_STALLED = -45            # between_bytes passed within the response
    E_UP_INCOMPLETE = -46         # closed before the body's end
    E_UP_UPGRADE = -47            # a 101 that nobody asked for
    E_UP_INFORMATIONAL = -48      # more 1xx than INFORMATIONAL_MAX
    E_UP_BROKEN = -49             # our bytes could not be written to it
    E_CORE_NO_ROUTE = -60
    E_CORE_NO_TARGET = -61
    E_CORE_QUEUE_FULL = -62
    E_CORE_QUEUE_TIMEOUT = -63
    E_CORE_TOTAL_TIMEOUT = -64
    E_CORE_MEMORY = -65
    E_CORE_DENIED = -66           # an ip filter
    E_CORE_STOPPED = -67          # the worker ends at its drain deadline
    E_CORE_INTERNAL = -68         # a filter broke its contract
    E_CORE_METHOD = -69           # routes match but for the method
    E_CORE_MAINTENANCE = -75      # a maintenance filter
    E_HOOK_ABORTED = -80
    E_HOOK_FAILED = -81           # a hook failed before the service answered
    E_HOOK_LATE = -82             # the same: past its deadline
    E_HOOK_RESPONSE = -83         # a hook failed on the service's answer
    E_HOOK_BODY_LENGTH = -84      # an answer is longer than the hook that holds it takes
    E_LAST = -85

cdef struct fault_t:
    uint8_t side              # fault_side
    uint16_t status           # what the client is answered; 499: it is gone
    bint retryable            # a further attempt may go better
    const char* label         # static: in the log's cause and in metrics
    const char* proxy_error   # static: Proxy-Status error token (RFC 9209 2.3); NULL: none fits
    const char* sentence      # static: for a person

# The row of an E_*; an unknown number gets E_CORE_INTERNAL's.
cdef const fault_t* fault_get(int error) noexcept nogil
