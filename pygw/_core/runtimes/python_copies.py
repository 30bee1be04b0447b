"""What stays of a request and a response when the run of a hook is over.

Owns: copies that know no exchange: plain data, for a thread, a queue, another task.
Runs in: hooks, when they ask for it; it costs what it copies.
Never does: change with the original, or reach back to it.
Read next: `python_view.pyx`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


class HeadersCopy(Mapping[str, str]):
    """Fields by name in any case; `pairs` are all of them in order."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self.pairs = tuple(pairs)
        self._first: dict[str, str] = {}
        for name, value in pairs:
            self._first.setdefault(name.lower(), value)

    def __getitem__(self, name: str) -> str:
        return self._first[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._first)

    def __len__(self) -> int:
        return len(self._first)

    def __repr__(self) -> str:
        return f"HeadersCopy({list(self.pairs)!r})"


class RequestCopy:
    """A request as it was when it was copied."""

    __slots__ = (
        "authority",
        "body",
        "client",
        "headers",
        "id",
        "method",
        "params",
        "path",
        "query",
        "route",
        "scheme",
        "version",
    )

    def __init__(self, request: Any) -> None:
        self.method: str = request.method
        self.scheme: str = request.scheme
        self.authority: str = request.authority
        self.path: str = request.path
        self.query: str = request.query
        self.version: str = request.version
        self.client: str = request.client
        self.id: str = request.id
        self.route: str = request.route
        self.params: dict[str, str] = request.params
        self.headers = HeadersCopy(request.headers.items())
        self.body: bytes | None = request.body if request.phase == "request_body" else None

    def __repr__(self) -> str:
        return f"<RequestCopy: {self.method} {self.path}>"


class ResponseCopy:
    """A response as it was when it was copied."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, response: Any) -> None:
        self.status: int = response.status
        self.headers = HeadersCopy(response.headers.items())
        self.body: bytes | None = response.body if response.phase == "response_body" else None

    def __repr__(self) -> str:
        return f"<ResponseCopy: {self.status}>"
