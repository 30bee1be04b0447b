"""The code of Cython encoders and decoders.

Owns: what becomes of each kind of field.
Runs in: `pygw gen cython`.
Never does: name a module: `cython.Names` does.
Read next: `cython`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .layout import (
    Member,
    Struct,
    layout_hash,
    number_of,
    snake,
    stem_of,
    struct_of,
    views_constant_of,
)
from .model import FIXED32, FIXED64, Field, File, Message, Schema
from .text import fitted, joined, origin

if TYPE_CHECKING:
    from .cython import Names

DIRECTIVES = (
    "# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True",
    "# cython: initializedcheck=False, nonecheck=False",
)


def codec_pxd(schema: Schema, file: File, names: Names) -> str:
    """The header of a file's encoder and decoder."""
    own = list(file.messages)
    lines = [
        f"# {origin(file.name)}",
        "# Owns: messages from the wire into structs, and back.",
        "# Thread and GIL: any; no Python, no allocation.",
        "# Never does: read behind the end of the bytes, or write outside of the room.",
        f"# Read next: {stem_of(file.name)}_views.pxd, wire.pxd.",
        "",
        "from libc.stdint cimport int64_t",
        f"from {names.wire}wire cimport wire_reader_t, wire_room_t, wire_writer_t",
        *views_cimported(own, names),
        "",
        "# X_decode answers 0 or a wire_error. Spans lead into `ptr`; lists and messages lie in",
        "# `room`. Of a map's equal keys the last counts; a message that is not in a list must",
        "# not come twice. X_encode answers how many bytes it wrote, at the end of the room, or a",
        "# wire_error. The other functions are for other generated codecs.",
    ]
    for message in own:
        name, struct = snake(message.local), names.struct(message)
        if not message.entry:
            lines += [
                "",
                f"cdef int {name}_decode({struct}* v, const char* ptr, size_t size,"
                " wire_room_t* room) noexcept nogil",
                f"cdef int64_t {name}_encode(const {struct}* v, char* room, size_t size)"
                " noexcept nogil",
            ]
        lines += [
            f"cdef bint {name}_read(wire_reader_t* r, {struct}* v) noexcept nogil",
            f"cdef void {name}_write(wire_writer_t* w, const {struct}* v) noexcept nogil",
        ]
    return joined(fitted(lines))


def views_cimported(messages: list[Message], names: Names) -> Iterator[str]:
    """Where the structs of messages are cimported from."""
    modules: dict[str, set[str]] = {}
    for message in messages:
        known = names.known.get(message.full)
        module = known[1] if known else names.views(message.file)
        modules.setdefault(module, set()).add(names.struct(message))
    for module in sorted(modules):
        yield from cimported(module, sorted(modules[module]))


def cimported(module: str, what: list[str]) -> list[str]:
    """A cimport, over several lines when it is long."""
    line = f"from {module} cimport {', '.join(what)}"
    if len(line) <= 100:
        return [line]
    lines, row = [f"from {module} cimport ("], "   "
    for index, one in enumerate(what):
        word = f" {one}{',' if index < len(what) - 1 else ')'}"
        if len(row + word) > 100:
            lines.append(row)
            row = "   "
        row += word
    return [*lines, row]


def codec_pyx(schema: Schema, file: File, names: Names) -> str:
    """The encoder and decoder of a file's messages."""
    body: list[str] = []
    for message, one, many in _inner(schema, file):
        name, view = snake(message.local), names.struct(message)
        body += ["", "", *_read_one(name, view)] if one else []
        body += ["", "", *_read_next(name, view)] if many else []
    for message in file.messages:
        body += ["", "", *_message(schema, message, names)]
    body += ["", "", *_check(schema, file, names)]
    text = "\n".join(body)
    lines = [
        *DIRECTIVES,
        f"# {origin(file.name)}",
        "# Owns: messages from the wire into structs, and back.",
        "# Thread and GIL: any; no Python, no allocation.",
        "# Never does: anything that its .pxd does not say.",
        "# Read next: wire.pxd.",
        f'"""Protocol Buffers of {file.name} to structs and back."""',
        "",
        *_cimports(schema, file, names, text),
    ]
    return joined(fitted([*lines, *body]))


def _inner(schema: Schema, file: File) -> list[tuple[Message, bool, bool]]:
    """Messages that those of a file hold: whether one, whether many."""
    found: dict[str, tuple[Message, bool, bool]] = {}
    for message in file.messages:
        for one in message.fields:
            if one.kind == "message":
                other = schema.message_of(one)
                _, single, many = found.get(other.full, (other, False, False))
                found[other.full] = (other, single or not one.repeated, many or one.repeated)
    return list(found.values())


def _cimports(schema: Schema, file: File, names: Names, text: str) -> Iterator[str]:
    types = _called(text, ("int64_t", "uint8_t", "uint16_t", "uint32_t", "uint64_t"))
    yield f"from libc.stdint cimport {', '.join(sorted(types, key=lambda t: (len(t), t)))}"
    yield "from libc.string cimport memset"
    others: dict[str, set[str]] = {}
    structs = list(file.messages)
    for message in file.messages:
        for one in message.fields:
            if one.kind == "message" and schema.message_of(one).file != file.name:
                other = schema.message_of(one)
                structs.append(other)
                found = others.setdefault(names.codec(other.file), set())
                called = (f"{snake(other.local)}_{does}" for does in READS)
                found |= {name for name in called if f"{name}(" in text}
    for module in sorted(others):
        yield from cimported(module, sorted(others[module]))
    views = names.views(file.name)
    yield f"from {views} cimport {views_constant_of(file)}"
    yield from cimported(f"{names.wire}wire", _called(text, WIRE))
    put = _called(text, PUT)
    if put:
        yield from cimported(f"{names.wire}wire_put", put)
    yield from views_cimported(structs, names)


SHORT_MAX = 4
"""Messages of at most so many fields, all bytes, are tried in order before the loop."""
READS = ("read", "write")
WIRE = (
    *("wire_begin", "wire_bool", "wire_enter", "wire_fail", "wire_fixed", "wire_i32", "wire_i64"),
    *(
        "wire_leave",
        "wire_list",
        "wire_short",
        "wire_numbers",
        "wire_reader_t",
        "wire_room_t",
        "wire_s32",
    ),
    *("wire_s64", "wire_skip", "wire_span", "wire_span_next", "wire_tag", "wire_take"),
    *("wire_text", "wire_u16", "wire_u32", "wire_u64", "wire_u8", "wire_writer_t", "WIRE_TWICE"),
    *(
        f"WIRE_KIND_{k}"
        for k in ("BOOL", "FIXED32", "FIXED64", "I32", "S32", "S64", "U16", "U32", "U64", "U8")
    ),
)
PUT = (
    *("wire_is_zero32", "wire_is_zero64", "wire_put_begin", "wire_put_done", "wire_put_enter"),
    *("wire_put_fixed", "wire_put_leave", "wire_put_number", "wire_put_numbers", "wire_put_span"),
    *("wire_put_spans", "wire_put_text", "zigzag32", "zigzag64"),
)


def _called(text: str, names: tuple[str, ...]) -> list[str]:
    words = set(re.findall(r"\w+", text))
    return sorted(name for name in names if name in words)


# --- one message ----------------------------------------------------------------------------------


def _message(schema: Schema, message: Message, names: Names) -> list[str]:
    name, view = snake(message.local), names.struct(message)
    struct = struct_of(schema, message)
    lines = [f"# --- {message.local} ".ljust(100, "-")] if not message.entry else []
    lines += ["", *_read(schema, struct, names), "", "", *_write(schema, struct, names)]
    if message.entry:
        return lines[1:]
    return [
        *lines,
        *("", ""),
        f"cdef int {name}_decode({view}* v, const char* ptr, size_t size,"
        " wire_room_t* room) noexcept nogil:",
        "    cdef wire_reader_t r",
        "    wire_begin(&r, ptr, size, room)",
        f"    return 0 if {name}_read(&r, v) else r.error",
        *("", ""),
        f"cdef int64_t {name}_encode(const {view}* v, char* room, size_t size) noexcept nogil:",
        "    cdef wire_writer_t w",
        "    wire_put_begin(&w, room, size)",
        f"    {name}_write(&w, v)",
        "    return wire_put_done(&w, room + size)",
    ]


def _read_one(name: str, view: str) -> list[str]:
    return [
        f"cdef bint {name}_read_one(wire_reader_t* r, const {view}** out) noexcept nogil:",
        "    cdef const uint8_t* end",
        f"    cdef {view}* v",
        "    if out[0] != NULL:",
        "        return wire_fail(r, WIRE_TWICE)",
        f"    v = <{view}*>wire_take(r, sizeof({view}))",
        "    if v == NULL or not wire_enter(r, &end):",
        "        return False",
        f"    if not {name}_read(r, v):",
        "        return False",
        "    out[0] = v",
        "    return wire_leave(r, end)",
    ]


def _read_next(name: str, view: str) -> list[str]:
    return [
        f"cdef bint {name}_read_next(wire_reader_t* r, uint32_t tag, const {view}** items,"
        " uint32_t* count) noexcept nogil:",
        "    cdef const uint8_t* end",
        "    if items[0] == NULL:",
        f"        items[0] = <const {view}*>wire_list(r, tag, sizeof({view}))",
        "        if items[0] == NULL:",
        "            return False",
        "    if not wire_enter(r, &end):",
        "        return False",
        f"    if not {name}_read(r, <{view}*>&items[0][count[0]]):",
        "        return False",
        "    count[0] += 1",
        "    return wire_leave(r, end)",
    ]


def _read(schema: Schema, struct: Struct, names: Names) -> Iterator[str]:
    message = struct.message
    view = names.struct(message)
    yield f"cdef bint {snake(message.local)}_read(wire_reader_t* r, {view}* v) noexcept nogil:"
    yield "    cdef uint32_t tag"
    yield "    cdef bint good"
    yield f"    memset(v, 0, sizeof({view}))"
    if message.sized:
        yield f"    v.size = sizeof({view})"
    plain = [one for one in message.fields if not one.local]
    if all(one.kind == "bytes" and not one.repeated and not one.oneof for one in plain) and (
        0 < len(plain) <= SHORT_MAX and all(one.tag < 128 for one in plain)
    ):
        for one in sorted(plain, key=lambda one: one.number):
            member = f"v.{names.member(message, one.name)}"
            yield f"    r.at = wire_short(r.at, r.end, {one.tag}, &{member})"
    yield "    while r.at < r.end:"
    yield "        if not wire_tag(r, &tag):"
    yield "            return False"
    word = "if"
    for one in message.fields:
        if one.local:
            continue
        tags = f"tag == {number(one.tag)}"
        if one.packable:
            tags = f"tag == {number(one.packed_tag)} or tag == {number(one.tag)}"
        yield f"        {word} {tags}:"
        word = "elif"
        yield f"            good = {_read_call(schema, struct, one, names)}"
        if one.optional and one.kind not in ("string", "bytes", "message"):
            yield f"            v.{names.member(message, f'has_{one.name}')} = True"
        if one.oneof:
            yield f"            v.{one.oneof}_case = {one.number}"
    if word == "if":
        yield "        good = wire_skip(r, tag)"
    else:
        yield "        else:"
        yield "            good = wire_skip(r, tag)"
    yield "        if not good:"
    yield "            return False"
    yield "    return True"


def _read_call(schema: Schema, struct: Struct, one: Field, names: Names) -> str:
    member = f"v.{names.member(struct.message, one.name)}"
    text = one.kind == "string"
    if one.repeated:
        count = f"&v.{names.member(struct.message, struct.member(one, 'count').name)}"
        if one.kind == "message":
            read = snake(schema.message_of(one).local)
            return f"{read}_read_next(r, tag, &{member}, {count})"
        if one.kind in ("string", "bytes"):
            return f"wire_span_next(r, tag, &{member}, {count}, {text})"
        return f"wire_numbers(r, tag, {list_kind(one)}, <const void**>&{member}, {count})"
    if one.kind == "message":
        return f"{snake(schema.message_of(one).local)}_read_one(r, &{member})"
    if one.kind in ("string", "bytes"):
        return f"wire_{'text' if text else 'span'}(r, &{member})"
    if one.kind in FIXED32 or one.kind in FIXED64:
        return f"wire_fixed(r, &{member}, {8 if one.kind in FIXED64 else 4})"
    return f"wire_{number_reader(one)}(r, {_cast(one)}&{member})"


def number_reader(one: Field) -> str:
    """The function that reads a varint of a field's kind."""
    if one.kind == "bool":
        return "bool"
    if one.kind in ("sint32", "sint64"):
        return "s" + one.kind[4:]
    return number_of(one).replace("i8", "u8").replace("i16", "u16")


def _cast(one: Field) -> str:
    number = number_of(one)
    return f"<uint{number[1:]}_t*>" if number in ("i8", "i16") else ""


def list_kind(one: Field) -> str:
    """The wire_kind of a list's numbers."""
    if one.kind in FIXED64:
        return "WIRE_KIND_FIXED64"
    if one.kind in FIXED32:
        return "WIRE_KIND_FIXED32"
    reader = number_reader(one).replace("i64", "u64")
    return f"WIRE_KIND_{reader.upper()}"


def number(tag: int) -> str:
    """A tag as C and Cython take it: beyond 31 bits unsigned."""
    return f"{tag}U" if tag > 0x7FFFFFFF else str(tag)


# --- writing --------------------------------------------------------------------------------------


def _write(schema: Schema, struct: Struct, names: Names) -> Iterator[str]:
    message = struct.message
    fields = [one for one in message.fields if not one.local]
    name = snake(message.local)
    yield f"cdef void {name}_write(wire_writer_t* w, const {names.struct(message)}* v)" + (
        " noexcept nogil:"
    )
    if any(one.kind == "message" for one in fields):
        yield "    cdef const char* end"
    if any(one.kind == "message" and one.repeated for one in fields):
        yield "    cdef uint32_t i"
    if not fields:
        yield "    pass"
    for one in reversed(fields):
        yield from _write_field(schema, struct, one, names)


def _write_field(schema: Schema, struct: Struct, one: Field, names: Names) -> Iterator[str]:
    message = struct.message
    member = f"v.{names.member(message, one.name)}"
    if one.repeated and one.kind == "message":
        yield from _write_messages(schema, struct, one, names)
    elif one.repeated:
        count = f"v.{names.member(message, struct.member(one, 'count').name)}"
        if one.kind in ("string", "bytes"):
            text = one.kind == "string"
            yield f"    wire_put_spans(w, {number(one.tag)}, {member}, {count}, {text})"
        else:
            tag = number(one.packed_tag if one.packed else one.tag)
            yield f"    wire_put_numbers(w, {tag}, {list_kind(one)}, {member}, {count})"
    elif one.kind == "message":
        case = f"v.{one.oneof}_case == {one.number} and " if one.oneof else ""
        yield f"    if {case}{member} != NULL and wire_put_enter(w):"
        yield "        end = w.at"
        yield f"        {snake(schema.message_of(one).local)}_write(w, {member})"
        yield f"        wire_put_leave(w, {number(one.tag)}, end)"
    else:
        yield f"    if {_present(struct.message, one, member, names)}:"
        yield f"        {_put(one, member)}"


def _write_messages(schema: Schema, struct: Struct, one: Field, names: Names) -> Iterator[str]:
    inner = schema.message_of(one)
    member = f"v.{names.member(struct.message, one.name)}"
    count = f"v.{names.member(struct.message, struct.member(one, 'count').name)}"
    yield f"    i = {count}"
    yield "    while i > 0:"
    yield "        i -= 1"
    if inner.gone:
        yield f"        if {member}[i].flags & {inner.gone}:"
        yield "            continue"
    yield "        if wire_put_enter(w):"
    yield "            end = w.at"
    yield f"            {snake(inner.local)}_write(w, &{member}[i])"
    yield f"            wire_put_leave(w, {number(one.tag)}, end)"


def _present(message: Message, one: Field, member: str, names: Names) -> str:
    span = one.kind in ("string", "bytes")
    if one.oneof:
        return f"v.{one.oneof}_case == {one.number}"
    if one.optional:
        return f"{member}.ptr != NULL" if span else f"v.has_{one.name}"
    if span:
        return f"{member}.len > 0"
    if one.kind == "double":
        return f"not wire_is_zero64(&{member})"
    if one.kind == "float":
        return f"not wire_is_zero32(&{member})"
    return f"{member} != 0"


def _put(one: Field, member: str) -> str:
    if one.kind in ("string", "bytes"):
        return (
            f"wire_put_{'text' if one.kind == 'string' else 'span'}(w, {number(one.tag)}, {member})"
        )
    if one.kind in FIXED32 or one.kind in FIXED64:
        return f"wire_put_fixed(w, {number(one.tag)}, &{member}, {8 if one.kind in FIXED64 else 4})"
    if one.kind in ("sint32", "sint64"):
        return f"wire_put_number(w, {number(one.tag)}, zigzag{one.kind[4:]}({member}))"
    if number_of(one)[0] == "i":
        return f"wire_put_number(w, {number(one.tag)}, <uint64_t><int64_t>{member})"
    if one.kind == "bool":
        return f"wire_put_number(w, {number(one.tag)}, {member} != 0)"
    return f"wire_put_number(w, {number(one.tag)}, {member})"


# --- the layout, at import ------------------------------------------------------------------------


def _check(schema: Schema, file: File, names: Names) -> Iterator[str]:
    yield "# The structs lie in memory as in every other language, or nothing is loaded."
    probes = []
    tests = []
    for index, message in enumerate(file.messages):
        struct = struct_of(schema, message)
        name = f"a_{index}"
        probes.append(f"cdef {names.struct(message)} {name}")
        tests.append(f"sizeof({name}) == {struct.size}")
        tests += [_offset(names, message, name, m) for m in struct.members]
    yield from probes
    yield "if not ("
    for index, test in enumerate(tests):
        yield f"        {'and ' if index else ''}{test}"
    constant = views_constant_of(file)
    yield f"        and {constant} == 0x{layout_hash(schema, file.name):016x}U):"
    yield f'    raise ImportError(f"compiled with layout {{{constant}:016x}}"'
    yield f'                      " but {file.name} has"'
    yield f'                      " {layout_hash(schema, file.name):016x}: build again")'


def _offset(names: Names, message: Message, name: str, member: Member) -> str:
    to = f"{name}.{names.member(message, member.name)}"
    return f"<char*>&{to} - <char*>&{name} == {member.offset}"
