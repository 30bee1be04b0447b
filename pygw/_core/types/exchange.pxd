# Owns: THE unit of work and what it moves through: exchange, attempt, filter, chain, route, plan,
#   host. They name each other, so they stand in one file.
# Thread and GIL: one worker's loop, no GIL; declarations only.
# Never does: know a socket. Waiting, connecting and time are reached through host_t.
# Read next: ../exchange.pxd.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from pygw._core.types.bill cimport bill_head_t, bill_row_t, bill_t, pause_t
from pygw._core.types.header cimport span_t, header_t
from pygw._core.types.memory cimport arena_t, arena_chunk_t, slices_t, buffers_t
from pygw._core.types.message cimport request_t, response_t
from pygw._core.types.stream cimport stream_t
from pygw._core.types.timer cimport timer_t
from pygw._core.types.address cimport address_t, cidr_set_t
from pygw._core.types.route cimport conditions_t, router_t
from pygw._core.types.upstream cimport split_t, target_t, timeouts_t, upstream_t

# The moments of an exchange at which filters act, in this order. `attempt` runs before each
# attempt's head leaves; `log` exactly once, always, and answers nothing.
cdef enum phase:
    PHASE_REQUEST = 0
    PHASE_REQUEST_BODY = 1
    PHASE_ATTEMPT = 2
    PHASE_RESPONSE = 3
    PHASE_RESPONSE_BODY = 4
    PHASE_LOG = 5
    PHASES = 6

# What a filter answers.
# NEXT   go on.
# REPLY  exchange.response has been set by reply_set; legal until the response head has left.
# WAIT   the filter will call exchange_resume, or hear `cancel`; exactly one of the two.
# ABORT  the exchange ends with exchange.error (or E_HOOK_ABORTED): a status if the head has not
#        left, else a cut message.
ctypedef enum verdict_t:
    VERDICT_NEXT = 0
    VERDICT_REPLY = 1
    VERDICT_WAIT = 2
    VERDICT_ABORT = 3

# The answer to a fault goes past the response chain, which may be what failed. A filter whose
# fields it must have all the same adds them in `fault`: it looks at nothing but the two heads, adds
# fields to the response, and must do even if none of its other calls came before. None is called
# when memory ran out or the response chain waited.
ctypedef verdict_t (*filter_head_fn)(exchange_t* x, const filter_t* f) noexcept nogil
ctypedef verdict_t (*filter_body_fn)(exchange_t* x, const filter_t* f,
                                     slices_t* body, bint last) noexcept nogil
ctypedef void (*filter_log_fn)(exchange_t* x, const filter_t* f) noexcept nogil
ctypedef void (*filter_cancel_fn)(exchange_t* x, const filter_t* f, int phase) noexcept nogil
ctypedef void (*filter_gather_fn)(exchange_t* x, const filter_t* f, int phase) noexcept nogil
ctypedef void (*filter_free_fn)(void* conf) noexcept nogil

# What a filter can do. A NULL member costs nothing: the filter is not in that phase's chain.
# Body calls get a queue: what is left in it goes on, what the filter takes out it holds, what it
# appends it emits; `last` is true in exactly one call a half, in which everything held must go or
# be dropped. A filter that changes bytes of every body sets `edits_*`: the length is then not
# announced. One that decides by the response calls chain_edit_response in its response phase
# instead, and leaves alone the bodies of those it did not announce.
# A response body filter that computes for each byte sets XF_STEPPED in its response phase: the body
# comes in steps, so that no turn of the loop lasts long.
# A response body filter that keeps bytes only for the sake of fewer, larger pieces sets XF_HELD:
# it is called with an empty queue (`last` False) when nothing more is at hand, so that nothing is
# delayed. Others hear that call as well.
# A filter that needs the whole body before its head goes on sets XF_GATHER_REQUEST or _RESPONSE and
# answers WAIT in that head's phase: the body then stays in side.arrived, its source is not paused,
# and `gather` is called for each piece and for the end (side.end_arrived) until it resumes. It
# bounds what it lets gather, and sees the body before filters that work on pieces do.
cdef struct filter_ops_t:
    const char* name                  # static
    filter_head_fn request
    filter_body_fn request_body
    filter_head_fn attempt
    filter_head_fn response
    filter_body_fn response_body
    filter_log_fn log
    filter_cancel_fn cancel           # the exchange ends while this filter's WAIT is pending
    filter_gather_fn gather           # body came while it waits for all of it: see XF_GATHER_*
    filter_head_fn fault              # see below: NEXT or ABORT
    filter_free_fn conf_free          # the plan ends; NULL when conf lies in the plan's arena
    bint edits_request_body
    bint edits_response_body
    bint log_ends_early               # `log` has nothing to do once the request has passed

cdef struct filter_t:
    const filter_ops_t* ops           # static
    void* conf                        # plan
    uint16_t slot                     # index into exchange.slots: this filter's word of state

# The filters of a route by phase, empty phases left out.
cdef struct chain_t:
    filter_t* filters                 # plan: all of them, in order
    filter_t** by_phase[6]            # plan: for each phase those that act in it
    uint16_t counts[6]
    uint16_t filter_count
    uint16_t row_count                # filters by phase, together
    uint16_t row_at[6]                # where in `rows` a phase begins
    bill_row_t** rows                 # plan: what each of them costs; the rows are the worker's
    bill_row_t* whole                 # borrow(bills, until the plan is untied): of the route
    uint16_t log_holds                # of those that act in `log`, without log_ends_early
    bint edits_request_body
    bint edits_response_body

cdef struct route_t:
    span_t name                       # plan
    span_t bill_name                  # plan: as rows of what filters cost name it: bills.pxd
    span_t path                       # plan: as the configuration writes it
    conditions_t* conditions          # plan; NULL: host and path are all it asks
    upstream_t* upstream              # plan; NULL when a filter of the chain answers
    span_t* param_names               # plan: of `{name}` in the path, from left to right
    uint16_t param_count
    split_t* splits                   # plan: upstreams that share the requests; NULL: `upstream`
    uint32_t split_count
    uint32_t split_weights            # of all splits together
    timeouts_t timeouts
    chain_t chain

cdef struct listener_conf_t:
    span_t name                       # plan
    bint answer_half_closed           # `half_close: answer`
    bint server_timing                # clients are told where the time went

cdef struct limits_t:
    uint32_t request_line             # bytes; 414 beyond
    uint32_t head                     # bytes of the whole head; 431 beyond
    uint32_t headers                  # count; 431 beyond
    uint32_t max_connections          # downstream, a worker
    uint32_t keepalive_requests       # 0 = no limit
    uint32_t client_head_ms           # 0 = off, as every timeout
    uint32_t client_body_ms
    uint32_t keepalive_ms
    uint32_t slow_reader_ms
    uint32_t malformed                # of one client in malformed_window_ms are told; 0 = off
    uint32_t malformed_window_ms

# One compiled configuration generation; immutable once published. Lives in its own arena, freed
# when it is no longer current and the last exchange that pinned it is done.
cdef struct plan_t:
    uint64_t generation
    uint64_t refs                     # 1 for being current + one an exchange; loop only
    arena_t arena                     # own: everything below and its filters' conf
    router_t* router                  # plan: finds a route
    router_t* lenient                 # plan: the same with its literals decoded; may be `router`
    route_t* routes                   # plan: in the order of the text
    uint32_t route_count
    upstream_t* upstreams             # plan
    uint32_t upstream_count
    void** hooks                      # plan: hook_t of hook.pxd, in the order of the text
    uint32_t hook_count
    listener_conf_t* listeners        # plan
    uint32_t listener_count
    limits_t limits
    cidr_set_t trusted                # proxies whose forwarding fields are believed
    span_t via                        # plan: our pseudonym in Via
    bint forwarded                    # also write Forwarded (RFC 7239)
    bint timed                        # some exchanges are: log_hooks, or a listener's server_timing
    bint log_hooks                    # a log line says what each filter took
    uint8_t log_format                # LOG_OFF, LOG_COMBINED, LOG_JSON of access_log.pxd

cdef enum attempt_flag:
    AF_STARTED = 1                    # host.attempt_start was called, host.attempt_end was not
    AF_READY = 2                      # has a stream
    AF_REUSED = 4                     # on a connection that has served before
    AF_HEAD_SENT = 8                  # request bytes may have left
    AF_END_SENT = 16                  # the request half was sent to its end
    AF_ANSWERED = 32                  # response bytes came
    AF_QUEUED = 64                    # stands in its pool's queue
    AF_FRESH = 128                    # must not be given a connection that has served before

# One try of an exchange at one target. Born when balance has chosen, ended by success, failure or
# the client's leaving. Invariant: at most one attempt of an exchange is live; a stream is never
# reused after an error.
cdef struct attempt_t:
    uint32_t flags                    # AF_* mask
    uint32_t number                   # 1 for the first
    target_t* target                  # plan
    stream_t* stream                  # borrow(pool, until host.attempt_end); NULL before ready
    uint64_t started_ns               # monotonic
    uint64_t head_ns                  # first byte of the final answer's head
    attempt_t* next                   # borrow(pool, while AF_QUEUED): its queue
    attempt_t** link                  # borrow(pool, while AF_QUEUED): what points here
    timer_t timer                     # the wait in the queue
    exchange_t* exchange              # borrow(exchange, for ever: it is embedded there)

# How one half travels through its chain.
cdef struct side_t:
    uint8_t head_passed               # the head phase is over (a request: its attempt may start)
    uint8_t end_arrived               # the half's end came in
    uint8_t end_passed                # and left the chain
    uint8_t last_given                # the chain has had its call with `last`
    uint8_t end_sent                  # the stream was told the end
    uint8_t running                   # its chain is on the stack: do not enter it again
    uint8_t rested                    # the stream has told all it read; cleared by what comes next
    slices_t arrived                  # own: body the chain has not seen
    slices_t hand                     # own: body in front of the filter that waits
    slices_t passed                   # own: body that left the chain and has nowhere to go yet

cdef enum exchange_flag:
    XF_REPLIED = 1                    # the response is the gateway's own
    XF_RESPONSE_STARTED = 2           # the final head has left: only ABORT is left to a filter
    XF_CONTINUE_SENT = 4              # 100 went to the client
    XF_CLIENT_GONE = 8
    XF_ENDING = 16                    # exchange_end has begun
    XF_REPLAYABLE = 32                # `replay` holds the whole body so far
    XF_CUT = 64                       # the response was cut after its head
    XF_FORWARDED = 128                # the request's own forwarding fields are in place
    XF_REFUSED = 256                  # the head could not be read: its spans mean nothing
    XF_BYPASS = 512                   # the response goes past its chain (a fault's answer)
    XF_ID_MADE = 1024                 # request_id is a UUID of ours
    XF_HELD = 2048                    # a filter keeps response body until the stream rests
    XF_GATHER_REQUEST = 4096          # a filter waits for the whole request body
    XF_GATHER_RESPONSE = 8192         # the same for the response's
    XF_DETACHED = 16384               # it has no client: detached.pxd
    XF_STEPPED = 32768                # its response body goes through its chain in steps: steps.pxd

# One request with its response. Taken from the worker's freelist when the first byte of a head
# arrives, given back after its log phase.
cdef struct exchange_t:
    uint32_t magic                    # EXCHANGE_MAGIC in debug builds, else 0
    uint32_t flags                    # XF_* mask
    int error                         # 0 or the first E_*: the cause in log and counters
    uint32_t attempts                 # so far
    host_t* host                      # borrow(worker, for ever)
    plan_t* plan                      # own (one counted pin) from begin until done
    route_t* route                    # plan; NULL before routing
    upstream_t* upstream              # plan; the route's, or the one of its splits
    const timeouts_t* timeouts        # plan: the route's, or of the one of its splits
    const listener_conf_t* listener   # plan
    stream_t* down                    # borrow(downstream, until host.exchange_done)
    const address_t* peer             # borrow(downstream, until host.exchange_done): the other end
    address_t client                  # who sent it, as far as trusted proxies tell
    request_t request
    response_t response
    side_t request_side
    side_t response_side
    uint8_t waiting[6]                # by phase: 0, or 1 + the place of the filter that waits
    uint8_t chain_at                  # place of the filter that answered last
    uint8_t informational             # 1xx heads that came from upstream
    uint8_t blame                     # bill_fault of the run that is about to end
    uint64_t allow                    # of a 405: methods that would have a route, as in conditions
    slices_t replay                   # own: the request body as sent, while XF_REPLAYABLE
    attempt_t attempt
    timer_t total                     # the route's total_ms
    exchange_t* step_next             # borrow(steps, while it waits)
    exchange_t** step_link            # borrow(steps, while it waits): what points here; else NULL
    void** slots                      # arena: one word for each filter, zeroed
    void* vars                        # arena: var_t of hook.pxd; what hooks keep here
    bill_t* bill                      # arena: where its time goes; NULL: it is not timed
    pause_t* pauses                   # arena: by phase, of its WAIT; NULL: none was
    span_t* params                    # arena: what the path gave for route.param_names; NULL: none
    span_t reply_body                 # plan or arena: body of our own answer
    span_t request_id                 # arena or head: X-Request-ID
    uint64_t started_ns               # monotonic: the head was complete
    uint64_t body_bytes               # response body bytes given to the client's stream
    arena_t arena
    header_t request_headers[16]      # HEADERS_INLINE
    header_t response_headers[16]
    char inline_memory[752]          # ARENA_INLINE

# What an exchange may ask of the world. Filled by `worker`; filters and hooks that wait use it and
# know no socket. Calls may answer before they return; none blocks.
cdef struct host_t:
    # Gets a stream to x.attempt.target: answers exchange_attempt_ready or exchange_attempt_failed.
    void (*attempt_start)(exchange_t* x) noexcept nogil
    # Ends the attempt whatever its state; `reusable`: its stream may serve another exchange.
    void (*attempt_end)(exchange_t* x, bint reusable) noexcept nogil
    # Turns both streams into a tunnel: from here on only exchange_tunnel_ended follows.
    void (*tunnel_start)(exchange_t* x) noexcept nogil
    # The exchange is over and logged: the downstream takes its stream and frees it.
    void (*exchange_done)(exchange_t* x) noexcept nogil
    # Arms t to fire after ms; moves it if armed. ms 0 disarms.
    void (*timer_arm)(host_t* h, timer_t* t, uint32_t ms) noexcept nogil
    void (*timer_disarm)(host_t* h, timer_t* t) noexcept nogil
    # Takes t off the wheel for good: before its memory goes.
    void (*timer_detach)(host_t* h, timer_t* t) noexcept nogil
    # t fires with the next turn of the loop: what runs now is over by then.
    void (*timer_soon)(host_t* h, timer_t* t) noexcept nogil
    uint64_t (*now_ns)(host_t* h) noexcept nogil            # monotonic
    uint64_t (*unix_ms)(host_t* h) noexcept nogil           # wall clock, as of this turn
    void (*log)(exchange_t* x) noexcept nogil               # writes the access log line
    # What was put together for connections leaves now: after a resume from outside of I/O.
    void (*flush)(host_t* h) noexcept nogil
    # A client sent what E_DOWN_* says; x is the exchange that it became.
    void (*malformed)(exchange_t* x, const address_t* client, int error) noexcept nogil
    void* worker                      # borrow(worker, for ever)
    void* ids                         # borrow(worker, for ever): ids_t of ids.pxd
    buffers_t* buffers                # borrow(worker, for ever)
    void* deflaters                   # borrow(worker, for ever): deflaters_t of deflater.pxd
    void* steps                       # borrow(worker, for ever): steps_t of steps.pxd
    void* hooks                       # borrow(worker, for ever): hooks_t of hook.pxd
    void* detacheds                   # borrow(worker, for ever): detacheds_t of detached.pxd
    bill_head_t* bill                 # borrow(worker, for ever): bills.pxd
    void* mirrors                     # borrow(worker, for ever): mirrors_t of mirror.pxd; or NULL
    uint64_t* counters                # borrow(worker, for ever): stats.pxd
