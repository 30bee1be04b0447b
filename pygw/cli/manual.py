"""The commands as a page for people, generated from click.

Owns: the layout of `docs/cli.md`.
Runs in: `make docs`.
Never does: say anything about a command that its own help does not say.
"""

from __future__ import annotations

import inspect

import click

from . import main

PREFACE = """\
# Commands

Generated from the commands by `make docs`; `pygw COMMAND --help` prints the same.

Data goes to standard output, what a person reads to standard error. Exit codes: 0 ok, 1 failed, 2
wrong usage. CONFIG is a file (YAML; TOML and JSON by suffix) or an object of a Python module
(`module:name`). Without it `./pygw.yaml`, `$PYGW_CONFIG` and `/etc/pygw/pygw.yaml` are looked for,
in this order.
"""


def render_manual() -> str:
    """The page."""
    lines = [PREFACE]
    with click.Context(main, info_name="pygw") as context:
        for name, command in _commands(main, context):
            lines += _section(name, command, context)
    return "\n".join(lines).rstrip() + "\n"


def _commands(group: click.Group, context: click.Context) -> list[tuple[str, click.Command]]:
    """Every command with its whole name, groups before what they hold."""
    found: list[tuple[str, click.Command]] = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found.append((name, command))
        if isinstance(command, click.Group):
            found += [(f"{name} {inner}", one) for inner, one in _commands(command, context)]
    return found


def _section(name: str, command: click.Command, context: click.Context) -> list[str]:
    inner = click.Context(command, info_name=name, parent=context)
    usage = " ".join([f"pygw {name}", *command.collect_usage_pieces(inner)])
    help_text = inspect.cleandoc(command.help or "").replace("\b\n", "")
    lines = [f"## pygw {name}\n", f"```console\n$ {usage}\n```\n", f"{help_text}\n"]
    options = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
    if options:
        lines += ["| option | meaning |", "|---|---|"]
        lines += [_row(option, inner) for option in options]
        lines.append("")
    return lines


def _row(option: click.Option, context: click.Context) -> str:
    record = option.get_help_record(context)
    assert record is not None
    names, meaning = record
    cells = (f"`{names}`", meaning)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
