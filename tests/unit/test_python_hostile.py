"""Hostile Python: after each hook that misbehaves its worker serves the next 1 000 requests.

What would end or stop this very process is in `tests/e2e/test_hostile_hooks.py`; what only a
supervisor can end is listed in docs/hooks.md, "What nothing in the worker can end".
"""

from __future__ import annotations

import gc
import textwrap
from typing import Any

import pytest

from pygw._core.runtimes import python as runtime
from tests.unit.hostile import serves_on
from tests.unit.memory import GET, Gate
from tests.unit.python_hooks import Turns, python, waiting
from tests.unit.test_python_hooks import function_of

BAD = GET.replace(b"GET / ", b"GET /bad ")
DEADLINE_MS = 50
PRELUDE = "import asyncio, copy, functools, json, pickle, threading, time, types\nstop = []\n"

RAISED = {
    "SystemExit": "raise SystemExit(3)",
    "KeyboardInterrupt": "raise KeyboardInterrupt",
    "GeneratorExit": "raise GeneratorExit",
    "CancelledError": "raise asyncio.CancelledError('not you')",
    "StopIteration": "raise StopIteration(Reply(201))",
    "StopAsyncIteration": "raise StopAsyncIteration",
    "MemoryError": "raise MemoryError",
    "BaseException": "raise type('E', (BaseException,), {})()",
    "text that raises": "raise type('E', (Exception,), {'__str__': lambda e: 1 / 0})()",
    "text that exits": "raise type('E', (Exception,), {'__str__': lambda e: exit(3)})()",
    "text that is none": "raise type('E', (Exception,), {'__str__': lambda e: 5})()",
    "a name that is no text": "raise type('E\\n\\ud800', (Exception,), {})('x')",
    "a huge text": "raise ValueError('x' * 10_000_000)",
    "control bytes": "raise ValueError('a\\r\\n\\0\\x1b[2J\\ud800')",
    "many lines": "raise ValueError('line\\n' * 100_000)",
    "a circle of causes": "e = ValueError(); f = ValueError(); e.__cause__ = f; f.__cause__ = e"
    "; raise e",
    "a long chain": "e = ValueError()\nfor n in range(2_000):\n"
    " f = ValueError(n); f.__context__ = e; e = f\nraise e",
    "a deep group": "e = ValueError()\nfor n in range(2_000): e = ExceptionGroup('g', [e])\n"
    "raise e",
    "a wide group": "raise ExceptionGroup('g', [ValueError(n) for n in range(5_000)])",
    "no exception": "raise 5",
}
RECURSION = {
    "functions": "def f(): return f() + 1\nf()",
    "__getattr__": "class A:\n def __getattr__(self, n): return getattr(self, n + 'x')\nA().a",
    "__repr__": "class A:\n def __repr__(self): return repr(self)\nrepr(A())",
    "a deep list": "a = []\nfor n in range(200_000): a = [a]\nrepr(a)",
    "JSON": "json.loads('[' * 200_000)",
}
BOMBS = {
    "text": "'x' * (1 << 62)",
    "bytes": "bytearray(1 << 46)",
    "a list": "[0] * (1 << 60)",
    "a number": "(1 << 70) << (1 << 62)",
}
WRONG = {
    "a number": "return 5",
    "the request": "return req",
    "a type": "return Reply",
    "a generator": "return (n for n in range(3))",
    "a coroutine": "async def f(): pass\nreturn f()",
    "an async generator": "async def f(): yield 1\nreturn f()",
    "what says it is a Reply": "return type('R', (), {'__class__': Reply})()",
    "what can be awaited": "return type('A', (), {'__await__': lambda a: iter([1])})()",
    "an empty Reply": "return Reply.__new__(Reply)",
    "status 99": "return Reply(99)",
    "status 600": "return Reply(600)",
    "status -1": "return Reply(-1)",
    "a huge status": "return Reply(10 ** 30)",
    "a huge body": "return Reply(200, b'x' * 2_000_000)",
    "a huge field": "return Reply(200, '', {'x-a': 'x' * 2_000_000})",
    "many fields": "return Reply(200, '', [('x-a', 'b')] * 10_000)",
    "CR LF in a reply": "return Reply(200, '', {'x-a': 'a\\r\\nx-b: 1'})",
    "CR LF in a reply's name": "return Reply(200, '', {'x-a\\r\\nx-b': '1'})",
    "NUL in a reply": "return Reply(200, '', {'x-a': 'a\\0'})",
    "CR LF in a reply's type": "return Reply(200, '', {}, 'a/b\\r\\nx-b: 1')",
    "framing of a reply": "return Reply(200, '', {'Transfer-Encoding': 'chunked'})",
    "a body of a kind": "return Reply(200, {'a': 1})",
    "fields that raise": "return Reply(200, '', ((1 / 0, 'b') for n in range(3)))",
    "fields that are none": "return Reply(200, '', [('x-a',)])",
}
EDITS = {
    "CR LF in a value": "req.headers['x-a'] = 'a\\r\\nx-b: 1'",
    "LF in a value": "req.headers['x-a'] = b'a\\nx-b: 1'",
    "NUL in a value": "req.headers['x-a'] = 'a\\0'",
    "CR LF in a name": "req.headers['x-a\\r\\nx-b'] = '1'",
    "NUL in a name": "req.headers.add(b'x\\0', b'1')",
    "framing": "req.headers['content-length'] = '5'",
    "a path in two readings": "req.path = '/a/../b'",
    "a method in two": "req.method = 'GET / HTTP/1.1\\r\\nx: '",
    "CR LF in a query": "req.query = 'a=1 HTTP/1.1\\r\\nx-a: 1'",
    "fields without end": "while True: req.headers.add('x-a', 'x' * 100)",
    "variables without end": "for n in range(10 ** 9): req.vars[str(n)] = 'x'",
    "a huge variable": "req.vars['a'] = 'x' * (1 << 20)",
    "no text": "req.headers['x-a'] = 5",
    "no name": "req.headers[None]",
    "a body that is not here": "req.body",
    "a body set too early": "req.body = b'x'",
    "a view made by hand": "type(req)().path",
    "fields made by hand": "type(req.headers)().get('a')",
    "fields set by hand": "type(req.headers)()['a'] = 'b'",
    "variables made by hand": "type(req.vars)()['a']",
    "variables set by hand": "type(req.vars)()['a'] = 'b'",
    "a copy of a view": "copy.copy(req).path",
    "a deep copy of fields": "copy.deepcopy(req.headers)['host']",
    "a pickled view": "pickle.dumps(req)",
    "an attribute of its own": "req.user = 'anna'",
    "a run made by hand": "type(asyncio.current_task())(None, None).cancel().x",
}
LOOP = {  # what a loop that runs refuses
    "asyncio.run": "asyncio.run(asyncio.sleep(0))",
    "run_until_complete": "asyncio.get_running_loop().run_until_complete(asyncio.sleep(0))",
    "run_forever": "asyncio.get_running_loop().run_forever()",
    "close": "asyncio.get_running_loop().close()",
}
FAILS = {
    f"{kind}: {name}": code
    for kind, hooks in (
        ("raised", RAISED), ("recursion", RECURSION), ("bomb", BOMBS), ("wrong", WRONG),
        ("edit", EDITS), ("loop", LOOP))
    for name, code in hooks.items()
}  # fmt: skip

# `async def` only: each waits, and comes to an end by itself or at its deadline.
AWAITED = {
    "for ever": "await asyncio.Event().wait()",
    "a future nobody ends": "await asyncio.get_running_loop().create_future()",
    "sleep(0) for ever": "while True: await asyncio.sleep(0)",
    "cancels itself": "asyncio.current_task().cancel(); await asyncio.sleep(0)",
    "cancels itself again and again": "while True:\n asyncio.current_task().cancel()\n"
    " await asyncio.sleep(0)",
    "itself": "await asyncio.current_task()",
    "itself by gather": "await asyncio.gather(asyncio.current_task())",
    "itself in a child": "async def f(task): await task\n"
    "await asyncio.create_task(f(asyncio.current_task()))",
    "a number": "await type('A', (), {'__await__': lambda a: (yield 5)})()",
    "a future without await": "await type('A', (), {'__await__': lambda a:"
    " (yield asyncio.get_running_loop().create_future())})()",
    "another loop's future": "other = asyncio.new_event_loop()\ntry: await other.create_future()\n"
    "finally: other.close()",
    "a failure after a wait": "await asyncio.sleep(0)\nraise KeyboardInterrupt",
    "an exit after a wait": "await asyncio.sleep(0.001)\nraise SystemExit",
    "nonsense after a wait": "await asyncio.sleep(0)\nreturn 5",
    "a deep chain": "async def f(): await f()\nawait f()",
    "a deep chain that waits": "async def f(n): await (f(n - 1) if n else asyncio.sleep(9))\n"
    "await f(400)",
    "a group whose child fails": "async def f(): raise ValueError\n"
    "async with asyncio.TaskGroup() as group:\n group.create_task(f())\n await asyncio.sleep(9)",
    "a wait in finally": "try: await asyncio.sleep(9)\nfinally: await asyncio.sleep(0.002)",
    "a failure instead of its end": "try: await asyncio.sleep(9)\nfinally: 1 / 0",
    "an exit instead of its end": "try: await asyncio.sleep(9)\nfinally: raise SystemExit",
    "an answer instead of its end": "try: await asyncio.sleep(9)\nfinally: return Reply(200, 'no')",
    "its end swallowed": "while not stop:\n try: await asyncio.sleep(0.001)\n"
    " except asyncio.CancelledError: pass",
    "its end swallowed, then views": "try: await asyncio.sleep(9)\n"
    "except asyncio.CancelledError: pass\nreq.headers['x-a'] = 'b'\nreq.path = '/else'",
    "numbers for ever": "class A:\n def __await__(self):\n  while not stop:\n   try: yield 5\n"
    "   except BaseException: pass\nawait A()",
    "the coroutine sent by hand": "asyncio.current_task().get_coro().send(None)",
    "the coroutine thrown into": "asyncio.current_task().get_coro().throw(ValueError)",
    "the coroutine closed": "asyncio.current_task().get_coro().close()",
    "a turn by hand": "asyncio.current_task()._go_on()",
    "turns by hand later": "task = asyncio.current_task()\nfor n in range(9):"
    " asyncio.get_running_loop().call_soon(task._go_on)\nawait asyncio.sleep(9)",
}
# These harm only themselves: the answer is the hook's own.
HARMLESS = {
    "a worker that is blocked": "time.sleep(0.03)",
    "lines without end": "for n in range(5000): req.log('x' * 5000, 'error')",
    "a thread with a view": "t = threading.Thread(target=lambda: req.path)\nt.start()\nt.join()",
    "threads with dead views": "for n in range(5):\n"
    " threading.Timer(0.001, lambda: req.headers['host']).start()",
    "a thread that exits": "threading.Thread(target=lambda: exit(3)).start()",
    "tasks that never end": "keep = [asyncio.get_running_loop().create_task(asyncio.sleep(999))"
    " for n in range(200)]",
    "a task with a dead view": "async def f():\n await asyncio.sleep(0)\n req.path\n"
    "asyncio.get_running_loop().create_task(f())",
    "a callback that raises": "asyncio.get_running_loop().call_soon(lambda: 1 / 0)",
    "a handler that raises": "loop = asyncio.get_running_loop()\n"
    "loop.set_exception_handler(lambda *a: 1 / 0)\nloop.call_soon(lambda: 1 / 0)",
    "a coroutine not awaited": "asyncio.sleep(5).close()\nasync def f(): pass\nf()",
    "a coroutine that does not end": "async def f():\n while True:\n  try: await asyncio.sleep(9)\n"
    "  except GeneratorExit: pass\nc = f()\nc.send(None)\ndel c",
    "__del__ that raises": "class A:\n def __del__(self): raise SystemExit\nA()",
    "circles of views": "a = [req, req.headers, req.vars]\na.append(a)\nreq.vars['x'] = 'y'",
    "edits while it iterates": "for name in req.headers: req.headers['x-' + name] = 'b'",
    "no running loop any more": "asyncio.set_event_loop(None)",
}  # fmt: skip


def hook_of(head: str, code: str) -> str:
    """A module whose hook does this for /bad and says "fine" to all else."""
    body = textwrap.indent(code, "        ")
    return (
        f"{PRELUDE}\n{head} h(req):\n    if req.path == '/bad':\n{body}\n"
        "    return Reply(200, 'fine')\nh.stop = stop\n"
    )


def ends(turns: Turns, gate: Gate, entry: Any, status: int, seen: bytes = b"") -> None:
    """The hostile request, twice; then the rest of what it left behind, then 1 000 others."""
    serves_on(gate, 50, do=turns.do)
    for _ in range(2):
        client = turns.do(lambda: gate.client(BAD))
        for _ in range(20):
            turns.do(lambda: gate.advance(5))  # more than DEADLINE_MS
        assert client.answer.status == status
        assert client.answer.body == seen or status != 200
    serves_on(gate, do=turns.do)
    function_of(entry).stop.append(1)
    turns.until(lambda: runtime.strays_running() == 0, gate)
    gc.collect()
    serves_on(gate, 50, do=turns.do)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FAILS)
def test_worker_serves_on_after(name: str) -> None:
    head = ("def", "async def")[list(FAILS).index(name) % 2]
    entry = python(hook_of(head, FAILS[name]), deadline_ms=DEADLINE_MS)
    with waiting(entry) as (turns, gate):
        ends(turns, gate, entry, 500)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", AWAITED)
def test_worker_serves_on_after_waiting_for(name: str) -> None:
    entry = python(hook_of("async def", AWAITED[name]), deadline_ms=DEADLINE_MS)
    with waiting(entry) as (turns, gate):
        ends(turns, gate, entry, 500)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", HARMLESS)
def test_worker_serves_on_beside(name: str) -> None:
    head = ("def", "async def")[list(HARMLESS).index(name) % 2]
    entry = python(hook_of(head, HARMLESS[name]), deadline_ms=DEADLINE_MS)
    with waiting(entry) as (turns, gate):
        ends(turns, gate, entry, 200, b"fine")
