"""The configuration of a Lua hook, checked by what its file declares.

Owns the types that a declaration may name. Runs when a plan is built, in ordinary Python. It never
changes a value, but for defaults. Read next: ``lua.pyx`` for who calls it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

TYPES: dict[str, Callable[[object], bool]] = {
    "string": lambda value: isinstance(value, str),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "list": lambda value: isinstance(value, list),
    "map": lambda value: isinstance(value, dict),
}
FIELDS = {"type", "required", "default", "enum", "min", "max", "items", "description"}


def checked(declared: object, given: object, file: str) -> dict[str, object]:
    """The configuration with its defaults.

    Raises ValueError that names the key, for a declaration that means nothing and for a value that
    the declaration does not take.
    """
    if not isinstance(declared, Mapping):
        declared = {}
    if given is None:
        given = {}
    if not isinstance(given, Mapping):
        raise ValueError("config must be a mapping of names to values")
    for name in given:
        if name not in declared:
            known = ", ".join(sorted(declared)) or "nothing: it returns no table with `config`"
            raise ValueError(f"config.{name} is unknown to {file}, which declares {known}")
    values: dict[str, object] = {}
    for name, rule in declared.items():
        _check_rule(name, rule, file)
        if name in given:
            _check_value(f"config.{name}", given[name], rule)
            values[name] = given[name]
        elif "default" in rule:
            values[name] = rule["default"]
        elif rule.get("required"):
            raise ValueError(f"config.{name} is required by {file}")
    return values


def _check_rule(name: str, rule: object, file: str) -> None:
    if not isinstance(rule, Mapping) or rule.get("type") not in TYPES:
        raise ValueError(
            f"{file}: config.{name} needs a type: {', '.join(TYPES)}, as in {{type = 'string'}}"
        )
    for field in rule:
        if field not in FIELDS:
            raise ValueError(
                f"{file}: config.{name}.{field} is none of {', '.join(sorted(FIELDS))}"
            )
    if "items" in rule and rule["items"] not in TYPES:
        raise ValueError(f"{file}: config.{name}.items must be one of {', '.join(TYPES)}")
    if "default" in rule:
        _check_value(f"{file}: the default of config.{name}", rule["default"], rule)


def _check_value(place: str, value: object, rule: Mapping[str, object]) -> None:
    kind = str(rule["type"])
    if not TYPES[kind](value):
        raise ValueError(f"{place} must be a {kind}")
    allowed = rule.get("enum")
    if isinstance(allowed, list) and value not in allowed:
        raise ValueError(f"{place} must be one of {', '.join(str(one) for one in allowed)}")
    size = value if isinstance(value, int | float) else len(value)  # type: ignore[arg-type]
    low, high = rule.get("min"), rule.get("max")
    if isinstance(low, int | float) and size < low:
        raise ValueError(f"{place} must be at least {low}")
    if isinstance(high, int | float) and size > high:
        raise ValueError(f"{place} must be at most {high}")
    items = rule.get("items")
    if items in TYPES and isinstance(value, list):
        for at, item in enumerate(value):
            if not TYPES[str(items)](item):
                raise ValueError(f"{place}[{at}] must be a {items}")
