"""`pygw profile`.

Owns: the command; finding, adding up and drawing are `pygw.profile`.
Runs in: the process of the command.
Never does: stop or slow a gateway beyond two looks at the clock a filter, while it looks.
"""

from __future__ import annotations

from pathlib import Path

import click

from .common import fail

DEFAULT = "pygw-profile.speedscope.json"


@click.command("profile")
@click.option(
    "--seconds",
    type=click.FloatRange(0, 3600),
    default=5.0,
    show_default=True,
    help="How long every exchange is timed; 0: what was sampled since the start.",
)
@click.option("--pid", type=int, help="The supervisor, when several gateways run here.")
@click.option(
    "--output",
    "-o",
    "outputs",
    multiple=True,
    metavar="FILE",
    help=f"A flame graph: .svg, or speedscope's .json; {DEFAULT} unless given.",
)
def command(seconds: float, pid: int | None, outputs: tuple[str, ...]) -> None:
    """Show where a running gateway's time goes: by route, phase, filter and hook."""
    from ..bill import rows_since
    from ..profile.attach import Attached, AttachError, choose
    from ..profile.flame import speedscope_text, svg_text
    from ..profile.spent import spent_of
    from ..profile.table import table_text

    files = [Path(one) for one in outputs or (DEFAULT,)]
    for file in files:
        if file.suffix not in (".svg", ".json"):
            raise click.UsageError(f"{file}: a flame graph is a .json or a .svg file")
    try:
        gateway = choose(pid)
        with Attached(gateway) as block:
            rows, cpu_s = block.rows(), block.cpu_s()
            if seconds:
                before, cpu_before_s = rows, cpu_s
                block.time_all(seconds)
                rows, cpu_s = rows_since(block.rows(), before), block.cpu_s() - cpu_before_s
        spent = spent_of(rows)
        if not spent:
            fail(f"no request came within {seconds:g} s; nothing to show")
        click.echo(table_text(spent, cpu_s), nl=False)
        title = f"pygw {gateway.pid}, {seconds:g} s" if seconds else f"pygw {gateway.pid}"
        own = [one for one in spent if not one.waits]
        for file in files:
            made = svg_text(own, title) if file.suffix == ".svg" else speedscope_text(spent, title)
            file.write_text(made, encoding="utf-8")
            click.echo(f"wrote {file}", err=True)
    except (AttachError, OSError) as error:
        fail(str(error))
