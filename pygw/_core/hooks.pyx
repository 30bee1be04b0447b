# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: a worker's hooks as one home: which languages there are, loading, the call that runs.
# Thread and GIL: one worker's loop, no GIL; the registry holds the GIL, at import and in builds.
# Never does: know a filter, or what a hook may do (filters/hook.pyx, runtimes/hook_host.pyx).
# Read next: hooks.pxd for the contract.
"""The languages of hooks that this process knows, and a worker's hooks."""

from importlib import import_module

from libc.stdint cimport uint32_t, uint64_t
from libc.stdio cimport snprintf
from libc.string cimport memset
from pygw._core.address cimport address_text
from pygw._core.block cimport blocks_fini, blocks_init
from pygw._core.check cimport BUG_ON, unlikely
from pygw._core.fault cimport E_CORE_INTERNAL
from pygw._core.hook_mask cimport mask_views
from pygw._core.limits cimport HOOK_LINE_MAX, HOOK_LOG_LINES, HOOK_LOG_MS
from pygw._core.notice cimport notice_time, notice_write
from pygw._core.types.exchange cimport exchange_t, host_t, plan_t, PHASE_RESPONSE
from pygw._core.types.hook cimport (
    hook_call_t, hook_host_t, hook_t, hooks_t, request_view_t, response_view_t, runtime_ops_t,
    HOOK_BODY_WHOLE, LOG_LEVELS, RUNTIME_LUA, RUNTIME_NATIVE, RUNTIME_PYTHON, RUNTIMES)
from pygw._core.types.message cimport request_t

cdef const runtime_ops_t* table[3]      # by enum runtime: RUNTIMES
cdef dict NAMES = {"native": RUNTIME_NATIVE, "lua": RUNTIME_LUA, "python": RUNTIME_PYTHON}
cdef dict describes = {}
cdef const char* LEVELS = b"debug\0\0\0info\0\0\0\0warning\0error\0\0\0"


# --- the languages there are ----------------------------------------------------------------------


cdef int runtime_register(int which, const runtime_ops_t* ops, object describe) except -1:
    if not 0 <= which < RUNTIMES or table[which] != NULL:
        raise ValueError(f"there is a runtime {which} already, or none of this number")
    table[which] = ops
    describes[which] = describe
    return 0


cdef tuple runtime_find(str name):
    which = NAMES.get(name)
    if which is None:
        raise ValueError(f"no runtime is called {name}: there are {', '.join(sorted(NAMES))}")
    if which not in describes:
        try:
            import_module(f"pygw._core.runtimes.{name}")
        except ImportError as error:
            raise ValueError(f"this pygw cannot run {name} hooks: {error}") from error
    return which, describes[which]


cdef const runtime_ops_t* runtime_ops(int which) noexcept nogil:
    return table[which]


# --- life -----------------------------------------------------------------------------------------


cdef void hooks_init(hooks_t* k, host_t* host, const hook_host_t* api) noexcept nogil:
    memset(k, 0, sizeof(hooks_t))
    k.host = host
    k.api = api
    k.write = notice_write
    k.request.size = sizeof(request_view_t)
    k.response.size = sizeof(response_view_t)
    blocks_init(&k.calls, sizeof(hook_call_t))


cdef void hooks_fini(hooks_t* k) noexcept nogil:
    cdef int i
    for i in range(RUNTIMES):
        if k.states[i] != NULL:
            table[i].close(k.states[i])
            k.states[i] = NULL
    blocks_fini(&k.calls)
    if k.fetches.size:
        blocks_fini(&k.fetches)


cdef int hook_load(hooks_t* k, hook_t* hook, char* error, uint32_t size) noexcept nogil:
    cdef int failed
    if k.states[hook.runtime] == NULL:
        k.states[hook.runtime] = hook.ops.open(k, error, size)
        if k.states[hook.runtime] == NULL:
            return E_CORE_INTERNAL
    failed = hook.ops.load(k.states[hook.runtime], hook, error, size)
    hook.ready = failed == 0
    return failed


cdef int hooks_load(hooks_t* k, plan_t* plan, char* error, uint32_t size) noexcept nogil:
    cdef uint32_t i
    cdef int failed
    for i in range(plan.hook_count):
        error[0] = 0
        failed = hook_load(k, <hook_t*>plan.hooks[i], error, size)
        if failed != 0:
            hooks_release(k, plan)
            return failed
    return 0


cdef void hooks_release(hooks_t* k, plan_t* plan) noexcept nogil:
    cdef hook_t* hook
    cdef uint32_t i
    for i in range(plan.hook_count):
        hook = <hook_t*>plan.hooks[i]
        if hook.ready:
            hook.ready = False
            hook.ops.release(k.states[hook.runtime], hook)


# --- the call that runs ---------------------------------------------------------------------------


cdef void hook_views(hook_call_t* call) noexcept nogil:
    cdef hooks_t* k = call.hooks
    cdef exchange_t* x = call.x
    cdef request_t* q = &x.request
    cdef request_view_t* r = &k.request
    cdef response_view_t* s = &k.response
    r.version = q.half.version
    r.method = q.method_name
    r.scheme = q.scheme
    r.authority = q.authority
    r.path = q.path
    r.query = q.query
    r.client = address_text(&x.client)
    r.id = x.request_id
    r.headers = q.half.headers.items
    r.header_count = q.half.headers.count
    r.has_body = False
    r.body.len = 0
    if call.phase < PHASE_RESPONSE:
        if call.body.ptr != NULL:
            r.body = call.body
            r.has_body = call.hook.body == HOOK_BODY_WHOLE
    else:
        s.status = x.response.status
        s.headers = x.response.half.headers.items
        s.header_count = x.response.half.headers.count
        s.body = call.body
        s.has_body = call.body.ptr != NULL and call.hook.body == HOOK_BODY_WHOLE
    if unlikely(call.hook.masked):
        mask_views(call)


cdef hook_call_t* hook_enter(hook_call_t* call) noexcept nogil:
    cdef hook_call_t* before = call.hooks.running
    hook_views(call)
    call.hooks.running = call
    return before


cdef void hook_leave(hook_call_t* call, hook_call_t* before) noexcept nogil:
    cdef hooks_t* k = call.hooks
    BUG_ON(k.running != call)
    k.running = before
    k.request.header_count = 0
    k.request.headers = NULL
    k.request.has_body = False
    k.request.body.len = 0
    if call.phase >= PHASE_RESPONSE:
        memset(&k.response, 0, sizeof(response_view_t))
        k.response.size = sizeof(response_view_t)
    if unlikely(before != NULL):
        hook_views(before)


# --- lines about hooks ----------------------------------------------------------------------------


# Whether one more may be written in this window.
cdef bint line_due(hooks_t* k) noexcept nogil:
    cdef uint64_t now_ms = k.host.unix_ms(k.host)
    if k.log_since_ms == 0 or now_ms - k.log_since_ms >= HOOK_LOG_MS:
        k.log_since_ms = now_ms
        k.log_lines = 0
        k.log_dropped = 0
    if k.log_lines >= HOOK_LOG_LINES:
        k.log_dropped += 1
        return False
    k.log_lines += 1
    return True


cdef bint hook_log(hook_call_t* call, uint32_t level, const char* text,
                   uint32_t size) noexcept nogil:
    cdef hooks_t* k = call.hooks
    cdef char line[1024]      # HOOK_LINE_MAX
    cdef uint32_t i
    cdef int at
    if k.write == NULL or not line_due(k):
        return False
    at = <int>notice_time(line)
    at += snprintf(line + at, HOOK_LINE_MAX - at, b"%s hook %.*s: ",
                   LEVELS + 8 * (level if level < LOG_LEVELS else 1), <int>call.hook.name.len,
                   call.hook.name.ptr)
    if at > HOOK_LINE_MAX // 2:
        return False
    if size > <uint32_t>(HOOK_LINE_MAX - 1 - at):
        size = <uint32_t>(HOOK_LINE_MAX - 1 - at)
    for i in range(size):
        line[at] = text[i] if text[i] < 0 or text[i] >= 32 else c' '
        at += 1
    line[at] = c'\n'
    k.write(k.write_arg, line, at + 1)
    return True
