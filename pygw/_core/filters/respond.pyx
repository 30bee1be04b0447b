# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: the filter `respond`: an answer of the operator's making, now or after a while.
# Thread and GIL: the build half holds the GIL; the run half is one worker's loop, no GIL.
# Never does: copy a fixed body: it leaves from the plan.
# Read next: respond.pxd for the contract.

from base64 import b64decode
from binascii import Error as Base64Error
from libc.stdint cimport uint32_t
from pygw._core.arena cimport arena_zalloc
from pygw._core.check cimport unlikely
from pygw._core.exchange cimport exchange_resume
from pygw._core.fault cimport E_CORE_MEMORY
from pygw._core.filters.fields cimport fields_t, fields_build, fields_put, FIELDS_REPLY
from pygw._core.filters.verdict cimport verdict_refuse
from pygw._core.limits cimport DELAY_MAX_MS, TEMPLATE_BODY_MAX
from pygw._core.part cimport Part, plan_alloc, plan_fail, plan_keep
from pygw._core.reply cimport reply_set
from pygw._core.template cimport (
    template_t, template_build, template_run, PLACE_JSON, PLACE_MARKUP, PLACE_TEXT)
from pygw._core.types.exchange cimport (
    exchange_t, filter_t, filter_ops_t, verdict_t, PHASE_REQUEST, VERDICT_REPLY, VERDICT_WAIT,
    VERDICT_ABORT)
from pygw._core.types.header cimport span_t
from pygw._core.types.memory cimport arena_t
from pygw._core.types.timer cimport timer_t
from pygw._core.view cimport span

cdef enum:
    BODY_BYTES_MAX = 16777216

cdef struct conf_t:
    uint32_t status
    uint32_t delay_ms
    span_t body               # plan
    template_t* made          # plan; NULL: the body is fixed
    fields_t fields

# An answer that waits for its time.
cdef struct wait_t:
    timer_t timer             # first, so that `fire` recovers the wait
    exchange_t* x             # borrow(exchange, until it ends)
    const filter_t* f         # plan

cdef filter_ops_t ops
cdef filter_ops_t late_ops
cdef dict PLACES = {b"text": PLACE_TEXT, b"json": PLACE_JSON, b"markup": PLACE_MARKUP}


# --- build ----------------------------------------------------------------------------------------


cdef int body_build(Part part, arena_t* arena, conf_t* conf) except -1:
    cdef bytes escape = part.text("escape", 16) if part.has("escape") else b"text"
    if escape not in PLACES:
        plan_fail(part.at("escape"), "must be text, json or markup")
    if part.has("base64"):
        part.value("body")            # null; both would be one too many
        if part.has("body"):
            plan_fail(part.at("base64"), "there is a body already")
        try:
            return plan_keep(arena, b64decode(part.text("base64", 2 * BODY_BYTES_MAX),
                                              validate=True), &conf.body)
        except Base64Error:
            plan_fail(part.at("base64"), "must be base64")
    if isinstance(part.value("body"), list):
        conf.made = template_build(part.value("body"), part.at("body"), PLACES[escape],
                                   TEMPLATE_BODY_MAX, arena)
        return 0
    return plan_keep(arena, part.text("body", BODY_BYTES_MAX), &conf.body)


cdef int respond_build(Part part, arena_t* arena, filter_t* out) except -1:
    cdef conf_t* conf = <conf_t*>plan_alloc(arena, sizeof(conf_t))
    cdef list fields = part.items("headers")
    conf.status = part.number("status", 200, 599)
    body_build(part, arena, conf)
    if (conf.body.len or conf.made != NULL) and conf.status in (204, 205, 304):
        plan_fail(part.at("body"), f"a response with status {conf.status} has no body")
    if part.has("delay_ms"):
        conf.delay_ms = part.number("delay_ms", 0, DELAY_MAX_MS)
    fields_build(fields, part.at("headers"), FIELDS_REPLY, arena, len(fields), &conf.fields)
    out.ops = &late_ops if conf.delay_ms else &ops
    out.conf = conf
    return 0


# --- run ------------------------------------------------------------------------------------------


cdef verdict_t respond_request(exchange_t* x, const filter_t* f) noexcept nogil:
    cdef const conf_t* conf = <conf_t*>f.conf
    cdef span_t body = conf.body
    cdef int error = 0
    if unlikely(conf.made != NULL):
        error = template_run(conf.made, x, &body)
    if error == 0:
        error = reply_set(x, conf.status, span(b"", 0), body)
    if error == 0:
        error = fields_put(&conf.fields, x, &x.response.half.headers, False)
    return verdict_refuse(x, error) if unlikely(error != 0) else VERDICT_REPLY


cdef void wait_over(timer_t* t) noexcept nogil:
    cdef wait_t* w = <wait_t*>t
    exchange_resume(w.x, PHASE_REQUEST, respond_request(w.x, w.f))


cdef verdict_t respond_late(exchange_t* x, const filter_t* f) noexcept nogil:
    cdef wait_t* w = <wait_t*>arena_zalloc(&x.arena, sizeof(wait_t))
    if unlikely(w == NULL):
        x.error = E_CORE_MEMORY
        return VERDICT_ABORT
    w.timer.fire = wait_over
    w.x = x
    w.f = f
    x.slots[f.slot] = w
    x.host.timer_arm(x.host, &w.timer, (<conf_t*>f.conf).delay_ms)
    return VERDICT_WAIT


cdef void respond_cancel(exchange_t* x, const filter_t* f, int phase) noexcept nogil:
    x.host.timer_detach(x.host, &(<wait_t*>x.slots[f.slot]).timer)


ops.name = b"respond"
ops.request = respond_request
late_ops.name = b"respond"
late_ops.request = respond_late
late_ops.cancel = respond_cancel
