"""What compression costs: a 16 KiB JSON answer at levels 1 and 6, beside nginx in the same run.

``python -m benchmarks.gzip [ROUNDS]`` prints a table: CPU of the proxy's whole process tree for one
request, median over interleaved rounds of a second, and the bytes of an answer. The proxies run on
one core, wrk and the origin (an nginx that serves a file) on the other. With the wheel zlib-ng
installed pygw runs twice, with it and with the system's zlib. Needs wrk and nginx.
Read next: macro/rounds.py.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from benchmarks import cpu, machine, process
from benchmarks.macro import load, peers
from benchmarks.macro.cases import Case

SIZE = 16 * 1024
LEVELS = (0, 1, 6)
PROXY_CORE, LOAD_CORE = 0, 1
_ORIGIN = """\
daemon off; worker_processes 1; pid {directory}/origin.pid; {user}
error_log {directory}/origin.error.log crit;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 1000000000; types {{ application/json json; }}
  client_body_temp_path {directory}/o1; proxy_temp_path {directory}/o2;
  fastcgi_temp_path {directory}/o3; uwsgi_temp_path {directory}/o4; scgi_temp_path {directory}/o5;
  server {{ listen 127.0.0.1:{port}; root {directory}/files; etag off; }} }}
"""
ZLIB = "libz.so.1"


def answer() -> bytes:
    """A list of records, as a service writes them, cut to its size within the last string."""
    rows = [
        {"id": 100_000 + n * 37, "name": f"user{n * 7919 % 9973}", "active": n % 3 == 0,
         "email": f"u{n * 104729 % 99991}@example.com", "score": n * 7 % 1000 / 10}
        for n in range(400)
    ]  # fmt: skip
    return json.dumps(rows).encode()[: SIZE - 3] + b'"}]'


def user_line(directory: Path) -> str:
    """A worker of another user could not enter the temporary directory."""
    return "user root;" if directory.owner() == "root" else ""


@contextlib.contextmanager
def origin_run(directory: Path) -> Iterator[int]:
    """An nginx that serves the answer as /answer.json."""
    port = process.port_find()
    (directory / "files").mkdir()
    (directory / "files" / "answer.json").write_bytes(answer())
    config = directory / "origin.conf"
    config.write_text(_ORIGIN.format(directory=directory, port=port, user=user_line(directory)))
    command = ["nginx", "-p", str(directory), "-c", str(config), "-e", str(directory / "o.log")]
    with process.child_run("origin", command, core=LOAD_CORE, directory=directory) as child:
        process.port_wait(child, port)
        yield port


@contextlib.contextmanager
def nginx_run(directory: Path, origin: int, level: int) -> Iterator[tuple[process.Child, int]]:
    """nginx as the macro benchmark runs it, with gzip at this level; 0: without."""
    port = process.port_find()
    text = peers._NGINX.format(
        directory=directory,
        access_log=directory / "access.log",
        origin_port=origin,
        port=port,
        idle=peers.UPSTREAM_IDLE,
        user=user_line(directory),
    )
    gzip = f"gzip on; gzip_comp_level {level}; gzip_types application/json; gzip_min_length 1024;"
    if level:
        text = text.replace("http {\n", f"http {{\n  {gzip} gzip_vary on; gzip_proxied any;\n")
    config = directory / "nginx.conf"
    config.write_text(text)
    command = ["nginx", "-p", str(directory), "-c", str(config), "-e", str(directory / "n.log")]
    with process.child_run("nginx", command, core=PROXY_CORE, directory=directory) as child:
        process.port_wait(child, port)
        yield child, port


@contextlib.contextmanager
def pygw_run(
    directory: Path, origin: int, level: int, library: str
) -> Iterator[tuple[process.Child, int]]:
    """pygw as the macro benchmark runs it, with the filter gzip at this level; 0: without."""
    port = process.port_find()
    log = directory / "pygw.log"
    text = peers.pygw_config(port=port, origin_port=origin, access_log=log)
    config = json.loads(text)
    if level:
        config["routes"][0]["middleware"] = [{"gzip": {"level": level}}]
    path = directory / "pygw.yaml"
    path.write_text(json.dumps(config))
    command = [machine.python_command(), "-m", "pygw", "run", str(path)]
    environment = machine.python_environment() | {"PYGW_LIB_ZLIB": library}
    with process.child_run(
        "pygw", command, core=PROXY_CORE, directory=directory, env=environment
    ) as child:
        process.port_wait(child, port)
        yield child, port


def measure(child: process.Child, port: int, name: str, directory: Path) -> float:
    """CPU microseconds of one request in a second of load."""
    fields = (("Accept-Encoding", "gzip"),)
    case = Case(name, "16 KiB of JSON", "/answer.json", 32, headers=fields)
    before = cpu.tree_use(child.pid)
    seen = load.load_run(case, port, seconds=1.0, core=LOAD_CORE, directory=directory)
    used = cpu.tree_difference(before, cpu.tree_use(child.pid))
    if seen.errors or not seen.requests:
        raise SystemExit(f"{name}: {seen.errors or 'no request was answered'}")
    return used.total_ns / 1e3 / seen.requests


def body_bytes(port: int) -> int:
    """Bytes of one answer's content as it left the proxy."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/answer.json", headers={"Accept-Encoding": "gzip"}
    )
    with urllib.request.urlopen(request, timeout=5) as got:
        return len(got.read())


def main() -> None:
    """Start everything, measure in turn, print the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    libraries = {"pygw, zlib": ZLIB}
    if find_spec("zlib_ng") is not None:
        libraries["pygw, zlib-ng"] = ""
    with contextlib.ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pygw-gzip-")))
        place.chmod(0o755)
        origin = stack.enter_context(origin_run(place))
        running: dict[str, tuple[process.Child, int]] = {}
        for level in LEVELS:
            what = f"level {level}" if level else "as it is"
            for name in ("nginx", *libraries):
                folder = place / f"{name.replace(', ', '-')}-{level}"
                folder.mkdir()
                started = (
                    nginx_run(folder, origin, level)
                    if name == "nginx"
                    else pygw_run(folder, origin, level, libraries[name])
                )
                running[f"{what:8}  {name}"] = stack.enter_context(started)
        figures: dict[str, list[float]] = {name: [] for name in running}
        for _ in range(rounds):
            for number, (name, (child, port)) in enumerate(running.items()):
                figures[name].append(measure(child, port, f"gzip-{number}", place))
        for name, (_, port) in running.items():
            values = sorted(figures[name])
            middle = statistics.median(values)
            print(
                f"{name:24} {middle:7.1f} us CPU/request ({values[0]:.1f}-{values[-1]:.1f}),"
                f" {body_bytes(port)} bytes"
            )


if __name__ == "__main__":
    main()
