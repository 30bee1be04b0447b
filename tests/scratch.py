"""Folders that live as long as one process of a run of tests.

Owns: their making, and their removal when that process has run its last test.
Runs in: tests; a process that is ended by force leaves its own.
Never does: hold what belongs to a single test: `tmp_path` does.
Read next: `conftest`.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path

_folders: list[Path] = []


def folder(prefix: str) -> Path:
    """A new folder that goes with this process."""
    one = Path(tempfile.mkdtemp(prefix=prefix))
    _folders.append(one)
    return one


def remove_all() -> None:
    """Removes them; once more is nothing more."""
    while _folders:
        shutil.rmtree(_folders.pop(), ignore_errors=True)


atexit.register(remove_all)  # for a helper that is used without pytest
