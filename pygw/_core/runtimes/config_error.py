"""What a hook says against its configuration.

Owns: the error, with the place of each complaint. Raised by the languages when a plan is built; the
control plane finds the places in the user's file. Never judges. Read next: ``lua_config.py``,
``python_shape.py``.
"""

from __future__ import annotations

from collections.abc import Sequence

Path = tuple[str | int, ...]


class HookConfigError(ValueError):
    """Everything that a hook has against its configuration.

    `problems` are places below `config`, from its keys on, each with what is wrong there.
    """

    def __init__(self, text: str, problems: Sequence[tuple[Path, str]]) -> None:
        super().__init__(text)
        self.problems = tuple(problems)
