"""The loader's guards: what is accepted, and that everything else is refused in one clear sentence.

Each refusal runs in a process of its own, because a library is loaded once a process.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

import pygw
from pygw._core.libs.wheel import LIBUV, LLHTTP, Wheel

ROOT = Path(__file__).parents[2]
PACKAGE = Path(pygw.__file__).parent
FAKE_SOURCE = Path(__file__).with_name("fake_llhttp.c")
COMPILER = shutil.which("gcc") or shutil.which("cc")
SLOTS = 25

needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no C compiler for a fake library")

SHOW = "from pygw._core.libs.{module} import info; print(info)"


def run_python(code: str, *options: str, path: Path | None = None, **env: str) -> str:
    """Run `code` in a new interpreter; its output, or the last line of its error."""
    places = [str(PACKAGE.parent)] if path is None else [str(path), str(PACKAGE.parent)]
    done = subprocess.run(
        [sys.executable, "-P", *options, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(places), **env},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=50,
    )
    if done.returncode == 0:
        return done.stdout
    assert done.returncode == 1, f"died of {done.returncode}: {done.stderr}"
    return done.stderr.strip().splitlines()[-1]


def load(module: str, *options: str, path: Path | None = None, **env: str) -> str:
    """Load the table of `uv` or `llhttp` in a new interpreter."""
    return run_python(SHOW.format(module=module), *options, path=path, **env)


def compile_library(source: Path, target: Path, *flags: str) -> Path:
    """Build a shared library with the system's compiler."""
    assert COMPILER is not None
    env = {key: value for key, value in os.environ.items() if key != "LD_PRELOAD"}
    command = [COMPILER, "-shared", "-fPIC", "-w", *flags, str(source), "-o", str(target), "-ldl"]
    subprocess.run(command, check=True, env=env, timeout=50)
    return target


def write_release(place: Path, package: str, release: str) -> Path:
    """Make the metadata of an installed package, found before the real one."""
    info = place / f"{package}-{release}.dist-info"
    info.mkdir(parents=True)
    info.joinpath("METADATA").write_text(f"Name: {package}\nVersion: {release}\n")
    return place


@pytest.fixture(scope="session")
def real_llhttp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the extension that carries the real llhttp, under another path."""
    import httptools.parser.parser

    target = tmp_path_factory.mktemp("real") / "copy.so"
    return Path(shutil.copy(httptools.parser.parser.__file__, target))


@pytest.fixture(scope="session")
def fake_llhttp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that is llhttp but for what FAKE_LLHTTP says."""
    return compile_library(FAKE_SOURCE, tmp_path_factory.mktemp("fake") / "fake.so")


def test_libuv_is_the_copy_inside_uvloop() -> None:
    import uvloop.loop

    from pygw._core.libs.uv import info

    assert info.path == uvloop.loop.__file__
    assert info.release == f"uvloop {version('uvloop')}"
    assert info.version.startswith("1.")
    assert info.sizes["tcp"] > 100


def test_llhttp_is_the_copy_inside_httptools() -> None:
    import httptools.parser.parser

    if os.environ.get("PYGW_LIB_LLHTTP"):
        pytest.skip("PYGW_LIB_LLHTTP names another copy")
    from pygw._core.libs.llhttp import info

    assert info.path == httptools.parser.parser.__file__
    assert info.release == f"httptools {version('httptools')}"
    assert info.sizes["settings"] == SLOTS * 8
    assert 0 < info.sizes["parser"] <= 128


def test_symbols_of_the_libraries_stay_private() -> None:
    code = (
        "import ctypes; import pygw._core.libs.uv, pygw._core.libs.llhttp;"
        "everything = ctypes.CDLL(None);"
        "print([hasattr(everything, n) for n in ('uv_run', 'llhttp_execute')])"
    )
    assert run_python(code).strip() == "[False, False]"


def test_core_modules_need_no_symbol_of_the_libraries() -> None:
    nm = shutil.which("nm")
    if nm is None:
        pytest.skip("no nm to list symbols with")
    modules = list(PACKAGE.joinpath("_core").rglob("*.so"))
    assert modules
    listed = subprocess.run(
        [nm, "-D", "--undefined-only", *map(str, modules)],
        check=True,
        capture_output=True,
        text=True,
    )
    assert re.findall(r" U ((?:uv|llhttp|lua|SSL|zng)_\w+|deflate\w*)", listed.stdout) == []


@pytest.mark.parametrize("wheel", [LIBUV, LLHTTP], ids=lambda wheel: wheel.package)
def test_range_in_pyproject_is_the_range_of_the_guard(wheel: Wheel) -> None:
    project = tomllib.loads(ROOT.joinpath("pyproject.toml").read_text())["project"]
    assert wheel.requirement in project["dependencies"]


@pytest.mark.parametrize(
    ("module", "wheel", "release"),
    [
        ("uv", LIBUV, "0.21.0"),
        ("uv", LIBUV, "0.24.0"),
        ("uv", LIBUV, "1.0"),
        ("llhttp", LLHTTP, "0.6.4"),
        ("llhttp", LLHTTP, "0.10.0"),
        ("llhttp", LLHTTP, "0.10.0rc1"),
        ("llhttp", LLHTTP, "unknown"),
    ],
)
def test_release_outside_the_range_is_refused(
    module: str, wheel: Wheel, release: str, tmp_path: Path
) -> None:
    write_release(tmp_path, wheel.package, release)
    assert load(module, path=tmp_path) == (
        f"pygw._core.libs.wheel.LibraryError: {wheel.library}: {wheel.package} {release} is outside"
        f" the releases pygw works with; run: pip install '{wheel.requirement}'"
    )


@pytest.mark.parametrize(
    ("module", "wheel", "release"),
    [("uv", LIBUV, "0.22"), ("uv", LIBUV, "0.23.99"), ("llhttp", LLHTTP, "0.9.99.post1")],
)
def test_release_inside_the_range_is_accepted(
    module: str, wheel: Wheel, release: str, tmp_path: Path
) -> None:
    write_release(tmp_path, wheel.package, release)
    assert f"{wheel.package} {release}" in load(module, path=tmp_path)


@pytest.mark.parametrize(("module", "wheel"), [("uv", LIBUV), ("llhttp", LLHTTP)])
def test_missing_package_is_named_with_its_remedy(module: str, wheel: Wheel) -> None:
    assert load(module, "-S", PYGW_LIB_LLHTTP="") == (
        f"pygw._core.libs.wheel.LibraryError: {wheel.library}: the package {wheel.package} is not"
        f" installed; run: pip install '{wheel.requirement}'"
    )


@pytest.mark.parametrize(("module", "wheel"), [("uv", LIBUV), ("llhttp", LLHTTP)])
def test_package_that_does_not_import_is_refused(module: str, wheel: Wheel, tmp_path: Path) -> None:
    write_release(tmp_path, wheel.package, ".".join(map(str, wheel.lowest)))
    tmp_path.joinpath(f"{wheel.package}.py").write_text("raise ImportError('broken on purpose')")
    text = load(module, path=tmp_path)
    assert f"{wheel.package} does not import (broken on purpose)" in text
    assert text.endswith(wheel.remedy)


def test_package_without_a_compiled_extension_is_refused(tmp_path: Path) -> None:
    write_release(tmp_path, "uvloop", "0.23.0")
    tmp_path.joinpath("uvloop").mkdir()
    tmp_path.joinpath("uvloop", "__init__.py").touch()
    tmp_path.joinpath("uvloop", "loop.py").touch()
    assert "uvloop.loop is no compiled extension" in load("uv", path=tmp_path)


def write_uvloop(place: Path, functions: str) -> None:
    """Build a package `uvloop` whose extension exports only what `functions` defines."""
    write_release(place, "uvloop", "0.23.0")
    package = place / "uvloop"
    package.mkdir()
    package.joinpath("__init__.py").touch()
    source = place / "loop.c"
    source.write_text(
        "#include <Python.h>\n"
        'static struct PyModuleDef def = {PyModuleDef_HEAD_INIT, "loop", NULL, -1, NULL};\n'
        "PyMODINIT_FUNC PyInit_loop(void) { return PyModule_Create(&def); }\n" + functions
    )
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    compile_library(source, package / f"loop{suffix}", f"-I{sysconfig.get_path('include')}")


def call_loop_ptr(loop: object) -> int:
    """Call the C function `loop_ptr` as a Cython module does, through the table that it exports."""
    from pygw._core.libs import uv

    capsule = vars(uv)["__pyx_capi__"]["loop_ptr"]
    name_of = ctypes.PYFUNCTYPE(ctypes.c_char_p, ctypes.py_object)(
        ("PyCapsule_GetName", ctypes.pythonapi)
    )
    pointer_of = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
        ("PyCapsule_GetPointer", ctypes.pythonapi)
    )
    function = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object)
    return int(function(pointer_of(capsule, name_of(capsule)))(loop) or 0)


def test_loop_pointer_is_one_per_uvloop_loop() -> None:
    import uvloop

    first, second = uvloop.new_event_loop(), uvloop.new_event_loop()
    try:
        assert call_loop_ptr(first) == call_loop_ptr(first) != 0
        assert call_loop_ptr(first) != call_loop_ptr(second)
    finally:
        first.close()
        second.close()


def test_loop_of_asyncio_is_refused() -> None:
    loop = asyncio.SelectorEventLoop()
    try:
        with pytest.raises(TypeError, match="pygw runs on a uvloop loop, not on _UnixSelector"):
            call_loop_ptr(loop)
    finally:
        loop.close()


@needs_compiler
def test_uvloop_without_a_symbol_is_refused_by_its_name(tmp_path: Path) -> None:
    write_uvloop(tmp_path, "int uv_version(void) { return 1 << 16; }")
    text = load("uv", path=tmp_path)
    assert re.search(r"LibraryError: libuv: .* does not export uv_version_string; run: pip", text)


@needs_compiler
def test_libuv_of_another_major_version_is_refused(tmp_path: Path) -> None:
    declared = ROOT.joinpath("pygw", "_core", "libs", "uv.pxd").read_text()
    names = set(re.findall(r"^    [\w *]+\(\*(\w+)\)\(", declared, re.MULTILINE))
    others = names - {"version", "version_string"}
    assert len(others) > 50
    functions = "".join(f"void uv_{name}(void) {{}}\n" for name in sorted(others))
    functions += "int uv_version(void) { return 2 << 16; }\n"
    functions += 'const char* uv_version_string(void) { return "2.0.0"; }\n'
    write_uvloop(tmp_path, functions)
    assert "libuv: version 2.0.0 is not 1.x in " in load("uv", path=tmp_path)


def test_libuv_has_no_override() -> None:
    text = load("uv", PYGW_LIB_UV="/dev/null", PYGW_LIB_LIBUV="/dev/null")
    assert "uvloop/loop" in text


def test_override_is_used_instead_of_the_wheel(real_llhttp: Path) -> None:
    text = load("llhttp", PYGW_LIB_LLHTTP=str(real_llhttp))
    assert str(real_llhttp) in text
    assert "from PYGW_LIB_LLHTTP" in text


def test_empty_override_means_none() -> None:
    assert "release='httptools" in load("llhttp", PYGW_LIB_LLHTTP="")


def test_override_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    library = tmp_path / "libllhttp.so"
    library.write_text("no library at all")
    text = load("llhttp", PYGW_LIB_LLHTTP=str(library))
    assert f"LibraryError: llhttp: {library} cannot be opened (" in text
    assert text.endswith("; unset PYGW_LIB_LLHTTP to use the copy in httptools")


@needs_compiler
def test_override_without_a_symbol_is_refused_by_its_name(
    real_llhttp: Path, tmp_path: Path
) -> None:
    library = compile_library(FAKE_SOURCE, tmp_path / "less.so", "-DWITHOUT_FINISH")
    text = load(
        "llhttp", PYGW_LIB_LLHTTP=str(library), REAL_LLHTTP=str(real_llhttp), FAKE_LLHTTP="as is"
    )
    assert f"{library} (from PYGW_LIB_LLHTTP) does not export llhttp_finish; unset" in text


@needs_compiler
def test_fake_that_is_not_made_wrong_is_accepted(fake_llhttp: Path, real_llhttp: Path) -> None:
    text = load(
        "llhttp",
        PYGW_LIB_LLHTTP=str(fake_llhttp),
        REAL_LLHTTP=str(real_llhttp),
        FAKE_LLHTTP="as is",
    )
    assert "LibraryInfo(library='llhttp'" in text


@needs_compiler
@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ("settings=184", "has callbacks of 184 bytes where 200 are needed: it is older than"),
        ("settings=208", "has callbacks of 208 bytes where 200 are needed: it is newer than"),
        ("settings=1024", "sets up callbacks in a way that pygw does not know"),
        ("parser=136", "has a parser of 136 bytes where at most 128 are expected"),
        ("parser=1024", "sets up a parser in a way that pygw does not know"),
        ("method=1", "calls method 1 OTHER and not GET"),
        ("method=46", "calls method 46 OTHER and not QUERY"),
        ("error=21", "calls error 21 HPE_OTHER and not HPE_PAUSED"),
    ],
)
def test_wrong_layout_is_refused(
    wrong: str, sentence: str, fake_llhttp: Path, real_llhttp: Path
) -> None:
    text = load(
        "llhttp",
        PYGW_LIB_LLHTTP=str(fake_llhttp),
        REAL_LLHTTP=str(real_llhttp),
        FAKE_LLHTTP=wrong,
    )
    assert "LibraryError: llhttp: " in text
    assert sentence in text


@needs_compiler
@pytest.mark.parametrize("slot", range(SLOTS - 1))
def test_exchanged_callbacks_are_noticed(slot: int, fake_llhttp: Path, real_llhttp: Path) -> None:
    text = load(
        "llhttp",
        PYGW_LIB_LLHTTP=str(fake_llhttp),
        REAL_LLHTTP=str(real_llhttp),
        FAKE_LLHTTP=f"swap={slot}",
    )
    assert re.search(r"LibraryError: llhttp: .* fails the trial \w+: .* is due", text)
