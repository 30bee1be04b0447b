"""The load: wrk with a generated script, and what it reports.

Runs wrk as a child process and waits for it, bounded in time. The request is one fixed run of
bytes that wrk repeats, so the script costs nothing per request. Read next: rounds.py.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import process
from benchmarks.macro.cases import Case

RESULT_MARK = "RESULT "
REQUEST_TIMEOUT_S = 5
GRACE_S = 20

# wrk.format makes the one request that wrk then repeats; `done` runs once, after the last one.
_SCRIPT = """\
init = function(arguments)
  wrk.format = function() return {request} end
end

done = function(summary, latency, requests)
  local errors = summary.errors
  io.write("\\n{mark}", string.format(
    '{{"requests":%d,"duration_us":%d,"bytes":%d,"p50_us":%d,"p99_us":%d,' ..
    '"errors":{{"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}}}}\\n',
    summary.requests, summary.duration, summary.bytes,
    latency:percentile(50), latency:percentile(99),
    errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
"""


class LoadError(Exception):
    """wrk failed or reported nothing."""


@dataclass(frozen=True)
class Load:
    """What wrk saw in one round; times in the unit of their name."""

    requests: int
    duration_s: float
    received_bytes: int
    p50_us: int
    p99_us: int
    errors: dict[str, int] = field(default_factory=dict)  # kind -> count, only those that happened


def _lua_string(value: bytes) -> str:
    """Return a Lua string literal with exactly these bytes."""
    return '"' + "".join(f"\\{byte:03}" for byte in value) + '"'


def script_write(case: Case, port: int, directory: Path) -> Path:
    """Write the wrk script of a case against a port and return its path."""
    path = directory / f"{case.name}-{port}.lua"
    request = case.request(f"127.0.0.1:{port}")
    path.write_text(_SCRIPT.format(request=_lua_string(request), mark=RESULT_MARK))
    return path


def load_parse(output: str) -> Load:
    """Read the line that the script printed; LoadError if there is none."""
    for line in output.splitlines():
        if line.startswith(RESULT_MARK):
            result = json.loads(line.removeprefix(RESULT_MARK))
            return Load(
                requests=result["requests"],
                duration_s=result["duration_us"] / 1e6,
                received_bytes=result["bytes"],
                p50_us=result["p50_us"],
                p99_us=result["p99_us"],
                errors={kind: count for kind, count in result["errors"].items() if count},
            )
    raise LoadError(f"wrk reported no result:\n{output[-1000:]}")


def load_run(case: Case, port: int, *, seconds: float, core: int | None, directory: Path) -> Load:
    """Send the load of `case` to `port` for `seconds` (wrk knows whole ones) and return it."""
    whole_s = max(1, round(seconds))
    command = [
        "wrk",
        *("-t", "1"),
        *("-c", str(case.connections)),
        *("-d", f"{whole_s}s"),
        *("--timeout", f"{REQUEST_TIMEOUT_S}s"),
        *("-s", str(script_write(case, port, directory))),
        f"http://127.0.0.1:{port}{case.path}",
    ]
    with process.child_run(
        "wrk", command, core=core, directory=directory, stdout=subprocess.PIPE
    ) as wrk:
        try:
            output, _ = wrk.popen.communicate(timeout=whole_s + GRACE_S)
        except subprocess.TimeoutExpired as error:
            raise LoadError(f"wrk ran longer than {whole_s + GRACE_S} s") from error
        if wrk.popen.returncode != 0:
            raise LoadError(f"wrk ended with {wrk.popen.returncode}: {wrk.describe_log()}")
    return load_parse(output.decode(errors="replace"))
