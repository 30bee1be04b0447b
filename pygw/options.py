"""What tests shorten or replace, and how long connections at rest are waited for.

Owns: `Options`, `IDLE_S`.
Runs in: the supervisor.
Never does: hold what a configuration may say.
Read next: `supervisor`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

WORKER_COMMAND = (sys.executable, "-P", "-m", "pygw.worker")
"""How a worker is started; -P keeps the current directory's files out of its imports."""

IDLE_S = {"reload": 5.0, "end": 0.5, "now": 0.0}
"""How long a connection at rest of a worker that drains may bring one more request.

Reload: the worker is one too many, and nobody waits for its end. End: TERM, where a balancer before
us may still send requests on connections it keeps. Now: INT, where a person waits.
"""


@dataclass(frozen=True)
class Options:
    """What tests shorten or replace; times in seconds.

    A worker that ends by itself is started again after `backoff_first_s`, doubled each time up to
    `backoff_max_s`, until one has lived for `backoff_reset_s`.
    """

    worker_command: Sequence[str] = WORKER_COMMAND
    shared_bytes_per_worker: int | None = None
    backoff_first_s: float = 0.1
    backoff_max_s: float = 30.0
    backoff_reset_s: float = 60.0
    ready_timeout_s: float = 30.0
    kill_grace_s: float = 3.0
