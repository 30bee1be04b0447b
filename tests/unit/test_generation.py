"""Generations: what passes from one configuration to the next, and what is closed when."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pygw.config import Config
from pygw.generation import RETIRED_MAX, Generation, make_generation
from pygw.listeners import ListenError


def config(*binds: str, workers: int = 1, **changes: Any) -> Config:
    data: dict[str, Any] = {
        "workers": workers,
        "access_log": "off",
        "listeners": [{"bind": bind} for bind in binds or ("127.0.0.1:0",)],
        "routes": [{"match": {"path": "/*"}, "middleware": [{"echo": {}}]}],
    }
    return Config.from_data(data | changes)


@contextmanager
def serving(wanted: Config) -> Iterator[Generation]:
    made = make_generation(wanted, "pygw-test", None)
    try:
        yield made
    finally:
        made.let_go(None)


def following(before: Generation, wanted: Config) -> Generation:
    return make_generation(wanted, "pygw-test", before)


def plan_of(made: Generation) -> dict[str, Any]:
    text = os.pread(made.plan_fd, 1 << 20, 0)
    plan: dict[str, Any] = json.loads(text)
    return plan


def descriptors() -> list[str]:
    return sorted(os.listdir("/proc/self/fd"))


def connects(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


def test_listener_that_stays_keeps_its_sockets_and_its_port() -> None:
    before = descriptors()
    old = make_generation(config(workers=2), "p", None)
    new = following(old, config(workers=2, drain="1s"))
    assert new.sockets == old.sockets
    assert new.number == 2
    old.let_go(new)
    assert connects(new.listeners[0].bind.port)
    new.let_go(None)
    assert descriptors() == before


def test_new_and_removed_listeners_come_and_go(tmp_path: Path) -> None:
    path = tmp_path / "s"
    before = descriptors()
    old = make_generation(config("127.0.0.1:0"), "p", None)
    new = following(old, config("127.0.0.1:0", f"unix:{path}"))
    assert path.exists()
    old.let_go(new)
    last = following(new, config("127.0.0.1:0"))
    new.let_go(last)
    assert not path.exists()
    assert connects(last.listeners[0].bind.port)
    last.let_go(None)
    assert descriptors() == before


def test_refused_generation_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with serving(config("127.0.0.1:0", workers=2)) as old:
        before = descriptors()
        with pytest.raises(ListenError):
            following(old, config("127.0.0.1:0", f"unix:{path}", "192.0.2.1:80", workers=3))
        assert descriptors() == before
        assert not path.exists()
        assert connects(old.listeners[0].bind.port)


def test_generation_that_is_not_wanted_leaves_the_old_one_whole(tmp_path: Path) -> None:
    log = {"access_log": {"path": str(tmp_path / "a.log"), "format": "json"}}
    with serving(config("127.0.0.1:0")) as old:
        before = descriptors()
        new = following(old, config("127.0.0.1:0", "127.0.0.1:0", workers=3, **log))
        assert len(new.listeners[0].sockets) == 3
        new.let_go(old)
        assert descriptors() == before
        assert connects(old.listeners[0].bind.port)


def test_every_socket_has_one_worker_however_many_there_are() -> None:
    with serving(config("127.0.0.1:0", workers=3)) as old:
        new = following(old, config("127.0.0.1:0", workers=2))
        dealt = [fd for worker in range(2) for fd in new.sockets_of(worker)]
        assert sorted(dealt) == sorted(old.sockets)
        new.let_go(old)


def test_sockets_for_further_workers_do_not_listen_before_a_worker_does() -> None:
    with serving(config("127.0.0.1:0", workers=1)) as old:
        new = following(old, config("127.0.0.1:0", workers=2))
        port = new.listeners[0].bind.port
        for _ in range(20):
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        second = new.listeners[0].sockets[1]
        assert second.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 0
        new.let_go(old)


def test_wider_address_of_our_own_port_is_no_conflict() -> None:
    with serving(config("127.0.0.1:0")) as first:
        port = first.listeners[0].bind.port
        old = following(first, config(f"127.0.0.1:{port}"))
        new = following(old, config(f"0.0.0.0:{port}"))
        new.let_go(old)
        old.let_go(first)


def test_connections_of_a_listener_keep_its_place_and_its_settings() -> None:
    listeners = [{"bind": "127.0.0.1:0", "half_close": "answer"}, {"bind": "[::1]:0"}]
    with serving(config(listeners=listeners)) as old:
        assert [one["name"] for one in plan_of(old)["listeners"]] == ["l1", "l2"]
        new = following(old, config("[::1]:0"))
        assert plan_of(new)["listeners"] == [
            {"name": "gone-0.", "half_close": "answer"},
            {"name": "l1", "half_close": "abort"},
        ]
        new.let_go(old)


def test_place_of_a_listener_that_is_gone_is_not_given_to_another_at_once() -> None:
    with serving(config("127.0.0.1:0", "[::1]:0")) as old:
        second = following(old, config("127.0.0.1:0"))
        third = following(second, config("127.0.0.1:0", "127.0.0.2:0"))
        assert [one.slot for one in third.listeners] == [0, 2]
        third.let_go(second)
        second.let_go(old)


def test_places_of_the_oldest_are_used_again_beyond_the_bound() -> None:
    current = make_generation(config("127.0.0.1:0"), "p", None)
    for number in range(2 * RETIRED_MAX):
        following_one = following(current, config(f"127.0.0.{2 + number}:0"))
        current.let_go(following_one)
        current = following_one
    assert len(plan_of(current)["listeners"]) <= RETIRED_MAX + 2
    current.let_go(None)


def test_log_that_stays_is_the_same_and_a_new_path_is_opened(tmp_path: Path) -> None:
    def logged(name: str, form: str = "json") -> Config:
        return config(access_log={"path": str(tmp_path / name), "format": form})

    old = make_generation(logged("a"), "p", None)
    same = following(old, logged("a", "combined"))
    assert same.log_file is old.log_file
    other = following(same, logged("b"))
    assert other.log_file is not old.log_file
    assert (tmp_path / "b").exists()
    other.let_go(same)
    same.let_go(old)
    old.let_go(None)
