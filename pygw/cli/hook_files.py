"""The files of a new hook.

Owns: the templates, what is put into them, and which file each becomes.
Runs in: the process of `pygw hook`.
Never does: overwrite a file, but the annotations that it generated itself.
Read next: `pygw/cli/templates`.
"""

from __future__ import annotations

import json
import keyword
import os
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

TEMPLATES = Path(__file__).with_name("templates")
TYPES = Path(__file__).parents[1] / "include" / "lua" / "pygw.lua"
TYPES_NAME = "pygw_meta.lua"

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}\Z")

LUARC = {
    "runtime.version": "LuaJIT",
    "runtime.builtin": dict.fromkeys(
        ("debug", "ffi", "io", "jit", "os", "package", "string.buffer"), "disable"
    ),
    "workspace.checkThirdParty": False,
}
"""What LuaLS is told: the language, and which libraries a hook does not have."""

ENTRIES = {
    "lua": "- lua:\n    file: @NAME@.lua\n    config:\n      users: {k-1: anna}",
    "python": "- python:\n    object: @MODULE@.py:@CLASS@\n    config:\n      users: {k-1: anna}",
    "native": "- native: @NAME@.so",
}


class NewHook:
    """A hook that is about to be written."""

    def __init__(self, language: str, name: str) -> None:
        """ValueError for a name that cannot be a file's, or a module's in Python."""
        if _NAME.match(name) is None:
            raise ValueError(
                f"{name!r} is no name for a hook: a letter first, then letters, digits, - and _, "
                "40 at most"
            )
        self.language = language
        self.name = name
        self.module = name.replace("-", "_")
        if language == "python" and keyword.iskeyword(self.module):
            raise ValueError(f"{name} is a word of Python's: no module can have this name")
        self.class_name = "".join(word.capitalize() for word in re.split("[-_]", name)) or "Hook"

    def files(self) -> Iterator[tuple[str, str, str]]:
        """Name, template and meaning of each."""
        if self.language == "lua":
            yield f"{self.name}.lua", "hook.lua", "the hook"
            yield f"{self.name}_spec.lua", "hook_spec.lua", "its tests"
        elif self.language == "python":
            yield f"{self.module}.py", "hook.py", "the hook"
            yield f"test_{self.module}.py", "test_hook.py", "its tests"
        else:
            yield f"{self.name}.c", "hook.c", "the hook"
            yield f"test_{self.module}.py", "test_hook_native.py", "its tests"
        yield f"{self.name}.yaml", "hook.yaml", "a configuration that serves it"

    def existing(self, out: str) -> list[str]:
        """Which of its files are there already."""
        paths = (os.path.join(out, name) for name, _, _ in self.files())
        return [os.path.normpath(path) for path in paths if os.path.lexists(path)]

    def write(self, out: str) -> Iterator[tuple[str, str]]:
        """Path and meaning of each file written; OSError."""
        os.makedirs(out, exist_ok=True)
        for name, template, meaning in self.files():
            path = os.path.normpath(os.path.join(out, name))
            with open(path, "x", encoding="utf-8") as file:
                file.write(self.filled((TEMPLATES / f"{template}.in").read_text("utf-8")))
            yield path, meaning

    def filled(self, text: str) -> str:
        """A template with this hook's names."""
        entry = textwrap.indent(ENTRIES[self.language], "      ")
        for mark, value in (
            ("@ENTRY@", entry),
            ("@NAME@", self.name),
            ("@MODULE@", self.module),
            ("@CLASS@", self.class_name),
        ):
            text = text.replace(mark, value)
        return text

    def next_steps(self, out: str) -> Iterator[str]:
        """What to do now."""
        where = "" if out in (".", "") else f" {out}"
        config = os.path.normpath(os.path.join(out, f"{self.name}.yaml"))
        if self.language == "native":
            source = os.path.normpath(os.path.join(out, f"{self.name}.c"))
            built = os.path.splitext(source)[0] + ".so"
            yield f"build: cc -O2 -shared -fPIC $(python -m pygw.native) -o {built} {source}"
        yield f"test:  pygw hook test{where}"
        yield f"serve: pygw run {config}"


def copy_offer(name: str, out: str) -> str:
    """Copies the file of a hook that a package offers; its new path. OSError, ValueError."""
    from ..config import hook_points

    offer = next((one for one in hook_points.offers() if one.name == name), None)
    if offer is None:
        raise ValueError(f"no installed package offers a hook {name}: see pygw hook list")
    if offer.language == "python":
        from pygw._core.runtimes.python_code import locate

        source = locate(offer.place.partition(":")[0])
    else:
        source = Path(hook_points.file_of(offer))
    os.makedirs(out, exist_ok=True)
    path = os.path.normpath(os.path.join(out, source.name))
    with open(path, "xb") as file:
        file.write(source.read_bytes())
    return path


def write_types(out: str, fresh: bool) -> Iterator[tuple[str, str]]:
    """The annotations of the Lua API and the settings of LuaLS; `fresh` writes the first anew."""
    os.makedirs(out, exist_ok=True)
    path = os.path.normpath(os.path.join(out, TYPES_NAME))
    if fresh or not os.path.lexists(path):
        Path(path).write_text(TYPES.read_text("utf-8"), "utf-8")
        yield path, "what editors know of the API"
    path = os.path.normpath(os.path.join(out, ".luarc.json"))
    if not os.path.lexists(path):
        Path(path).write_text(json.dumps(LUARC, indent=2) + "\n", "utf-8")
        yield path, "settings of LuaLS"
