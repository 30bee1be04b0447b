"""What pygw itself has generated: which files, where they stand, and writing them.

Owns: the list of generated files in the tree, which are never edited by hand.
Runs in: `make schema` (python -m pygw.gen.core), and the test that compares.
Never does: run in a build: the files are kept in the tree, so that a build needs no protoc.
Read next: `cython`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from . import c, cython, read_protos, write_files
from .cython import Names
from .protoc import proto_folder

PROTOS = tuple(f"pygw/v1/{name}.proto" for name in ("http", "session", "hook", "hook_reply"))
NAMES = Names(
    package="pygw._core.pb.",
    wire="pygw._core.pb.",
    header="pygw._core.types.header",
    known={
        ".pygw.v1.Header": (
            "header_t",
            "pygw._core.types.header",
            {"reserved": "raw_len"},
        )
    },
)


def core_files() -> dict[str, str]:
    """Every generated file of the tree, by its path from the package's folder."""
    folder = proto_folder()
    schema = read_protos([folder / name for name in PROTOS], [folder])
    found: dict[str, str] = {}
    for name in PROTOS:
        found |= {f"include/{path}": text for path, text in c.files(schema, name).items()}
        for path, text in cython.modules(schema, schema.files[name], NAMES).items():
            found[f"_core/pb/{path}"] = text
    return found


if __name__ == "__main__":
    for path in write_files(core_files(), Path(__file__).parents[1]):
        print(path, file=sys.stderr)
