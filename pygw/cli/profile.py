"""`pygw profile`.

Owns: the command; finding, running, adding up and drawing are `pygw.profile`.
Runs in: the process of the command.
Never does: stop or slow a gateway beyond two looks at the clock a filter, while it looks.
Read next: `pygw.profile`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .common import fail, load_named

if TYPE_CHECKING:
    from ..profile.asked import Asked
    from ..profile.rehearsal import Rehearsal
    from ..profile.spent import Spent

DEFAULT = "pygw-profile.speedscope.json"


@click.command("profile")
@click.argument("config", required=False, type=click.Path())
@click.option(
    "--seconds",
    type=click.FloatRange(0, 3600),
    default=5.0,
    show_default=True,
    help="How long every exchange is timed; 0: what a gateway sampled since its start.",
)
@click.option("--pid", type=int, help="The supervisor, when several gateways run here.")
@click.option(
    "--request",
    "-r",
    "requests",
    multiple=True,
    metavar='"METHOD URL"',
    help="With CONFIG: send this instead of a request made up for each route.",
)
@click.option(
    "--requests",
    "file",
    type=click.Path(exists=True, dir_okay=False),
    help="With CONFIG: send those of this .http file.",
)
@click.option(
    "-H", "--header", "headers", multiple=True, metavar="NAME:VALUE", help="In each request."
)
@click.option("--client", metavar="IP", help="Who asks by --request and --requests: 127.0.0.1.")
@click.option(
    "--output",
    "-o",
    "outputs",
    multiple=True,
    metavar="FILE",
    help=f"A flame graph: .svg, or speedscope's .json; {DEFAULT} unless given.",
)
def command(
    config: str | None,
    seconds: float,
    pid: int | None,
    requests: tuple[str, ...],
    file: str | None,
    headers: tuple[str, ...],
    client: str | None,
    outputs: tuple[str, ...],
) -> None:
    """Show where time goes: by route, phase, filter and hook.

    Without CONFIG a gateway that runs here is looked at, while it serves. With CONFIG its routes
    are run in this process, without a gateway: it binds and sends nothing, every service answers
    200 at once with JSON, and each route gets requests made up from its predicate, or those of
    --request and --requests. Hooks run as in a gateway.
    """
    files = [Path(one) for one in outputs or (DEFAULT,)]
    for one in files:
        if one.suffix not in (".svg", ".json"):
            raise click.UsageError(f"{one}: a flame graph is a .json or a .svg file")
    if config is None:
        if requests or file or headers:
            raise click.UsageError("requests are sent to a CONFIG only; name one")
        _look(seconds, pid, files)
        return
    if pid is not None:
        raise click.UsageError("either CONFIG, which is run here, or --pid of a gateway that runs")
    if seconds == 0:
        raise click.UsageError("--seconds 0 is for a gateway that runs; there is none with CONFIG")
    _rehearse(config, seconds, files, _Wanted(requests, file, headers, client))


# --- a gateway that runs --------------------------------------------------------------------------


def _look(seconds: float, pid: int | None, files: Sequence[Path]) -> None:
    from ..bill import rows_since
    from ..profile.attach import Attached, AttachError, choose
    from ..profile.spent import spent_of
    from ..profile.table import table_text

    try:
        gateway = choose(pid)
        with Attached(gateway) as block:
            rows, cpu_s = block.rows(), block.cpu_s()
            if seconds:
                before, cpu_before_s = rows, cpu_s
                block.time_all(seconds)
                rows, cpu_s = rows_since(block.rows(), before), block.cpu_s() - cpu_before_s
    except (AttachError, OSError) as error:
        fail(str(error))
    spent = spent_of(rows)
    if not spent:
        fail(f"no request came within {seconds:g} s; nothing to show")
    click.echo(table_text(spent, cpu_s), nl=False)
    title = f"pygw {gateway.pid}, {seconds:g} s" if seconds else f"pygw {gateway.pid}"
    _draw(files, spent, title, f"{cpu_s:.2f} s of processor time")


def _draw(files: Sequence[Path], spent: Sequence[Spent], title: str, note: str) -> None:
    from ..profile.flame import speedscope_text
    from ..profile.svg import svg_text

    own = [one for one in spent if not one.waits]
    for file in files:
        svg = file.suffix == ".svg"
        made = svg_text(own, title, note) if svg else speedscope_text(spent, title)
        try:
            file.write_text(made, encoding="utf-8")
        except OSError as error:
            fail(f"cannot write {file}: {error.strerror}")
        click.echo(f"wrote {file}", err=True)


# --- a configuration ------------------------------------------------------------------------------


class _Wanted:
    """The requests that the command line asks for."""

    def __init__(
        self, lines: Sequence[str], file: str | None, headers: Sequence[str], client: str | None
    ) -> None:
        self.lines, self.file, self.headers = lines, file, headers
        self.client = client or "127.0.0.1"
        if client is not None and not self.given():
            raise click.UsageError("--client goes with --request or --requests: name a request")

    def given(self) -> bool:
        """Whether requests are named; else they are made up."""
        return bool(self.lines or self.file)


def _rehearse(config: str, seconds: float, files: Sequence[Path], wanted: _Wanted) -> None:
    loaded = load_named(config)

    from ..plan import build_plan, serialise_plan
    from ..plan.refusal import refusal
    from ..profile.rehearsal import Rehearsal, RehearsalError
    from ..profile.spent import PARTS_OF_OTHERS, spent_of
    from ..profile.table import rehearsal_text

    plan = build_plan(loaded.config, 1, "pygw-profile")
    plan["access_log"] = None
    text = serialise_plan(plan)
    try:
        rehearsal = Rehearsal(text)
    except (ValueError, RuntimeError) as error:
        fail(str(refusal(loaded, error)) if isinstance(error, ValueError) else str(error))
    try:
        asked = _asked(loaded.config, [one["name"] for one in plan["routes"]], text, wanted)
        rows, told = rehearsal.run(asked, seconds)
    except RehearsalError as error:
        fail(str(error))
    finally:
        _end(rehearsal)
    spent = [one for one in spent_of(rows) if one.stack[-1] not in PARTS_OF_OTHERS]
    click.echo(rehearsal_text(spent, told, seconds), nl=False)
    count = sum(sum(one.statuses.values()) for one in told)
    _draw(files, spent, f"pygw profile {loaded.file}", f"{count} requests in {seconds:g} s")


def _end(rehearsal: Rehearsal) -> None:
    try:
        rehearsal.close()
    except AssertionError as error:
        click.echo(f"after the last request: {error}", err=True)


def _asked(config: object, names: list[str], plan: bytes, wanted: _Wanted) -> list[Asked]:
    from pygw._core.matcher import Matcher

    from ..profile.asked import FILE_BYTES_MAX, given, made_up, of_file

    matcher = Matcher(plan)
    try:
        if not wanted.given():
            asked, left = made_up(config, names, matcher, wanted.headers)  # type: ignore[arg-type]
            for name in left:
                click.echo(f"route {name}: name a request for it with --request", err=True)
        else:
            asked = given(wanted.lines, wanted.headers, wanted.client, matcher)
            if wanted.file is not None:
                with open(wanted.file, encoding="utf-8") as file:
                    text = file.read(FILE_BYTES_MAX + 1)
                if len(text) > FILE_BYTES_MAX:
                    raise ValueError(f"{wanted.file} is longer than {FILE_BYTES_MAX >> 20} MiB")
                asked += of_file(text, wanted.headers, wanted.client, matcher)
    except (ValueError, OSError) as error:
        raise click.UsageError(str(error)) from None
    if not asked:
        fail("there is no request to send; name one with --request")
    return asked
