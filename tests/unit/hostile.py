"""What every corpus of hostile hooks asks: does the same worker serve on, byte by byte?

Owns: `serves_on`.
Runs in: tests, on a worker in memory whose hook says "fine" to `GET /`.
Never does: parse a thousand answers: all must be the first one again, which is parsed.
Read next: `test_lua_hostile`, `test_python_hostile`, `test_native_hostile`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from pygw._core import variant
from tests.unit.memory import GET, Gate

ENOUGH = 100 if variant.DEBUG else 1000
"""Requests after each hostile one; a debug build looks at memory in each of them."""

_VARIES = re.compile(rb"(Date: )[^\r]{29}|(X-Request-ID: )[0-9a-f-]{36}")


def serves_on(
    gate: Gate,
    count: int = ENOUGH,
    body: bytes = b"fine",
    do: Callable[[Callable[[], Any]], Any] = lambda step: step(),
) -> None:
    """The next requests are answered as if nothing had been; `do` runs a step on a test's loop."""
    client = gate.client()
    do(lambda: client.send(GET))
    assert (client.answer.status, client.answer.body) == (200, body)
    first = _VARIES.sub(rb"\1\2VARIES", client.received)
    for _ in range((count - 1) // 50 + 1):
        do(lambda: client.send(GET * 50))
    left = _VARIES.sub(rb"\1\2VARIES", client.received)
    assert left == first * (1 + ((count - 1) // 50 + 1) * 50)
    gate.clients.remove(client)  # what `judge` would look for in each answer stands in the first
    gate.done.append(client)
