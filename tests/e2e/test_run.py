"""The command as a person meets it: `pygw run`, its banner, its exit codes, its signals."""

from __future__ import annotations

import os
import re
import signal
import socket
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.commands import Run, call, get
from tests.peers import process
from tests.peers.link import until
from tests.peers.origin import Origin
from tests.peers.payload import answer


def write_config(folder: Path, text: str) -> str:
    """A config file; its path."""
    path = folder / "gateway.yaml"
    path.write_text(text)
    return str(path)


def test_quickstart_answers_the_first_request(run: Callable[..., Run]) -> None:
    started = run("--listen", "127.0.0.1:0")
    assert "/hello" in get(started.wait_url() + "/hello")
    assert started.end() == 0


def test_to_proxies_everything_to_one_service(
    run: Callable[..., Run], origin: Origin, tmp_path: Path
) -> None:
    origin.serve(lambda m: answer(b"from the service: " + m.target))
    started = run("--to", origin.url, "--listen", "127.0.0.1:0")
    assert get(started.wait_url() + "/a/b?c") == "from the service: /a/b?c"
    assert started.end() == 0
    assert origin.url in started.err.read_text()
    assert '"GET /a/b?c HTTP/1.1" 200' in started.out.read_text()


def test_banner_and_log_keep_to_their_streams(run: Callable[..., Run]) -> None:
    started = run("--listen", "127.0.0.1:0")
    get(started.wait_url())
    assert started.end(signal.SIGINT) == 0
    banner = started.err.read_text()
    assert re.match(r"pygw \d+\.\d+\.\d+ · 1 worker · libuv 1\.\d+ · llhttp 9", banner)
    assert len(started.out.read_text().splitlines()) == 1


def test_config_in_the_current_folder_is_found(run: Callable[..., Run], tmp_path: Path) -> None:
    (tmp_path / "pygw.yaml").write_text(
        "listeners: [{bind: 127.0.0.1:0}]\n"
        "routes: [{match: {path: /*}, middleware: [{respond: {body: found}}]}]\n"
    )
    started = run()
    assert get(started.wait_url()) == "found"
    assert started.end() == 0


def test_two_workers_serve_and_both_end(run: Callable[..., Run]) -> None:
    started = run("--listen", "127.0.0.1:0", "--workers", "2")
    url = started.wait_url()
    workers = process.descendants_of(started.process.pid)
    assert len(workers) >= 2
    for _ in range(20):
        get(url)
    assert started.end() == 0
    assert not any(process.rss_bytes(pid) for pid in workers)


def test_killed_worker_is_started_again(run: Callable[..., Run]) -> None:
    started = run("--listen", "127.0.0.1:0")
    url = started.wait_url()
    (worker,) = process.children_of(started.process.pid)
    os.kill(worker, signal.SIGKILL)
    until(
        lambda: process.children_of(started.process.pid) not in ([], [worker]), "a new worker", 10
    )
    assert get(url)
    assert started.end() == 0


def test_worker_ends_when_its_supervisor_is_killed(run: Callable[..., Run]) -> None:
    started = run("--listen", "127.0.0.1:0")
    get(started.wait_url())
    (worker,) = process.children_of(started.process.pid)
    started.process.kill()
    started.process.wait()
    until(lambda: not process.rss_bytes(worker), "the worker's end", 5)


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "--nonsense"),
        ("run", "--workers", "0"),
        ("run", "--workers", "many"),
        ("run", "--listen", "nowhere"),
        ("run", "--to", "ftp://x"),
        ("run", "a.yaml", "--to", "http://127.0.0.1:1"),
        ("frobnicate",),
    ],
)
def test_wrong_usage_is_exit_2(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = call(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr


def test_bad_config_is_exit_1_with_every_error_and_its_place(tmp_path: Path) -> None:
    path = write_config(
        tmp_path,
        "listeners:\n  - bind: 127.0.0.1:0\ntimeouts:\n  conect: 2s\n  response: 30\n"
        "routes:\n  - match: {path: /*}\n    upstream: api\n",
    )
    done = call("run", path, cwd=tmp_path)
    assert done.returncode == 1
    assert "gateway.yaml:4:" in done.stderr and "conect" in done.stderr
    assert "gateway.yaml:5:" in done.stderr
    assert "Traceback" not in done.stderr


def test_missing_config_is_exit_1(tmp_path: Path) -> None:
    done = call("run", "absent.yaml", cwd=tmp_path)
    assert done.returncode == 1
    assert "absent.yaml" in done.stderr
    assert "Traceback" not in done.stderr


def test_port_in_use_is_exit_1_and_says_so(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = call("run", "--listen", f"127.0.0.1:{port}", cwd=tmp_path)
    assert done.returncode == 1
    assert f"127.0.0.1:{port}" in done.stderr and "in use" in done.stderr
    assert "Traceback" not in done.stderr


def test_log_that_can_not_be_opened_is_exit_1(tmp_path: Path) -> None:
    path = write_config(
        tmp_path,
        "listeners: [{bind: 127.0.0.1:0}]\naccess_log: {path: /absent/folder/x.log}\n"
        "routes: [{match: {path: /*}, middleware: [{echo: {}}]}]\n",
    )
    done = call("run", path, cwd=tmp_path)
    assert done.returncode == 1
    assert "/absent/folder/x.log" in done.stderr


def test_version_and_doctor_speak_on_stdout(tmp_path: Path) -> None:
    version = call("--version", cwd=tmp_path)
    assert version.returncode == 0 and re.match(r"pygw \d", version.stdout)
    doctor = call("doctor", cwd=tmp_path)
    assert doctor.returncode == 0
    assert "libuv" in doctor.stdout and "llhttp" in doctor.stdout


def test_own_answers_are_problem_json_or_text_by_accept(
    run: Callable[..., Run], tmp_path: Path
) -> None:
    """RFC 9457 for programs, a sentence for people."""
    path = write_config(
        tmp_path,
        "listeners: [{bind: 127.0.0.1:0}]\n"
        "routes: [{match: {path: /only}, middleware: [{echo: {}}]}]\n",
    )
    started = run(path)
    url = started.wait_url() + "/absent"
    for accept, kind in (
        ("application/json", "application/problem+json"),
        ("application/problem+json", "application/problem+json"),
        ("text/plain", "text/plain"),
    ):
        asked = urllib.request.Request(url, headers={"Accept": accept})
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(asked, timeout=5)
        assert caught.value.code == 404
        assert caught.value.headers["Content-Type"].startswith(kind)
        assert caught.value.headers["Proxy-Status"].startswith("pygw")
        caught.value.close()
    assert started.end() == 0


def test_usr1_reopens_the_log_after_a_rotation(run: Callable[..., Run], tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    path = write_config(
        tmp_path,
        f"listeners: [{{bind: 127.0.0.1:0}}]\naccess_log: {{path: {log}}}\n"
        "routes: [{match: {path: /*}, middleware: [{echo: {}}]}]\n",
    )
    started = run(path)
    url = started.wait_url()
    get(url + "/one")
    until(lambda: "/one" in log.read_text(), "the first line")
    log.rename(tmp_path / "a.log.1")
    started.process.send_signal(signal.SIGUSR1)
    until(lambda: log.exists(), "a new file")
    until(lambda: "reopened" in started.err.read_text(), "the supervisor says so")
    get(url + "/two")
    until(lambda: "/two" in log.read_text(), "the second line")
    assert "/two" not in (tmp_path / "a.log.1").read_text()
    assert started.end() == 0
