"""The command `pygw` as tests start it: one that ends by itself, and one that serves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from tests.peers.gateway import BANNER, ROOT
from tests.peers.link import until

PYGW = [sys.executable, "-m", "pygw"]


class Run:
    """One `pygw run` with its output in files."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.out, self.err = folder / "stdout", folder / "stderr"
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen(
                [*PYGW, "run", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=folder,
                env=environment(),
            )

    def wait_url(self) -> str:
        """The URL of the banner."""
        until(
            lambda: BANNER.search(self.err.read_text()) or self.process.poll() is not None,
            "the banner",
            20.0,
        )
        found = BANNER.search(self.err.read_text())
        assert found, self.err.read_text()
        return f"http://{found.group(1)}"

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal, wait, exit code."""
        self.process.send_signal(number)
        return self.process.wait(10)


def environment() -> dict[str, str]:
    """Ours, with this tree to import from and no configuration of the machine's."""
    kept = {k: v for k, v in os.environ.items() if k != "PYGW_CONFIG"}
    places = [*filter(None, [kept.get("PYTHONPATH")]), str(ROOT)]
    return {**kept, "PYTHONPATH": os.pathsep.join(places), "NO_COLOR": "1"}


def call(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """A command that ends by itself."""
    return subprocess.run(
        [*PYGW, *arguments], capture_output=True, text=True, cwd=cwd, env=environment(), timeout=30
    )


def get(url: str) -> str:
    """The body of a GET."""
    with urllib.request.urlopen(url, timeout=5) as got:
        return str(got.read().decode())
