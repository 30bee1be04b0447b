"""Where clients are accepted.

Owns: the model of an entry of `listeners`.
Runs in: the control plane.
Never does: compare one part of the configuration with another; that is `semantics`.
Read next: `upstreams`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import PlainValidator

from ..values import Bind, parse_bind
from .base import Name, Part


class Listener(Part):
    """An address that accepts clients. `half_close` says what a client's FIN means while its
    request runs: `abort` takes it as leaving, `answer` still answers."""

    name: Name | None = None
    bind: Annotated[Bind, PlainValidator(parse_bind)]
    half_close: Literal["abort", "answer"] = "abort"
