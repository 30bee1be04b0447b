# Owns: what a hook is to the chain, what a language's runtime is to a hook, what a hook may call.
# Thread and GIL: declarations only; a worker's loop calls without the GIL unless stated.
# Never does: name a language. filters/hook.pyx wraps every hook; runtimes/* carry them.
# Read next: types/exchange.pxd, then filters/hook.pxd, hooks.pxd, runtimes/.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from pygw._core.pb.http_views cimport request_view_t, response_view_t
from pygw._core.types.header cimport span_t, header_t
from pygw._core.types.memory cimport blocks_t, buffer_t, slices_t
from pygw._core.types.timer cimport timer_t
from pygw._core.types.exchange cimport exchange_t, filter_t, host_t
from pygw._core.types.upstream cimport upstream_t

# --- views: what native code and LuaJIT read ------------------------------------------------------
#
# Their structs come from proto/pygw/v1/http.proto, as those of C, LuaJIT and others. Filled by
# hook_enter, after each edit, and emptied by hook_leave. Structs grow at their end only; `size`
# tells how far they go. Entries with HF_REMOVED or HF_HOP are not there for a hook. `headers` may
# move with each edit. In the request's phases all of response_view_t is empty.

# --- one call -------------------------------------------------------------------------------------

# What a run of a hook came to. REPLY: host.reply was called and is meant. WAIT: the runtime will
# call hook_resume, or hear `cancel`; exactly one of the two. FAILED: `call.error` says why and
# `call.fault` of which kind; the policy of the hook decides what becomes of the exchange.
ctypedef enum outcome_t:
    OUTCOME_NEXT = 0
    OUTCOME_REPLY = 1
    OUTCOME_WAIT = 2
    OUTCOME_FAILED = 3
    OUTCOME_ABORT = 4
    OUTCOMES = 5

# Why a hook failed: for counters and policy. The text is in call.error.
cdef enum hook_fault:
    HOOK_RAISED = 1                   # an error in the hook's own code
    HOOK_LATE = 2                     # past its deadline
    HOOK_MEMORY = 3                   # its memory cap, or ours
    HOOK_WRONG = 4                    # what it answered means nothing (bad verdict, bad value)

# What a run has asked for and not got yet: it hangs in call.pending. `over` is called when the run
# ends before: it takes itself off and is gone.
cdef struct pending_t:
    pending_t* next                   # borrow(call, until it is there or over): others
    pending_t** link                  # borrow(call, until it is there or over): what points here
    void (*over)(pending_t* p) noexcept nogil     # static

# One run of one hook in one phase. For a run that does not wait it lives on the stack of
# filters/hook.pyx; where hook.may_wait, in hooks_t.calls, at the same address until it is over.
cdef struct hook_call_t:
    exchange_t* x                     # borrow(exchange, until the call is over)
    const hook_t* hook                # plan
    hooks_t* hooks                    # borrow(worker, for ever): what the host table takes as ctx
    uint8_t phase                     # enum phase
    uint8_t fault                     # hook_fault when it failed
    uint8_t last                      # body phases: `body` ends with this
    uint8_t waiting                   # WAIT was answered and neither resumed nor cancelled
    uint8_t chain_phase               # the phase in which the chain waits for it
    uint8_t replaced                  # body phases: `fresh` stands in for the body at hand
    uint8_t gathering                 # it has not run yet: its body is still coming
    uint8_t ends                      # streamed: `last` comes with the last of `rest`
    span_t body                       # the whole body, or the piece at hand; as in the view
    reply_t* reply                    # arena: what host.reply said; NULL: nothing
    uint64_t started_ns               # 0: not timed
    void* run                         # own(runtime): its coroutine or task while WAIT is pending
    char* error                       # borrow(worker, for ever): why it failed, with file and line,
    # in at most HOOK_ERROR_MAX bytes, NUL-terminated
    # From here on of runs that wait or have a body: left as they are for a head's.
    slices_t piece                    # own: streamed: what `body` is of
    slices_t fresh                    # own: what body_set gave
    slices_t rest                     # own: pieces that were not given to it yet (stream)
    timer_t timer                     # deadline of a run that waits
    hook_call_t* next                 # borrow(exchange, until it is over): others that wait
    pending_t* pending                # own: what it has asked for
    uint32_t fetched                  # requests that it has made: FETCHES_RUN
    record_t* record                  # arena: of a run whose decision may be kept; else NULL

# An answer in the making; applied when the run comes to REPLY.
cdef struct reply_t:
    uint32_t status
    span_t content_type               # arena
    span_t body                       # arena
    header_t* fields                  # arena: HOOK_REPLY_FIELDS; only name and value count
    uint32_t field_count

# A variable of an exchange, which all its hooks share.
cdef struct var_t:
    var_t* next                       # arena
    span_t name                       # arena
    span_t value                      # arena: any bytes

# Writes of a run in their order, for hook_cache.pxd. `number` is a side or a status.
cdef struct op_t:
    op_t* next                        # arena
    uint8_t what                      # enum op of hook_cache.pxd
    uint32_t number
    span_t name                       # arena
    span_t value                      # arena

# Runs that wait for another of the same key, in the order in which they came.
cdef struct line_t:
    record_t* first                   # borrow(their calls, until they leave it)
    record_t* last                    # borrow(their calls, until they leave it)
    uint32_t count

cdef struct record_t:
    op_t* first                       # arena
    op_t** last                       # arena
    uint32_t count
    uint32_t bytes                    # of names and values
    uint8_t broken                    # there was no room: nothing is kept
    uint8_t ended                     # its run came to an end of its own
    uint64_t hash                     # of the key
    span_t key                        # arena
    hook_call_t* call                 # borrow(filters/hook.pyx, while it leads or stands in a line)
    record_t* next                    # borrow(cache, while it leads): others of its bucket
    record_t** link                   # borrow(cache, while it leads): what points here; else NULL
    line_t behind                     # those that wait for what it leads to
    line_t* line                      # borrow(cache, while it stands there): where it stands
    record_t* before                  # borrow(line, while it stands there)
    record_t* after                   # borrow(line, while it stands there)

# --- what a plan knows ----------------------------------------------------------------------------

cdef enum hook_policy:
    HOOK_FAIL = 0                     # the exchange is answered 500 (502 in the response phases)
    HOOK_SKIP = 1                     # as if the hook were not there

# BODY_WHOLE: the head waits until the body is complete, so that a hook can edit both by it. The
# call in the body phase has `body` with `last`, also where there is no body.
cdef enum hook_body:
    HOOK_BODY_NONE = 0                # its body phases are not called
    HOOK_BODY_WHOLE = 1               # held until complete, at most body_max bytes
    HOOK_BODY_STREAM = 2              # piece by piece

# What hooks read and write, as `reads` and `writes` name it.
cdef enum hook_field:
    FIELD_METHOD = 1
    FIELD_PATH = 2                    # and what the route took out of it
    FIELD_QUERY = 4
    FIELD_SCHEME = 8
    FIELD_AUTHORITY = 16
    FIELD_VERSION = 32
    FIELD_CLIENT = 64
    FIELD_ID = 128
    FIELD_HEADERS = 256               # all fields of the request
    FIELD_BODY = 512
    FIELD_STATUS = 1024
    FIELD_RESPONSE_HEADERS = 2048
    FIELD_RESPONSE_BODY = 4096
    FIELD_VARS = 8192
    FIELD_REPLY = 16384               # an answer of its own, or none: writes only

# Kinds of names in a mask: of fields by hook_side, of variables.
cdef enum:
    MASK_VARS = 2
    MASK_KINDS = 3

cdef struct mask_t:
    uint32_t fields                   # hook_field mask
    span_t* names[3]                  # plan: MASK_KINDS; further names of each kind
    uint16_t counts[3]

# Decisions that are kept: hook_cache.pxd.
cdef struct caching_t:
    void* key                         # plan: template_t
    uint32_t ttl_ms

# conf of a hook's filter.
cdef struct hook_t:
    const runtime_ops_t* ops          # static
    span_t name                       # plan: as counters, log and profile call it
    span_t file                       # plan: where its code is from
    span_t code                       # plan: what `load` needs (source, module, path of a .so)
    span_t config                     # plan: the hook's own configuration as JSON
    void* loaded                      # own(runtime): from load until release; NULL before
    uint16_t phases                   # bit by enum phase: those in which it has code
    uint8_t runtime                   # enum runtime
    uint8_t policy                    # hook_policy
    uint8_t body                      # hook_body of its body phases
    uint8_t may_wait                  # a run may answer WAIT
    uint8_t kept                      # its calls lie in hooks_t.calls: may_wait, or caching
    uint8_t masked                    # it does not see everything: reads
    uint8_t watched                   # its writes are looked at: writes, or caching
    uint32_t deadline_ms              # 0: none
    uint32_t body_max                 # bytes of HOOK_BODY_WHOLE
    span_t* fetch_names               # plan: upstreams that it may fetch from
    upstream_t** fetch_to             # plan: the same, found
    uint16_t fetch_count
    const mask_t* reads               # plan; NULL: everything
    const mask_t* writes              # plan; NULL: everything
    const caching_t* caching          # plan; NULL: each run is its own
    uint16_t slot                     # of its filter: the runs that wait, in exchange.slots
    uint8_t ready                     # loaded in this worker

# One language. `state` is the worker's own of that language, made by `open` when a first plan needs
# it and kept until the worker ends.
cdef struct runtime_ops_t:
    const char* name                  # static: "lua", "python", "native"
    # The worker's state of this language; NULL with the reason in `error` (size bytes).
    void* (*open)(hooks_t* hooks, char* error, uint32_t size) noexcept nogil
    # The worker ends: every hook was released.
    void (*close)(void* state) noexcept nogil
    # Makes the hook ready in this worker, on the loop's thread, before its plan is served (the GIL
    # is not held). 0, or an E_* with the reason in `error` (size bytes).
    int (*load)(void* state, hook_t* hook, char* error, uint32_t size) noexcept nogil
    # The plan ends: no call is pending any more. Only after a load that answered 0.
    void (*release)(void* state, hook_t* hook) noexcept nogil
    # Runs the hook; views are filled, hooks.running is the call. WAIT only if hook.may_wait. In the
    # log phase the outcome counts for nothing but FAILED, and WAIT is not allowed.
    outcome_t (*call)(void* state, hook_call_t* call) noexcept nogil
    # The exchange or the deadline ends a run that waits; `run` is gone after it.
    void (*cancel)(void* state, hook_call_t* call) noexcept nogil

cdef enum runtime:
    RUNTIME_NATIVE = 0
    RUNTIME_LUA = 1
    RUNTIME_PYTHON = 2
    RUNTIMES = 3

# --- what a hook may call -------------------------------------------------------------------------

cdef enum hook_side:
    SIDE_REQUEST = 0
    SIDE_RESPONSE = 1

# What a host function answers instead of 0 or a count.
cdef enum host_error:
    HOST_DEAD = -1                    # no call runs: what it was about is over
    HOST_BAD = -2                     # bytes that the wire forbids there, or no such value
    HOST_OURS = -3                    # a field that the gateway writes itself
    HOST_LATE = -4                    # that head, or the response's, has left
    HOST_PHASE = -5                   # it has no meaning in this phase
    HOST_FULL = -6                    # a bound, or memory
    HOST_NONE = -7                    # there is no such thing
    HOST_MASKED = -8                  # the hook's `writes` does not name it

# The functions of a worker for hooks in any language, one static table. `ctx` is the worker's
# hooks_t; all act on the call that runs, and answer HOST_DEAD (NULL, 0) when none does. Bytes that
# are given are copied; what is given back lies in the exchange and stays until the run is over,
# entries of a head until the next edit. Every value is checked like the wire: names are tokens, no
# CR, LF or NUL, no field that frames a message or belongs to one connection.
cdef struct hook_host_t:
    uint32_t size                     # bytes of this struct: it grows at its end only
    uint32_t abi                      # HOOK_ABI
    uint64_t layout                   # hash of the views' layout
    const request_view_t* (*request)(void* ctx) noexcept nogil
    const response_view_t* (*response)(void* ctx) noexcept nogil
    # The first field of the name (any case) behind `after` (NULL: from the beginning); NULL: none.
    const header_t* (*header_find)(void* ctx, int side, const char* name, uint32_t name_len,
                                   const header_t* after) noexcept nogil
    # The next field that is there; NULL: no more.
    const header_t* (*header_next)(void* ctx, int side, const header_t* after) noexcept nogil
    # Takes the place of all fields of the name / one more / takes out all (how many they were).
    int (*header_set)(void* ctx, int side, const char* name, uint32_t name_len,
                      const char* value, uint32_t value_len) noexcept nogil
    int (*header_add)(void* ctx, int side, const char* name, uint32_t name_len,
                      const char* value, uint32_t value_len) noexcept nogil
    int (*header_del)(void* ctx, int side, const char* name, uint32_t name_len) noexcept nogil
    # For the service; routing is over. A path is clean by the rules of retarget.pxd.
    int (*method_set)(void* ctx, const char* ptr, uint32_t len) noexcept nogil
    int (*path_set)(void* ctx, const char* ptr, uint32_t len) noexcept nogil
    int (*query_set)(void* ctx, const char* ptr, uint32_t len) noexcept nogil
    int (*status_set)(void* ctx, uint32_t status) noexcept nogil
    # An answer of the hook's own; the run must then come to REPLY. Once a run; fields after it.
    int (*reply)(void* ctx, uint32_t status, const char* content_type, uint32_t type_len,
                 const char* body, uint32_t body_len) noexcept nogil
    int (*reply_header)(void* ctx, const char* name, uint32_t name_len,
                        const char* value, uint32_t value_len) noexcept nogil
    # Body phases: these bytes instead of the body, or of the piece, at hand.
    int (*body_set)(void* ctx, const char* ptr, uint32_t len) noexcept nogil
    # Variables of the exchange, which all hooks of its chain share; any bytes.
    const span_t* (*var_get)(void* ctx, const char* name, uint32_t name_len) noexcept nogil
    int (*var_set)(void* ctx, const char* name, uint32_t name_len,
                   const char* value, uint32_t value_len) noexcept nogil
    # A line on standard error, bounded in length and number; level: enum log_level.
    int (*log)(void* ctx, uint32_t level, const char* ptr, uint32_t len) noexcept nogil
    uint64_t (*unix_ms)(void* ctx) noexcept nogil
    uint64_t (*monotonic_ns)(void* ctx) noexcept nogil
    # The request's id, made if it has none; NULL without memory.
    const span_t* (*request_id)(void* ctx) noexcept nogil
    # What call.error is to say when the run comes to FAILED.
    int (*fail)(void* ctx, const char* ptr, uint32_t len) noexcept nogil
    # For native hooks: pygw_fetch, pygw_fetched_fn of pygw_plugin.h. 0: the run may answer WAIT.
    int (*fetch)(void* ctx, const void* what, void* done, void* arg) noexcept nogil

cdef enum log_level:
    LOG_DEBUG = 0
    LOG_INFO = 1
    LOG_WARNING = 2
    LOG_ERROR = 3
    LOG_LEVELS = 4

cdef enum:
    HOOK_ABI = 1

# Decisions that a worker keeps: hook_cache.pxd.
cdef struct hook_cache_t:
    blocks_t entries
    blocks_t tables                   # one: where `buckets` and `leads` lie
    void** buckets                    # own: cache_entry_t of hook_cache.pyx; NULL before the first
    record_t** leads                  # borrow(buckets, for ever): runs that others wait for, by key
    line_t woken                      # those that go on at once
    timer_t wake                      # when they do
    void* newest                      # own: likewise, by their last use
    void* oldest                      # borrow(itself, while it is there)
    uint32_t count
    uint64_t bytes
    uint64_t seed

# A name that a hook wrote, at most 16 bytes: that it is a token, and its id.
cdef struct named_t:
    uint64_t head                     # its first eight bytes, or all: word_of of view.pxd
    uint64_t tail                     # its last eight; 0 where eight are all
    uint32_t len                      # 0: nothing here
    uint16_t id                       # header_id

# A worker's hooks: behind host_t.hooks.
cdef struct hooks_t:
    host_t* host                      # borrow(worker, for ever)
    const hook_host_t* api            # static
    request_view_t request            # the views of the call that runs
    response_view_t response
    hook_call_t* running              # borrow(its caller, until it returns); NULL: none runs
    void* states[3]                   # own(runtime): by enum runtime; NULL until first needed
    named_t names[8]                  # HOOK_NAMES: hooks write few names again and again
    blocks_t calls                    # of runs that may wait
    blocks_t fetches                  # fetch_t of runtimes/hook_fetch.pxd, behind their first use
    uint32_t fetch_count
    hook_cache_t cache
    uint64_t log_since_ms             # of this window
    uint32_t log_lines                # in it
    uint32_t log_dropped              # beyond HOOK_LOG_LINES
    void (*write)(void* arg, const char* line, size_t size) noexcept nogil   # a line of the log
    void* write_arg                   # borrow(worker, for ever)
    # Hears each run that ends after a wait, and each that failed; NULL but in a watched_worker.
    void (*watch)(hook_call_t* call, outcome_t outcome) noexcept nogil
    char error[1024]                  # HOOK_ERROR_MAX: of the run that fails
