# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: filters that do what hooks will do, for tests: wait, hold, replace, emit, abort, reply.
# Thread and GIL: build half and doors hold the GIL; the run half is one loop, no GIL.
# Never does: load in a gateway unless a test imports it: importing registers the filters.
# Read next: test_filters.pxd for what each does and takes.
"""Filters for tests; ``counts()`` tells how often each acted and what is still alive."""

from libc.stdint cimport int64_t, uint32_t
from pygw._core.arena cimport arena_zalloc
from pygw._core.buffer cimport (
    buffer_data, buffer_take, buffer_unref, slices_add, slices_clear, slices_init, slices_move)
from pygw._core.build_filters cimport filter_register
from pygw._core.chain cimport chain_edit_response
from pygw._core.exchange cimport exchange_hand, exchange_resume
from pygw._core.fault cimport E_CORE_MEMORY
from pygw._core.part cimport Part, plan_alloc, plan_fail, plan_keep
from pygw._core.reply cimport reply_set
from pygw._core.types.exchange cimport (
    exchange_t, filter_t, filter_ops_t, verdict_t, PHASE_REQUEST, PHASE_REQUEST_BODY,
    PHASE_ATTEMPT, PHASE_RESPONSE, PHASE_RESPONSE_BODY, VERDICT_NEXT, VERDICT_REPLY, VERDICT_WAIT,
    VERDICT_ABORT, XF_HELD)
from pygw._core.types.header cimport span_t
from pygw._core.types.memory cimport (
    arena_t, buffer_t, buffers_t, slice_t, slices_t, BUFFER_SMALL)
from pygw._core.types.timer cimport timer_t
from pygw._core.view cimport span

cdef enum test_kind:
    KIND_WAIT = 0
    KIND_HOLD = 1
    KIND_UPPER = 2
    KIND_EMIT = 3
    KIND_ABORT = 4
    KIND_REPLY = 5
    KIND_LAZY = 6
    KINDS = 7

cdef enum test_when:
    WHEN_FIRST = 0
    WHEN_EACH = 1
    WHEN_LAST = 2

cdef enum test_count:
    COUNT_CALLS = 0
    COUNT_WAITS = 1
    COUNT_RESUMES = 2
    COUNT_CANCELS = 3
    COUNT_LOGS = 4
    COUNT_LIVE = 5            # states made and not yet ended
    COUNT_STRANDED = 6        # exchanges logged with a WAIT neither resumed nor cancelled
    COUNT_WRONG_CANCELS = 7   # cancels without a WAIT, or for another phase
    COUNTS = 8

cdef struct conf_t:
    int kind
    int phase
    int when
    verdict_t verdict
    uint32_t ms
    uint32_t status           # of a REPLY
    bint take
    bint edit                 # of test_lazy: this response
    span_t prefix             # plan
    span_t suffix             # plan

# One filter's memory of one exchange.
cdef struct state_t:
    timer_t timer             # first, so that `fire` recovers the state
    exchange_t* x             # borrow(exchange, until its log phase)
    const conf_t* conf        # plan
    slices_t held             # own
    uint32_t calls
    bint pending              # WAIT was answered

cdef filter_ops_t ops[7][5]
cdef int64_t counters[7][8]
NAMES = ("test_wait", "test_hold", "test_upper", "test_emit", "test_abort", "test_reply",
         "test_lazy")
COUNT_NAMES = ("calls", "waits", "resumes", "cancels", "logs", "live", "stranded", "wrong_cancels")
PHASE_NAMES = ("request", "request_body", "attempt", "response", "response_body")


# --- build ----------------------------------------------------------------------------------------


cdef int choice(Part part, str key, tuple names, str otherwise) except -1:
    cdef str name
    if not part.has(key):
        if otherwise is None:
            plan_fail(part.at(key), "is missing")
        return names.index(otherwise)
    name = part.text(key, 32).decode()
    if name not in names:
        plan_fail(part.at(key), f"must be one of {', '.join(names)}")
    return names.index(name)


cdef int test_build(Part part, arena_t* arena, filter_t* out, int kind) except -1:
    cdef conf_t* conf = <conf_t*>plan_alloc(arena, sizeof(conf_t))
    conf.kind = kind
    conf.phase = choice(part, "phase", PHASE_NAMES, None)
    conf.when = choice(part, "when", ("first", "each", "last"), "first")
    if kind == KIND_LAZY and conf.phase != PHASE_RESPONSE_BODY:
        plan_fail(part.at("phase"), "must be response_body")
    if kind in (KIND_HOLD, KIND_UPPER, KIND_EMIT) and not is_body(conf.phase):
        plan_fail(part.at("phase"), "must be a body phase")
    if kind == KIND_WAIT:
        conf.ms = part.number_or_off("ms", 1, 60000)
        conf.verdict = (VERDICT_NEXT, VERDICT_REPLY, VERDICT_ABORT)[
            choice(part, "verdict", ("next", "reply", "abort"), "next")]
        conf.take = part.has("take") and part.flag("take")
    conf.status = part.number("status", 200, 599) if part.has("status") else 299
    if kind == KIND_EMIT:
        plan_keep(arena, part.text("prefix", 65536), &conf.prefix)
        plan_keep(arena, part.text("suffix", 65536), &conf.suffix)
    if kind == KIND_LAZY:
        conf.edit = part.flag("edit")
    out.ops = &ops[kind][conf.phase]
    out.conf = conf
    return 0


cdef int wait_build(Part part, arena_t* arena, filter_t* out) except -1:
    return test_build(part, arena, out, KIND_WAIT)


cdef int hold_build(Part part, arena_t* arena, filter_t* out) except -1:
    return test_build(part, arena, out, KIND_HOLD)


cdef int upper_build(Part part, arena_t* arena, filter_t* out) except -1:
    return test_build(part, arena, out, KIND_UPPER)


cdef int emit_build(Part part, arena_t* arena, filter_t* out) except -1:
    return test_build(part, arena, out, KIND_EMIT)


cdef int abort_build(Part part, arena_t* arena, filter_t* out) except -1:
    return test_build(part, arena, out, KIND_ABORT)


cdef int reply_build(Part part, arena_t* arena, filter_t* out) except -1:
    return test_build(part, arena, out, KIND_REPLY)


cdef int lazy_build(Part part, arena_t* arena, filter_t* out) except -1:
    return test_build(part, arena, out, KIND_LAZY)


# --- run ------------------------------------------------------------------------------------------


cdef inline bint is_body(int phase) noexcept nogil:
    return phase == PHASE_REQUEST_BODY or phase == PHASE_RESPONSE_BODY


cdef inline void count_add(const conf_t* conf, int which, int n) noexcept nogil:
    counters[conf.kind][which] += n


# This filter's state of x, made at the first call; NULL: out of memory.
cdef state_t* state_of(exchange_t* x, const filter_t* f) noexcept nogil:
    cdef state_t* s = <state_t*>x.slots[f.slot]
    if s == NULL:
        s = <state_t*>arena_zalloc(&x.arena, sizeof(state_t))
        if s == NULL:
            x.error = E_CORE_MEMORY
            return NULL
        s.x = x
        s.conf = <conf_t*>f.conf
        s.timer.fire = wait_over
        slices_init(&s.held)
        x.slots[f.slot] = s
        count_add(s.conf, COUNT_LIVE, 1)
    s.calls += 1
    count_add(s.conf, COUNT_CALLS, 1)
    return s


cdef bint due(const state_t* s, bint last) noexcept nogil:
    if s.conf.when == WHEN_FIRST:
        return s.calls == 1
    return s.conf.when == WHEN_EACH or last


# Sets what the verdict needs to be a legal one.
cdef verdict_t verdict_make(state_t* s, verdict_t verdict) noexcept nogil:
    cdef exchange_t* x = s.x
    cdef int error = 0
    if verdict == VERDICT_REPLY:
        error = reply_set(x, s.conf.status, span(b"text/plain", 10), span(b"replied\n", 8))
    if error:
        x.error = error
        return VERDICT_ABORT
    return verdict


cdef verdict_t wait_begin(state_t* s) noexcept nogil:
    s.pending = True
    count_add(s.conf, COUNT_WAITS, 1)
    if s.conf.ms:
        s.x.host.timer_arm(s.x.host, &s.timer, s.conf.ms)
    return VERDICT_WAIT


cdef void wait_over(timer_t* t) noexcept nogil:
    cdef state_t* s = <state_t*>t
    cdef int phase = s.conf.phase
    s.pending = False
    count_add(s.conf, COUNT_RESUMES, 1)
    if is_body(phase):
        slices_move(exchange_hand(s.x, phase), &s.held)
    exchange_resume(s.x, phase, verdict_make(s, s.conf.verdict))


cdef verdict_t head_call(exchange_t* x, const filter_t* f) noexcept nogil:
    cdef state_t* s = state_of(x, f)
    if s == NULL:
        return VERDICT_ABORT
    if s.conf.kind == KIND_WAIT:
        return wait_begin(s)
    return verdict_make(s, VERDICT_ABORT if s.conf.kind == KIND_ABORT else VERDICT_REPLY)


cdef verdict_t wait_body(exchange_t* x, const filter_t* f, slices_t* body,
                         bint last) noexcept nogil:
    cdef state_t* s = state_of(x, f)
    if s == NULL:
        return VERDICT_ABORT
    if not due(s, last):
        return VERDICT_NEXT
    if s.conf.take:
        slices_move(&s.held, body)
    return wait_begin(s)


cdef verdict_t hold_body(exchange_t* x, const filter_t* f, slices_t* body,
                         bint last) noexcept nogil:
    cdef state_t* s = state_of(x, f)
    if s == NULL:
        return VERDICT_ABORT
    slices_move(&s.held, body)
    if last:
        slices_move(body, &s.held)
    return VERDICT_NEXT


# Appends an upper-case copy of one piece. 0 or E_CORE_MEMORY.
cdef int upper_add(buffers_t* home, slices_t* out, const slice_t* piece) noexcept nogil:
    cdef buffer_t* b = NULL
    cdef uint32_t i, at = 0, size
    cdef int error = 0
    cdef char c
    while at < piece.len and error == 0:
        b = buffer_take(home, BUFFER_SMALL)
        if b == NULL:
            return E_CORE_MEMORY
        size = piece.len - at if piece.len - at < b.cap else b.cap
        for i in range(size):
            c = piece.ptr[at + i]
            buffer_data(b)[i] = c - 32 if c'a' <= c <= c'z' else c
        b.used = size
        error = slices_add(home, out, b, buffer_data(b), size)
        buffer_unref(b)
        at += size
    return error


cdef verdict_t upper_body(exchange_t* x, const filter_t* f, slices_t* body,
                          bint last) noexcept nogil:
    cdef state_t* s = state_of(x, f)
    cdef slices_t out
    cdef slice_t* piece = body.first
    cdef int error = 0
    if s == NULL:
        return VERDICT_ABORT
    slices_init(&out)
    while piece != NULL and error == 0:
        error = upper_add(x.host.buffers, &out, piece)
        piece = piece.next
    slices_clear(x.host.buffers, body)
    slices_move(body, &out)
    if error:
        x.error = error
        return VERDICT_ABORT
    return VERDICT_NEXT


cdef verdict_t emit_body(exchange_t* x, const filter_t* f, slices_t* body,
                         bint last) noexcept nogil:
    cdef state_t* s = state_of(x, f)
    cdef buffers_t* home = x.host.buffers
    cdef slices_t out
    cdef int error = 0
    if s == NULL:
        return VERDICT_ABORT
    slices_init(&out)
    if s.calls == 1:
        error = slices_add(home, &out, NULL, s.conf.prefix.ptr, s.conf.prefix.len)
    slices_move(&out, body)
    if last and error == 0:
        error = slices_add(home, &out, NULL, s.conf.suffix.ptr, s.conf.suffix.len)
    slices_move(body, &out)
    if error:
        x.error = error
        return VERDICT_ABORT
    return VERDICT_NEXT


cdef verdict_t lazy_head(exchange_t* x, const filter_t* f) noexcept nogil:
    if (<conf_t*>f.conf).edit:
        chain_edit_response(x)
    return VERDICT_NEXT


cdef verdict_t lazy_body(exchange_t* x, const filter_t* f, slices_t* body,
                         bint last) noexcept nogil:
    cdef state_t* s = state_of(x, f)
    cdef int error = 0
    if s == NULL:
        return VERDICT_ABORT
    if not s.conf.edit:
        return VERDICT_NEXT
    if body.first == NULL or last:
        slices_move(&s.held, body)
        slices_move(body, &s.held)
        error = slices_add(x.host.buffers, body, NULL, b"|", 1)
    else:
        slices_move(&s.held, body)
        x.flags |= XF_HELD
    if error:
        x.error = error
        return VERDICT_ABORT
    return VERDICT_NEXT


cdef verdict_t end_body(exchange_t* x, const filter_t* f, slices_t* body,
                        bint last) noexcept nogil:
    cdef state_t* s = state_of(x, f)
    if s == NULL:
        return VERDICT_ABORT
    if not due(s, last):
        return VERDICT_NEXT
    return verdict_make(s, VERDICT_ABORT if s.conf.kind == KIND_ABORT else VERDICT_REPLY)


cdef void test_cancel(exchange_t* x, const filter_t* f, int phase) noexcept nogil:
    cdef state_t* s = <state_t*>x.slots[f.slot]
    if s == NULL or not s.pending or phase != s.conf.phase:
        counters[(<conf_t*>f.conf).kind][<int>COUNT_WRONG_CANCELS] += 1
        return
    s.pending = False
    count_add(s.conf, COUNT_CANCELS, 1)
    x.host.timer_disarm(x.host, &s.timer)
    slices_clear(x.host.buffers, &s.held)


# The log phase comes once, whatever happened: the state ends here.
cdef void test_log(exchange_t* x, const filter_t* f) noexcept nogil:
    cdef state_t* s = <state_t*>x.slots[f.slot]
    counters[(<conf_t*>f.conf).kind][<int>COUNT_LOGS] += 1
    if s == NULL:
        return
    if s.pending:
        count_add(s.conf, COUNT_STRANDED, 1)
    if s.timer.link != NULL:
        x.host.timer_detach(x.host, &s.timer)
    slices_clear(x.host.buffers, &s.held)
    x.slots[f.slot] = NULL
    count_add(s.conf, COUNT_LIVE, -1)


cdef void fill_ops(int kind, const char* name) noexcept nogil:
    cdef int phase
    for phase in range(5):
        ops[kind][phase].name = name
        ops[kind][phase].cancel = test_cancel
        ops[kind][phase].log = test_log
    ops[kind][<int>PHASE_REQUEST].request = head_call
    ops[kind][<int>PHASE_ATTEMPT].attempt = head_call
    ops[kind][<int>PHASE_RESPONSE].response = head_call
    ops[kind][<int>PHASE_REQUEST_BODY].request_body = end_body
    ops[kind][<int>PHASE_RESPONSE_BODY].response_body = end_body


cdef void fill_body(int kind, bint edits, verdict_t (*body)(
        exchange_t*, const filter_t*, slices_t*, bint) noexcept nogil) noexcept nogil:
    ops[kind][<int>PHASE_REQUEST_BODY].request_body = body
    ops[kind][<int>PHASE_REQUEST_BODY].edits_request_body = edits
    ops[kind][<int>PHASE_RESPONSE_BODY].response_body = body
    ops[kind][<int>PHASE_RESPONSE_BODY].edits_response_body = edits


fill_ops(KIND_WAIT, b"test_wait")
fill_ops(KIND_HOLD, b"test_hold")
fill_ops(KIND_UPPER, b"test_upper")
fill_ops(KIND_EMIT, b"test_emit")
fill_ops(KIND_ABORT, b"test_abort")
fill_ops(KIND_REPLY, b"test_reply")
fill_ops(KIND_LAZY, b"test_lazy")
fill_body(KIND_WAIT, False, wait_body)
fill_body(KIND_HOLD, False, hold_body)
fill_body(KIND_UPPER, True, upper_body)
fill_body(KIND_EMIT, True, emit_body)
fill_body(KIND_LAZY, False, lazy_body)
ops[<int>KIND_LAZY][<int>PHASE_RESPONSE_BODY].response = lazy_head

filter_register("test_wait", wait_build)
filter_register("test_hold", hold_build)
filter_register("test_upper", upper_build)
filter_register("test_emit", emit_build)
filter_register("test_abort", abort_build)
filter_register("test_reply", reply_build)
filter_register("test_lazy", lazy_build)


# --- doors ----------------------------------------------------------------------------------------


def counts() -> dict[str, dict[str, int]]:
    """By filter: calls, waits, resumes, cancels, logs since the start or the last ``reset``;
    ``live`` states; ``stranded`` exchanges (logged while a WAIT was pending) and
    ``wrong_cancels``, which must both stay 0."""
    return {name: {count: counters[i][j] for j, count in enumerate(COUNT_NAMES)}
            for i, name in enumerate(NAMES)}


def register_again() -> None:
    """Registers a name that is taken, which ``filter_register`` must refuse."""
    filter_register("test_hold", hold_build)


def reset() -> None:
    """Begins counting anew; live states stay counted."""
    cdef int i, j
    for i in range(KINDS):
        for j in range(COUNTS):
            if j != COUNT_LIVE:
                counters[i][j] = 0
