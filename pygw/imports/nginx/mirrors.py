"""`mirror` as the copies of a route's requests for a second upstream.

Owns: what the location that a mirror leads to says, and what of it copies cannot have.
Runs in: the process of the command.
Never does: make a route.
Read next: `locations`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ...config.model.routes import MIRROR_MAX_MS, MIRRORS_MAX
from ...config.units import show_duration, show_size
from ..draft import Draft, Json
from . import proxy
from .patterns import Untranslatable
from .scope import Scope, read_ms
from .syntax import Directive
from .upstreams import Upstreams

if TYPE_CHECKING:
    from .locations import Location

BODY_MAX = 16 << 20
"""Longest body that our copies may have."""

READ_MS = 60_000
"""nginx's proxy_read_timeout when it does not stand anywhere."""

_OFF = ("off",)


def mirrors_of(
    scope: Scope, upstream: str, upstreams: Upstreams, goal: Callable[[str], Location]
) -> list[Json]:
    """The `mirror` of a route whose own requests go to `upstream`.

    `goal` finds the location of a URI; Untranslatable when it cannot tell.
    """
    draft = upstreams.draft
    out: list[Json] = []
    body = scope.last("mirror_request_body")
    for one in scope.nearest("mirror"):
        if one.args[:1] == _OFF:
            continue
        try:
            if len(out) == MIRRORS_MAX:
                raise Untranslatable(f"a route has at most {MIRRORS_MAX} mirrors")
            location = goal(one.args[0] if one.args else "")
            entry = _entry(one, location, upstreams)
            if entry["to"] == upstream:
                raise Untranslatable("it leads to the upstream that gets the requests themselves")
            if entry["to"] in [known["to"] for known in out]:
                raise Untranslatable(f"{entry['to']} gets copies already")
        except (Untranslatable, ValueError) as error:
            draft.lose(one.place, f"{one}: {error}; write mirror: {{to: UPSTREAM}} by hand")
            continue
        entry["body_max"] = _body_max(scope, draft)
        out.append(entry)
        if body is not None and body.args[:1] == _OFF:
            draft.lose(body.place, f"{body}: copies have the body of the request")
    return out


def _entry(one: Directive, location: Location, upstreams: Upstreams) -> Json:
    scope, draft = location.scope, upstreams.draft
    passes = next(reversed(scope.here("proxy_pass")), None)
    if passes is None:
        raise Untranslatable(f"location {location.path} ({location.place}) leads to no service")
    for inner in scope.here("if", "rewrite", "return", "limit_except", "allow", "deny"):
        draft.lose(inner.place, f"{inner}: every request is copied, whatever it says; see share")
    address, uri = proxy.read_pass(passes)
    if not passes.args[0].endswith("$request_uri"):
        draft.lose(
            passes.place,
            f"{passes}: copies have the path of the request itself, not {uri or one.args[0]}",
        )
    for inner in scope.here("proxy_set_header", "proxy_pass_request_body", "proxy_method"):
        draft.lose(
            inner.place,
            f"{inner}: a copy has the method, the fields and the body that the service gets",
        )
    scope.here("internal", "proxy_http_version")
    return {"to": upstreams.find(address, passes.place), "timeout": _timeout(scope, draft)}


def _timeout(scope: Scope, draft: Draft) -> str:
    """The bound on a whole copy: nginx bounds each wait for bytes only."""
    one = scope.last("proxy_read_timeout")
    ms = READ_MS if one is None else read_ms(one.args[0] if one.args else "")
    if not ms or ms > MIRROR_MAX_MS:
        if one is not None:
            draft.note(one.place, f"{one}: a copy takes at most {show_duration(MIRROR_MAX_MS)}")
        ms = MIRROR_MAX_MS
    return show_duration(ms)


def _body_max(scope: Scope, draft: Draft) -> str:
    size = proxy.body_bytes(scope, draft)
    if not size or size > BODY_MAX:
        one = scope.last("client_max_body_size")
        if one is not None:
            draft.note(one.place, f"{one}: longer bodies than {show_size(BODY_MAX)} are not copied")
        size = BODY_MAX
    return show_size(size)
