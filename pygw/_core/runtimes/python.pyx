# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, nonecheck=False
# Owns: Python hooks as a language: their calls, runs that wait, what they raise.
# Thread and GIL: takes the GIL on the loop's thread for each call; compiled modules run without.
# Never does: import (python_code.py does, aside), or let anything that a hook raises out.
# Read next: ../types/hook.pxd, python_view.pxd, python_task.pxd.
"""The runtime of Python hooks."""

import logging
import traceback
from asyncio import get_running_loop, iscoroutine

from cpython.object cimport PyObject
from cpython.pycapsule cimport PyCapsule_GetName, PyCapsule_GetPointer
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy
from pygw._core.check cimport likely, unlikely
from pygw._core.fault cimport E_CORE_INTERNAL
from pygw._core.filters.hook cimport hook_resume
from pygw._core.bill cimport bill_off, bill_on
from pygw._core.hooks cimport hook_enter, hook_leave, hook_log, runtime_register
from pygw._core.limits cimport HOOK_ERROR_MAX, HOOK_LOG_LINES, PYTHON_STRAYS_MAX
from pygw._core.runtimes.native_call cimport native_fill, pygw_call
from pygw._core.runtimes.python_reply cimport Abort, Reply, reply_tell
from pygw._core.runtimes.python_scope cimport loop_resumes
from pygw._core.runtimes.python_task cimport HookTask
from pygw._core.runtimes.python_view cimport (
    Request, view_begin, view_end, view_last, view_response)
from pygw._core.types.exchange cimport PHASE_LOG, PHASE_RESPONSE
from pygw._core.types.hook cimport *
from pygw._core.runtimes import python_code, python_task
from pygw._core.runtimes.python_scope import loop_thread_is

cdef extern from "Python.h" nogil:
    unsigned long PyThread_get_thread_ident()
    void* PyEval_SaveThread()

cdef extern from "Python.h":
    object PyObject_CallOneArg(object function, object argument)
    bint PyCoro_CheckExact(object answer)

ctypedef outcome_t (*call_fn)(PyObject* function, hook_call_t* call) noexcept nogil
ctypedef int (*compiled_fn)(const pygw_call* call) noexcept nogil

# What a call needs of a hook without the GIL; lies in its Loaded.
cdef struct python_t:
    PyObject* owner                   # own (one reference): the Loaded
    compiled_fn compiled[6]           # static: in the extension module; NULL: `functions` has it
    PyObject* functions[6]            # borrow(Loaded, for ever); by phase, NULL: none

cdef const char* SIGNATURE = b"int (pygw_call const *)"
cdef enum:
    FRAMES_SHOWN = 12
    DEADLINE_MS = 1000                # where neither configuration nor code says one

cdef runtime_ops_t ops
cdef uint8_t nothing                  # the state: none is needed
cdef object loop_here                 # what ran last, and on which thread
cdef unsigned long loop_ident
told = False                          # that async hooks are slower here
cdef int strays                       # runs that go on although their exchange is over


cdef class Loaded:
    """A hook that is served: what ``python_code`` made, by phase."""

    cdef python_t c
    cdef object made                  # holds the functions

    def __cinit__(self, made):
        self.made = made
        for phase, function in made.functions.items():
            place = python_code.PHASES.index(phase)
            if made.compiled:
                self.c.compiled[<int>place] = <compiled_fn>PyCapsule_GetPointer(
                    function, SIGNATURE)
            else:
                self.c.functions[<int>place] = <PyObject*>function


# --- runs that wait -------------------------------------------------------------------------------


# A coroutine of a hook. While its call waits, `call` is it; NULL: the exchange does not care any
# more, and whatever it still does is its own affair.
cdef class Run(HookTask):
    cdef hook_call_t* call            # borrow(filters/hook.pyx, until it ends or is cancelled)
    cdef hook_call_t* before
    cdef Request view
    cdef Loaded hook                  # its code stays while it runs
    cdef bint stray, entered

    cdef void step_begins(self) noexcept:
        self.entered = self.call != NULL
        if self.entered:
            bill_on(self.call.x, self.call.chain_phase)
            self.before = hook_enter(self.call)

    cdef void step_ends(self) noexcept:
        if self.entered:
            hook_leave(self.call, self.before)
            bill_off(self.call.x, self.call.chain_phase)

    cdef void ended(self) noexcept:
        global strays
        cdef hook_call_t* call = self.call
        cdef hook_call_t* before
        cdef outcome_t outcome
        if call == NULL:
            strays -= self.stray
            return
        before = hook_enter(call)
        outcome = judge_end(self, call)
        hook_leave(call, before)
        self.call = NULL
        view_end(self.view)
        call.run = NULL
        Py_DECREF(self)
        with nogil:
            hook_resume(call, outcome)


# What a coroutine came to; the call runs.
cdef outcome_t judge_end(Run run, hook_call_t* call) noexcept:
    if run.error is not None:
        return raised(call, run.error)
    return judge(call, run.answer)


# get_running_loop asks the kernel for the process's number each time (Python 3.11): what it said is
# asked whether it still runs, as long as the thread is the same.
cdef object running_loop():
    global loop_here, loop_ident
    if (loop_here is None or loop_ident != PyThread_get_thread_ident()
            or not loop_here.is_running()):
        loop_here = get_running_loop()
        loop_ident = PyThread_get_thread_ident()
    return loop_here


# Begins a coroutine. WAIT: it goes on in a later turn, and `call.run` is it.
cdef outcome_t run_begin(hook_call_t* call, Request view, object coro) except *:
    cdef Run run
    if strays >= PYTHON_STRAYS_MAX:
        coro.close()
        call.fault = HOOK_MEMORY
        call_says(call, f"{strays} runs go on although their exchanges are over: a hook swallows"
                        " its cancellation")
        return OUTCOME_FAILED
    run = Run(coro, running_loop())
    run.call = call
    run.view = view
    run.hook = <Loaded>(<python_t*>call.hook.loaded).owner
    if run.begin():
        run.call = NULL               # function_call ends the views
        return judge_end(run, call)
    Py_INCREF(run)
    call.run = <void*>run
    return OUTCOME_WAIT


cdef void python_cancel(void* state, hook_call_t* call) noexcept with gil:
    global strays
    cdef Run run = <Run>call.run
    call.run = NULL
    run.call = NULL
    view_end(run.view)
    run.stray = True
    strays += 1
    try:
        run.cancel("the exchange is over")
    except BaseException:
        pass                          # by a future of the hook's own: the run is left alone
    Py_DECREF(run)


# --- answers and errors ---------------------------------------------------------------------------


cdef void call_says(hook_call_t* call, str text) noexcept:
    cdef bytes line = text.encode("utf-8", "replace")
    cdef size_t size = min(<size_t>len(line), <size_t>(HOOK_ERROR_MAX - 1))
    memcpy(call.error, <const char*>line, size)               # COPY: the text is Python's
    call.error[size] = 0


# An exception is a line for the log and, as long as lines may be written, its traceback.
cdef outcome_t raised(hook_call_t* call, object error) noexcept:
    cdef bytes line
    call.fault = HOOK_MEMORY if isinstance(error, MemoryError) else HOOK_RAISED
    try:
        if call.hooks.log_lines < HOOK_LOG_LINES:
            for text in traceback_lines(error):
                line = text.encode("utf-8", "replace")
                if not hook_log(call, LOG_ERROR, line, <uint32_t>len(line)):
                    break
        call_says(call, error_text(error))
    except BaseException:
        call_says(call, "raised an exception that cannot be shown")
    return OUTCOME_FAILED


def traceback_lines(error: BaseException) -> list[str]:
    """The traceback's lines, our own frame left out; the last FRAMES_SHOWN frames at most."""
    shown = traceback.TracebackException(
        type(error), error, error.__traceback__, limit=-<int>FRAMES_SHOWN, compact=True)
    shown.stack[:] = [frame for frame in shown.stack if not frame.filename.endswith("python.pyx")]
    text = "".join(list(shown.format())[:-1])
    return [line.rstrip() for line in text.splitlines()][:64]


def error_text(error: BaseException) -> str:
    """One line: type and message, and where it was raised."""
    frames = traceback.extract_tb(error.__traceback__, limit=-1)
    where = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{where}"


# What a hook answered, while its call runs.
cdef outcome_t judge(hook_call_t* call, object answer) noexcept:
    if likely(answer is None):
        return OUTCOME_NEXT
    if isinstance(answer, Reply):
        try:
            reply_tell(call, <Reply>answer)
            return OUTCOME_REPLY
        except BaseException as error:
            call.fault = HOOK_WRONG
            call_says(call, f"{error}")
            return OUTCOME_FAILED
    if isinstance(answer, Abort):
        return OUTCOME_ABORT
    call.fault = HOOK_WRONG
    call_says(call, f"returned {type(answer).__name__}: a hook returns None, a Reply or ABORT")
    return OUTCOME_FAILED


# --- calls ----------------------------------------------------------------------------------------


cdef outcome_t compiled_call(compiled_fn function, hook_call_t* call) noexcept nogil:
    cdef pygw_call c
    cdef int answer
    native_fill(call, &c)
    answer = function(&c)
    if likely(answer == OUTCOME_NEXT):
        return OUTCOME_NEXT
    if answer == OUTCOME_REPLY or answer == OUTCOME_ABORT:
        return <outcome_t>answer
    call.fault = HOOK_RAISED if answer == OUTCOME_FAILED else HOOK_WRONG
    return OUTCOME_FAILED


cdef outcome_t function_call(PyObject* function, hook_call_t* call) noexcept:
    cdef Request view = None
    cdef object answer
    cdef outcome_t outcome
    try:
        view = view_begin(call)
        if call.phase < PHASE_RESPONSE:
            answer = PyObject_CallOneArg(<object>function, view)
        else:
            answer = (<object>function)(view, view_response(view))
        if likely(answer is None):
            outcome = OUTCOME_NEXT
        elif type(answer) is not Reply and (PyCoro_CheckExact(answer) or iscoroutine(answer)):
            outcome = coroutine_call(call, view, answer)
            if outcome == OUTCOME_WAIT:
                return OUTCOME_WAIT
        else:
            outcome = judge(call, answer)
            answer = None
    except BaseException as error:
        outcome = raised(call, error)
    if view is not None:
        view_last(view)
    return outcome


cdef outcome_t function_anywhere(PyObject* function, hook_call_t* call) noexcept with gil:
    return function_call(function, call)


cdef outcome_t coroutine_call(hook_call_t* call, Request view, object coro) except *:
    if call.hook.may_wait and call.phase != PHASE_LOG:
        return run_begin(call, view, coro)
    coro.close()
    call.fault = HOOK_WRONG
    call_says(call, "returned a coroutine: say async def, so that it is known to wait")
    return OUTCOME_FAILED


cdef outcome_t python_call(void* state, hook_call_t* call) noexcept nogil:
    cdef python_t* hook = <python_t*>call.hook.loaded
    cdef outcome_t outcome
    if hook.compiled[call.phase] != NULL:
        return compiled_call(hook.compiled[call.phase], call)
    if unlikely(not loop_resumes()):
        return function_anywhere(hook.functions[call.phase], call)
    outcome = (<call_fn>function_call)(hook.functions[call.phase], call)
    PyEval_SaveThread()
    return outcome


# --- the runtime ----------------------------------------------------------------------------------


def describe(code: bytes, file: str, config: object) -> dict[str, object]:
    """What a hook's code says of itself: imported here, which is not the loop's thread.

    Raises ValueError for what cannot be imported, is no hook, or refuses its configuration.
    """
    made = python_code.make(code, file, config)
    if made.compiled:
        for name, capsule in made.functions.items():
            signature = (<bytes>PyCapsule_GetName(capsule)).decode()
            if signature != SIGNATURE.decode():
                raise ValueError(f"{made.where}: {name} is {signature}; a compiled hook is"
                                 f" {SIGNATURE.decode()} noexcept nogil")
    return {"phases": list(made.functions), "may_wait": made.may_wait, "config": config,
            "deadline_ms": made.deadline_ms or DEADLINE_MS, "on_error": made.on_error,
            "body": made.body, "reads": made.reads, "writes": made.writes}


cdef void* python_open(hooks_t* hooks, char* error, uint32_t size) noexcept nogil:
    return &nothing


cdef void python_close(void* state) noexcept nogil:
    pass


cdef int python_load(void* state, hook_t* hook, char* error, uint32_t size) noexcept with gil:
    cdef Loaded loaded
    cdef bytes text
    try:
        loop_thread_is(PyThread_get_thread_ident())
        loaded = Loaded(python_code.take(hook.code.ptr[:hook.code.len],
                                         hook.file.ptr[:hook.file.len].decode(),
                                         hook.config.ptr[:hook.config.len]))
    except BaseException as why:
        text = str(why).encode(errors="replace")[:size - 1]
        memcpy(error, <const char*>text, len(text) + 1)       # COPY: the text is Python's
        return E_CORE_INTERNAL
    if loaded.made.may_wait:
        tasks_told()
    Py_INCREF(loaded)
    loaded.c.owner = <PyObject*>loaded
    hook.loaded = &loaded.c
    return 0


def tasks_told() -> None:
    """Says once in a process that async hooks are slower here, if they are."""
    global told
    if python_task.missing is not None and not told:
        told = True
        logging.getLogger("pygw.hooks").warning(
            "async hooks run as tasks of asyncio itself, which costs a microsecond more a call: %s",
            python_task.missing)


cdef void python_release(void* state, hook_t* hook) noexcept with gil:
    cdef python_t* c = <python_t*>hook.loaded
    hook.loaded = NULL
    Py_DECREF(<object>c.owner)


def strays_running() -> int:
    """Runs that go on although their exchange is over: they swallow their cancellation."""
    return strays


ops.name = b"python"
ops.open = python_open
ops.close = python_close
ops.load = python_load
ops.release = python_release
ops.call = python_call
ops.cancel = python_cancel

runtime_register(RUNTIME_PYTHON, &ops, describe)
