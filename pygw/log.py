"""The control plane's own log: short lines on standard error.

Owns: the one handler of the `pygw` logger.
Runs in: the supervisor and every worker.
Never does: touch the access log, which the data plane writes.
Read next: `supervisor`.
"""

from __future__ import annotations

import logging


def set_up_log() -> None:
    """Send the `pygw` logger's lines from INFO up to standard error, with the local time."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    logger = logging.getLogger("pygw")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
