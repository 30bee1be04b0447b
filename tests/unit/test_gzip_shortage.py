"""Memory runs out at any single moment of a compressed exchange: it is answered whole, as it is or
compressed, or its connection ends; the worker lives and nothing leaks."""

from __future__ import annotations

import zlib

import pytest

from pygw._core.libs import zlib as library
from tests.unit.memory import Gate, chunked, plan_of, upstream
from tests.unit.test_exchange_leaving import allow_cuts
from tests.unit.test_exchange_shortage import answer_all, needs_debug, once

pytestmark = [
    needs_debug,
    pytest.mark.skipif(library.info is None, reason="there is no zlib"),
]

GZIP = {"filter": "gzip", "level": 1, "min_length": 0, "types": ["text/*"]}
ASK = (
    b"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n"
    b'If-None-Match: W/"a~gzip", W/"b"\r\n\r\n'
)
FIELDS = b'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nETag: "a"\r\n'
TEXT = b"a line of text\n" * 4000


def whole(gate: Gate) -> None:
    gate.client(ASK)
    answer_all(gate, FIELDS + b"Content-Length: %d\r\n\r\n" % len(TEXT) + TEXT)


def pieces(gate: Gate) -> None:
    gate.client(ASK)
    for origin in gate.origins:
        if origin.requests() and not origin.sent:
            origin.send(FIELDS + b"Transfer-Encoding: chunked\r\n\r\n")
            origin.send(b"5\r\n" + TEXT[:5] + b"\r\n")
            origin.send(chunked(TEXT[5:]))


def not_modified(gate: Gate) -> None:
    gate.client(ASK)
    answer_all(gate, b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n')


def check(gate: Gate) -> None:
    """Each whole 200 has the content, in the coding that its head names."""
    for client in gate.clients:
        for answer in client.answers():
            if answer.status == 200 and answer.complete:
                coded = answer.all("Content-Encoding") == [b"gzip"]
                text = zlib.decompress(answer.body, 31) if coded else answer.body
                assert text == TEXT


@pytest.mark.parametrize("bad", [1, 3, 1000])
@pytest.mark.parametrize("case", [whole, pieces, not_modified], ids=lambda case: case.__name__)
def test_any_allocation_may_fail(case: object, bad: int) -> None:
    gate = Gate(plan_of(GZIP, one=upstream(pool={"idle_timeout_ms": 1000})))

    def checked(gate: Gate) -> None:
        case(gate)  # type: ignore[operator]
        check(gate)

    total = once(gate, checked, -1, 0)
    for good in range(total):
        once(gate, checked, good, bad)
        assert gate.stats["live_deflaters"] == 0, good
        assert gate.stats["spins"] == 0, good
    if case is not not_modified:
        assert gate.stats["gzip_full"] > 0  # no memory for a compressor: it left as it was
    allow_cuts(gate)
    gate.worker.close()
