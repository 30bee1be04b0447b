"""Durations and sizes: always written with a unit, always kept as whole numbers.

Owns: the two unit grammars, and `Duration` and `Size`, which mark a model's field as one of them.
Runs in: the control plane, while a configuration is validated.
Never does: accept a bare number, because nobody can see whether `30` means seconds.
Read next: `model`, where the fields are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

MS_PER_UNIT: Mapping[str, int] = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
BYTES_PER_UNIT: Mapping[str, int] = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}

_QUANTITY = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,6}))? ?([A-Za-z]+)\Z")


def parse_duration_ms(text: object) -> int:
    """Milliseconds of `500ms`, `30s`, `1.5m`, `2h` or `1d`; ValueError says what is wrong."""
    return _parse(text, MS_PER_UNIT, "a duration with a unit, such as 30s or 500ms", "milliseconds")


def parse_size_bytes(text: object) -> int:
    """Bytes of `64B`, `8KiB`, `10MiB` or `1GiB`; ValueError says what is wrong."""
    return _parse(text, BYTES_PER_UNIT, "a size with a unit, such as 64KiB or 10MiB", "bytes")


def show_duration(value_ms: int) -> str:
    """The shortest exact form, as a person writes it: 60000 is `1m`."""
    return _show(value_ms, MS_PER_UNIT)


def show_size(value_bytes: int) -> str:
    """The shortest exact form, as a person writes it: 8192 is `8KiB`."""
    return _show(value_bytes, BYTES_PER_UNIT)


@dataclass(frozen=True)
class Duration:
    """Marks an integer field as milliseconds written with a unit; both bounds are inclusive.

    With `off` the word off is allowed and becomes 0.
    """

    minimum_ms: int = 1
    maximum_ms: int = 365 * MS_PER_UNIT["d"]
    off: bool = False

    def read(self, value: object) -> int:
        """The field's value in milliseconds; ValueError names the bound or the grammar."""
        if self.off and value == "off":
            return 0
        got_ms = parse_duration_ms(value)
        if got_ms < self.minimum_ms:
            raise ValueError(f"must be at least {show_duration(self.minimum_ms)}")
        if got_ms > self.maximum_ms:
            raise ValueError(f"must be at most {show_duration(self.maximum_ms)}")
        return got_ms

    def __get_pydantic_core_schema__(self, _: object, __: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(
        self, _: CoreSchema, __: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        schema = _json_schema(MS_PER_UNIT, "duration", "30s", "500ms")
        if self.off:
            schema["pattern"] += "|^off$"
        return schema


@dataclass(frozen=True)
class Size:
    """Marks an integer field as bytes written with a unit; both bounds are inclusive."""

    minimum_bytes: int = 0
    maximum_bytes: int = 1 << 50

    def read(self, value: object) -> int:
        """The field's value in bytes; ValueError names the bound or the grammar."""
        got_bytes = parse_size_bytes(value)
        if got_bytes < self.minimum_bytes:
            raise ValueError(f"must be at least {show_size(self.minimum_bytes)}")
        if got_bytes > self.maximum_bytes:
            raise ValueError(f"must be at most {show_size(self.maximum_bytes)}")
        return got_bytes

    def __get_pydantic_core_schema__(self, _: object, __: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(
        self, _: CoreSchema, __: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return _json_schema(BYTES_PER_UNIT, "size", "64KiB", "10MiB")


def _json_schema(units: Mapping[str, int], kind: str, *examples: str) -> JsonSchemaValue:
    """`x-unit` is for `pygw.config.schema`, which writes defaults with their units by it."""
    pattern = rf"^[0-9]{{1,15}}(\.[0-9]{{1,6}})? ?({'|'.join(units)})$"
    return {"type": "string", "pattern": pattern, "examples": list(examples), "x-unit": kind}


def _parse(text: object, units: Mapping[str, int], what: str, base: str) -> int:
    match = _QUANTITY.match(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"must be {what}")
    whole, fraction, unit = match[1], match[2] or "", match[3]
    if unit not in units:
        folded = {u.lower(): u for u in units} | {u[0].lower() + "b": u for u in units if "i" in u}
        guess = folded.get(unit.lower())
        more = f'; did you mean "{guess}"?' if guess else ""
        raise ValueError(f"must end in one of the units {', '.join(units)}{more}")
    scaled, rest = divmod(int(whole + fraction) * units[unit], int(10 ** len(fraction)))
    if rest:
        raise ValueError(f"must be a whole number of {base}")
    return scaled


def _show(value: int, units: Mapping[str, int]) -> str:
    if value == 0:
        return f"0{'s' if 's' in units else 'B'}"
    unit = max((u for u in units if value % units[u] == 0), key=units.__getitem__)
    return f"{value // units[unit]}{unit}"
