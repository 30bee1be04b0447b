"""The configuration's reference as a page for people, generated from its schema.

Owns: the layout of `docs/configuration.md`.
Runs in: the process of `pygw schema --format markdown` and of `make docs`.
Never does: say anything about a key that the schema does not say.
Read next: `schema`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .schema import Schema
from .units import BYTES_PER_UNIT, MS_PER_UNIT

PREFACE = """\
# Configuration reference

Every key, generated from the models by `make docs`; `pygw schema` prints the same as JSON Schema
(draft 2020-12) for editors.

A configuration is YAML 1.2, or TOML or JSON by the suffix of its file, or an object of a Python
module (`pygw run app:gateway`). Unknown keys, duplicate keys and empty values are errors. Durations
and sizes carry a unit: `500ms`, `30s`, `1.5m`, `2h`, `1d`; `64B`, `8KiB`, `10MiB`, `1GiB`.

In files `${VAR}`, `${VAR:-default}`, `${VAR:?message}` and `${file:/run/secrets/x}` are replaced;
`$${` is a plain `${`. In YAML what is inserted takes its own type where no quotes stand, and is
text within quotes; in JSON and TOML it is a number where one must stand. What came from a file or
from a variable whose name looks like a secret's, and what stands at a key or header that holds
secrets, is masked wherever the configuration is shown.
"""


def render_reference(schema: Schema) -> str:
    """The page."""
    lines = [PREFACE]
    for name, part in _in_order(schema):
        lines.append(f"## {name}\n")
        if name:
            lines.append(f"{part['description']}\n")
        lines += _table(part)
    return "\n".join(lines).rstrip() + "\n"


def _in_order(schema: Schema) -> Iterator[tuple[str, Schema]]:
    """The whole, then each part in the order in which a reader meets it."""
    parts = schema["$defs"]
    yield "The whole file", {**schema, "description": schema["description"]}
    met: list[str] = []
    queue = [schema]
    while queue:
        for name in _names_in(queue.pop(0)):
            if name not in met and name != "Reference":
                met.append(name)
                queue.append(parts[name])
                yield name, parts[name]


def _names_in(schema: Any) -> Iterator[str]:
    """The parts that a schema refers to, in order."""
    if isinstance(schema, list):
        for one in schema:
            yield from _names_in(one)
    elif isinstance(schema, dict):
        for key, inner in schema.items():
            if key == "$ref":
                yield inner.rpartition("/")[2]
            elif key != "$defs":
                yield from _names_in(inner)


def _table(part: Schema) -> list[str]:
    if not part.get("properties"):
        return ["It has no keys: write `{}`.\n"] if part.get("type") == "object" else []
    required = part.get("required", [])
    lines = ["| key | what may be written | default | meaning |", "|---|---|---|---|"]
    for key, inner in part["properties"].items():
        default = f"`{_written(inner['default'])}`" if "default" in inner else ""
        default = "*must be written*" if key in required else default
        cells = (f"`{key}`", _kind(inner), default, inner["description"])
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return [*lines, ""]


def _kind(schema: Schema) -> str:
    """What may be written, in words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for word in ("anyOf", "oneOf"):
        if word in schema:
            kinds = [_kind(one) for one in schema[word] if not _is_reference(one)]
            return " or ".join(dict.fromkeys(kinds))
    if "enum" in schema:
        return ", ".join(f"`{_written(one)}`" for one in schema["enum"])
    if "const" in schema:
        return f"`{_written(schema['const'])}`"
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    if kind == "object":
        inner = schema.get("additionalProperties")
        return f"mapping of names to {_kind(inner)}" if isinstance(inner, dict) else "mapping"
    if kind in ("integer", "number"):
        low, high = schema.get("minimum"), schema.get("maximum")
        what = "number" if kind == "integer" else "fraction"
        bounds = f" from {low}" if low is not None else ""
        return what + bounds + (f" to {high}" if high is not None else "")
    if kind == "boolean":
        return "`true` or `false`"
    examples = schema.get("examples", [])
    for what, units in (("duration", MS_PER_UNIT), ("size", BYTES_PER_UNIT)):
        if f"({'|'.join(units)})" in schema.get("pattern", ""):
            return f"{what}{' or `off`' if 'off' in schema['pattern'] else ''}"
    return "text" + (f" such as {', '.join(f'`{one}`' for one in examples)}" if examples else "")


def _is_reference(schema: Schema) -> bool:
    return str(schema.get("$ref", "")).endswith("/Reference")


def _written(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
