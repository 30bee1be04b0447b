"""The filters of a plan.

Owns: an entry of a middleware list as the data plane's filter of the same name reads it.
Runs in: the supervisor.
Never does: judge; what `pygw.config` let through is good.
Read next: `pygw/_core/filters/`.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

from ..config.model.middleware import (
    Cors,
    FieldEdits,
    Ip,
    Maintenance,
    Middleware,
    Query,
    Redirect,
    Respond,
)
from ..config.semantics import BODILESS
from ..config.targets import goal_of
from ..config.template import has_values, plan_template, plan_text
from .hooks import plan_hook

Plan = dict[str, Any]
Params = Sequence[str]


def plan_filters(entries: Iterable[Middleware], params: Params) -> list[Plan]:
    """The filters of a route whose path has the names `params`; what is off is left out."""
    return [plan_filter(entry, params) for entry in entries if is_on(entry)]


def is_on(entry: Middleware) -> bool:
    """Whether an entry becomes a filter of its route."""
    return entry.maintenance is None or entry.maintenance.enabled


def plan_filter(entry: Middleware, params: Params = ()) -> Plan:
    """One filter."""
    if entry.headers is not None:
        request = _edits(entry.headers.request, params)
        return {
            "filter": "headers",
            "request": request,
            "response": _edits(entry.headers.response, params),
        }
    if entry.ip is not None:
        return _ip(entry.ip)
    if entry.body_limit is not None:
        return {"filter": "body_limit", "max_bytes": entry.body_limit}
    if entry.respond is not None:
        return _respond(entry.respond, params)
    if entry.redirect is not None:
        return _redirect(entry.redirect, params)
    for runtime, hook in (("lua", entry.lua), ("python", entry.python), ("native", entry.native)):
        if hook is not None:
            return plan_hook(runtime, hook, params)
    return _target_filter(entry, params) or _other_filter(entry)


def _target_filter(entry: Middleware, params: Params) -> Plan | None:
    """One of those that change where a request goes."""
    if entry.rewrite is not None:
        path, query = entry.rewrite.path, entry.rewrite.query
        return {
            "filter": "rewrite",
            "path": None if path is None else plan_template(_bare(path), params),
            "query": None if query is None else plan_template(query, params),
        }
    if entry.strip_prefix is not None:
        return {"filter": "prefix", "strip": entry.strip_prefix, "add": ""}
    if entry.add_prefix is not None:
        return {"filter": "prefix", "strip": "", "add": entry.add_prefix}
    return None if entry.query is None else _query(entry.query, params)


def _other_filter(entry: Middleware) -> Plan:
    if entry.cors is not None:
        return _cors(entry.cors)
    if entry.maintenance is not None:
        return _maintenance(entry.maintenance)
    if entry.request_id is not None:
        return {"filter": "request_id", **dict(entry.request_id)}
    if entry.gzip is not None:
        return {"filter": "gzip", **dict(entry.gzip)}
    return {"filter": "echo"}


def _ip(ip: Ip) -> Plan:
    allow = [*ip.allow, *(ip.allow_file.networks if ip.allow_file else ())]
    deny = [*ip.deny, *(ip.deny_file.networks if ip.deny_file else ())]
    out: Plan = {"filter": "ip", "allow": allow, "deny": deny}
    if ip.allow_file is not None and not allow:
        out["closed"] = True  # an empty list of those who may come is no open door
    return out


def _bare(path: str) -> str:
    """In a path the query has no place: it stays where it is, or is kept apart."""
    return path.replace("{path_and_query}", "{path}")


def _respond(respond: Respond, params: Params) -> Plan:
    fields: list[list[Any]] = [
        [name, plan_text(text, params)] for name, text in respond.headers.items()
    ]
    made = plan_text(respond.body, params)
    kind = respond.content_type
    if respond.file is not None and "content_type" not in respond.model_fields_set:
        kind = respond.file.content_type
    if isinstance(made, list) and not any(n.lower() == "x-content-type-options" for n, _ in fields):
        # What a client sent comes back here: no browser may take it for another type.
        fields.insert(0, ["X-Content-Type-Options", "nosniff"])
    if respond.status not in BODILESS:
        fields.insert(0, ["Content-Type", kind])
    plan: Plan = {
        "filter": "respond",
        "status": respond.status,
        "headers": fields,
        "body": made,
    }
    if isinstance(made, list):
        plan["escape"] = _escape(kind)
    if respond.file is not None:
        plan |= {"body": None, "base64": b64encode(respond.file.content).decode()}
    if respond.delay:
        plan["delay_ms"] = respond.delay
    return plan


def _escape(content_type: str) -> str:
    """What a body of this media type needs."""
    subtype = content_type.partition(";")[0].strip().lower().partition("/")[2]
    if subtype == "json" or subtype.endswith("+json"):
        return "json"
    markup = subtype in ("html", "xml") or subtype.endswith("+xml")
    return "markup" if markup else "text"


def _redirect(redirect: Redirect, params: Params) -> Plan:
    plan: Plan = {"filter": "redirect", "status": redirect.status}
    goal = goal_of(redirect.to)
    if not redirect.keep_query and not has_values(redirect.to):
        return plan | {"location": plan_text(redirect.to, params)}
    to: Plan = {
        "origin": plan_template(goal.origin, params),
        "path": plan_template(_bare(goal.path), params),
        "query": None if goal.query is None else plan_template(goal.query, params),
        "fragment": goal.fragment,
        "keep_query": redirect.keep_query or "{path_and_query}" in goal.path,
    }
    return plan | {"to": to}


def _query(query: Query, params: Params) -> Plan:
    return {
        "filter": "query",
        "keep": None if query.keep is None else list(query.keep),
        "remove": list(query.remove),
        "rename": [list(pair) for pair in query.rename.items()],
        "set": [[name, _pair_value(text, params)] for name, text in query.set.items()],
        "add": [[name, _pair_value(text, params)] for name, text in query.add.items()],
    }


def _pair_value(text: str, params: Params) -> str | list[Any]:
    """Text is encoded by the data plane; within a template it is encoded here."""
    value = plan_text(text, params)
    if isinstance(value, str):
        return value
    return [quote(piece, safe="") if isinstance(piece, str) else piece for piece in value]


def _any_or(names: Sequence[str]) -> list[str] | None:
    return None if "*" in names else list(names)


def _cors(cors: Cors) -> Plan:
    return {
        "filter": "cors",
        "origins": _any_or(cors.origins),
        "methods": _any_or(cors.methods),
        "headers": _any_or(cors.headers),
        "expose": list(cors.expose),
        "credentials": cors.credentials,
        "max_age_s": None if cors.max_age is None else cors.max_age // 1000,
        "private_network": cors.private_network,
    }


def _maintenance(maintenance: Maintenance) -> Plan:
    return {
        "filter": "maintenance",
        "allow": list(maintenance.allow),
        "retry_after_s": maintenance.retry_after // 1000,
        "body": maintenance.body,
        "content_type": maintenance.content_type,
    }


def _edits(edits: FieldEdits, params: Params) -> Plan:
    plan: Plan = {
        "set": [[name, plan_text(text, params)] for name, text in edits.set.items()],
        "add": [[name, plan_text(text, params)] for name, text in edits.add.items()],
        "remove": list(edits.remove),
    }
    if edits.rename:
        plan["rename"] = [list(pair) for pair in edits.rename.items()]
    if edits.default:
        plan["default"] = [[name, plan_text(text, params)] for name, text in edits.default.items()]
    return plan
