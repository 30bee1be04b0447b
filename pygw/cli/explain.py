"""`pygw explain`.

Owns: the command; what it tells comes from `pygw.explain`.
Runs in: the process of the command.
Never does: send anything anywhere.
Read next: `pygw.explain.report`.
"""

from __future__ import annotations

import json

import click

from .common import fail, load_named


@click.command("explain")
@click.argument("method")
@click.argument("url")
@click.argument("config", required=False, type=click.Path())
@click.option("-H", "--header", "headers", multiple=True, metavar="NAME:VALUE", help="A header.")
@click.option("--client", default="127.0.0.1", metavar="IP", help="Who asks.")
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", help="Of the report."
)
def command(
    method: str, url: str, config: str | None, headers: tuple[str, ...], client: str, form: str
) -> None:
    """Tell what would become of a request: which route takes it and why, which nearly did, what
    each filter would do, where it would go.

    The data plane itself decides, in memory: nothing is sent, and services are taken to answer 200.
    URL is http://host/path?query or a path. Exit codes: 0 told, 1 the configuration has errors, 2
    wrong usage.
    """
    from ..explain.request import read_request

    try:
        request = read_request(method, url, headers, client, "localhost")
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    loaded = load_named(config)

    from ..explain.report import Explainer
    from ..explain.text import render_report
    from ..plan.refusal import refusal

    try:
        explainer = Explainer(loaded)
    except ValueError as error:
        fail(str(refusal(loaded, error)))
    try:
        report = explainer.report(request)
    finally:
        explainer.close()
    if form == "json":
        click.echo(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        click.echo(render_report(report), nl=False)
