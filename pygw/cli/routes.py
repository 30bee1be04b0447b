"""`pygw routes`.

Owns: the command; what it tells comes from `pygw.explain`.
Runs in: the process of the command.
Never does: serve anything.
Read next: `pygw.explain.routes`.
"""

from __future__ import annotations

import json

import click

from .common import load_named


@click.command("routes")
@click.argument("config", required=False, type=click.Path())
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", help="Of the table."
)
@click.option("--plan", "whole", is_flag=True, help="The whole plan instead, one fact a line.")
def command(config: str | None, form: str, whole: bool) -> None:
    """List the routes of a configuration, the first that is asked first.

    With --plan the plan that workers serve by is printed in a stable order, secrets masked, so that
    two versions can be compared with diff. Exit codes: 0 listed, 1 the configuration has errors, 2
    wrong usage.
    """
    from ..explain.plan_text import render_plan
    from ..explain.routes import render_rows, rows_of
    from ..plan import build_plan

    if whole and form == "json":
        raise click.UsageError("give --plan or --format json, not both")
    loaded = load_named(config)
    plan = build_plan(loaded.config, 0, "(random)")
    if whole:
        click.echo(render_plan(loaded.secrets.mask(plan)), nl=False)
        return
    rows = rows_of(loaded.config, loaded.secrets.mask(plan))
    if form == "json":
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
    else:
        click.echo(render_rows(rows), nl=False)
