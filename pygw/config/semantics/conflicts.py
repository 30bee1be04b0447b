"""Routes that no request can tell apart, and routes that no request reaches.

Owns: the search for both. The order of precedence is that of the data plane's `router.pxd`: host,
then path from the left, then how much the conditions ask. Where it leaves two routes equal, and
some request could match both, the configuration is refused.
Runs in: the control plane, on plain data that may be malformed: what has no good predicate is
skipped, the model reports it.
Never does: compare every route with every other: routes are grouped by what precedence compares
first, and a group is as small as the data plane bounds it.
Read next: `pygw.config.patterns`.
"""

from __future__ import annotations

import ipaddress
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations
from typing import Any

from ..errors import show_path
from ..expressions import ANY, FIELD, SEGMENT, Bytes, compile_expression, covers, overlap, words
from ..patterns import PathMatch, Segment, parse_path_match
from ..predicates import (
    Test,
    as_list,
    methods_taken,
    parse_match_field,
    parse_method,
    parse_parameter,
    parse_route_host,
    parse_test,
)
from ..values import parse_network
from .tools import Finding, items, mapping

CANDIDATES_MAX = 128
"""Most routes of one host and path, as in the data plane's limits."""

EXPRESSIONS_MAX = 16
"""Most expressions at one place of a path, as in the data plane's limits."""

_PLAIN = re.compile(rb"[A-Za-z0-9._~-]+")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Range = tuple[tuple[int, int], tuple[int, int]]
"""The first and the last address of a network, each behind its version."""

Tests = Mapping[str, Test]


@dataclass(frozen=True)
class Claim:
    """What one route asks for."""

    index: int
    match: Mapping[str, Any]
    hosts: tuple[str, ...]
    path: PathMatch
    methods: frozenset[str]
    headers: Tests
    query: Tests
    client: tuple[str, ...]

    @property
    def name(self) -> str:
        """How a message calls it."""
        return show_path(("routes", self.index))

    @cached_property
    def takes(self) -> frozenset[str]:
        """The methods that it takes: HEAD where GET is written."""
        return frozenset(methods_taken(sorted(self.methods)))

    @cached_property
    def rank(self) -> tuple[int, ...]:
        """What decides between routes of one host and path; the greater comes first."""
        return bool(self.methods), len(self.headers), len(self.query), bool(self.client)

    @cached_property
    def ranges(self) -> Sequence[Range]:
        """The client's networks, sorted, without those that lie in another."""
        out: list[Range] = []
        for one in sorted(map(ipaddress.ip_network, self.client), key=_order):
            first = (one.version, int(one.network_address))
            if not out or first > out[-1][1]:
                out.append((first, (one.version, int(one.broadcast_address))))
        return out

    @cached_property
    def asked(self) -> tuple[object, ...]:
        """Its conditions, for comparing."""
        tests = (frozenset(one.items()) for one in (self.headers, self.query))
        return (self.methods, *tests, frozenset(self.client))


def _order(one: Network) -> tuple[int, int, int]:
    """The wider first where two begin alike."""
    return one.version, int(one.network_address), one.prefixlen


@dataclass
class _Place:
    """A place in the paths of one host: what leads on, and who comes by."""

    children: dict[object, _Place] = field(default_factory=dict)
    segments: dict[object, Segment] = field(default_factory=dict)
    ending: list[Claim] = field(default_factory=list)


def conflicts(routes: Sequence[Any]) -> Iterator[Finding]:
    """What is wrong between routes."""
    claims = [claim for i, route in enumerate(routes) if (claim := _claim(i, mapping(route)))]
    told: set[int] = set()
    hidden: dict[int, dict[str, tuple[Claim, ...]]] = defaultdict(dict)
    for host, root in _places(claims).items():
        for claim, finding in _search(root):
            if claim.index not in told:
                told.add(claim.index)
                yield finding
        for claim, covering in _search_hidden(root):
            ways = hidden[claim.index]
            ways.setdefault(host, covering)
            if claim.index not in told and len(ways) == len(claim.hosts):
                told.add(claim.index)
                yield _never(claim, [one for way in ways.values() for one in way])


def _never(claim: Claim, covering: Iterable[Claim]) -> Finding:
    names = [show_path(("routes", one)) for one in sorted({cover.index for cover in covering})]
    first = f"{' and '.join(names)} {'comes' if len(names) == 1 else 'come'} first and"
    verb, what = ("takes", "that one") if len(names) == 1 else ("take", "them")
    message = (
        f"is never reached: {first} {verb} all of its requests; take it out, or let {what} ask"
        " for more"
    )
    return ("routes", claim.index, "match", "path"), message


def _claim(index: int, route: Mapping[str, Any]) -> Claim | None:
    match = route.get("match")
    if not isinstance(match, Mapping):
        return None
    try:
        return Claim(
            index,
            match,
            tuple(dict.fromkeys(map(parse_route_host, items(as_list(match.get("host", []))))))
            or ("",),
            parse_path_match(match.get("path", "/*")),
            frozenset(parse_method(one) for one in items(match.get("methods"))),
            {parse_match_field(k): parse_test(v) for k, v in mapping(match.get("headers")).items()},
            {parse_parameter(k): parse_test(v) for k, v in mapping(match.get("query")).items()},
            tuple(parse_network(one) for one in items(match.get("client"))),
        )
    except ValueError:
        return None


def _places(claims: Sequence[Claim]) -> dict[str, _Place]:
    roots: dict[str, _Place] = defaultdict(_Place)
    for claim in claims:
        for host in claim.hosts:
            place = roots[host]
            for segment in claim.path.segments:
                key = _key(segment)
                place.segments.setdefault(key, segment)
                place = place.children.setdefault(key, _Place())
            place.ending.append(claim)
    return roots


def _key(segment: Segment) -> object:
    """Equal for segments that are the same but for their names."""
    text = segment.decoded if segment.kind in ("literal", "rest") else segment.text
    return segment.kind, text


def _search(root: _Place) -> Iterator[tuple[Claim, Finding]]:
    for place in _all_of(root):
        yield from _ties(place.ending)
        yield from _expressions(place)


def _search_hidden(root: _Place) -> Iterator[tuple[Claim, tuple[Claim, ...]]]:
    """Routes that are never reached at one host, and those that take their requests there."""
    for place in _all_of(root):
        yield from _hidden(place)
        yield from _halves(place.ending)


def _all_of(root: _Place) -> Iterator[_Place]:
    todo = [root]
    while todo:
        place = todo.pop()
        todo.extend(reversed(place.children.values()))
        yield place


# --- equal hosts and paths ------------------------------------------------------------------------


def _ties(ending: Sequence[Claim]) -> Iterator[tuple[Claim, Finding]]:
    if len(ending) > CANDIDATES_MAX:
        last = ending[CANDIDATES_MAX]
        message = f"has the host and path of {CANDIDATES_MAX} other routes, which is the most"
        yield last, (("routes", last.index, "match"), message)
        return
    for first, second in combinations(ending, 2):
        if first.rank == second.rank and _meet(first, second):
            yield second, _tie(first, second)


def _tie(first: Claim, second: Claim) -> Finding:
    place = ("routes", second.index, "match")
    if first.asked != second.asked:
        return place, (
            f"{first.name} may match the same request and neither comes first; let one ask for"
            " more, or for something else"
        )
    if first.match.keys() == second.match.keys() == {"path"} and _literal(first, second):
        return (*place, "path"), f"duplicate path; {first.name} has it"
    return place, f"{first.name} matches the same requests; take one out, or let one ask for more"


def _literal(first: Claim, second: Claim) -> bool:
    return str(first.path) == str(second.path)


def _meet(first: Claim, second: Claim) -> bool:
    """Whether one request can meet the conditions of both; a HEAD is for who writes HEAD."""
    if first.methods and second.methods and not first.methods & second.methods:
        return False
    if not _tests_meet(first.headers, second.headers, FIELD):
        return False
    if not _tests_meet(first.query, second.query, ANY):
        return False
    return not (first.client and second.client) or _ranges_meet(first.ranges, second.ranges)


def _ranges_meet(first: Sequence[Range], second: Sequence[Range]) -> bool:
    """Whether an address lies in both; each looked at once, for a route may have thousands."""
    i = j = 0
    while i < len(first) and j < len(second):
        if first[i][0] <= second[j][1] and second[j][0] <= first[i][1]:
            return True
        if first[i][1] < second[j][1]:
            i += 1
        else:
            j += 1
    return False


def _tests_meet(first: Tests, second: Tests, alphabet: Bytes) -> bool:
    return all(_test_meets(first[name], second[name], alphabet) for name in first.keys() & second)


def _test_meets(one: Test, two: Test, alphabet: Bytes) -> bool:
    if "absent" in (one.kind, two.kind):
        return one.kind == two.kind
    if "present" in (one.kind, two.kind):
        return True
    if one.kind == two.kind == "value":
        return one.text == two.text
    if one.kind == two.kind:
        a, b = compile_expression(one.text), compile_expression(two.text)
        return bool(a.accepts[1] and b.accepts[1]) or overlap(a, b, alphabet)
    value, expression = (one, two) if one.kind == "value" else (two, one)
    return compile_expression(expression.text).takes(value.text.encode())


# --- one segment that two routes take -------------------------------------------------------------


def _expressions(place: _Place) -> Iterator[tuple[Claim, Finding]]:
    """Different expressions at one place have no order, so they must be disjoint."""
    found = [key for key, one in place.segments.items() if one.kind == "expression"]
    if len(found) > EXPRESSIONS_MAX:
        claim = _first(place.children[found[EXPRESSIONS_MAX]])
        message = f"has more than {EXPRESSIONS_MAX} expressions at one place, with other routes"
        yield claim, (("routes", claim.index, "match", "path"), message)
        return
    for one, two in combinations(found, 2):
        first, second = place.segments[one].expression, place.segments[two].expression
        if overlap(first, second, SEGMENT):
            early, late = _first(place.children[one]), _first(place.children[two])
            if late.index < early.index:
                early, late, first, second = late, early, second, first
            message = (
                f"{second.text} takes segments that {first.text} of {early.name} takes at the same"
                " place, and neither comes first; let them take different ones, or write one for"
                " both"
            )
            yield late, (("routes", late.index, "match", "path"), message)


def _first(place: _Place) -> Claim:
    return min(_below(place), key=lambda claim: claim.index)


def _below(place: _Place) -> Iterator[Claim]:
    todo = [place]
    while todo:
        one = todo.pop()
        yield from one.ending
        todo.extend(one.children.values())


def _hidden(place: _Place) -> Iterator[tuple[Claim, tuple[Claim, ...]]]:
    """Routes behind a segment that takes all of theirs and comes before it."""
    order = {"int": 0, "expression": 1, "param": 2}
    keys = [key for key, one in place.segments.items() if one.kind in order]
    for one, two in combinations(keys, 2):
        before, behind = sorted((one, two), key=lambda key: order[place.segments[key].kind])
        first, second = place.segments[before], place.segments[behind]
        if first.kind != second.kind and covers(first.expression, second.expression, SEGMENT):
            yield from _hidden_below(place.children[before], place.children[behind])
    literals = {one.decoded: key for key, one in place.segments.items() if one.kind == "literal"}
    for key in keys if literals else ():
        if place.segments[key].kind == "expression":
            yield from _spelt_out(place, key, literals)


def _spelt_out(
    place: _Place, key: object, literals: Mapping[str, object]
) -> Iterator[tuple[Claim, tuple[Claim, ...]]]:
    """Routes behind an expression whose texts all stand beside it, and so come before it."""
    texts = words(place.segments[key].expression, SEGMENT, len(literals)) or []
    if not texts or not all(_PLAIN.fullmatch(text) for text in texts):
        return
    beside = [literals.get(text.decode()) for text in texts]
    if None in beside:
        return
    behind = place.children[key]
    found = [dict(_by_index(_hidden_below(place.children[one], behind))) for one in beside]
    for index in set(found[0]).intersection(*found):
        ways = [one[index] for one in found]
        yield ways[0][0], tuple(cover for _, covering in ways for cover in covering)


def _by_index(
    found: Iterable[tuple[Claim, tuple[Claim, ...]]],
) -> Iterator[tuple[int, tuple[Claim, tuple[Claim, ...]]]]:
    return ((claim.index, (claim, covering)) for claim, covering in found)


def _halves(ending: Sequence[Claim]) -> Iterator[tuple[Claim, tuple[Claim, ...]]]:
    """Routes behind two of the same path, of which one wants a field to be there and one not."""
    for claim in ending:
        wanted: dict[tuple[str, str, str], Claim] = {}
        for one in ending:
            extra = _one_more(one, claim) if one.rank > claim.rank else None
            if extra is not None:
                wanted[extra] = one
        for (side, name, kind), one in wanted.items():
            other = wanted.get((side, name, "absent"))
            if kind == "present" and other is not None:
                yield claim, (one, other)
                break


def _one_more(one: Claim, claim: Claim) -> tuple[str, str, str] | None:
    """The only test, and its kind, for whose sake `one` does not take all requests of `claim`."""
    for name, test in one.headers.items():
        fewer = replace(one, headers=_without(one.headers, name))
        if name not in claim.headers and _covers(fewer, claim):
            return "header", name, test.kind
    for name, test in one.query.items():
        fewer = replace(one, query=_without(one.query, name))
        if name not in claim.query and _covers(fewer, claim):
            return "query", name, test.kind
    return None


def _without(tests: Tests, name: str) -> Tests:
    return {key: test for key, test in tests.items() if key != name}


def _hidden_below(before: _Place, behind: _Place) -> Iterator[tuple[Claim, tuple[Claim, ...]]]:
    todo = [(before, behind)]
    while todo:
        one, two = todo.pop()
        todo.extend(
            (one.children[key], two.children[key])
            for key in one.children.keys() & two.children.keys()
        )
        rest = one.children.get(("rest", ""), _Place()).ending
        ended = [(claim, one.ending) for claim in two.ending]
        longer = [(claim, rest) for child in two.children.values() for claim in _below(child)]
        for claim, ways in [*ended, *(longer if rest else ())]:
            cover = next((way for way in ways if _covers(way, claim)), None)
            if cover is not None:
                yield claim, (cover,)


def _covers(way: Claim, claim: Claim) -> bool:
    """Whether the way asks for nothing that the claim does not ask for."""
    if way.client not in ((), claim.client):
        return False
    if way.methods and not (claim.methods and claim.takes <= way.takes):
        return False
    return all(
        ours.get(name) == test
        for theirs, ours in ((way.headers, claim.headers), (way.query, claim.query))
        for name, test in theirs.items()
    )
