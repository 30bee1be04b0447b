"""What a reload changed, in one line.

Owns: the comparison of two configurations by the names of their parts.
Runs in: the supervisor.
Never does: show a value; only how many parts came, went and changed, and which settings.
Read next: `supervisor`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping

from .config import Config

_COUNTED = ("routes", "upstreams", "listeners")


def tell_changes(pair: list[Config]) -> str:
    """The same of an old and a new configuration, which the pair gives up.

    To take the old one apart takes a while too, and whoever holds it last does that.
    """
    old, new = pair
    pair.clear()
    return describe_changes(old, new)


def describe_changes(old: Config, new: Config) -> str:
    """Such as `+1 route, -2 upstreams, ~1 listener, limits`; `nothing changed`."""
    words = []
    for kind in _COUNTED:
        before, after = _parts(old, kind), _parts(new, kind)
        counts = {
            "+": len(after.keys() - before.keys()),
            "-": len(before.keys() - after.keys()),
            "~": sum(before[key] != after[key] for key in before.keys() & after.keys()),
        }
        for sign, count in counts.items():
            if count:
                words.append(f"{sign}{count} {kind.removesuffix('s') if count == 1 else kind}")
    for name in type(new).model_fields:
        if name not in _COUNTED and getattr(old, name) != getattr(new, name):
            words.append(name)
    return ", ".join(words) or "nothing changed"


def _parts(config: Config, kind: str) -> Mapping[Hashable, object]:
    """Parts by what a person tells them apart by: a name, or where they listen or match."""
    if kind == "upstreams":
        return _by_key(config.upstreams.items())
    if kind == "listeners":
        return _by_key((str(one.bind), one) for one in config.listeners)
    return _by_key((one.name or repr(one.match), one) for one in config.routes)


def _by_key(parts: Iterable[tuple[str, object]]) -> dict[Hashable, object]:
    """Parts that have the same key are told apart by their order."""
    seen: Counter[str] = Counter()
    out: dict[Hashable, object] = {}
    for key, part in parts:
        out[key, seen[key]] = part
        seen[key] += 1
    return out
