"""The entries of a middleware list.

Owns: a model for each filter, and `Middleware`, which is one of them.
Runs in: the control plane.
Never does: compare one part of the configuration with another; that is `semantics`.
Read next: `routes`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from ..networks import NetworkFile, read_networks
from ..targets import (
    BodyFile,
    parse_body_file,
    parse_location,
    parse_origin,
    parse_pair_name,
    parse_pair_value,
    parse_prefix,
    parse_rewrite_path,
    parse_rewrite_query,
    parse_token,
)
from ..units import Duration, Size
from ..values import parse_media_range, parse_media_type
from .base import FieldName, Fields, Network, Parsed, Part, text
from .hooks import LuaHook, NativeHook, Object, Plugin, PythonHook, Script, from_text

Networks = Annotated[
    NetworkFile, Parsed(read_networks, {"type": "string", "examples": ["/etc/pygw/blocked.txt"]})
]
MediaRange = Annotated[
    str, Parsed(parse_media_range, text(r"^[^/;\s]+/[^/;\s]+$", "text/*", "application/json"))
]
MediaType = Annotated[
    str, Parsed(parse_media_type, text("^[^/]+/[^/]+", "application/json", "text/html"))
]
PairName = Annotated[str, Parsed(parse_pair_name, {"type": "string", "maxLength": 1024})]
PairValue = Annotated[str, Parsed(parse_pair_value, {"type": "string", "maxLength": 8192})]
Prefix = Annotated[str, Parsed(parse_prefix, text("^/.*[^/]$", "/api"))]
Origin = Annotated[
    str,
    Parsed(
        parse_origin, text(r"^(\*|null|[a-zA-Z][a-zA-Z0-9+.-]*://.+)$", "https://*.example.com")
    ),
]
Token = Annotated[str, Parsed(parse_token, text(r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", "*"))]


DELAY_MAX_MS = 60_000
"""Longest delay of a mock response, as in the data plane's limits."""


class FieldEdits(Part):
    """Edits of one head."""

    set: Fields = {}
    """Header fields that take the place of all fields of their names; values are templates."""

    add: Fields = {}
    """Header fields that are appended."""

    remove: list[FieldName] = []
    """Names whose fields are all taken out."""

    rename: dict[FieldName, FieldName] = {}
    """Old and new names; fields that had the new name go where there is one of the old."""

    default: Fields = {}
    """Header fields that are added where there is none of their name."""


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
    """Filter: answer without a service."""

    status: Annotated[int, Field(ge=200, le=599)] = 200
    """The status."""

    body: Annotated[str, Field(max_length=1 << 20)] = ""
    """The body, in UTF-8; a template, whose values are escaped for JSON, HTML and XML."""

    file: (
        Annotated[
            BodyFile, Parsed(parse_body_file, {"type": "string", "examples": ["./down.html"]})
        ]
        | None
    ) = None
    """A file whose bytes are the body, at most 1MiB; read with the configuration."""

    content_type: MediaType = "text/plain; charset=utf-8"
    """The media type of the body; that of a file is guessed by its name unless set."""

    headers: Fields = {}
    """Further header fields; values are templates."""

    delay: Annotated[int, Duration(0, DELAY_MAX_MS)] = 0
    """How long the answer is held back, for mocks."""


class Redirect(Part):
    """Filter: send the client elsewhere."""

    to: Annotated[
        str, Parsed(parse_location, text("^/|^https?://", "https://example.com/", "/new"))
    ]
    """An absolute URL, or a path of the same host; a template."""

    status: Literal[301, 302, 303, 307, 308] = 308
    """The status; 307 and 308 keep method and body, 301 and 308 may be remembered."""

    keep_query: bool = False
    """Put the request's own query behind."""


class Rewrite(Part):
    """Filter: another path or query for the service."""

    path: Annotated[str, Parsed(parse_rewrite_path, text("^[/{]", "/v2/{id}"))] | None = None
    """The path, a template; stays unless set."""

    query: Annotated[str, Parsed(parse_rewrite_query, text("^[^?]?", "id={id}"))] | None = None
    """The query without its ?, a template; stays unless set, and goes when empty."""


class Query(Part):
    """Filter: edit the pairs of the query that the service gets."""

    keep: Annotated[list[PairName], Field(max_length=64)] | None = None
    """Only pairs of these names stay; all unless set."""

    remove: Annotated[list[PairName], Field(max_length=64)] = []
    """Names whose pairs are taken out."""

    rename: dict[PairName, PairName] = {}
    """Old and new names."""

    set: dict[PairName, PairValue] = {}
    """Pairs that take the place of all pairs of their names; values are templates."""

    add: dict[PairName, PairValue] = {}
    """Pairs that are appended; values are templates."""


class Cors(Part):
    """Filter: let pages of other origins read answers; preflights are answered here."""

    origins: Annotated[list[Origin], Field(min_length=1, max_length=256)]
    """Origins that are let in: exact, with *. for all names below one, null, or * alone for any."""

    methods: Annotated[list[Token], Field(min_length=1, max_length=64)] = [
        "GET",
        "HEAD",
        "POST",
        "PUT",
        "PATCH",
        "DELETE",
    ]
    """Methods that pages may use, or * alone for any."""

    headers: Annotated[list[Token], Field(max_length=256)] = ["*"]
    """Header fields that pages may send, or * alone for any."""

    expose: Annotated[list[Token], Field(max_length=256)] = []
    """Header fields of answers that pages may read."""

    credentials: bool = False
    """Let pages send cookies and the like; needs origins that are not *."""

    max_age: Annotated[int, Duration(0)] | None = None
    """How long a browser may remember the answer to a preflight, in whole seconds; its own
    rule unless set."""

    private_network: bool = False
    """Let public pages reach this gateway on a private address."""


class Maintenance(Part):
    """Filter: answer 503 to all but a few."""

    enabled: bool = True
    """Off leaves the filter out."""

    allow: list[Network] = []
    """Networks that pass all the same."""

    retry_after: Annotated[int, Duration(0)] = 300_000
    """When to come again (Retry-After), in whole seconds."""

    body: Annotated[str, Field(max_length=1 << 20)] | None = None
    """The body, in UTF-8; a problem document or text by Accept unless set."""

    content_type: MediaType = "text/html; charset=utf-8"
    """The media type of body."""


class RequestId(Part):
    """Filter: under which name, of whom and in which form a request id is taken."""

    header: FieldName = "X-Request-ID"
    """The header field, both ways."""

    trust: Literal["proxies", "all", "none"] = "proxies"
    """Whose id is kept: of trusted proxies, of all clients, of nobody."""

    format: Literal["uuid7", "hex"] = "uuid7"
    """The form of a new one: a UUID (RFC 9562), or the same as 32 hex digits."""


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

    rewrite: Rewrite | None = None
    """Another path or query for the service."""

    strip_prefix: Prefix | None = None
    """Take a prefix off the path for the service, in whole segments."""

    add_prefix: Prefix | None = None
    """Put a prefix before the path for the service."""

    query: Query | None = None
    """Edit the pairs of the query that the service gets."""

    cors: Cors | None = None
    """Let pages of other origins read answers."""

    maintenance: Maintenance | None = None
    """Answer 503 to all but a few."""

    request_id: RequestId | None = None
    """Under which name, of whom and in which form a request id is taken."""

    lua: (
        Annotated[
            LuaHook, BeforeValidator(from_text("file"), json_schema_input_type=Script | LuaHook)
        ]
        | None
    ) = None
    """Call a hook written in Lua: its file, or a mapping with settings."""

    python: (
        Annotated[
            PythonHook,
            BeforeValidator(from_text("object"), json_schema_input_type=Object | PythonHook),
        ]
        | None
    ) = None
    """Call a hook written in Python: module:name, or a mapping with settings."""

    native: (
        Annotated[
            NativeHook,
            BeforeValidator(from_text("file"), json_schema_input_type=Plugin | NativeHook),
        ]
        | None
    ) = None
    """Call a hook in a shared object: its file, or a mapping with settings."""
