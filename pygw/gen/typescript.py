"""Types of messages for TypeScript, and enums.

Owns: TypeScript's types and names.
Runs in: `pygw gen typescript`.
Never does: encode: a hook in JavaScript gets objects of these types.
"""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import dirname, relpath

from .c import c_comment
from .layout import check_names, constant_of, layout_hash
from .model import Enum, Field, File, Message, Schema
from .text import joined, origin

WIDE = frozenset(("int64", "uint64", "sint64", "fixed64", "sfixed64"))


def files(schema: Schema, name: str) -> dict[str, str]:
    """The modules of a file and of each that it needs."""
    return {path_of(file.name): _module(schema, file) for file in schema.needed_by(name)}


def path_of(name: str) -> str:
    """The module of a `.proto`, in the same folder."""
    return name.removesuffix(".proto") + "_types.ts"


def _name(one: Message | Enum) -> str:
    return one.local.replace(".", "_")


def _module(schema: Schema, file: File) -> str:
    check_names(schema, file)
    lines = [f"// {origin(file.name)}"]
    lines += _imports(schema, file)
    lines += ["", "/** Of the structs that the same file gives other languages. */"]
    lines.append(f'export const {constant_of(file)} = "{layout_hash(schema, file.name):016x}";')
    for enum in file.enums:
        name = _name(enum)
        lines += ["", f"export const {name} = {{"]
        lines += [f"  {key}: {value}," for key, value in enum.values.items()]
        lines += ["} as const;", "/** Also numbers that this schema does not know. */"]
        lines.append(f"export type {name} = number;")
    for message in file.messages:
        if not message.entry:
            lines += ["", *_message(schema, message)]
    return joined(lines)


def _imports(schema: Schema, file: File) -> Iterator[str]:
    used: dict[str, set[str]] = {}
    for message in file.messages:
        for one in message.fields:
            if one.kind in ("message", "enum"):
                other: Message | Enum = (
                    schema.message_of(one) if one.kind == "message" else schema.enum_of(one)
                )
                if other.file != file.name:
                    used.setdefault(other.file, set()).add(_name(other))
    for name in sorted(used):
        path = relpath(path_of(name), dirname(path_of(file.name)) or ".")
        path = path if path.startswith(".") else f"./{path}"
        yield f'import type {{ {", ".join(sorted(used[name]))} }} from "{path}";'


def _message(schema: Schema, message: Message) -> Iterator[str]:
    if message.comment:
        first, *rest = c_comment(message.comment)
        yield "/**" + first.removeprefix("/*")
        yield from rest
    yield f"export interface {_name(message)} {{"
    for one in message.fields:
        if one.local:
            continue
        if one.comment:
            said = one.comment.replace("*/", "* /")
            yield f"  /** {said} */"
        optional = not one.repeated and (one.optional or one.oneof or one.kind == "message")
        yield f"  {one.name}{'?' if optional else ''}: {_type(schema, one)};"
    for oneof in message.oneofs:
        names = " | ".join(f'"{one.name}"' for one in message.fields if one.oneof == oneof)
        yield f"  {oneof}?: {names};"
    yield "}"


def _type(schema: Schema, one: Field) -> str:
    if schema.is_map(one):
        key, value = schema.message_of(one).fields
        return f"Map<{_single(schema, key)}, {_single(schema, value)}>"
    return _single(schema, one) + "[]" * one.repeated


def _single(schema: Schema, one: Field) -> str:
    if one.kind == "message":
        return _name(schema.message_of(one))
    if one.kind == "enum":
        return _name(schema.enum_of(one))
    if one.kind in ("string", "bytes"):
        return "string" if one.kind == "string" else "Uint8Array"
    if one.kind == "bool":
        return "boolean"
    return "bigint" if one.kind in WIDE else "number"
