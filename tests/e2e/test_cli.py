"""The `pygw` command as a person meets it: output, exit codes, lookup, quickstart, proxy."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pygw import __version__
from pygw.cli.common import find_config
from pygw.cli.run import Job, render_banner
from pygw.config import Config
from pygw.listeners import open_listener

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 20.0

GOOD = """
listeners: [{bind: "127.0.0.1:0"}, {name: second, bind: "[::1]:0"}]
routes:
- {match: {path: /hello}, middleware: [{respond: {body: "hello from the config"}}]}
- {match: {path: "/*"}, middleware: [{respond: {status: 404, body: nothing}}]}
"""


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pygw", *arguments]


def environment(**more: str) -> dict[str, str]:
    return {"PYTHONPATH": str(ROOT), **os.environ, **more}


def pygw(*arguments: str, cwd: Path = ROOT, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command that ends by itself."""
    return subprocess.run(
        command(*arguments),
        cwd=cwd,
        env=environment(**more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


class Gateway:
    """A running `pygw run` and its standard error."""

    def __init__(self, folder: Path, arguments: Sequence[str], **more: str) -> None:
        self.errors = folder / "stderr.txt"
        self.out = folder / "stdout.txt"
        with self.errors.open("wb") as errors, self.out.open("wb") as out:
            self.process = subprocess.Popen(
                command("run", *arguments),
                cwd=folder,
                env=environment(**more),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=errors,
            )
        end = time.monotonic() + PATIENCE_S
        while "Ctrl-C to stop" not in self.text():
            assert self.process.poll() is None, self.text()
            assert time.monotonic() < end, self.text()
            time.sleep(0.01)

    def text(self) -> str:
        return self.errors.read_text("utf-8")

    @property
    def ports(self) -> list[int]:
        return [int(p) for p in re.findall(r"  proxy  http://\S+:(\d+) → ", self.text())]

    def get(self, path: str, host: str = "127.0.0.1", listener: int = 0) -> tuple[int, str]:
        client = http.client.HTTPConnection(host, self.ports[listener], timeout=PATIENCE_S)
        with contextlib.closing(client):
            client.request("GET", path)
            answer = client.getresponse()
            return answer.status, answer.read().decode()

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)


@contextlib.contextmanager
def running(folder: Path, *arguments: str, **more: str) -> Iterator[Gateway]:
    gateway = Gateway(folder, arguments, **more)
    try:
        yield gateway
    finally:
        if gateway.process.poll() is None:
            gateway.process.kill()
        gateway.process.wait()


@contextlib.contextmanager
def origin() -> Iterator[str]:
    """A small web server; its URL."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f"origin saw {self.path}".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Stay quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def test_version_is_data() -> None:
    done = pygw("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"pygw {__version__}\n", "")


def test_version_loads_nothing_heavy() -> None:
    code = (
        "import sys; from pygw.cli import main\n"
        "try: main(['--version'])\n"
        "except SystemExit: pass\n"
        "print(*sorted({'asyncio', 'pydantic', 'yaml', 'uvloop'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout == f"pygw {__version__}\n\n"


def test_doctor_prints_its_table_as_data() -> None:
    done = pygw("doctor")
    assert done.returncode == 0, done.stdout
    assert "libuv" in done.stdout
    assert "llhttp" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["run", "--nope"], "No such option"),
        (["run", "x.yaml", "--to", "http://127.0.0.1:1"], "not both"),
        (["run", "--to", "https://127.0.0.1:1"], "https targets are not supported yet"),
        (["run", "--to", "127.0.0.1:1"], 'did you mean "http://127.0.0.1:1"?'),
        (["run", "--listen", "8080"], "must be an address and port"),
        (["run", "--listen", "localhost:80"], "write 127.0.0.1:80"),
        (["run", "--workers", "0"], "range"),
        (["run", "--workers", "two"], "not a valid integer"),
        (["walk"], "No such command"),
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str], why: str) -> None:
    done = pygw(*arguments)
    assert done.returncode == 2
    assert why in " ".join(done.stderr.split())
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_wrong_config_shows_every_error_and_is_exit_code_1(tmp_path: Path) -> None:
    (tmp_path / "pygw.yaml").write_text(
        'listeners: [{bind: "127.0.0.1:0"}]\n'
        "upstreams:\n"
        "  api:\n"
        '    targets: [{url: "http://127.0.0.1:9001"}]\n'
        "    retries: -3\n"
        "    timout: 3s\n"
        "routes: [{match: {path: /*}, upstream: apu}]\n"
    )
    done = pygw("run", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        "pygw.yaml:5:5   error  upstreams.api.retries: must be at least 0, got -3\n"
        "    5 |     retries: -3\n"
        "      |              ^\n"
        'pygw.yaml:6:5   error  upstreams.api.timout: unknown key; did you mean "timeouts"?\n'
        "    6 |     timout: 3s\n"
        "      |     ^\n"
        'pygw.yaml:7:30  error  routes[0].upstream: unknown upstream; did you mean "api"?\n'
        "    7 | routes: [{match: {path: /*}, upstream: apu}]\n"
        "      |                                        ^\n"
        "3 errors, nothing was applied\n"
    )


@pytest.mark.parametrize("by_variable", [True, False])
def test_config_that_is_missing_is_exit_code_1(tmp_path: Path, by_variable: bool) -> None:
    if by_variable:
        done = pygw("run", cwd=tmp_path, PYGW_CONFIG="none.yaml")
    else:
        done = pygw("run", "none.yaml", cwd=tmp_path)
    assert done.returncode == 1
    assert "none.yaml  error  cannot read: No such file or directory" in done.stderr


def test_lookup_prefers_the_folder_then_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_config({"PYGW_CONFIG": "/x/y.yaml"}) == "/x/y.yaml"
    assert find_config({"PYGW_CONFIG": ""}) in (None, "/etc/pygw/pygw.yaml")
    (tmp_path / "pygw.yaml").touch()
    assert find_config({"PYGW_CONFIG": "/x/y.yaml"}) == "pygw.yaml"


@pytest.mark.parametrize(
    ("workers", "binds", "banner"),
    [
        (
            1,
            ["127.0.0.1:0"],
            f"pygw {__version__} · 1 worker · libuv 1.52 · llhttp 9.4\n"
            "  proxy  http://127.0.0.1:PORT → http://127.0.0.1:9000   Ctrl-C to stop",
        ),
        (
            2,
            ["127.0.0.1:0", "unix:PATH", "[::1]:0"],
            f"pygw {__version__} · 2 workers · libuv 1.52 · llhttp 9.4\n"
            "  proxy  http://127.0.0.1:PORT → http://127.0.0.1:9000\n"
            "  proxy  unix:PATH → http://127.0.0.1:9000\n"
            "  proxy  http://[::1]:PORT → http://127.0.0.1:9000   Ctrl-C to stop",
        ),
    ],
)
def test_banner_names_real_addresses(
    tmp_path: Path, workers: int, binds: list[str], banner: str
) -> None:
    config = Config.from_data(
        {
            "workers": workers,
            "listeners": [{"bind": bind.replace("PATH", f"{tmp_path}/s")} for bind in binds],
            "routes": [{"match": {"path": "/*"}, "middleware": [{"echo": {}}]}],
        }
    )
    opened = [open_listener("x", one.bind, 1) for one in config.listeners]
    try:
        libraries = {"libuv": "1.52.1", "llhttp": "9.4"}
        text = render_banner(Job(config, "http://127.0.0.1:9000"), opened, libraries)
        for listener in opened:
            text = text.replace(f":{listener.bind.port} ", ":PORT ")
    finally:
        for listener in opened:
            listener.close()
    assert text.replace(str(tmp_path / "s"), "PATH") == banner


def test_quickstart_echoes_on_loopback(tmp_path: Path) -> None:
    with running(tmp_path, "--listen", "127.0.0.1:0", PYGW_CONFIG="") as gateway:
        assert re.search(
            rf"^pygw {__version__} · 1 worker · libuv 1\.\d+ · llhttp 9\.\d+$",
            gateway.text(),
            re.MULTILINE,
        )
        assert "→ built-in echo   Ctrl-C to stop" in gateway.text()
        status, body = gateway.get("/some/path")
        assert status == 200
        assert "/some/path" in body
        assert gateway.end() == 0
    assert "\x1b" not in gateway.text()


def test_to_proxies_everything(tmp_path: Path) -> None:
    with (
        origin() as url,
        running(tmp_path, "--to", url, "--listen", "127.0.0.1:0", "--workers", "2") as gateway,
    ):
        assert f"→ {url}   Ctrl-C to stop" in gateway.text()
        assert "2 workers" in gateway.text()
        assert gateway.get("/a?b=c") == (200, "origin saw /a?b=c")
        assert gateway.end(signal.SIGINT) == 0


def test_config_is_served_on_every_listener(tmp_path: Path) -> None:
    (tmp_path / "pygw.yaml").write_text(GOOD)
    with running(tmp_path) as gateway:
        assert gateway.text().count("→ 2 routes of pygw.yaml") == 2
        assert gateway.get("/hello") == (200, "hello from the config")
        assert gateway.get("/hello", "::1", 1) == (200, "hello from the config")
        assert gateway.get("/other")[0] == 404
        assert gateway.end() == 0
    assert gateway.out.read_text().count(" /hello ") == 2


def test_object_of_a_program_is_served(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "from pygw import Gateway\n"
        "gateway = Gateway()\n"
        "gateway.listener(bind='127.0.0.1:0')\n"
        "gateway.route(match={'path': '/*'}, middleware=[{'respond': {'body': 'from app'}}])\n"
    )
    with running(tmp_path, "app:gateway") as gateway:
        assert "→ 1 route of app:gateway" in gateway.text()
        assert gateway.get("/x") == (200, "from app")
        assert gateway.end() == 0


def test_listen_and_workers_override_the_config(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text(GOOD.replace("127.0.0.1:0", "192.0.2.1:80"))
    with running(tmp_path, "other.yaml", "--listen", "127.0.0.1:0", "--workers", "2") as gateway:
        assert "2 workers" in gateway.text()
        assert gateway.get("/hello")[0] == 200


def test_address_in_use_is_exit_code_1_and_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        bind = f"127.0.0.1:{other.getsockname()[1]}"
        done = pygw("run", "--to", "http://127.0.0.1:1", "--listen", bind)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.endswith(f"cannot listen on {bind}: the address is in use by another process")


def test_files_of_the_current_folder_do_not_disturb_the_workers(tmp_path: Path) -> None:
    """A worker must not import a `json.py` that happens to lie where pygw was started."""
    (tmp_path / "json.py").write_text("raise RuntimeError('taken from the current folder')\n")
    code = "from pygw.cli import main; main(['run', '--listen', '127.0.0.1:0'], 'pygw')"
    with (tmp_path / "stderr.txt").open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", code],
            cwd=tmp_path,
            env=environment(PYGW_CONFIG=""),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
    try:
        end = time.monotonic() + PATIENCE_S
        while "Ctrl-C to stop" not in (tmp_path / "stderr.txt").read_text("utf-8"):
            assert process.poll() is None, (tmp_path / "stderr.txt").read_text()
            assert time.monotonic() < end
            time.sleep(0.01)
        process.terminate()
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        process.wait()
