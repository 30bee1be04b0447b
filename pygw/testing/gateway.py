"""A whole gateway in the test's own process: requests go in, answers come out, no socket.

Owns: requests as a test writes them, and answers with all that hooks did on the way.
Runs in: tests of hooks.
Never does: mock: data plane, checks of the configuration and the hook's language are the real ones.
Read next: `stage`, `origin`, `runs`.
"""

from __future__ import annotations

import json as json_format
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, TypedDict, Unpack

from pygw._core.watched_worker import clock_cost_ns

from ..plan.refusal import refusal
from .cost import Budget, Cost, summed_up
from .hook_config import (
    Entry,
    HookOptions,
    config_of_hook,
    load_for_test,
    plan_of,
    upstreams_of,
)
from .messages import (
    Fields,
    Headers,
    Message,
    Seen,
    Text,
    bytes_of,
    pairs_of,
    read_message,
    request_pieces,
)
from .origin import Origin
from .runs import Deeds, HookFailed, HookRun, LogLine, Outcome
from .stage import Stage

TIMEOUT_S = 5.0
"""Longest time that a test waits for a hook's Python, in real seconds."""

Config = str | os.PathLike[str] | Mapping[str, Any]
"""The path of a configuration, or what would stand in one."""


Asked = tuple[tuple[bytes, ...], str, str, int]
"""A request as `Gateway.raw` takes it: pieces, method, client, listener."""


class RequestParts(TypedDict, total=False):
    """What `Gateway.request` takes besides method and target."""

    headers: Fields
    body: Text
    json: Any
    chunks: Sequence[Text]
    host: str
    client: str
    listener: int


@dataclass
class Response(Message):
    """The answer that the client got, and all that hooks did on its way."""

    status: int = 0
    """0: the connection ended without an answer."""
    seen: list[Seen] = field(default_factory=list)
    """What services got for it: one for each attempt, and for each call that a hook made."""
    hooks: list[HookRun] = field(default_factory=list)
    """The calls of hooks, in order."""
    log: list[LogLine] = field(default_factory=list)
    """What hooks logged."""
    vars: dict[str, str] = field(default_factory=dict)
    """The exchange's variables at its end."""
    route: str = ""
    cause: str = "-"
    """Why it failed, as in the access log; - when it did not."""
    access: dict[str, Any] = field(default_factory=dict)
    """Its line of the access log."""

    @property
    def origin(self) -> Seen | None:
        """The request as a service got it last; None when none came there."""
        return self.seen[-1] if self.seen else None

    def outcome(self, hook: str | None = None, phase: str = "request") -> Outcome | None:
        """What the last call of a hook in a phase came to; None: it was not called there."""
        for run in reversed(self.hooks):
            if run.phase == phase and hook in (None, run.hook):
                return run.outcome
        return None

    def __repr__(self) -> str:
        told = [f"<Response {self.status}", repr(self.text[:60])]
        if self.cause != "-":
            told.append(f"cause={self.cause}")
        told += [f"{run.hook} {run.phase}: {run.outcome} {run.error}".strip() for run in self.hooks]
        return ", ".join(told) + ">"


class Gateway:
    """A gateway with a configuration, or with one hook on one route.

        with Gateway.of_hook("lua:limit.lua", config={"per_minute": 10}) as gateway:
            answer = gateway.get("/x", headers={"x-key": "1"})
            assert answer.status == 200
            assert answer.origin.headers["x-user"] == "anna"

    A hook that fails raises `HookFailed` here, unless `raise_errors` is off: then the answer is the
    one of production. The gateway's clock stands still but for what is waited for: `gw.sleep(60)`
    of a Lua hook takes no time. Python's `await asyncio.sleep(1)` takes its second.
    """

    def __init__(
        self,
        config: Config,
        *,
        base: str | os.PathLike[str] | None = None,
        raise_errors: bool = True,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """ConfigError says what is wrong with the configuration, its hooks' code included.

        Paths in a mapping are seen from `base`, those in a file from the file's directory.
        """
        loaded = load_for_test(config, base)
        try:
            self._start(plan_of(loaded), raise_errors, timeout_s)
        except ValueError as error:
            raise refusal(loaded, error) from None

    def _start(self, plan: bytes, raise_errors: bool, timeout_s: float) -> None:
        self.raise_errors = raise_errors
        self.origin = Origin()
        """The service behind the gateway; every one that `upstream` does not name."""
        self._plan = plan
        self._origins: dict[str, Origin] = {}
        self._clients = 0
        self._closed = False
        self._passed: Asked | None = None
        self.called: set[tuple[str, str]] = set()
        """Hooks and phases through which the last request went that passed."""
        self._names = upstreams_of(plan)
        self._stage = Stage(self._origin_at, timeout_s)
        try:
            self._stage.publish(plan)
        except BaseException:
            self.close()
            raise

    @classmethod
    def of_hook(
        cls,
        hook: str | os.PathLike[str],
        config: Mapping[str, Any] | None = None,
        *,
        before: Sequence[Entry] = (),
        after: Sequence[Entry] = (),
        base: str | os.PathLike[str] | None = None,
        raise_errors: bool = True,
        timeout_s: float = TIMEOUT_S,
        **options: Unpack[HookOptions],
    ) -> Self:
        """A gateway with one route for everything, through this hook, to one service.

        `hook` is `lua:PATH`, `python:PATH.py:NAME`, `python:MODULE:NAME` or `native:PATH`; the
        language may be left out where the path's suffix tells it. `options` are the other keys of
        its entry (deadline, on_error, body, phases, ...); `before` and `after` are further entries
        of the route's middleware.
        """
        data = config_of_hook(hook, config, options, before, after)
        return cls(data, base=base, raise_errors=raise_errors, timeout_s=timeout_s)

    # --- requests ---------------------------------------------------------------------------------

    def request(
        self,
        method: str,
        target: str = "/",
        *,
        headers: Fields = (),
        body: Text = b"",
        json: Any = None,
        chunks: Sequence[Text] | None = None,
        host: str = "gateway.test",
        client: str = "192.0.2.1",
        listener: int = 0,
    ) -> Response:
        """The answer to one request on a connection of its own.

        `json` is a value to send as the body; `chunks` are the pieces of a body that is sent
        chunked, each read by itself. `client` is the address it comes from, `listener` the place
        of the listener in the configuration. Raises HookFailed when a hook failed, unless
        `raise_errors` is off, and TimeoutError when no answer comes about.
        """
        __tracebackhide__ = True
        fields = list(pairs_of(headers))
        named = {name.lower() for name, _ in fields}
        if json is not None:
            body = json_format.dumps(json)
            if "content-type" not in named:
                fields.append(("Content-Type", "application/json"))
        if "host" not in named:
            fields.insert(0, ("Host", host))
        content = chunks if chunks is not None else bytes_of(body)
        pieces = request_pieces(method, target, fields, content)
        return self.raw(*pieces, method=method, client=client, listener=listener)

    def get(self, target: str = "/", **parts: Unpack[RequestParts]) -> Response:
        """`request` with GET."""
        __tracebackhide__ = True
        return self.request("GET", target, **parts)

    def head(self, target: str = "/", **parts: Unpack[RequestParts]) -> Response:
        """`request` with HEAD."""
        __tracebackhide__ = True
        return self.request("HEAD", target, **parts)

    def post(self, target: str = "/", **parts: Unpack[RequestParts]) -> Response:
        """`request` with POST."""
        __tracebackhide__ = True
        return self.request("POST", target, **parts)

    def put(self, target: str = "/", **parts: Unpack[RequestParts]) -> Response:
        """`request` with PUT."""
        __tracebackhide__ = True
        return self.request("PUT", target, **parts)

    def patch(self, target: str = "/", **parts: Unpack[RequestParts]) -> Response:
        """`request` with PATCH."""
        __tracebackhide__ = True
        return self.request("PATCH", target, **parts)

    def delete(self, target: str = "/", **parts: Unpack[RequestParts]) -> Response:
        """`request` with DELETE."""
        __tracebackhide__ = True
        return self.request("DELETE", target, **parts)

    def options(self, target: str = "/", **parts: Unpack[RequestParts]) -> Response:
        """`request` with OPTIONS."""
        __tracebackhide__ = True
        return self.request("OPTIONS", target, **parts)

    def raw(
        self, *pieces: bytes, method: str = "GET", client: str = "192.0.2.1", listener: int = 0
    ) -> Response:
        """The answer to these bytes, which the gateway reads piece by piece."""
        __tracebackhide__ = True  # pytest shows the test's own line, and the message
        stage = self._stage
        end = stage.connect(listener, self._peer(client))
        number, asked, lines = end.number, len(stage.seen), len(stage.worker.lines)
        for piece in pieces:
            if not end.closed:
                stage.send(end, piece)
        deeds = stage.book.deeds(number)
        stage.until(lambda: deeds.over or end.closed)
        stage.leave(end)
        answer = _read(end.received(), method, deeds)
        answer.seen = stage.seen[asked:]
        written = stage.worker.lines[lines:]
        answer.access = json_format.loads(written[0]) if written else {}
        if all(run.outcome != "failed" for run in deeds.runs):
            self._passed = pieces, method, client, listener
            self.called = {(run.hook, run.phase) for run in deeds.runs}
        elif self.raise_errors:
            raise HookFailed(deeds.runs, deeds.lines)
        return answer

    def costs(self) -> list[Cost]:
        """What the hooks cost by phase: medians over the last request that passed, sent again some
        hundred times, for 0.3 s at most, to a gateway of its own."""
        if self._passed is None:
            return []
        pieces, method, client, listener = self._passed
        twin = self.__class__.__new__(self.__class__)
        twin._start(self._plan, False, self._stage.timeout_s)
        runs: list[HookRun] = []
        with twin:
            twin.origin = self.origin.twin()
            twin._origins = {name: origin.twin() for name, origin in self._origins.items()}
            budget = Budget()
            while budget.more():
                answer = twin.raw(*pieces, method=method, client=client, listener=listener)
                runs = runs + answer.hooks if budget.counts else answer.hooks
        return summed_up(runs, clock_cost_ns())

    # --- the world --------------------------------------------------------------------------------

    def upstream(self, name: str) -> Origin:
        """The services of an upstream, or the one at an address (`host:port` or `unix:/path`), as
        the configuration calls them; apart from `origin`, which all others are."""
        return self._origins.setdefault(name, Origin())

    def _origin_at(self, address: str) -> Origin:
        name = self._names.get(address.removeprefix("unix:"), "")
        return self._origins.get(address) or self._origins.get(name) or self.origin

    def advance(self, seconds: float) -> None:
        """Lets time pass on the gateway's clock."""
        self._stage.advance(round(seconds * 1000))

    @property
    def now(self) -> float:
        """Seconds since 1970, as `gw.now()` gives them to a Lua hook: the real time, and what has
        passed on the gateway's clock."""
        return time.time() + self._stage.worker.now_ms / 1000

    @property
    def log(self) -> list[LogLine]:
        """All that hooks logged so far."""
        return self._stage.book.lines

    @property
    def stats(self) -> dict[str, int]:
        """The worker's counters by name."""
        return self._stage.worker.stats()

    def reload(self, config: Config, *, base: str | os.PathLike[str] | None = None) -> None:
        """Serves by another configuration from now on; ConfigError leaves the old one in place."""
        loaded = load_for_test(config, base)
        plan = plan_of(loaded)
        try:
            self._stage.publish(plan)
        except ValueError as error:
            raise refusal(loaded, error) from None
        self._plan, self._passed, self.called = plan, None, set()
        self._names = upstreams_of(plan)

    def close(self) -> None:
        """Ends it; AssertionError when the data plane did not give back all that it took."""
        if not self._closed:
            self._closed = True
            self._stage.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _peer(self, client: str) -> str:
        if client == "unix:":
            return client
        self._clients += 1
        return f"[{client}]:{self._clients}" if ":" in client else f"{client}:{self._clients}"


def _read(data: bytes, method: str, deeds: Deeds) -> Response:
    """The final answer in what the client received."""
    at = 0
    while True:
        found = read_message(data, at, method=method, closed=True)
        if found is None:
            return _told(Response(Headers(), b"", complete=False), deeds)
        status = int(found.line.split(" ")[1])
        if status >= 200 or status == 101:
            break
        at = found.end
    message = found.message
    answer = Response(
        message.headers,
        message.body,
        message.chunks,
        message.trailers,
        message.complete,
        status,
    )
    return _told(answer, deeds)


def _told(answer: Response, deeds: Deeds) -> Response:
    answer.hooks, answer.log, answer.vars = deeds.runs, deeds.lines, deeds.vars
    answer.route, answer.cause = deeds.route, deeds.cause
    return answer
