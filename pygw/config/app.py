"""A configuration made by a program: `pygw run app:gateway`.

Owns: finding the object that `module:name` means and turning it into plain data. The program runs
in a process of its own, so that a reload sees its modules anew, and nothing that it does or imports
stays in the supervisor.
Runs in: `read_app` in the control plane; the rest in that process, `python -m pygw.config.app`.
Never does: judge the data.
Read next: `pygw.gateway`.
"""

from __future__ import annotations

import importlib
import ipaddress
import json
import os
import re
import subprocess
import sys
import traceback
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from .errors import ConfigError, Problem, show_path

TIMEOUT_S = 30.0
"""Longest time that a program may take to make its configuration."""

ANSWER_MAX_BYTES = 64 << 20
"""Longest configuration that a program may make, as JSON."""

_SPEC = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*\Z")


def is_app(source: str) -> bool:
    """Whether `source` is `module:name` and no file of that name is there."""
    return _SPEC.match(source) is not None and not os.path.exists(source)


def read_app(spec: str, environ: Mapping[str, str]) -> tuple[object, tuple[str, ...]]:
    """The plain data of the object and the files its modules came from; ConfigError says why not.

    Modules are looked for in the current folder, then where Python looks. What the program writes
    to standard output goes to standard error.
    """
    home = str(Path(__file__).resolve().parents[2])
    paths = os.pathsep.join(filter(None, [environ.get("PYTHONPATH"), home]))
    command = [sys.executable, "-P", "-m", "pygw.config.app", spec]
    try:
        done = subprocess.run(
            command,
            env={**environ, "PYTHONPATH": paths},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _error(spec, f"took more than {TIMEOUT_S:g} s to make its configuration") from None
    if len(done.stdout) > ANSWER_MAX_BYTES:
        raise _error(spec, f"makes more than {ANSWER_MAX_BYTES >> 20}MiB of configuration")
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        raise _error(spec, f"ended with code {done.returncode} before it made any") from None
    if "error" in answer:
        raise _error(spec, answer["error"])
    return answer["data"], tuple(answer["files"])


def plain_data(value: object, path: tuple[str | int, ...] = ()) -> object:
    """The value as JSON can carry it; TypeError names the place of what it cannot.

    Tuples become lists, timedeltas, paths and addresses text; keys whose value is None are left
    out. An object with `to_data()`, such as a Gateway, is what that returns.
    """
    to_data = getattr(value, "to_data", None)
    if callable(to_data):
        return plain_data(to_data(), path)
    if isinstance(value, Mapping):
        return {
            _key(key, path): plain_data(inner, (*path, str(key)))
            for key, inner in value.items()
            if inner is not None
        }
    if isinstance(value, (list, tuple)):
        return [plain_data(inner, (*path, index)) for index, inner in enumerate(value)]
    if isinstance(value, timedelta):
        return f"{value // timedelta(milliseconds=1)}ms"
    if isinstance(value, (_Address, _Network, os.PathLike)):
        return os.fspath(value) if isinstance(value, os.PathLike) else str(value)
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    raise TypeError(f"{show_path(path)}: {type(value).__name__} is no value of a configuration")


_Address = (ipaddress.IPv4Address, ipaddress.IPv6Address)
_Network = (ipaddress.IPv4Network, ipaddress.IPv6Network)


def _key(key: object, path: tuple[str | int, ...]) -> str:
    if not isinstance(key, str):
        raise TypeError(f"{show_path(path)}: a key must be text, got {key!r}")
    return key


def _error(spec: str, message: str) -> ConfigError:
    return ConfigError([Problem((), message)], spec)


def _evaluate(spec: str) -> object:
    """The plain data of the object that `spec` names; a function is called for it."""
    module_name, _, name = spec.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not module_name.startswith(error.name):
            raise
        raise LookupError(
            f"there is no module {error.name} in {os.getcwd()} or where Python looks"
        ) from None
    for part in name.split("."):
        if not hasattr(found, part):
            known = [one for one in vars(found) if not one.startswith("_")]
            from .errors import hint

            raise LookupError(f"{module_name} has no {part}; {hint(part, known, 'names')}")
        found = getattr(found, part)
    if callable(found) and not hasattr(found, "to_data"):
        found = found()
    data = plain_data(found)
    if not isinstance(data, dict):
        raise LookupError(
            f"{name} is a {type(found).__name__}; it must be a pygw.Gateway, a dict of the"
            " configuration's keys, or a function that returns one of them"
        )
    return data


def _reason(error: BaseException) -> str:
    """One line: where in the program, and what."""
    if isinstance(error, LookupError) and type(error) is LookupError:
        return str(error)
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}: {error.msg}"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename != __file__]
    frames = [frame for frame in frames if not frame.filename.startswith("<")]
    place = f"{frames[-1].filename}:{frames[-1].lineno}: " if frames else ""
    return f"{place}{type(error).__name__}: {error}"


def _main() -> None:
    """Write the data, or why there is none, as JSON to what was standard output."""
    folder = os.getcwd()
    out = os.dup(1)
    os.dup2(2, 1)
    sys.path.insert(0, folder)
    try:
        answer: dict[str, object] = {"data": _evaluate(sys.argv[1])}
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        answer = {"error": _reason(error)}
    found = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    answer["files"] = sorted({file for file in found if file and file.startswith(folder + os.sep)})
    with open(out, "w", encoding="utf-8") as stream:
        json.dump(answer, stream)


if __name__ == "__main__":
    _main()
