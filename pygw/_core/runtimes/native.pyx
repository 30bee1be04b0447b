# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: hooks in shared objects: loading a private copy, its functions by phase.
# Thread and GIL: calls are one worker's loop without the GIL; loading takes it.
# Never does: trust a number that a plugin answers. Its memory it must trust: same process.
# Read next: pygw/include/pygw_plugin.h, ../types/hook.pxd.
"""Native hooks: shared objects that export ``pygw_plugin_init``."""

import hashlib
import itertools
import json
import os

from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy, memset
from pygw._core.fault cimport E_CORE_INTERNAL
from pygw._core.hooks cimport runtime_register
from pygw._core.pb.http_views cimport PYGW_HTTP_VIEWS
from pygw._core.runtimes.hook_host cimport hook_host
from pygw._core.runtimes.native_call cimport *
from pygw._core.types.header cimport header_t
from pygw._core.types.hook cimport *

cdef extern from "<dlfcn.h>" nogil:
    int RTLD_NOW, RTLD_LOCAL, RTLD_NODELETE
    void* dlopen(const char* path, int flags)
    void* dlsym(void* handle, const char* name)
    int dlclose(void* handle)
    const char* dlerror()

ctypedef int (*init_fn)(const pygw_host* host, const pygw_config* config,
                        pygw_plugin* out) noexcept nogil

PHASE_NAMES = ("request", "request_body", "attempt", "response", "response_body", "log")
FILE_MAX = 64 << 20
numbers = itertools.count(1)          # of what was loaded in this process

cdef runtime_ops_t ops
cdef uint8_t nothing                  # the state: none is needed


# --- loading --------------------------------------------------------------------------------------


# The bytes of a plugin: `code` is "SHA256 PATH"; all workers must load what was checked.
cdef bytes plugin_bytes(bytes code):
    digest, _, path = code.partition(b" ")
    try:
        with open(path, "rb") as file:
            content = file.read(FILE_MAX + 1)
    except OSError as error:
        raise ValueError(f"{path.decode()}: {error.strerror}") from error
    if len(content) > FILE_MAX:
        raise ValueError(f"{path.decode()}: is longer than {FILE_MAX} bytes")
    if hashlib.sha256(content).hexdigest().encode() != digest:
        raise ValueError(f"{path.decode()}: has changed since the configuration was read")
    return content


# A name of this descriptor that the loader has not seen. For one that it knows it gives what is
# loaded under it, and numbers of descriptors come again: the old code would go on. `/` and `./` are
# nothing in a path, and so write a number into it.
cdef bytes fresh_name(int fd):
    number = next(numbers)
    steps = "".join("./" if number >> bit & 1 else "/" for bit in range(number.bit_length()))
    return f"/proc/self/fd/{steps}{fd}".encode()


cdef void* plugin_open(bytes content, str file) except NULL:
    cdef void* handle
    cdef bytes name
    fd = os.memfd_create("pygw-plugin", os.MFD_CLOEXEC)
    try:
        at = 0
        while at < len(content):
            at += os.pwrite(fd, content[at:at + (1 << 20)], at)
        name = fresh_name(fd)
        handle = dlopen(name, RTLD_NOW | RTLD_LOCAL)
        if handle == NULL:
            why = dlerror().decode(errors="replace").replace(name.decode(), file)
            raise ValueError(f"{file}: cannot be loaded: {why}")
        if dlsym(handle, b"_cgo_topofstack") != NULL:
            dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE)   # Go's runtime cannot be unloaded
    finally:
        os.close(fd)
    return handle


cdef int plugin_init(native_t* n, str file, bytes name, bytes config) except -1:
    cdef init_fn init = <init_fn>dlsym(n.handle, b"pygw_plugin_init")
    cdef pygw_config c
    cdef pygw_plugin* p = &n.plugin
    cdef int answer
    if init == NULL:
        raise ValueError(f"{file}: does not export pygw_plugin_init")
    memset(&c, 0, sizeof(c))
    c.size = sizeof(c)
    c.name.ptr, c.name.len = name, <uint32_t>len(name)
    c.json.ptr, c.json.len = config, <uint32_t>len(config)
    p.size = sizeof(pygw_plugin)
    with nogil:
        answer = init(<const pygw_host*>hook_host(), &c, p)
    if p.abi != PYGW_ABI or p.layout != PYGW_LAYOUT:
        raise ValueError(f"{file}: is built for another pygw: ABI {p.abi} and layout"
                         f" {p.layout:x}, this one has {PYGW_ABI} and {PYGW_LAYOUT:x}")
    if answer != 0:
        p.error[sizeof(p.error) - 1] = 0
        why = (<bytes>p.error).decode(errors="replace") or f"pygw_plugin_init answered {answer}"
        raise ValueError(f"{file}: {why}")
    n.by_phase[0], n.by_phase[1], n.by_phase[2] = p.request, p.request_body, p.attempt
    n.by_phase[3], n.by_phase[4], n.by_phase[5] = p.response, p.response_body, p.log
    return 0


cdef native_t* native_make(bytes code, str file, bytes name, bytes config) except NULL:
    cdef native_t* n = <native_t*>PyMem_RawCalloc(1, sizeof(native_t))
    if n == NULL:
        raise MemoryError
    try:
        n.handle = plugin_open(plugin_bytes(code), file)
        plugin_init(n, file, name, config)
    except BaseException:
        if n.handle != NULL:
            dlclose(n.handle)
        PyMem_RawFree(n)
        raise
    return n


cdef void native_free(native_t* n) noexcept nogil:
    if n.plugin.destroy != NULL:
        n.plugin.destroy(n.plugin.self)
    dlclose(n.handle)
    PyMem_RawFree(n)


def describe(code: bytes, file: str, config: object) -> dict[str, object]:
    """What a plugin says of itself, from an instance of its own that is gone afterwards.

    Raises ValueError for a file that cannot be read or loaded, and for a plugin that refuses.
    """
    cdef bytes text = json.dumps(config, separators=(",", ":")).encode()
    cdef native_t* n = native_make(code, file, b"describe", text)
    phases = [name for i, name in enumerate(PHASE_NAMES) if n.by_phase[i] != NULL]
    waits = bool(n.plugin.may_wait)
    native_free(n)
    if not phases:
        raise ValueError(f"{file}: pygw_plugin_init named no function of a phase")
    return {"phases": phases, "may_wait": waits, "config": config}


# --- the runtime ----------------------------------------------------------------------------------


cdef void* native_open(hooks_t* hooks, char* error, uint32_t size) noexcept nogil:
    return &nothing


cdef void native_close(void* state) noexcept nogil:
    pass


cdef int native_load(void* state, hook_t* hook, char* error, uint32_t size) noexcept with gil:
    cdef bytes text
    try:
        hook.loaded = native_make(hook.code.ptr[:hook.code.len],
                                  hook.file.ptr[:hook.file.len].decode(),
                                  hook.name.ptr[:hook.name.len],
                                  hook.config.ptr[:hook.config.len])
        return 0
    except Exception as why:
        text = str(why).encode(errors="replace")[:size - 1]
        memcpy(error, <const char*>text, len(text) + 1)       # COPY: the text is Python's
        return E_CORE_INTERNAL


cdef void native_release(void* state, hook_t* hook) noexcept nogil:
    native_free(<native_t*>hook.loaded)
    hook.loaded = NULL


cdef outcome_t native_call(void* state, hook_call_t* call) noexcept nogil:
    cdef native_t* n = <native_t*>call.hook.loaded
    cdef pygw_call c
    native_fill(call, &c)
    return native_outcome(call, n.by_phase[call.phase](n.plugin.self, &c))


cdef void native_cancel(void* state, hook_call_t* call) noexcept nogil:
    pass


ops.name = b"native"
ops.open = native_open
ops.close = native_close
ops.load = native_load
ops.release = native_release
ops.call = native_call
ops.cancel = native_cancel

if (sizeof(pygw_request) != sizeof(request_view_t) or sizeof(pygw_header) != sizeof(header_t)
        or sizeof(pygw_response) != sizeof(response_view_t)
        or sizeof(pygw_host) != sizeof(hook_host_t) or PYGW_LAYOUT != PYGW_HTTP_VIEWS
        or PYGW_ABI != HOOK_ABI):
    raise ImportError(f"pygw_plugin.h has layout {PYGW_LAYOUT:x}, the data plane"
                      f" {PYGW_HTTP_VIEWS:x}: build again")
runtime_register(RUNTIME_NATIVE, &ops, describe)
