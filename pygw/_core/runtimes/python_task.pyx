# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# Owns: a coroutine that runs as its own asyncio task, begun from a C callback.
# Thread and GIL: holds the GIL, on the loop's thread.
# Never does: know a hook or an exchange (python.pyx derives from it).
# Read next: python_task.pxd for the contract.
"""``HookTask``: what runs an ``async def`` hook.

It does what asyncio.Task does (CPython's Modules/_asynciomodule.c says it best), with these
differences: the first step runs at once; the end is told by a call instead of a turn of the loop;
KeyboardInterrupt and SystemExit of a hook are its answer and do not end the process.

That rests on three functions of asyncio and on what its tasks look like from inside, which hold for
the versions of Python in ``PROVEN``. On any other, and when they are not there, a coroutine runs as
asyncio's own task (``Steps``): slower, one turn later where tasks cannot begin at once, and right.
"""

import asyncio
import sys
from asyncio import CancelledError

from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF
from pygw._core.check cimport unlikely

cdef extern from "Python.h":
    int PYGEN_RETURN
    int PyIter_Send(object it, object value, PyObject** result) except -1
    object PyContext_CopyCurrent()
    int PyContext_Enter(object context) except -1
    int PyContext_Exit(object context) except -1


PROVEN = ((3, 11), (3, 12), (3, 13))


def missing_of(version: tuple[int, int]) -> str | None:
    """Why coroutines run as asyncio's own tasks on this version of Python; None: they need not."""
    name = ".".join(map(str, version))
    if version not in PROVEN:
        return f"the tasks of Python {name} are not proven with it"
    try:
        from _asyncio import _enter_task, _leave_task, _register_task
    except ImportError as error:
        return f"this Python {name} has other tasks ({error})"
    return None


missing = missing_of(sys.version_info[:2])
cdef bint stock = missing is not None   # coroutines run as asyncio's own tasks
if not stock:
    from _asyncio import _enter_task, _leave_task, _register_task


def stock_tasks(bint wanted):
    """From now on coroutines begin as asyncio's own tasks, or not: for tests. What was before."""
    global stock
    before = stock
    stock = wanted
    return before


# What asyncio's own task runs instead of the coroutine: each step of it is one of the HookTask's.
cdef class Steps:
    """A coroutine as asyncio's own task sees it."""

    cdef HookTask of

    def __await__(self):
        return self

    def send(self, value):
        """One step."""
        return self.of.stock_step(value, None)

    def throw(self, kind, value=None, place=None):
        """One step, which begins with this error."""
        error = kind if isinstance(kind, BaseException) else value or kind()
        return self.of.stock_step(None, error)

    def close(self):
        """No further step."""
        if self.of.coro is not None:
            self.of.coro.close()

    @property
    def __name__(self):
        return "hook"

    @property
    def __qualname__(self):
        return "hook"


cdef class HookTask:
    """A coroutine as its own task; ``loop`` is the running loop."""

    def __cinit__(self, coro, loop):
        self.coro = coro
        self.loop = loop
        self.context = PyContext_CopyCurrent()

    # --- steps ------------------------------------------------------------------------------------

    cdef bint begin(self) except -1:
        cdef object outer = None
        if unlikely(stock):
            return self.begin_stock()
        PyContext_Enter(self.context)
        try:
            try:
                _enter_task(self.loop, self)
            except RuntimeError:
                # Another task is current: the worker's own, which ends exchanges when it stops.
                outer = asyncio.current_task(self.loop)
                _leave_task(self.loop, outer)
                _enter_task(self.loop, self)
            try:
                self.send(None)
            finally:
                _leave_task(self.loop, self)
                if outer is not None:
                    _enter_task(self.loop, outer)
        finally:
            PyContext_Exit(self.context)
        if not self.over:
            self.known = True
            _register_task(self)
        return self.over

    cdef bint begin_stock(self) except -1:
        cdef Steps steps = Steps.__new__(Steps)
        steps.of = self
        if sys.version_info >= (3, 12) and asyncio.current_task(self.loop) is None:
            self.task = asyncio.Task(steps, loop=self.loop, eager_start=True)
        else:
            self.task = self.loop.create_task(steps)
        if self.task.done():
            self.stock_ends()
            return True
        self.task.add_done_callback(self._stock_done)
        return False

    # KeyboardInterrupt and SystemExit would go through the task and end the loop.
    cdef object stock_step(self, object value, object error):
        self.step_begins()
        try:
            if error is None:
                return self.coro.send(value)
            return self.coro.throw(error)
        except StopIteration as stop:
            self.answer = stop.value
        except BaseException as raised:
            self.error = raised
        finally:
            self.step_ends()
        self.over, self.coro = True, None
        if self.error is not None and isinstance(self.error, (Exception, CancelledError)):
            raise self.error
        raise StopIteration

    cdef int stock_ends(self) except -1:
        self.over = True
        if not self.task.cancelled():
            self.task.exception()                               # looked at: nobody else does
        return 0

    def _stock_done(self, task):
        self.stock_ends()
        self.finish()
        self.ended()

    # A later step; its callback runs in `context` already.
    cdef int step(self, object error) except -1:
        if self.over:
            return 0
        self.step_begins()
        _enter_task(self.loop, self)
        try:
            self.send(error)
        finally:
            _leave_task(self.loop, self)
            self.step_ends()
        if self.over:
            self.finish()
            self.ended()
        return 0

    cdef int send(self, object error) except -1:
        cdef PyObject* result = NULL
        cdef object awaited = None
        if self._must_cancel:
            if not isinstance(error, CancelledError):
                error = self.cancelled_error()
            self._must_cancel = False
        self._fut_waiter = None
        try:
            if error is None:
                if PyIter_Send(self.coro, None, &result) == PYGEN_RETURN:
                    self.over = True
                awaited = <object>result
                Py_DECREF(awaited)
            else:
                awaited = self.coro.throw(error)
        except StopIteration as stop:
            self.over, awaited = True, stop.value
        except BaseException as raised:
            self.over, self.error = True, raised
        if self.over:
            self.answer, self.coro = awaited, None
            return 0
        return self.wait_for(awaited)

    # What the coroutine yielded decides when it goes on.
    cdef int wait_for(self, object awaited) except -1:
        if awaited is None:                                     # a bare yield: sleep(0)
            self.loop.call_soon(self._go_on, context=self.context)
            return 0
        blocking = getattr(awaited, "_asyncio_future_blocking", None)
        if blocking is None:
            wrong = f"a hook awaited {type(awaited).__name__}, which is no future of asyncio"
        elif awaited.get_loop() is not self.loop:
            wrong = "a hook awaited a future of another loop"
        elif not blocking:
            wrong = "a hook used yield where await was meant"
        elif awaited is self:
            wrong = "a hook awaited itself"
        else:
            awaited._asyncio_future_blocking = False
            awaited.add_done_callback(self._wake_up, context=self.context)
            self._fut_waiter = awaited
            if self._must_cancel and awaited.cancel(self.message):
                self._must_cancel = False
            return 0
        self.loop.call_soon(self._go_on, RuntimeError(wrong), context=self.context)
        return 0

    def _go_on(self, error=None):
        self.step(error)

    def _wake_up(self, future):
        cdef object error = None
        try:
            future.result()
        except BaseException as raised:
            error = raised
        self.step(error)

    cdef object cancelled_error(self):
        return CancelledError() if self.message is None else CancelledError(self.message)

    cdef int finish(self) except -1:
        if self._callbacks is not None:
            for callback, context in self._callbacks:
                self.loop.call_soon(callback, self, context=context)
            self._callbacks = None
        return 0

    cdef void step_begins(self) noexcept:
        pass

    cdef void step_ends(self) noexcept:
        pass

    cdef void ended(self) noexcept:
        pass

    # --- what a task answers ----------------------------------------------------------------------

    def cancel(self, msg=None):
        """As asyncio.Task.cancel: False when it is over."""
        if self.over:
            return False
        if self.task is not None:
            return self.task.cancel(msg)
        self.cancels += 1
        self.message = msg
        # anyio's scopes know their own cancellations by the message: it goes on as it came.
        if self._fut_waiter is not None and self._fut_waiter.cancel(msg):
            return True
        self._must_cancel = True
        return True

    def cancelling(self):
        """How many cancellations were asked for and not taken back."""
        return self.cancels

    def uncancel(self):
        """Takes one back."""
        if self.cancels:
            self.cancels -= 1
            if self.cancels == 0:
                self._must_cancel = False
        return self.cancels

    def done(self):
        """Whether it is over."""
        return self.over

    def cancelled(self):
        """Whether cancellation ended it."""
        return self.over and isinstance(self.error, CancelledError)

    def result(self):
        """Its answer, or what it raised."""
        if not self.over:
            raise asyncio.InvalidStateError("Result is not set.")
        if self.error is not None:
            raise self.error
        return self.answer

    def exception(self):
        """What it raised, or None."""
        if not self.over:
            raise asyncio.InvalidStateError("Exception is not set.")
        if isinstance(self.error, CancelledError):
            raise self.error
        return self.error

    def add_done_callback(self, callback, *, context=None):
        """Calls it in the turn after the end."""
        if context is None:
            context = PyContext_CopyCurrent()
        if self.over:
            self.loop.call_soon(callback, self, context=context)
        elif self._callbacks is None:
            self._callbacks = [(callback, context)]
        else:
            self._callbacks.append((callback, context))

    def remove_done_callback(self, callback):
        """Forgets it; how often it was there."""
        before = self._callbacks or []
        self._callbacks = [one for one in before if one[0] != callback]
        return len(before) - len(self._callbacks)

    def get_coro(self):
        """The coroutine; None when it is over."""
        return self.coro

    def get_context(self):
        """The context it runs in."""
        return self.context

    def get_loop(self):
        """The loop it runs on."""
        return self.loop

    @property
    def _loop(self):
        return self.loop                                        # anyio's threads ask for it so

    def get_name(self):
        """Its name."""
        return "hook" if self.name is None else self.name

    def set_name(self, value):
        """Gives it a name."""
        self.name = str(value)

    def get_stack(self, *, limit=None):
        """The coroutine's frame, if it waits."""
        frame = getattr(self.coro, "cr_frame", None)
        return [] if frame is None else [frame]

    def print_stack(self, *, limit=None, file=None):
        """A line about where it waits."""
        print(repr(self), file=file)

    def __repr__(self):
        state = "done" if self.over else "cancelling" if self.cancels else "pending"
        return f"<HookTask {self.get_name()} {state} coro={self.coro!r}>"


cdef class Told(HookTask):
    """One that calls a Python function when it is over: for tests."""

    cdef object on_end

    cdef void ended(self) noexcept:
        self.on_end(self)


def begin(coro, loop, on_end):
    """Starts a coroutine as a HookTask; ``on_end(task)`` is called once: for tests."""
    cdef Told task = Told(coro, loop)
    task.on_end = on_end
    if task.begin():
        task.finish()
        on_end(task)
    return task
