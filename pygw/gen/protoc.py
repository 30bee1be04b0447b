"""From `.proto` files to a `Schema`, by the protoc of grpcio-tools.

Owns: the call of protoc, where our own `.proto` files are, and what it says when that fails.
Runs in: `pygw gen`; protoc in a process of its own, which it may end.
Never does: read a `.proto` itself.
Read next: `model`.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .model import GenError, Schema, schema_of

PROTOC_SECONDS = 60
INSTALL = "needs grpcio-tools, whose protoc reads .proto files: pip install 'pygw[gen]'"


def proto_folder() -> Path:
    """The folder that holds `pygw/options.proto` and `pygw/v1/`: in the package, or in the tree."""
    package = Path(__file__).parents[1]
    inside = package / "proto"
    return inside if inside.is_dir() else package.parent / "proto"


def read_protos(files: Sequence[str | Path], folders: Sequence[str | Path] = ()) -> Schema:
    """The schema of some `.proto` files and of all they import; see `descriptor_set`."""
    return schema_of(descriptor_set(files, folders))


def descriptor_set(files: Sequence[str | Path], folders: Sequence[str | Path] = ()) -> bytes:
    """The serialized FileDescriptorSet of some `.proto` files and of all they import.

    `folders` is where imports are looked for, as protoc's -I; the folder of the first file comes
    first when none is given. Ours come last. Raises `GenError` with protoc's own message.
    """
    if importlib.util.find_spec("grpc_tools") is None:
        raise GenError(f"pygw gen {INSTALL}")
    for file in files:
        if not Path(file).is_file():
            raise GenError(f"{file}: there is no such file")
    places = [str(folder) for folder in folders] or [str(Path(files[0]).parent)]
    with tempfile.TemporaryDirectory(prefix="pygw-gen-") as folder:
        out = Path(folder, "schema.bin")
        command = [
            *(sys.executable, "-m", "grpc_tools.protoc"),
            *(f"-I{place}" for place in [*places, str(proto_folder())]),
            *("--include_imports", "--include_source_info", f"--descriptor_set_out={out}"),
            *map(str, files),
        ]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PROTOC_SECONDS, check=False
        )
        if done.returncode != 0 or not out.exists():
            raise GenError(done.stderr.strip() or "protoc failed without a word")
        return out.read_bytes()


def name_in(schema: Schema, file: str | Path) -> str:
    """The name by which the schema knows a file that was given to `read_protos`."""
    given = Path(file).as_posix()
    fitting = [name for name in schema.files if given == name or given.endswith(f"/{name}")]
    if not fitting:
        raise GenError(f"{file}: protoc knows it by another name; give its folder with -I")
    return max(fitting, key=len)
