# Owns: a client's connection as a thing: its memory, its place in the list, its wait, its end.
# Thread and GIL: one worker's loop; no GIL.
# Never does: read or write a byte.
# Read next: down_answer.pxd, downstream.pxd.
#
# IDLE > HEAD > BUSY > IDLE ...; BUSY > DRAIN > IDLE when an answer ended before its request;
# BUSY > TUNNEL; any > LINGER (our FIN is out, unread bytes are discarded) > CLOSING.

from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from pygw._core.types.address cimport address_t
from pygw._core.types.memory cimport blocks_t
from pygw._core.types.stream cimport stream_t
from pygw._core.types.timer cimport timer_t
from pygw._core.types.transport cimport transport_t, transports_t
from pygw._core.types.exchange cimport exchange_t, host_t, plan_t
from pygw._core.http1_read cimport http1_reader_t
from pygw._core.inlet cimport inlet_t
from pygw._core.outlet cimport outlet_t
from pygw._core.timer cimport wheel_t

cdef enum down_state:
    DOWN_IDLE = 0
    DOWN_HEAD = 1             # a head is being read
    DOWN_BUSY = 2             # its exchange runs
    DOWN_DRAIN = 3            # answered; the rest of its request is read and dropped
    DOWN_LINGER = 4
    DOWN_TUNNEL = 5           # its transport belongs to a relay
    DOWN_CLOSING = 6

# Invariant: exchange is set exactly in HEAD, BUSY, DRAIN and TUNNEL. A handle lies behind the
# struct.
cdef struct down_t:
    transport_t transport     # first: a transport callback recovers its down_t
    stream_t stream
    timer_t timer             # the wait of the state it is in
    downs_t* home             # borrow(worker, for ever)
    down_t* next              # borrow(downs, until on_closed): list of all
    down_t** link             # borrow(downs, until on_closed): what points here
    exchange_t* exchange      # own
    address_t peer
    uint64_t linger_end_ms    # on the wheel's clock: when LINGER is over, whatever comes
    uint32_t served           # requests so far
    uint32_t dropped          # bytes discarded in DRAIN
    uint16_t listener         # index of its listener in plans
    uint8_t state             # down_state
    uint8_t request_done      # the request's end was read
    uint8_t input_dead        # its bytes can not be trusted any more
    uint8_t half_closed       # the client sent FIN and is answered all the same
    uint8_t close_after       # the answer says Connection: close
    uint8_t parsing           # down_parse is on the stack
    uint8_t head_timed        # the timer runs for the head being read
    inlet_t inlet
    outlet_t outlet
    http1_reader_t reader

ctypedef void (*downs_changed_fn)(downs_t* home) noexcept nogil

cdef struct downs_t:
    host_t* host              # borrow(worker, for ever)
    transports_t* transports  # borrow(worker, for ever)
    wheel_t* wheel            # borrow(worker, for ever)
    plan_t** plan             # borrow(worker, for ever): the current plan
    down_t* first             # own
    down_t* pins_at           # borrow(downs, until down_closed): pins_move goes on here
    blocks_t blocks           # down_t with its handle
    blocks_t exchanges
    uint64_t count            # connections open or closing
    uint64_t running          # exchanges begun and not over
    uint32_t drain_idle_ms    # while draining: how long a connection may rest
    uint8_t draining          # each connection ends with its next answer
    downs_changed_fn closed   # static: after each connection that is gone
    void (*plan_unpin)(downs_t* home, plan_t* plan) noexcept nogil   # static

cdef void downs_init(downs_t* home, host_t* host, transports_t* transports, wheel_t* wheel,
                     plan_t** plan) noexcept nogil
cdef void downs_fini(downs_t* home) noexcept nogil
# A connection in the list, in DOWN_IDLE; the caller sets stream.ops and timer.fire and opens the
# transport. NULL: out of memory.
cdef down_t* down_new(downs_t* home, uint16_t listener) noexcept nogil
# The connection ends, whatever its state; an exchange that has begun must have ended before.
cdef void down_close(down_t* d, bint reset) noexcept nogil
# The transport is gone: so is d.
cdef void down_closed(down_t* d) noexcept nogil
# Gives the exchange back and unpins its plan.
cdef void down_exchange_free(down_t* d) noexcept nogil
# The wait that fits a running exchange.
cdef void down_arm(down_t* d) noexcept nogil

# Where a handle lies behind the struct.
cdef inline size_t down_bytes() noexcept nogil:
    return (sizeof(down_t) + 15) & ~<size_t>15

cdef inline down_t* down_of_stream(stream_t* s) noexcept nogil:
    return <down_t*>(<char*>s - <size_t>&(<down_t*>NULL).stream)
