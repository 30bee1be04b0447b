"""The same bytes as h11 and httptools' own Python API read them.

Owns nothing of ours: two other parsers, brought into one shape for comparing. Raises ``Refused``
when the other parser does. Read next: ``tests/unit/test_http1_differential.py``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import h11
import httptools

BIG = 1 << 22


def plain(fields: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Names in lower case, and what h11 lowers: the value of Transfer-Encoding."""
    return [
        (name.lower(), value.lower() if name.lower() == b"transfer-encoding" else value)
        for name, value in fields
    ]


class Refused(Exception):
    """The other parser does not accept the bytes."""


@dataclass
class Seen:
    """One message: names in lower case, values without outer white space."""

    start: tuple[bytes, ...] = ()
    version: str = ""
    fields: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)
    ended: bool = False


def by_h11(data: bytes, kind: str, *, head_request: bool = False) -> Seen:
    """What h11 sees in data, up to the end of the first message."""
    seen = Seen()
    conn = h11.Connection(
        h11.SERVER if kind == "request" else h11.CLIENT, max_incomplete_event_size=BIG
    )
    if kind == "response":
        method = b"HEAD" if head_request else b"GET"
        asked = [(b"host", b"a"), (b"upgrade", b"x"), (b"connection", b"upgrade")]
        conn.send(h11.Request(method=method, target=b"/", headers=asked))
        conn.send(h11.EndOfMessage())
    conn.receive_data(data)
    try:
        while not seen.ended:
            event = conn.next_event()
            if event is h11.NEED_DATA or event is h11.PAUSED:
                return seen
            if isinstance(event, h11.InformationalResponse):
                seen.start = (str(event.status_code).encode(),)
                seen.version = event.http_version.decode()
                seen.fields = plain(event.headers)
                seen.ended = True
            elif isinstance(event, h11.Request):
                seen.start = (event.method, event.target)
                seen.version = event.http_version.decode()
                seen.fields = plain(event.headers)
            elif isinstance(event, h11.Response):
                seen.start = (str(event.status_code).encode(),)
                seen.version = event.http_version.decode()
                seen.fields = plain(event.headers)
            elif isinstance(event, h11.Data):
                seen.body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                seen.trailers = plain(event.headers)
                seen.ended = True
    except h11.RemoteProtocolError as error:
        raise Refused(str(error)) from error
    return seen


class _Protocol:
    def __init__(self) -> None:
        self.seen = Seen()
        self.head_done = False
        self.target = b""

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        fields = self.seen.trailers if self.head_done else self.seen.fields
        fields.extend(plain([(name, value.strip(b" \t"))]))

    def on_headers_complete(self) -> None:
        self.head_done = True

    def on_body(self, body: bytes) -> None:
        self.seen.body += body

    def on_message_complete(self) -> None:
        self.seen.ended = True


def by_httptools(data: bytes, kind: str) -> Seen:
    """What httptools sees in data, which holds one message at most."""
    protocol = _Protocol()
    make = httptools.HttpRequestParser if kind == "request" else httptools.HttpResponseParser
    parser = make(protocol)
    try:
        parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError as error:
        raise Refused(str(error)) from error
    seen = protocol.seen
    if not protocol.head_done:
        return seen
    if kind == "request":
        seen.start = (parser.get_method(), protocol.target)
    else:
        seen.start = (str(parser.get_status_code()).encode(),)
    seen.version = parser.get_http_version()
    return seen
