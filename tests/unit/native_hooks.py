"""Native hooks for tests: C sources built once a run, and their entries in a plan.

Owns: the compiler's call and the cache of what it built.
Runs in: tests.
Never does: hide a compiler's complaint.
Read next: `test_hooks`.
"""

from __future__ import annotations

import functools
import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests import scratch

Json = dict[str, Any]
INCLUDE = Path(__file__).parents[2] / "pygw" / "include"
PRELUDE = """
#include <pygw_plugin.h>
#include <string.h>
#define H call->host
#define C call->ctx
static const pygw_config *conf;
"""


@functools.cache
def built(source: str) -> Path:
    """The shared object of a C source; skips the test where there is no compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler: native hooks are not built here")
    place = scratch.folder("pygw-hook-")
    (place / "hook.c").write_text(source)
    command = [compiler, "-O2", "-Wall", "-Werror", "-Wno-unused", "-shared", "-fPIC"]
    command += [f"-I{INCLUDE}", "-o", str(place / "hook.so"), str(place / "hook.c")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return place / "hook.so"


def plugin(**phases: str) -> str:
    """A C source: the bodies of functions by phase; `init` is the body of its own, `before` what
    stands before them."""
    init, before = phases.pop("init", ""), phases.pop("before", "")
    functions = [
        f"static int on_{phase}(void *self, const pygw_call *call) {{ {body} return PYGW_NEXT; }}"
        for phase, body in phases.items()
    ]
    names = "".join(f"out->{phase} = on_{phase};" for phase in phases)
    return "\n".join(
        [
            PRELUDE,
            before,
            *functions,
            "int pygw_plugin_init(const pygw_host *host, const pygw_config *config,"
            " pygw_plugin *out) { PYGW_PLUGIN_CHECK(host, out); " + names + init + " return 0; }",
        ]
    )


def entry(path: Path, **changes: Any) -> Json:
    """A native hook in a plan."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {
        "filter": "hook",
        "runtime": "native",
        "name": "h1",
        "file": str(path),
        "code": f"{digest} {path}",
        "config": None,
        "phases": None,
        "deadline_ms": None,
        "on_error": "fail",
        "body": "none",
        "body_max": 1 << 20,
    } | changes


def native(changes: Json | None = None, /, **phases: str) -> Json:
    """A hook of C functions' bodies, in a plan."""
    return entry(built(plugin(**phases)), **(changes or {}))
