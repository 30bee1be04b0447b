"""The configuration of a Lua hook, checked by what its file declares.

Owns the types that a declaration may name. Runs when a plan is built, in ordinary Python. It never
changes a value, but for defaults. Read next: ``lua.pyx`` for who calls it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from pygw._core.runtimes.config_error import HookConfigError, Path

TYPES: dict[str, Callable[[object], bool]] = {
    "string": lambda value: isinstance(value, str),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "list": lambda value: isinstance(value, list),
    "map": lambda value: isinstance(value, dict),
}
ARTICLES = {"integer": "an"}
FIELDS = {"type", "required", "default", "enum", "min", "max", "items", "description"}


def checked(declared: object, given: object, file: str) -> dict[str, object]:
    """The configuration with its defaults.

    Raises ValueError for a declaration that means nothing, and HookConfigError, with every key that
    is wrong, for a configuration that the declaration does not take.
    """
    if not isinstance(declared, Mapping):
        declared = {}
    if given is None:
        given = {}
    if not isinstance(given, Mapping):
        raise HookConfigError("config must be a mapping of names to values", [((), "must be one")])
    for name, rule in declared.items():
        _check_rule(name, rule, file)
    known = ", ".join(sorted(declared)) or "nothing: it returns no table with `config`"
    problems: list[tuple[Path, str]] = [
        ((name,), f"is unknown to {file}, which declares {known}")
        for name in given
        if name not in declared
    ]
    values: dict[str, object] = {}
    for name, rule in declared.items():
        if name in given:
            problems += _complaints((name,), given[name], rule)
            values[name] = given[name]
        elif "default" in rule:
            values[name] = rule["default"]
        elif rule.get("required"):
            problems.append(((name,), f"is required by {file}"))
    if problems:
        text = "; ".join(f"{_shown(path)} {message}" for path, message in problems)
        raise HookConfigError(text, problems)
    return values


def _shown(path: Path) -> str:
    return "config" + "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in path)


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
        for path, message in _complaints((name,), rule["default"], rule):
            raise ValueError(f"{file}: the default of {_shown(path)} {message}")


def _complaints(
    path: Path, value: object, rule: Mapping[str, object]
) -> Iterator[tuple[Path, str]]:
    """What is wrong with a value: the first rule that it breaks, and each bad item of a list."""
    kind = str(rule["type"])
    if not TYPES[kind](value):
        yield path, f"must be {ARTICLES.get(kind, 'a')} {kind}"
        return
    allowed = rule.get("enum")
    if isinstance(allowed, list) and value not in allowed:
        yield path, f"must be one of {', '.join(str(one) for one in allowed)}"
        return
    size = value if isinstance(value, int | float) else len(value)  # type: ignore[arg-type]
    low, high = rule.get("min"), rule.get("max")
    if isinstance(low, int | float) and size < low:
        yield path, f"must be at least {low}"
    elif isinstance(high, int | float) and size > high:
        yield path, f"must be at most {high}"
    items = rule.get("items")
    if items in TYPES and isinstance(value, list):
        for at, item in enumerate(value):
            if not TYPES[str(items)](item):
                yield (*path, at), f"must be {ARTICLES.get(str(items), 'a')} {items}"
