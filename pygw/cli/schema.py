"""`pygw schema`.

Owns: the command; the schema itself is `pygw.config.schema`.
Runs in: the process of the command.
Never does: read a configuration.
"""

from __future__ import annotations

import json

import click


@click.command("schema")
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "markdown"]),
    default="json",
    help="JSON Schema for editors, or the reference for people.",
)
def command(form: str) -> None:
    """Print what a configuration may hold, as JSON Schema (draft 2020-12).

    An editor completes and checks pygw.yaml by it: save it as pygw.schema.json and begin
    pygw.yaml with the line `# yaml-language-server: $schema=pygw.schema.json`, as `pygw init` does.
    """
    from ..config.schema import config_schema

    schema = config_schema()
    if form == "markdown":
        from ..config.reference import render_reference

        click.echo(render_reference(schema), nl=False)
        return
    click.echo(json.dumps(schema, ensure_ascii=False, indent=2))
