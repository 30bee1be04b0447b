"""The peers: how each proxy is configured and started, with equal work for all of them.

Every proxy keeps Host, adds X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, Via,
X-Request-ID and traceparent to the request and X-Request-ID to the response; probe.py checks that
they do. The relay adds nothing: it is the floor. Runs each peer as a child process tree.
Read next: probe.py, rounds.py.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import machine, process
from benchmarks.macro import native

MAX_CONNECTIONS = 4000
UPSTREAM_IDLE = 1024


@dataclass(frozen=True)
class Setting:
    """Where a peer runs: its core, its directory, and the port of the origin."""

    core: int | None
    directory: Path
    origin_port: int


@dataclass(frozen=True)
class RunningPeer:
    """A started peer: its process tree, its port, and the access log that it writes, if any.

    `hooked`: it runs user code on each request, and only takes part in cases about that.
    """

    name: str
    child: process.Child
    port: int
    access_log: Path | None = None
    hooked: bool = False


@dataclass(frozen=True)
class Peer:
    """A peer by name; `missing` says why it cannot run, or None."""

    name: str
    says: str
    missing: Callable[[], str | None]
    run: Callable[[Setting], AbstractContextManager[RunningPeer]]


def _program_missing(program: str) -> Callable[[], str | None]:
    """Return a check that names `program` when it is not installed."""
    return lambda: None if shutil.which(program) else f"{program} is not installed"


@contextlib.contextmanager
def _relay_run(setting: Setting) -> Iterator[RunningPeer]:
    """Run our own relay.c."""
    arguments = [str(setting.origin_port)]
    core, directory = setting.core, setting.directory
    with native.program_run("relay", arguments, core=core, directory=directory) as started:
        child, port = started
        yield RunningPeer("relay", child, port)


# glibc would give the buffers of every large answer back to the kernel and fault them in again
# for the next one, at three times the cost for nginx: rivals run at their best.
_RIVAL_ALLOCATOR = {"MALLOC_TRIM_THRESHOLD_": "268435456", "MALLOC_MMAP_THRESHOLD_": "268435456"}

# The span id of traceparent is a constant: nginx has nothing cheap of 16 digits. No temporary
# files, and no limit on the requests of a connection.
_NGINX = """\
daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/nginx.error.log crit;
{user}
events {{ worker_connections 8192; }}
http {{
  access_log {access_log} combined buffer=64k flush=1s;
  client_body_temp_path {directory}/nginx.body;
  proxy_temp_path {directory}/nginx.proxy;
  fastcgi_temp_path {directory}/nginx.fastcgi;
  uwsgi_temp_path {directory}/nginx.uwsgi;
  scgi_temp_path {directory}/nginx.scgi;
  keepalive_requests 1000000000;
  client_body_buffer_size 64k;
  upstream origin {{
    server 127.0.0.1:{origin_port};
    keepalive {idle};
    keepalive_requests 1000000000;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_buffer_size 16k;
      proxy_buffers 16 64k;
      proxy_busy_buffers_size 256k;
      proxy_max_temp_file_size 0;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header Via "1.1 bench";
      proxy_set_header X-Request-ID $request_id;
      proxy_set_header traceparent "00-$request_id-00f067aa0ba902b7-01";
      add_header X-Request-ID $request_id always;
    }}
  }}
}}
"""


Edit = Callable[[str], str]
"""What a hooked peer makes of the configuration without a hook."""


@contextlib.contextmanager
def nginx_run(
    setting: Setting, name: str, edit: Edit | None = None, env: Mapping[str, str] | None = None
) -> Iterator[RunningPeer]:
    """Run nginx with one worker and a buffered access log; `edit` puts a hook in."""
    port = process.port_find()
    directory = setting.directory / name
    directory.mkdir()
    access_log = directory / "nginx.access.log"
    config = directory / "nginx.conf"
    text = _NGINX.format(
        directory=directory,
        access_log=access_log,
        origin_port=setting.origin_port,
        port=port,
        idle=UPSTREAM_IDLE,
        # A worker of another user could not enter the temporary directory.
        user="user root;" if setting.directory.owner() == "root" else "",
    )
    config.write_text(edit(text) if edit else text)
    command = ["nginx", "-p", str(directory), "-c", str(config)]
    command += ["-e", str(directory / "nginx.error.log")]
    with process.child_run(
        name,
        command,
        core=setting.core,
        directory=directory,
        env=os.environ | _RIVAL_ALLOCATOR | dict(env or {}),
    ) as child:
        process.port_wait(child, port)
        yield RunningPeer(name, child, port, access_log, hooked=edit is not None)


# Ids are random numbers in hex, cheaper than uuid(). Buffers stay at the default 16 KiB: 64 KiB
# would take a third off 1 MiB answers and add a tenth to small ones.
_HAPROXY = """\
global
  nbthread 1
  maxconn {max_connections}
defaults
  mode http
  no log
  timeout connect 5s
  timeout client 75s
  timeout server 60s
  option forwardfor
  http-reuse always
listen bench
  bind 127.0.0.1:{port} backlog 4096
  unique-id-format %[rand,hex]%[rand,hex]
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header Via "1.1 bench"
  http-request set-header X-Request-ID %[unique-id]
  http-request set-header traceparent 00-%[rand,hex]%[rand,hex]-%[rand,hex]-01
  http-response set-header X-Request-ID %[unique-id]
  server origin 127.0.0.1:{origin_port} pool-max-conn {idle}
"""


@contextlib.contextmanager
def haproxy_run(setting: Setting, name: str, edit: Edit | None = None) -> Iterator[RunningPeer]:
    """Run haproxy with one thread and without a log; `edit` puts a hook in."""
    port = process.port_find()
    config = setting.directory / f"{name}.cfg"
    text = _HAPROXY.format(
        port=port,
        origin_port=setting.origin_port,
        max_connections=MAX_CONNECTIONS,
        idle=UPSTREAM_IDLE,
    )
    config.write_text(edit(text) if edit else text)
    command = ["haproxy", "-db", "-f", str(config)]
    with process.child_run(
        name,
        command,
        core=setting.core,
        directory=setting.directory,
        env=os.environ | _RIVAL_ALLOCATOR,
    ) as child:
        process.port_wait(child, port)
        yield RunningPeer(name, child, port, hooked=edit is not None)


_PYGW_CHECK = """\
import pygw.cli, pygw._core.worker
from pygw._core.variant import NAME
if NAME != "release":
    raise SystemExit(f"its core is a {NAME} build, not a release build")
"""


def pygw_missing() -> str | None:
    """Say why pygw cannot run here: it must be importable, with a release build of its core."""
    command = [machine.python_command(), "-c", _PYGW_CHECK]
    environment = machine.python_environment()
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env=environment
    )
    return f"pygw: {done.stderr.strip().splitlines()[-1]}" if done.returncode else None


def pygw_config(
    *,
    port: int,
    origin_port: int,
    access_log: Path,
    middleware: Sequence[Mapping[str, object]] = (),
) -> str:
    """Return the configuration of pygw (JSON is YAML): one worker, access log on."""
    more = {"middleware": list(middleware)} if middleware else {}
    return json.dumps(
        {
            "workers": 1,
            "access_log": {"path": str(access_log), "format": "combined"},
            "forwarding": {"via": "bench"},
            "limits": {"max_connections": MAX_CONNECTIONS},
            "listeners": [{"name": "http", "bind": f"127.0.0.1:{port}"}],
            "upstreams": {
                "origin": {
                    "targets": [f"http://127.0.0.1:{origin_port}"],
                    "pool": {"idle": UPSTREAM_IDLE, "connections": MAX_CONNECTIONS},
                }
            },
            "routes": [{"match": {"path": "/*"}, "upstream": "origin", **more}],
        },
        indent=1,
    )


@contextlib.contextmanager
def pygw_run(
    setting: Setting, name: str, middleware: Sequence[Mapping[str, object]] = ()
) -> Iterator[RunningPeer]:
    """Run pygw as a user would: `pygw run CONFIG`, with one worker and the middleware given."""
    port = process.port_find()
    access_log = setting.directory / f"{name}.access.log"
    config = setting.directory / f"{name}.yaml"
    config.write_text(
        pygw_config(
            port=port,
            origin_port=setting.origin_port,
            access_log=access_log,
            middleware=middleware,
        )
    )
    command = [machine.python_command(), "-m", "pygw", "run", str(config)]
    with process.child_run(
        name,
        command,
        core=setting.core,
        directory=setting.directory,
        env=machine.python_environment(),
    ) as child:
        process.port_wait(child, port)
        yield RunningPeer(name, child, port, access_log, hooked=bool(middleware))


def _pygw_plain_run(setting: Setting) -> AbstractContextManager[RunningPeer]:
    return pygw_run(setting, "pygw")


def _nginx_plain_run(setting: Setting) -> AbstractContextManager[RunningPeer]:
    return nginx_run(setting, "nginx")


def _haproxy_plain_run(setting: Setting) -> AbstractContextManager[RunningPeer]:
    return haproxy_run(setting, "haproxy")


PEERS = (
    Peer("relay", "raw byte relay, the floor", _program_missing("gcc"), _relay_run),
    Peer("nginx", "buffered access log", _program_missing("nginx"), _nginx_plain_run),
    Peer("haproxy", "log off", _program_missing("haproxy"), _haproxy_plain_run),
    Peer("pygw", "access log and counters on", pygw_missing, _pygw_plain_run),
)
