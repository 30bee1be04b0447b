"""The judge of everything that leaves the gateway, run over both recordings after each test.

`wire` says what HTTP/1.1 is; here stands what a proxy must not send besides. It reads
recordings only and never a socket. A test opts out by what it says of its peers: a link whose
`cut_allowed` is set may end inside a message, one with `judged` off is not HTTP at all.
Read next: `fixtures`.
"""

from __future__ import annotations

from tests.peers.client import Client, methods_of
from tests.peers.served import Served
from tests.peers.wire import (
    Cut,
    Message,
    WireError,
    read_body,
    read_request_head,
    read_response,
    source_of,
)

HOP_BY_HOP = ("Keep-Alive", "Proxy-Connection", "TE", "Proxy-Authenticate", "Trailer")
OPTIONS = {b"close", b"keep-alive", b"upgrade"}


def lint_request(message: Message) -> None:
    """A request as it reached the origin."""
    _lint_connection(message)
    if message.method == b"CONNECT":
        raise WireError("CONNECT was forwarded", "RFC 9110 9.3.6", message.offset, message.head)
    if not message.all("Via"):
        raise WireError("no Via", "RFC 9110 7.6.3", message.offset, message.head)


def lint_response(message: Message) -> None:
    """A response as it reached the client."""
    _lint_connection(message)
    if message.status < 200 and b"close" in message.listed("Connection"):
        raise WireError("close on a 1xx", "RFC 9112 9.6", message.offset, message.head)


def _lint_connection(message: Message) -> None:
    """RFC 9110 7.6.1: nothing of the other side's connection gets through."""
    options = set(message.listed("Connection"))
    if options - OPTIONS:
        raise WireError("foreign Connection", "RFC 9110 7.6.1", message.offset, message.head)
    for name in HOP_BY_HOP:
        if name == "Trailer" and message.framing == "chunked":
            continue
        if message.all(name):
            raise WireError(f"{name} leaks", "RFC 9110 7.6.1", message.offset, message.head)
    if message.all("Upgrade") and b"upgrade" not in options and message.status != 426:
        raise WireError("Upgrade alone", "RFC 9110 7.8", message.offset, message.head)
    if b"upgrade" in options and not message.all("Upgrade"):
        raise WireError("Connection: upgrade alone", "RFC 9110 7.8", message.offset, message.head)


def lint_origin_link(served: Served) -> list[Message]:
    """Every request on one origin connection; raises at the first wrong byte."""
    data = bytes(served.received)
    source = source_of(data if served.tunnel_at is None else data[: served.tunnel_at])
    seen: list[Message] = []
    while not source.idle():
        try:
            message = read_request_head(source)
            lint_request(message)
            seen.append(message)
            read_body(source, message)
        except Cut as cut:
            _judge_cut(served.ended == "open" or served.left, served, cut, len(data))
            break
    return seen


def lint_client_link(client: Client) -> list[Message]:
    """Every response on one client connection; raises at the first wrong byte."""
    client.drain()
    methods = client.methods if client.methods is not None else methods_of(bytes(client.sent))
    source = source_of(bytes(client.received), "fin" if client.ended == "open" else client.ended)
    seen: list[Message] = []
    while not source.idle():
        if seen and seen[-1].closes:
            raise WireError("bytes after the last answer", "RFC 9112 9.6", source.offset)
        if len(seen) >= len(methods) and source.buffer[9:12] != b"408":
            raise WireError("an answer nobody asked for", "RFC 9112 9.2", source.offset)
        method = methods[len(seen)] if len(seen) < len(methods) else b"GET"
        try:
            message = read_response(source, method)
        except Cut as cut:
            _judge_cut(client.ended == "open", client, cut, len(client.received))
            break
        for each in (*message.interim, message):
            lint_response(each)
        seen.append(message)
        if message.status == 101:
            break
    return seen


def _judge_cut(still_open: bool, link: Served | Client, cut: Cut, size: int) -> None:
    """A message may miss its end while more can come, where we left, or where a cut is due."""
    if still_open or link.left or link.cut_allowed or not link.recording:
        return
    raise WireError(f"cut by {cut.how}", "RFC 9112 8", size, bytes(link.received[-80:]))
