"""Every listening socket has a worker that accepts from it, whoever is there."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pygw import sharing
from pygw.process import WorkerProcess
from pygw.sharing import share_sockets, shares
from tests.unit.test_generation import config, following, serving


@pytest.mark.parametrize("workers", [1, 2, 3, 5])
def test_every_socket_is_dealt_once_whoever_is_missing(workers: int) -> None:
    with serving(config("127.0.0.1:0", "127.0.0.1:0", workers=workers)) as made:
        for missing in range(2**workers - 1):
            there = [n for n in range(workers) if not missing & 1 << n]
            dealt = shares(made, there, ())
            assert sorted(dealt) == there
            assert sorted(fd for one in dealt.values() for fd in one) == sorted(made.sockets)
            for n in there:
                assert made.sockets_of(n).items() <= dealt[n].items()


def test_nobody_looks_after_what_no_worker_has_listened_at() -> None:
    with serving(config(workers=3)) as made:
        assert shares(made, [0, 2], starting=[1]) == {n: made.sockets_of(n) for n in (0, 2)}


def test_socket_that_all_share_is_dealt_to_all(tmp_path: Path) -> None:
    with serving(config(f"unix:{tmp_path}/s", workers=3)) as made:
        dealt = shares(made, [0, 2], ())
        assert dealt == {0: made.sockets_of(0), 2: made.sockets_of(2)}
        assert [list(one.values()) for one in dealt.values()] == [["l1"], ["l1"]]


def test_when_nobody_serves_nothing_is_dealt() -> None:
    with serving(config(workers=2)) as made:
        assert shares(made, [], ()) == {}


def test_what_a_dead_worker_had_goes_to_more_than_one() -> None:
    with serving(config("127.0.0.1:0", "127.0.0.1:0", workers=3)) as made:
        dealt = shares(made, [0, 2], ())
        assert [len(one) for one in dealt.values()] == [3, 3]


class Told(WorkerProcess):
    """A worker that notes what it is told; `deaf`: nothing leaves for it."""

    def __init__(self, index: int, sockets: set[int], deaf: bool = False) -> None:
        self.index, self.sockets, self.is_serving = index, sockets, True
        self.deaf, self.killed = deaf, False
        self.messages: list[str] = []

    @property
    def name(self) -> str:
        return f"worker {self.index}"

    async def tell(self, message, fds=()):  # type: ignore[no-untyped-def]
        if self.deaf:
            await asyncio.sleep(60)
        self.messages.append(message["type"])

    def kill(self) -> bool:
        self.killed, self.is_serving = True, False
        return True


def test_who_takes_is_told_and_once() -> None:
    with serving(config(workers=2)) as made:
        only = Told(0, set(made.sockets_of(0)))
        for _ in range(2):
            asyncio.run(share_sockets(made, [only], ()))
        assert only.messages == ["adopt"]
        assert only.sockets == made.sockets
        both = [only, Told(1, set(made.sockets_of(1)))]
        for _ in range(2):
            asyncio.run(share_sockets(made, both, ()))
        assert [one.messages for one in both] == [["adopt", "close"], []]
        assert only.sockets == set(made.sockets_of(0))


def test_worker_that_reads_nothing_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "TELL_TIMEOUT_S", 0.01)
    with serving(config(workers=2)) as old:
        deaf = Told(0, set(old.sockets_of(0)), deaf=True)
        asyncio.run(share_sockets(old, [deaf], ()))
        assert deaf.killed
        new = following(old, config(workers=2))
        deaf = Told(0, new.sockets, deaf=True)
        asyncio.run(share_sockets(new, [deaf, Told(1, set(new.sockets_of(1)))], ()))
        assert deaf.killed
        new.let_go(old)
