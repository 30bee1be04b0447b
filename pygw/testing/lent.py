"""Functions and classes of a test, or that it has imported, as hooks.

Owns: the names under which the data plane finds them, as long as a gateway uses them.
Runs in: tests of hooks.
Never does: import anything anew: what a test patches in a module is patched for the hook too.
Read next: `pygw/_core/runtimes/python_code.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from pygw._core.runtimes.python_code import lend, take_back

_NO_NAME = re.compile(r"[^A-Za-z0-9_]")


class Lent:
    """An object that is a hook until `give_back`."""

    def __init__(self, value: Callable[..., Any]) -> None:
        self.name = _NO_NAME.sub("", getattr(value, "__name__", type(value).__name__)) or "hook"
        self.place = lend(value, self.name)

    def give_back(self) -> None:
        """It is none any more."""
        take_back(self.place)
