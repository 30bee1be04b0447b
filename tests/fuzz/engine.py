"""The loop of the fuzzer: pick, change, play, keep what reached something new.

Owns: the growing set of cases, and the file that holds the case being played, so that one which
ends the process can be read afterwards. Coverage is that of `cover.c` when it is preloaded; without
it every case counts as old. Never does: build anything (`build` does). Read next: `build`.
"""

from __future__ import annotations

import ctypes
import signal
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.fuzz.case import Case, load
from tests.fuzz.mutate import mutate
from tests.fuzz.play import Player
from tests.fuzz.seeds import seeds

HANG_S = 20  # a case that takes longer spins; the least is under a millisecond
REPORT_S = 10
PIECES_MAX = 4000


class Cover:
    """The counters of `cover.c`, or zeros."""

    def __init__(self) -> None:
        here = ctypes.CDLL(None)
        self.fresh: Callable[[], int] = getattr(here, "cover_fresh", lambda: 0)
        self.edges: Callable[[], int] = getattr(here, "cover_edges", lambda: 0)
        self.blocks: Callable[[], int] = getattr(here, "cover_blocks", lambda: 0)


class Engine:
    """Plays cases until a time or a number is reached; a finding is an AssertionError."""

    def __init__(self, seed: int, keep: Path | None = None, show: bool = True) -> None:
        self.random = Random(seed)
        self.keep = keep
        self.show = show
        self.cover = Cover()
        self.player = Player()
        self.cases: list[Case] = []
        self.pieces: list[bytes] = []
        self.played = 0
        self.begun = self.reported = time.monotonic()

    def play(self, case: Case) -> None:
        """One case, written down before."""
        if self.keep is not None:
            self.keep.write_text(case.dump())
        signal.setitimer(signal.ITIMER_REAL, HANG_S)  # its default deed ends the process
        try:
            self.player.play(case)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        self.played += 1

    def learn(self, case: Case) -> None:
        """A case to change further, and its bytes to put into others."""
        self.cases.append(case)
        for event in case.events:
            if event.data and len(self.pieces) < PIECES_MAX:
                self.pieces.append(event.data)

    def begin(self) -> None:
        """Plays all seeds."""
        for case in seeds():
            self.play(case)
            self.learn(case)
        self.cover.fresh()

    def step(self) -> None:
        """Plays one changed case; the newest are picked more often."""
        newest = self.random.random() < 0.5
        known = self.cases[-200:] if newest else self.cases
        case = mutate(self.random.choice(known), self.random, self.pieces)
        self.play(case)
        if self.cover.fresh():
            self.learn(case)

    def run(self, seconds: float, most: int = 0) -> None:
        """Seeds first, then changes until the time or the number is reached."""
        self.begin()
        while time.monotonic() - self.begun < seconds and (not most or self.played < most):
            self.step()
            if time.monotonic() - self.reported > REPORT_S:
                self.report()
        self.player.close()
        self.report()

    def report(self) -> None:
        """One line about how far it is."""
        self.reported = time.monotonic()
        if self.show:
            spent = self.reported - self.begun
            print(
                f"{spent:7.0f} s  {self.played:8d} cases  {self.played / spent:5.0f}/s  "
                f"{self.cover.edges():6d} edges  {self.cover.blocks():6d} blocks  "
                f"{len(self.cases):5d} kept",
                flush=True,
            )


def replay(path: Path) -> None:
    """Plays one case that was written down."""
    player = Player()
    player.play(load(path.read_text()))
    player.close()
