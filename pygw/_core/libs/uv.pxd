# Owns: the declarations of libuv, written by hand, and the one table of its functions.
# Thread and GIL: the table is filled once at import; its calls are the loop thread's, without GIL.
# Never does: include a header of libuv, look into a handle, or use a libuv other than uvloop's.
# Read next: uv.pyx for the guards, sockets.pxd for addresses, ../transport.pxd for the use.

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint64_t

from pygw._core.libs.sockets cimport addrinfo, sockaddr, sockaddr_in, sockaddr_in6

cdef extern from *:
    """
    typedef struct uv_loop_s uv_loop_t;
    typedef struct uv_handle_s uv_handle_t;
    typedef struct uv_stream_s uv_stream_t;
    typedef struct uv_tcp_s uv_tcp_t;
    typedef struct uv_pipe_s uv_pipe_t;
    typedef struct uv_timer_s uv_timer_t;
    typedef struct uv_prepare_s uv_prepare_t;
    typedef struct uv_check_s uv_check_t;
    typedef struct uv_idle_s uv_idle_t;
    typedef struct uv_req_s uv_req_t;
    typedef struct uv_connect_s uv_connect_t;
    typedef struct uv_write_s uv_write_t;
    typedef struct uv_shutdown_s uv_shutdown_t;
    typedef struct uv_getaddrinfo_s uv_getaddrinfo_t;
    typedef struct uv_fs_s uv_fs_t;
    """
    # Opaque, all of them: only pointers exist, and sizeof() of one does not compile. Memory for a
    # handle or request is UV_*_SIZE bytes, aligned like malloc's, and its `data` field stays NULL
    # (uvloop walks every handle when it closes the loop and takes `data` for its own). A handle's
    # address leads back to our struct. A tcp or a pipe is also a stream, and each handle a
    # uv_handle_t: cast where a call asks for the wider type.
    ctypedef struct uv_loop_t:
        pass
    ctypedef struct uv_handle_t:
        pass
    ctypedef struct uv_stream_t:
        pass
    ctypedef struct uv_tcp_t:
        pass
    ctypedef struct uv_pipe_t:
        pass
    ctypedef struct uv_timer_t:
        pass
    ctypedef struct uv_prepare_t:
        pass
    ctypedef struct uv_check_t:
        pass
    ctypedef struct uv_idle_t:
        pass
    ctypedef struct uv_req_t:
        pass
    ctypedef struct uv_connect_t:
        pass
    ctypedef struct uv_write_t:
        pass
    ctypedef struct uv_shutdown_t:
        pass
    ctypedef struct uv_getaddrinfo_t:
        pass
    ctypedef struct uv_fs_t:
        pass

# A piece of memory to read into or to write from. Layout as on unix: it is a struct iovec.
cdef struct uv_buf_t:
    char*   base                      # borrow(caller, until the read or write callback)
    size_t  len                       # bytes

# Numbers for uv.handle_size(): the kinds of handle that we allocate.
cdef enum uv_handle_type:
    UV_UNKNOWN_HANDLE = 0
    UV_CHECK = 2
    UV_IDLE = 6
    UV_NAMED_PIPE = 7
    UV_PREPARE = 9
    UV_TCP = 12
    UV_TIMER = 13

# Numbers for uv.req_size(): the kinds of request that we allocate.
cdef enum uv_req_type:
    UV_UNKNOWN_REQ = 0
    UV_CONNECT = 2
    UV_WRITE = 3
    UV_SHUTDOWN = 4
    UV_FS = 6
    UV_GETADDRINFO = 8

# Flags of uv.tcp_bind and of uv.pipe_connect2 / uv.pipe_bind2.
cdef enum:
    UV_TCP_IPV6ONLY = 1
    UV_PIPE_NO_TRUNCATE = 1

# What a call or a callback's status may be: 0 or above is success, below is one of these. System
# errors are the negative errno of Linux (x86-64 and aarch64 agree); the others are libuv's own
# numbers.
cdef enum uv_errno:
    UV_EPERM = -1
    UV_ENOENT = -2
    UV_EINTR = -4
    UV_EIO = -5
    UV_EBADF = -9
    UV_EAGAIN = -11
    UV_ENOMEM = -12
    UV_EACCES = -13
    UV_EBUSY = -16
    UV_ENOTDIR = -20
    UV_EINVAL = -22
    UV_ENFILE = -23
    UV_EMFILE = -24
    UV_ENOSPC = -28
    UV_EPIPE = -32
    UV_ENAMETOOLONG = -36
    UV_EPROTO = -71
    UV_ENOTSOCK = -88
    UV_EPROTOTYPE = -91
    UV_EAFNOSUPPORT = -97
    UV_EADDRINUSE = -98
    UV_EADDRNOTAVAIL = -99
    UV_ENETDOWN = -100
    UV_ENETUNREACH = -101
    UV_ECONNABORTED = -103
    UV_ECONNRESET = -104
    UV_ENOBUFS = -105
    UV_EISCONN = -106
    UV_ENOTCONN = -107
    UV_ESHUTDOWN = -108
    UV_ETIMEDOUT = -110
    UV_ECONNREFUSED = -111
    UV_EHOSTDOWN = -112
    UV_EHOSTUNREACH = -113
    UV_EALREADY = -114
    UV_ECANCELED = -125
    UV_EAI_ADDRFAMILY = -3000         # getaddrinfo: the host has no address of that family
    UV_EAI_AGAIN = -3001              # getaddrinfo: a temporary failure of the name server
    UV_EAI_CANCELED = -3003
    UV_EAI_FAIL = -3004               # getaddrinfo: the name server failed for good
    UV_EAI_FAMILY = -3005
    UV_EAI_MEMORY = -3006
    UV_EAI_NODATA = -3007             # getaddrinfo: the name exists and has no address
    UV_EAI_NONAME = -3008             # getaddrinfo: no such name
    UV_EAI_SERVICE = -3010
    UV_UNKNOWN = -4094
    UV_EOF = -4095                    # read: the peer has sent FIN

# Callbacks. All run on the loop's thread without the GIL and may close any handle, their own.
# alloc: fill `buf`; len 0 makes the read end in UV_ENOBUFS. One read answers each alloc.
ctypedef void (*uv_alloc_cb)(uv_handle_t* handle, size_t suggested, uv_buf_t* buf) noexcept nogil
# read: nread > 0 bytes; 0 means "nothing now" (not the end); UV_EOF or another error below 0 ends
# the reading.
ctypedef void (*uv_read_cb)(uv_stream_t* stream, ssize_t nread, const uv_buf_t* buf) noexcept nogil
# connect, write, shutdown: the request's memory is the owner's again; UV_ECANCELED if the handle
# was closed.
ctypedef void (*uv_connect_cb)(uv_connect_t* req, int status) noexcept nogil
ctypedef void (*uv_write_cb)(uv_write_t* req, int status) noexcept nogil
ctypedef void (*uv_shutdown_cb)(uv_shutdown_t* req, int status) noexcept nogil
# connection: a client waits; uv.accept it now. Status below 0: accept failed.
ctypedef void (*uv_connection_cb)(uv_stream_t* server, int status) noexcept nogil
# close: the last call that ever names this handle; its memory may be freed here and not earlier.
ctypedef void (*uv_close_cb)(uv_handle_t* handle) noexcept nogil
ctypedef void (*uv_timer_cb)(uv_timer_t* handle) noexcept nogil
ctypedef void (*uv_prepare_cb)(uv_prepare_t* handle) noexcept nogil
ctypedef void (*uv_check_cb)(uv_check_t* handle) noexcept nogil
ctypedef void (*uv_idle_cb)(uv_idle_t* handle) noexcept nogil
ctypedef void (*uv_walk_cb)(uv_handle_t* handle, void* arg) noexcept nogil
# getaddrinfo: on status 0 the list is ours and goes back by uv.freeaddrinfo.
ctypedef void (*uv_getaddrinfo_cb)(uv_getaddrinfo_t* req, int status, addrinfo* res) noexcept nogil
# fs: read the outcome by uv.fs_get_system_error, then call uv.fs_req_cleanup.
ctypedef void (*uv_fs_cb)(uv_fs_t* req) noexcept nogil

# libuv's functions by their names without `uv_`. Filled at import, never changed after, no entry is
# NULL. Calls return 0 or a negative uv_errno unless the comment says otherwise.
cdef struct uv_api:
    # library
    unsigned int (*version)() noexcept nogil                    # major << 16 | minor << 8 | patch
    const char* (*version_string)() noexcept nogil              # static text
    size_t (*handle_size)(int type) noexcept nogil              # (size_t)-1 for an unknown kind
    size_t (*req_size)(int type) noexcept nogil                 # (size_t)-1 for an unknown kind
    # leaks for an unknown number: prefer strerror_r
    const char* (*strerror)(int err) noexcept nogil
    char* (*strerror_r)(int err, char* buf, size_t buflen) noexcept nogil
    # leaks for an unknown number: prefer err_name_r
    const char* (*err_name)(int err) noexcept nogil
    char* (*err_name_r)(int err, char* buf, size_t buflen) noexcept nogil
    uint64_t (*hrtime)() noexcept nogil                         # monotonic, ns

    # loop
    # monotonic, ms, as of the turn's start
    uint64_t (*now)(const uv_loop_t* loop) noexcept nogil
    void (*update_time)(uv_loop_t* loop) noexcept nogil
    int (*loop_alive)(const uv_loop_t* loop) noexcept nogil     # bool
    void (*walk)(uv_loop_t* loop, uv_walk_cb cb, void* arg) noexcept nogil

    # any handle
    # once; check is_closing first
    void (*close)(uv_handle_t* handle, uv_close_cb cb) noexcept nogil
    int (*is_active)(const uv_handle_t* handle) noexcept nogil  # bool
    int (*is_closing)(const uv_handle_t* handle) noexcept nogil # bool: closing or closed
    void (*ref)(uv_handle_t* handle) noexcept nogil
    void (*unref)(uv_handle_t* handle) noexcept nogil
    int (*has_ref)(const uv_handle_t* handle) noexcept nogil    # bool
    int (*fileno)(const uv_handle_t* handle, int* fd) noexcept nogil     # the fd stays libuv's

    # streams: tcp and pipe
    int (*listen)(uv_stream_t* stream, int backlog, uv_connection_cb cb) noexcept nogil
    int (*accept)(uv_stream_t* server, uv_stream_t* client) noexcept nogil
    int (*read_start)(uv_stream_t* stream, uv_alloc_cb alloc_cb, uv_read_cb cb) noexcept nogil
    int (*read_stop)(uv_stream_t* stream) noexcept nogil        # no read callback follows
    int (*try_write)(uv_stream_t* stream, const uv_buf_t* bufs,
                     unsigned int nbufs) noexcept nogil         # bytes taken, or UV_EAGAIN
    # bufs is copied, what it points to is not
    int (*write)(uv_write_t* req, uv_stream_t* stream, const uv_buf_t* bufs, unsigned int nbufs,
                 uv_write_cb cb) noexcept nogil
    int (*shutdown)(uv_shutdown_t* req, uv_stream_t* stream,
                    uv_shutdown_cb cb) noexcept nogil           # FIN after all queued writes
    int (*is_readable)(const uv_stream_t* stream) noexcept nogil    # bool
    int (*is_writable)(const uv_stream_t* stream) noexcept nogil    # bool

    # tcp
    int (*tcp_init)(uv_loop_t* loop, uv_tcp_t* handle) noexcept nogil
    # takes the fd over, sets it non-blocking
    int (*tcp_open)(uv_tcp_t* handle, int fd) noexcept nogil
    int (*tcp_bind)(uv_tcp_t* handle, const sockaddr* addr, unsigned int flags) noexcept nogil
    int (*tcp_connect)(uv_connect_t* req, uv_tcp_t* handle, const sockaddr* addr,
                       uv_connect_cb cb) noexcept nogil
    int (*tcp_nodelay)(uv_tcp_t* handle, int enable) noexcept nogil
    int (*tcp_keepalive)(uv_tcp_t* handle, int enable, unsigned int delay_s) noexcept nogil
    int (*tcp_getpeername)(const uv_tcp_t* handle, sockaddr* name, int* namelen) noexcept nogil
    int (*tcp_getsockname)(const uv_tcp_t* handle, sockaddr* name, int* namelen) noexcept nogil
    # RST; not after uv.shutdown
    int (*tcp_close_reset)(uv_tcp_t* handle, uv_close_cb cb) noexcept nogil

    # pipe: a unix socket
    int (*pipe_init)(uv_loop_t* loop, uv_pipe_t* handle, int ipc) noexcept nogil
    # takes the fd over, sets it non-blocking
    int (*pipe_open)(uv_pipe_t* handle, int fd) noexcept nogil
    int (*pipe_bind)(uv_pipe_t* handle, const char* name) noexcept nogil
    # cuts a long name: prefer pipe_connect2
    void (*pipe_connect)(uv_connect_t* req, uv_pipe_t* handle, const char* name,
                         uv_connect_cb cb) noexcept nogil
    int (*pipe_connect2)(uv_connect_t* req, uv_pipe_t* handle, const char* name, size_t namelen,
                         unsigned int flags, uv_connect_cb cb) noexcept nogil

    # timers and the turn's edges; a timer may fire early by up to 1 ms and proves no deadline
    int (*timer_init)(uv_loop_t* loop, uv_timer_t* handle) noexcept nogil
    int (*timer_start)(uv_timer_t* handle, uv_timer_cb cb, uint64_t timeout_ms,
                       uint64_t repeat_ms) noexcept nogil       # repeat 0: once
    int (*timer_stop)(uv_timer_t* handle) noexcept nogil
    int (*timer_again)(uv_timer_t* handle) noexcept nogil
    int (*prepare_init)(uv_loop_t* loop, uv_prepare_t* handle) noexcept nogil
    int (*prepare_start)(uv_prepare_t* handle, uv_prepare_cb cb) noexcept nogil   # before each poll
    int (*prepare_stop)(uv_prepare_t* handle) noexcept nogil
    int (*check_init)(uv_loop_t* loop, uv_check_t* handle) noexcept nogil
    int (*check_start)(uv_check_t* handle, uv_check_cb cb) noexcept nogil         # after each poll
    int (*check_stop)(uv_check_t* handle) noexcept nogil
    int (*idle_init)(uv_loop_t* loop, uv_idle_t* handle) noexcept nogil
    # keeps the poll from waiting
    int (*idle_start)(uv_idle_t* handle, uv_idle_cb cb) noexcept nogil
    int (*idle_stop)(uv_idle_t* handle) noexcept nogil

    # work in libuv's threads: names and files
    # all text is copied
    int (*getaddrinfo)(uv_loop_t* loop, uv_getaddrinfo_t* req, uv_getaddrinfo_cb cb,
                       const char* node, const char* service,
                       const addrinfo* hints) noexcept nogil
    void (*freeaddrinfo)(addrinfo* ai) noexcept nogil
    int (*cancel)(uv_req_t* req) noexcept nogil                 # UV_EBUSY once the work has started
    int (*fs_write)(uv_loop_t* loop, uv_fs_t* req, int fd, const uv_buf_t* bufs, unsigned int nbufs,
                    int64_t offset, uv_fs_cb cb) noexcept nogil # offset -1: at the file's position
    # MINUS the result: errno, or -bytes done
    int (*fs_get_system_error)(const uv_fs_t* req) noexcept nogil
    void (*fs_req_cleanup)(uv_fs_t* req) noexcept nogil

    # addresses as text
    int (*ip4_addr)(const char* ip, int port, sockaddr_in* addr) noexcept nogil
    int (*ip6_addr)(const char* ip, int port, sockaddr_in6* addr) noexcept nogil
    # without the port
    int (*ip_name)(const sockaddr* src, char* dst, size_t size) noexcept nogil

cdef uv_api uv

# Bytes to allocate for a handle or a request; read from the library at import, constant after.
cdef size_t UV_TCP_SIZE, UV_PIPE_SIZE, UV_TIMER_SIZE, UV_PREPARE_SIZE, UV_CHECK_SIZE, UV_IDLE_SIZE
cdef size_t UV_CONNECT_SIZE, UV_WRITE_SIZE, UV_SHUTDOWN_SIZE, UV_FS_SIZE, UV_GETADDRINFO_SIZE

# The libuv loop under a uvloop loop; borrow(loop, until it is closed). Needs the GIL.
# TypeError for any other loop, ValueError for one that has been freed.
cdef uv_loop_t* loop_ptr(object loop) except NULL
