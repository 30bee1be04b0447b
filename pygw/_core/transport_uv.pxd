# Owns: tcp and unix sockets on uvloop's libuv as transports.
# Thread and GIL: one worker's loop; no GIL.
# Never does: set a handle's `data` (uvloop takes it for its own).
# Read next: inlet.pxd, outlet.pxd.

from libc.stddef cimport size_t
from pygw._core.libs.sockets cimport sockaddr
from pygw._core.libs.uv cimport uv_stream_t
from pygw._core.types.transport cimport transport_t, transport_on_t, transports_t

# Bytes to allocate behind the owner's struct for a handle of either kind.
cdef size_t transport_handle_bytes() noexcept nogil
# `memory` is that space, 16-byte aligned. 0: open. A negative errno: it is closing already,
# on.closed follows.
cdef int transport_accept(transport_t* t, transports_t* home, const transport_on_t* on,
                          void* memory, uv_stream_t* server, bint is_unix) noexcept nogil
# The same for a client's socket that was accepted elsewhere; `fd` is gone either way.
cdef int transport_adopt(transport_t* t, transports_t* home, const transport_on_t* on,
                         void* memory, int fd, bint is_unix) noexcept nogil
# A transport_connect_fn (types/transport.pxd).
cdef int transport_connect(transport_t* t, transports_t* home, const transport_on_t* on,
                           void* memory, const sockaddr* address, const char* path) noexcept nogil
# The address at the other end of an accepted tcp connection: 0 or a negative errno.
cdef int transport_peer(transport_t* t, sockaddr* address, int size) noexcept nogil
