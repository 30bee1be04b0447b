"""The entries of a middleware list.

Owns: a model for each filter, and `Middleware`, which is one of them.
Runs in: the control plane.
Never does: compare one part of the configuration with another; that is `semantics`.
Read next: `routes`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from ..networks import NetworkFile, read_networks
from ..units import Size
from ..values import parse_location, parse_media_range, parse_media_type
from .base import FieldName, Fields, Network, Parsed, Part, text

Networks = Annotated[
    NetworkFile, Parsed(read_networks, {"type": "string", "examples": ["/etc/pygw/blocked.txt"]})
]
MediaRange = Annotated[
    str, Parsed(parse_media_range, text(r"^[^/;\\s]+/[^/;\\s]+$", "text/*", "application/json"))
]


class FieldEdits(Part):
    """Edits of one head."""

    set: Fields = {}
    """Header fields that take the place of all fields of their names."""

    add: Fields = {}
    """Header fields that are appended."""

    remove: list[FieldName] = []
    """Names whose fields are all taken out."""


class Headers(Part):
    """Filter: edit the heads of request and response."""

    request: FieldEdits = FieldEdits()
    """What the service is told."""

    response: FieldEdits = FieldEdits()
    """What the client is told."""


class Ip(Part):
    """Filter: admit by the client's address; all others are answered with 403."""

    allow: list[Network] = []
    """Only these networks are admitted; empty admits all."""

    deny: list[Network] = []
    """These networks are refused, even those within allow."""

    allow_file: Networks | None = None
    """A file with more networks for allow, one a line, # begins a comment; read with the
    configuration."""

    deny_file: Networks | None = None
    """The same for deny."""


class Respond(Part):
    """Filter: answer with a fixed response."""

    status: Annotated[int, Field(ge=200, le=599)] = 200
    """The status."""

    body: Annotated[str, Field(max_length=1 << 20)] = ""
    """The body, in UTF-8."""

    content_type: Annotated[
        str, Parsed(parse_media_type, text("^[^/]+/[^/]+", "application/json"))
    ] = "text/plain; charset=utf-8"
    """The media type of the body."""

    headers: Fields = {}
    """Further header fields."""


class Redirect(Part):
    """Filter: send the client elsewhere."""

    to: Annotated[
        str, Parsed(parse_location, text("^/|^https?://", "https://example.com/", "/new"))
    ]
    """An absolute URL, or a path of the same host."""

    status: Literal[301, 302, 303, 307, 308] = 308
    """The status; 307 and 308 keep method and body, 301 and 308 may be remembered."""


class Echo(Part):
    """Filter: answer with the request as text."""


GZIP_TYPES = (
    "text/*",
    "application/json",
    "application/*+json",
    "application/x-ndjson",
    "application/javascript",
    "application/xml",
    "application/*+xml",
    "application/yaml",
    "application/wasm",
    "application/vnd.ms-fontobject",
    "image/svg+xml",
    "image/bmp",
    "font/ttf",
    "font/otf",
)


class Gzip(Part):
    """Filter: compress responses for clients that accept gzip."""

    level: Annotated[int, Field(ge=1, le=9)] = 1
    """From 1, the fastest, to 9, the smallest."""

    min_length: Annotated[int, Size(0)] = 1 << 10
    """Shorter responses stay as they are; one of unknown length counts as long."""

    types: Annotated[list[MediaRange], Field(min_length=1, max_length=128)] = list(GZIP_TYPES)
    """Media types that are compressed; one * in a type stands for anything."""


class Middleware(Part):
    """One entry of a middleware list: exactly one of these keys."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    headers: Headers | None = None
    """Edit the heads of request and response."""

    ip: Ip | None = None
    """Admit by the client's address."""

    body_limit: Annotated[int, Size(0)] | None = None
    """Longest body of a request; a longer one is answered with 413."""

    respond: Respond | None = None
    """Answer with a fixed response."""

    redirect: Redirect | None = None
    """Send the client elsewhere."""

    echo: Echo | None = None
    """Answer with the request as text."""

    gzip: Gzip | None = None
    """Compress responses for clients that accept gzip."""
