"""What is generated from `.proto` files: structs, encoders and decoders, types.

Owns: the table of languages, and writing their files.
Runs in: `pygw gen` and the tests; never in a gateway.
Never does: guess: what a language cannot say is refused with the place in the `.proto`.
Read next: `model`, then `layout`, then one language.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

from .model import GenError, Schema
from .protoc import read_protos

LANGUAGES: Mapping[str, str] = {
    "c": "structs as a C header",
    "cython": "the same structs, and an encoder and decoder without the GIL",
    "lua": "encoder and decoder for LuaJIT, and the structs for its FFI",
    "python": "constants and types of the structs (.py and .pyi)",
    "csharp": "the same structs for .NET",
    "typescript": "types of the messages",
}
"""Each language and what is written for it."""

__all__ = ["LANGUAGES", "GenError", "Schema", "generate", "read_protos", "write_files"]

Writer = Callable[[Schema, str], dict[str, str]]


def generate(language: str, schema: Schema, file: str) -> dict[str, str]:
    """The files for one `.proto` of the schema: path within the output folder, and text.

    Raises `GenError` for a schema that the language cannot carry.
    """
    writer: Writer = import_module(f"{__name__}.{language}").files
    return writer(schema, file)


def write_files(files: Mapping[str, str], folder: Path) -> list[Path]:
    """Write what `generate` gave; returns the paths. Files that are already so stay untouched."""
    written = []
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
        written.append(path)
    return written
