"""What the commands share.

Owns: the search for a configuration, reading it, and how a command fails.
Runs in: the process of the command.
Never does: import anything heavy before it is needed.
Read next: `run`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from ..config.load import Loaded

LOOKUP = ("pygw.yaml", "$PYGW_CONFIG", "/etc/pygw/pygw.yaml")
"""Where a configuration is looked for when none is named, in this order."""


def find_config(environ: Mapping[str, str] = os.environ) -> str | None:
    """The configuration file to use when none is named, or None."""
    for place in LOOKUP:
        path = environ.get(place[1:], "") if place.startswith("$") else place
        # A file that the user named is taken even if it is missing: then that is the error.
        if path and (place.startswith("$") or os.path.exists(path)):
            return path
    return None


def named_config(path: str | None) -> str:
    """The configuration that a command shall use; without any it ends with exit code 2."""
    found = path if path is not None else find_config()
    if found is None:
        looked = ", ".join(LOOKUP)
        raise click.UsageError(f"there is no configuration; name one ({looked} were looked for)")
    return found


def load_named(path: str | None) -> Loaded:
    """The configuration that a command shall tell about; one with errors ends it, exit code 1."""
    from ..config.errors import ConfigError
    from ..config.load import load

    try:
        return load(named_config(path))
    except ConfigError as error:
        fail(str(error))


def fail(message: str) -> NoReturn:
    """End the command with exit code 1."""
    click.echo(message, err=True)
    sys.exit(1)
