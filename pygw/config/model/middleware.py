"""The entries of a middleware list.

Owns: a model for each filter, and `Middleware`, which is one of them.
Runs in: the control plane.
Never does: compare one part of the configuration with another; that is `semantics`.
Read next: `routes`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from ..units import Size
from ..values import parse_location, parse_media_type
from .base import FieldName, Fields, Network, Parsed, Part, text


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
