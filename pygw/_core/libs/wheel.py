"""Where a C library is found: the wheel that carries it, the releases we accept, the remedy.

Owns the version ranges (``pyproject.toml`` repeats them, a test compares the two) and
``LibraryError``. Runs at import, under the GIL. It never loads a library itself and never looks
outside the wheel or the override that the user names. Read next: ``loader.pyx``.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.machinery import EXTENSION_SUFFIXES

Release = tuple[int, ...]


class LibraryError(ImportError):
    """A C library that pygw needs cannot be used; the text is one sentence and its remedy.

    ``library`` is the C library's name, ``problem`` what is wrong, ``remedy`` what to do now.
    """

    def __init__(self, library: str, problem: str, remedy: str) -> None:
        super().__init__(f"{library}: {problem}; {remedy}")
        self.library = library
        self.problem = problem
        self.remedy = remedy


@dataclass(frozen=True)
class Wheel:
    """A wheel that carries a C library, and the releases of it that pygw was proven with."""

    library: str
    package: str
    module: str
    lowest: Release
    below: Release
    override: str | None = None
    soname: str | None = None
    """The system's copy, used when the wheel is not there or not fit; None: only the wheel's."""

    @property
    def requirement(self) -> str:
        """The accepted releases as a requirement for pip."""
        return f"{self.package}>={_dotted(self.lowest)},<{_dotted(self.below)}"

    @property
    def remedy(self) -> str:
        """What to do when the wheel is missing or unfit."""
        return f"run: pip install '{self.requirement}'"


@dataclass(frozen=True)
class Location:
    """A file to load a library from, or a name that the system's linker knows.

    ``shared``: Python has loaded it already, as its extension.
    """

    path: str
    release: str
    shared: bool


@dataclass(frozen=True)
class LibraryInfo:
    """A library in use: its version, the release that carries it, its file, its structs' bytes."""

    library: str
    version: str
    release: str
    path: str
    sizes: Mapping[str, int]


LIBUV = Wheel("libuv", "uvloop", "uvloop.loop", (0, 22), (0, 24))
LLHTTP = Wheel(
    "llhttp", "httptools", "httptools.parser.parser", (0, 7), (0, 10), override="PYGW_LIB_LLHTTP"
)
LUAJIT = Wheel("LuaJIT", "lupa", "lupa.luajit21", (2, 4), (3,), override="PYGW_LIB_LUAJIT")

ZLIB = Wheel(
    "zlib",
    "zlib-ng",
    "zlib_ng.zlib_ng",
    (1, 0),
    (2,),
    override="PYGW_LIB_ZLIB",
    soname="libz.so.1",
)


def locate(wheel: Wheel) -> Location:
    """Find the file that carries a library: the user's override, the wheel, then the system's copy.

    Raises ``LibraryError`` if the wheel is missing, outside the accepted range or does not import,
    and the system is not to be asked.
    """
    override = os.environ.get(wheel.override, "") if wheel.override else ""
    if override:
        return Location(override, f"from {wheel.override}", shared=False)
    try:
        release = _installed_release(wheel)
        return Location(_extension_path(wheel), f"{wheel.package} {release}", shared=True)
    except LibraryError:
        if wheel.soname is None:
            raise
        return Location(wheel.soname, "of the system", shared=False)


def _installed_release(wheel: Wheel) -> str:
    try:
        release = importlib.metadata.version(wheel.package)
    except importlib.metadata.PackageNotFoundError:
        raise LibraryError(
            wheel.library, f"the package {wheel.package} is not installed", wheel.remedy
        ) from None
    if not wheel.lowest <= _numbers(release) < wheel.below:
        raise LibraryError(
            wheel.library,
            f"{wheel.package} {release} is outside the releases pygw works with",
            wheel.remedy,
        )
    return release


def _extension_path(wheel: Wheel) -> str:
    try:
        path = importlib.import_module(wheel.module).__file__ or ""
    except ImportError as error:
        raise LibraryError(
            wheel.library, f"{wheel.package} does not import ({error})", wheel.remedy
        ) from error
    if not path.endswith(tuple(EXTENSION_SUFFIXES)):
        raise LibraryError(
            wheel.library, f"{wheel.module} is no compiled extension ({path})", wheel.remedy
        )
    return path


def _numbers(release: str) -> Release:
    """The leading numbers of a release: ``0.23.0rc1`` gives ``(0, 23, 0)``."""
    match = re.match(r"\d+(?:\.\d+)*", release)
    return tuple(int(part) for part in match.group().split(".")) if match else ()


def _dotted(release: Release) -> str:
    return ".".join(str(part) for part in release)
