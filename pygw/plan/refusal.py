"""What the data plane says against a plan, at the places of the user's file that it is about.

Owns: the way back from a place in a plan to one in the configuration.
Runs in: commands and tests; `told` in the supervisor too, which imports no hook code.
Never does: judge; the data plane has.
Read next: `pygw/_core/runtimes/config_error.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from ..config.document import Document
from ..config.errors import ConfigError, Path, Problem
from ..config.formats import read_document
from ..config.hook_files import KEYS
from ..config.interpolate import Sources
from ..config.load import Loaded
from .filters import is_on

_PLACE = re.compile(r"routes\[(\d+)\]\.middleware\[(\d+)\](?:\.\w+)*: ")
_CONFIG = re.compile(r"\bconfig((?:\.[\w-]+|\[\d+\])+)")
_STEP = re.compile(r"\.([\w-]+)|\[(\d+)\]")


def refusal(loaded: Loaded, error: ValueError) -> ConfigError:
    """The error of a plan that the data plane refused: all that hooks have against it, each at its
    place, or else what was said. Imports the hooks' code."""
    document = document_of(loaded)
    problems = [
        problem_at(loaded, document, path, message) for path, message in hook_problems(loaded)
    ]
    return _error(loaded, problems) if problems else told_refusal(loaded, str(error))


def told_refusal(loaded: Loaded, text: str) -> ConfigError:
    """The same by what was said alone, which is the first thing that was wrong; imports nothing."""
    match = _PLACE.search(text)
    path: Path = ()
    message = f"the data plane refuses the plan: {text}"
    if match is not None:
        path = _entry_path(loaded, int(match[1]), int(match[2]))
        message = text[match.end() :]
        inner = _CONFIG.search(message)
        if inner is not None:
            path = (*path, "config", *_steps(inner[1]))
    return _error(loaded, [problem_at(loaded, document_of(loaded), path, message)])


def told(loaded: Loaded, text: str) -> str:
    """A message of a worker; if it is about a place in the plan, with that place in the file."""
    return str(told_refusal(loaded, text)) if _PLACE.search(text) else text


def hook_problems(loaded: Loaded, only: int | None = None) -> Iterator[tuple[Path, str]]:
    """What is wrong with each hook, or with one by its place in `hooks_of`. Imports their code."""
    core: Any = import_module("pygw._core.worker")
    errors: Any = import_module("pygw._core.runtimes.config_error")
    for place, (path, language, _, key) in enumerate(hooks_of(loaded)):
        if only is not None and place != only:
            continue
        hook = getattr(loaded.config.routes[int(path[1])].middleware[int(path[3])], language)
        code = getattr(hook, key)
        try:
            core.hook_check(language, code.code.encode(), code.file, hook.config)
        except errors.HookConfigError as error:
            for inner, message in error.problems:
                yield (*path, "config", *inner), message
        except ValueError as error:
            inside = _CONFIG.search(str(error))
            below = ("config", *_steps(inside[1])) if inside is not None else (key,)
            yield (*path, *below), str(error)


def hooks_of(loaded: Loaded) -> Iterator[tuple[Path, str, str, str]]:
    """Each hook of the configuration: its place, language, file or module, and the key of that."""
    for number, route in enumerate(loaded.config.routes):
        for place, entry in enumerate(route.middleware):
            for language, key in KEYS.items():
                hook = getattr(entry, language)
                if hook is not None:
                    path: Path = ("routes", number, "middleware", place, language)
                    yield path, language, getattr(hook, key).file, key


def _entry_path(loaded: Loaded, route: int, place: int) -> Path:
    """The place of a filter in the configuration: what is off there is not in the plan."""
    entries = loaded.config.routes[route].middleware
    there = [at for at, entry in enumerate(entries) if is_on(entry)]
    path: Path = ("routes", route, "middleware", there[place])
    kinds = [kind for kind in KEYS if getattr(entries[there[place]], kind) is not None]
    return (*path, *kinds)


def _steps(text: str) -> Path:
    return tuple(name or int(number) for name, number in _STEP.findall(text))


def document_of(loaded: Loaded) -> Document:
    """The file again, for places in it."""
    if not loaded.text:
        return Document(loaded.file, "")
    return read_document(loaded.text, loaded.file, Sources({}))


def problem_at(loaded: Loaded, document: Document, path: Path, message: str) -> Problem:
    """The problem at the place in the file that is next to `path`, secrets masked."""
    shown = loaded.secrets.mask_text(message)
    return document.problem(path, shown) if path else Problem((), shown)


def _error(loaded: Loaded, problems: list[Problem]) -> ConfigError:
    return ConfigError(problems, loaded.file, loaded.text)
