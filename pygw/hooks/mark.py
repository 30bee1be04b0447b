"""The decorator `hook`: what code says of itself as a hook.

Owns: the mark that loading looks for, and the check of what it is told.
Runs in: wherever hook code is imported.
Never does: change what it decorates: a hook can still be called, and tested, as it is written.
Read next: `pygw._core.runtimes.python_shape`, which reads the mark.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, overload

from .._core.runtimes.python_shape import MARK, PHASES

Phase = Literal["request", "request_body", "attempt", "response", "response_body", "log"]
OnError = Literal["fail", "skip"]
Body = Literal["buffered", "stream"]

DEADLINE_MAX_MS = 3_600_000

_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000}

_T = TypeVar("_T", bound=Callable[..., Any])


@dataclass(frozen=True)
class Mark:
    """What `@hook` was told; None: the configuration, or its default, decides."""

    phase: Phase | None = None
    deadline_ms: int | None = None
    on_error: OnError | None = None
    body: Body | None = None
    reads: tuple[str, ...] | None = None
    writes: tuple[str, ...] | None = None


@overload
def hook(code: _T, /) -> _T: ...


@overload
def hook(
    *,
    phase: Phase | None = None,
    deadline: str | None = None,
    on_error: OnError | None = None,
    body: Body | None = None,
    reads: Iterable[str] | None = None,
    writes: Iterable[str] | None = None,
) -> Callable[[_T], _T]: ...


def hook(
    code: _T | None = None,
    /,
    *,
    phase: Phase | None = None,
    deadline: str | None = None,
    on_error: OnError | None = None,
    body: Body | None = None,
    reads: Iterable[str] | None = None,
    writes: Iterable[str] | None = None,
) -> _T | Callable[[_T], _T]:
    """Marks a function, or a class with methods named like phases, as a hook.

    `phase` is that of a function ("request" if not said). `deadline` ("50ms") ends an async run
    that takes longer; `on_error` says what becomes of the request when the hook fails: "fail"
    answers 500, "skip" goes on without it; `body` is how body phases get theirs: "buffered" whole,
    "stream" piece by piece. What the configuration says of these goes before what is said here.

    `reads` and `writes` are all that the hook looks at and changes, by the names that `reads` and
    `writes` of the configuration have ("path", "headers.x-key", "reply"); nothing else is there for
    it, or can be written. The configuration may allow less of it, never more. Raises ValueError
    for values that there are not.
    """
    for name, value, known in (
        ("phase", phase, PHASES),
        ("on_error", on_error, ("fail", "skip")),
        ("body", body, ("buffered", "stream")),
    ):
        if value is not None and value not in known:
            raise ValueError(f"{name} is {value!r}, but must be one of {', '.join(known)}")
    mark = Mark(
        phase,
        None if deadline is None else _milliseconds(deadline),
        on_error,
        body,
        _names("reads", reads),
        _names("writes", writes),
    )

    def marked(decorated: _T) -> _T:
        if isinstance(decorated, type) and phase is not None:
            raise ValueError("the phases of a class are its methods: leave phase out")
        setattr(decorated, MARK, mark)
        return decorated

    return marked if code is None else marked(code)


def _names(key: str, given: Iterable[str] | None) -> tuple[str, ...] | None:
    # Which names there are is checked when the hook gets into a plan.
    if given is None:
        return None
    names = (given,) if isinstance(given, str) else tuple(given)
    if isinstance(given, str) or any(not isinstance(name, str) for name in names):
        raise ValueError(f"{key} is {given!r}, but must be a list of names such as headers.x-key")
    return names


def _milliseconds(deadline: str) -> int:
    # The configuration's grammar in small: a worker does not load all of it.
    told = re.fullmatch(r"([0-9]{1,9}) ?(ms|s|m)", deadline)
    if told is None or not 1 <= int(told[1]) * _UNITS_MS[told[2]] <= DEADLINE_MAX_MS:
        raise ValueError(f"deadline is {deadline!r}, but must be one such as 50ms, at most an hour")
    return int(told[1]) * _UNITS_MS[told[2]]
