"""What the fixtures `pygw_hook` and `pygw_gateway` are, for annotations in tests.

Owns: their types.
Runs in: type checkers; at run time these are only names.
Never does: make a gateway; `pygw.pytest_plugin` does.
Read next: `gateway`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, Unpack

from .gateway import Config, Gateway
from .hook_config import Entry, Hook, HookOptions


class MakeHook(Protocol):
    """The fixture `pygw_hook`: `Gateway.of_hook`, closed after the test."""

    def __call__(
        self,
        hook: Hook,
        config: Mapping[str, Any] | None = None,
        *,
        before: Sequence[Entry] = (),
        after: Sequence[Entry] = (),
        base: str | os.PathLike[str] | None = None,
        raise_errors: bool = True,
        timeout_s: float = 5.0,
        **options: Unpack[HookOptions],
    ) -> Gateway: ...


class MakeGateway(Protocol):
    """The fixture `pygw_gateway`: `Gateway`, closed after the test."""

    def __call__(
        self,
        config: Config,
        *,
        base: str | os.PathLike[str] | None = None,
        raise_errors: bool = True,
        timeout_s: float = 5.0,
    ) -> Gateway: ...
