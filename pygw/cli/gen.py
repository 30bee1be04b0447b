"""`pygw gen`.

Owns: the command's options; the generators are `pygw.gen`.
Runs in: the process of the command.
Never does: overwrite anything but files of the names that it generates.
"""

from __future__ import annotations

from pathlib import Path

import click

from .common import fail

LANGUAGES = ("c", "cython", "lua", "python", "csharp", "typescript")


@click.command("gen")
@click.argument("language", type=click.Choice(LANGUAGES))
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("-o", "--out", default=".", type=click.Path(file_okay=False), help="Folder to write.")
@click.option(
    "-I",
    "--import-path",
    "folders",
    multiple=True,
    type=click.Path(file_okay=False, exists=True),
    help="Folder of imports; may come more than once. Default: that of FILE.",
)
def command(language: str, file: str, out: str, folders: tuple[str, ...]) -> None:
    """Generate code from a .proto file: encoders and decoders, structs, types.

    What FILE imports is generated too. Paths of the files written go to standard output. Needs
    grpcio-tools: pip install 'pygw[gen]'.
    """
    from ..gen import GenError, generate, read_protos, write_files
    from ..gen.protoc import name_in

    try:
        schema = read_protos([file], folders)
        files = generate(language, schema, name_in(schema, file))
    except GenError as error:
        fail(str(error))
    try:
        for path in write_files(files, Path(out)):
            click.echo(path)
    except OSError as error:
        fail(f"cannot write {error.filename}: {error.strerror}")
