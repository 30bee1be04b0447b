"""A strict HTTP/1.1 reader (RFC 9112) for the tests, written apart from the gateway's own.

It owns the grammar: lines, fields, framing. It reads from a `Source`, so that the same code
reads a socket while it is open and a recording afterwards. It forgives nothing, repairs
nothing and knows nothing of proxies; what a proxy must not send is judged in `lint`.
Read next: `lint`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")  # RFC 9110 5.6.2
VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*\Z")  # RFC 9110 5.5, no fold, no controls
TARGET = re.compile(rb"[\x21-\x7e]+\Z")  # RFC 9112 3.2: no space, no control, ASCII
DIGITS = re.compile(rb"[0-9]{1,18}\Z")  # RFC 9110 8.6
HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._~%!$&'()*+;=]*)(?::[0-9]*)?\Z")
EXTENSION = re.compile(  # RFC 9112 7.1.1
    rb"(?:[ \t]*;[ \t]*[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
    rb"(?:[ \t]*=[ \t]*(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
    rb"|\"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*\"))?)*\Z"
)
MAX_LINE = 1 << 20

Framing = Literal["none", "length", "chunked", "close", "tunnel"]
Ended = Literal["open", "fin", "rst"]


class WireError(AssertionError):
    """Bytes that HTTP/1.1 does not allow. Carries the rule and where the bytes stand."""

    def __init__(self, rule: str, section: str, offset: int, seen: bytes = b"") -> None:
        super().__init__(f"{rule} ({section}) at byte {offset}: {seen[:120]!r}")
        self.rule = rule
        self.section = section


class Cut(Exception):
    """The peer stopped inside a message. `how` says if by FIN or RST; `message` is what came."""

    def __init__(self, how: Ended, message: Message | None = None) -> None:
        super().__init__(f"cut by {how}, had {message}")
        self.how = how
        self.message = message


@dataclass
class Message:
    """One request or response with all that was read of it."""

    start: bytes = b""
    method: bytes = b""
    target: bytes = b""
    version: bytes = b""
    status: int = 0
    reason: bytes = b""
    fields: list[tuple[bytes, bytes]] = field(default_factory=list)
    head: bytes = b""  # the raw head with its empty line
    body: bytes = b""
    chunks: list[int] = field(default_factory=list)
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)
    framing: Framing = "none"
    interim: list[Message] = field(default_factory=list)  # the 1xx before a final response
    offset: int = 0  # of the start line in its direction's bytes
    complete: bool = False

    def all(self, name: str) -> list[bytes]:
        """Every value of one field name, in order."""
        want = name.lower().encode()
        return [value for key, value in self.fields if key.lower() == want]

    def one(self, name: str) -> bytes | None:
        """The single value of a field, None when absent; more than one is a failure."""
        values = self.all(name)
        assert len(values) < 2, f"{name} came {len(values)} times: {values}"
        return values[0] if values else None

    def listed(self, name: str) -> list[bytes]:
        """The members of a comma-separated field in lower case (RFC 9110 5.6.1)."""
        members = b",".join(self.all(name)).split(b",")
        return [m.strip(b" \t").lower() for m in members if m.strip(b" \t")]

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    @property
    def error(self) -> str | None:
        """The `error` parameter of Proxy-Status (RFC 9209 2.1.1)."""
        found = re.search(rb";\s*error=([a-z_]+)", self.one("Proxy-Status") or b"")
        return found.group(1).decode() if found else None

    @property
    def closes(self) -> bool:
        """Does the sender say this is the last message (RFC 9112 9.3)?"""
        options = self.listed("Connection")
        if self.version == b"HTTP/1.0":
            return b"keep-alive" not in options
        return b"close" in options or self.framing == "close"


class Source:
    """Bytes that arrive over time. `fill` gives the next piece, b"" when no more will come."""

    def __init__(self, fill: Callable[[], bytes], ended: Callable[[], Ended]) -> None:
        self._fill = fill
        self._ended = ended
        self.buffer = bytearray()
        self.offset = 0  # of buffer[0] in the whole direction

    def more(self) -> bool:
        """Read one piece; False at the end."""
        piece = self._fill()
        self.buffer += piece
        return bool(piece)

    def line(self) -> bytes:
        """One line without its CRLF. A bare LF or CR is not a line end (RFC 9112 2.2)."""
        searched = 0
        while (at := self.buffer.find(b"\n", searched)) < 0:
            searched = len(self.buffer)
            if searched > MAX_LINE:
                raise WireError("a line without end", "RFC 9112 2.2", self.offset)
            if not self.more():
                raise Cut(self._ended())
        line = self._take(at + 1)
        if not line.endswith(b"\r\n") or b"\r" in line[:-2] or b"\0" in line:
            raise WireError("bare CR, bare LF or NUL", "RFC 9112 2.2", self.offset, line)
        return line[:-2]

    def exactly(self, size: int, into: bytearray) -> None:
        """Append exactly `size` bytes to `into`; what came before a cut is appended too."""
        while size:
            if not self.buffer and not self.more():
                raise Cut(self._ended())
            piece = self._take(min(size, len(self.buffer)))
            into += piece
            size -= len(piece)

    def rest(self, into: bytearray) -> None:
        """Append everything up to the end; only a FIN ends a message (RFC 9112 8)."""
        into += self._take(len(self.buffer))
        while self.more():
            into += self._take(len(self.buffer))
        if self._ended() != "fin":
            raise Cut(self._ended())

    def idle(self) -> bool:
        """Is there nothing left to read, now and later?"""
        return not self.buffer and not self.more()

    def _take(self, size: int) -> bytes:
        piece = bytes(self.buffer[:size])
        del self.buffer[:size]
        self.offset += size
        return piece


def source_of(data: bytes, ended: Ended = "fin") -> Source:
    """A source over a recording."""
    pieces = [data]
    return Source(lambda: pieces.pop() if pieces else b"", lambda: ended)


def read_request(source: Source) -> Message:
    """One request, head and body (RFC 9112 3, 6.3)."""
    message = read_request_head(source)
    read_body(source, message)
    return message


def read_request_head(source: Source) -> Message:
    """The head of a request: start line, fields, framing decided (RFC 9112 3)."""
    message = Message(offset=source.offset)
    line = _first_line(source, message)
    parts = line.split(b" ")
    if len(parts) != 3:
        raise WireError("request line is not three words", "RFC 9112 3", message.offset, line)
    message.method, message.target, message.version = parts
    if not TOKEN.match(message.method):
        raise WireError("method is no token", "RFC 9110 9.1", message.offset, line)
    if not TARGET.match(message.target):
        raise WireError("target has forbidden bytes", "RFC 9112 3.2", message.offset, line)
    _check_version(message)
    _read_fields(source, message)
    hosts = message.all("Host")
    if message.version == b"HTTP/1.1" and len(hosts) != 1:
        raise WireError(f"{len(hosts)} Host fields", "RFC 9112 3.2", message.offset, message.head)
    if hosts and not HOST.match(hosts[0]):
        raise WireError("bad Host", "RFC 9112 3.2", message.offset, hosts[0])
    _decide_framing(message)
    if message.framing == "close":
        message.framing = "none"  # RFC 9112 6.3: a request without framing has no body
    return message


def read_response(source: Source, method: bytes) -> Message:
    """The final response to `method`, with its 1xx in `interim` (RFC 9110 15.2)."""
    interim = []
    while True:
        message = read_response_head(source, method)
        if message.status >= 200 or message.status == 101:
            break
        interim.append(message)
    message.interim = interim
    read_body(source, message)
    return message


def read_response_head(source: Source, method: bytes) -> Message:
    """One response head, interim or final (RFC 9112 4)."""
    message = Message(offset=source.offset)
    line = _first_line(source, message)
    found = re.match(rb"(HTTP/\d\.\d) (\d\d\d) ([\t\x20-\x7e\x80-\xff]*)\Z", line)
    if not found:
        raise WireError("bad status line", "RFC 9112 4", message.offset, line)
    message.version, message.reason = found.group(1), found.group(3)
    message.status = int(found.group(2))
    if not 100 <= message.status <= 599:
        raise WireError("status out of range", "RFC 9110 15", message.offset, line)
    _check_version(message)
    _read_fields(source, message)
    _decide_framing(message)
    framed = message.all("Content-Length") or message.all("Transfer-Encoding")
    if framed and (message.status < 200 or message.status == 204):
        section = "RFC 9110 8.6, 9112 6.1"
        raise WireError("framing on 1xx or 204", section, message.offset, message.head)
    if message.status == 101:
        message.framing = "tunnel"
    elif message.status < 200 or message.status in (204, 304) or method == b"HEAD":
        message.framing = "none"  # RFC 9112 6.3 rule 1
    return message


def read_body(source: Source, message: Message) -> None:
    """Read what the framing says into `message`; on a cut the message goes with the event."""
    body = bytearray()
    try:
        if message.framing == "length":
            source.exactly(int(message.all("Content-Length")[0]), body)
        elif message.framing == "chunked":
            _read_chunks(source, message, body)
        elif message.framing == "close":
            source.rest(body)
        message.complete = True
    except Cut as cut:
        cut.message = message
        raise
    finally:
        message.body = bytes(body)


def _first_line(source: Source, message: Message) -> bytes:
    line = source.line()
    message.start = line
    message.head = line + b"\r\n"
    return line


def _check_version(message: Message) -> None:
    if message.version not in (b"HTTP/1.1", b"HTTP/1.0"):
        raise WireError("version", "RFC 9112 2.3", message.offset, message.start)


def _read_fields(source: Source, message: Message) -> None:
    try:
        while line := source.line():
            message.head += line + b"\r\n"
            message.fields.append(split_field(line, source.offset))
    except Cut as cut:
        cut.message = message
        raise
    message.head += b"\r\n"


def split_field(line: bytes, offset: int) -> tuple[bytes, bytes]:
    """Name and value of one field line; folds, blanks before the colon, controls are refused."""
    name, colon, value = line.partition(b":")
    if not colon or not TOKEN.match(name):
        raise WireError("bad field name", "RFC 9112 5.1", offset, line)
    if not VALUE.match(value):
        raise WireError("control byte in a field value", "RFC 9110 5.5", offset, line)
    return name, value.strip(b" \t")


def _decide_framing(message: Message) -> None:
    """RFC 9112 6.3, with every doubt refused."""
    codings = message.all("Transfer-Encoding")
    lengths = message.all("Content-Length")
    if codings and lengths:
        raise WireError("both framings", "RFC 9112 6.1", message.offset, message.head)
    if len(lengths) > 1 or (lengths and not DIGITS.match(lengths[0])):
        raise WireError("bad Content-Length", "RFC 9110 8.6", message.offset, message.head)
    if codings:
        if len(codings) > 1 or codings[0].lower() != b"chunked":
            raise WireError("coding is not chunked", "RFC 9112 6.1", message.offset, message.head)
        if message.version == b"HTTP/1.0":
            raise WireError("chunked in 1.0", "RFC 9112 6.1", message.offset, message.head)
        message.framing = "chunked"
    elif lengths:
        message.framing = "length"
    else:
        message.framing = "close"


def _read_chunks(source: Source, message: Message, body: bytearray) -> None:
    """RFC 9112 7.1, trailers included."""
    while True:
        line = source.line()
        size = re.match(rb"[0-9A-Fa-f]{1,15}", line)
        if not size or not EXTENSION.match(line[size.end() :]):
            raise WireError("bad chunk size line", "RFC 9112 7.1", source.offset, line)
        length = int(size.group(), 16)
        if length == 0:
            break
        source.exactly(length, body)
        message.chunks.append(length)
        end = bytearray()
        source.exactly(2, end)
        if end != b"\r\n":
            raise WireError("no CRLF after a chunk", "RFC 9112 7.1", source.offset, bytes(end))
    while line := source.line():
        name, value = split_field(line, source.offset)
        if name.lower() in (b"content-length", b"transfer-encoding", b"host", b"trailer"):
            raise WireError("framing field in trailers", "RFC 9110 6.5.1", source.offset, line)
        message.trailers.append((name, value))
