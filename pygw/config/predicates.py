"""What a route asks of a request besides its path.

Owns: one `parse_` function per kind of test, each raising ValueError with a sentence that reads
well after the place of the value.
Runs in: the control plane.
Never does: compare two routes; that is `pygw.config.semantics`.
Read next: `model.routes`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from .expressions import compile_expression
from .values import FIELD_NAME_MAX, HOST_NAME_MAX, parse_field_value, parse_host

HOSTS_MAX = 64
"""Most hosts of one route, as in the data plane's limits."""

TESTS_MAX = 16
"""Most header tests of one route, and query tests, as in the data plane's limits."""

CLIENTS_MAX = 16384
"""Most networks of one route, as in the data plane's limits."""

METHODS = (
    *("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"),
    *("PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "SEARCH", "BIND"),
    *("REBIND", "UNBIND", "ACL", "REPORT", "MKACTIVITY", "CHECKOUT", "MERGE", "M-SEARCH"),
    *("NOTIFY", "SUBSCRIBE", "UNSUBSCRIBE", "PURGE", "MKCALENDAR", "LINK", "UNLINK", "SOURCE"),
)
"""The methods that the data plane reads, CONNECT aside."""

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")


@dataclass(frozen=True)
class Test:
    """A test of a field or parameter: its value, an expression for it, or whether it is there."""

    kind: Literal["value", "expression", "present", "absent"]
    text: str = ""


def methods_taken(methods: Sequence[str]) -> list[str]:
    """What a route with these takes: GET brings HEAD (RFC 9110 9.3.2), which is answered alike."""
    out = list(methods)
    if "GET" in out and "HEAD" not in out:
        out.insert(out.index("GET") + 1, "HEAD")
    return out


def parse_route_host(value: object) -> str:
    """`api.example.com`, `*.example.com`, an IPv4 address or `[::1]`, in lower case."""
    what = "must be a host such as api.example.com or *.example.com"
    if not isinstance(value, str) or not value:
        raise ValueError(what)
    if value == "*":
        raise ValueError("must be left out to match every host")
    if value.startswith("["):
        return _v6(value)
    if ":" in value:
        raise ValueError("must be a host without a port: ports play no part")
    wild = value.startswith("*.")
    name = value[2:] if wild else value
    if "*" in name:
        raise ValueError("may hold * only as its first label, such as *.example.com")
    host = parse_host(name)
    if wild and re.fullmatch(r"[0-9.]+", host):
        raise ValueError(what)
    if len(host) > HOST_NAME_MAX:
        raise ValueError(what)
    return f"*.{host}" if wild else host


def _v6(value: str) -> str:
    text = value.removeprefix("[").removesuffix("]")
    try:
        return f"[{ipaddress.IPv6Address(text)}]"
    except ValueError:
        raise ValueError("must have an IPv6 address in its brackets, and no port") from None


def as_list(value: object) -> object:
    """A single text as a list of one."""
    return [value] if isinstance(value, str) else value


def parse_method(value: object) -> str:
    """A method that requests may have (RFC 9110 §9); the case counts."""
    if value in METHODS:
        return str(value)
    if value == "CONNECT":
        raise ValueError("must be another method: CONNECT is refused")
    if isinstance(value, str) and value.upper() in METHODS:
        raise ValueError(f'must be a method; did you mean "{value.upper()}"?')
    raise ValueError(f"must be a method: {', '.join(METHODS[:9])} or one of WebDAV and PURGE")


def parse_match_field(value: object) -> str:
    """A header name that a route may look at, in lower case (RFC 9110 §5.1)."""
    if not isinstance(value, str) or not _TOKEN.match(value) or len(value) > FIELD_NAME_MAX:
        raise ValueError("must be a header name: letters, digits and !#$%&'*+-.^_`|~ only")
    if value.lower() == "host":
        raise ValueError("is matched by host, beside path")
    return value.lower()


def parse_parameter(value: object) -> str:
    """The name of a parameter of the query, decoded."""
    if not isinstance(value, str) or not 0 < len(value.encode("utf-8", "replace")) <= 255:
        raise ValueError("must be a name of 1 to 255 bytes")
    return value


def parse_test(value: object) -> Test:
    """A value in quotes, `{present: true}`, `{present: false}` or `{regex: "[0-9]+"}`."""
    what = 'must be a value in quotes, {present: true} or {regex: "[0-9]+"}'
    if isinstance(value, str):
        return Test("value", parse_field_value(value))
    if not isinstance(value, Mapping) or len(value) != 1:
        raise ValueError(what)
    if isinstance(value.get("present"), bool):
        return Test("present" if value["present"] else "absent")
    if not isinstance(value.get("regex"), str):
        raise ValueError(what)
    compile_expression(value["regex"])
    return Test("expression", value["regex"])
