"""Facts about the machine and the programs that a benchmark ran with.

Runs in the main thread; asks programs for their version and reads /proc. It never writes host
names or paths into a result. Read next: macro/report.py.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import pygw


def output_of(command: Sequence[str]) -> str:
    """Return what a short command prints to stdout and stderr, or "" if it cannot be run."""
    try:
        done = subprocess.run(
            list(command), capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (done.stdout + done.stderr).strip()


def version_of(command: Sequence[str], pattern: str = r"\d+\.\d[\w.+-]*") -> str | None:
    """Return the first match of `pattern` in what a command prints, None if it is not there."""
    if shutil.which(command[0]) is None:
        return None
    found = re.search(pattern, output_of(command))
    return found.group() if found else "unknown"


def package_version(name: str) -> str | None:
    """Return the version of an installed Python package, None if it is not there."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _proc_value(path: str, key: str) -> str:
    """Return the value of the first `key: value` line of a file in /proc."""
    for line in Path(path).read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return "unknown"


def machine_facts() -> dict[str, object]:
    """Return what a reader needs to judge the figures: processor, kernel, memory, load."""
    return {
        "processor": _proc_value("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "memory": _proc_value("/proc/meminfo", "MemTotal"),
        "virtual": "hypervisor" in _proc_value("/proc/cpuinfo", "flags").split(),
        "kernel": platform.release(),
        "load_at_start": [round(value, 2) for value in os.getloadavg()],
    }


def program_versions() -> dict[str, str | None]:
    """Return the version of every program that takes part; None where it is missing."""
    return {
        "python": platform.python_version(),
        "pygw": package_version("pygw"),
        "uvloop": package_version("uvloop"),
        "httptools": package_version("httptools"),
        "cython": package_version("cython"),
        "nginx": version_of(["nginx", "-v"]),
        "haproxy": version_of(["haproxy", "-v"]),
        "wrk": version_of(["wrk", "-v"]),
        "gcc": version_of(["gcc", "--version"], r"\d+\.\d+\.\d+"),
        "valgrind": version_of(["valgrind", "--version"]),
        "strace": version_of(["strace", "-V"]),
    }


def python_command() -> str:
    """Return the interpreter that runs this benchmark and therefore also pygw."""
    return sys.executable


def python_environment() -> dict[str, str]:
    """Return an environment in which that interpreter imports what this process imports."""
    ours = str(Path(pygw.__file__).parents[1])  # a variant of the build may be in use
    entries = [ours, *(str(Path(entry).absolute()) for entry in sys.path if entry)]
    return os.environ | {"PYTHONPATH": os.pathsep.join(entries)}
