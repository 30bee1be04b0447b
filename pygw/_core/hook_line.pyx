# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: requests that wait for another's run of the same hook and key.
# Thread and GIL: one worker's loop; no GIL.
# Never does: run a hook, or resume an exchange (filters/hook.pyx does).
# Read next: hook_line.pxd for the contract.

from libc.string cimport memcmp
from pygw._core.limits cimport HOOK_CACHE_LEADS, HOOK_CACHE_LINE
from pygw._core.types.exchange cimport host_t
from pygw._core.types.hook cimport line_t


cdef void line_push(line_t* line, record_t* r) noexcept nogil:
    r.line = line
    r.after = NULL
    r.before = line.last
    if r.before != NULL:
        r.before.after = r
    else:
        line.first = r
    line.last = r
    line.count += 1


cdef void line_remove(record_t* r) noexcept nogil:
    cdef line_t* line = r.line
    if r.before != NULL:
        r.before.after = r.after
    else:
        line.first = r.after
    if r.after != NULL:
        r.after.before = r.before
    else:
        line.last = r.before
    line.count -= 1
    r.line = NULL


cdef void line_move(line_t* to, line_t* line) noexcept nogil:
    cdef record_t* r
    while line.first != NULL:
        r = line.first
        line_remove(r)
        line_push(to, r)


cdef record_t* lead_find(hook_cache_t* c, const record_t* of) noexcept nogil:
    cdef record_t* r = c.leads[of.hash % HOOK_CACHE_LEADS]
    while r != NULL:
        if (r.hash == of.hash and r.call.hook == of.call.hook and r.key.len == of.key.len
                and memcmp(r.key.ptr, of.key.ptr, r.key.len) == 0):
            return r
        r = r.next
    return NULL


cdef bint hook_line_up(hook_cache_t* c, record_t* r) noexcept nogil:
    cdef record_t* lead = lead_find(c, r)
    if lead == NULL or lead.behind.count >= HOOK_CACHE_LINE:
        return False
    line_push(&lead.behind, r)
    return True


cdef void lead_begin(hook_cache_t* c, record_t* r) noexcept nogil:
    r.link = &c.leads[r.hash % HOOK_CACHE_LEADS]
    r.next = r.link[0]
    if r.next != NULL:
        r.next.link = &r.next
    r.link[0] = r


cdef void lead_end(record_t* r) noexcept nogil:
    r.link[0] = r.next
    if r.next != NULL:
        r.next.link = r.link
    r.link = NULL


cdef void hook_line_lead(hook_call_t* call) noexcept nogil:
    cdef hook_cache_t* c = &call.hooks.cache
    if call.record != NULL and call.record.link == NULL and lead_find(c, call.record) == NULL:
        lead_begin(c, call.record)


cdef void hook_line_leave(hook_call_t* call) noexcept nogil:
    line_remove(call.record)


cdef hook_call_t* hook_line_next(hook_cache_t* c) noexcept nogil:
    cdef record_t* r = c.woken.first
    if r == NULL:
        return NULL
    line_remove(r)
    return r.call


cdef void hook_line_over(hook_call_t* call) noexcept nogil:
    cdef hook_cache_t* c = &call.hooks.cache
    cdef host_t* host = call.x.host
    cdef record_t* r = call.record
    cdef record_t* heir = r.behind.first
    call.record = NULL
    if r.line != NULL:
        line_remove(r)
    if r.link != NULL:
        lead_end(r)
    if heir == NULL:
        return
    if r.ended:
        line_move(&c.woken, &r.behind)
    else:
        line_remove(heir)
        line_move(&heir.behind, &r.behind)
        lead_begin(c, heir)
        line_push(&c.woken, heir)
    host.timer_soon(host, &c.wake)
