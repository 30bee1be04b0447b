"""However the bytes of both sides are cut, the same messages leave.

Each case runs whole, byte by byte on either side, and cut at every single place of the request and
of the response, on one worker whose live objects are back to none after each run.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.peers.wire import Message
from tests.unit.memory import GET, HEAD, OK, Client, Gate, chunked, ok, plan_of, post, upstream

CHUNKED_POST = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\n\r\n"
CHUNKED_OK = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@dataclass(frozen=True)
class Case:
    """What both sides send; `origin_ends` when only a FIN ends the answer."""

    request: bytes
    response: bytes
    origin_ends: bool = False


CASES = {
    "get-length": Case(GET, ok(b"hello")),
    "head": Case(HEAD, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
    "no-content": Case(GET, b"HTTP/1.1 204 No Content\r\n\r\n"),
    "post-length": Case(post(b"some body"), ok(b"")),
    "post-chunked": Case(
        CHUNKED_POST + b"5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nX-T: 1\r\n\r\n",
        CHUNKED_OK + chunked(b"ab", b"c", trailers=b"X-U: 2\r\n"),
    ),
    "to-the-end": Case(GET, b"HTTP/1.1 200 OK\r\n\r\nuntil the end", origin_ends=True),
    "old-client": Case(b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", ok(b"old")),
    "old-origin": Case(GET, b"HTTP/1.0 200 OK\r\n\r\nold", origin_ends=True),
    "interim": Case(GET, b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK),
    "pipeline": Case(GET + post(b"x") + GET, OK + OK + OK),
    "fields": Case(
        b"GET /a?b HTTP/1.1\r\nHost: a:80\r\nConnection: X-Hop\r\nX-Hop: 1\r\nX-Stay: 2\r\n"
        b"Via: 1.1 one\r\nX-Forwarded-For: 192.0.2.9\r\n\r\n",
        ok(b"x", b"Keep-Alive: timeout=1", b"X-Stay: 3", b"Via: 1.1 two"),
    ),
}
VARIES = {b"x-request-id", b"traceparent"}
TIME = {b"date"}


def essence(message: Message) -> tuple[object, ...]:
    """What must not depend on how bytes are cut; chunks may."""
    fields = [
        (name, b"" if name.lower() in TIME else value)
        for name, value in message.fields
        if name.lower() not in VARIES
    ]
    return (
        message.start,
        fields,
        message.framing,
        message.body,
        message.trailers,
        message.complete,
        tuple(essence(one) for one in message.interim),
    )


class Runner:
    """One worker for many runs of one case."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.gate = Gate(plan_of(one=upstream(pool={"idle": 0})))

    def run(self, *, up: tuple[int, ...] = (), down: tuple[int, ...] = (), size: int = 0) -> object:
        """Plays the case cut at these places, or into pieces of `size`."""
        gate, first = self.gate, len(self.gate.origins)
        client = gate.client()
        client.send(self.case.request, size, up)
        self._answer(client, first, down, size)
        client.finish()
        assert client.closed
        assert not any(gate.worker.live().values()), gate.worker.live()
        asked = [essence(r) for origin in gate.origins[first:] for r in origin.requests()]
        return asked, [essence(a) for a in client.answers()], client.ended

    def _answer(self, client: Client, first: int, down: tuple[int, ...], size: int) -> None:
        """Gives the next answer to each connection as it comes; answers are cut as one stream."""
        rest, begin = self.case.response, 0
        for one in self._responses(rest):
            origin = self.gate.origins[-1]
            assert len(self.gate.origins) > first, client.received
            origin.send(one, size, [p - begin for p in down if begin < p < begin + len(one)])
            begin += len(one)
            if self.case.origin_ends:
                origin.finish()

    def _responses(self, data: bytes) -> list[bytes]:
        return [OK] * 3 if data == OK * 3 else [data]


@pytest.mark.parametrize("name", CASES)
def test_messages_byte_by_byte_are_the_same_as_whole(name: str) -> None:
    runner = Runner(CASES[name])
    assert runner.run(size=1) == runner.run()
    runner.gate.judge()


@pytest.mark.parametrize("name", CASES)
def test_request_cut_at_any_place_is_the_same_as_whole(name: str) -> None:
    runner = Runner(CASES[name])
    whole = runner.run()
    for place in range(1, len(CASES[name].request)):
        assert runner.run(up=(place,)) == whole, place
    runner.gate.judge()


@pytest.mark.parametrize("name", CASES)
def test_response_cut_at_any_place_is_the_same_as_whole(name: str) -> None:
    runner = Runner(CASES[name])
    whole = runner.run()
    for place in range(1, len(CASES[name].response)):
        assert runner.run(down=(place,)) == whole, place
    runner.gate.judge()
