"""`pygw doctor`.

Owns: the command; the examination itself is `pygw.doctor`.
Runs in: the process of the command.
Never does: serve anything.
"""

from __future__ import annotations

import sys

import click


@click.command("doctor")
def command() -> None:
    """Show whether pygw can run here, and what to do if not."""
    from .. import doctor as examiner

    report = examiner.report()
    click.echo(examiner.render(report), nl=False)
    sys.exit(0 if report.ok else 1)
