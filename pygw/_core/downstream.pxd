# Owns: what a client's connection does: accepting, reading request after request, time, closing.
# Thread and GIL: one worker's loop; no GIL.
# Never does: read a second request before the first is answered, beyond one buffer.
# Read next: relay.pxd, listener.pxd.

from libc.stdint cimport uint16_t, uint32_t
from pygw._core.libs.uv cimport uv_stream_t
from pygw._core.types.exchange cimport exchange_t
from pygw._core.types.transport cimport transport_on_t
from pygw._core.down cimport down_t, downs_t

# Takes the client that waits at `server`. False: out of memory, it still waits.
cdef bint down_accept(downs_t* home, uv_stream_t* server, bint is_unix,
                      uint16_t listener) noexcept nogil
# Takes a client whose socket somebody accepted; `fd` is gone either way. False: out of memory.
cdef bint down_adopt(downs_t* home, int fd, bint is_unix, uint16_t listener) noexcept nogil
# The same in steps, for other kinds of transport: make it, open d.transport with down_transport_on,
# fill d.peer, start.
cdef down_t* down_make(downs_t* home, uint16_t listener) noexcept nogil
cdef const transport_on_t* down_transport_on() noexcept nogil
cdef void down_start(down_t* d) noexcept nogil
# Every connection ends with its next answer, which says so; one that brings no request within
# idle_ms of now, or of an answer that did not say so, closes. Bytes that have come are read first.
cdef void downs_drain(downs_t* home, uint32_t idle_ms) noexcept nogil
# Every connection but tunnels ends now; exchanges with E_CORE_STOPPED.
cdef void downs_stop(downs_t* home) noexcept nogil
# host.exchange_done (types/exchange.pxd).
cdef void down_exchange_done(exchange_t* x) noexcept nogil
