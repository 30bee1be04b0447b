# Owns: running a route's filters: order, verdicts, suspension.
# Thread and GIL: one worker's loop; no GIL; no I/O.
# Never does: know in which language a filter is written.
# Read next: filters/.

from pygw._core.types.memory cimport slices_t
from pygw._core.types.exchange cimport exchange_t, verdict_t

# The exchange has its route: words for its filters, and a bill if it is to be timed. 0, or
# E_CORE_MEMORY, and then it has none.
cdef int chain_begin(exchange_t* x) noexcept nogil
# Runs a head phase (request, attempt, response) from filter `start` on. NEXT: all passed. Any other
# verdict: x.chain_at is the place of the filter that gave it, and for WAIT x.waiting[phase] is set;
# the chain goes on with start = place + 1.
cdef verdict_t chain_head(exchange_t* x, int phase, int start) noexcept nogil
# The same for a body phase: `body` goes through the filters from `start` on.
cdef verdict_t chain_body(exchange_t* x, int phase, int start, slices_t* body,
                          bint last) noexcept nogil
# Gives filters the head of the answer to a fault: 0, or the error of the one that failed.
cdef int chain_fault(exchange_t* x) noexcept nogil
# The log phase: every filter that has one, in order.
cdef void chain_log(exchange_t* x) noexcept nogil
# For a filter's response phase: it will change the body of this response, so its length is not
# announced. What no filter says this of keeps its length, and its bytes.
cdef void chain_edit_response(exchange_t* x) noexcept nogil
# Tells each waiting filter that its exchange ends; after it no WAIT is pending.
cdef void chain_cancel(exchange_t* x) noexcept nogil
