"""Values that middleware puts into URLs, and others of middleware with a grammar of their own.

Owns: one `parse_` function per kind of value, each raising ValueError with a sentence that reads
well after the place of the value; and the parts of a redirect's goal.
Runs in: the control plane.
Never does: know which values there are in a template; `semantics.templates` does.
Read next: `model.middleware`.
"""

from __future__ import annotations

import mimetypes
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from .files import read_file
from .template import Value, fill_template, has_values, split_template
from .values import parse_host

TEXT_MAX = 8190
"""Longest template of a URL, in bytes."""

BODY_FILE_MAX_BYTES = 1 << 20
"""Largest file that becomes the body of an answer."""

_TRIPLETS = r"(?:[%s]|%%[0-9A-Fa-f]{2})*\Z"
_PATH_TEXT = re.compile(_TRIPLETS % r"A-Za-z0-9\-._~!$&'()*+,;=:@/")
_QUERY_TEXT = re.compile(_TRIPLETS % r"A-Za-z0-9\-._~!$&'()*+,;=:@/?\[\]|")
_LOCATION_TEXT = re.compile(r"[\x21-\x7a\x7c\x7e]*\Z")
_GOAL = re.compile(
    r"((?:https?|\{scheme\})://(?:(?!\{path(?:_and_query)?\})[^/?#])*)?([^?#]*)(?:\?([^#]*))?"
    r"(?:#(.*))?\Z",
    re.IGNORECASE | re.DOTALL,
)
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,255}\Z")
_DOTS = re.compile(r"(?:\.|%2e){1,2}(?:;.*)?\Z", re.IGNORECASE)


@dataclass(frozen=True)
class Goal:
    """Where a redirect leads, in parts that are templates; None: there is no query."""

    origin: str
    path: str
    query: str | None
    fragment: str


@dataclass(frozen=True)
class BodyFile:
    """A file, its content when the configuration was read, and the media type of its name."""

    path: str
    content: bytes
    content_type: str


def parse_rewrite_path(value: object) -> str:
    """A template of a path: `/v2/{id}`."""
    what = "must be a path that begins with /, such as /v2/{id}"
    if not isinstance(value, str) or not fill_template(value).startswith("/"):
        raise ValueError(what)
    if not _PATH_TEXT.match(_literals(value)):
        raise ValueError("must be a path as it stands in a URL, without query, spaces or braces")
    _check_path(fill_template(value))
    return value


def parse_rewrite_query(value: object) -> str:
    """A template of a query: `id={id}`; empty for none."""
    if not isinstance(value, str) or value.startswith("?"):
        raise ValueError("must be a query without its ?, such as id={id}")
    if not _QUERY_TEXT.match(_literals(value)):
        raise ValueError("must be a query as it stands in a URL, without spaces, # or braces")
    if len(value) > TEXT_MAX:
        raise ValueError(f"must be at most {TEXT_MAX} bytes long")
    return value


def parse_prefix(value: object) -> str:
    """A prefix of a path, in whole segments: `/api`."""
    what = "must be a path that begins with / and does not end with it, such as /api"
    if not isinstance(value, str) or not value.startswith("/") or value.endswith("/"):
        raise ValueError(what)
    if not _PATH_TEXT.match(value):
        raise ValueError("must be a path as it stands in a URL, without query, spaces or braces")
    _check_path(value)
    if "//" in value:
        raise ValueError("must be a normal path, without //, /./ or /../")
    return value


def parse_location(value: object) -> str:
    """A template of a redirect's goal: an absolute http(s) URL or a path (RFC 9110 §10.2.2)."""
    what = "must be a URL such as https://example.com/ or a path that begins with /"
    if not isinstance(value, str) or not value or not _LOCATION_TEXT.match(_literals(value)):
        raise ValueError(what)
    try:
        url = urlsplit(fill_template(value))
    except ValueError:
        raise ValueError(what) from None
    absolute = url.scheme in ("http", "https") and url.netloc
    if not absolute and (url.scheme or url.netloc or not url.path.startswith("/")):
        raise ValueError(what)
    if len(value) > TEXT_MAX:
        raise ValueError(f"must be at most {TEXT_MAX} bytes long")
    if has_values(value):
        _check_path(url.path)
    return value


def goal_of(location: str) -> Goal:
    """The parts of a redirect's goal. `{path_and_query}` is not yet taken apart."""
    match = _GOAL.match(location)
    assert match is not None
    return Goal(match[1] or "", match[2], match[3], match[4] or "")


def parse_pair_name(value: object) -> str:
    """The name of a pair in a query, as it means, not as it is encoded."""
    if not isinstance(value, str) or not value or len(value.encode()) > 1024:
        raise ValueError("must be the name of a pair in a query, at most 1024 bytes long")
    return value


def parse_pair_value(value: object) -> str:
    """A template of a value of a query, as it means, not as it is encoded."""
    if not isinstance(value, str):
        raise ValueError("must be text; put the value in quotes")
    if len(value.encode()) * 3 > TEXT_MAX:
        raise ValueError(f"must be at most {TEXT_MAX // 3} bytes long")
    return value


def parse_origin(value: object) -> str:
    """An origin (RFC 6454): `https://a.test`, `https://*.a.test:8443`, `null`, or `*` for any."""
    what = "must be an origin such as https://example.com, https://*.example.com or *"
    if not isinstance(value, str):
        raise ValueError(what)
    if value in ("*", "null"):
        return value
    scheme, separator, host = value.partition("://")
    if not separator or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
        raise ValueError(what)
    if host.endswith("/"):
        raise ValueError("must have no path, not even a /")
    name, colon, port = host.removeprefix("*.").rpartition(":") if ":" in host else (host, "", "")
    name = name.removeprefix("*.")
    if "*" in name or (colon and not (port.isdigit() and 1 <= int(port) <= 65535)):
        raise ValueError(what)
    if (scheme.lower() == "http" and port == "80") or (scheme.lower() == "https" and port == "443"):
        raise ValueError(f"must leave out port {port}: a browser does, too")
    star = "*." if host.startswith("*.") else ""
    return f"{scheme.lower()}://{star}{parse_host(name)}{colon}{port}"


def parse_token(value: object) -> str:
    """A method or a field name where nothing is written (RFC 9110 §5.6.2), or `*` for any."""
    if not isinstance(value, str) or not _TOKEN.match(value):
        raise ValueError("must be a name: letters, digits and !#$%&'*+-.^_`|~ only")
    return value


def parse_body_file(value: object) -> BodyFile:
    """The content of the file at the path `value`, seen from the working directory."""
    if not isinstance(value, str) or not value:
        raise ValueError("must be the path of a file")
    content = read_file(value, BODY_FILE_MAX_BYTES)
    # A table of its own: what a machine's files say must not change an answer.
    kind, encoding = mimetypes.MimeTypes().guess_type(value)
    if kind is None or encoding is not None:
        kind = "application/octet-stream"
    return BodyFile(value, content, f"{kind}; charset=utf-8" if kind[:5] == "text/" else kind)


def _literals(text: str) -> str:
    return "".join("" if isinstance(p, Value) else p for p in split_template(text))


def _check_path(path: str) -> None:
    if len(path) > TEXT_MAX:
        raise ValueError(f"must be at most {TEXT_MAX} bytes long")
    if any(_DOTS.match(part) for part in re.split(r"/|%2f|%5c", path, flags=re.IGNORECASE)):
        raise ValueError("must be a normal path, without /./ or /../")
