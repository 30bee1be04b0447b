"""What one corpus case is: bytes, and what a reader must make of them.

Owns the shape of a case and the comparing of an outcome with it; the cases are in the other modules
of this package. Runs anywhere. Never reads bytes itself. Read next: ``requests_good.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Fields = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True)
class Case:
    """One message.

    ``error`` is the ``E_*`` name it is refused with, or None; then ``head`` lists what must be true
    of the head (keys as in ``probe.http1``; ``fields`` as pairs), and ``body``, ``trailers`` and
    ``ended`` what follows. ``rest`` counts the last bytes of ``data`` that are not the message's.
    """

    name: str
    data: bytes
    error: str | None = None
    kind: str = "request"
    head_request: bool = False
    limits: Mapping[str, int] = field(default_factory=dict)
    head: Mapping[str, Any] = field(default_factory=dict)
    body: bytes = b""
    trailers: Fields = ()
    ended: bool = True
    rest: int = 0
    finish_error: str | None = None


def request(name: str, data: bytes, **expected: Any) -> Case:
    """A request that is accepted: what ``Case`` takes, everything else is about its head."""
    return _good(name, "request", data, expected)


def response(name: str, data: bytes, **expected: Any) -> Case:
    """A response that is accepted."""
    return _good(name, "response", data, expected)


def _good(name: str, kind: str, data: bytes, expected: dict[str, Any]) -> Case:
    own = {key: expected.pop(key) for key in tuple(expected) if key in Case.__dataclass_fields__}
    return Case(name, data, kind=kind, head=expected, **own)


def refused(name: str, error: str, data: bytes, **settings: Any) -> Case:
    """A message that is refused: a request or, by the name of the error, a response."""
    kind = "response" if error.startswith("E_UP_") else "request"
    return Case(name, data, error=error, kind=kind, **settings)


def pairs(fields: Sequence[Mapping[str, Any]]) -> list[tuple[bytes, bytes]]:
    """Names and values of fields as ``probe.http1`` returns them."""
    return [(one["name"], one["value"]) for one in fields]


def check(case: Case, outcome: Mapping[str, Any]) -> None:
    """Fail unless outcome is what the case wants."""
    assert outcome["error"] == case.error
    if case.error is not None:
        return
    head = dict(outcome["head"] or {})
    head["fields"] = pairs(head.get("fields", ()))
    for key, wanted in case.head.items():
        assert head[key] == wanted, key
    assert head or not case.ended, "no head"
    assert outcome["body"] == case.body
    assert pairs(outcome["trailers"]) == list(case.trailers)
    assert outcome["ended"] == case.ended
    assert outcome["consumed"] == len(case.data) - case.rest
    assert outcome["finish_error"] == case.finish_error
