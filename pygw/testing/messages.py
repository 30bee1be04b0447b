"""What a test sends and gets: heads, requests as the service saw them, answers.

Owns: the forms of messages in tests, and their bytes as HTTP/1.1.
Runs in: tests of hooks.
Never does: judge what the gateway sent; its own tests do.
Read next: `gateway`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Fields = Mapping[str, str | Sequence[str]] | Iterable[tuple[str, str]]
"""Header fields as a test writes them: a value, or several, by name; or pairs in order."""

Text = str | bytes


class Headers(Mapping[str, str]):
    """The fields of one head; names in any case, each byte of a value a character (latin-1).

    `headers[name]` is the first value of a name; `all(name)` has every one, `pairs` the whole head.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self.pairs = list(pairs)

    def __getitem__(self, name: str) -> str:
        found = self.all(name)
        if not found:
            names = ", ".join(dict.fromkeys(key for key, _ in self.pairs)) or "no field at all"
            raise KeyError(f"{name}: the head has {names}")
        return found[0]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self.all(name))

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name.lower() for name, _ in self.pairs))

    def __len__(self) -> int:
        return len(dict.fromkeys(name.lower() for name, _ in self.pairs))

    def __repr__(self) -> str:
        return f"Headers({self.pairs!r})"

    def all(self, name: str) -> list[str]:
        """Every value of a name, in order."""
        return [value for key, value in self.pairs if key.lower() == name.lower()]


@dataclass
class Message:
    """What requests and answers have in common."""

    headers: Headers
    body: bytes
    chunks: list[bytes] = field(default_factory=list)
    """The pieces of a body that came chunked."""
    trailers: Headers = field(default_factory=Headers)
    complete: bool = True
    """False when the connection was cut before the message's end."""

    @property
    def text(self) -> str:
        """The body as text (UTF-8; what is none becomes U+FFFD)."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body's value; ValueError shows a body that is no JSON."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise ValueError(f"the body is no JSON ({error}): {self.text[:200]!r}") from None


@dataclass
class Seen(Message):
    """A request as the service got it."""

    method: str = ""
    target: str = ""
    upstream: str = ""
    """The address that the gateway connected to, as in the configuration."""

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """What follows the ? of the target."""
        return self.target.partition("?")[2]


@dataclass(frozen=True)
class Answer:
    """What a service answers.

    `json` is a value to send as the body, `chunks` a body in pieces, each read by itself.
    `after_s` holds the answer back, on the gateway's clock, which a test does not wait for. `cut`
    ends the connection so many bytes into the body. `raw` are the bytes of a whole answer, in place
    of all else.
    """

    status: int = 200
    body: Text = b""
    headers: Fields = ()
    chunks: Sequence[Text] | None = None
    trailers: Fields = ()
    after_s: float = 0.0
    cut: int | None = None
    raw: bytes | None = None
    json: Any = None

    def pieces(self, method: str) -> list[bytes]:
        """Its bytes, by piece."""
        if self.raw is not None:
            return [self.raw]
        fields = list(pairs_of(self.headers))
        whole = bytes_of(self.body)
        if self.json is not None:
            whole = json.dumps(self.json).encode()
            if not any(name.lower() == "content-type" for name, _ in fields):
                fields.append(("Content-Type", "application/json"))
        body = b"" if method == "HEAD" else whole
        if self.status in (204, 304) or 100 <= self.status < 200:
            return [_head(f"HTTP/1.1 {self.status} {_REASON}", fields)]
        if self.chunks is not None:
            fields.append(("Transfer-Encoding", "chunked"))
            head = _head(f"HTTP/1.1 {self.status} {_REASON}", fields)
            return [head, *chunked(self.chunks, self.trailers)] if method != "HEAD" else [head]
        if not any(name.lower() == "content-length" for name, _ in fields):
            fields.append(("Content-Length", str(len(whole))))
        if self.cut is not None:
            body = body[: self.cut]
        return [_head(f"HTTP/1.1 {self.status} {_REASON}", fields) + body]


_REASON = "Scripted"


def pairs_of(fields: Fields) -> Iterator[tuple[str, str]]:
    """The fields in order, one value each."""
    if not isinstance(fields, Mapping):
        yield from fields
        return
    for name, value in fields.items():
        if isinstance(value, str):
            yield name, value
        else:
            yield from ((name, one) for one in value)


def chunked(chunks: Iterable[Text], trailers: Fields = ()) -> list[bytes]:
    """The pieces of a chunked body (RFC 9112 §7.1), its end the last; empty ones are left out."""
    pieces = [bytes_of(piece) for piece in chunks]
    coded = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece]
    return [*coded, b"0\r\n" + _lines(pairs_of(trailers)) + b"\r\n"]


def request_pieces(
    method: str, target: str, fields: Iterable[tuple[str, str]], body: bytes | Sequence[Text]
) -> list[bytes]:
    """The bytes of a request, by piece; a body that is a sequence goes chunked."""
    fields = list(fields)
    named = {name.lower() for name, _ in fields}
    if isinstance(body, bytes):
        if (body or method in ("POST", "PUT", "PATCH")) and "content-length" not in named:
            fields.append(("Content-Length", str(len(body))))
        return [_head(f"{method} {target} HTTP/1.1", fields) + body]
    fields.append(("Transfer-Encoding", "chunked"))
    return [_head(f"{method} {target} HTTP/1.1", fields), *chunked(body)]


def _head(line: str, fields: Iterable[tuple[str, str]]) -> bytes:
    return line.encode("latin-1") + b"\r\n" + _lines(fields) + b"\r\n"


def _lines(fields: Iterable[tuple[str, str]]) -> bytes:
    return b"".join(_line(name, value) for name, value in fields)


def _line(name: str, value: str) -> bytes:
    if "\n" in f"{name}{value}" or "\r" in f"{name}{value}":
        raise ValueError(f"the field {name!r} has a line break: raw bytes can say that")
    try:
        return f"{name}: {value}\r\n".encode("latin-1")
    except UnicodeEncodeError:
        raise ValueError(
            f"the field {name!r} has characters that are no bytes: {value!r}; for UTF-8 write"
            " value.encode().decode('latin-1')"
        ) from None


def bytes_of(text: Text) -> bytes:
    """Text as UTF-8."""
    return text.encode() if isinstance(text, str) else bytes(text)


# --- reading --------------------------------------------------------------------------------------


@dataclass
class Read:
    """A message that was read off a connection: its start line and where it ends."""

    line: str
    message: Message
    end: int


def read_message(data: bytes, start: int, *, method: str = "", closed: bool = False) -> Read | None:
    """The message at `start`; None as long as its head is not whole.

    `method` is that of the request when an answer is read, "" for a request. `closed` says that
    nothing will follow, which ends an answer without a length. What the gateway sends is HTTP/1.1
    in its strict form, so nothing else is understood.
    """
    at = data.find(b"\r\n\r\n", start)
    if at < 0:
        return None
    line, *lines = data[start:at].decode("latin-1").split("\r\n")
    headers = Headers(_field(one) for one in lines)
    message = Message(headers, b"")
    end = at + 4
    status = int(line.split(" ")[1]) if method else 0
    if (method == "HEAD" or status in (204, 304) or 100 <= status < 200) and method:
        return Read(line, message, end)
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return Read(line, message, _read_chunks(data, end, message))
    if method and "content-length" not in headers:
        message.body, message.complete = data[end:], closed
        return Read(line, message, len(data))
    length = int(headers.get("content-length", "0"))
    message.body = data[end : end + length]
    message.complete = len(message.body) == length
    return Read(line, message, end + len(message.body))


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name, value.strip(" \t")


def _read_chunks(data: bytes, at: int, message: Message) -> int:
    message.complete = False
    while (end := data.find(b"\r\n", at)) >= 0:
        size = int(data[at:end].split(b";")[0], 16)
        if size == 0:
            last = data.find(b"\r\n\r\n", end)
            if last < 0:
                return end
            lines = data[end + 2 : last + 2].decode("latin-1").split("\r\n")
            message.trailers = Headers(_field(one) for one in lines if one)
            message.complete = True
            return last + 4
        piece = data[end + 2 : end + 2 + size]
        message.chunks.append(piece)
        message.body += piece
        at = end + 2 + size + 2
        if len(data) < at:
            return len(data)
    return at
