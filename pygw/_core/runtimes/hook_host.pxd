# Owns: what a hook may call, as one table of C functions for every language.
# Thread and GIL: one worker's loop; no GIL.
# Never does: let a byte out that the wire forbids, or act when no hook runs.
# Read next: ../types/hook.pxd (hook_host_t) for the contract, native.pyx.

from pygw._core.types.hook cimport hook_host_t

cdef const hook_host_t* hook_host() noexcept nogil
# What a host_error means, for messages; static text.
cdef const char* host_error_text(int error) noexcept nogil
