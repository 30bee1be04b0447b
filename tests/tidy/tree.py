"""The repository's text files, and what a finding is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.tidy.scan import code_of

ROOT = Path(__file__).resolve().parents[2]

SOURCES = (".py", ".pyi", ".pyx", ".pxd", ".c", ".h", ".lua")
TEXTS = (".service", ".proto", ".toml", ".md", ".yaml", ".yml", ".json", ".txt")
NAMES = ("Makefile", ".ci/run", ".gitignore", "MANIFEST.in")
# What a build, a tool or an interpreter leaves behind.
LEFTOVERS = ("build", "dist", "__pycache__", "node_modules")


@dataclass(frozen=True)
class Source:
    """A file: its path from the root with '/', and its text."""

    path: str
    text: str

    @property
    def lines(self) -> list[str]:
        """The file's lines without their ends."""
        return self.text.splitlines()

    @cached_property
    def code(self) -> str:
        """The text with comments and strings blanked; lines and columns stay."""
        return code_of(self.text)

    @property
    def is_source(self) -> bool:
        """Whether people write and read it as a program."""
        return self.path.endswith(SOURCES)

    @property
    def is_cython(self) -> bool:
        """Whether Cython reads it."""
        return self.path.endswith((".pyx", ".pxd"))

    def at(self, line: int, what: str) -> str:
        """A finding: a place that an editor can jump to, and what is wrong there."""
        return f"{self.path}:{line}: {what}"


def read_tree(root: Path = ROOT) -> list[Source]:
    """Every text file that belongs to the repository, in the order of their paths."""
    return [Source(path, (root / path).read_text("utf-8")) for path in sorted(_paths(root))]


def _paths(root: Path) -> Iterator[str]:
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = [name for name in subfolders if _is_ours(name)]
        for name in names:
            path = Path(folder, name).relative_to(root).as_posix()
            if path.endswith(SOURCES + TEXTS) or path in NAMES:
                yield path


def _is_ours(folder: str) -> bool:
    if folder in LEFTOVERS or folder.endswith(".egg-info"):
        return False
    return not folder.startswith(".") or folder == ".ci"
