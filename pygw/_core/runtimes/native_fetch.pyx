# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: requests of native hooks, from the call that asks to the function that goes on.
# Thread and GIL: one worker's loop; no GIL.
# Never does: trust what a plugin fills in.
# Read next: native_fetch.pxd for the contract.

from libc.stdint cimport uint32_t
from pygw._core.arena cimport arena_alloc
from pygw._core.check cimport likely, unlikely
from pygw._core.filters.hook cimport hook_resume
from pygw._core.bill cimport bill_off, bill_on
from pygw._core.hooks cimport hook_enter, hook_leave
from pygw._core.runtimes.hook_fetch cimport *
from pygw._core.runtimes.native_call cimport *
from pygw._core.types.header cimport span_t
from pygw._core.types.hook cimport *
from pygw._core.view cimport span

# Who goes on with what came.
cdef struct asked_t:
    hook_call_t* call                 # borrow(filter, until it is over)
    pygw_fetched_fn done              # static: in the shared object
    void* arg                         # borrow(the plugin, until done)


cdef inline span_t said(const pygw_span* s, const char* otherwise, uint32_t size) noexcept nogil:
    return span(s.ptr, s.len) if s.len else span(otherwise, size)


cdef int request_fill(fetch_t* f, const pygw_fetch* what) noexcept nogil:
    cdef const pygw_span* s = what.fields
    cdef span_t method = said(&what.method, b"GET", 3)
    cdef uint32_t i
    cdef int error
    if what.body.ptr != NULL:
        method = said(&what.method, b"POST", 4)
    error = fetch_line(f, method, said(&what.path, b"/", 1))
    for i in range(what.field_count):
        if error == 0:
            error = fetch_field(f, span(s[2 * i].ptr, s[2 * i].len),
                                span(s[2 * i + 1].ptr, s[2 * i + 1].len))
    return error


cdef int native_fetch(void* ctx, const void* what, void* done, void* arg) noexcept nogil:
    cdef hook_call_t* call = (<hooks_t*>ctx).running
    cdef const pygw_fetch* asked = <const pygw_fetch*>what
    cdef fetch_t* f
    cdef asked_t* a
    cdef int error = HOST_DEAD
    if unlikely(call == NULL):
        return error
    if asked.size < sizeof(pygw_fetch) or done == NULL:
        return HOST_BAD
    f = fetch_open(call, span(asked.upstream.ptr, asked.upstream.len), &error)
    if unlikely(f == NULL):
        return error
    a = <asked_t*>arena_alloc(&call.x.arena, sizeof(asked_t))
    error = HOST_FULL
    if likely(a != NULL):
        a.call = call
        a.done = <pygw_fetched_fn>done
        a.arg = arg
        error = request_fill(f, asked)
    if error == 0:
        error = fetch_send(f, span(asked.body.ptr, asked.body.len), asked.timeout_ms, on_done, a)
    if error != 0:
        fetch_drop(f)
    return error


cdef void on_done(fetch_t* f) noexcept nogil:
    cdef asked_t* a = <asked_t*>f.owner
    cdef hook_call_t* call = a.call
    cdef hook_call_t* before
    cdef native_t* n = <native_t*>call.hook.loaded
    cdef const fetched_t* r = &f.result
    cdef pygw_call c
    cdef pygw_fetched got
    cdef outcome_t outcome
    if fetched_over(r):
        fetch_drop(f)
        return
    got.size = sizeof(got)
    got.status = r.status
    got.error = r.error
    got.cause = r.cause
    got.fields = <const pygw_header*>r.fields
    got.field_count = r.field_count
    got.body.ptr, got.body.len = r.body.ptr, r.body.len
    bill_on(call.x, call.chain_phase)
    before = hook_enter(call)
    call.error[0] = 0
    native_fill(call, &c)
    outcome = native_outcome(call, a.done(n.plugin.self, &c, a.arg, &got))
    hook_leave(call, before)
    bill_off(call.x, call.chain_phase)
    fetch_drop(f)
    if outcome != OUTCOME_WAIT:
        hook_resume(call, outcome)
