"""The entries of a middleware list that imports write.

Owns: the one place that knows how a filter's entry is written.
Runs in: the process of the command.
Never does: decide which filter is needed.
Read next: `pygw.config.model.middleware`.
"""

from __future__ import annotations

from .draft import Json

UNSERVED = 501
"""What a route answers whose service could not be carried over: it must not fall to another."""


def respond(status: int, body: str = "", content_type: str | None = None) -> Json:
    """A fixed answer."""
    out: Json = {"status": status}
    if body:
        out["body"] = body
    if content_type is not None:
        out["content_type"] = content_type
    return {"respond": out}


def unserved(what: str) -> Json:
    """An answer in place of something that could not be carried over."""
    return respond(UNSERVED, f"{what} was not carried over\n")


def redirect(to: str, status: int, keep_query: bool = False) -> Json:
    """Elsewhere; `to` is a template, behind which the request's query may be put."""
    return {"redirect": {"to": to, "status": status} | ({"keep_query": True} if keep_query else {})}


def rewrite(path: str) -> Json:
    """Another path for the service; `path` is a template, the query stays."""
    return {"rewrite": {"path": path}}


def strip_prefix(prefix: str) -> Json:
    """The path without its beginning."""
    return {"strip_prefix": prefix}


def body_limit(most_bytes: str) -> Json:
    """The longest body of a request."""
    return {"body_limit": most_bytes}


def headers(request: Json, response: Json) -> Json:
    """Edits of both heads; empty sides are left out."""
    sides = {"request": request, "response": response}
    return {"headers": {side: edits for side, edits in sides.items() if edits}}
