"""The JSON Schema of a configuration, generated from the models.

Owns: the form in which the models are told to editors and to `docs/configuration.md`: what may be
written, not what the models keep (durations and sizes as text with units, no nulls, `${...}`
wherever a value may stand).
Runs in: the process of `pygw schema`.
Never does: add a rule or a description of its own; both stand in `model`.
Read next: `reference`, which turns it into a page.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from .model import Config
from .units import show_duration, show_size

DIALECT = "https://json-schema.org/draft/2020-12/schema"

REFERENCE: JsonSchemaValue = {
    "type": "string",
    "pattern": r"\$\{",
    "description": "A value from the environment or from a file: ${VAR}, ${VAR:-default}, "
    "${VAR:?message}, ${file:/path}.",
}

Schema = dict[str, Any]


def config_schema() -> Schema:
    """The schema of a whole configuration (JSON Schema draft 2020-12)."""
    schema = Config.model_json_schema(schema_generator=_Generator)
    parts = schema.pop("$defs")
    _tidy(schema)
    for part in parts.values():
        _tidy(part)
    for whole in (schema, *parts.values()):
        for inner in whole.get("properties", {}).values():
            if "$ref" in inner and "description" not in inner:
                # pydantic leaves it out where it would only repeat the part's.
                inner["description"] = parts[inner["$ref"].rpartition("/")[2]]["description"]
    about = {"type": "string", "description": "Where this schema is, for editors; not used."}
    schema["properties"] = {"$schema": about, **schema["properties"]}
    return {
        "$schema": DIALECT,
        "title": "pygw configuration",
        **schema,
        "$defs": {"Reference": dict(REFERENCE), **parts},
    }


class _Generator(GenerateJsonSchema):
    """pydantic's generator, but defaults are what a person would write."""

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        default = self.get_default_value(schema)
        if default is None or isinstance(default, BaseModel):
            # A part that is left out is the part with its own defaults, which stand at its keys.
            return self.generate_inner(schema["schema"])
        made = super().default_schema(schema)
        unit = made.get("x-unit")
        if unit is not None and isinstance(default, int):
            off = default == 0 and "off" in made["pattern"]
            shown = show_duration(default) if unit == "duration" else show_size(default)
            made["default"] = "off" if off else shown
        return made

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        # No key may be empty in a file: what is optional is left out.
        return self.generate_inner(schema["schema"])

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        made: JsonSchemaValue = {"type": "object"}
        if "keys_schema" in schema:
            made["propertyNames"] = self.generate_inner(schema["keys_schema"])
        if "values_schema" in schema:
            made["additionalProperties"] = self.generate_inner(schema["values_schema"])
        return made


def schemas_in(schema: Schema) -> Iterator[Schema]:
    """The schemas of what stands directly in `schema`; names of keys are left out."""
    yield from schema.get("properties", {}).values()
    yield from schema.get("patternProperties", {}).values()
    for key in ("anyOf", "oneOf", "allOf", "prefixItems"):
        yield from schema.get(key, ())
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield schema[key]


def _tidy(schema: Schema) -> None:
    """Take out what is not for editors, and let a reference stand wherever a value may."""
    for inner in schemas_in(schema):
        _tidy(inner)
    for word in ("title", "x-unit"):
        schema.pop(word, None)
    choices = schema.get("anyOf", [])
    if schema.get("type") == "string" and "pattern" in schema:
        schema["pattern"] += rf"|{REFERENCE['pattern']}"
    elif schema.get("type") in ("integer", "number", "boolean") or schema.keys() & {
        "enum",
        "const",
    }:
        about: Schema = {
            key: schema.pop(key) for key in ("description", "default", "examples") if key in schema
        }
        plain = dict(schema)
        schema.clear()
        schema.update(about, anyOf=[plain, {"$ref": "#/$defs/Reference"}])
    elif any("anyOf" in choice for choice in choices):
        flat = [one for choice in choices for one in choice.get("anyOf", [choice])]
        schema["anyOf"] = [one for at, one in enumerate(flat) if one not in flat[:at]]
