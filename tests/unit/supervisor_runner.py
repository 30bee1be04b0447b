"""Runs one supervisor with the stand-in worker, as its own process.

Arguments: a configuration file and a JSON object of `Options`. Prints `ready` and each bind on
standard error once everything serves.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from pygw.config import Config, load_config
from pygw.listeners import OpenListener
from pygw.log import set_up_log
from pygw.options import Options
from pygw.supervisor import Supervisor

WORKER = Path(__file__).with_name("worker_double.py")


def announce(listeners: Sequence[OpenListener]) -> None:
    binds = " ".join(str(listener.bind) for listener in listeners)
    print(f"ready {binds}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    set_up_log()
    options = Options(
        worker_command=[sys.executable, str(WORKER)],
        shared_bytes_per_worker=4096,
        **json.loads(sys.argv[2]),
    )

    def load() -> Config:
        config = load_config(sys.argv[1])
        if "made to fail" in Path(sys.argv[1]).read_text():
            raise ZeroDivisionError("made to fail")
        return config

    sys.exit(asyncio.run(Supervisor(load(), announce, options, load).run()))
