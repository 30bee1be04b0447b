# Owns: a connection to a target: connecting, HTTP/1 as the exchange's upstream stream, resting.
# Thread and GIL: one worker's loop; no GIL.
# Never does: choose a target or a connection (pool does), or serve again after a fault.
# Read next: pool.pxd.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from pygw._core.libs.sockets cimport sockaddr
from pygw._core.types.memory cimport blocks_t
from pygw._core.types.stream cimport stream_t
from pygw._core.types.timer cimport timer_t
from pygw._core.types.transport cimport transport_t, transports_t
from pygw._core.types.exchange cimport exchange_t, host_t
from pygw._core.http1_read cimport http1_reader_t
from pygw._core.inlet cimport inlet_t
from pygw._core.outlet cimport outlet_t
from pygw._core.timer cimport wheel_t

cdef enum up_state:
    UP_CONNECTING = 0
    UP_BUSY = 1               # carries an exchange's attempt
    UP_IDLE = 2               # rests in its pool
    UP_CLOSING = 3
    UP_TUNNEL = 4             # its transport belongs to a relay

# Invariant: exchange is set exactly in UP_BUSY and UP_TUNNEL. A handle lies behind the struct.
cdef struct up_t:
    transport_t transport     # first: a transport callback recovers its up_t
    stream_t stream
    timer_t timer             # the wait of the state it is in
    ups_t* home               # borrow(worker, for ever)
    void* pool                # borrow(pools, until on_closed): pool_t
    up_t* next                # borrow(pool, while UP_IDLE): its list
    up_t** link               # borrow(pool, while UP_IDLE): what points here
    exchange_t* exchange      # borrow(exchange, until up_rest or up_close)
    uint64_t born_ms
    uint32_t served           # exchanges so far
    uint32_t idle_ms          # how long it may rest
    uint8_t state             # up_state
    uint8_t response_done     # the final response came to its end
    uint8_t keep_alive        # and it allows another exchange
    uint8_t paused
    uint8_t reader_ready      # the reader is set up for the next head
    inlet_t inlet
    outlet_t outlet
    http1_reader_t reader

# What a pool wants to hear.
cdef struct up_on_t:
    # 0 (then UP_BUSY or UP_IDLE is next) or E_UP_*
    void (*connect)(up_t* up, int error) noexcept nogil
    void (*rest_over)(up_t* up) noexcept nogil            # an idle one is about to close
    void (*closed)(up_t* up) noexcept nogil               # gone: its memory has been given back

cdef struct ups_t:
    host_t* host              # borrow(worker, for ever)
    transports_t* transports  # borrow(worker, for ever)
    wheel_t* wheel            # borrow(worker, for ever)
    const up_on_t* on         # static
    blocks_t blocks           # up_t with its handle

cdef void ups_init(ups_t* home, host_t* host, transports_t* transports,
                   wheel_t* wheel, const up_on_t* on) noexcept nogil
cdef void ups_fini(ups_t* home) noexcept nogil
# A connection on its way (on.connect follows), or NULL with *error an E_*. `address` NULL: `path`.
cdef up_t* up_connect(ups_t* home, void* pool, const sockaddr* address, const char* path,
                      uint32_t connect_ms, int* error) noexcept nogil
# Hands an established connection, resting or fresh, to an exchange: up.stream is its stream.
cdef void up_begin(up_t* up, exchange_t* x) noexcept nogil
# May it serve another exchange? True after a whole exchange with nothing left over on either side.
cdef bint up_reusable(up_t* up) noexcept nogil
# Lets the exchange go and rests at most idle_ms.
cdef void up_rest(up_t* up, uint32_t idle_ms) noexcept nogil
# Ends it in any state; an attempt that it carries hears nothing. on.closed follows.
cdef void up_close(up_t* up) noexcept nogil
# The E_UP_* of a negative errno of a connect.
cdef int up_connect_error(int status) noexcept nogil
