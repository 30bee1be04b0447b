"""Structs for Python's ctypes, and enums.

Owns: the code of `*_views.py`.
Runs in: `pygw gen python`.
Never does: encode: Python has its own runtime of Protocol Buffers for that.
Read next: `csharp`.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator

from .layout import Member, Struct, check_names, constant_of, layout_hash, structs_of
from .model import File, Message, Schema
from .text import joined, origin, wrapped

NUMBERS = {
    f"{k}{w}": f"ctypes.c_{'u' * (k == 'u')}int{w}" for k in "iu" for w in (8, 16, 32, 64)
} | {"f64": "ctypes.c_double", "f32": "ctypes.c_float"}


def files(schema: Schema, name: str) -> dict[str, str]:
    """The modules of a file and of each that it needs."""
    return {path_of(file.name): _module(schema, file) for file in schema.needed_by(name)}


def path_of(name: str) -> str:
    """The module of a `.proto`. It has its folders in its name, for packages may be others'."""
    return re.sub(r"\W", "_", name.removesuffix(".proto")) + "_views.py"


def class_name(message: Message) -> str:
    """A message's class: Outer.Inner is Outer_Inner."""
    return message.local.replace(".", "_")


def _module(schema: Schema, file: File) -> str:
    check_names(schema, file)
    structs = structs_of(schema, file)
    layout = layout_hash(schema, file.name)
    lines = [f'"""{origin(file.name)}"""', "", "import ctypes", "import enum", ""]
    for other in schema.needed_by(file.name)[:-1]:
        module = path_of(other.name).removesuffix(".py")
        lines.append(f"import {module}")
    lines += ["", f"{constant_of(file)} = 0x{layout:016X}"]
    lines.append('"""Changes whenever a struct of this file, or one that it needs, does."""')
    for one in file.enums:
        lines += ["", "", f"class {one.local.replace('.', '_')}(enum.IntEnum):"]
        lines += [f'    """{one.comment or one.local}"""', ""]
        names = ((key + "_" * keyword.iskeyword(key), value) for key, value in one.values.items())
        lines += [f"    {key} = {value}" for key, value in names]
    lines += ["", "", "class Span(ctypes.Structure):"]
    lines += ['    """Bytes, not terminated."""', "    ptr: int | None", "    len: int"]
    lines += ['    _fields_ = [("ptr", ctypes.c_void_p), ("len", ctypes.c_uint32)]', ""]
    lines += ["    def __bytes__(self) -> bytes:"]
    lines += ['        return ctypes.string_at(self.ptr, self.len) if self.ptr else b""']
    for struct in structs:
        lines += ["", "", f"class {class_name(struct.message)}(ctypes.Structure):"]
        said = wrapped(struct.message.comment or struct.message.local, "    ")
        lines += ['    """' + "\n".join(said).strip() + '"""']
    for struct in structs:
        lines += ["", "", *_fields(schema, file, struct)]
    lines += ["", "", *_check(file, structs, layout)]
    return joined(lines)


def _fields(schema: Schema, file: File, struct: Struct) -> Iterator[str]:
    yield f"{class_name(struct.message)}._fields_ = ["
    for member in struct.members:
        kind = NUMBERS.get(member.type) or _struct(schema, file, member)
        if member.pointer:
            kind = f"ctypes.POINTER({kind})"
        yield f'    ("{member.name}", {kind}),'
    if not struct.members:
        yield '    ("empty", ctypes.c_uint8),'
    yield "]"


def _struct(schema: Schema, file: File, member: Member) -> str:
    if member.type == "span":
        return "Span"
    message = schema.messages[member.type]
    home = "" if message.file == file.name else path_of(message.file).removesuffix("py")
    return home + class_name(message)


def _check(file: File, structs: list[Struct], layout: int) -> Iterator[str]:
    yield "for _struct, _size, _offsets in ("
    for struct in structs:
        offsets = "".join(f"{m.offset}, " for m in struct.members).rstrip()
        yield f"    ({class_name(struct.message)}, {struct.size}, ({offsets})),"
    yield "):"
    yield "    _found = tuple(getattr(_struct, field[0]).offset for field in _struct._fields_)"
    yield "    if ctypes.sizeof(_struct) != _size or _found[: len(_offsets)] != _offsets:"
    yield "        raise ImportError("
    yield f'            f"{{_struct.__name__}} does not lie as layout {layout:016x} of"'
    yield f'            " {file.name} has it: a machine of 64 bits is needed"'
    yield "        )"
    yield ""
    yield ""
    yield "def check(other: int) -> None:"
    yield '    """Raises ImportError if who fills the structs has another layout."""'
    yield f"    if other != {constant_of(file)}:"
    yield f'        raise ImportError(f"{file.name} has layout {layout:016x}, not {{other:016x}}")'
