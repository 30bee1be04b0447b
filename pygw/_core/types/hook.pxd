# Owns: what a hook is to the chain, and what a language's runtime is to a hook.
# Thread and GIL: declarations only; a worker's loop calls without the GIL unless stated.
# Never does: name a language. filters/hook.pyx wraps every hook; runtimes/* carry them.
# Read next: types/exchange.pxd, then runtimes/.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from pygw._core.types.header cimport span_t, header_t
from pygw._core.types.memory cimport slices_t
from pygw._core.types.timer cimport timer_t
from pygw._core.types.exchange cimport exchange_t, filter_t, host_t

# --- views: what native code and LuaJIT read ------------------------------------------------------
#
# The layout of proto/pygw/v1: `pygw gen` writes the same structs for C, LuaJIT and others, and each
# checks the hash of the layout when it is loaded. Filled before each call and before each resume,
# pointed at nothing after it. Structs grow at their end only; `size` tells how far they go.

# Entries with HF_REMOVED or HF_HOP are not there for a hook.
cdef struct request_view_t:
    uint32_t size
    uint8_t version                   # 10, 11, 20
    uint8_t has_body                  # `body` is the whole body
    span_t method
    span_t scheme
    span_t authority
    span_t path
    span_t query                      # without '?'
    span_t client                     # its address as text
    span_t id                         # request id; empty: none yet
    span_t body
    const header_t* headers           # borrow(exchange, until the next edit)
    uint32_t header_count

cdef struct response_view_t:
    uint32_t size
    uint16_t status
    uint8_t has_body
    span_t body
    const header_t* headers           # borrow(exchange, until the next edit)
    uint32_t header_count

# --- one call -------------------------------------------------------------------------------------

# What a run of a hook came to. REPLY: reply_set was called by the host table. WAIT: the runtime
# will call hook_resume, or hear `cancel`; exactly one of the two. FAILED: `call.error` says why,
# the policy of the hook decides what becomes of the exchange.
ctypedef enum outcome_t:
    OUTCOME_NEXT = 0
    OUTCOME_REPLY = 1
    OUTCOME_WAIT = 2
    OUTCOME_FAILED = 3
    OUTCOME_ABORT = 4

# Why a hook failed: for counters and policy. The text is in call.error.
cdef enum hook_fault:
    HOOK_RAISED = 1                   # an error in the hook's own code
    HOOK_LATE = 2                     # past its deadline
    HOOK_MEMORY = 3                   # its memory cap, or ours
    HOOK_WRONG = 4                    # what it answered means nothing (bad verdict, bad value)
    HOOK_FAULTS = 5

# One run of one hook in one phase. For a run that does not wait it lives on the stack of
# filters/hook.pyx; one that answers WAIT is kept in the exchange's arena until it is over, at the
# same address from the beginning (the filter decides by hook.may_wait).
cdef struct hook_call_t:
    exchange_t* x                     # borrow(exchange, until the call is over)
    const hook_t* hook                # plan
    uint8_t phase                     # enum phase
    uint8_t fault                     # hook_fault when it failed
    uint8_t last                      # body phases, streamed: the body's end
    uint8_t waiting                   # WAIT was answered and neither resumed nor cancelled
    slices_t* body                    # borrow(exchange, until the call returns): NULL: not streamed
    span_t whole                      # body phases, buffered: the whole body; else empty
    uint64_t started_ns               # 0: not timed
    uint64_t deadline_ns              # monotonic; 0: none
    void* run                         # own(runtime): its coroutine or task while WAIT is pending
    timer_t timer                     # deadline of a run that waits
    char error[512]                   # a failed run's message with file and line, NUL-terminated

# --- what a plan knows ----------------------------------------------------------------------------

cdef enum hook_policy:
    HOOK_FAIL = 0                     # the exchange is answered 500 (502 in the response phases)
    HOOK_SKIP = 1                     # as if the hook were not there

cdef enum hook_body:
    HOOK_BODY_NONE = 0
    HOOK_BODY_WHOLE = 1               # held until complete, at most body_max bytes
    HOOK_BODY_STREAM = 2              # piece by piece

# conf of a hook's filter.
cdef struct hook_t:
    const runtime_ops_t* ops          # static
    span_t name                       # plan: as counters, log and profile call it
    span_t file                       # plan: where its code is from
    span_t code                       # plan: what `load` needs (source, module, path of a .so)
    span_t config                     # plan: the hook's own configuration as JSON
    void* loaded                      # own(runtime): from load until release; NULL before
    uint16_t phases                   # bit by enum phase: those in which it has code
    uint8_t policy                    # hook_policy
    uint8_t body                      # hook_body of its body phases
    uint8_t may_wait                  # a run may answer WAIT
    uint32_t deadline_ms              # 0: none
    uint32_t body_max                 # bytes of HOOK_BODY_WHOLE
    uint32_t place                    # in the worker's table of hook counters

# One language. `state` is the worker's own of that language.
cdef struct runtime_ops_t:
    const char* name                  # static: "lua", "python", "native"
    # Makes the hook ready in this worker, on the loop's thread, before its plan is served (the GIL
    # is not held). 0, or an E_* with the reason in `error` (size bytes).
    int (*load)(void* state, hook_t* hook, char* error, uint32_t size) noexcept nogil
    # The plan ends: no call is pending any more.
    void (*release)(void* state, hook_t* hook) noexcept nogil
    # Runs the hook. May answer WAIT only if hook.may_wait.
    outcome_t (*call)(void* state, hook_call_t* call) noexcept nogil
    # The exchange or the deadline ends a run that waits; `run` is gone after it.
    void (*cancel)(void* state, hook_call_t* call) noexcept nogil

cdef enum runtime:
    RUNTIME_NATIVE = 0
    RUNTIME_LUA = 1
    RUNTIME_PYTHON = 2
    RUNTIMES = 3

# A worker's hooks: behind host_t.hooks.
cdef struct hooks_t:
    host_t* host                      # borrow(worker, for ever)
    void* states[3]                   # own(runtime): by enum runtime; NULL until first needed
    request_view_t request            # the views of the call that runs
    response_view_t response
    hook_call_t* running              # borrow(its caller, until it returns); NULL: none runs
