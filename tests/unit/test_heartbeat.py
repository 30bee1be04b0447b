"""Who is taken for hanging: signs in shared memory, times made up."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import cast

import pytest

from pygw.heartbeat import LOOKS, Heartbeats
from pygw.process import WorkerProcess

PAGE_BYTES = 64
MOST_S = 4.0
STEP_S = MOST_S / LOOKS


class Stub:
    """A worker as far as its place matters."""

    def __init__(self, index: int) -> None:
        self.index = self.page = index


class Watched:
    """Workers whose signs a test writes, looked at in even steps of a made-up clock."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.beats = Heartbeats(fd, PAGE_BYTES)
        self.now_s = 1000.0
        self.signs = 0

    def beat(self, worker: Stub) -> None:
        self.signs += 1
        os.pwrite(self.fd, self.signs.to_bytes(8, "little"), worker.index * PAGE_BYTES)

    def look(self, *workers: Stub, after_s: float = STEP_S) -> list[Stub]:
        self.now_s += after_s
        there = cast("list[WorkerProcess]", list(workers))
        return cast("list[Stub]", self.beats.silent(there, self.now_s, MOST_S))

    def looks_until_silent(self, *workers: Stub) -> int:
        return next(n for n in range(1, 100) if self.look(*workers))


@pytest.fixture
def watched() -> Iterator[Watched]:
    fd = os.memfd_create("shared")
    os.ftruncate(fd, 4 * PAGE_BYTES)
    yield Watched(fd)
    os.close(fd)


def test_one_that_is_silent_for_longer_than_it_may_is_told_of(watched: Watched) -> None:
    well, ill = Stub(0), Stub(1)
    watched.beat(ill)
    for _ in range(LOOKS + 1):
        watched.beat(well)
        assert watched.look(well, ill) == []
    watched.beat(well)
    assert watched.look(well, ill) == [ill]


def test_a_sign_begins_the_time_anew(watched: Watched) -> None:
    worker = Stub(2)
    for _ in range(LOOKS):
        assert watched.look(worker) == []
    watched.beat(worker)
    assert watched.looks_until_silent(worker) == LOOKS + 2


def test_one_that_never_gave_a_sign_has_the_same_time(watched: Watched) -> None:
    assert watched.looks_until_silent(Stub(0)) == LOOKS + 2


def test_the_next_worker_of_a_place_is_not_charged_with_the_silence_of_the_one_before(
    watched: Watched,
) -> None:
    assert watched.looks_until_silent(Stub(0)) == LOOKS + 2
    assert watched.looks_until_silent(Stub(0)) == LOOKS + 2


def test_time_in_which_the_supervisor_did_not_run_counts_for_two_looks_at_most(
    watched: Watched,
) -> None:
    worker = Stub(0)
    assert watched.look(worker) == []
    assert watched.look(worker, after_s=3600) == []
    assert watched.looks_until_silent(worker) == LOOKS - 1


def test_without_a_bound_nobody_is_silent(watched: Watched) -> None:
    worker = Stub(0)
    there = cast("list[WorkerProcess]", [worker])
    assert watched.look(worker) == watched.look(worker) == []
    for _ in range(2 * LOOKS):  # not even by what it was silent before there was none
        watched.now_s += STEP_S
        assert watched.beats.silent(there, watched.now_s, 0) == []
    assert watched.looks_until_silent(worker) == LOOKS + 2
