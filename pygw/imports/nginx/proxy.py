"""`proxy_pass` and what stands around it: the path, the fields, the waits.

Owns: the middleware and timeouts of a route that leads to a service.
Runs in: the process of the command.
Never does: touch what decides which location a request takes.
Read next: `upstreams`.
"""

from __future__ import annotations

import re
from typing import Any

from ...config.units import show_duration, show_size
from ...config.values import FRAMING_FIELDS
from .. import shapes
from ..draft import Draft, Json
from .access import ip_filter
from .answers import filled, without_query
from .patterns import PathForm, Untranslatable, to_path
from .scope import Scope, read_bytes, read_ms
from .syntax import Directive
from .variables import to_template, variables_of

BODY_BYTES = 1 << 20
"""nginx's limit on a body when no client_max_body_size stands anywhere."""

_PASS = re.compile(r"(?P<scheme>https?)://(?P<to>unix:[^:]+|[^/$]+)(?::?(?P<uri>[/$].*))?\Z")
_WHOLE = ("$request_uri", "$uri$is_args$args", "$uri", "$document_uri$is_args$args")
_FRAMING = ("", "upgrade", "keep-alive", "chunked", "trailers")
_OWN = {
    "x-forwarded-for": ("$proxy_add_x_forwarded_for", "$remote_addr"),
    "x-forwarded-proto": ("$scheme",),
    "x-forwarded-host": ("$host", "$http_host", "$server_name"),
    "host": ("$host", "$http_host", "$host:$server_port"),
}


def read_pass(one: Directive) -> tuple[str, str | None]:
    """The address and the path behind it, None without one."""
    text = one.args[0] if one.args else ""
    match = _PASS.match(text)
    if match is None or variables_of(match["to"]):
        raise Untranslatable("only an address that is known beforehand has a counterpart")
    if match["scheme"] == "https":
        raise Untranslatable("there is no TLS to services yet")
    uri = match["uri"]
    return match["to"], None if uri in _WHOLE else uri


def replace_prefix(form: PathForm, uri: str | None, place: Any, draft: Draft) -> list[Json]:
    """The middleware for the path behind an address: it takes the place of the location's."""
    if uri is None or form.literal == to_path(uri):
        return []
    if variables_of(uri):
        # Then it is the whole target, as it stands.
        path, keeps = without_query(uri)
        path, _, query = path.partition("?")
        if query and keeps:
            raise Untranslatable("pairs beside the request's own query have no counterpart")
        edits = {"path": filled(path, form)}
        return [{"rewrite": edits if keeps else edits | {"query": filled(query, form)}}]
    prefix, target = form.literal, to_path(uri)
    if form.path == prefix:
        return [shapes.rewrite(_braced(target))]
    if not prefix.endswith("/") and target.endswith("/"):
        draft.note(place, f"nginx sends //x for {prefix}/x; pygw sends /x, and {prefix}x as it is")
        target = target.rstrip("/")
    if target == "/" and prefix.endswith("/"):
        return [shapes.strip_prefix(prefix.rstrip("/"))]
    if target == "":
        return [shapes.strip_prefix(prefix)]
    if prefix.endswith("/") and target.endswith("/"):
        return [shapes.rewrite(_braced(target) + "{rest}")]
    raise Untranslatable("a prefix that ends within a segment cannot be replaced")


def _braced(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def guards(scope: Scope, draft: Draft) -> list[Json]:
    """The filters that may refuse a request: addresses and the size of its body.

    Untranslatable for rules that cannot be expressed: what they guard must stay shut.
    """
    out: list[Json] = []
    rules = scope.nearest("allow", "deny")
    if rules:
        try:
            ip = ip_filter(rules)
        except ValueError:
            raise Untranslatable("allow and deny know networks only") from None
        if ip is not None:
            out.append({"ip": ip})
    most = body_bytes(scope, draft)
    if most:
        out.append(shapes.body_limit(show_size(most)))
    return out


def body_bytes(scope: Scope, draft: Draft) -> int:
    """The longest body of a request; 0 for any."""
    one = scope.last("client_max_body_size")
    most = BODY_BYTES if one is None else read_bytes(one.args[0] if one.args else "")
    if most is None and one is not None:
        draft.lose(one.place, f"{one}: it is no size; it is taken as nginx's own, 1m")
    return BODY_BYTES if most is None else most


def request_edits(scope: Scope, address: str, draft: Draft) -> Json:
    """Edits of the head that a service gets; `address` is what proxy_pass names."""
    edits: dict[str, Any] = {}
    to_set: Json = {}
    remove: list[str] = []
    host_seen = False
    for one in scope.nearest("proxy_set_header"):
        name, value = (*one.args, "", "")[:2]
        lower = name.lower()
        host_seen |= lower == "host"
        if lower in FRAMING_FIELDS:
            if value.lower() not in _FRAMING and not value.startswith("$"):
                draft.lose(one.place, f"{one}: pygw writes this header itself")
            continue
        if value in _OWN.get(lower, ()):
            if value == "$proxy_add_x_forwarded_for":
                draft.note(
                    one.place,
                    "pygw replaces what a client says in X-Forwarded-For unless "
                    "forwarding.trusted_proxies names it",
                )
            continue
        if value == "":
            remove.append(name)
            continue
        try:
            own = "localhost" if address.startswith("unix:") else address
            to_set[name] = own if value == "$proxy_host" else to_template(value)
        except Untranslatable as error:
            draft.lose(one.place, f"{one}: {error}")
    if not host_seen:  # nginx's own default
        to_set["Host"] = "localhost" if address.startswith("unix:") else address
    if to_set:
        edits["set"] = to_set
    if remove:
        edits["remove"] = remove
    return edits


def response_edits(scope: Scope, draft: Draft) -> Json:
    """Edits of the head that a client gets."""
    add: Json = {}
    remove = [one.args[0] for one in scope.nearest("proxy_hide_header") if one.args]
    for one in scope.nearest("add_header"):
        name, value = (*one.args, "", "")[:2]
        try:
            if name.lower() in {known.lower() for known in add}:
                raise Untranslatable("one filter adds a name once")
            if name.lower() in FRAMING_FIELDS:
                raise Untranslatable("pygw writes this header itself")
            if value:
                add[name] = to_template(value)
        except Untranslatable as error:
            draft.lose(one.place, f"{one}: {error}")
            continue
        if "always" not in one.args[2:]:
            draft.note(
                one.place, f"add_header {name} without always: pygw adds it whatever the status is"
            )
    edits: Json = {}
    cached = _expires(scope, draft)
    if cached is not None:
        edits["set"] = {"Cache-Control": cached}
        remove.append("Expires")
    if add:
        edits["add"] = add
    if remove:
        edits["remove"] = remove
    return edits


def _expires(scope: Scope, draft: Draft) -> str | None:
    """`expires` as the value of Cache-Control; None where it is off."""
    one = scope.last("expires")
    words = one.args if one is not None else ()
    if one is None or words == ("off",):
        return None
    text = words[0] if len(words) == 1 else ""
    if text in ("epoch", "max"):
        out = "no-cache" if text == "epoch" else "max-age=315360000"
    else:
        ms = read_ms(text.removeprefix("-"))
        if ms is None:
            draft.lose(one.place, f"{one}: a time that depends on the request has no counterpart")
            return None
        out = "no-cache" if text.startswith("-") else f"max-age={ms // 1000}"
    draft.note(
        one.place,
        f"{one}: Cache-Control says so, without Expires, whatever the status is",
    )
    return out


def timeouts(scope: Scope, default: Json, draft: Draft) -> Json:
    """A route's waits that are not the file's `default`."""
    out: Json = {}
    for key, name in (("connect", "proxy_connect_timeout"), ("response", "proxy_read_timeout")):
        one = scope.last(name)
        if one is None:
            continue
        ms = read_ms(one.args[0] if one.args else "")
        if not ms:
            draft.lose(one.place, f"{one}: it is no time")
            continue
        out[key] = show_duration(ms)
        if key == "response":
            out["between_bytes"] = out[key]
    one = scope.last("proxy_send_timeout")
    if one is not None:
        draft.note(
            one.place,
            "proxy_send_timeout is left out: a service that takes nothing is "
            "waited for as long as for its answer",
        )
    return {key: value for key, value in out.items() if default.get(key) != value}
