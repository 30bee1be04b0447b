"""What `pygw gen` writes, as the tools of each language see it."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner

from pygw.cli import main
from pygw.gen import LANGUAGES, GenError, generate, read_protos, write_files
from pygw.gen.layout import layout_hash
from pygw.gen.protoc import proto_folder
from tests.gen.oracle import PROTOS

FILES = [(PROTOS, "kinds.proto"), (proto_folder(), "pygw/v1/hook_reply.proto")]
BOTH = pytest.mark.parametrize(("folder", "file"), FILES, ids=["kinds", "pygw"])


def written(language: str, folder: Path, file: str, out: Path) -> list[Path]:
    """The files of one language in a folder of the test."""
    return write_files(generate(language, read_protos([folder / file], [folder]), file), out)


def run(*command: object) -> str:
    """A tool's output; it must succeed."""
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def need(program: str) -> str:
    """A program, or a skip that names it."""
    return shutil.which(program) or pytest.skip(f"{program} is not installed")


@BOTH
@pytest.mark.parametrize(("program", "kind"), [("gcc", "c"), ("g++", "c++")])
def test_c_headers_compile_and_their_assertions_hold(
    folder: Path, file: str, program: str, kind: str, tmp_path: Path
) -> None:
    for path in written("c", folder, file, tmp_path):
        run(need(program), "-Wall", "-Wextra", "-Werror", "-fsyntax-only", f"-I{tmp_path}",
            "-x", kind, path)  # fmt: skip


def test_an_assertion_fails_where_a_struct_lies_differently(tmp_path: Path) -> None:
    path = written("c", proto_folder(), "pygw/v1/http.proto", tmp_path)[0]
    path.write_text(path.read_text().replace("uint16_t id;", "uint64_t id;"))
    done = subprocess.run(
        [need("gcc"), "-fsyntax-only", "-x", "c", path], capture_output=True, text=True, check=False
    )
    assert "pygw_header.flags lies elsewhere than its .proto says" in done.stderr


def loaded(path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A generated Python module."""
    monkeypatch.syspath_prepend(str(root))
    spec = importlib.util.spec_from_file_location(f"generated_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_python_structs_are_proven_at_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = written("python", PROTOS, "kinds.proto", tmp_path)
    module = loaded(paths[-1], tmp_path, monkeypatch)
    layout = layout_hash(read_protos([PROTOS / "kinds.proto"]), "kinds.proto")
    assert layout == module.KINDS_KINDS_LAYOUT
    assert module.Colour.COLOUR_BELOW == -3
    with pytest.raises(ImportError, match=f"has layout {layout:016x}, not {1:016x}"):
        module.check(1)
    text = (
        paths[-1].read_text().replace('("a_int32", ctypes.c_int32)', '("a_int32", ctypes.c_int64)')
    )
    paths[-1].write_text(text)
    with pytest.raises(ImportError, match="Kinds does not lie as layout"):
        loaded(paths[-1], tmp_path, monkeypatch)


@BOTH
def test_typescript_types_are_read_by_node(folder: Path, file: str, tmp_path: Path) -> None:
    node = need("node")
    major, minor = run(node, "--version").lstrip("v").split(".")[:2]
    if (int(major), int(minor)) < (22, 6):
        pytest.skip("node before 22.6 does not read TypeScript")
    for path in written("typescript", folder, file, tmp_path):
        run(node, "--experimental-strip-types", path)


@BOTH
def test_csharp_structs_have_every_member_and_the_hash(
    folder: Path, file: str, tmp_path: Path
) -> None:
    paths = written("csharp", folder, file, tmp_path)
    text = "\n".join(path.read_text() for path in paths)
    schema = read_protos([folder / file], [folder])
    assert f"{layout_hash(schema, file):016x}" in text
    for one in schema.needed_by(file):
        for message in one.messages:
            assert all(f"@{field.name};" in text for field in message.fields)
    assert text.count("{") == text.count("}")


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_writes_the_same_twice(language: str) -> None:
    first, second = (
        generate(language, read_protos([PROTOS / "kinds.proto"]), "kinds.proto") for _ in range(2)
    )
    assert first == second


# --- the command ----------------------------------------------------------------------------------


def gen(*arguments: str) -> tuple[int, str]:
    """Exit code and all output of `pygw gen`."""
    result = CliRunner().invoke(main, ["gen", *arguments])
    return result.exit_code, result.output


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_command_writes_into_a_folder_and_names_the_files(
    language: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    code, output = gen(language, str(PROTOS / "kinds.proto"), "-o", str(out))
    assert code == 0
    assert {Path(line) for line in output.split()} == {p for p in out.rglob("*") if p.is_file()}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["lua", "none.proto"], "none.proto: there is no such file"),
        (["lua", str(PROTOS / "old.proto")], "old.proto is proto2: pygw generates from proto3"),
    ],
)
def test_the_command_says_what_is_wrong(arguments: list[str], says: str) -> None:
    code, output = gen(*arguments)
    assert code == 1
    assert says in output


def test_protoc_s_own_message_is_shown(tmp_path: Path) -> None:
    (tmp_path / "bad.proto").write_text('syntax = "proto3";\nmessage A { strin a = 1; }\n')
    code, output = gen("lua", str(tmp_path / "bad.proto"))
    assert code == 1
    assert 'bad.proto:2:13: "strin" is not defined.' in output


def test_without_grpcio_tools_the_command_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    code, output = gen("lua", str(PROTOS / "kinds.proto"))
    assert code == 1
    assert "pip install 'pygw[gen]'" in output


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("message A { string _unknown = 1; }", "rename the field"),
        ("message A { message B {} } message A_B {}", "rename one of them"),
        ("message A { repeated int32 xs = 1; int32 x_count = 2; }", "rename the field"),
    ],
)
def test_names_that_would_collide_are_refused(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "a.proto"
    path.write_text(f'syntax = "proto3";\n{text}\n')
    language = "lua" if "_unknown" in text or "B" in text else "c"
    with pytest.raises(GenError, match=says):
        generate(language, read_protos([path]), "a.proto")
