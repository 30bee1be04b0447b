"""The instrumented core and the environment in which it is fuzzed.

Owns: building the variant `fuzz` and `cover.c`, and starting a process with both.
Never does: build into the source tree. Read next: `__main__`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

VARIANT = "fuzz"


def build(tree: Path) -> None:
    """Builds what changed; raises CalledProcessError with the compiler's words on stderr."""
    subprocess.run(
        [sys.executable, "setup.py", "--quiet", "build"],
        cwd=tree,
        env=os.environ | {"PYGW_BUILD": VARIANT},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    subprocess.run(
        ["gcc", "-O2", "-fPIC", "-shared", "-o", str(cover_of(tree)), "tests/fuzz/cover.c"],
        cwd=tree,
        check=True,
    )


def cover_of(tree: Path) -> Path:
    """The compiled `cover.c`."""
    return tree / "build" / VARIANT / "cover.so"


def environment(tree: Path) -> dict[str, str]:
    """What a process needs that fuzzes this tree."""
    asan = subprocess.run(
        ["gcc", "-print-file-name=libasan.so"], check=True, capture_output=True, text=True
    ).stdout.strip()
    return os.environ | {
        "PYTHONSAFEPATH": "1",
        "PYTHONPATH": f"{tree / 'build' / VARIANT}:{tree}",
        "PYTHONMALLOC": "malloc",
        "LD_PRELOAD": f"{asan}:{cover_of(tree)}",
        "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1:allocator_may_return_null=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }


def start(tree: Path, *arguments: str) -> int:
    """Runs the fuzzer's own process in that tree; its exit status, negative for a signal."""
    command = [sys.executable, "-m", "tests.fuzz", "--here", *arguments]
    return subprocess.run(command, cwd=tree, env=environment(tree), check=False).returncode
