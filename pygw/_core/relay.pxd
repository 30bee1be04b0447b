# Owns: a tunnel: bytes between two transports after an upgrade, both ways at once.
# Thread and GIL: one worker's loop; no GIL.
# Never does: look at the bytes.
# Read next: listener.pxd.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from pygw._core.types.memory cimport blocks_t, slices_t
from pygw._core.types.timer cimport timer_t
from pygw._core.types.transport cimport transport_t, transport_on_t, transports_t
from pygw._core.types.exchange cimport exchange_t
from pygw._core.inlet cimport inlet_t
from pygw._core.timer cimport wheel_t

# One end of a tunnel. While it lasts, the transport's `on` is the relay's and the connection's
# inlet is lent to it.
cdef struct relay_end_t:
    transport_t* transport    # borrow(connection, until relays_t.ended)
    const transport_on_t* was # static: given back with the transport
    inlet_t* inlet            # borrow(connection, until relays_t.ended)
    uint64_t bytes            # read from it
    uint8_t finished          # its peer sent FIN

cdef struct relay_t:
    relay_end_t down
    relay_end_t up
    timer_t timer             # TUNNEL_IDLE_MS without a byte
    relays_t* home            # borrow(worker, for ever)
    exchange_t* exchange      # borrow(exchange, until ended)

# Told once: both transports are given back, still open; `error` 0 or an E_*.
ctypedef void (*relay_ended_fn)(relay_t* r, int error) noexcept nogil

cdef struct relays_t:
    transports_t* transports  # borrow(worker, for ever)
    wheel_t* wheel            # borrow(worker, for ever)
    uint64_t* counters        # borrow(worker, for ever)
    relay_ended_fn ended      # static
    blocks_t blocks

cdef void relays_init(relays_t* home, transports_t* transports, wheel_t* wheel,
                      uint64_t* counters, relay_ended_fn ended) noexcept nogil
cdef void relays_fini(relays_t* home) noexcept nogil
# Joins two transports; what lies unread in the inlets goes first. NULL: out of memory.
cdef relay_t* relay_start(relays_t* home, exchange_t* x, transport_t* down, inlet_t* down_inlet,
                          transport_t* up, inlet_t* up_inlet) noexcept nogil
# Ends it from outside (a drain's deadline).
cdef void relay_stop(relay_t* r, int error) noexcept nogil
