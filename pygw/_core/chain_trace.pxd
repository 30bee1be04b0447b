# Owns: what each filter of a plan did to an exchange, head by head.
# Thread and GIL: one worker's loop; no GIL.
# Never does: run in a gateway that serves: only a dry run wraps a plan. Decide anything: each call
#   goes to the filter itself, between two pictures of the exchange.
# Read next: dry_run.pyx.

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from pygw._core.types.exchange cimport exchange_t, filter_ops_t, filter_t, plan_t
from pygw._core.types.header cimport span_t
from pygw._core.types.memory cimport arena_t

# One call of a filter in a head phase. A picture is text: a start line ("METHOD target path?query"
# or "status"), then a line "name: value" for each field that would leave.
cdef struct trace_step_t:
    trace_step_t* next        # arena: the next call
    uint16_t place            # of the filter in its route's middleware
    uint8_t phase
    uint8_t verdict
    span_t before             # arena: a picture
    span_t after              # arena: a picture; of the gateway's own answer for VERDICT_REPLY

# What is recorded. Steps and pictures stay until trace_clear.
cdef struct trace_t:
    arena_t arena             # own
    trace_step_t* first       # arena: in the order of the calls
    trace_step_t* last        # arena: the latest
    uint32_t lost             # calls that TRACE_BYTES_MAX had no room for

# A filter of the plan with its wrapping; stands where the filter's conf did.
cdef struct traced_t:
    filter_ops_t ops          # the wrapping: a member for each one of the filter's
    filter_t inner            # the filter as it was built
    uint16_t place
    trace_t* trace            # borrow(who wrapped, until the plan is freed)

cdef void trace_init(trace_t* trace) noexcept nogil
# Forgets what was recorded and gives its memory back.
cdef void trace_clear(trace_t* trace) noexcept nogil
# Wraps every filter of a plan that is not published yet. 0 or E_CORE_MEMORY (then free the plan).
cdef int trace_plan(trace_t* trace, plan_t* plan) noexcept nogil
