"""`upstream` blocks, and the addresses that `proxy_pass` names without one.

Owns: targets, weights, priorities, balancing, ejection and the pool of an imported upstream.
Runs in: the process of the command.
Never does: resolve a name.
Read next: `locations`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ...config.units import show_duration
from ...config.values import parse_target
from ..draft import Draft, Json, Place, to_name, unused_name
from .scope import Scope, read_ms
from .syntax import Directive

_RETRIES: dict[str, tuple[str | int, ...]] = {
    "off": (),
    "error": ("connect_failure", "reset"),
    "timeout": ("response_timeout",),
    **{f"http_{status}": (status,) for status in (403, 404, 429, 500, 502, 503, 504)},
}
_HASH_KEYS = {
    "$remote_addr": "client_ip",
    "$binary_remote_addr": "client_ip",
    "$request_uri": "path",
    "$uri": "path",
}


class Upstreams:
    """The upstreams of an import by their names in the input."""

    def __init__(self, draft: Draft, scope: Scope) -> None:
        self.draft = draft
        self.scope = scope
        self.names: dict[str, str] = {}
        for block in scope.here("upstream"):
            if block.args and block.block is not None:
                self._add(block, scope.inner(block.block))

    def find(self, address: str, place: Place) -> str:
        """The upstream for what stands in `proxy_pass http://HERE`; made if it is none yet.

        ValueError for an address that is no target.
        """
        if address in self.names:
            return self.names[address]
        url = address if address.startswith("unix:") else f"http://{address}"
        target = parse_target(url)
        name = unused_name(to_name(re.sub(r"^unix:/", "", address), "upstream"), self._taken())
        self.names[address] = name
        self.draft.upstreams[name] = {"targets": [target.url]}
        return name

    def _taken(self) -> dict[str, Json]:
        return self.draft.upstreams

    def _add(self, block: Directive, scope: Scope) -> None:
        wanted = block.args[0]
        name = unused_name(to_name(wanted, "upstream"), self._taken())
        out: Json = {"targets": []}
        settings: list[dict[str, str]] = []
        for server in scope.here("server"):
            target = self._target(server, settings)
            if target is not None:
                out["targets"].append(target)
        if not out["targets"]:
            self.draft.lose(
                block.place, f"upstream {wanted} has no server that could be carried over"
            )
            return
        self._balance(scope, out)
        self._eject(settings, out, block.place)
        self._pool(scope, settings, out, block.place)
        self.names[wanted] = name
        self.draft.upstreams[name] = out

    def _target(self, server: Directive, settings: list[dict[str, str]]) -> str | Json | None:
        address, *options = server.args or ("",)
        try:
            target = parse_target(address if address.startswith("unix:") else f"http://{address}")
        except ValueError as error:
            self.draft.lose(server.place, f"server {address}: {error}")
            return None
        out: Json = {"url": target.url}
        own: dict[str, str] = {}
        for option in options:
            key, _, value = option.partition("=")
            if key == "down":
                self.draft.lose(server.place, f"server {address} is marked as down")
                return None
            if key == "weight" and value.isdigit():
                out["weight"] = int(value)
            elif key == "backup":
                out["priority"] = 1
            elif key in ("max_fails", "fail_timeout", "max_conns"):
                own[key] = value
            elif key != "resolve":
                self.draft.lose(server.place, f"server {address}: {option}")
        settings.append(own)
        return out if len(out) > 1 else target.url

    def _balance(self, scope: Scope, out: Json) -> None:
        chosen = scope.here("least_conn", "ip_hash", "hash", "random", "least_time", "sticky")
        for one in chosen:
            reader: Callable[[Directive, Json], str | None] = getattr(self, f"_{one.name}")
            problem = reader(one, out)
            if problem:
                self.draft.lose(one.place, f"{one}: {problem}; targets take turns")

    def _least_conn(self, one: Directive, out: Json) -> None:
        out["balance"] = "least_connections"

    def _ip_hash(self, one: Directive, out: Json) -> None:
        out["balance"] = {"hash": "client_ip"}
        self.draft.note(
            one.place,
            "ip_hash takes the first three bytes of an IPv4 address, the "
            "hash of client_ip all four",
        )

    def _hash(self, one: Directive, out: Json) -> str | None:
        if not one.args:
            return "it has no key"
        key = _HASH_KEYS.get(one.args[0]) or _field_key(one.args[0])
        if key is None:
            return f"{one.args[0]} is no key that can be hashed"
        out["balance"] = {"hash": key}
        if "consistent" not in one.args:
            self.draft.note(one.place, "the hash of pygw is always consistent")
        return None

    def _random(self, one: Directive, out: Json) -> str | None:
        if "two" in one.args:
            out["balance"] = "random_two"
            if any(a.startswith("least_time") for a in one.args):
                return "random_two looks at connections, not at time"
            return None
        return "random without two has no counterpart"

    def _least_time(self, one: Directive, out: Json) -> str | None:
        return "balancing by response time has no counterpart"

    def _sticky(self, one: Directive, out: Json) -> str | None:
        if len(one.args) < 2 or one.args[0] != "cookie":
            return "only sticky cookie has a counterpart"
        out["sticky"] = {"cookie": one.args[1]}
        for option in one.args[2:]:
            self.draft.lose(one.place, f"sticky cookie: {option}")
        return None

    def _eject(self, settings: list[dict[str, str]], out: Json, place: Place) -> None:
        """`max_fails` and `fail_timeout` hold for an upstream as a whole with us."""
        fails = {own.get("max_fails", "1") for own in settings}
        waits = {own.get("fail_timeout", "10s") for own in settings}
        if not any("max_fails" in own or "fail_timeout" in own for own in settings):
            return
        if len(fails) > 1 or len(waits) > 1:
            self.draft.note(
                place,
                "max_fails and fail_timeout differ between servers; the largest "
                "holds for all of them",
            )
        counts = [int(value) for value in fails if value.isdigit()]
        times = [ms for value in waits if (ms := read_ms(value)) is not None]
        if counts and not any(counts):
            out["eject"] = "off"
            return
        eject: Json = {}
        if counts:
            eject["faults"] = max(counts)
        if any(times):
            eject["back_off"] = eject["max_back_off"] = show_duration(max(times))
            self.draft.note(
                place, "a target that takes no connection is tried again within a second"
            )
        if eject:
            out["eject"] = eject

    def retry(self, name: str, scope: Scope) -> None:
        """`proxy_next_upstream` of a location: with us it belongs to the upstream."""
        on = scope.last("proxy_next_upstream")
        tries = scope.last("proxy_next_upstream_tries")
        for one in scope.nearest("proxy_next_upstream_timeout"):
            self.draft.lose(one.place, f"{one}: there is a bound on attempts, not on their time")
        if on is None and tries is None:
            return
        retries: Json = {}
        if (
            tries is not None
            and tries.args[:1]
            and tries.args[0].isdigit()
            and tries.args[0] != "0"
        ):
            retries["attempts"] = min(int(tries.args[0]) - 1, 10)
        if on is not None:
            found = [kind for word in on.args for kind in _RETRIES.get(word, ())]
            for word in on.args:
                if word not in _RETRIES:
                    self.draft.lose(on.place, f"proxy_next_upstream {word} has no counterpart")
            if on.args == ("off",):
                retries["attempts"] = 0
            elif found:
                retries["on"] = found
        upstream = self.draft.upstreams[name]
        if retries and upstream.setdefault("retries", retries) != retries:
            place = (on or tries or Directive("", (), Place("", 0))).place
            self.draft.note(place, f"upstream {name} retries as the first location with it says")

    def _pool(self, scope: Scope, settings: list[dict[str, str]], out: Json, place: Place) -> None:
        pool: Json = {}
        for one in scope.here("keepalive"):
            if one.args and one.args[0].isdigit():
                pool["idle"] = int(one.args[0])
        for key, name in (("idle_timeout", "keepalive_timeout"), ("lifetime", "keepalive_time")):
            for one in scope.here(name):
                ms = read_ms(one.args[0]) if one.args else None
                if ms:
                    pool[key] = show_duration(ms)
        named = [own.get("max_conns", "") for own in settings]
        most = [int(value) for value in named if value.isdigit()]
        if any(most):
            pool["connections"] = max(most)
            self.draft.note(place, "max_conns counts in each worker, for each target alike")
        if pool:
            out["pool"] = pool


def _field_key(variable: str) -> Json | None:
    match = re.fullmatch(r"\$\{?(http|cookie|arg)_(\w+)\}?", variable)
    if match is None:
        return None
    if match[1] == "http":
        return {"header": match[2].replace("_", "-")}
    return {"cookie": match[2]} if match[1] == "cookie" else None
