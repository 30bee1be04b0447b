"""Messages made from the corpus by small damage, the same for the same seed.

Owns the ways of damaging; runs anywhere. Read next: ``tests/unit/test_http1_differential.py``.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.corpus import ALL
from tests.corpus.case import Case

TOKENS = (
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b" ", b"\t", b"\x00", b"\x0b", b"\x0c", b"\x1f", b"\x7f",
    b"\x80", b"\x85", b"\xa0", b"\xff", b":", b",", b";", b"=", b'"', b"\\", b"/", b"?", b"#", b"%",
    b"@", b"[", b"]", b"*", b"0", b"5", b"f", b"-", b"+", b"_", b"0x", b"A: b\r\n", b"\r\n ",
    b"Host: b\r\n", b"host:\r\n", b"Content-Length: 5\r\n", b"Content-Length: 0\r\n",
    b"Transfer-Encoding: chunked\r\n", b"chunked", b"gzip", b"Connection: close\r\n",
    b"Connection: upgrade\r\nUpgrade: x\r\n", b"Expect: 100-continue\r\n", b"HTTP/1.0", b"HTTP/1.1",
    b"HTTP/2.0", b"http://", b"0\r\n\r\n", b"5\r\nhello\r\n", b"5;a=b\r\nhello\r\n", b"GET ",
    b"HEAD ", b"OPTIONS * ", b"204", b"304", b"101", b"100",
)  # fmt: skip
LONGEST = 1500


def seeds(kind: str) -> list[Case]:
    """The messages that mutants are made from."""
    return [case for case in ALL if case.kind == kind and len(case.data) <= LONGEST]


def _damage(data: bytearray, rng: random.Random, other: bytes) -> None:
    at = rng.randrange(len(data) + 1)
    way = rng.randrange(8)
    if way == 0 and at < len(data):
        data[at] = rng.randrange(256)
    elif way == 1:
        del data[at : at + rng.choice((1, 1, 1, 2, 5))]
    elif way == 2:
        data[at:at] = data[at : at + rng.choice((1, 2, 10, 30))]
    elif way == 3:
        cut = rng.randrange(len(other) + 1)
        data[at:] = other[cut:]
    elif way == 4 and at < len(data):
        data[at] ^= 0x20
    elif way == 5:
        begin = data.find(b"\r\n", at)
        if begin >= 0:
            data[begin : begin + 2] = rng.choice((b"\n", b"\r", b"\r\n\r\n", b"\r\r\n", b"\r\n\t"))
    else:
        data[at:at] = rng.choice(TOKENS)


def mutants(kind: str, seed: int, count: int) -> Iterator[tuple[Case, bytes, random.Random]]:
    """So many damaged messages, each with the case it came from."""
    rng = random.Random(f"{kind} {seed}")
    cases = seeds(kind)
    for _ in range(count):
        case = rng.choice(cases)
        data = bytearray(case.data)
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            _damage(data, rng, rng.choice(cases).data)
        yield case, bytes(data), rng
