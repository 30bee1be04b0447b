# cython: language_level=3
# Owns: the one table of libuv's functions and the proof that uv.pxd declares them rightly.
# Thread and GIL: everything here runs at import under the GIL, except loop_ptr, which needs it too.
# Never does: use a libuv other than the copy inside uvloop, because the loop is uvloop's.
# Read next: uv.pxd for the contracts.

from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.errno cimport EBADF
from libc.string cimport strcmp

from pygw._core.libs.loader cimport Library, library_open
from pygw._core.libs.wheel import LIBUV, LibraryError, LibraryInfo

cdef enum:
    MAJOR = 1
    SIZE_MAX_SANE = 4096              # bytes; the largest of 1.52 is uv_fs_t with 440


cdef int refuse(Library lib, str problem) except -1:
    raise LibraryError(lib.name, f"{problem} in {lib.path} ({lib.release})", lib.remedy)


cdef int fill_loop_and_handles(Library lib) except -1:
    lib.fill(&uv.version, b"uv_version")
    lib.fill(&uv.version_string, b"uv_version_string")
    lib.fill(&uv.handle_size, b"uv_handle_size")
    lib.fill(&uv.req_size, b"uv_req_size")
    lib.fill(&uv.strerror, b"uv_strerror")
    lib.fill(&uv.strerror_r, b"uv_strerror_r")
    lib.fill(&uv.err_name, b"uv_err_name")
    lib.fill(&uv.err_name_r, b"uv_err_name_r")
    lib.fill(&uv.hrtime, b"uv_hrtime")
    lib.fill(&uv.now, b"uv_now")
    lib.fill(&uv.update_time, b"uv_update_time")
    lib.fill(&uv.loop_alive, b"uv_loop_alive")
    lib.fill(&uv.walk, b"uv_walk")
    lib.fill(&uv.close, b"uv_close")
    lib.fill(&uv.is_active, b"uv_is_active")
    lib.fill(&uv.is_closing, b"uv_is_closing")
    lib.fill(&uv.ref, b"uv_ref")
    lib.fill(&uv.unref, b"uv_unref")
    lib.fill(&uv.has_ref, b"uv_has_ref")
    lib.fill(&uv.fileno, b"uv_fileno")
    return 0


cdef int fill_streams(Library lib) except -1:
    lib.fill(&uv.listen, b"uv_listen")
    lib.fill(&uv.accept, b"uv_accept")
    lib.fill(&uv.read_start, b"uv_read_start")
    lib.fill(&uv.read_stop, b"uv_read_stop")
    lib.fill(&uv.try_write, b"uv_try_write")
    lib.fill(&uv.write, b"uv_write")
    lib.fill(&uv.shutdown, b"uv_shutdown")
    lib.fill(&uv.is_readable, b"uv_is_readable")
    lib.fill(&uv.is_writable, b"uv_is_writable")
    lib.fill(&uv.tcp_init, b"uv_tcp_init")
    lib.fill(&uv.tcp_open, b"uv_tcp_open")
    lib.fill(&uv.tcp_bind, b"uv_tcp_bind")
    lib.fill(&uv.tcp_connect, b"uv_tcp_connect")
    lib.fill(&uv.tcp_nodelay, b"uv_tcp_nodelay")
    lib.fill(&uv.tcp_keepalive, b"uv_tcp_keepalive")
    lib.fill(&uv.tcp_getpeername, b"uv_tcp_getpeername")
    lib.fill(&uv.tcp_getsockname, b"uv_tcp_getsockname")
    lib.fill(&uv.tcp_close_reset, b"uv_tcp_close_reset")
    lib.fill(&uv.pipe_init, b"uv_pipe_init")
    lib.fill(&uv.pipe_open, b"uv_pipe_open")
    lib.fill(&uv.pipe_bind, b"uv_pipe_bind")
    lib.fill(&uv.pipe_connect, b"uv_pipe_connect")
    lib.fill(&uv.pipe_connect2, b"uv_pipe_connect2")
    return 0


cdef int fill_timers_and_work(Library lib) except -1:
    lib.fill(&uv.timer_init, b"uv_timer_init")
    lib.fill(&uv.timer_start, b"uv_timer_start")
    lib.fill(&uv.timer_stop, b"uv_timer_stop")
    lib.fill(&uv.timer_again, b"uv_timer_again")
    lib.fill(&uv.prepare_init, b"uv_prepare_init")
    lib.fill(&uv.prepare_start, b"uv_prepare_start")
    lib.fill(&uv.prepare_stop, b"uv_prepare_stop")
    lib.fill(&uv.check_init, b"uv_check_init")
    lib.fill(&uv.check_start, b"uv_check_start")
    lib.fill(&uv.check_stop, b"uv_check_stop")
    lib.fill(&uv.idle_init, b"uv_idle_init")
    lib.fill(&uv.idle_start, b"uv_idle_start")
    lib.fill(&uv.idle_stop, b"uv_idle_stop")
    lib.fill(&uv.getaddrinfo, b"uv_getaddrinfo")
    lib.fill(&uv.freeaddrinfo, b"uv_freeaddrinfo")
    lib.fill(&uv.cancel, b"uv_cancel")
    lib.fill(&uv.fs_write, b"uv_fs_write")
    lib.fill(&uv.fs_get_system_error, b"uv_fs_get_system_error")
    lib.fill(&uv.fs_req_cleanup, b"uv_fs_req_cleanup")
    lib.fill(&uv.ip4_addr, b"uv_ip4_addr")
    lib.fill(&uv.ip6_addr, b"uv_ip6_addr")
    lib.fill(&uv.ip_name, b"uv_ip_name")
    return 0


cdef int prove_table(Library lib) except -1:
    cdef size_t i
    for i in range(sizeof(uv_api) // sizeof(void*)):
        if (<void**>&uv)[i] == NULL:
            raise SystemError(f"entry {i} of the table of {lib.name} was never filled")
    return 0


cdef int prove_version(Library lib) except -1:
    if uv.version() >> 16 != MAJOR:
        refuse(lib, f"version {uv.version_string().decode()} is not {MAJOR}.x")
    return 0


cdef int prove_error(Library lib, int number, const char* name) except -1:
    cdef char text[64]
    uv.err_name_r(number, text, sizeof(text))
    if strcmp(text, name) != 0:
        refuse(lib, f"error {number} is {text.decode()} and not {name.decode()}")
    return 0


cdef int prove_errors(Library lib) except -1:
    prove_error(lib, UV_EOF, b"EOF")
    prove_error(lib, UV_EAGAIN, b"EAGAIN")
    prove_error(lib, UV_ECANCELED, b"ECANCELED")
    prove_error(lib, UV_EMFILE, b"EMFILE")
    prove_error(lib, UV_ENOBUFS, b"ENOBUFS")
    prove_error(lib, UV_EPIPE, b"EPIPE")
    prove_error(lib, UV_ECONNREFUSED, b"ECONNREFUSED")
    prove_error(lib, UV_ECONNRESET, b"ECONNRESET")
    prove_error(lib, UV_ETIMEDOUT, b"ETIMEDOUT")
    prove_error(lib, UV_EAI_AGAIN, b"EAI_AGAIN")
    prove_error(lib, UV_EAI_NONAME, b"EAI_NONAME")
    return 0


cdef size_t sane_size(Library lib, str what, size_t size) except 0:
    if size == 0 or size > SIZE_MAX_SANE:
        refuse(lib, f"the size of {what} is unknown")
    return size


cdef int read_sizes(Library lib) except -1:
    global UV_TCP_SIZE, UV_PIPE_SIZE, UV_TIMER_SIZE, UV_PREPARE_SIZE, UV_CHECK_SIZE, UV_IDLE_SIZE
    global UV_CONNECT_SIZE, UV_WRITE_SIZE, UV_SHUTDOWN_SIZE, UV_FS_SIZE, UV_GETADDRINFO_SIZE
    UV_TCP_SIZE = sane_size(lib, "uv_tcp_t", uv.handle_size(UV_TCP))
    UV_PIPE_SIZE = sane_size(lib, "uv_pipe_t", uv.handle_size(UV_NAMED_PIPE))
    UV_TIMER_SIZE = sane_size(lib, "uv_timer_t", uv.handle_size(UV_TIMER))
    UV_PREPARE_SIZE = sane_size(lib, "uv_prepare_t", uv.handle_size(UV_PREPARE))
    UV_CHECK_SIZE = sane_size(lib, "uv_check_t", uv.handle_size(UV_CHECK))
    UV_IDLE_SIZE = sane_size(lib, "uv_idle_t", uv.handle_size(UV_IDLE))
    UV_CONNECT_SIZE = sane_size(lib, "uv_connect_t", uv.req_size(UV_CONNECT))
    UV_WRITE_SIZE = sane_size(lib, "uv_write_t", uv.req_size(UV_WRITE))
    UV_SHUTDOWN_SIZE = sane_size(lib, "uv_shutdown_t", uv.req_size(UV_SHUTDOWN))
    UV_FS_SIZE = sane_size(lib, "uv_fs_t", uv.req_size(UV_FS))
    UV_GETADDRINFO_SIZE = sane_size(lib, "uv_getaddrinfo_t", uv.req_size(UV_GETADDRINFO))
    return 0


# The wheels export no uv_fs_get_result: a write that fails at once shows that
# uv_fs_get_system_error answers the negated result, on which the access log relies.
cdef int prove_fs_result(Library lib) except -1:
    cdef uv_buf_t nothing
    cdef bytearray memory = bytearray(UV_FS_SIZE)
    cdef uv_fs_t* req = <uv_fs_t*><char*>memory
    cdef int status, answer
    nothing.base = b""
    nothing.len = 0
    status = uv.fs_write(NULL, req, -1, &nothing, 1, -1, NULL)
    answer = uv.fs_get_system_error(req)
    uv.fs_req_cleanup(req)
    if status != UV_EBADF or answer != EBADF:
        refuse(lib, f"a write to no file answers {status} and {answer}")
    return 0


cdef uv_loop_t* loop_ptr(object loop) except NULL:
    import uvloop

    if not isinstance(loop, uvloop.Loop):
        raise TypeError(f"pygw runs on a uvloop loop, not on {type(loop).__name__}")
    return <uv_loop_t*>PyCapsule_GetPointer(uvloop.loop.libuv_get_loop_t_ptr(loop), NULL)


cdef object load():
    cdef Library lib = library_open(LIBUV)
    fill_loop_and_handles(lib)
    fill_streams(lib)
    fill_timers_and_work(lib)
    prove_table(lib)
    prove_version(lib)
    prove_errors(lib)
    read_sizes(lib)
    prove_fs_result(lib)
    sizes = {"tcp": UV_TCP_SIZE, "pipe": UV_PIPE_SIZE, "timer": UV_TIMER_SIZE,
             "write": UV_WRITE_SIZE, "fs": UV_FS_SIZE}
    return LibraryInfo(
        lib.name, uv.version_string().decode(), lib.release, lib.path, sizes
    )


# What is in use, for `pygw doctor`.
info = load()
