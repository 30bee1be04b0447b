"""Where clients are accepted.

Owns: the model of an entry of `listeners`.
Runs in: the control plane.
Never does: compare one part of the configuration with another; that is `semantics`.
Read next: `upstreams`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from ..values import Bind, parse_bind
from .base import Name, Parsed, Part, text


class Listener(Part):
    """An address that accepts clients."""

    name: Name | None = None
    """Its name in logs and metrics; l1, l2, ... unless set."""

    bind: Annotated[
        Bind,
        Parsed(
            parse_bind,
            text(
                r"^unix:/|^([0-9.]+|\[[0-9A-Fa-f:.]+\]):[0-9]+$",
                "127.0.0.1:8080",
                "[::]:80",
                "unix:/x",
            ),
        ),
    ]
    """An address literal with a port, or the path of a unix socket; port 0 takes a free one."""

    half_close: Literal["abort", "answer"] = "abort"
    """What a client's FIN means while its request runs: it left (abort), or it waits (answer)."""

    server_timing: bool = False
    """Whether responses say in Server-Timing where their time went; to anybody who asks."""
