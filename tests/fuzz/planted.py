"""`python -m tests.fuzz.planted`: plants each bug of `planted/*.patch` and lets the fuzzer find it.

For each patch: a scratch copy of the tree is patched and built, and fuzzed until the fuzzer says
FINDING. Prints one line a bug; exit 1 when one was not found in time, or its patch does not apply.
Owns: the scratch copy. Never does: touch the tree it runs in.
Read next: `planted/`.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz import build

TREE = Path(__file__).resolve().parents[2]
PATCHES = sorted((TREE / "tests" / "fuzz" / "planted").glob("*.patch"))
PARTS = ("pygw", "tests", "setup.py", "pyproject.toml", "README.md", "LICENSE")
BUILT = (f"build/{build.VARIANT}", "build/c")  # taken along, so that little is built again


def copy(scratch: Path) -> None:
    """The parts of the tree that a build and a run need."""
    for part in (*PARTS, *BUILT):
        source = TREE / part
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.so" if part == "pygw" else "")
            shutil.copytree(source, scratch / part, ignore=ignored)
        elif source.exists():
            shutil.copy2(source, scratch / part)


def patch(scratch: Path, path: Path, *options: str) -> bool:
    """Whether a patch applies."""
    command = ["patch", "--strip=1", "--forward", "--batch", *options, f"--input={path}"]
    done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stdout + done.stderr, file=sys.stderr)
    return done.returncode == 0


def find(scratch: Path, path: Path, seconds: float, seed: int) -> str | None:
    """How the planted bug was found, None if it was not. The copy is clean again afterwards."""
    if not patch(scratch, path):
        return None
    build.build(scratch)
    begun = time.monotonic()
    command = [sys.executable, "-m", "tests.fuzz", f"--seconds={seconds}", f"--seed={seed}"]
    done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=False)
    spent = time.monotonic() - begun
    patch(scratch, path, "--reverse")
    if done.returncode == 0:
        return None
    last = [line for line in done.stderr.splitlines() if "ERROR" in line or "BUG_ON" in line]
    told = [line for line in done.stderr.splitlines() if "Error: " in line]
    what = (last or told or done.stderr.splitlines() or [""])[0]
    return f"{spent:6.1f} s  {what.strip()[:110]}"


def main() -> int:
    """Plants them all, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.planted", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="for each bug (600)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("only", nargs="*", help="names of patches; none: all")
    asked = parser.parse_args()
    build.build(TREE)
    missed = 0
    with tempfile.TemporaryDirectory(prefix="pygw-planted-") as name:
        scratch = Path(name)
        copy(scratch)
        for path in PATCHES:
            if asked.only and path.stem not in asked.only:
                continue
            found = find(scratch, path, asked.seconds, asked.seed)
            missed += found is None
            print(f"{path.stem:28s} {found or 'NOT FOUND'}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
