"""The supervisor with stand-in workers: start, death and back-off, drain, signals, sockets."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pygw.config.interpolate import Sources
from pygw.config.load import parse_config
from pygw.reload import Change
from pygw.supervisor import Supervisor
from tests.unit.supervised import (
    Running,
    Start,
    alive,
    answer_on,
    ask_on,
    refused,
    waiting_client,
)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts supervisors in the test's folder and ends them after it."""
    with contextlib.ExitStack() as stack:
        yield lambda config="", **options: stack.enter_context(Running(tmp_path, config, **options))


def test_every_worker_serves_before_ready_is_said(start: Start) -> None:
    run = start("workers: 3\n").ready()
    assert sorted(line.split()[1] for line in run.notes("start")) == ["0", "1", "2"]
    seen: set[int] = set()

    def all_seen() -> bool:
        seen.add(run.ask()["index"])
        return len(seen) == 3

    run.wait_for(all_seen, "an answer of each")
    run.signal()
    assert run.code() == 0


def test_worker_learns_everything_but_its_channel_through_the_channel(start: Start) -> None:
    run = start("workers: 2\n").ready()
    facts = run.ask()
    assert len(facts["argv"]) == 1
    assert facts["argv"][0].isdigit()
    assert facts["shared_bytes"] == 2 * 4096
    assert facts["listener"] == "l1"
    (pid, *_) = run.pids("start")
    environment = Path(f"/proc/{pid}/environ").read_text()
    assert "pygw-" not in environment


def test_worker_inherits_only_its_own_socket(start: Start) -> None:
    few, many = start("workers: 1\n").ready(), start("workers: 6\n").ready()
    assert few.ask()["descriptors"] == many.ask()["descriptors"]


def test_killed_worker_is_started_again(start: Start) -> None:
    run = start().ready()
    (first,) = run.pids("start")
    os.kill(first, signal.SIGKILL)
    run.wait_for(lambda: len(run.notes("start")) == 2, "a second start")
    assert run.ask()["pid"] == run.pids("start")[1]
    assert f"worker 0 (pid {first}) was killed by SIGKILL; starting it again in 0.1 s" in run.text()


def test_worker_without_a_sign_of_life_is_replaced_and_says_where_it_hung(start: Start) -> None:
    run = start("workers: 2\nheartbeat: 1s\n").ready()
    with run.connect() as sock:
        began_s = time.monotonic()
        sock.sendall(b"GET /hang HTTP/1.0\r\n\r\n")
        run.wait_for(lambda: run.notes("hanging"), "the request to be there")
        answers = {run.ask()["pid"] for _ in range(20)}  # some wait in its socket, and are served
        run.wait_for(lambda: len(run.notes("start")) == 3, "a third start")
        assert time.monotonic() - began_s >= 1
    said = run.text()
    (hung,) = re.findall(r"worker \d \(pid (\d+)\) gave no sign of life for 1 s", said)
    assert "in hang\n" in said and f"(pid {hung}) was killed by SIGKILL" in said
    assert set(run.pids("start")) - {int(hung)} >= answers
    assert said.count("no sign of life") == 1
    run.signal()
    assert run.code() == 0


def test_workers_that_hang_again_and_again_are_started_as_soon_as_the_first(start: Start) -> None:
    """A client that can make a hook hang must not make the gateway wait ever longer."""
    run = start("heartbeat: 1s\n", backoff_first_s=0.1, backoff_max_s=1000).ready()
    for turn in range(2, 5):
        with run.connect() as sock:
            sock.sendall(b"GET /hang HTTP/1.0\r\n\r\n")
            run.wait_for(lambda turn=turn: len(run.notes("start")) == turn, "the next")
    assert run.text().count("starting it again in 0.1 s") == 3


def test_heartbeat_is_that_of_the_last_reload(start: Start) -> None:
    run = start("heartbeat: off\n").ready()
    (first,) = run.pids("start")
    run.configure("heartbeat: 1s\n")
    run.signal(signal.SIGHUP)
    run.wait_for(run.said, "the reload")
    os.kill(first, signal.SIGSTOP)
    run.wait_for(lambda: len(run.notes("start")) == 2, "a second start")
    assert run.ask()["pid"] == run.pids("start")[1]


def test_client_that_connects_while_the_worker_is_dead_is_served_by_the_next(start: Start) -> None:
    run = start(backoff_first_s=0.5).ready()
    os.kill(run.pids("start")[0], signal.SIGKILL)
    run.wait_for(lambda: "was killed" in run.text(), "the death to be noticed")
    assert run.ask()["pid"] == run.pids("start")[1]


def test_others_look_after_a_dead_workers_socket_until_it_is_back(start: Start) -> None:
    """About half of these clients wait in a socket whose worker is dead."""
    run = start("workers: 2\n", backoff_first_s=1.5).ready()
    first, second = run.pids("start")
    with contextlib.ExitStack() as stack:
        os.kill(first, signal.SIGSTOP)
        socks = [stack.enter_context(run.connect()) for _ in range(40)]
        for sock in socks:
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        os.kill(first, signal.SIGKILL)
        died_s = time.monotonic()
        assert {answer_on(sock)["pid"] for sock in socks} == {second}
        assert time.monotonic() - died_s < 1.5
    assert {run.ask()["pid"] for _ in range(40)} == {second}
    run.wait_for(lambda: len(run.notes("start")) == 3 and run.notes("unlisten"), "the next")
    third = run.pids("start")[-1]
    assert third != second
    run.wait_for(lambda: {run.ask()["pid"] for _ in range(40)} == {second, third}, "both")
    assert run.pids("unlisten") == [second]


def test_dead_workers_socket_is_looked_after_during_a_reload(start: Start) -> None:
    """Even while the others compile: what they serve by then is the old plan."""
    run = start("workers: 2\n", backoff_first_s=20).ready()
    first, second = run.pids("start")
    run.configure("workers: 2\nforwarding: {via: compile-slow}\n")
    run.signal(signal.SIGHUP)
    run.wait_for(lambda: len(run.notes("compile")) == 2, "the compilation")
    os.kill(first, signal.SIGKILL)
    assert {run.ask()["pid"] for _ in range(40)} == {second}
    assert {run.ask()["generation"] for _ in range(4)} == {1}
    run.wait_for(run.said, "the reload")
    assert {(facts["pid"], facts["generation"]) for facts in (run.ask() for _ in range(40))} == {
        (second, 2)
    }


def test_when_all_are_dead_the_first_that_is_back_serves_for_all(start: Start) -> None:
    run = start("workers: 3\nforwarding: {via: die-again-1}\n", backoff_first_s=0.2).ready()
    for pid in run.pids("start"):
        os.kill(pid, signal.SIGKILL)
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(run.connect()) for _ in range(30)]
        for sock in socks:
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert not {answer_on(sock)["index"] for sock in socks} & {1}
    run.wait_for(lambda: {run.ask()["index"] for _ in range(60)} == {0, 2}, "two")


@pytest.mark.parametrize(
    ("number", "note"),
    [(signal.SIGTERM, "drain-0.5-True"), (signal.SIGINT, "drain-0-True")],
)
def test_balancers_get_time_at_the_end_and_people_do_not_wait(
    start: Start, number: int, note: str
) -> None:
    run = start("workers: 2\n").ready()
    run.signal(number)
    assert run.code() == 0
    assert len(run.notes(note)) == 2


def test_back_off_doubles_up_to_its_bound(start: Start) -> None:
    run = start(backoff_first_s=0.01, backoff_max_s=0.04).ready()
    for count in range(1, 6):
        run.wait_for_notes("start", count)
        os.kill(run.pids("start")[-1], signal.SIGKILL)
    run.wait_for(lambda: run.text().count("starting it again") == 5, "five deaths")
    delays = re.findall(r"again in ([0-9.]+) s", run.text())
    assert delays == ["0.01", "0.02", "0.04", "0.04", "0.04"]


def test_back_off_is_really_waited(start: Start) -> None:
    run = start(backoff_first_s=0.3).ready()
    os.kill(run.pids("start")[0], signal.SIGKILL)
    run.wait_for(lambda: "was killed" in run.text(), "the death to be noticed")
    began_s = time.monotonic()
    run.wait_for(lambda: len(run.notes("start")) == 2, "a second start")
    assert time.monotonic() - began_s > 0.2


def test_back_off_starts_anew_after_a_long_life(start: Start) -> None:
    run = start(backoff_first_s=0.01, backoff_reset_s=0).ready()
    for count in range(1, 4):
        run.wait_for_notes("start", count)
        os.kill(run.pids("start")[-1], signal.SIGKILL)
    run.wait_for(lambda: run.text().count("starting it again") == 3, "three deaths")
    assert re.findall(r"again in ([0-9.]+) s", run.text()) == ["0.01"] * 3


def test_signal_during_back_off_ends_at_once(start: Start) -> None:
    run = start(backoff_first_s=30).ready()
    os.kill(run.pids("start")[0], signal.SIGKILL)
    run.wait_for(lambda: "starting it again" in run.text(), "back-off")
    run.signal()
    assert run.code() == 0
    assert len(run.notes("start")) == 1


@pytest.mark.parametrize("mode", ["bad-plan", "late-bad-plan"])
def test_plan_error_ends_the_whole_with_its_message(start: Start, mode: str) -> None:
    run = start(f"workers: 3\nforwarding: {{via: {mode}}}\n")
    assert run.code() == 1
    assert "made to fail" in run.text()
    assert "Traceback" not in run.text()
    assert "ready" not in run.text()
    assert len(run.notes("start")) <= 3


def test_bug_at_start_shows_its_traceback(start: Start) -> None:
    run = start("forwarding: {via: bug}\n")
    assert run.code() == 1
    assert "cannot start: ZeroDivisionError: made to fail" in run.text()
    assert "Traceback" in run.text()


def test_death_at_the_first_start_ends_the_whole(start: Start) -> None:
    run = start("forwarding: {via: die}\n")
    assert run.code() == 1
    assert "ended with code 9 before it served" in run.text()
    assert len(run.notes("start")) == 1


def test_worker_that_never_gets_ready_is_given_up(start: Start) -> None:
    run = start("forwarding: {via: mute}\n", ready_timeout_s=0.5)
    assert run.code() == 1
    assert "did not serve within 0.5 s" in run.text()


def test_signal_during_the_start_ends_it(start: Start) -> None:
    run = start("drain: 0s\nforwarding: {via: mute}\n", kill_grace_s=0.2)
    run.wait_for(lambda: run.notes("start"), "the start")
    run.signal()
    assert run.code() == 1
    assert "1 worker killed" in run.text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_drain_lets_what_runs_end_and_refuses_what_is_new(start: Start, number: int) -> None:
    run = start("workers: 2\n").ready()
    with waiting_client(run) as sock:
        run.signal(number)
        run.wait_for(lambda: len(run.notes("drain")) == 2, "the drain")
        run.wait_for(lambda: refused(run.port), "new clients to be refused")
        assert run.process.poll() is None
        sock.sendall(b"x")
        assert answer_on(sock)["pid"] == run.pids("waiting")[0]
    assert run.code() == 0
    assert len(run.notes("drained")) == 2
    assert run.notes("cut") == []


def test_drain_ends_at_its_time_limit(start: Start) -> None:
    run = start("drain: 300ms\n").ready()
    with waiting_client(run) as sock:
        run.signal()
        assert run.code() == 0
        with contextlib.suppress(ConnectionResetError):
            assert sock.recv(1) == b""
    assert len(run.notes("cut")) == 1
    assert "drain timed out after 0.3 s" in run.text()


def test_second_signal_stops_now(start: Start) -> None:
    run = start("drain: 60s\n").ready()
    with waiting_client(run) as sock:
        run.signal()
        run.wait_for(lambda: run.notes("drain"), "the drain")
        run.signal(signal.SIGINT)
        assert run.code() == 0
        with contextlib.suppress(ConnectionResetError):
            assert sock.recv(1) == b""
    assert run.notes("drained") == []
    assert len(run.notes("stop")) == 1


def test_worker_deaf_to_the_drain_is_killed(start: Start) -> None:
    run = start("drain: 100ms\nforwarding: {via: stuck}\n", kill_grace_s=0.2).ready()
    run.signal()
    assert run.code() == 1
    assert "1 worker killed" in run.text()


def test_worker_ends_itself_when_its_drain_hangs(start: Start) -> None:
    """Its own time limit acts without the loop, also when no supervisor is there to kill it."""
    run = start("drain: 100ms\nforwarding: {via: stuck}\n").ready()
    (pid,) = run.pids("start")
    run.process.kill()
    run.wait_for(lambda: not alive(pid), "the worker's end")
    assert "Timeout (0:00:02" in run.text()


def test_workers_drain_and_end_when_the_supervisor_dies(start: Start) -> None:
    run = start("workers: 2\n").ready()
    pids = run.pids("start")
    with waiting_client(run) as sock:
        run.process.kill()
        run.wait_for(lambda: len(run.notes("drain")) == 2, "the drain")
        assert alive(run.pids("waiting")[0])
        sock.sendall(b"x")
        assert answer_on(sock)["pid"] in pids
    run.wait_for(lambda: not any(map(alive, pids)), "the workers' end")
    assert len(run.notes("drained")) == len(run.notes("drain-0.5-True")) == 2


@pytest.mark.parametrize("workers", [1, 2])
def test_term_sent_to_a_worker_drains_it_when_another_is_in_its_place(
    start: Start, workers: int
) -> None:
    run = start(f"workers: {workers}\n").ready()
    with waiting_client(run) as sock:
        (pid,) = run.pids("waiting")
        os.kill(pid, signal.SIGTERM)
        run.wait_for(lambda: run.notes("drain"), "the drain")
        assert len(run.notes("start")) == workers + 1  # before
        # Nobody waits for the end of the one that drains, wherever the kernel sends him.
        assert pid not in {run.ask()["pid"] for _ in range(20)}
        sock.sendall(b"x")
        assert answer_on(sock)["pid"] == pid
    run.wait_for(lambda: f"(pid {pid}) ended with code 0" in run.text(), "its end")
    assert run.pids("drain-5-False") == [pid]


def test_interrupt_from_the_terminal_leaves_the_workers_to_the_supervisor(start: Start) -> None:
    run = start().ready()
    (pid,) = run.pids("start")
    os.kill(pid, signal.SIGINT)
    assert run.ask()["pid"] == pid
    assert signal_sets(pid)["SigBlk"] & 1 << (signal.SIGINT - 1) == 0


def test_usr1_reopens_the_access_log(start: Start) -> None:
    run = start("workers: 2\n").ready()
    moved = run.log.with_suffix(".1")
    run.log.rename(moved)
    run.signal(signal.SIGUSR1)
    run.wait_for(lambda: len(run.notes("reopened")) == 2, "both workers in the new file")
    os.kill(run.pids("reopened")[0], signal.SIGKILL)
    run.wait_for(lambda: run.notes("start"), "a later worker in the new file")
    assert "reopened" not in moved.read_text()


def test_usr1_with_a_bad_path_keeps_the_old_file(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    run = start(f"access_log: {{path: {folder}/a.log}}\n").ready()
    folder.rename(tmp_path / "moved")
    run.signal(signal.SIGUSR1)
    run.wait_for(lambda: "access log not reopened" in run.text(), "the complaint")
    assert run.ask()["index"] == 0


def test_access_log_that_cannot_be_opened_is_one_sentence(start: Start) -> None:
    run = start("access_log: {path: /nonexistent/x.log}\n")
    assert run.code() == 1
    assert "cannot open the access log: No such file or directory" in run.text()
    assert "Traceback" not in run.text()


def test_address_in_use_is_one_sentence_and_starts_nothing(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        bind = f"127.0.0.1:{other.getsockname()[1]}"
        run = start(f'listeners: [{{bind: "{bind}"}}]\n')
        assert run.code() == 1
    assert f"cannot listen on {bind}: the address is in use by another process" in run.text()
    assert "Traceback" not in run.text()
    assert run.notes("start") == []


def test_second_gateway_does_not_join_the_first_ones_port(start: Start) -> None:
    first = start("workers: 2\n").ready()
    second = start(f'listeners: [{{bind: "{first.binds[0]}"}}]\n')
    assert second.code() == 1
    assert "in use by another process" in second.text()


def test_unix_socket_is_shared_and_removed_at_the_end(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "s"
    run = start(f'workers: 2\nlisteners: [{{bind: "unix:{path}"}}]\n').ready()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        assert ask_on(sock)["pid"] in run.pids("start")
    run.signal()
    assert run.code() == 0
    assert not path.exists()


def test_same_listener_serves_on_ipv6(start: Start) -> None:
    run = start('listeners: [{bind: "127.0.0.1:0"}, {name: six, bind: "[::1]:0"}]\n').ready()
    with socket.create_connection(("::1", int(run.binds[1].rpartition(":")[2]))) as sock:
        assert ask_on(sock)["listener"] == "six"


def signal_sets(pid: int) -> dict[str, int]:
    """The signal masks of a process, from /proc."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    pairs = (line.split(":\t") for line in lines if line.startswith("Sig"))
    return {name: int(mask, 16) for name, mask in pairs if name != "SigQ"}


def test_reload_that_ends_while_all_drain_starts_no_worker() -> None:
    """Every worker is leaving then, which is no reason to start others in their place."""

    async def main() -> None:
        text = "access_log: off\nlisteners: [{bind: 127.0.0.1:0}]\nroutes:\n"
        text += "  - {match: {path: /}, middleware: [{echo: {}}]}\n"
        config = parse_config(text, "pygw.yaml", Sources({}))
        supervisor = Supervisor(config)
        supervisor._open()
        supervisor._on_stop_signal(signal.SIGTERM)
        await supervisor._resize(Change(1, supervisor._generation, supervisor._generation))
        try:
            assert supervisor._keepers == []
        finally:
            await supervisor._kill_all()
            supervisor._close()

    asyncio.run(main())
