"""Bytes that peers say: requests, answers, chunks. Plain builders, no checks.

A test that needs malformed bytes writes them out itself. Read next: `client`, `served`.
"""

from __future__ import annotations

from collections.abc import Iterable

from tests.peers.wire import Message

Fields = Iterable[str]
HOST = "Host: test.example"


def request(
    target: str = "/",
    *fields: str,
    method: str = "GET",
    body: bytes | None = None,
    version: str = "HTTP/1.1",
    host: str | None = HOST,
) -> bytes:
    """One request; a body brings its Content-Length."""
    lines = [f"{method} {target} {version}"]
    if host is not None:
        lines.append(host)
    lines += fields
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")


def chunked_request(target: str, pieces: Iterable[bytes], *fields: str, end: bytes = b"") -> bytes:
    """A POST with a chunked body; `end` replaces the last chunk and trailers."""
    head = request(target, *fields, "Transfer-Encoding: chunked", method="POST")
    return head + chunks(pieces, end)


def chunks(pieces: Iterable[bytes], end: bytes = b"") -> bytes:
    """Chunk framing (RFC 9112 7.1)."""
    return b"".join(chunk(piece) for piece in pieces) + (end or b"0\r\n\r\n")


def chunk(piece: bytes) -> bytes:
    """One chunk."""
    return b"%x\r\n%b\r\n" % (len(piece), piece)


def answer(body: bytes = b"ok", *fields: str, status: str = "200 OK") -> bytes:
    """A response with its Content-Length."""
    return head(status, *fields, f"Content-Length: {len(body)}") + body


def chunked_answer(pieces: Iterable[bytes], *fields: str, end: bytes = b"") -> bytes:
    """A chunked response."""
    return head("200 OK", *fields, "Transfer-Encoding: chunked") + chunks(pieces, end)


def head(status: str = "200 OK", *fields: str, version: str = "HTTP/1.1") -> bytes:
    """A response head alone."""
    return "\r\n".join([f"{version} {status}", *fields]).encode("latin-1") + b"\r\n\r\n"


def answer_echo(asked: Message) -> bytes:
    """What the origin says when nobody tells it otherwise: who asked for what."""
    marker = asked.one("X-Canary") or b"-"
    body = b"%b %b %b %b" % (asked.method, asked.target, marker, asked.body[:64])
    if asked.method == b"HEAD":
        return head("200 OK", f"Content-Length: {len(body)}")
    return answer(body, "Content-Type: text/plain")


def body_of(size: int, seed: int = 0) -> bytes:
    """A body whose every part is different, so that a shifted or swapped piece is seen."""
    block = b"".join(b"%08x" % ((seed + n) & 0xFFFFFFFF) for n in range((size // 8) + 1))
    return block[:size]
