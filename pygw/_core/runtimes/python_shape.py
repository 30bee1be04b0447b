"""What a Python object is as a hook: its phases, its configuration, what it says of itself.

Owns: reading functions, classes and compiled modules, and making instances with their config.
Runs in: as `python_code`, which imports what is read here.
Never does: import hook code, or guess: what fits no form is refused with the forms there are.
Read next: `python_code.py`; `pygw.hooks` for authors.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, is_dataclass
from types import ModuleType
from typing import Any, get_type_hints

from pygw._core.runtimes.config_error import HookConfigError

PHASES = ("request", "request_body", "attempt", "response", "response_body", "log")
MARK = "__pygw_hook__"
"""Where `pygw.hooks.hook` leaves what it was told, on a function or a class."""

_TWO_VIEWS = ("response", "response_body", "log")
_CAPSULES = "__pyx_capi__"


@dataclass
class Shape:
    """A hook, ready to be called."""

    functions: dict[str, Any]
    instance: object = None
    compiled: bool = False
    may_wait: bool = False
    deadline_ms: int | None = None
    on_error: str | None = None
    body: str | None = None
    reads: list[str] | None = None
    writes: list[str] | None = None

    def close(self) -> None:
        """The code is needed no more: tells an instance that has a `close`."""
        close = getattr(self.instance, "close", None)
        if callable(close) and not inspect.iscoroutinefunction(close):
            close()


def shape_of(module: ModuleType, attr: str, config: object, hook: str) -> Shape:
    """What `attr` of the module is; "" is its only hook. ValueError says why it is none."""
    capsules = getattr(module, _CAPSULES, {})
    if attr in capsules:
        return _compiled(capsules, config, hook)
    found = _object(module, attr, hook)
    if inspect.isclass(found):
        return _of_instance(_instance(found, config, hook), found, hook)
    if not inspect.isroutine(found) and any(hasattr(found, phase) for phase in PHASES):
        _refuse_config(config, hook)
        return _of_instance(found, found, hook)
    if callable(found):
        _refuse_config(config, hook)
        mark = getattr(found, MARK, None)
        phase = (mark and mark.phase) or "request"
        return _marked(Shape({phase: _checked(found, phase, hook)}), mark, hook)
    raise ValueError(f"{hook}: is {type(found).__name__}, neither a function nor a class of phases")


def _object(module: ModuleType, attr: str, hook: str) -> Any:
    if not attr:
        marked = [
            value
            for value in vars(module).values()
            if getattr(value, "__module__", "") == module.__name__ and hasattr(value, MARK)
        ]
        if len(marked) != 1:
            raise ValueError(f"{hook}: has {len(marked)} hooks marked @hook: name one, FILE:attr")
        return marked[0]
    found: Any = module
    for name in attr.split("."):
        if not hasattr(found, name):
            known = ", ".join(n for n in vars(module) if not n.startswith("_")) or "nothing"
            raise ValueError(f"{hook}: has no {name}; there is {known}")
        found = getattr(found, name)
    return found


def _of_instance(instance: object, told: object, hook: str) -> Shape:
    functions = {
        phase: _checked(getattr(instance, phase), phase, hook)
        for phase in PHASES
        if callable(getattr(instance, phase, None))
    }
    if not functions:
        raise ValueError(f"{hook}: has no method named like a phase: {', '.join(PHASES)}")
    return _marked(Shape(functions, instance), getattr(told, MARK, None), hook)


def _marked(shape: Shape, mark: Any, hook: str) -> Shape:
    shape.may_wait = any(_waits(function) for function in shape.functions.values())
    if "log" in shape.functions and _waits(shape.functions["log"]):
        raise ValueError(f"{hook}: log is async, but nothing waits for it: give a thread a copy()")
    if mark is not None:
        shape.deadline_ms, shape.on_error, shape.body = mark.deadline_ms, mark.on_error, mark.body
        shape.reads = None if mark.reads is None else list(mark.reads)
        shape.writes = None if mark.writes is None else list(mark.writes)
    return shape


def _waits(function: Any) -> bool:
    called = vars(type(function)).get("__call__")  # of an object that is called like a function
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called)


def _checked(function: Any, phase: str, hook: str) -> Any:
    """The function, if it can be called as its phase calls it."""
    views = ("request", "response") if phase in _TWO_VIEWS else ("request",)
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return function  # a builtin without a signature
    try:
        signature.bind(*views)
    except TypeError:
        raise ValueError(
            f"{hook}: {phase} is called with ({', '.join(views)}), but takes {signature}"
        ) from None
    return function


# --- configuration --------------------------------------------------------------------------------


def _refuse_config(config: object, hook: str) -> None:
    if config not in (None, {}):
        why = "takes no config; a class with __init__(config) does"
        raise HookConfigError(f"{hook}: {why}", [((), f"{hook} {why}")])


def _instance(cls: type, config: object, hook: str) -> object:
    """An instance with its configuration, checked by what `__init__` declares."""
    positional, named = _arguments(cls, config, hook)
    try:
        return cls(*positional, **named)
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        if config in (None, {}):
            raise ValueError(f"{hook}: {text}") from error
        raise HookConfigError(f"{hook}: {text}", [((), text)]) from error


def _arguments(cls: type, config: object, hook: str) -> tuple[list[Any], dict[str, Any]]:
    parameters = list(inspect.signature(cls).parameters.values())
    if not parameters:
        _refuse_config(config, hook)
        return [], {}
    hints = _hints(cls)
    kinds = [hints.get(one.name, one.annotation) for one in parameters]
    if len(parameters) == 1 and (parameters[0].name == "config" or _is_model(kinds[0])):
        return [_validated(kinds[0], config, hook)], {}
    return [], _keywords(parameters, kinds, config, hook)


def _hints(cls: type) -> dict[str, Any]:
    try:
        return get_type_hints(inspect.getattr_static(cls, "__init__"))
    except Exception:
        return {}


def _is_model(kind: Any) -> bool:
    return inspect.isclass(kind) and (is_dataclass(kind) or hasattr(kind, "model_validate"))


def _validated(kind: Any, config: object, hook: str) -> Any:
    if kind is inspect.Parameter.empty:
        return config
    from pydantic import PydanticUserError, TypeAdapter, ValidationError

    try:
        return TypeAdapter(kind).validate_python({} if config is None else config)
    except ValidationError as error:
        raise _told(error, hook) from None
    except PydanticUserError as error:
        raise ValueError(f"{hook}: config cannot be checked: {error}") from None


def _keywords(
    parameters: list[inspect.Parameter], kinds: list[Any], config: object, hook: str
) -> dict[str, Any]:
    """Each parameter is a key of the configuration; others are refused."""
    from pydantic import ConfigDict, ValidationError, create_model

    fields: dict[str, Any] = {}
    for one, kind in zip(parameters, kinds, strict=True):
        if one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD, one.POSITIONAL_ONLY):
            raise ValueError(f"{hook}: __init__ takes {one}: say each key of config by name")
        default = ... if one.default is one.empty else one.default
        fields[one.name] = (Any if kind is one.empty else kind, default)
    model = create_model("config", __config__=ConfigDict(extra="forbid"), **fields)
    try:
        checked = model.model_validate({} if config is None else config)
    except ValidationError as error:
        raise _told(error, hook) from None
    return {name: getattr(checked, name) for name in fields}


def _told(error: Any, hook: str) -> HookConfigError:
    problems = [(one["loc"], one["msg"]) for one in error.errors(include_url=False)]
    lines = [
        f"{'.'.join(['config', *(str(part) for part in path)])}: {message}"
        for path, message in problems
    ]
    return HookConfigError(f"{hook}: " + "; ".join(lines), problems)


# --- compiled modules -----------------------------------------------------------------------------


def _compiled(capsules: dict[str, Any], config: object, hook: str) -> Shape:
    """`cdef api` functions named like phases; `hook` is that of the phase request."""
    _refuse_config(config, hook)
    functions = {phase: capsules[phase] for phase in PHASES if phase in capsules}
    if "hook" in capsules:
        functions.setdefault("request", capsules["hook"])
    if not functions:
        raise ValueError(f"{hook}: its module has no cdef api function hook, {', '.join(PHASES)}")
    return Shape(functions, compiled=True)
