"""What the author of a Python hook imports.

Owns: the decorator `hook` and the names of everything that a hook is given or answers.
Runs in: workers, `pygw check` and tests; it imports the data plane's views, not the control plane.
Never does: load hooks; `pygw._core.runtimes.python_code` does.
Read next: `docs/hooks.md`.

    from pygw.hooks import Reply, Request, hook

    @hook(deadline="50ms")
    async def auth(req: Request) -> Reply | None:
        if "x-key" not in req.headers:
            return Reply(401, "missing key\\n")
        req.headers["x-user"] = await lookup(req.headers["x-key"])
        return None
"""

from __future__ import annotations

from .._core.runtimes.python_copies import HeadersCopy, RequestCopy, ResponseCopy
from .._core.runtimes.python_fetch import Fetched, FetchError
from .._core.runtimes.python_fields import Headers, Vars
from .._core.runtimes.python_reply import ABORT, Abort, Reply
from .._core.runtimes.python_scope import Gone, Refused
from .._core.runtimes.python_view import Request, Response
from .mark import Mark, hook

Answer = Reply | Abort | None
"""What a hook answers: nothing, a reply of its own, or ABORT, which cuts the connection."""

__all__ = [
    "ABORT",
    "Abort",
    "Answer",
    "FetchError",
    "Fetched",
    "Gone",
    "Headers",
    "HeadersCopy",
    "Mark",
    "Refused",
    "Reply",
    "Request",
    "RequestCopy",
    "Response",
    "ResponseCopy",
    "Vars",
    "hook",
]
