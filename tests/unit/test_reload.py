"""Reload with stand-in workers: all or none, sockets and logs that come and go, deaths between."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.supervised import (
    PATIENCE_S,
    Running,
    Start,
    alive,
    answer_on,
    ask_on,
    refused,
    waiting_client,
)

OTHER = "routes: [{match: {path: /a}, middleware: [{echo: {}}]}]\n"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts supervisors in the test's folder and ends them after it."""
    with contextlib.ExitStack() as stack:
        yield lambda config="", **options: stack.enter_context(Running(tmp_path, config, **options))


def generations(run: Running, clients: int = 20) -> set[int]:
    """The plans that answer now."""
    return {run.ask()["generation"] for _ in range(clients)}


def test_good_reload_serves_by_the_new_plan_in_every_worker(start: Start) -> None:
    run = start("workers: 2\n").ready()
    assert generations(run) == {1}
    said = run.reload(f"workers: 2\n{OTHER}")
    assert said.startswith("reload ok in ")
    assert said.endswith(" ms: +1 route, -1 route")
    assert generations(run) == {2}
    assert len(run.notes("commit")) == 4
    assert run.pids("start") == run.pids("commit")[:2] and len(run.notes("start")) == 2


def test_reload_keeps_connections_and_running_requests(start: Start) -> None:
    run = start().ready()
    with waiting_client(run) as sock:
        run.reload(OTHER)
        sock.sendall(b"x")
        assert answer_on(sock)["generation"] == 2


def test_bad_file_is_refused_with_every_error_and_the_old_plan_stays(start: Start) -> None:
    run = start("workers: 2\n").ready()
    said = run.reload("workers: many\ndrian: 1s\n")
    assert said.startswith("reload refused: ")
    assert "pygw.yaml:4:" in run.text() and "drian" in run.text()
    assert "2 errors, nothing was applied (still serving plan 1)" in run.text()
    assert generations(run) == {1}
    assert run.notes("compile") == []
    assert "reload ok" in run.reload("workers: 2\n")


def test_unreadable_file_is_refused(start: Start) -> None:
    run = start().ready()
    run.path.unlink()
    run.signal(signal.SIGHUP)
    run.wait_for(run.said, "the refusal")
    assert "cannot read: No such file or directory" in run.text()
    assert generations(run) == {1}


def test_a_mistake_of_ours_in_reading_ends_nobody(start: Start) -> None:
    run = start().ready()
    run.configure("# made to fail\n")
    run.signal(signal.SIGHUP)
    run.wait_for(lambda: "ZeroDivisionError: made to fail" in run.text(), "what went wrong")
    assert "reload failed (still serving plan 1)" in run.text()
    assert "reload ok" in run.reload("workers: 1\n")


def test_one_worker_that_refuses_is_enough_for_all(start: Start) -> None:
    run = start("workers: 3\n").ready()
    said = run.reload("workers: 3\nforwarding: {via: late-bad-plan}\n")
    assert said == (
        "reload refused: routes[0].path: made to fail in worker 1 (still serving plan 1)"
    )
    run.wait_for_notes("drop", 3)
    assert generations(run) == {1}
    assert len(run.notes("start")) == 3
    assert "+1" in run.reload(f"workers: 3\n{OTHER}")
    assert generations(run) == {2}


def test_what_all_refuse_is_said_once(start: Start) -> None:
    run = start("workers: 2\n").ready()
    run.reload("workers: 2\nforwarding: {via: bug}\n")
    assert run.text().count("reload refused: ZeroDivisionError: made to fail (still") == 1


def test_worker_that_dies_while_it_prepares_starts_on_the_committed_plan(start: Start) -> None:
    run = start("workers: 2\n").ready()
    said = run.reload("workers: 2\nforwarding: {via: die-1}\n")
    assert said.startswith("reload ok")
    assert "worker 1 (pid" in run.text() and "while it prepared" in run.text()
    run.wait_for(lambda: len(run.notes("start")) == 3, "another worker")
    assert generations(run) == {2}
    assert "reload ok" in run.reload("workers: 2\n")
    assert generations(run) == {3}


def test_plan_that_ends_every_worker_is_refused(start: Start) -> None:
    run = start("workers: 2\n").ready()
    said = run.reload("workers: 2\nforwarding: {via: compile-dies}\n")
    assert said == ("reload refused: every worker ended while it prepared (still serving plan 1)")
    run.wait_for(lambda: len(run.notes("start")) == 4, "two new workers")
    assert generations(run) == {1}


def test_worker_that_cannot_commit_is_replaced_on_the_new_plan(start: Start) -> None:
    run = start("workers: 1\ndrain: 0s\n").ready()
    run.reload("workers: 1\ndrain: 0s\nforwarding: {via: commit-fails}\n")
    run.wait_for(lambda: len(run.notes("start")) > 1, "another worker")
    assert "cannot do what it was told" in run.text()


def test_signals_that_come_during_a_reload_are_one_more(start: Start) -> None:
    run = start().ready()
    run.configure("forwarding: {via: compile-slow}\n")
    run.signal(signal.SIGHUP)
    run.wait_for(lambda: run.notes("compile"), "the compiling")
    run.configure("")
    for _ in range(5):
        run.signal(signal.SIGHUP)
    run.wait_for(lambda: len(run.said()) == 2, "two reloads")
    assert run.ask()["generation"] == 3
    assert len(run.notes("compile")) == 2


def test_worker_that_compiles_still_answers_and_drains(start: Start) -> None:
    run = start().ready()
    run.configure("forwarding: {via: compile-slow}\n")
    run.signal(signal.SIGHUP)
    run.wait_for(lambda: run.notes("compile"), "the compiling")
    assert run.ask()["generation"] == 1
    run.signal()
    assert run.code() == 0
    assert run.said() == []


def test_worker_that_dies_during_back_off_of_another_waits_for_no_reload(start: Start) -> None:
    run = start("workers: 2\n", backoff_first_s=30).ready()
    os.kill(run.pids("start")[0], signal.SIGKILL)
    run.wait_for(lambda: "starting it again" in run.text(), "back-off")
    assert "reload ok" in run.reload(f"workers: 2\n{OTHER}")


def test_listener_is_added_and_removed_in_running_workers(start: Start) -> None:
    run = start("workers: 2\n").ready()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    both = (
        f'workers: 2\nlisteners: [{{bind: "127.0.0.1:0"}}, {{name: b, bind: "127.0.0.1:{port}"}}]\n'
    )
    assert "+1 listener" in run.reload(both)
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as sock:
        facts = ask_on(sock)
    assert (facts["listener"], facts["generation"]) == ("b", 2)
    assert facts["pid"] in run.pids("start")
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as waiting:
        waiting.sendall(b"GET /wait HTTP/1.0\r\n\r\n")
        run.wait_for(lambda: run.notes("waiting"), "the request to run")
        assert "-1 listener" in run.reload("workers: 2\n")
        assert refused(port)
        waiting.sendall(b"x")
        assert answer_on(waiting)["listener"] == "b"
    assert generations(run) == {3}
    assert len(run.notes("start")) == 2


def test_unix_listener_is_added_and_its_file_removed_with_it(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "s"
    run = start("workers: 2\n").ready()
    run.reload(f'workers: 2\nlisteners: [{{bind: "127.0.0.1:0"}}, {{bind: "unix:{path}"}}]\n')
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        assert ask_on(sock)["listener"] == "l2"
    run.reload("workers: 2\n")
    assert not path.exists()


def test_address_in_use_refuses_the_reload(start: Start) -> None:
    run = start().ready()
    with socket.create_server(("127.0.0.1", 0)) as other:
        bind = f"127.0.0.1:{other.getsockname()[1]}"
        said = run.reload(f'listeners: [{{bind: "127.0.0.1:0"}}, {{bind: "{bind}"}}]\n{OTHER}')
    assert said == (
        f"reload refused: cannot listen on {bind}: the address is in use by another process"
        " (still serving plan 1)"
    )
    assert generations(run, 3) == {1}


def test_more_workers_are_started_and_fewer_drain(start: Start) -> None:
    run = start("workers: 1\n").ready()
    (first,) = run.pids("start")
    assert "workers" in run.reload("workers: 3\n")
    assert len(run.notes("start")) == 3
    run.wait_for(lambda: {run.ask()["pid"] for _ in range(40)} == set(run.pids("start")), "all 3")
    with waiting_client(run) as sock:
        waiter = run.pids("waiting")[0]
        run.reload("workers: 1\n")
        # Every client is answered, whichever socket of the three the kernel gave it to.
        run.wait_for(lambda: {run.ask()["pid"] for _ in range(60)} == {first}, "the one left")
        sock.sendall(b"x")
        assert answer_on(sock)["pid"] == waiter
    run.wait_for(lambda: sum(map(alive, run.pids("start"))) == 1, "the end of two")
    assert len(run.notes("drain-5-False")) == 2
    assert "starting it again" not in run.text()
    assert "workers" in run.reload("workers: 2\n")
    run.wait_for(lambda: len({run.ask()["pid"] for _ in range(40)}) == 2, "two workers")
    assert max(run.ask()["shared_bytes"] for _ in range(40)) >= 2 * 4096


def test_access_log_moves_goes_and_comes_back(start: Start, tmp_path: Path) -> None:
    run = start("workers: 2\n").ready()
    moved = tmp_path / "b.log"
    run.reload(f"workers: 2\naccess_log: {{path: {moved}, format: json}}\n")
    run.wait_for(lambda: moved.read_text().count("reopened") == 2, "both in the new file")
    run.reload("workers: 2\naccess_log: off\n")
    before = moved.read_text()
    with run.connect() as sock:
        sock.sendall(b"GET /wait HTTP/1.0\r\n\r\nx")
        answer_on(sock)
    assert moved.read_text() == before
    run.reload("workers: 2\n")
    run.wait_for(lambda: len(run.notes("reopened")) == 2, "both in the first file again")


def test_new_drain_time_counts(start: Start) -> None:
    run = start("drain: 60s\n").ready()
    run.reload("drain: 200ms\n")
    with waiting_client(run):
        run.signal()
        assert run.code() == 0
    assert "drain timed out after 0.2 s" in run.text()


def test_hup_during_the_start_is_obeyed_when_all_serve(start: Start) -> None:
    run = start("forwarding: {via: slow-start}\n")
    run.wait_for(lambda: run.notes("start"), "the start")
    run.signal(signal.SIGHUP)
    run.ready()
    run.wait_for(run.said, "the reload")
    assert "nothing changed" in run.said()[0]


def test_hup_sent_to_a_worker_is_ignored(start: Start) -> None:
    run = start().ready()
    (pid,) = run.pids("start")
    for number in (signal.SIGHUP, signal.SIGUSR1):
        os.kill(pid, number)
    assert run.ask()["pid"] == pid


def test_plan_travels_beside_the_channel_and_is_whole(start: Start) -> None:
    """A plan larger than a message may be, with characters of all widths."""
    run = start().ready()
    body = json.dumps("é" * 60_000)
    routes = "".join(
        f"- {{match: {{path: /r{n}}}, middleware: [{{respond: {{body: {body}}}}}]}}\n"
        for n in range(20)
    )
    assert "+20 routes" in run.reload(f"routes:\n{routes}")
    assert run.ask()["generation"] == 2


def test_ttin_and_ttou_make_one_worker_more_or_less_until_the_file_is_read_again(
    start: Start,
) -> None:
    run = start().ready()
    run.signal(signal.SIGTTIN)
    run.wait_for(lambda: len(run.notes("start")) == 2, "a second worker")
    run.wait_for(lambda: len({run.ask()["pid"] for _ in range(20)}) == 2, "both to serve")
    run.wait_for(run.said, "the reload")
    run.signal(signal.SIGTTOU)
    run.wait_for(lambda: run.pids("drained") == run.pids("start")[1:], "the second to leave")
    assert {run.ask()["pid"] for _ in range(20)} == {run.pids("start")[0]}
    run.signal(signal.SIGTTOU)  # one is the least
    run.wait_for(lambda: "nothing changed" in run.text(), "the reload that changes nothing")
    run.signal(signal.SIGTTIN)
    run.wait_for(lambda: len(run.notes("start")) == 3, "a third")
    run.signal(signal.SIGHUP)
    run.wait_for(lambda: len(run.notes("drained")) == 2, "the third to leave")
    assert run.ask()["pid"] == run.pids("start")[0]
