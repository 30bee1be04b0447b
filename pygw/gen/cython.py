"""Structs for Cython, and an encoder and decoder between them and the wire, without the GIL.

Owns: Cython's names; the code of `*_views.pxd`, `*_codec.pxd` and `*_codec.pyx`.
Runs in: `pygw gen cython`, and `core`, which writes those of pygw itself.
Never does: repeat `wire.pxd`: what is equal for all messages stands there.
Read next: `lua`.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .cython_code import codec_pxd, codec_pyx
from .layout import (
    C_NUMBERS,
    Member,
    Struct,
    check_names,
    layout_hash,
    snake,
    stem_of,
    structs_of,
    views_constant_of,
)
from .model import File, Message, Schema
from .text import columns, joined, origin, wrapped

OWNER = "borrow(who filled it, until it lets go)"


@dataclass(frozen=True)
class Names:
    """Where modules are, and structs that stand somewhere else already.

    `package`: what precedes generated modules. `wire`: what precedes wire.pxd and wire_put.pxd.
    `header`: the module of span_t. `known`: a message's struct, its module, and the names of its
    members that differ from its fields'.
    """

    package: str = ""
    wire: str = ""
    header: str = "span"
    known: Mapping[str, tuple[str, str, Mapping[str, str]]] = field(default_factory=dict)

    def struct(self, message: Message) -> str:
        """The struct of a message: HookCall is hook_call_view_t."""
        known = self.known.get(message.full)
        return known[0] if known else f"{snake(message.local)}_view_t"

    def member(self, message: Message, name: str) -> str:
        """A member's name in Cython."""
        known = self.known.get(message.full)
        if known and name in known[2]:
            return known[2][name]
        return name + "_" if keyword.iskeyword(name) else name

    def views(self, file: str) -> str:
        """The module of a file's structs."""
        return f"{self.package}{stem_of(file)}_views"

    def codec(self, file: str) -> str:
        """The module of a file's encoder and decoder."""
        return f"{self.package}{stem_of(file)}_codec"


def files(schema: Schema, name: str) -> dict[str, str]:
    """The modules of a file and of each that it needs, with wire.pxd and wire_put.pxd."""
    names = Names()
    found: dict[str, str] = {}
    for file in schema.needed_by(name):
        found |= modules(schema, file, names)
    core = Path(__file__).parents[1] / "_core" / "pb"
    for one in ("wire", "wire_put"):
        text = (core / f"{one}.pxd").read_text("utf-8")
        text = text.replace("pygw._core.pb.", "").replace("pygw._core.types.header", "span")
        found[f"{one}.pxd"] = text
    found["span.pxd"] = SPAN
    return found


SPAN = """\
# Owns: the span, the word every struct is made of.
# Thread and GIL: any; declarations only.
# Never does: own the bytes.
# Read next: wire.pxd.

from libc.stdint cimport uint32_t

# Bytes, not terminated.
cdef struct span_t:
    const char* ptr       # borrow(what holds the bytes, until it lets go)
    uint32_t len
"""


def modules(schema: Schema, file: File, names: Names) -> dict[str, str]:
    """The three files of one `.proto`."""
    check_names(schema, file)
    stem = stem_of(file.name)
    return {
        f"{stem}_views.pxd": _views(schema, file, names),
        f"{stem}_codec.pxd": codec_pxd(schema, file, names),
        f"{stem}_codec.pyx": codec_pyx(schema, file, names),
    }


def declared(schema: Schema, struct: Struct, member: Member, names: Names) -> str:
    """A member as Cython declares it."""
    kind = C_NUMBERS.get(member.type) or (
        "span_t" if member.type == "span" else names.struct(schema.messages[member.type])
    )
    name = names.member(struct.message, member.name)
    return f"const {kind}* {name}" if member.pointer else f"{kind} {name}"


def _views(schema: Schema, file: File, names: Names) -> str:
    structs = [s for s in structs_of(schema, file) if s.message.full not in names.known]
    constant = views_constant_of(file)
    lines = [
        f"# {origin(file.name)}",
        "# Owns: the structs of its messages, as C, LuaJIT and others see them too.",
        "# Thread and GIL: any; declarations only.",
        "# Never does: own what its pointers lead to.",
        f"# Read next: {stem_of(file.name)}_codec.pxd.",
        "",
        *_cimports(schema, file, structs, names),
        "",
        "# Changes whenever a struct of this file, or one that it needs, does.",
        "cdef extern from *:",
        '    """',
        f"    #define {constant} UINT64_C(0x{layout_hash(schema, file.name):016x})",
        '    """',
        f"    const uint64_t {constant}",
    ]
    for enum in file.enums:
        lines += ["", *(wrapped(enum.comment, "# ") if enum.comment else [])]
        lines += [f"cdef enum {snake(enum.local)}_value:"]
        lines += [f"    {key} = {value}" for key, value in enum.values.items()]
    if structs:
        lines.append("")
        # Messages that lead to each other in a circle.
        lines += [f"cdef struct {names.struct(struct.message)}" for struct in structs]
    for struct in structs:
        lines += ["", *(wrapped(struct.message.comment, "# ") if struct.message.comment else [])]
        lines.append(f"cdef struct {names.struct(struct.message)}:")
        rows = [
            (declared(schema, struct, member, names), _said(member)) for member in struct.members
        ]
        lines += columns(rows or [("uint8_t empty", "")], "    ", "#")
    return joined(lines)


def _said(member: Member) -> str:
    said = member.field.comment if member.field and member.role == "value" else ""
    if member.role == "size":
        said = "bytes of this struct"
    if member.role == "case":
        said = "number of the field that is set; 0: none"
    return f"{OWNER}{': ' * bool(said)}{said}" if member.pointer else said


def _cimports(schema: Schema, file: File, structs: list[Struct], names: Names) -> Iterator[str]:
    types = {C_NUMBERS[m.type] for s in structs for m in s.members if m.type in C_NUMBERS}
    numbers = sorted({"uint64_t", *types} - {"double", "float"}, key=lambda n: (len(n), n))
    yield f"from libc.stdint cimport {', '.join(numbers)}"
    known: dict[str, set[str]] = {}
    for struct in structs:
        for member in struct.members:
            if member.type == "span":
                known.setdefault(names.header, set()).add("span_t")
            elif member.type not in C_NUMBERS:
                message = schema.messages[member.type]
                if message.full in names.known:
                    known.setdefault(names.known[message.full][1], set()).add(names.struct(message))
                elif message.file != file.name:
                    known.setdefault(names.views(message.file), set()).add(names.struct(message))
    for module in sorted(known):
        yield f"from {module} cimport {', '.join(sorted(known[module]))}"
