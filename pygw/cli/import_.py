"""`pygw import`.

Owns: the two commands, where the written configuration goes, and what a person is told.
Runs in: the process of the command.
Never does: translate; that is `pygw.imports`.
Read next: `pygw.imports`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from .. import __version__
from .common import fail

if TYPE_CHECKING:
    from ..imports import Draft

_EPILOG = """\b
Exit codes: 0 written, 1 nothing could be written (or, with --strict, something was lost),
2 wrong usage."""


def _options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that all importers share."""
    for option in (
        click.option("--strict", is_flag=True, help="Exit 1 if anything was not carried over."),
        click.option("--force", is_flag=True, help="Write over an OUTPUT that is there."),
        click.option(
            "-o",
            "--output",
            type=click.Path(dir_okay=False),
            help="Write here instead of to standard output.",
        ),
        click.argument("file", type=click.Path()),
    ):
        function = option(function)
    return function


@click.group("import")
def command() -> None:
    """Write a pygw.yaml from the configuration of another program.

    What could not be carried over is listed on standard error, with file, line and reason, and as
    comments in the file.
    """


@command.command("nginx", epilog=_EPILOG)
@_options
def nginx(file: str, output: str | None, force: bool, strict: bool) -> None:
    """From nginx's configuration FILE and the files it includes."""
    from ..imports.nginx import import_nginx

    _run(import_nginx, file, output, force, strict)


@command.command("openapi", epilog=_EPILOG)
@click.option("--to", "target", metavar="URL", help="The service, instead of servers in FILE.")
@_options
def openapi(file: str, output: str | None, force: bool, strict: bool, target: str | None) -> None:
    """From the OpenAPI 3.0 or 3.1 description FILE, YAML or JSON."""
    from ..config.values import parse_target
    from ..imports.openapi import import_openapi

    if target is not None:
        try:
            target = parse_target(target).url
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--to") from None
    _run(lambda path: import_openapi(path, target), file, output, force, strict)


def _run(
    read: Callable[[str], Draft], file: str, output: str | None, force: bool, strict: bool
) -> None:
    from ..imports import ImportFailed, finish

    if output is not None and not force and os.path.lexists(output):
        fail(f"{output} is there already; --force writes over it")
    try:
        draft = read(file)
        try:
            text = finish(draft, file, __version__)
        finally:
            for remark in sorted(draft.remarks, key=lambda one: (one.place, not one.lost)):
                click.echo(_printable(str(remark)), err=True)
    except ImportFailed as error:
        fail(_printable(str(error)))
    _check_plan(text)
    if output is None:
        click.echo(text, nl=False)
    else:
        _write(output, text)
    lost = sum(one.lost for one in draft.remarks)
    counts = (_count(len(draft.routes), "route"), _count(len(draft.upstreams), "upstream"))
    click.echo(f"{', '.join(counts)}; {_count(lost, 'thing')} not carried over", err=True)
    sys.exit(1 if strict and lost else 0)


def _check_plan(text: str) -> None:
    """The data plane has the last word on what was written."""
    from ..config.errors import ConfigError
    from ..config.interpolate import Sources
    from ..config.load import check_text
    from ..plan.trial import check_plan

    try:
        check_plan(check_text(text, "pygw.yaml", Sources({})))
    except ConfigError as error:
        fail(str(error))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _write(path: str, text: str) -> None:
    try:
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
    except OSError as error:
        fail(f"{path}: cannot write: {error.strerror}")


def _printable(text: str) -> str:
    from ..config.errors import printable

    return "\n".join(printable(line) for line in text.split("\n"))
