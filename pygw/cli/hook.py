"""`pygw hook`: what the authors of hooks need.

Owns: the commands' options and what they print; `hook_files` has the files, `hook_tests` the tests.
Runs in: the process of the command.
Never does: overwrite a file, or import hook code: tests do.
Read next: `hook_files`, `hook_tests`.
"""

from __future__ import annotations

import sys

import click

from .common import fail


@click.group("hook")
def command() -> None:
    """Write, test and list hooks: code of yours that requests go through."""


@command.command("new")
@click.option("--lua", "language", flag_value="lua", default=True, help="In Lua (if not said).")
@click.option("--python", "language", flag_value="python", help="In Python.")
@click.option("--native", "language", flag_value="native", help="In C, as a shared object.")
@click.option(
    "-o", "--out", default=".", type=click.Path(file_okay=False), help="Folder; made if need be."
)
@click.argument("name")
def new(language: str, out: str, name: str) -> None:
    """Write a hook called NAME that works, with its tests and a configuration that serves it.

    In Lua also what an editor with LuaLS needs to complete and check it. A file that is there
    stays as it is: then nothing is written.
    """
    from .hook_files import NewHook, write_types

    try:
        hook = NewHook(language, name)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    try:
        there = hook.existing(out)
        if there:
            verb = "is" if len(there) == 1 else "are"
            fail(f"{', '.join(there)} {verb} there already; nothing was written")
        for path, meaning in hook.write(out):
            click.echo(f"wrote {path}, {meaning}")
        if language == "lua":
            for path, meaning in write_types(out, fresh=False):
                click.echo(f"wrote {path}, {meaning}")
    except OSError as error:
        fail(f"cannot write {error.filename}: {error.strerror}")
    for line in hook.next_steps(out):
        click.echo(line)


@command.command("test")
@click.argument("paths", nargs=-1, type=click.Path(exists=True))
@click.option("--cost/--no-cost", default=True, help="Tell what a call of each hook costs.")
def test(paths: tuple[str, ...], cost: bool) -> None:
    """Run the tests of hooks at PATHS, files or folders; in this folder unless said.

    Specs in Lua (`..._spec.lua`) run here; tests in Python that name pygw run by pytest. A hook
    stands for its tests beside it. Exit codes: 0 all passed, 1 not, 2 there are none.
    """
    from .hook_tests import find_tests, run_python, run_specs

    try:
        specs, modules = find_tests(paths or (".",))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if not specs and not modules:
        raise click.UsageError(
            "there are no tests of hooks here: ..._spec.lua, or test_...py that names pygw;"
            " pygw hook new writes some"
        )
    passed = run_specs(specs, cost) if specs else True
    if modules:
        passed = run_python(modules, cost) and passed
    sys.exit(0 if passed else 1)


@command.command("list")
def list_() -> None:
    """List the hooks that installed packages offer, pygw's ready-made ones among them.

    Name, language, place, package.
    """
    from ..config.hook_points import offers

    rows = [(one.name, one.language, one.place, one.package) for one in offers()]
    if not rows:
        click.echo("no installed package offers a hook", err=True)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        click.echo("  ".join(cells).rstrip())


@command.command("copy")
@click.option(
    "-o", "--out", default=".", type=click.Path(file_okay=False), help="Folder; made if need be."
)
@click.argument("name")
def copy(out: str, name: str) -> None:
    """Copy the code of a hook of an installed package, NAME in `pygw hook list`, to change it.

    A file that is there stays as it is.
    """
    from .hook_files import copy_offer

    try:
        click.echo(f"wrote {copy_offer(name, out)}")
    except FileExistsError as error:
        fail(f"{error.filename} is there already; nothing was written")
    except (OSError, ValueError) as error:
        fail(str(error))


@command.command("types")
@click.option(
    "-o", "--out", default=".", type=click.Path(file_okay=False), help="Folder of Lua hooks."
)
def types(out: str) -> None:
    """Write what an editor with LuaLS reads to know the API of Lua hooks.

    pygw_meta.lua is written anew; a .luarc.json that is there stays.
    """
    from .hook_files import write_types

    try:
        for path, meaning in write_types(out, fresh=True):
            click.echo(f"wrote {path}, {meaning}")
    except OSError as error:
        fail(f"cannot write {error.filename}: {error.strerror}")
