"""Structs as a C header.

Owns: C's types and names, static assertions.
Runs in: `pygw gen c`.
Never does: write code that runs: a header of views is data.
Read next: `cython`.
"""

from __future__ import annotations

from collections.abc import Iterator

from .layout import (
    C_NUMBERS,
    Member,
    Struct,
    check_names,
    constant_of,
    layout_hash,
    prefix_of,
    snake,
    structs_of,
)
from .model import File, Message, Schema
from .text import columns, joined, origin, wrapped

KEYWORDS = frozenset(
    (
        *("auto", "break", "case", "char", "const", "continue", "default", "do", "double"),
        *("else", "enum", "extern", "float", "for", "goto", "if", "inline", "int", "long"),
        *("register", "restrict", "return", "short", "signed", "sizeof", "static", "struct"),
        *("switch", "typedef", "union", "unsigned", "void", "volatile", "while", "class"),
        *("delete", "new", "private", "protected", "public", "template", "this", "throw"),
        *("try", "catch", "operator", "virtual", "using", "namespace", "friend", "explicit"),
        *("mutable", "bool", "true", "false", "and", "or", "not", "xor", "asm", "typename"),
    )
)
"""Of C and C++."""

SPAN = """\
#ifndef PYGW_SPAN
#define PYGW_SPAN
/* Bytes, not terminated. */
typedef struct { const char *ptr; uint32_t len; } pygw_span;
#endif"""

ASSERT = """\
#ifndef PYGW_LAYOUT_ASSERT
#if defined(__cplusplus)
#define PYGW_LAYOUT_ASSERT(what, text) static_assert(what, text)
#else
#define PYGW_LAYOUT_ASSERT(what, text) _Static_assert(what, text)
#endif
#define PYGW_LAYOUT_SIZE(type, size) \\
    PYGW_LAYOUT_ASSERT(sizeof(type) == size, #type " has another size than its .proto says")
#define PYGW_LAYOUT_AT(type, member, offset) \\
    PYGW_LAYOUT_ASSERT(offsetof(type, member) == offset, \\
                       #type "." #member " lies elsewhere than its .proto says")
#endif"""


def files(schema: Schema, name: str) -> dict[str, str]:
    """The header of a file and of each that it needs."""
    return {header_name(file.name): _header(schema, file) for file in schema.needed_by(name)}


def header_name(name: str) -> str:
    """The header of a `.proto`, in the same folder."""
    return name.removesuffix(".proto") + "_views.h"


def struct_name(schema: Schema, message: Message) -> str:
    """A message's struct: pygw.v1.HookCall is pygw_hook_call."""
    return f"{prefix_of(schema.files[message.file])}_{snake(message.local)}"


def identifier(name: str) -> str:
    """A member's name in C and C++."""
    return name + "_" if name in KEYWORDS else name


def declaration(schema: Schema, member: Member) -> str:
    """A member as C declares it, without the semicolon."""
    kind = C_NUMBERS.get(member.type) or (
        "pygw_span"
        if member.type == "span"
        else f"struct {struct_name(schema, schema.messages[member.type])}"
    )
    name = identifier(member.name)
    return f"const {kind} *{name}" if member.pointer else f"{kind} {name}"


def declarations(schema: Schema, structs: list[Struct]) -> Iterator[str]:
    """The structs of a file, as C and LuaJIT's FFI read them."""
    for struct in structs:
        name = struct_name(schema, struct.message)
        yield ""
        if struct.message.comment:
            yield from c_comment(struct.message.comment)
        yield f"typedef struct {name} {{"
        rows = [
            (f"{declaration(schema, member)};", _said(member)) for member in struct.members
        ] or [("uint8_t empty;", "")]
        yield from columns(rows, "    ", "/*", " */")
        yield f"}} {name};"


def _said(member: Member) -> str:
    if member.role == "size":
        return "bytes of this struct"
    if member.role == "case":
        return "number of the field that is set; 0: none"
    if member.role != "value" or member.field is None:
        return ""
    return member.field.comment.replace("*/", "* /")


def c_comment(said: str) -> list[str]:
    """A comment of one or more lines."""
    lines = wrapped(said.replace("*/", "* /"), " * ")
    if len(lines) == 1:
        return [f"/* {lines[0][3:]} */"]
    lines[0] = "/*" + lines[0][2:]
    lines[-1] += " */"
    return lines


def _header(schema: Schema, file: File) -> str:
    check_names(schema, file)
    structs = structs_of(schema, file)
    guard = header_name(file.name).replace("/", "_").replace(".", "_").replace("-", "_").upper()
    prefix = prefix_of(file)
    lines = [
        f"/* {origin(file.name)} */",
        *(f"#ifndef {guard}", f"#define {guard}"),
        *("#include <stddef.h>", "#include <stdint.h>"),
    ]
    for other in schema.needed_by(file.name)[:-1]:
        lines.append(f'#include "{header_name(other.name)}"')
    constant = constant_of(file)
    lines += ["", SPAN, ASSERT, ""]
    lines += [
        "/* Changes whenever a struct of this file, or one that it needs, does: compare it when */",
        "/* structs cross from one binary into another. */",
        f"#define {constant} UINT64_C(0x{layout_hash(schema, file.name):016x})",
    ]
    for enum in file.enums:
        lines += ["", "enum {"]
        scope = enum.local.rpartition(".")[0]
        inner = f"{prefix}_{snake(scope)}_" if scope else f"{prefix}_"
        lines += [f"    {inner.upper()}{key} = {value}," for key, value in enum.values.items()]
        lines += ["};"]
    lines += declarations(schema, structs)
    for struct in structs:
        if struct.message.gone:
            gone = f"{struct_name(schema, struct.message)}_GONE".upper()
            lines += ["", "/* `flags` of an entry that is not there any more. */"]
            lines += [f"#define {gone} {struct.message.gone}u"]
    lines += ["", *_assertions(schema, structs), "", "#endif"]
    return joined(lines)


def _assertions(schema: Schema, structs: list[Struct]) -> Iterator[str]:
    for struct in structs:
        name = struct_name(schema, struct.message)
        yield f"PYGW_LAYOUT_SIZE({name}, {struct.size});"
        for member in struct.members:
            yield f"PYGW_LAYOUT_AT({name}, {identifier(member.name)}, {member.offset});"
