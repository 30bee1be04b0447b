"""The corpus of imports: what is read, what is expected to be written.

Owns: running one file of the corpus, and writing what is expected anew
(`python -m tests.unit.imported`), for a person to look through.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path

from pygw.imports import Draft
from pygw.imports.nginx import import_nginx
from pygw.imports.openapi import import_openapi
from pygw.imports.write import render

CORPUS = Path(__file__).resolve().parents[1] / "corpus"
IMPORTERS: dict[str, Callable[[str], Draft]] = {"nginx": import_nginx, "openapi": import_openapi}


def cases() -> list[tuple[str, str]]:
    """Importer and file of each case."""
    return [
        (kind, entry.name)
        for kind in IMPORTERS
        for entry in sorted(os.scandir(CORPUS / kind), key=lambda one: one.name)
        if entry.is_file()
    ]


def written(kind: str, name: str) -> str:
    """What the import of a file writes; paths in it are relative to the corpus."""
    with chdir(CORPUS / kind):
        return render(IMPORTERS[kind](name), name, "0")


def expected(kind: str, name: str) -> Path:
    """Where it stands what a file must become."""
    return CORPUS / kind / "expected" / f"{Path(name).stem}.yaml"


if __name__ == "__main__":
    for one in cases():
        expected(*one).write_text(written(*one))
