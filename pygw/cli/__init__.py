"""The `pygw` command.

Owns: the table of commands; each has a module here, imported when the command is asked for.
Runs in: the supervisor's process.
Never does: write anything but data to standard output; what a person reads goes to standard error.
Exit codes: 0 ok, 1 failed, 2 wrong usage.
Read next: `common`, then `run`.
"""

from __future__ import annotations

from importlib import import_module

import click

from .. import __version__

COMMANDS = {
    "run": "run",
    "init": "init",
    "check": "check",
    "fmt": "fmt",
    "schema": "schema",
    "routes": "routes",
    "explain": "explain",
    "import": "import_",
    "hook": "hook",
    "profile": "profile",
    "gen": "gen",
    "doctor": "doctor",
}
"""Each command and its module, which has it as `command`, in the order of `pygw --help`."""


class Commands(click.Group):
    """A group whose commands are imported one by one, so that none pays for another."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = import_module(f"{__name__}.{COMMANDS[cmd_name]}").command
        return found


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pygw", message="%(prog)s %(version)s")
def main() -> None:
    """An edge gateway: a reverse proxy with middleware."""
