"""`pygw fmt`.

Owns: reading and replacing the file; the layout is `pygw.fmt`.
Runs in: the process of the command.
Never does: leave half a file: a new one takes the old one's place.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import shutil
import sys
import tempfile

import click

from .common import fail, named_config


@click.command("fmt")
@click.argument("config", required=False, type=click.Path())
@click.option("--check", is_flag=True, help="Change nothing; exit code 1 if something would be.")
@click.option("--diff", is_flag=True, help="Change nothing; print what would be.")
def command(config: str | None, check: bool, diff: bool) -> None:
    """Lay a configuration out: indentation, order of keys, spaces. Meaning and comments stay.

    CONFIG is a YAML or JSON file, or - for standard input, whose layout goes to standard output.
    Without it, ./pygw.yaml, $PYGW_CONFIG and /etc/pygw/pygw.yaml are looked for.
    """
    from ..config import ConfigError
    from ..config.load import decode_text, read_text
    from ..fmt import CannotFormat, format_text

    path = named_config(config)
    try:
        text = decode_text(sys.stdin.buffer.read(), path) if path == "-" else read_text(path)
        formatted = format_text(text, path)
    except ConfigError as error:
        fail(str(error))
    except CannotFormat as error:
        fail(f"{path}: {error}")
    if diff:
        old, new = text.splitlines(keepends=True), formatted.splitlines(keepends=True)
        click.echo("".join(difflib.unified_diff(old, new, path, path)), nl=False)
    elif path == "-" and not check:
        click.echo(formatted, nl=False)
    elif text != formatted and not check:
        _replace(path, formatted)
        click.echo(f"formatted {path}", err=True)
    if check and text != formatted:
        fail(f"{path} is not formatted; pygw fmt does it")


def _replace(path: str, text: str) -> None:
    """Put a whole new file in the place of the old one, with the old one's mode."""
    real = os.path.realpath(path)
    try:
        fd, name = tempfile.mkstemp(dir=os.path.dirname(real), prefix=".pygw-fmt-")
        try:
            with open(fd, "w", encoding="utf-8", newline="") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            shutil.copymode(real, name)
            os.replace(name, real)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
            raise
    except OSError as error:
        fail(f"cannot write {path}: {error.strerror}")
