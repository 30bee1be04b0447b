"""An OpenAPI description as a draft.

Owns: OpenAPI 3.0 and 3.1 (https://spec.openapis.org/oas/): paths, operations, path parameters and
servers as routes and upstreams. A description says what a service does; pygw holds requests only
to method and path, and the rest is listed.
Runs in: the process of the command.
Never does: follow a reference out of the file.
Read next: `openapi_file`, which reads and judges the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from ..config.values import parse_target
from .draft import Draft, Json, Place, to_name, unused_name
from .openapi_file import Description

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
"""The operations of a path item (OpenAPI 3.1, 4.8.9)."""

PLACEHOLDER = "http://127.0.0.1:9000"
"""The target when the description names none that can be one."""

REFERENCES_MAX = 16
"""Longest chain of references."""

_PARAMETER = re.compile(r"\{([^{}/]+)\}")
_VARIABLE = re.compile(r"\{([^{}]+)\}")
_SHAPES = ("enum", "pattern", "format", "minLength", "maxLength", "minimum", "maximum")
"""What a schema may ask of a segment beyond its type."""

_READERS = (
    "x-logo x-codesamples x-code-samples x-taggroups x-displayname x-internal x-example x-examples"
    " x-summary x-enum-varnames x-enumnames x-nullable x-order"
)

_FOR_READERS = frozenset(_READERS.split())
"""Extensions that say nothing about how requests are served, in lower case."""

_UNCHECKED = {
    "security": "what it demands of a client is the service's to check",
    "callbacks": "these requests do not pass through this gateway's routes",
}


def import_openapi(path: str, target: str | None = None) -> Draft:
    """The draft of the description in the file; ImportFailed when it cannot be read or is invalid.

    `target` takes the place of all servers; its paths keep the base path of the first one.
    """
    draft = Draft()
    description = Description.read(path, draft)
    _Importer(description, draft, target).run()
    return draft


@dataclass(frozen=True)
class _Server:
    """Where requests go: an upstream's name and the path in front of all paths."""

    upstream: str
    base: str


class _Importer:
    def __init__(self, description: Description, draft: Draft, target: str | None) -> None:
        self.description = description
        self.draft = draft
        self.target = target
        info = _mapping(description.data.get("info"))
        self.title = to_name(str(info.get("title", "")).lower(), "api")
        self.servers: dict[str, str] = {}  # target: upstream
        self.unheld: Place | None = None  # where the first operation asks for more than a path

    def run(self) -> None:
        data = self.description.data
        self.draft.listeners.append({"bind": "127.0.0.1:8080"})
        self.draft.note(
            self.description.place(), "a description names no address to listen at: 127.0.0.1:8080"
        )
        outer = self._server(("servers",), data.get("servers"), None)
        for key in ("security", "webhooks"):
            if data.get(key):
                reason = _UNCHECKED.get(key, "requests to clients do not pass through routes")
                self.draft.lose(self.description.place(key), f"{key}: {reason}")
        self._extensions((), data)
        for path, item in _mapping(data.get("paths")).items():
            if str(path).startswith("/"):
                self._path(str(path), item, outer)
        if self.unheld is not None:
            self.draft.note(
                self.unheld,
                "from here on, what must be in queries, header fields, cookies and bodies is the "
                "service's to check",
            )

    def _path(self, path: str, item: Any, outer: _Server | None) -> None:
        where: tuple[str, ...] = ("paths", path)
        found = self._resolve(item)
        if found is None:
            self.draft.lose(self.description.place(*where), f"{path}: its reference leads nowhere")
            return
        server = outer
        if "servers" in found:
            server = self._server((*where, "servers"), found["servers"], outer)
        self._extensions(where, found)
        for key in found:
            if key in ("query", "additionalOperations"):
                self.draft.lose(self.description.place(*where, key), f"{path}: {key} is not read")
        for method in METHODS:
            operation = found.get(method)
            if isinstance(operation, Mapping):
                self._operation(path, method, operation, found.get("parameters"), server)

    def _operation(
        self,
        path: str,
        method: str,
        operation: Mapping[str, Any],
        shared: Any,
        server: _Server | None,
    ) -> None:
        where = ("paths", path, method)
        place = self.description.place(*where)
        if "servers" in operation:
            server = self._server((*where, "servers"), operation["servers"], server)
        if server is None:
            server = self._placeholder(())
        kinds = {**self._kinds(shared), **self._kinds(operation.get("parameters"))}
        self._extensions(where, operation)
        self._shapes(place, f"{method.upper()} {path}", shared, operation)
        for key, reason in _UNCHECKED.items():
            if operation.get(key):
                name = f"{method.upper()} {path}"
                self.draft.lose(self.description.place(*where, key), f"{name}: {key}: {reason}")
        try:
            own = to_route_path(path, kinds)
        except ValueError as error:
            self.draft.lose(place, f"{method.upper()} {path}: {error}")
            return
        route: Json = {}
        wanted = operation.get("operationId")
        if isinstance(wanted, str):
            route["name"] = to_name(wanted, f"{method}-{to_name(path, 'root')}")
            if route["name"] != wanted:
                self.draft.note(place, f"operationId {wanted} is written as {route['name']}")
        route["match"] = {"path": server.base + own, "methods": [method.upper()]}
        route["upstream"] = server.upstream
        self.draft.add_route(route, place)

    def _extensions(self, where: tuple[str, ...], part: Mapping[str, Any]) -> None:
        """What other gateways are told there."""
        for key in part:
            if str(key).startswith("x-") and str(key).lower() not in _FOR_READERS:
                place = self.description.place(*where, key)
                self.draft.lose(place, f"{key}: what it says to other programs is not read")

    # --- parameters ---

    def _shapes(self, place: Place, name: str, shared: Any, operation: Mapping[str, Any]) -> None:
        """Remarks on what a request is not held to."""
        listed = [
            found
            for parameters in (shared, operation.get("parameters"))
            for one in (parameters if isinstance(parameters, list) else ())
            if (found := self._resolve(one)) is not None
        ]
        for found in listed:
            if found.get("in") != "path":
                continue
            if found.get("style", "simple") != "simple":
                self.draft.lose(place, f"{name}: {found.get('name')}: its style {found['style']}")
            schema = self._resolve(found.get("schema")) or {}
            asked = [key for key in _SHAPES if key in schema]
            if _type_of(schema) == "integer":
                asked = [key for key in asked if key != "format"]
            if asked:
                self.draft.note(
                    place,
                    f"{name}: {found.get('name')}: {', '.join(asked)}: the service's to check",
                )
        others = any(found.get("in") != "path" for found in listed)
        if self.unheld is None and (others or "requestBody" in operation):
            self.unheld = place

    def _kinds(self, parameters: Any) -> dict[str, str]:
        """The type of each parameter that stands in the path."""
        kinds: dict[str, str] = {}
        for one in parameters if isinstance(parameters, list) else ():
            found = self._resolve(one)
            if found is not None and found.get("in") == "path":
                schema = self._resolve(found.get("schema")) or {}
                kinds[str(found.get("name"))] = _type_of(schema)
        return kinds

    def _resolve(self, value: Any) -> Mapping[str, Any] | None:
        """The mapping behind any references within the file; None when there is none."""
        for _ in range(REFERENCES_MAX):
            if not isinstance(value, Mapping):
                return None
            reference = value.get("$ref")
            if not isinstance(reference, str):
                return value
            value = self.description.follow(reference)
        return None

    # --- servers ---

    def _server(self, where: Sequence[str], servers: Any, outer: _Server | None) -> _Server:
        """The first server counts; the others are alternatives that nobody asked to mix."""
        listed = [one for one in servers if isinstance(one, Mapping)] if servers else []
        if not listed:
            return outer or self._placeholder(where)
        for number, one in enumerate(listed[1:], 1):
            self.draft.lose(
                self.description.place(*where, number),
                f"server {one.get('url')}: only the first one is taken; add it to targets by hand "
                f"if it is an equal of that",
            )
        place = self.description.place(*where, 0)
        url = self._filled(listed[0], place)
        parts = urlsplit(url)
        base = quote(parts.path.rstrip("/"), safe="/-._~!$&'()*+,;=:@%")
        if self.target is not None:
            return _Server(self._upstream(self.target), base)
        if not parts.netloc:
            self.draft.lose(place, f"server {url}: it names no host; set the target by hand")
            return _Server(self._upstream(PLACEHOLDER), base)
        try:
            target = parse_target(f"{parts.scheme}://{parts.netloc}").url
        except ValueError as error:
            self.draft.lose(place, f"server {url}: {error}; set the target by hand")
            return _Server(self._upstream(PLACEHOLDER), base)
        return _Server(self._upstream(target), base)

    def _placeholder(self, where: Sequence[str]) -> _Server:
        if self.target is None:
            self.draft.lose(
                self.description.place(*where), "there are no servers; set the target by hand"
            )
        return _Server(self._upstream(self.target or PLACEHOLDER), "")

    def _filled(self, server: Mapping[str, Any], place: Any) -> str:
        """The URL with the default of each variable."""
        variables = _mapping(server.get("variables"))

        def value(match: re.Match[str]) -> str:
            default = str(_mapping(variables.get(match[1])).get("default", ""))
            self.draft.note(place, f"server variable {match[1]} is taken as {default}")
            return default

        return _VARIABLE.sub(value, str(server.get("url", "")))

    def _upstream(self, target: str) -> str:
        if target not in self.servers:
            name = unused_name(self.title, self.draft.upstreams)
            self.servers[target] = name
            self.draft.upstreams[name] = {"targets": [target]}
        return self.servers[target]


def to_route_path(path: str, kinds: Mapping[str, str]) -> str:
    """`/users/{user-id}` as a route's path; ValueError for what a route cannot express."""
    out: list[str] = []
    taken: set[str] = set()
    for segment in path[1:].split("/"):
        match = _PARAMETER.fullmatch(segment)
        if match is None:
            if "{" in segment or "}" in segment:
                raise ValueError(f'its segment "{segment}" is a parameter in part only')
            out.append(quote(segment, safe="-._~!$&'()+,=:@%"))
            continue
        wanted = re.sub(r"\W+", "_", match[1], flags=re.ASCII).strip("_") or "p"
        name = unused_name(wanted, taken).replace("-", "_")
        name = f"p_{name}" if name[0].isdigit() else name
        taken.add(name)
        kind = ":int" if kinds.get(match[1]) == "integer" else ""
        out.append(f"{{{name}{kind}}}")
    return "/" + "/".join(out)


def _type_of(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):  # 3.1: ["integer"]
        kind = kind[0] if len(kind) == 1 else None
    if kind == "integer" and _may_be_negative(schema):
        return "signed"
    return kind if isinstance(kind, str) else ""


def _may_be_negative(schema: Mapping[str, Any]) -> bool:
    """Whether the schema itself says so: a negative minimum. Ids rarely name one."""
    bounds: Iterator[Any] = (schema.get(key) for key in ("minimum", "exclusiveMinimum"))
    return any(isinstance(one, (int, float)) and one < -1 for one in bounds)


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}
