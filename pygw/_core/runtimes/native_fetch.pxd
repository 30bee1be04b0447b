# Owns: requests that a native hook makes.
# Thread and GIL: one worker's loop; no GIL.
# Never does: trust what a plugin fills in.
# Read next: native_call.pxd, hook_fetch.pxd.

# hook_host_t.fetch. A compiled hook in Python has it too, but never may_wait, so it is HOST_PHASE.
cdef int native_fetch(void* ctx, const void* what, void* done, void* arg) noexcept nogil
