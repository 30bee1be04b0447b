# Owns: transports without sockets: what a connection sends lands in its end, for a test to take.
# Thread and GIL: one worker's loop; no GIL.
# Never does: tell an owner anything from within one of its calls: all is told by the functions
#   below, from outside, as libuv would tell it in a later turn.
# Read next: memory_worker.pyx, which drives it.

from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from pygw._core.libs.sockets cimport sockaddr, sockaddr_storage
from pygw._core.libs.uv cimport uv_buf_t
from pygw._core.types.transport cimport transport_t, transport_on_t, transports_t

cdef enum memory_state:
    END_SPARE = 0
    END_CONNECTING = 1
    END_OPEN = 2
    END_GONE = 3              # the transport is closed and forgotten; what left it is still here

# What the connection did with its sending side.
cdef enum memory_left:
    LEFT_OPEN = 0
    LEFT_FIN = 1
    LEFT_RESET = 2

# The other end of one memory transport, with the kernel's buffer between the two.
cdef struct memory_end_t:
    memory_end_t* next        # borrow(who made it, for ever): spare or opened list
    memory_net_t* net         # borrow(who made it, for ever)
    void* owner               # borrow(who made it, for ever)
    transport_t* transport    # borrow(connection, until END_GONE)
    char* output              # borrow(who made it, for ever): bytes that left and were not taken
    uint32_t output_room      # most bytes that may lie there
    uint32_t output_used
    uint32_t unread           # bytes on their way in: a close before they are read is a reset
    uint32_t write_count      # pieces of the write in flight
    uint64_t since            # turn in which the connect or the write began
    int failure               # what the next write answers; 0 while the peer is there
    uint8_t state             # memory_state
    uint8_t left              # memory_left
    uint8_t is_unix
    uint8_t from_client       # accepted; else opened by the gateway
    uint8_t starved           # the last read found no space
    uint8_t deaf              # the reading is to end, whatever is on its way
    sockaddr_storage address  # of a connect
    char path[108]            # of a connect to a unix socket
    uv_buf_t write[64]        # GATHER_MAX: the write in flight

# What lies between all ends and their transports (transports_t.net).
cdef struct memory_net_t:
    memory_end_t* spare       # borrow(who made them, for ever); NULL: descriptors have run out
    memory_end_t* opened      # borrow(who made them, for ever): by connects, newest first
    transport_t* closing      # borrow(connections, until told): linked by transport_t.request
    uint64_t turn
    uint64_t spins            # reads that found no space once more: the owner did not stop
    int connect_error         # a negative errno with which connects fail at once; 0: none

# A connection from outside. The owner starts reading when it likes.
cdef void transport_memory_accept(transport_t* t, transports_t* home, const transport_on_t* on,
                                  memory_end_t* e) noexcept nogil
# A transport_connect_fn (types/transport.pxd) that takes an end of the net.
cdef int transport_memory_connect(transport_t* t, transports_t* home, const transport_on_t* on,
                                  void* memory, const sockaddr* address,
                                  const char* path) noexcept nogil

# Each tells the transport at most one thing and answers whether it did.
# Ends a connect that began in an earlier turn: 0 or a negative errno.
cdef bint memory_connected(memory_end_t* e, int status) noexcept nogil
# Moves the write in flight on, as far as there is room; tells when it is over.
cdef bint memory_wrote(memory_end_t* e) noexcept nogil
# One read of at most `size` bytes; answers how many were taken.
cdef uint32_t memory_arrived(memory_end_t* e, const char* ptr, uint32_t size) noexcept nogil
# The input is over: UV_EOF or a negative errno. Told only while the transport reads.
cdef bint memory_ended(memory_end_t* e, int status) noexcept nogil
# Tells all who closed before this call.
cdef bint memory_closed(memory_net_t* net) noexcept nogil
# Takes at most `size` bytes of what left; answers how many.
cdef uint32_t memory_take(memory_end_t* e, char* to, uint32_t size) noexcept nogil
