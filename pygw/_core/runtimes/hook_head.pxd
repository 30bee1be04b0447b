# Owns: what a hook may do to heads: look fields up, edit them, and the start lines.
# Thread and GIL: one worker's loop; no GIL.
# Never does: let a byte out that the wire forbids, or a field that frames a message.
# Read next: ../types/hook.pxd (hook_host_t) for the contract, hook_host.pyx for the table.

from libc.stdint cimport uint16_t, uint32_t
from pygw._core.types.exchange cimport exchange_t
from pygw._core.types.header cimport header_t, span_t
from pygw._core.types.hook cimport request_view_t, response_view_t

# A copy in the exchange's arena; ptr NULL without memory.
cdef span_t hook_keep(exchange_t* x, const char* ptr, uint32_t size) noexcept nogil
# 0, or why a field of this name may not be written in that head; its header_id in `id`.
cdef int hook_name_check(int side, span_t name, uint16_t* id) noexcept nogil
# The number of a method that a request may have, by its name in capitals; HOST_BAD: none.
cdef int hook_method_number(span_t name) noexcept nogil

# Members of hook_host_t.
cdef const request_view_t* hook_request_view(void* ctx) noexcept nogil
cdef const response_view_t* hook_response_view(void* ctx) noexcept nogil
cdef const header_t* hook_header_next(void* ctx, int side, const header_t* after) noexcept nogil
cdef const header_t* hook_header_find(void* ctx, int side, const char* name, uint32_t name_len,
                                    const header_t* after) noexcept nogil
cdef int hook_header_set(void* ctx, int side, const char* name, uint32_t name_len,
                       const char* value, uint32_t value_len) noexcept nogil
cdef int hook_header_add(void* ctx, int side, const char* name, uint32_t name_len,
                       const char* value, uint32_t value_len) noexcept nogil
# Content-Length goes only where no body follows (MF_HEAD_ONLY).
cdef int hook_header_del(void* ctx, int side, const char* name, uint32_t name_len) noexcept nogil
cdef int hook_method_set(void* ctx, const char* ptr, uint32_t size) noexcept nogil
cdef int hook_path_set(void* ctx, const char* ptr, uint32_t size) noexcept nogil
cdef int hook_query_set(void* ctx, const char* ptr, uint32_t size) noexcept nogil
cdef int hook_status_set(void* ctx, uint32_t status) noexcept nogil
