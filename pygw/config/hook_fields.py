"""What hooks read and write, as `reads` and `writes` name it.

Owns: the names, and which values of a key say all of what a name stands for.
Runs in: the control plane.
Never does: know a hook's code.
Read next: `pygw/_core/hook_mask.pxd`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

READS = (
    "method",
    "path",
    "query",
    "scheme",
    "authority",
    "version",
    "client",
    "id",
    "headers",
    "body",
    "status",
    "response.headers",
    "response.body",
    "vars",
)
"""What `reads` may name, besides single fields and variables."""

WRITES = (
    "method",
    "path",
    "query",
    "headers",
    "body",
    "status",
    "response.headers",
    "response.body",
    "vars",
    "reply",
)
"""What `writes` may name, besides single fields and variables."""

FIELD_PATTERN = r"^([a-z.]+|(response\.)?headers\.[!#$%&'*+.^_`|~0-9A-Za-z-]+|vars\..+)$"
"""ECMA 262: the shape of a name."""

_NAMED = re.compile(
    r"(?:response\.)?headers\.[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,255}\Z|vars\.[^\x00-\x1f]{1,1024}\Z"
)

_IN_KEY: Mapping[str, tuple[str, ...]] = {
    "method": ("method",),
    "path": ("path",),
    "query": ("query",),
    "scheme": ("scheme",),
    "authority": ("authority",),
    "client": ("client_ip",),
}


def parse_read(value: object) -> str:
    """A name that `reads` may hold; ValueError says which there are."""
    return _parse(value, READS)


def parse_write(value: object) -> str:
    """A name that `writes` may hold."""
    return _parse(value, WRITES)


def in_key(read: str) -> tuple[str, ...]:
    """The values of a key that tell all of what `read` names, the usual one first; none: there is
    none. Of cookies and of the query single ones do, at the operator's word that the hook looks at
    no others: `cookie.` and `query.` stand for any of them."""
    if read == "query":
        return ("query", "query.")
    if read.lower() == "headers.cookie":
        return ("header.Cookie", "cookie.")
    if read.startswith("headers."):
        return (f"header.{read.removeprefix('headers.')}",)
    return _IN_KEY.get(read, ())


def _parse(value: object, known: tuple[str, ...]) -> str:
    if isinstance(value, str) and (value in known or _NAMED.match(value) is not None):
        return value
    names = ", ".join(known)
    raise ValueError(
        f"must be one of {names}, or one of headers.NAME, response.headers.NAME, vars.NAME"
    )
