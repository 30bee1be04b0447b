"""HUP and `--watch` as a person meets them, with the real data plane, under load."""

from __future__ import annotations

import contextlib
import http.client
import re
import signal
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.commands import Run, call, get
from tests.peers import process
from tests.peers.link import until
from tests.peers.origin import Origin
from tests.peers.payload import answer

SAID = re.compile(r"^\d\d:\d\d:\d\d (reload .*|nothing to reload.*)$", re.MULTILINE)


def write(folder: Path, body: str, more: str = "", listeners: str = "{bind: 127.0.0.1:0}") -> str:
    """A configuration that answers with this body; its path."""
    path = folder / "gateway.yaml"
    fresh = folder / "gateway.yaml.new"
    fresh.write_text(
        f"access_log: off\nlisteners: [{listeners}]\n"
        f"routes: [{{match: {{path: /*}}, middleware: [{{respond: {{body: {body}}}}}]}}]\n{more}"
    )
    fresh.rename(path)
    return str(path)


def said(started: Run) -> list[str]:
    """What was said of reloads."""
    return SAID.findall(started.err.read_text())


def reload(started: Run) -> str:
    """HUP; what is said of it."""
    before = len(said(started))
    started.process.send_signal(signal.SIGHUP)
    until(lambda: len(said(started)) > before, "the reload", 20)
    return said(started)[before]


def test_hup_serves_by_the_new_file(run: Callable[..., Run], tmp_path: Path) -> None:
    started = run(write(tmp_path, "one"), "--workers", "2")
    url = started.wait_url()
    assert get(url) == "one"
    write(tmp_path, "two")
    assert re.fullmatch(r"reload ok in \d+ ms: ~1 route", reload(started))
    assert {get(url) for _ in range(20)} == {"two"}
    assert started.end() == 0


def test_bad_file_changes_nothing_and_says_everything(
    run: Callable[..., Run], tmp_path: Path
) -> None:
    started = run(write(tmp_path, "one"))
    url = started.wait_url()
    write(tmp_path, "two", "tiemouts: {}\ndrain: 3\n")
    assert reload(started).startswith("reload refused: ")
    told = started.err.read_text()
    assert "gateway.yaml:4:" in told and "gateway.yaml:5:" in told
    assert "2 errors, nothing was applied (still serving plan 1)" in told
    assert get(url) == "one"
    write(tmp_path, "three")
    assert reload(started).startswith("reload ok")
    assert get(url) == "three"
    assert started.end() == 0


def test_overrides_of_the_command_line_outlive_a_reload(
    run: Callable[..., Run], tmp_path: Path
) -> None:
    path = write(tmp_path, "one", listeners="{bind: 192.0.2.1:80}")
    started = run(path, "--listen", "127.0.0.1:0", "--workers", "2")
    url = started.wait_url()
    workers = process.children_of(started.process.pid)
    write(tmp_path, "two", listeners="{bind: 192.0.2.1:80}")
    assert reload(started).startswith("reload ok")
    assert get(url) == "two"
    assert process.children_of(started.process.pid) == workers
    assert started.end() == 0


def test_without_a_file_there_is_nothing_to_reload(run: Callable[..., Run]) -> None:
    started = run("--listen", "127.0.0.1:0")
    url = started.wait_url()
    assert reload(started) == "nothing to reload: there is no configuration file"
    assert get(url)
    assert started.end() == 0


def test_watch_applies_edits_and_refuses_bad_ones(run: Callable[..., Run], tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("from-a-file")
    started = run(write(tmp_path, "one"), "--watch")
    url = started.wait_url()
    write(tmp_path, '"${file:secret}"')
    until(lambda: get(url) == "from-a-file", "the edit", 10)
    secret.write_text("another")
    until(lambda: get(url) == "another", "the edit of the file inside", 10)
    write(tmp_path, "two", "nonsense: 1\n")
    until(lambda: said(started)[-1].startswith("reload refused"), "the refusal", 10)
    assert get(url) == "another"
    write(tmp_path, "three")
    until(lambda: get(url) == "three", "the mended edit", 10)
    assert started.end() == 0


def test_watch_without_a_file_is_wrong_usage(tmp_path: Path) -> None:
    done = call("run", "--watch", "--listen", "127.0.0.1:0", cwd=tmp_path)
    assert done.returncode == 2
    assert "--watch needs a configuration file" in done.stderr


def test_listener_added_by_a_reload_serves_and_a_removed_one_refuses(
    run: Callable[..., Run], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    both = f"{{bind: 127.0.0.1:0}}, {{bind: 127.0.0.1:{port}}}"
    started = run(write(tmp_path, "one"), "--workers", "2")
    url = started.wait_url()
    write(tmp_path, "two", listeners=both)
    assert "+1 listener" in reload(started)
    kept = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    kept.request("GET", "/")
    assert kept.getresponse().read() == b"two"
    write(tmp_path, "three")
    assert "-1 listener" in reload(started)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    kept.request("GET", "/")  # its connections live on
    assert kept.getresponse().read() == b"three"
    kept.close()
    assert get(url) == "three"
    assert started.end() == 0


def test_workers_come_and_go_without_a_refused_client(
    run: Callable[..., Run], tmp_path: Path
) -> None:
    """Each client has a fresh connection, and some go to a worker just before it drains."""
    started = run(write(tmp_path, "one", "workers: 1\n"))
    url = started.wait_url()
    with hammering(url, threads=2, kept_for=1) as wrong:
        for count in (3, 1, 2):
            write(tmp_path, "one", f"workers: {count}\n")
            assert "workers" in reload(started)
            until(
                lambda count=count: len(process.children_of(started.process.pid)) == count,
                f"{count} workers",
                10,
            )
    assert wrong == []
    assert started.end() == 0


def test_ten_reloads_under_load_fail_no_request(
    run: Callable[..., Run], origin: Origin, tmp_path: Path
) -> None:
    origin.serve(lambda m: answer(b"from the service"))
    path = tmp_path / "gateway.yaml"

    def configure(number: int) -> None:
        routes = "".join(
            f"  - {{match: {{path: /r{n}}}, upstream: api}}\n" for n in range(100 + number)
        )
        path.write_text(
            "access_log: off\nlisteners: [{bind: 127.0.0.1:0}]\n"
            f'upstreams: {{api: {{targets: ["{origin.url}"]}}}}\nroutes:\n{routes}'
        )

    configure(0)
    started = run(str(path), "--workers", "2")
    url = started.wait_url()
    with hammering(url + "/r1", threads=4) as wrong:
        for number in range(1, 11):
            configure(number)
            assert re.fullmatch(r"reload ok in \d+ ms: \+1 route", reload(started))
    assert wrong == []
    assert "-11 routes" not in started.err.read_text()
    assert started.end() == 0


@contextlib.contextmanager
def hammering(url: str, threads: int, kept_for: int = 10) -> Iterator[list[str]]:
    """Clients that ask without pause, so often on each connection; what went wrong."""
    wrong: list[str] = []
    counts = [0] * threads
    over = threading.Event()
    host = urllib.request.Request(url).host
    path = urllib.request.Request(url).selector or "/"

    def ask(number: int) -> None:
        kept = http.client.HTTPConnection(host, timeout=10)
        while not over.is_set():
            try:
                if counts[number] % kept_for == 0:
                    kept.close()  # the next request takes a fresh connection
                kept.request("GET", path)
                got = kept.getresponse()
                got.read()
                if got.status != 200:
                    wrong.append(f"status {got.status}")
                if got.will_close:
                    kept.close()
                counts[number] += 1
            except Exception as error:
                wrong.append(repr(error))
                kept.close()
        kept.close()

    clients = [threading.Thread(target=ask, args=(n,)) for n in range(threads)]
    for client in clients:
        client.start()
    try:
        until(lambda: min(counts) > 10, "the load", 20)
        yield wrong
        # Some more under the last configuration.
        now = counts[:]
        deadline = time.monotonic() + 20
        while any(counts[n] < now[n] + 10 for n in range(threads)):
            assert time.monotonic() < deadline, "the load stands still"
            time.sleep(0.01)
    finally:
        over.set()
        for client in clients:
            client.join(20)
