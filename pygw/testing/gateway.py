"""A whole gateway in the test's own process: requests go in, answers come out, no socket.

Owns: requests as a test writes them, and answers with all that hooks did on the way.
Runs in: tests of hooks.
Never does: mock: data plane, checks of the configuration and the hook's language are the real ones.
Read next: `stage`, `origin`, `runs`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any, Self, Unpack

from pygw._core.watched_worker import clock_cost_ns

from ..plan.refusal import refusal
from .cost import Budget, Cost, summed_up
from .hook_config import (
    Entry,
    Hook,
    HookOptions,
    config_of_hook,
    load_for_test,
    plan_of,
    upstreams_of,
)
from .lent import Lent
from .origin import Origin
from .pending import Asked, Pending, RequestParts, asked_of
from .response import Response
from .runs import HookFailed, HookRun, LogLine
from .stage import Stage

TIMEOUT_S = 5.0
"""Longest time that a test waits for a hook's Python, in real seconds."""

Config = str | os.PathLike[str] | Mapping[str, Any]
"""The path of a configuration, or what would stand in one."""


class Gateway:
    """A gateway with a configuration, or with one hook on one route.

        with Gateway.of_hook("lua:limit.lua", config={"per_minute": 10}) as gateway:
            answer = gateway.get("/x", headers={"x-key": "1"})
            assert answer.status == 200
            assert answer.sent.headers["x-user"] == "anna"

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
        self._lent: Lent | None = None
        self._passed: Asked | None = None
        self._pending: list[Pending] = []
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
        hook: Hook,
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
        language may be left out where the path's suffix tells it. A function or a class in Python
        may stand for itself: it is used as it is, while code at a place is imported afresh, as in
        production. `options` are the other keys of its entry (deadline, on_error, body, phases,
        ...); `before` and `after` are further entries of the route's middleware.
        """
        lent = None
        if not isinstance(hook, str | os.PathLike):
            lent = Lent(hook)
            hook = f"python:{lent.place}"
            options.setdefault("name", lent.name)
        try:
            data = config_of_hook(hook, config, options, before, after)
            gateway = cls(data, base=base, raise_errors=raise_errors, timeout_s=timeout_s)
        except BaseException:
            if lent is not None:
                lent.give_back()
            raise
        gateway._lent = lent
        return gateway

    # --- requests ---------------------------------------------------------------------------------

    def request(self, method: str, target: str = "/", **parts: Unpack[RequestParts]) -> Response:
        """The answer to one request on a connection of its own.

        `headers` and `body` are what they say; `json` is a value to send as the body, `chunks` the
        pieces of a body that is sent chunked, each read by itself. `host` is the Host field,
        `client` the address it comes from, `listener` the place of the listener in the
        configuration. Raises HookFailed when a hook failed, unless `raise_errors` is off, and
        TimeoutError when no answer comes about.
        """
        __tracebackhide__ = True
        return self.start(method, target, **parts).answer()

    def start(self, method: str, target: str = "/", **parts: Unpack[RequestParts]) -> Pending:
        """`request`, whose answer is asked for later: others may be on their way meanwhile."""
        return self._open(asked_of(method, target, **parts))

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
        return self._open(Asked(pieces, method, client, listener)).answer()

    def _open(self, asked: Asked) -> Pending:
        pending = Pending(self._stage, asked, self._peer(asked.client), self._ended)
        self._pending.append(pending)
        if len(self._pending) > 1:
            for one in self._pending:
                one.alone = False
        pending.send()
        return pending

    def _ended(self, pending: Pending, answer: Response) -> None:
        __tracebackhide__ = True
        self._pending.remove(pending)
        if all(run.outcome != "failed" for run in answer.hooks):
            self._passed = pending.asked
            self.called = {(run.hook, run.phase) for run in answer.hooks}
        elif self.raise_errors:
            raise HookFailed(answer.hooks, answer.log)

    def costs(self) -> list[Cost]:
        """What the hooks cost by phase: medians over the last request that passed, sent again some
        hundred times, for 0.3 s at most, to a gateway of its own."""
        if self._passed is None:
            return []
        twin = self.__class__.__new__(self.__class__)
        twin._start(self._plan, False, self._stage.timeout_s)
        runs: list[HookRun] = []
        with twin:
            twin.origin = self.origin.twin()
            twin._origins = {name: origin.twin() for name, origin in self._origins.items()}
            budget = Budget()
            while budget.more():
                answer = twin._open(self._passed).answer()
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
            if self._lent is not None:
                self._lent.give_back()
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
