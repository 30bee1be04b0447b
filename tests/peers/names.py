"""A name server and a clock that the test controls, under a gateway of its own.

Builds `shim.c` once with the C compiler; without one the tests skip. Read next:
tests/adversity/test_names.py.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("shim.c")


class Names:
    """What names resolve to, and how far the monotonic clock has been moved on."""

    def __init__(self, folder: Path) -> None:
        self.hosts = folder / "hosts"
        self.clock = folder / "clock"
        self.library = folder / "shim.so"
        self.ahead_s = 0
        compiler = shutil.which("gcc") or shutil.which("cc")
        if compiler is None:
            pytest.skip("no C compiler for the name server's stand-in")
        subprocess.run(
            [compiler, "-shared", "-fPIC", "-O1", "-o", self.library, SOURCE, "-ldl"], check=True
        )
        self.answer({})
        self.clock.write_bytes(struct.pack("q", 0))

    @property
    def env(self) -> dict[str, str]:
        """What the gateway must be started with."""
        # A sanitizer's runtime, where there is one, must come first.
        preloaded = [*os.environ.get("LD_PRELOAD", "").split(":"), str(self.library)]
        return {
            "LD_PRELOAD": ":".join(filter(None, preloaded)),
            "PEER_HOSTS": str(self.hosts),
            "PEER_CLOCK": str(self.clock),
        }

    def answer(self, names: dict[str, str], delay_ms: int = 0) -> None:
        """From now on names resolve to these addresses; NXDOMAIN is no such name."""
        lines = [f"{name} {address} {delay_ms}\n" for name, address in names.items()]
        fresh = self.hosts.with_suffix(".new")
        fresh.write_text("".join(lines))
        fresh.rename(self.hosts)

    def advance(self, seconds: int) -> None:
        """Move the gateway's monotonic clock on."""
        self.ahead_s += seconds
        with open(self.clock, "r+b") as file:
            file.write(struct.pack("q", self.ahead_s))
