"""`pygw check`.

Owns: the report on a configuration, as text and as JSON.
Runs in: the process of the command.
Never does: serve or touch anything; names are not resolved, addresses not bound.
Read next: `pygw.config.load`.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from .common import named_config

if TYPE_CHECKING:
    from ..config.errors import Problem
    from ..config.load import Loaded


@click.command("check")
@click.argument("config", required=False, type=click.Path())
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", help="Of the report."
)
@click.option("--strict", is_flag=True, help="Take warnings as errors for the exit code.")
def command(config: str | None, form: str, strict: bool) -> None:
    """Tell everything that is wrong with a configuration, at once.

    CONFIG is a file (YAML; TOML and JSON by suffix) or an object (module:name). Without it,
    ./pygw.yaml, $PYGW_CONFIG and /etc/pygw/pygw.yaml are looked for. Code of hooks is loaded, as a
    worker would, in a process of its own: one that does not load within 10 s, or ends the process,
    is an error. Exit codes: 0 it can be served, 1 it has errors, 2 wrong usage.
    """
    from ..config.errors import ConfigError
    from ..config.load import load
    from ..plan.trial import check_apart

    source = named_config(config)
    try:
        loaded = load(source)
        check_apart(loaded)
    except ConfigError as error:
        _tell(form, str(error), _report(error.file, error.text, error.problems, ()))
        sys.exit(1)
    report = _report(loaded.file, loaded.text, (), loaded.warnings)
    _tell(form, _summary(loaded), report)
    sys.exit(1 if strict and loaded.warnings else 0)


def _tell(form: str, text: str, report: dict[str, Any]) -> None:
    click.echo(json.dumps(report, ensure_ascii=False, indent=2) if form == "json" else text)


def _summary(loaded: Loaded) -> str:
    from ..config.errors import render_problems

    lines = render_problems(loaded.warnings, "warning", loaded.file, loaded.text)
    config = loaded.config
    counts = [
        _count(len(config.routes), "route"),
        _count(len(config.upstreams), "upstream"),
        _count(len(config.listeners), "listener"),
    ]
    if loaded.warnings:
        counts.append(_count(len(loaded.warnings), "warning"))
    return "\n".join([*lines, f"{loaded.file}: ok, {', '.join(counts)}"])


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _report(
    file: str, text: str, errors: tuple[Problem, ...], warnings: tuple[Problem, ...]
) -> dict[str, Any]:
    lines = text.splitlines()
    return {
        "file": file,
        "ok": not errors,
        "errors": [_row(problem, lines) for problem in errors],
        "warnings": [_row(problem, lines) for problem in warnings],
    }


def _row(problem: Problem, lines: list[str]) -> dict[str, Any]:
    from ..config.errors import show_path

    at = problem.at
    known = at is not None and 1 <= at.line <= len(lines)
    return {
        "path": show_path(problem.path),
        "message": problem.message,
        "line": at.line if at is not None else None,
        "column": at.column if at is not None else None,
        "source": lines[at.line - 1] if at is not None and known else None,
    }
