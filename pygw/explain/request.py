"""The request that is asked about, as a person writes it and as its bytes.

Owns: the URL and headers of the command line.
Runs in: the process of the command.
Never does: judge what a client may send: a bad request is explained like any other.
Read next: `report`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

_METHOD = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_NAME = _METHOD
_URL = re.compile(r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<host>[^/?#]*))?(?P<target>.*)\Z")
_BREAKS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True)
class Request:
    """One request; `host` is what its Host field says, `target` its path and query."""

    method: str
    host: str
    target: str
    fields: tuple[tuple[str, str], ...]
    client: str

    @property
    def url(self) -> str:
        """The URL a client would ask for."""
        return f"http://{self.host}{self.target}"

    @property
    def head(self) -> bytes:
        """Its bytes as HTTP/1.1."""
        lines = [f"{self.method} {self.target} HTTP/1.1", f"Host: {self.host}"]
        lines += [f"{name}: {value}" for name, value in self.fields]
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")

    @property
    def peer(self) -> str:
        """The client as an address with a port."""
        return f"[{self.client}]:40000" if ":" in self.client else f"{self.client}:40000"


def read_request(
    method: str, url: str, headers: Sequence[str], client: str, default_host: str
) -> Request:
    """The request of a command line; ValueError says what is wrong.

    `url` is `http://host/path?query` or a path, whose host is that of a Host among `headers`
    (`Name: value` each), else `default_host`.
    """
    if not _METHOD.match(method):
        raise ValueError(f"{method!r} is no method; write GET or another")
    match = _URL.match(url)
    if match is None or re.search(r"[\x00-\x20\x7f#]", url):
        raise ValueError("the URL must be without spaces and fragment; encode them")
    if match["scheme"] is not None and match["scheme"].lower() != "http":
        raise ValueError("the URL must begin with http:// or be a path")
    if match["scheme"] is not None and not match["host"]:
        raise ValueError("the URL must name a host")
    target = match["target"]
    if match["scheme"] is not None and not target.startswith("/"):
        target = "/" + target
    if target != "*" and not target.startswith("/"):
        raise ValueError("the URL must begin with http:// or be a path that begins with /")
    fields = [_field(one) for one in headers]
    hosts = [value for name, value in fields if name.lower() == "host"]
    if len(hosts) > 1:
        raise ValueError("there must be one Host at most")
    host = match["host"] or (hosts[0] if hosts else default_host)
    rest = tuple(one for one in fields if one[0].lower() != "host")
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        raise ValueError(f"{client!r} is no address of a client") from None
    return Request(method, hosts[0] if hosts else host, target, rest, str(address))


def _field(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not _NAME.match(name):
        raise ValueError(f'a header is written "Name: value", got {text!r}')
    if _BREAKS.search(value):
        raise ValueError(f"the value of {name} must not hold control characters")
    return name, value.strip(" \t")
