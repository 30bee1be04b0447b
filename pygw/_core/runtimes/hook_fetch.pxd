# Owns: requests that a hook makes: asked, sent, answered, given back.
# Thread and GIL: one worker's loop; no GIL.
# Never does: go anywhere but to the upstreams that the hook's `fetch` names; let a byte out that
#   the wire forbids; outlive the run that asked.
# Read next: ../detached.pxd, which carries them; lua_fetch.pyx, python_fetch.pyx.
#
#   fetch_open > fetch_line > fetch_field* > fetch_send > (a later turn) `done` > fetch_drop
# Every int is 0 or a host_error. One that was opened is dropped in the end, whatever became of it.

from libc.stdint cimport uint16_t, uint32_t
from pygw._core.detached cimport detached_t
from pygw._core.types.header cimport header_t, span_t
from pygw._core.types.hook cimport hook_call_t, hooks_t, pending_t
from pygw._core.types.memory cimport slices_t

# What came. Good within `done`. prelude/core.lua has the same struct.
cdef struct fetched_t:
    const char* error             # static: why there is no answer, in a word or two; NULL: there is
    const char* cause             # static: the same as the access log's causes have it
    uint32_t status
    uint32_t field_count
    const header_t* fields        # borrow(exchange, within `done`)
    span_t body                   # borrow(fetch, within `done`): whole

# Whether the run that asked ended before: nobody waits for it.
cdef inline bint fetched_over(const fetched_t* r) noexcept nogil:
    return r.error != NULL and r.error[0] == c'o'

ctypedef void (*fetch_done_fn)(fetch_t* f) noexcept nogil

cdef struct fetch_t:
    pending_t pending             # first: hangs in its call until it is over
    hooks_t* hooks                # borrow(worker, for ever)
    hook_call_t* call             # borrow(filter, while it is pending): who asked
    detached_t* d                 # borrow(detacheds, until it ends); NULL: over, or not made
    fetch_done_fn done            # static
    void* owner                   # borrow(runtime, until fetch_drop)
    uint32_t fields               # given so far
    slices_t body                 # own: what came of the answer
    fetched_t result

# The run asks for a request to the upstream of that name. NULL: *error is HOST_NONE (not among the
# hook's), HOST_PHASE (the run cannot wait), HOST_FULL (a bound, or memory).
cdef fetch_t* fetch_open(hook_call_t* call, span_t upstream, int* error) noexcept nogil
# Method in capitals; path with its query, clean by the rules of retarget.pxd.
cdef int fetch_line(fetch_t* f, span_t method, span_t target) noexcept nogil
# Host takes the place of the target's own name; fields that frame a message are refused.
cdef int fetch_field(fetch_t* f, span_t name, span_t value) noexcept nogil
# Sends it, with these bytes as its body (ptr NULL: none). `done` is called once, in a later turn,
# and when the run ends before: then `result.error` says so. timeout_ms 0: FETCH_MS.
cdef int fetch_send(fetch_t* f, span_t body, uint32_t timeout_ms,
                    fetch_done_fn done, void* owner) noexcept nogil
# It is gone, whether it was sent or not; `done` is not called any more. Legal within `done`.
cdef void fetch_drop(fetch_t* f) noexcept nogil
