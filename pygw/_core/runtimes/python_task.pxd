# Owns: a coroutine that runs as its own asyncio task, begun from a C callback.
# Thread and GIL: holds the GIL, on the loop's thread.
# Never does: know a hook or an exchange (python.pyx derives from it).
# Read next: python_task.pyx.

# What asyncio, anyio and those that build on them ask of a task, without the cost of one: an
# `async def` that never waits costs a sixth of an eager asyncio.Task.
cdef class HookTask:
    cdef object __weakref__           # all_tasks and anyio hold tasks weakly
    cdef public object _fut_waiter    # anyio looks at these three
    cdef public object _callbacks     # None or pairs of callback and context
    cdef public bint _must_cancel
    cdef object coro, context, loop, answer, error, message, name
    cdef object task                  # asyncio's own, where that runs it; or None
    cdef int cancels
    cdef bint over, known

    # Runs to the first place where it waits. True: it is over already, and `ended` was not called.
    cdef bint begin(self) except -1
    cdef bint begin_stock(self) except -1
    cdef int stock_ends(self) except -1
    cdef object stock_step(self, object value, object error)
    # Around each step but the first: where it runs (hook_enter) and is left.
    cdef void step_begins(self) noexcept
    cdef void step_ends(self) noexcept
    # It has come to an end in a later turn: answer or error is set.
    cdef void ended(self) noexcept

    cdef int step(self, object error) except -1
    cdef int send(self, object error) except -1
    cdef int wait_for(self, object awaited) except -1
    cdef object cancelled_error(self)
    cdef int finish(self) except -1
