"""Work that may take a while beside a running loop.

Owns: the one thread that does it, at the lowest priority, so that it takes from traffic only what
traffic leaves.
Runs in: the supervisor and every worker.
Never does: run two jobs at a time.
Read next: `worker`, which compiles plans there.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")

_NICE = 19

_LOOP_FIRST_S = 0.005
"""A job waits so long, so that the loop can do all that is at hand: afterwards, a data plane whose
callbacks need no GIL goes on whatever the job holds."""


def _step_back() -> None:
    # Linux knows a priority for each thread, by the thread's own number.
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


_threads = ThreadPoolExecutor(1, "pygw-background", _step_back)


def start_background() -> None:
    """Start the thread now: who starts it later waits for its first breath."""
    _threads.submit(int).result()


async def in_background(job: Callable[_P, _T], *arguments: _P.args, **options: _P.kwargs) -> _T:
    """What the job answers; the loop goes on meanwhile. A cancelled job still runs to its end."""

    def later() -> _T:
        time.sleep(_LOOP_FIRST_S)
        return job(*arguments, **options)

    return await asyncio.get_running_loop().run_in_executor(_threads, later)
