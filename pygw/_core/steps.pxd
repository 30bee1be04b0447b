# Owns: how much body goes in one turn through filters that compute (gzip), and whose turn is next.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: run a chain (exchange does), or delay by more than a turn what a turn has room for.
# Read next: exchange.pyx (exchange_pump_response).
#
# A filter that sets XF_STEPPED on an exchange gets its response body in steps of STEPS_ONE, and all
# of a worker together get STEPS_TURN a turn. What is left stays in side.arrived, where it holds its
# source back like all body on its way, and the exchange waits in line until a later turn. Room is
# counted anew only when somebody waits, by a timer. Timers run behind I/O in libuv's turn, so one
# that I/O has set lets that turn pass: between two polls there is never more than STEPS_TURN.

from libc.stdint cimport uint8_t, uint64_t
from pygw._core.types.exchange cimport exchange_t, host_t
from pygw._core.types.timer cimport timer_t

ctypedef void (*steps_go_fn)(exchange_t* x) noexcept nogil

cdef struct steps_t:
    host_t* host              # borrow(worker, for ever)
    steps_go_fn go             # static: its turn has come; may end it
    exchange_t* first         # borrow(exchange, while it waits)
    exchange_t** end          # borrow(exchange, while it waits): where the next one is put
    exchange_t* now           # borrow(exchange, until steps_take): whose turn it is
    uint64_t left             # bytes of this turn
    uint8_t running           # those that wait are being called
    uint8_t used              # this turn has had its room: the timer fires in it, and once more
    timer_t timer

cdef void steps_init(steps_t* p, host_t* host, steps_go_fn go) noexcept nogil
cdef void steps_fini(steps_t* p) noexcept nogil
# Moves what may go now from x.response_side.arrived to `hand`; clears `last` if some stays. False:
# it waits in line, and nothing was moved.
cdef bint steps_take(exchange_t* x, bint* last) noexcept nogil
# x ends: it waits no more.
cdef void steps_leave(exchange_t* x) noexcept nogil
