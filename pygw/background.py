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
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")

_NICE = 19


def _step_back() -> None:
    # Linux knows a priority for each thread, by the thread's own number.
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


_threads = ThreadPoolExecutor(1, "pygw-background", _step_back)


async def in_background(job: Callable[_P, _T], *arguments: _P.args, **options: _P.kwargs) -> _T:
    """What the job answers; the loop goes on meanwhile. A cancelled job still runs to its end."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_threads, partial(job, *arguments, **options))
