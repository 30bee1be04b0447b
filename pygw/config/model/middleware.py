"""The entries of a middleware list.

Owns: a model for each filter, and `Middleware`, which is one of them.
Runs in: the control plane.
Never does: compare one part of the configuration with another; that is `semantics`.
Read next: `routes`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PlainValidator

from ..units import Size
from ..values import parse_location, parse_media_type
from .base import FieldName, Fields, Network, Part


class FieldEdits(Part):
    """Edits of one head: `set` replaces every field of the name, `add` appends one."""

    set: Fields = {}
    add: Fields = {}
    remove: list[FieldName] = []


class Headers(Part):
    """Filter: edit the heads of request and response."""

    request: FieldEdits = FieldEdits()
    response: FieldEdits = FieldEdits()


class Ip(Part):
    """Filter: admit by the client's address. Deny wins; a non-empty allow admits only itself."""

    allow: list[Network] = []
    deny: list[Network] = []


class Respond(Part):
    """Filter: answer with a fixed response."""

    status: Annotated[int, Field(ge=200, le=599)] = 200
    body: Annotated[str, Field(max_length=1 << 20)] = ""
    content_type: Annotated[str, PlainValidator(parse_media_type)] = "text/plain; charset=utf-8"
    headers: Fields = {}


class Redirect(Part):
    """Filter: send the client elsewhere."""

    to: Annotated[str, PlainValidator(parse_location)]
    status: Literal[301, 302, 303, 307, 308] = 308


class Echo(Part):
    """Filter: answer with the request as text."""


class Middleware(Part):
    """One entry of a middleware list: exactly one of these keys."""

    headers: Headers | None = None
    ip: Ip | None = None
    body_limit: Annotated[int, Size(0)] | None = None
    respond: Respond | None = None
    redirect: Redirect | None = None
    echo: Echo | None = None
