"""From `module:attr` or `FILE.py:attr` to what a Python hook is made of.

Owns: finding and importing hook code under a name of its own, and the instances made of it.
Runs in: the thread beside a worker's loop, when a plan is compiled; `pygw check`'s own process. The
supervisor never imports the code of a hook.
Never does: run a hook, or keep code that no plan uses.
Read next: `python.pyx`, `python_shape.py`.

Code whose file has not changed is shared: by all entries that name it, and by the next plan, so
that what a module keeps (a cache, a client) outlives a reload. Changed code is imported afresh, as
`module@2` beside the old, which goes when the last exchange that uses it is over. Modules that the
hook's module imports are Python's own affair and stay as they are until the worker ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hashlib
import importlib.machinery
import importlib.util
import itertools
import json
import sys
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from pygw._core.runtimes.python_shape import PHASES, Shape, shape_of

__all__ = ["GROUP", "PHASES", "Made", "lend", "locate", "make", "take", "take_back"]

GROUP = "pygw.hooks"
"""The group of entry points under which a package offers hooks by name."""

_UNUSED_S = 60.0
_UNUSED_MAX = 4096

_numbers = itertools.count(1)
_lock = threading.RLock()


class Code:
    """An imported module; it leaves `sys.modules` when nothing uses it."""

    def __init__(self, module: ModuleType, where: str) -> None:
        self.module = module
        self.where = where
        weakref.finalize(self, _gone, module.__name__)


def _gone(name: str) -> None:
    """A module and its functions hold each other: what they are must be collected to go. On the
    loop, because what hooks hold may be of that; the worker's own objects are frozen."""
    sys.modules.pop(name, None)
    # Without a loop: code that was never served goes with a later collection.
    with contextlib.suppress(RuntimeError):
        asyncio.get_running_loop().call_soon(gc.collect)


@dataclass(eq=False)
class Made:
    """A hook of some code and one configuration."""

    shape: Shape
    code: Code
    since: float = field(default_factory=time.monotonic)

    @property
    def functions(self) -> dict[str, Any]:
        """By phase: callables, or the capsules of a compiled module."""
        return self.shape.functions

    @property
    def compiled(self) -> bool:
        """Whether they are C functions that need no GIL."""
        return self.shape.compiled

    @property
    def may_wait(self) -> bool:
        """Whether one of them is `async def`."""
        return self.shape.may_wait

    @property
    def deadline_ms(self) -> int | None:
        """What the code says of itself; None: nothing."""
        return self.shape.deadline_ms

    @property
    def on_error(self) -> str | None:
        """As `deadline_ms`."""
        return self.shape.on_error

    @property
    def body(self) -> str | None:
        """As `deadline_ms`."""
        return self.shape.body

    @property
    def reads(self) -> list[str] | None:
        """As `deadline_ms`."""
        return self.shape.reads

    @property
    def writes(self) -> list[str] | None:
        """As `deadline_ms`."""
        return self.shape.writes

    @property
    def where(self) -> str:
        """How messages call it."""
        return self.code.where

    def __del__(self) -> None:
        self.shape.close()


_codes: weakref.WeakValueDictionary[tuple[str, str], Code] = weakref.WeakValueDictionary()
"""By place and digest of the file."""
_hooks: weakref.WeakValueDictionary[tuple[str, str, str], Made] = weakref.WeakValueDictionary()
"""By name, digest and configuration: what plans share."""
_latest: weakref.WeakValueDictionary[tuple[str, str], Made] = weakref.WeakValueDictionary()
"""By name and configuration: what the newest plan means by them."""
_lent: dict[str, ModuleType] = {}
"""By place: modules of `lend`."""
_unused: dict[tuple[str, str], Made] = {}
"""Those of the latest that no plan holds yet."""


def make(code: bytes, hook: str, config: object) -> Made:
    """The hook that `hook` names, with its configuration; `code` is the text of `FILE.py`, empty
    for a module. ValueError says what is wrong. Not on a loop's thread: imports may take long."""
    with _lock:
        _forget_unused()
        place, attr = _split(hook)
        file, digest = _looked_at(place, code)
        text = json.dumps(config, separators=(",", ":"))
        made = _hooks.get((hook, digest, text))
        if made is None:
            held = _codes.get((str(file), digest))
            if held is None:
                module = _module(place, file, code)
                held = _codes[str(file), digest] = Code(module, hook)
            made = Made(shape_of(held.module, attr, config, hook), held)
            _hooks[hook, digest, text] = made
        _latest[hook, text] = _unused[hook, text] = made
        return made


def lend(value: object, name: str) -> str:
    """A hook for an object that is there already, whatever it is: `module:name` stands for it until
    `take_back`. For tests, whose objects may be patched."""
    place = f"pygw_lent_{next(_numbers)}"
    module = ModuleType(place)
    setattr(module, name, value)
    _lent[place] = module
    return f"{place}:{name}"


def take_back(hook: str) -> None:
    """The object of `lend` is no hook any more."""
    _lent.pop(hook.partition(":")[0], None)


def take(code: bytes, hook: str, config: bytes) -> Made:
    """The same, for a plan that is about to be served: `make` was called for it before."""
    key = hook, config.decode()
    with _lock:
        made = _unused.pop(key, None) or _latest.get(key)
    return made if made is not None else make(code, hook, json.loads(config))


def _looked_at(place: str, code: bytes) -> tuple[Path, str]:
    """The file of a place, and the digest of what is there."""
    if place in _lent:
        return Path(place), ""
    if place.endswith(".py"):
        return Path(place).absolute(), hashlib.sha256(code).hexdigest()
    file = locate(place)
    return file, hashlib.sha256(_content(file)).hexdigest()


def _module(place: str, file: Path, code: bytes) -> ModuleType:
    if place in _lent:
        return _lent[place]
    return _run(file, code) if place.endswith(".py") else _import(place, file)


def _forget_unused() -> None:
    """Let go of what was made for plans that were never served."""
    old = time.monotonic() - _UNUSED_S
    for key in [key for key, made in _unused.items() if made.since < old]:
        del _unused[key]
    while len(_unused) > _UNUSED_MAX:
        del _unused[next(iter(_unused))]


# --- where code is --------------------------------------------------------------------------------


def _split(hook: str) -> tuple[str, str]:
    """Place and attribute; a bare name is an entry point; attribute "": the only hook there."""
    place, _, attr = hook.rpartition(":")
    if hook.endswith(".py"):
        return hook, ""
    if place:
        return place, attr
    points = entry_points(group=GROUP, name=hook)
    for point in sorted(points, key=lambda one: one.dist is not None and one.dist.name == "pygw"):
        return point.module, point.attr  # a ready-made one gives way to another of its name
    offered = ", ".join(sorted({point.name for point in entry_points(group=GROUP)})) or "none"
    raise ValueError(
        f"{hook}: no installed package offers a hook of this name (there are: {offered}); code of"
        " your own is module:name or path/file.py:name"
    )


def locate(place: str) -> Path:
    """The file of a module, found without importing anything; ValueError where there is none."""
    path: list[str] | None = None
    spec: ModuleSpec | None = None
    for name in itertools.accumulate(place.split("."), "{}.{}".format):
        if name == "pygw":  # an editable install is found by another finder
            spec = sys.modules[name].__spec__
        else:
            spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is None:
            raise ValueError(f"{name}: there is no such module on Python's path")
        path = list(spec.submodule_search_locations or [])
    if spec is None or spec.origin is None:
        raise ValueError(f"{place}: is no module with a file of its own")
    return Path(spec.origin)


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ValueError(f"{file}: {error.strerror}") from error


def _run(file: Path, code: bytes) -> ModuleType:
    """Runs the text of a file as a module with a fresh name; it may import what lies beside it."""
    if str(file.parent) not in sys.path:
        sys.path.append(str(file.parent))
    module = ModuleType(f"{file.stem}@{next(_numbers)}")
    module.__file__ = str(file)

    def run() -> None:
        exec(compile(code, str(file), "exec", dont_inherit=True), vars(module))

    return _registered(module, file, run)


def _import(place: str, file: Path) -> ModuleType:
    """Runs the file of a module anew, under a fresh name in its package."""
    compiled = file.name.endswith(tuple(EXTENSION_SUFFIXES))
    name = place if compiled else f"{place}@{next(_numbers)}"
    search = [str(file.parent)] if file.name == "__init__.py" else None
    spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=search)
    if spec is None or spec.loader is None:
        raise ValueError(f"{file}: is no Python module")
    loader = spec.loader
    try:
        if "." in place:
            importlib.import_module(place.rpartition(".")[0])
        module = importlib.util.module_from_spec(spec)
    except BaseException as error:
        raise ValueError(f"{file}: {type(error).__name__}: {error}") from error
    return _registered(module, file, lambda: loader.exec_module(module))


def _registered(module: ModuleType, file: Path, run: Callable[[], None]) -> ModuleType:
    """The module, known by its name while it runs: dataclasses and others look for it there."""
    sys.modules[module.__name__] = module
    try:
        run()
    except SyntaxError as error:
        sys.modules.pop(module.__name__, None)
        raise ValueError(f"{error.filename}:{error.lineno}: {error.msg}") from error
    except BaseException as error:
        sys.modules.pop(module.__name__, None)
        raise ValueError(f"{_place_of(error, file)}: {type(error).__name__}: {error}") from error
    return module


def _place_of(error: BaseException, file: Path) -> str:
    """File and line in the hook's own file, as far as the error has one there."""
    place, frame = str(file), error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == str(file):
            place = f"{file}:{frame.tb_lineno}"
        frame = frame.tb_next
    return place
