"""Values with a grammar of their own: addresses, URLs, field names, networks.

Owns: one `parse_` function per kind of value, each raising ValueError with a sentence that reads
well after the place of the value, and the two shapes that more than one module needs.
Runs in: the control plane.
Never does: resolve a name or touch a socket; it judges text alone.
Read next: `model`, which says where each kind is expected.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Literal

FIELD_NAME_MAX = 255
"""Longest field name, in bytes: what the data plane takes from a peer, too."""

HOST_NAME_MAX = 253
"""Longest host name, in bytes (RFC 1035 §2.3.4)."""

SOCKET_PATH_MAX = 107
"""Longest path of a unix socket, in bytes (unix(7): sun_path with its final NUL is 108)."""

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,62}[A-Za-z0-9_])?\Z")
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)\Z")
_LOCATION = re.compile(r"[\x21-\x7e]+\Z")
_PORT = re.compile(r"[0-9]{1,5}\Z")
_AUTHORITY = re.compile(r"(?:\[(?P<v6>[^\[\]]*)\]|(?P<host>[^\[\]:/]*))(?::(?P<port>[^:]*))?\Z")

FRAMING_FIELDS = frozenset(
    {
        "connection",
        "content-length",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Fields that frame a message or belong to one connection (RFC 9110 §7.6.1): pygw writes them."""


@dataclass(frozen=True)
class Bind:
    """Where a listener listens: an address literal and a port, or the path of a unix socket."""

    family: Literal["v4", "v6", "unix"]
    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        if self.family == "unix":
            return f"unix:{self.path}"
        return f"{f'[{self.host}]' if self.family == 'v6' else self.host}:{self.port}"


@dataclass(frozen=True)
class Target:
    """One address of an upstream; `url` is its normal form and its name."""

    url: str
    family: Literal["tcp", "unix"]
    host: str = ""
    port: int = 0
    path: str = ""


def parse_bind(value: object) -> Bind:
    """`127.0.0.1:8080`, `[::1]:8080` or `unix:/run/pygw.sock`; port 0 takes a free one."""
    what = "must be an address and port such as 127.0.0.1:8080, [::1]:8080 or unix:/path"
    if not isinstance(value, str):
        raise ValueError(what)
    if value.startswith("unix:"):
        return Bind("unix", path=_parse_socket_path(value))
    match = _AUTHORITY.match(value)
    if match is None or match["port"] is None:
        raise ValueError(what)
    host, port = match["v6"] or match["host"], _parse_port(match["port"], 0)
    if not host or host == "*":
        raise ValueError(f"{what}; for every interface write 0.0.0.0:{port}")
    if host.lower() == "localhost":
        raise ValueError(f"must be an address, not a name; write 127.0.0.1:{port}")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise ValueError(what) from None
    if (address.version == 6) != (match["v6"] is not None):
        raise ValueError(what)
    return Bind("v6" if address.version == 6 else "v4", str(address), port)


def parse_target(value: object) -> Target:
    """`http://host[:port]` (port 80 unless given) or `unix:/path`."""
    what = "must be a URL such as http://127.0.0.1:9000 or unix:/run/app.sock"
    if not isinstance(value, str):
        raise ValueError(what)
    if value.startswith("unix:"):
        path = _parse_socket_path(value)
        return Target(f"unix:{path}", "unix", path=path)
    scheme, separator, rest = value.partition("://")
    if not (separator and rest and _LOCATION.match(value)):
        raise ValueError(what + _scheme_hint(value))
    if scheme.lower() == "https":
        raise ValueError("https targets are not supported yet; write http://")
    if scheme.lower() != "http":
        raise ValueError(what)
    if "@" in rest:
        raise ValueError("must not hold a user or password")
    authority = rest.removesuffix("/")
    if any(c in authority for c in "/?#"):
        raise ValueError("must end after the port; a path, query or fragment has no meaning here")
    match = _AUTHORITY.match(authority)
    if match is None:
        raise ValueError(what)
    port = 80 if match["port"] is None else _parse_port(match["port"], 1)
    host = _parse_v6(match["v6"]) if match["v6"] is not None else parse_host(match["host"])
    shown = f"[{host}]" if match["v6"] is not None else host
    return Target(f"http://{shown}:{port}", "tcp", host=host, port=port)


def parse_host(text: str) -> str:
    """A name (lower-cased) or an IPv4 literal, as the resolver will read it."""
    name = text.lower().removesuffix(".")
    labels = name.split(".")
    if not name.isascii():
        raise ValueError("must be an ASCII host; write an international name in its xn-- form")
    if len(name) > HOST_NAME_MAX or not all(_LABEL.match(label) for label in labels):
        raise ValueError("must name a host: letters, digits and hyphens between dots")
    if labels[-1].isdigit() or labels[-1].startswith("0x"):
        # RFC 1123 §2.1: the last label of a name has a letter, so this must be an address.
        try:
            return str(ipaddress.IPv4Address(name))
        except ValueError:
            raise ValueError("must name a host or be an IPv4 address a.b.c.d") from None
    return name


def parse_network(value: object) -> str:
    """A CIDR range or single address in its normal form, always with a prefix length."""
    if not isinstance(value, str) or "%" in value:  # a zone names an interface, not a network
        raise ValueError("must be a network such as 10.0.0.0/8 or fd00::/8")
    try:
        network = ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise ValueError("must be a network such as 10.0.0.0/8 or fd00::/8") from None
    if "/" in value and ipaddress.ip_address(value.partition("/")[0]) != network.network_address:
        raise ValueError(f'must have no bits set behind its prefix; did you mean "{network}"?')
    if isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped:
        raise ValueError("must be written in its IPv4 form")
    return str(network)


def parse_name(value: object) -> str:
    """A name of a listener, upstream or route: it becomes a metric label and a log field."""
    if not isinstance(value, str) or not _NAME.match(value):
        raise ValueError("must be a name of at most 64 letters, digits and inner . _ -")
    return value


def parse_pseudonym(value: object) -> str:
    """The `received-by` of the Via field (RFC 9110 §7.6.3)."""
    if not isinstance(value, str) or not _TOKEN.match(value) or len(value) > 64:
        raise ValueError("must be a token of at most 64 letters, digits and !#$%&'*+-.^_`|~")
    return value


def parse_field_name(value: object) -> str:
    """A field name that middleware may write (RFC 9110 §5.1)."""
    if not isinstance(value, str) or not _TOKEN.match(value) or len(value) > FIELD_NAME_MAX:
        raise ValueError("must be a header name: letters, digits and !#$%&'*+-.^_`|~ only")
    if value.lower() in FRAMING_FIELDS:
        raise ValueError("pygw writes this header itself; it cannot be changed here")
    return value


def parse_field_value(value: object) -> str:
    """A field value (RFC 9110 §5.5), in UTF-8 when it leaves; refuses CR, LF, NUL and the like."""
    if not isinstance(value, str):
        raise ValueError("must be text; put the value in quotes")
    if any((c < " " and c != "\t") or c == "\x7f" for c in value):
        raise ValueError("must not hold control characters such as CR, LF or NUL")
    if value != value.strip(" \t"):
        raise ValueError("must not begin or end with white space")
    if len(value.encode()) > 8192:
        raise ValueError("must be at most 8192 bytes long")
    return value


def parse_media_type(value: object) -> str:
    """A Content-Type value: type/subtype with optional parameters (RFC 9110 §8.3.1)."""
    text = parse_field_value(value)
    kind, slash, subtype = text.partition(";")[0].rstrip(" \t").partition("/")
    if not (slash and _TOKEN.match(kind) and _TOKEN.match(subtype) and text.isascii()):
        raise ValueError("must be a media type such as text/plain")
    return text


def parse_media_range(value: object) -> str:
    """A media type without parameters, in which one `*` may stand for anything."""
    what = "must be a media type such as text/html, text/* or application/*+json"
    kind, slash, subtype = value.partition("/") if isinstance(value, str) else ("", "", "")
    if not (slash and _TOKEN.match(kind) and _TOKEN.match(subtype)):
        raise ValueError(what)
    text = f"{kind}/{subtype}".lower()
    if text != "*/*" and text.count("*") > 1:
        raise ValueError(what)
    return text


def _parse_socket_path(value: str) -> str:
    path = value.removeprefix("unix:")
    if not path.startswith("/") or any(c < " " or c == "\x7f" for c in path):
        raise ValueError("must be unix: and an absolute path, such as unix:/run/app.sock")
    if len(path.encode()) > SOCKET_PATH_MAX:
        raise ValueError(f"must have a socket path of at most {SOCKET_PATH_MAX} bytes")
    return path


def _parse_port(text: str, minimum: int) -> int:
    if not _PORT.match(text) or not minimum <= int(text) <= 65535:
        raise ValueError(f"must have a port from {minimum} to 65535")
    return int(text)


def _parse_v6(text: str) -> str:
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError:
        raise ValueError("must have an IPv6 address in its brackets") from None


def _scheme_hint(value: str) -> str:
    match = _AUTHORITY.match(value)
    return f'; did you mean "http://{value}"?' if match and _PORT.match(match["port"] or "") else ""
