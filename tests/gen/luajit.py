"""LuaJIT with what `pygw gen lua` wrote.

Owns: a Lua state whose `require` finds a folder's modules.
Runs in: tests and benchmarks.
Never does: convert messages: Lua gets bytes and gives bytes back.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pygw.gen import generate, read_protos, write_files
from pygw.gen.protoc import proto_folder
from tests.gen.oracle import PROTOS

lupa: Any = pytest.importorskip("lupa.luajit21", reason="lupa's LuaJIT is not installed")


def state(folder: Path, file: str, folders: tuple[Path, ...] = (PROTOS, proto_folder())) -> Any:
    """A LuaRuntime with the module of a `.proto` as the global M, its code below `folder`."""
    place = next(one for one in folders if (one / file).is_file())
    schema = read_protos([place / file], folders)
    write_files(generate("lua", schema, file), folder)
    lua = lupa.LuaRuntime(encoding=None, unpack_returned_tuples=True)
    lua.execute(f"package.path = [[{folder}/?.lua;]] .. package.path".encode())
    module = file.removesuffix(".proto").replace("/", ".")
    lua.execute(f'M = require("{module}_pb")  V = require("{module}_views")'.encode())
    lua.execute(
        b"""function recode(name, bytes)
          local m, wrong = M[name].decode(bytes)
          if not m then return nil, wrong end
          return M[name].encode(m), nil
        end"""
    )
    return lua
