"""Run the loader's probes on the oldest and the newest release of each accepted range.

``python tests/tools/probe_ranges.py`` asks the package index which releases there are, installs
two sets of wheels beside each other and loads the libraries from each in a process of its own.
Exit 0 if every one is accepted. Not a pytest test, because it downloads.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pygw
from pygw._core.libs.wheel import LIBUV, LLHTTP, LUAJIT, ZLIB, Wheel

WHEELS = {"uv": LIBUV, "llhttp": LLHTTP, "zlib": ZLIB, "luajit": LUAJIT}
PROBE = (
    "from pygw._core.libs import llhttp, luajit, uv, zlib\n"
    "for info in (uv.info, llhttp.info, zlib.info, luajit.info):\n"
    "    print(info.release, info.library, info.version, sep='|')\n"
)
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]


def run(command: list[str], **env: str) -> str:
    """The output of a program; its error text goes to ours only if it fails."""
    done = subprocess.run(
        command, env={**os.environ, **env}, capture_output=True, text=True, timeout=300
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    return done.stdout


def numbers(release: str) -> tuple[int, ...]:
    """A final release as numbers, to compare by."""
    return tuple(int(part) for part in release.split("."))


def accepted_releases(wheel: Wheel) -> list[str]:
    """The releases in the index that the guard accepts, oldest first."""
    listed = run([*PIP, "index", "versions", wheel.package])
    match = re.search(r"^Available versions: (.*)$", listed, re.MULTILINE)
    everything = match.group(1).split(", ") if match else []
    finals = [release for release in everything if re.fullmatch(r"\d+(\.\d+)*", release)]
    inside = [r for r in finals if wheel.lowest <= numbers(r) < wheel.below]
    if not inside:
        sys.exit(f"the index lists no release for {wheel.requirement}")
    return sorted(inside, key=numbers)


def probe(requirements: Iterable[str], place: Path) -> str:
    """Install the wheels into `place`, load the libraries from there, answer what was found."""
    wanted = list(requirements)
    run([*PIP, "install", "--no-deps", "--only-binary", ":all:", "--target", str(place), *wanted])
    path = os.pathsep.join([str(place), str(Path(pygw.__file__).parents[1])])
    return run(
        [sys.executable, "-P", "-c", PROBE], PYTHONPATH=path, PYGW_LIB_LLHTTP="", PYGW_LIB_ZLIB=""
    )


def main() -> int:
    """Probe both ends of the ranges; print one line a library."""
    releases = {wheel.package: accepted_releases(wheel) for wheel in WHEELS.values()}
    failed = 0
    for end, index in (("oldest", 0), ("newest", -1)):
        wanted = [f"{package}=={found[index]}" for package, found in releases.items()]
        with tempfile.TemporaryDirectory(prefix="pygw-probe-") as place:
            seen = probe(wanted, Path(place))
        for line in seen.splitlines():
            release, library, version = line.split("|")
            print(f"{end}: {release}: {library} {version} accepted")
        failed += sum(requirement.replace("==", " ") not in seen for requirement in wanted)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
