"""The filters of a plan.

Owns: an entry of a middleware list as the data plane's filter of the same name reads it.
Runs in: the supervisor.
Never does: judge; what `pygw.config` let through is good.
Read next: `pygw/_core/filters/`.
"""

from __future__ import annotations

from typing import Any

from ..config.model.middleware import FieldEdits, Ip, Middleware, Respond
from ..config.semantics import BODILESS

Plan = dict[str, Any]


def plan_filter(entry: Middleware) -> Plan:
    """One filter."""
    if entry.headers is not None:
        request, response = _edits(entry.headers.request), _edits(entry.headers.response)
        return {"filter": "headers", "request": request, "response": response}
    if entry.ip is not None:
        return _ip(entry.ip)
    if entry.body_limit is not None:
        return {"filter": "body_limit", "max_bytes": entry.body_limit}
    if entry.respond is not None:
        return _respond(entry.respond)
    if entry.redirect is not None:
        redirect = entry.redirect
        return {"filter": "redirect", "status": redirect.status, "location": redirect.to}
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


def _respond(respond: Respond) -> Plan:
    fields = [list(field) for field in respond.headers.items()]
    if respond.status not in BODILESS:
        fields.insert(0, ["Content-Type", respond.content_type])
    return {
        "filter": "respond",
        "status": respond.status,
        "headers": fields,
        "body": respond.body,
    }


def _edits(edits: FieldEdits) -> Plan:
    return {
        "set": [list(field) for field in edits.set.items()],
        "add": [list(field) for field in edits.add.items()],
        "remove": list(edits.remove),
    }
