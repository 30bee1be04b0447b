"""The canonical order of keys: the one in which the models, and so the reference, tell them.

Owns: the rank of a key at a place; keys that the schema does not name keep their order, at the end.
Runs in: the process of `pygw fmt`.
Never does: order what a person orders: names of upstreams and of header fields, entries of lists.
Read next: `pygw.config.schema`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

from ..config.errors import Path
from ..config.schema import Schema, config_schema


def canonical(path: Path, keys: Sequence[str]) -> list[int]:
    """The places of `keys`, which stand at `path`, in the order in which they should stand."""
    known = _known(tuple(0 if isinstance(part, int) else part for part in path))
    return sorted(range(len(keys)), key=lambda at: (known.get(keys[at], len(known)), at))


@cache
def _schema() -> Schema:
    return config_schema()


@cache
def _known(path: Path) -> dict[str, int]:
    """The rank of each key that the schema names at a place."""
    found: list[str] = []
    for schema in _at(path):
        found += [key for key in schema.get("properties", ()) if key not in found]
    return {key: rank for rank, key in enumerate(found)}


@cache
def _at(path: Path) -> list[Schema]:
    """The schemas that hold at a place: more than one where a value has several forms."""
    if not path:
        return list(_forms(_schema()))
    found: list[Schema] = []
    for schema in _at(path[:-1]):
        inner = (
            schema.get("items")
            if isinstance(path[-1], int)
            else schema.get("properties", {}).get(path[-1], schema.get("additionalProperties"))
        )
        if isinstance(inner, dict):
            found += _forms(inner)
    return found


def _forms(schema: Schema) -> Iterator[Schema]:
    """The schema itself, what it refers to, or each of its alternatives."""
    if "$ref" in schema:
        yield from _forms(_schema()["$defs"][schema["$ref"].rpartition("/")[2]])
    elif "anyOf" in schema or "oneOf" in schema:
        for one in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
            yield from _forms(one)
    else:
        yield schema
