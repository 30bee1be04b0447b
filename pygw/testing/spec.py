"""Tests of hooks that are written in Lua: files named `..._spec.lua`, as busted has them.

Owns: running a spec in LuaJIT beside the gateways that it asks, and passing values between the two.
Runs in: `pygw hook test`.
Never does: run a hook: that is the data plane's, in a state of its own.
Read next: `spec.lua`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from ..config.errors import ConfigError
from .cost import Cost, costs_of
from .gateway import Gateway
from .messages import Headers, Message, Seen
from .origin import Origin, answer_of
from .response import Response
from .runs import HookFailed

EXPECTED = (ConfigError, HookFailed, TimeoutError, ValueError, TypeError, KeyError)
"""Errors of Python that are a spec's own affair: they fail its case, by their message."""


@dataclass(frozen=True)
class Case:
    """One `it`."""

    names: tuple[str, ...]
    """Titles from the outermost `describe` on."""
    problem: str | None
    """None: it passed."""
    seconds: float


@dataclass
class Report:
    """What a spec came to."""

    path: str
    cases: list[Case] = field(default_factory=list)
    costs: list[Cost] = field(default_factory=list)


def run_spec(path: str | os.PathLike[str], measure: bool = True) -> Report:
    """Runs a spec's cases; `measure` repeats requests to tell what its hooks cost.

    OSError when it cannot be read, ImportError without LuaJIT.
    """
    return _Run(os.fspath(path)).run(measure)


class _Run:
    def __init__(self, path: str) -> None:
        self.report = Report(path)
        self.base = os.path.dirname(path) or "."
        self.gateways: list[Gateway] = []
        # Each byte of a text is a character on Python's side.
        self.lua: Any = _luajit().LuaRuntime(encoding="latin-1", unpack_returned_tuples=True)
        self.since = 0.0

    def run(self, measure: bool) -> Report:
        source = Path(self.report.path).read_bytes()
        harness = Path(__file__).with_name("spec.lua").read_bytes()
        load = self.lua.eval("function(s) return assert(loadstring(s, '@pygw')) end")
        start = load(harness)(
            _calm(self.make_hook), _calm(self.make_gateway), _calm(self.ask), _calm(self.told)
        )
        self.since = time.perf_counter()
        try:
            start(source, self.report.path, self.case)
            if measure:
                self.report.costs = costs_of(self.gateways)
        finally:
            for gateway in self.gateways:
                gateway.close()
        return self.report

    def case(self, names: Any, problem: str | None) -> None:
        """A case is over."""
        now = time.perf_counter()
        told = None if problem is None else _utf8(str(problem))
        titles = tuple(_utf8(str(name)) for name in names.values())
        self.report.cases.append(Case(titles, told, now - self.since))
        self.since = now

    # --- what the spec calls ----------------------------------------------------------------------

    def make_hook(self, place: str, config: Any = None, options: Any = None) -> int:
        """`pygw.hook(place, config, options)`."""
        settings = _mapping(_plain(options)) if options is not None else {}
        given = None if config is None else _mapping(_plain(config))
        return self._keep(Gateway.of_hook(place, given, base=self.base, **settings))

    def make_gateway(self, config: Any, options: Any = None) -> int:
        """`pygw.gateway(path or table, options)`."""
        settings = _mapping(_plain(options)) if options is not None else {}
        given = config if isinstance(config, str) else _mapping(_plain(config))
        return self._keep(Gateway(given, base=self.base, **settings))

    def _keep(self, gateway: Gateway) -> int:
        self.gateways.append(gateway)
        return len(self.gateways)

    def ask(self, number: int, method: str, target: str, parts: Any) -> Any:
        """`gateway.request(method, target, parts)`."""
        given = _parts(_mapping(_plain(parts, str)))
        return self._answer(self.gateways[number - 1].request(method, target, **given))

    def told(self, number: int, what: str, address: str, *values: Any) -> Any:
        """The other functions of a gateway, and of its services."""
        gateway = self.gateways[number - 1]
        origin = gateway.upstream(address) if address else gateway.origin
        if what == "advance":
            return gateway.advance(*values)
        if what == "now":
            return gateway.now
        if what == "log":
            return self._table(_coded([str(line) for line in gateway.log]))
        if what == "requests":
            return self._table([self._seen(one) for one in origin.requests])
        return self._origin(origin, what, list(values))

    def _origin(self, origin: Origin, what: str, values: list[Any]) -> None:
        plain = [_plain(value, str) for value in values]
        if what == "refuse":
            origin.refuse(*plain)
        elif what == "silent":
            origin.silent()
        elif what == "next":
            origin.then(*[_answering(value) for value in plain])
        elif plain and callable(plain[0]):
            call = plain[0]
            origin.answer()
            origin.handler = lambda seen: _answering(_plain(call(self._table(self._seen(seen)))))
        else:
            parts = plain.pop() if plain and isinstance(plain[-1], dict) else {}
            origin.answer(_answering(plain[0]) if plain else None, **_parts(parts))

    # --- values for Lua ---------------------------------------------------------------------------

    def _answer(self, answer: Response) -> Any:
        told = {
            **self._message(answer),
            "status": answer.status,
            "seen": [self._seen(one) for one in answer.seen],
            "hooks": _coded([vars(run) for run in answer.hooks]),
            "log": _coded([vars(line) for line in answer.log]),
            "vars": _coded(answer.vars),
            "route": answer.route,
            "cause": answer.cause,
        }
        return self._table(told)

    def _seen(self, seen: Seen) -> dict[str, Any]:
        told = self._message(seen)
        for name in ("method", "target", "path", "query", "upstream"):
            told[name] = getattr(seen, name)
        return told

    def _message(self, message: Message) -> dict[str, Any]:
        return {
            "headers": _first(message.headers),
            "fields": [list(pair) for pair in message.headers.pairs],
            "trailers": _first(message.trailers),
            "body": message.body.decode("latin-1"),
            "chunks": [chunk.decode("latin-1") for chunk in message.chunks],
            "complete": message.complete,
            "json": lambda: self._table(_coded(message.json())),
        }

    def _table(self, value: Any) -> Any:
        """The value as Lua has it; each character of a text is a byte."""
        if isinstance(value, Mapping):
            return self.lua.table_from({key: self._table(one) for key, one in value.items()})
        if isinstance(value, list | tuple):
            return self.lua.table_from([self._table(one) for one in value])
        return value


def _luajit() -> Any:
    """LuaJIT; its older name is that of some platforms' wheels."""
    try:
        return import_module("lupa.luajit21")
    except ImportError:
        return import_module("lupa.luajit20")


def _calm(call: Callable[..., Any]) -> Callable[..., Any]:
    """`true, value`, or `false, message` for errors that are about what the spec said."""

    def do(*values: Any) -> tuple[bool, Any]:
        try:
            return True, call(*values)
        except EXPECTED as error:
            told = error.args[0] if isinstance(error, KeyError) else error
            return False, _coded(str(told))

    return do


def _answering(value: Any) -> Any:
    """What a service answers: a status, a body, or a table of parts."""
    if isinstance(value, dict):
        return answer_of(None, **_parts(value))
    return value.encode("latin-1") if isinstance(value, str) else value


def _parts(parts: Mapping[str, Any]) -> dict[str, Any]:
    given = dict(parts)
    if isinstance(given.get("body"), str):
        given["body"] = given["body"].encode("latin-1")
    if isinstance(given.get("chunks"), list):
        given["chunks"] = [str(one).encode("latin-1") for one in given["chunks"]]
    if "json" in given:
        given["json"] = _decoded(given["json"])
    return given


def _decoded(value: Any) -> Any:
    """A value whose texts are UTF-8, a character a byte, as they are meant."""
    if isinstance(value, str):
        return _utf8(value)
    if isinstance(value, dict):
        return {_utf8(key): _decoded(one) for key, one in value.items()}
    return [_decoded(one) for one in value] if isinstance(value, list) else value


def _first(headers: Headers) -> dict[str, str]:
    return {name: headers[name] for name in headers}


def _plain(value: Any, text: Callable[[str], str] | None = None) -> Any:
    """A value of Lua's: a table whose keys are 1..n is a list, an empty one a mapping. Texts are
    UTF-8, unless `text` says how they are meant."""
    meant = text or _utf8
    if isinstance(value, str):
        return meant(value)
    if not hasattr(value, "items"):
        return value
    pairs = dict(value.items())
    if pairs and list(pairs) == list(range(1, len(pairs) + 1)):
        return [_plain(one, text) for one in pairs.values()]
    return {meant(str(key)): _plain(one, text) for key, one in pairs.items()}


def _mapping(value: Any) -> dict[str, Any]:
    if isinstance(value, list) or not isinstance(value, dict):
        raise TypeError(f"must be a table of names to values, not {value!r}")
    return value


def _utf8(text: str) -> str:
    """Lua's bytes as a person reads them."""
    return text.encode("latin-1", "replace").decode("utf-8", "replace")


def _coded(value: Any) -> Any:
    """A value whose texts are UTF-8 for Lua, a character a byte."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("latin-1")
    if isinstance(value, Mapping):
        return {_coded(key): _coded(one) for key, one in value.items()}
    return [_coded(one) for one in value] if isinstance(value, list | tuple) else value
