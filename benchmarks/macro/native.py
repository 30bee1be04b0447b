"""The two C programs of the benchmark, compiled when they are needed, and the origin's start.

Runs gcc as a child process into the benchmark's temporary directory. Read next: peers.py.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import process
from benchmarks.macro.cases import ORIGIN_ANSWERS

SOURCES = Path(__file__).parent
_FLAGS = ("-O2", "-std=gnu11", "-Wall", "-Wextra")


def program_build(name: str, directory: Path) -> Path:
    """Compile `name`.c into `directory` and return the program; StartError if gcc refuses."""
    program = directory / name
    if not program.exists():
        command = ["gcc", *_FLAGS, "-o", str(program), str(SOURCES / f"{name}.c")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            raise process.StartError(f"gcc does not compile {name}.c:\n{done.stderr}")
    return program


@contextlib.contextmanager
def program_run(
    name: str, arguments: Sequence[str], *, core: int | None, directory: Path
) -> Iterator[tuple[process.Child, int]]:
    """Build and run a program that prints its port; yield the child and that port."""
    program = program_build(name, directory)
    with process.child_run(
        name,
        [str(program), *arguments],
        core=core,
        directory=directory,
        stdout=subprocess.PIPE,
    ) as child:
        yield child, int(process.line_read(child))


@contextlib.contextmanager
def origin_run(*, core: int | None, directory: Path) -> Iterator[int]:
    """Run the origin with the answers of the cases; yield its port."""
    answers = [f"{path}={size}" for path, size in ORIGIN_ANSWERS.items()]
    with program_run("origin", answers, core=core, directory=directory) as (_, port):
        yield port
