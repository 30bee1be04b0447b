# Owns: the contract of a transport: the bytes under a connection (tcp, unix, memory; TLS later).
# Thread and GIL: one worker's loop, no GIL; declarations only.
# Never does: know HTTP.
# Read next: ../transport.pxd.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stddef cimport size_t
from pygw._core.libs.sockets cimport sockaddr
from pygw._core.libs.uv cimport uv_buf_t, uv_loop_t, uv_handle_t
from pygw._core.types.memory cimport buffer_t, buffers_t, blocks_t, slices_t

# What a kind of transport can do. All but close may be called only while it is open.
cdef struct transport_ops_t:
    # Bytes taken now (>= 0), UV_EAGAIN, or another negative errno.
    int (*try_write)(transport_t* t, const uv_buf_t* bufs, uint32_t count) noexcept nogil
    # Takes `bufs` until transport_wrote is called; 0 or a negative errno (then it is not called).
    int (*write)(transport_t* t, const uv_buf_t* bufs, uint32_t count) noexcept nogil
    int (*read_start)(transport_t* t) noexcept nogil
    void (*read_stop)(transport_t* t) noexcept nogil
    # Whether bytes have come that nobody has read yet.
    bint (*unread)(transport_t* t) noexcept nogil
    # Ends the reading as if the peer had sent FIN; the peer learns nothing.
    void (*deafen)(transport_t* t) noexcept nogil
    # FIN; the queue is empty.
    void (*finish)(transport_t* t) noexcept nogil
    # transport_closed follows, later.
    void (*close)(transport_t* t, bint reset) noexcept nogil

# What its owner wants to hear. Every call is the last thing its caller does with the transport, so
# the owner may close it in any of them.
cdef struct transport_on_t:
    # Where the next bytes go; len 0: nowhere now, `read` hears UV_ENOBUFS. It may not stop or
    # close: libuv is in the middle of a read.
    void (*space)(transport_t* t, uv_buf_t* buf) noexcept nogil
    # size > 0 bytes lie where `space` said; UV_EOF; UV_ENOBUFS: stop the reading, or it comes
    # again; or another negative errno: it is broken.
    void (*read)(transport_t* t, ssize_t size) noexcept nogil
    # Queued bytes became fewer.
    void (*drain)(transport_t* t) noexcept nogil
    # A connect ended: 0 or a negative errno.
    void (*connect)(transport_t* t, int status) noexcept nogil
    # The last call: its memory is the owner's again.
    void (*closed)(transport_t* t) noexcept nogil

cdef enum transport_flag:
    TF_READING = 1
    TF_WRITING = 2            # a write is in flight
    TF_FINISH = 4             # FIN is due when the queue is empty
    TF_FINISHED = 8           # FIN was sent
    TF_BROKEN = 16            # a write failed: output is dropped, the owner hears it from `read`
    TF_CLOSING = 32
    TF_UNIX = 64

cdef struct transport_t:
    const transport_ops_t* ops    # static
    const transport_on_t* on      # static
    transports_t* home            # borrow(worker, for ever)
    uv_handle_t* handle           # own: lies behind the owner's struct; NULL for memory
    void* request                 # own: the write in flight
    void* peer                    # borrow(transport_memory, until closed): its end; else NULL
    slices_t pending              # own: bytes not yet taken, those in flight first
    uint64_t inflight             # bytes at the front of `pending` that a write is busy with
    void* tunnel                  # borrow(relay, while it has the transport)
    uint64_t bytes_in
    uint64_t bytes_out
    uint32_t flags                # TF_* mask
    int fd                        # of the open socket; the handle owns it

# Opens t towards `address`, or, when it is NULL, a unix socket's `path`; `memory` is the space for
# a handle behind the owner's struct, 16-byte aligned. 0: on.connect follows, later. A negative
# errno: it is closing already, on.closed follows.
ctypedef int (*transport_connect_fn)(transport_t* t, transports_t* home, const transport_on_t* on,
                                     void* memory, const sockaddr* address,
                                     const char* path) noexcept nogil

# Output of one transport collected during one callback: it leaves in one write.
cdef struct gather_t:
    transport_t* to               # borrow(connection, until flushed or closed): NULL when empty
    uint32_t count
    uint32_t scratch_used
    uint64_t bytes
    uv_buf_t bufs[64]             # GATHER_MAX
    buffer_t* refs[64]            # own: counted references; NULL: stays until the exchange is done
    char scratch[1024]            # small bytes of our own (chunk lines)

# What all transports of a worker share.
cdef struct transports_t:
    uv_loop_t* loop               # borrow(loop, until the worker ends); NULL for memory
    buffers_t* buffers            # borrow(worker, for ever)
    blocks_t requests             # uv requests of every kind
    gather_t gather
    uint64_t live                 # open or closing
    transport_connect_fn connect  # static: how connections to targets are opened
    void* net                     # borrow(transport_memory, for ever): the net; else NULL
