"""Rules on hooks: what they ask, and what of them is kept.

Owns: references to upstreams, and whether a kept decision has a key that says all it depends on.
Runs in: the control plane, on plain data that may be malformed.
Never does: judge a single value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import Path, hint
from ..hook_fields import in_key
from ..template import values_in
from .tools import HOOKS, Finding, items, mapping, repeated


def hook_problems(
    path: Path, entry: Mapping[str, Any], upstreams: Mapping[str, Any]
) -> Iterator[Finding]:
    """What is wrong with an entry of a middleware list that is a hook."""
    for kind in HOOKS & entry.keys():
        hook, place = mapping(entry[kind]), (*path, kind)
        names = items(hook.get("fetch"))
        yield from repeated((*place, "fetch"), (), names, "upstream", str)
        for index, name in enumerate(names):
            if isinstance(name, str) and name not in upstreams:
                yield (
                    (*place, "fetch", index),
                    f"unknown upstream; {hint(name, upstreams, 'upstreams')}",
                )
        for key in ("reads", "writes"):
            yield from repeated((*place, key), (), items(hook.get(key)), "name", str)
        if isinstance(hook.get("cache"), Mapping):
            cached = (*place, "cache")
            if kind == "native" and "reads" not in hook:  # others may declare what they read
                yield (
                    cached,
                    "needs reads: what a hook may look at decides whether its key is whole",
                )
            yield from _cache_problems(cached, hook["cache"], hook.get("reads"))


def _cache_problems(path: Path, cache: Mapping[str, Any], reads: object) -> Iterator[Finding]:
    key = cache.get("key")
    if not isinstance(reads, Sequence) or isinstance(reads, str) or not isinstance(key, str):
        return  # what its code declares that it reads is known to the data plane only
    values = [name.lower() for name in values_in(key)]
    for read in reads:
        told = in_key(read) if isinstance(read, str) else ("",)
        if not told:
            yield (
                (*path, "key"),
                f"cannot hold {read}, which the hook reads: a decision that depends on it must not"
                " be kept",
            )
        elif not any(_tells(value, one.lower()) for one in told for value in values):
            yield (
                (*path, "key"),
                f"needs {{{told[0]}}}, for the hook reads {read}; else one request gets what was"
                " decided for another",
            )


def _tells(value: str, wanted: str) -> bool:
    """Whether a value of a key is the one that is wanted, or one of those."""
    return value.startswith(wanted) if wanted.endswith(".") else value == wanted
