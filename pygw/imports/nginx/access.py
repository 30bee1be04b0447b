"""`allow` and `deny` as the networks of an `ip` filter.

Owns: the arithmetic between the two: nginx takes the first rule that fits, our filter lets deny
win, so each rule is cut down to what no earlier one has decided.
Runs in: the process of the command.
Never does: widen: what cannot be read is the caller's to refuse.
Read next: `locations`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from .syntax import Directive

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

EVERYTHING: tuple[Network, ...] = (
    ipaddress.ip_network("0.0.0.0/0"),
    ipaddress.ip_network("::/0"),
)


def ip_filter(rules: Sequence[Directive]) -> dict[str, list[str]] | None:
    """The filter's `allow` or `deny`; None when everybody is admitted.

    ValueError for a rule that is no network.
    """
    decided: list[Network] = []
    verdicts: dict[str, list[Network]] = {"allow": [], "deny": []}
    for rule in rules:
        for network in _networks(rule):
            verdicts[rule.name] += _without(network, decided)
            decided.append(network)
    if _covers_all(decided):
        if not verdicts["allow"]:
            return {"deny": [str(one) for one in EVERYTHING]}
        return {"allow": _shown(verdicts["allow"])} if verdicts["deny"] else None
    return {"deny": _shown(verdicts["deny"])} if verdicts["deny"] else None


def _networks(rule: Directive) -> tuple[Network, ...]:
    (text,) = rule.args
    if text == "all":
        return EVERYTHING
    return (ipaddress.ip_network(text, strict=False),)


def _without(network: Network, decided: Iterable[Network]) -> list[Network]:
    """The network without the parts that were decided before, as networks."""
    parts = [network]
    for other in decided:
        if other.version == network.version:
            parts = [left for part in parts for left in _cut(part, other)]
    return parts


def _cut(part: Network, other: Network) -> Iterable[Network]:
    if not part.overlaps(other):
        return (part,)
    if part.prefixlen >= other.prefixlen:
        return ()
    return part.address_exclude(other)  # type: ignore[arg-type]


def _covers_all(networks: Sequence[Network]) -> bool:
    for whole in EVERYTHING:
        own = [one for one in networks if one.version == whole.version]
        if whole not in ipaddress.collapse_addresses(own):  # type: ignore[type-var]
            return False
    return True


def _shown(networks: Sequence[Network]) -> list[str]:
    out: list[str] = []
    for version in (4, 6):
        own = [one for one in networks if one.version == version]
        out += [str(one) for one in ipaddress.collapse_addresses(own)]  # type: ignore[type-var]
    return out
