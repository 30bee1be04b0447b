"""What nginx's configuration says for all servers.

Owns: the settings of the whole file: workers, waits of clients, limits, the log, trusted proxies.
Runs in: the process of the command.
Never does: carry over what stands in one server only as if it held for all.
Read next: `servers`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from ...config.units import show_duration, show_size
from ..draft import Draft, Json
from .scope import Scope, read_bytes, read_ms
from .syntax import Directive

CONNECT = "1m"
"""nginx's wait for a connection when proxy_connect_timeout does not stand anywhere."""

_WAITS = {
    "client_header_timeout": "client_head",
    "client_body_timeout": "client_body",
    "keepalive_timeout": "keepalive",
    "send_timeout": "slow_reader",
    "proxy_connect_timeout": "connect",
    "proxy_read_timeout": "response",
}


def read_settings(main: Scope, http: Scope, draft: Draft) -> None:
    """Fill the draft's settings."""
    reader = _Reader(draft)
    reader.each(main, "worker_processes", reader.workers)
    for one in main.here("events"):
        reader.each(main.inner(one.block), "worker_connections", reader.connections)
    reader.log(http)
    reader.trusted(http)
    timeouts: Json = {"connect": CONNECT}
    for name, key in _WAITS.items():
        for one in http.here(name):
            ms = read_ms(one.args[0]) if one.args else None
            if ms:
                timeouts[key] = show_duration(ms)
                if len(one.args) > 1:
                    draft.note(one.place, f"{one}: the field Keep-Alive is not sent")
            else:
                draft.lose(one.place, f"{one}: there is no wait without an end")
    if "response" in timeouts:
        timeouts["between_bytes"] = timeouts["response"]
    draft.settings["timeouts"] = timeouts
    reader.each(http, "large_client_header_buffers", reader.head)
    reader.each(http, "keepalive_requests", reader.requests)
    if reader.limits:
        draft.settings["limits"] = reader.limits


class _Reader:
    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.limits: Json = {}

    def each(self, scope: Scope, name: str, read: Callable[[Directive], bool]) -> None:
        for one in scope.here(name):
            if not (one.args and read(one)):
                self.draft.lose(one.place, f"{one}: it has no counterpart")

    def workers(self, one: Directive) -> bool:
        if one.args[0] == "auto":
            self.draft.lose(one.place, "worker_processes auto: set workers to the cores to be used")
            return True
        if one.args[0].isdigit() and 1 <= int(one.args[0]) <= 256:
            self.draft.settings["workers"] = int(one.args[0])
            return True
        return False

    def connections(self, one: Directive) -> bool:
        if not one.args[0].isdigit() or int(one.args[0]) < 1:
            return False
        self.limits["max_connections"] = int(one.args[0])
        self.draft.note(
            one.place,
            "worker_connections counts connections to services, too; "
            "limits.max_connections counts clients",
        )
        return True

    def head(self, one: Directive) -> bool:
        size = read_bytes(one.args[1]) if len(one.args) == 2 else None
        if size is None or not one.args[0].isdigit():
            return False
        self.limits["request_line"] = show_size(size)
        self.limits["head"] = show_size(min(size * int(one.args[0]), 256 << 10))
        return True

    def requests(self, one: Directive) -> bool:
        if not one.args[0].isdigit():
            return False
        self.limits["keepalive_requests"] = int(one.args[0])
        return True

    def log(self, http: Scope) -> None:
        found = http.here("access_log")
        for one in found[1:]:
            self.draft.lose(one.place, f"{one}: there is one log")
        for one in found[:1]:
            path, *rest = one.args or ("off",)
            if path == "off":
                self.draft.settings["access_log"] = "off"
                continue
            if path.startswith("syslog:") or "$" in path:
                self.draft.lose(one.place, f"{one}: the log is a file or standard output")
                continue
            named = bool(rest) and "=" not in rest[0]
            if named and rest[0] != "combined":
                self.draft.note(one.place, f"format {rest[0]}: the log is written as combined")
            for option in rest[named:]:
                if option.startswith("if="):
                    self.draft.lose(one.place, f"access_log {option}: all requests are written")
                else:
                    self.draft.note(one.place, f"access_log {option}: pygw writes as it sees fit")
            place = "-" if path in ("/dev/stdout", "/dev/fd/1") else path
            self.draft.settings["access_log"] = {"path": place, "format": "combined"}

    def trusted(self, http: Scope) -> None:
        networks: list[str] = []
        for one in http.here("set_real_ip_from"):
            try:
                networks.append(str(ipaddress.ip_network(one.args[0], strict=False)))
            except (ValueError, IndexError):
                self.draft.lose(one.place, f"{one}: only networks can be trusted")
        for one in http.here("real_ip_header"):
            if one.args and one.args[0].lower() != "x-forwarded-for":
                self.draft.lose(one.place, f"{one}: X-Forwarded-For and Forwarded are read")
        for one in http.here("real_ip_recursive"):
            if one.args[:1] != ("on",):
                self.draft.note(
                    one.place,
                    "the client is the rightmost address that is not "
                    "trusted, as with real_ip_recursive on",
                )
        if networks:
            self.draft.settings["forwarding"] = {"trusted_proxies": list(dict.fromkeys(networks))}
