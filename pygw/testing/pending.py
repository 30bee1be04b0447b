"""A request on its way through a gateway in memory.

Owns: what was asked, and the passage to its answer.
Runs in: tests of hooks.
Never does: decide what a failed hook means to a test; `gateway` does.
Read next: `stage`, `response`.
"""

from __future__ import annotations

import json as json_format
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypedDict

from .messages import Fields, Seen, Text, bytes_of, pairs_of, request_pieces
from .response import Response, read_response
from .stage import Stage


class RequestParts(TypedDict, total=False):
    """What `Gateway.request` takes besides method and target."""

    headers: Fields
    body: Text
    json: Any
    chunks: Sequence[Text]
    host: str
    client: str
    listener: int


class Asked(NamedTuple):
    """A request: its bytes as the gateway reads them, and where they come from and go to."""

    pieces: tuple[bytes, ...]
    method: str
    client: str
    listener: int


def asked_of(
    method: str,
    target: str,
    *,
    headers: Fields = (),
    body: Text = b"",
    json: Any = None,
    chunks: Sequence[Text] | None = None,
    host: str = "gateway.test",
    client: str = "192.0.2.1",
    listener: int = 0,
) -> Asked:
    """The request that is meant."""
    fields = list(pairs_of(headers))
    named = {name.lower() for name, _ in fields}
    if json is not None:
        body = json_format.dumps(json)
        if "content-type" not in named:
            fields.append(("Content-Type", "application/json"))
    if "host" not in named:
        fields.insert(0, ("Host", host))
    content = chunks if chunks is not None else bytes_of(body)
    pieces = request_pieces(method, target, fields, content)
    return Asked(tuple(pieces), method, client, listener)


class Pending:
    """A request that was sent; `answer` waits for what becomes of it."""

    def __init__(
        self, stage: Stage, asked: Asked, peer: str, ended: Callable[[Pending, Response], None]
    ) -> None:
        self.asked = asked
        self.alone = True
        """Whether no other request was on its way at any time."""
        self._stage = stage
        self._ended = ended
        self._answer: Response | None = None
        self._end = stage.connect(asked.listener, peer)
        self._deeds = stage.book.deeds(self._end.number)
        self._seen = len(stage.seen)

    def send(self) -> None:
        """Its bytes, piece by piece."""
        self._stage.send(self._end, self.asked.pieces)

    @property
    def done(self) -> bool:
        """Whether its answer is there already."""
        return self._answer is not None or self._deeds.over or self._end.closed

    def answer(self) -> Response:
        """What became of it. Raises as `Gateway.request` does."""
        __tracebackhide__ = True
        if self._answer is not None:
            return self._answer
        self._stage.until(lambda: self.done)
        self._stage.leave(self._end)
        answer = read_response(self._end.received(), self.asked.method, self._deeds)
        lines = self._stage.worker.lines
        if self._deeds.over and self._deeds.number < len(lines):
            answer.access = json_format.loads(lines[self._deeds.number])
        answer.seen = [one for one in self._stage.seen[self._seen :] if self._is_ours(one, answer)]
        self._answer = answer
        self._ended(self, answer)
        return answer

    def _is_ours(self, seen: Seen, answer: Response) -> bool:
        """Of several that run at once, requests are told apart by the id that services get."""
        mine = answer.access.get("request_id")
        return self.alone or seen.headers.get("x-request-id", mine) == mine
