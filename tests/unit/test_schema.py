"""The JSON Schema: complete, true to the models, and of use to an editor."""

from __future__ import annotations

import random
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from pygw.cli.init import TEMPLATE
from pygw.config import ConfigError
from pygw.config.formats.yaml import Loader
from pygw.config.load import check_object
from pygw.config.model import Config
from pygw.config.schema import Schema, config_schema, schemas_in
from tests.e2e import test_cli as e2e
from tests.test_tidy import models_in
from tests.tidy import documents
from tests.tidy.tree import ROOT, Source

from .test_config_errors import CASES, completed, split_marks
from .test_config_fuzz import GOOD, mutate
from .test_plan import FULL, SMALLEST

SCHEMA = config_schema()


def errors_of(data: object) -> list[str]:
    """What an editor with the schema would underline."""
    jsonschema = pytest.importorskip("jsonschema")
    check = jsonschema.Draft202012Validator(SCHEMA)
    return [error.message for error in check.iter_errors(data)]


def plain(text: str) -> dict[str, Any]:
    """A text as the data an editor sees."""
    data: dict[str, Any] = yaml.load(text, Loader)
    return data


def keys_in(schema: Schema, place: str) -> list[tuple[str, Schema]]:
    """Every key within a schema and what is said of it."""
    found = [(f"{place}.{key}", inner) for key, inner in schema.get("properties", {}).items()]
    for inner in schemas_in(schema):
        found += keys_in(inner, place)
    return found


KEYS = keys_in(SCHEMA, "Config")
for _name, _part in SCHEMA["$defs"].items():
    KEYS += keys_in(_part, _name)


def test_schema_is_of_the_dialect_it_names() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == jsonschema.Draft202012Validator.META_SCHEMA["$id"]


def test_every_key_has_a_description() -> None:
    """A description is the text below the field in `pygw/config/model`."""
    missing = [
        place for place, schema in KEYS if not schema.get("description", "").strip().endswith(".")
    ]
    assert not missing, "a sentence must stand below each of these fields"


def test_every_part_has_a_description() -> None:
    assert not [name for name, part in SCHEMA["$defs"].items() if not part.get("description")]


def test_every_key_says_what_may_be_written() -> None:
    """Use `Parsed` of `model.base` instead of PlainValidator, and `json_schema_input_type`."""
    assert not [place for place, schema in KEYS if not says_what(schema)]


def says_what(schema: Schema) -> bool:
    """Whether a schema restricts anything, all the way down."""
    if not schema.keys() & {"type", "$ref", "anyOf", "oneOf", "enum", "const"}:
        return False
    if schema.get("type") == "array" and not says_what(schema.get("items", {})):
        return False
    return all(says_what(inner) for inner in schemas_in(schema) if inner != {})


def all_models(model: type[BaseModel]) -> set[type[BaseModel]]:
    inner = [one for field in model.model_fields.values() for one in models_in(field.annotation)]
    return {model}.union(*(all_models(one) for one in inner))


@pytest.mark.parametrize("model", sorted(all_models(Config), key=lambda model: model.__name__))
def test_a_part_left_out_is_the_part_with_its_own_defaults(model: type[BaseModel]) -> None:
    """So the schema need not repeat the defaults of a part where the part is."""
    for name, field in model.model_fields.items():
        if isinstance(field.default, BaseModel):
            assert field.default == type(field.default)(), name


def test_defaults_are_what_a_person_writes() -> None:
    keys = SCHEMA["$defs"]["Timeouts"]["properties"]
    assert keys["keepalive"]["default"] == "75s"
    assert keys["total"]["default"] == "off"
    assert SCHEMA["$defs"]["Limits"]["properties"]["head"]["default"] == "32KiB"


README = documents.fences_of(Source("README.md", (ROOT / "README.md").read_text("utf-8")), "yaml")


@pytest.mark.parametrize("text", [FULL, SMALLEST, TEMPLATE, e2e.GOOD, *README])
def test_good_configurations_are_good_for_an_editor(text: str) -> None:
    assert not errors_of(plain(text))


@settings(deadline=None, max_examples=150)
@given(seed=st.integers(0, 2**32))
def test_schema_is_never_stricter_than_the_models(seed: int) -> None:
    """What an editor underlines is wrong; the other way round it may miss something."""
    rng = random.Random(seed)
    data = mutate(GOOD, rng)
    try:
        check_object(data, "app:gateway")
    except ConfigError:
        return
    assert not errors_of(data)


def test_schema_finds_most_of_what_is_wrong_with_single_values() -> None:
    """References, duplicates and what cannot be reached are beyond any schema."""
    found = 0
    for name, (marked, expected) in CASES.items():
        text, file = completed(name, split_marks(marked)[0])
        single = all(": must" in line or "unknown key" in line for line in expected)
        if single and file == "pygw.yaml" and "$" not in text and "not valid" not in expected[0]:
            found += bool(errors_of(plain(text)))
    assert found >= 50


def test_references_may_stand_for_any_value() -> None:
    text = SMALLEST + (
        'workers: ${N}\ndrain: "${D:-3s}"\nforwarding: {forwarded: "${F}", via: "${file:x}"}\n'
        "access_log: {format: '${FORMAT}'}\n"
    )
    assert not errors_of(plain(text))


WRONG: dict[str, str] = {
    "unknown key": "workrs: 2",
    "number out of range": "workers: 0",
    "bare duration": "drain: 30",
    "unknown unit": "limits: {head: 32KB}",
    "word outside a choice": "access_log: {format: xml}",
    "scalar for a mapping": "limits: 5",
    "nothing": "drain:",
    "text for a number": 'workers: "3"',
    "no scheme": "upstreams: {api: {targets: [127.0.0.1]}}",
    "name with a slash": 'upstreams: {a/b: {targets: ["http://a"]}}',
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_values_are_wrong_for_an_editor(name: str) -> None:
    assert errors_of({**plain(SMALLEST), **plain(WRONG[name])})
