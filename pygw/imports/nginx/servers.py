"""`server` blocks: where they listen, for which hosts, and how their routes stand together.

Owns: listeners, the server that takes what no name takes, and hosts that two servers share.
Runs in: the process of the command.
Never does: look into locations.
Read next: `locations`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ...config.values import Bind, parse_bind, parse_host
from .. import shapes
from ..draft import Draft, Json, Place
from . import answers
from .conditions import read_condition
from .locations import Routes
from .patterns import Untranslatable
from .rules import Rule
from .scope import Scope
from .syntax import Directive
from .upstreams import Upstreams

_FLAGS = ("default_server", "default", "ssl", "http2", "quic", "proxy_protocol")
_ALIASES = {"localhost": "127.0.0.1", "*": "0.0.0.0"}


@dataclass
class Site:
    """One server block."""

    directive: Directive
    scope: Scope
    hosts: list[str] = field(default_factory=list)
    binds: list[str] = field(default_factory=list)
    default: bool = False
    tls: bool = False

    @property
    def place(self) -> Place:
        """Where it begins."""
        return self.directive.place


def read_servers(http: Scope, upstreams: Upstreams, draft: Draft) -> None:
    """The listeners and routes of all server blocks."""
    sites: list[Site] = []
    taken: set[str] = set()  # binds whose default server is known
    for one in http.here("server"):
        site = Site(one, http.inner(one.block))
        _listens(site, draft)
        _names(site, draft)
        sites.append(site)
    chosen = [s for s in sites if s.default]
    for site in sites:
        fresh = set(site.binds) - {b for other in chosen for b in other.binds} - taken
        site.default |= bool(fresh)
        taken |= set(site.binds)
    _listeners(sites, draft)
    _one_default(sites, draft)
    # Routes of a TLS server come first: of two for the same host, they are the ones that count.
    order = sorted(sites, key=lambda site: not site.tls)
    _Assembly(sites, upstreams, draft).add(order)


def _listens(site: Site, draft: Draft) -> None:
    for one in site.scope.here("listen") or [Directive("listen", ("80",), site.place)]:
        address, *flags = one.args or ("80",)
        try:
            bind = read_listen(address)
        except ValueError as error:
            draft.lose(one.place, f"listen {address}: {error}")
            continue
        site.binds.append(str(bind))
        site.default |= "default_server" in flags or "default" in flags
        if "ssl" in flags or "quic" in flags:
            site.tls = True
            draft.lose(one.place, f"{one}: there is no TLS yet; pygw listens there without it")
        if "http2" in flags and "ssl" not in flags:
            draft.lose(one.place, f"{one}: pygw speaks HTTP/1.1 to clients")
        if "proxy_protocol" in flags:
            draft.lose(one.place, f"{one}: the PROXY protocol is not read")
        rest = [flag for flag in flags if flag not in _FLAGS]
        if rest:
            draft.note(
                one.place, f"listen {address}: {' '.join(rest)}: pygw sets sockets up itself"
            )


def read_listen(address: str) -> Bind:
    """`80`, `*:80`, `127.0.0.1`, `[::]:80` or `unix:/path` as an address to bind."""
    if address.startswith("unix:"):
        return parse_bind(address)
    if address.isdigit():
        return parse_bind(f"0.0.0.0:{address}")
    host, colon, port = address.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = address, "80"
    return parse_bind(f"{_ALIASES.get(host, host)}:{port}")


def _listeners(sites: Iterable[Site], draft: Draft) -> None:
    binds: dict[str, Place] = {}
    for site in sites:
        for bind in site.binds:
            binds.setdefault(bind, site.place)
    sets = {frozenset(site.binds) for site in sites}
    if len(sets) > 1:
        draft.note(
            next(iter(binds.values())),
            "routes hold for every listener; in nginx these servers listen at different addresses",
        )
    draft.listeners = [{"bind": bind} for bind in binds]


def _names(site: Site, draft: Draft) -> None:
    for one in site.scope.here("server_name"):
        for name in one.args:
            if name in ("_", ""):
                continue
            try:
                site.hosts += [host for host in read_names(name) if host not in site.hosts]
            except ValueError as error:
                draft.lose(one.place, f"server_name {name}: {error}")


def read_names(name: str) -> list[str]:
    """A server name as hosts of a match."""
    if name.startswith("~"):
        raise ValueError("an expression has no counterpart; name the hosts")
    if "$" in name:
        raise ValueError("a variable has no counterpart; name the host")
    if name.startswith("."):
        return [parse_host(name[1:]), f"*.{parse_host(name[1:])}"]
    if name.startswith("*."):
        return [f"*.{parse_host(name[2:])}"]
    if "*" in name:
        raise ValueError("a wildcard may stand for the first labels only, as in *.example.com")
    return [parse_host(name)]


def _one_default(sites: list[Site], draft: Draft) -> None:
    """One server takes the hosts that no other names: there is one table of routes."""
    found = [site for site in sites if site.default]
    for site in found[1:]:
        site.default = False
        if not site.hosts:
            draft.lose(
                site.place,
                f"this server takes every host at its own address; the one of "
                f"{found[0].place} already does so at every address",
            )
    for site in sites:
        if not site.default and not site.hosts and site not in found:
            draft.lose(site.place, "this server has no name that a request could match")


class _Assembly:
    """Routes of all sites, put together."""

    def __init__(self, sites: list[Site], upstreams: Upstreams, draft: Draft) -> None:
        self.sites = sites
        self.upstreams = upstreams
        self.draft = draft
        self.taken: dict[str, Place] = {}
        self.default = next((site for site in sites if site.default), None)

    def add(self, order: Iterable[Site]) -> None:
        kept = []
        for site in order:
            if self._is_step_to_tls(site):
                self.draft.note(
                    site.place,
                    "clients are not sent on to the TLS port: the routes "
                    "of that server hold here, too",
                )
            else:
                kept.append(site)
        for site in kept:
            routes = Routes(self.draft, self.upstreams, self.draft.settings.get("timeouts", {}))
            self._conditions(site, routes)
            routes.add_server(site.scope)
            if site.default or site.hosts:
                self._place(site, routes)

    def _is_step_to_tls(self, site: Site) -> bool:
        """Whether a plain server only sends its hosts to TLS servers of the same names."""
        found = site.scope.here("return")
        if site.tls or len(found) != 1 or not answers.sends_to_tls(found[0]):
            return False
        secured = [other for other in self.sites if other.tls]
        names = {host for other in secured for host in other.hosts}
        if any(other.default for other in secured):
            return True
        return bool(site.hosts) and not site.default and set(site.hosts) <= names

    def _conditions(self, site: Site, routes: Routes) -> None:
        """`if` blocks of the server itself."""
        for one in site.scope.here("if"):
            try:
                self._condition(one, site, routes)
            except Untranslatable as error:
                routes.lose_condition(one, error, routes.rules)

    def _condition(self, one: Directive, site: Site, routes: Routes) -> None:
        answer = answers.answer_in(one.block)
        if answer is None:
            raise Untranslatable("only a return in it has a counterpart")
        inner = site.scope.inner(one.block)
        if answers.sends_to_tls(answer) and answers.asks_for_plain(one):
            inner.here("return", "add_header")
            self.draft.note(one.place, "clients are not sent on to the TLS port")
            return
        found = read_condition(one)
        inner.here("return", "add_header")
        if "host" in found.match:
            self._host_answer(site, found.match["host"], one, answer)
        elif found.negated and "methods" in found.match:
            routes.methods = routes.allowed(found.match["methods"], routes.methods)
            self.draft.note(one.place, "other methods get 405")
        else:
            routes.rules.add(Rule(found, routes.answer(answer, inner), one.place))
            routes.remark_on_gap(one, found)

    def _host_answer(self, site: Site, host: str, one: Directive, answer: Directive) -> None:
        """`if ($host = name) { return ... }`: the name leaves the server for a route of its own."""
        name = parse_host(host)
        if answers.sends_to_tls(answer) and any(s.tls and name in s.hosts for s in self.sites):
            self.draft.note(one.place, "clients are not sent on to the TLS port")
            return
        entry = answers.return_entry(answer)
        route: Json = {"match": {"host": name, "path": "/*"}, "middleware": [entry]}
        self._take(route, one.place)
        if name in site.hosts:
            site.hosts.remove(name)

    def _place(self, site: Site, routes: Routes) -> None:
        hosts = self._hosts_of(site)
        for route, place in routes.out:
            for own in hosts:
                self._take(_at_hosts(route, own), place)
        everything = any(route["match"]["path"] == "/*" for route, _ in routes.out)
        if not everything and self.default is not None and site is not self.default:
            # Without it the default server's routes would take what this server does not.
            missing: Json = {"match": {"path": "/*"}, "middleware": [shapes.respond(404)]}
            self._take(_at_hosts(missing, site.hosts), site.place)

    def _hosts_of(self, site: Site) -> list[list[str]]:
        """The hosts of its routes; the default server's routes have none, unless a wildcard of
        another server would take its names from it."""
        if not site.default:
            return [site.hosts] if site.hosts else []
        others = [host for other in self.sites if other is not site for host in other.hosts]
        wild = [host[1:] for host in others if host.startswith("*")]
        named = [host for host in site.hosts if any(host.endswith(tail) for tail in wild)]
        return [[], named] if named else [[]]

    def _take(self, route: Json, place: Place) -> None:
        """The route, without the hosts that have the same match already."""
        match = route["match"]
        hosts = match.get("host", "*")
        left = []
        for host in [hosts] if isinstance(hosts, str) else hosts:
            key = repr((host, sorted((k, v) for k, v in match.items() if k != "host")))
            if key in self.taken:
                self.draft.lose(
                    place,
                    f"{host} {match['path']}: {self.taken[key]} has the same "
                    "host and path, and routes hold for every listener",
                )
            else:
                self.taken[key] = place
                left.append(host)
        if left:
            self.draft.add_route(_at_hosts(route, [] if left == ["*"] else left), place)


def _at_hosts(route: Json, hosts: list[str]) -> Json:
    match = {key: value for key, value in route["match"].items() if key != "host"}
    if hosts:
        match = {"host": hosts[0] if len(hosts) == 1 else hosts} | match
    return {"match": match} | {key: value for key, value in route.items() if key != "match"}
