"""Hooks in modules that Cython compiled: called without the GIL, by a checked signature."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.memory import serving
from tests.unit.python_hooks import FOLDER, entry, exchange

INCLUDE = Path(__file__).parents[2] / "pygw" / "include"
SOURCE = """
# cython: language_level=3
cdef extern from "pygw_plugin.h" nogil:
    ctypedef struct pygw_host:
        int (*header_set)(void* ctx, int side, const char* name, unsigned int name_len,
                          const char* value, unsigned int value_len) noexcept nogil
    ctypedef struct pygw_call:
        void* ctx
        const pygw_host* host

cdef api int hook(const pygw_call* call) noexcept nogil:
    return call.host.header_set(call.ctx, 0, b"x-fast", 6, b"1", 1)

cdef api int log(int wrong) noexcept nogil:
    return 0
"""


def compiled(name: str, source: str) -> None:
    """Builds an extension module into the folder of tests, which is on the path."""
    (FOLDER / f"{name}.pyx").write_text(source)
    setup = (
        "from setuptools import Extension, setup; from Cython.Build import cythonize;"
        f"setup(script_args=['build_ext', '--inplace'], ext_modules=cythonize([Extension({name!r},"
        f" [{name + '.pyx'!r}], include_dirs=[{str(INCLUDE)!r}])]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", setup], cwd=FOLDER, capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr.decode()


def test_a_compiled_hook_edits_the_head(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    compiled("fasthook", SOURCE.split("cdef api int log")[0])
    with serving(entry("fasthook:hook")) as gate:
        exchange(gate)
        assert gate.origin.request.all("x-fast") == [b"1"]


def test_a_compiled_function_of_another_signature_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    compiled("wronghook", SOURCE)
    with (
        pytest.raises(ValueError, match=r"log is int \(int\); a compiled hook is"),
        serving(entry("wronghook:hook")),
    ):
        pass
