"""What `if` says before a location's content: routes beside the location's own.

Owns: the order of such conditions among each other as far as routes can keep it, and the location
that is shut because one of them has no counterpart.
Runs in: the process of the command.
Never does: read a condition.
Read next: `conditions`, `locations`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ...config.expressions import compile_expression
from .. import shapes
from ..draft import Json, Place
from .conditions import Condition
from .patterns import Untranslatable

ROUTES_MAX = 64
"""Most routes that the conditions of one location may become: those that hold at once multiply."""

Found = tuple[Json, Json, Place]
"""A match, what the route does, and where that stands."""


@dataclass(frozen=True)
class Rule:
    """One `if`: where its condition holds, this is what a route does instead."""

    condition: Condition
    route: Json
    place: Place


@dataclass
class Rules:
    """Those of one location, the server's first."""

    rules: list[Rule] = field(default_factory=list)
    shut: bool = False
    """Whether something that keeps somebody out could not be carried over."""

    def copy(self) -> Rules:
        """The same for a place further in, which may have more."""
        return Rules(list(self.rules), self.shut)

    def add(self, rule: Rule) -> None:
        """One more; Untranslatable when routes cannot keep its order with an earlier one."""
        for place, other in enumerate(self.rules):
            joined = _joined(other, rule)
            if joined is None:
                continue
            if any(between.route != rule.route for between in self.rules[place + 1 :]):
                raise Untranslatable("it has no order with the conditions before it")
            self.rules[place] = joined
            return
        if sum(1 for _ in Rules([*self.rules, rule]).spread({}, {}, rule.place)) > ROUTES_MAX:
            raise Untranslatable(f"with those before it, it needs more than {ROUTES_MAX} routes")
        self.rules.append(rule)

    def spread(self, match: Json, route: Json, place: Place) -> Iterator[Found]:
        """The routes that together do what the conditions and the route behind them do.

        The first condition that holds decides in nginx, the heaviest match with us: a condition
        that outweighs earlier ones comes with routes where both hold, which do what the earlier
        one says.
        """
        full = dict(match)
        found: list[Found] = []  # of conditions that are not negated, so far
        decided: set[str] = set()  # methods
        for rule in self.rules:
            own = rule.condition.match
            if rule.condition.negated:
                yield dict(full), rule.route, rule.place
                full = _merged(full, own)
                continue
            held = _merged(full, own)
            if "methods" in own:
                allowed: list[str] = full.get("methods") or own["methods"]
                taken = [one for one in own["methods"] if one in allowed and one not in decided]
                if not taken:
                    continue
                held = full | {"methods": taken}
                decided.update(taken)
            fresh = [
                (both, earlier[1], earlier[2])
                for earlier in found
                if _weight(held) > _weight(earlier[0])
                and (both := _both(earlier[0], held)) is not None
            ]
            found += [*fresh, (held, rule.route, rule.place)]
            if "methods" in own and "methods" in full:
                full["methods"] = [one for one in full["methods"] if one not in decided]
                if not full["methods"]:
                    yield from found
                    return
        yield from found
        if self.shut and "upstream" in route:
            route = {"middleware": [shapes.unserved("what guards this location")]}
        yield full, route, place


def _weight(match: Json) -> tuple[bool, int, int, bool]:
    """What routes of the same host and path are told apart by (docs/routing.md)."""
    headers, query = len(match.get("headers", ())), len(match.get("query", ()))
    return "methods" in match, headers, query, "client" in match


def _both(one: Json, two: Json) -> Json | None:
    """The match that holds where both do; None where they exclude each other."""
    out = _merged(one, two)
    if "methods" in one and "methods" in two:
        out["methods"] = [name for name in one["methods"] if name in two["methods"]]
        if not out["methods"]:
            return None
    for kind in ("headers", "query"):
        tests, others = one.get(kind, {}), two.get(kind, {})
        if any(name in others and others[name] != test for name, test in tests.items()):
            return None
    return out


def _merged(match: Json, more: Json) -> Json:
    out = dict(match)
    for key, value in more.items():
        out[key] = {**out.get(key, {}), **value} if isinstance(value, dict) else value
    return out


def _joined(first: Rule, second: Rule) -> Rule | None:
    """One rule for both; None where they may stand side by side.

    Routes of the same path are told apart by how many conditions they have, then by values that
    exclude each other: two that may hold at once and weigh the same have no order.
    """
    one, two = first.condition, second.condition
    unclear = f"it has no order with the condition of {first.place}"
    if "methods" in one.match or "methods" in two.match:
        return None
    if one.negated != two.negated:
        raise Untranslatable(unclear)
    if one.negated:
        if _keys(one) & _keys(two):
            raise Untranslatable(unclear)
        return None
    if one.match.keys() != two.match.keys():
        return None
    (kind,) = one.match
    ours, theirs = one.match[kind], two.match[kind]
    if kind == "client" or _keys(one) != _keys(two):
        raise Untranslatable(unclear)
    ((name, a),) = ours.items()
    b = theirs[name] if name in theirs else next(iter(theirs.values()))
    if isinstance(a, str) and isinstance(b, str) and a != b:
        return None
    if isinstance(a, dict) and isinstance(b, dict) and first.route == second.route:
        text = f"{a.get('regex')}|{b.get('regex')}"
        if "regex" in a and "regex" in b and _compiles(text):
            test = {name: {"regex": text}}
            return Rule(Condition({kind: test}), first.route, first.place)
    raise Untranslatable(unclear)


def _keys(condition: Condition) -> set[tuple[str, str]]:
    return {
        (kind, name.lower())
        for kind, tests in condition.match.items()
        if isinstance(tests, dict)
        for name in tests
    }


def _compiles(text: str) -> bool:
    try:
        compile_expression(text)
    except ValueError:
        return False
    return True
