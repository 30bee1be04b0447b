# Owns: what a native hook is to C: what it is called with, and what it may answer.
# Thread and GIL: one worker's loop; no GIL.
# Never does: trust a number that a plugin answers.
# Read next: pygw/include/pygw_plugin.h, native_fetch.pxd.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from pygw._core.types.hook cimport hook_call_t, outcome_t

cdef extern from "pygw_plugin.h" nogil:
    enum: PYGW_ABI
    uint64_t PYGW_LAYOUT
    ctypedef struct pygw_span:
        const char* ptr               # borrow(who fills it, until its call returns)
        uint32_t len
    ctypedef struct pygw_header:
        pass
    ctypedef struct pygw_request:
        pass
    ctypedef struct pygw_response:
        pass
    ctypedef struct pygw_host:
        pass
    ctypedef struct pygw_call:
        uint32_t size
        uint8_t phase
        uint8_t last
        void* ctx                     # borrow(worker, for ever): hooks_t
        const pygw_host* host         # static
        const pygw_request* request   # borrow(worker, until the call returns)
        const pygw_response* response # borrow(worker, until the call returns)
    ctypedef struct pygw_config:
        uint32_t size
        pygw_span name
        pygw_span json
    ctypedef struct pygw_fetch:
        uint32_t size
        uint32_t timeout_ms
        pygw_span upstream
        pygw_span method
        pygw_span path
        pygw_span body
        const pygw_span* fields       # borrow(the plugin, until its call returns)
        uint32_t field_count
    ctypedef struct pygw_fetched:
        uint32_t size
        uint32_t status
        const char* error             # static
        const char* cause             # static
        const pygw_header* fields     # borrow(exchange, until the call returns)
        uint32_t field_count
        pygw_span body
    ctypedef int (*pygw_fetched_fn)(void* self, const pygw_call* call, void* arg,
                                    const pygw_fetched* got) noexcept nogil
    ctypedef int (*pygw_phase_fn)(void* self, const pygw_call* call) noexcept nogil
    ctypedef struct pygw_plugin:
        uint32_t size
        uint32_t abi
        uint64_t layout
        void* self                    # own(the shared object, until destroy)
        pygw_phase_fn request
        pygw_phase_fn request_body
        pygw_phase_fn attempt
        pygw_phase_fn response
        pygw_phase_fn response_body
        pygw_phase_fn log
        void (*destroy)(void* self) noexcept nogil
        char error[256]
        uint8_t may_wait

# One hook's instance.
cdef struct native_t:
    void* handle                      # own: of dlopen
    pygw_phase_fn by_phase[6]         # static: in the shared object
    pygw_plugin plugin

# What a function of the plugin is given for this call.
cdef void native_fill(hook_call_t* call, pygw_call* c) noexcept nogil
# What it answered.
cdef outcome_t native_outcome(hook_call_t* call, int answer) noexcept nogil
