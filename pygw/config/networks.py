"""Lists of networks that are kept in a file of their own.

Owns: the form of such a file and its bounds: one network a line, `#` begins a comment.
Runs in: the control plane, when a configuration is read; a worker never sees the file.
Never does: watch a file; a reload reads it again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .files import read_text
from .semantics.tools import items, mapping
from .values import parse_network

FILE_MAX_BYTES = 32 << 20
"""Largest file."""

NETWORKS_MAX = 500_000
"""Networks in one file."""

SHOWN = 3
"""Bad lines that are told one by one."""


@dataclass(frozen=True)
class NetworkFile:
    """A file and the networks that were in it when it was read, in their normal form."""

    path: str
    networks: tuple[str, ...]


def read_networks(value: object) -> NetworkFile:
    """The networks of the file at the path `value`, seen from the working directory.

    ValueError names what is wrong, with the file's line.
    """
    if not isinstance(value, str) or not value:
        raise ValueError("must be the path of a file")
    networks: list[str] = []
    bad: list[str] = []
    for number, line in enumerate(read_text(value, FILE_MAX_BYTES).split("\n"), 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        if len(networks) == NETWORKS_MAX:
            raise ValueError(f"{value} has more than {NETWORKS_MAX} networks")
        try:
            networks.append(parse_network(text))
        except ValueError as error:
            bad.append(f"line {number} {error}")
    if bad:
        more = f"; {len(bad) - SHOWN} more lines are wrong" if len(bad) > SHOWN else ""
        raise ValueError(f"{value}: {'; '.join(bad[:SHOWN])}{more}")
    return NetworkFile(value, tuple(networks))


def files_named(data: Mapping[str, Any]) -> Iterator[str]:
    """The paths of such files in a configuration that may be malformed, read or not."""
    for route in items(data.get("routes")):
        for entry in items(mapping(route).get("middleware")):
            lists = mapping(mapping(entry).get("ip"))
            for key in ("allow_file", "deny_file"):
                if isinstance(lists.get(key), str):
                    yield lists[key]
