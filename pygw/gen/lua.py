"""Protocol Buffers for LuaJIT: an encoder and decoder of tables, and the structs for its FFI.

Owns: the code of `*_pb.lua` and `*_views.lua`.
Runs in: `pygw gen lua`.
Never does: repeat `pygw_pb.lua`, which knows the wire and is written beside what uses it.
Read next: `pygw_pb.lua`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .c import declarations, identifier, struct_name
from .layout import check_names, constant_of, layout_hash, structs_of
from .model import Field, File, GenError, Message, Schema
from .text import joined, origin

KEYWORDS = frozenset(
    (
        *("and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto"),
        *("if", "in", "local", "nil", "not", "or", "repeat", "return", "then", "true"),
        *("until", "while"),
    )
)
UNKNOWN = "_unknown"
CALLS = {
    "double": "f64",
    "float": "f32",
    "int32": "i32",
    "enum": "i32",
    "uint32": "u32",
    "int64": "i64",
    "uint64": "u64",
    "sint32": "s32",
    "sint64": "s64",
    "bool": "bool",
    "fixed32": "x32",
    "sfixed32": "y32",
    "fixed64": "x64",
    "sfixed64": "y64",
    "string": "text",
    "bytes": "bytes",
}
"""The functions of pygw_pb_read.lua and pygw_pb_write.lua by kind of field."""
WIDE = frozenset(("int64", "uint64", "sint64", "fixed64", "sfixed64"))
CHAIN = 6
SHARED = ("pygw_pb.lua", "pygw_pb_bounds.lua", "pygw_pb_read.lua", "pygw_pb_write.lua")
"""Modules that are written beside every codec."""


def files(schema: Schema, name: str) -> dict[str, str]:
    """The modules of a file and of each that it needs, with those that all share."""
    found = {name: Path(__file__).with_name(name).read_text("utf-8") for name in SHARED}
    for file in schema.needed_by(name):
        base = file.name.removesuffix(".proto")
        found[f"{base}_pb.lua"] = _codec(schema, file)
        found[f"{base}_views.lua"] = _views(schema, file)
    return found


def module_of(name: str) -> str:
    """What `require` is given for the codec of a file."""
    return name.removesuffix(".proto").replace("/", ".") + "_pb"


def ident(message: Message) -> str:
    """A message's name in its module: Outer.Inner is Outer_Inner."""
    return message.local.replace(".", "_")


def at(table: str, name: str) -> str:
    """A field of a table, whatever it is called."""
    return f'{table}["{name}"]' if name in KEYWORDS else f"{table}.{name}"


def key_of(name: str) -> str:
    """A key within a table's constructor."""
    return f'["{name}"]' if name in KEYWORDS else name


# --- the module -----------------------------------------------------------------------------------


def _codec(schema: Schema, file: File) -> str:
    check_names(schema, file)
    used = {ident(message) for message in file.messages}
    if len(used) < len(file.messages):
        raise GenError(f"{file.name}: two messages would both be called A_B; rename one of them")
    lines = [
        f"-- {origin(file.name)}",
        'local pb = require("pygw_pb")',
        "local R, W = pb.read, pb.write",
        "local concat = table.concat",
        "-- Of each message: a new one, reading, writing.",
        "local N, D, E = {}, {}, {}",
        "local M = { N = N, D = D, E = E }",
    ]
    for other in schema.needed_by(file.name)[:-1]:
        lines.append(f'local {_local(other)} = require("{module_of(other.name)}")')
    for enum in file.enums:
        name = enum.local.replace(".", "_")
        pairs = ", ".join(f"{key_of(key)} = {value}" for key, value in enum.values.items())
        names = {value: key for key, value in reversed(enum.values.items())}
        back = ", ".join(f'[{value}] = "{key}"' for value, key in sorted(names.items()))
        lines += ["", f"M.{name} = {{ {pairs} }}", f"M.{name}_name = {{ {back} }}"]
    for message in file.messages:
        if not message.entry:
            lines += _Writer(schema, file, message).message()
    return joined([*lines, "", "return M"])


def _local(file: File) -> str:
    return "m_" + module_of(file.name).replace(".", "_").replace("-", "_")


def _views(schema: Schema, file: File) -> str:
    structs = structs_of(schema, file)
    needed = []
    for other in schema.needed_by(file.name)[:-1]:
        needed.append(f'require("{module_of(other.name).removesuffix("_pb")}_views")')
    checks = []
    for struct in structs:
        name = struct_name(schema, struct.message)
        checks.append(f'check("{name}", ffi.sizeof("{name}"), {struct.size})')
        checks += [
            f'check("{name}.{m}", ffi.offsetof("{name}", "{m}"), {offset})'
            for m, offset in ((identifier(m.name), m.offset) for m in struct.members)
        ]
    layout = f"{layout_hash(schema, file.name):016x}"
    first = struct_name(schema, structs[0].message) if structs else "pygw_span"
    return joined(
        [
            f"-- {origin(file.name)}",
            "-- The structs as LuaJIT's FFI sees them. Offsets are proven here; compare the hash",
            "-- with that of whoever fills the structs before reading one.",
            'local ffi = require("ffi")',
            *needed,
            'if not pcall(ffi.typeof, "pygw_span") then',
            '  ffi.cdef("typedef struct { const char *ptr; uint32_t len; } pygw_span;")',
            "end",
            f'if not pcall(ffi.typeof, "{first}") then',
            "ffi.cdef[[",
            *list(declarations(schema, structs))[1:],
            "]]",
            "end",
            "local function check(what, is, should)",
            "  if is ~= should then",
            f'    error(what .. " is " .. is .. " and not " .. should .. ": layout {layout} does'
            ' not fit", 0)',
            "  end",
            "end",
            *checks,
            "return {",
            f'  {constant_of(file)} = "{layout}",',
            "  -- The bytes of a span as a string.",
            "  string = function(span) return ffi.string(span.ptr, span.len) end,",
            "  -- Raises when the other side's hash, as 16 hexadecimal digits, is another.",
            "  check = function(other)",
            f'    if other ~= "{layout}" then',
            f'      error("{file.name} has layout {layout}, the other side " .. other, 2)',
            "    end",
            "  end,",
            "}",
        ]
    )


# --- one message ----------------------------------------------------------------------------------


class _Writer:
    """Writes the functions of one message."""

    def __init__(self, schema: Schema, file: File, message: Message) -> None:
        self._schema = schema
        self._file = file
        self._message = message
        self._fields = [one for one in message.fields if not one.local]
        names = {one.name for one in self._fields} | set(message.oneofs)
        if UNKNOWN in names:
            raise GenError(
                f"{file.name}: {message.local} has a field {UNKNOWN}, which holds unknown fields"
                " in Lua; rename the field"
            )

    def message(self) -> Iterator[str]:
        """All of it."""
        name = ident(self._message)
        yield ""
        yield f"-- {self._message.local}"
        yield from self._new(name)
        yield from self._decode(name)
        yield from self._encode(name)
        yield (
            f"M.{name} = {{ new = N.{name}, decode = pb.decoder(D.{name}, N.{name}),"
            f" encode = pb.encoder(E.{name}) }}"
        )

    def _new(self, name: str) -> Iterator[str]:
        values = []
        for one in self._fields:
            if one.repeated:
                values.append(f"{key_of(one.name)} = {{}}")
            elif not one.optional and not one.oneof and one.kind != "message":
                values.append(f"{key_of(one.name)} = {_zero(one)}")
        yield f"function N.{name}() return {{ {', '.join(values)} }} end"

    def _place(self, one: Field, table: str) -> str:
        other = self._schema.message_of(one)
        home = "" if other.file == self._file.name else f"{_local(self._schema.files[other.file])}."
        return f"{home}{table}.{ident(other)}"

    def _where(self, one: Field) -> str:
        return f'"{self._message.local}.{one.name}"'

    # --- reading ---

    def _decode(self, name: str) -> Iterator[str]:
        yield f"function D.{name}(b, i, e, depth, m)"
        yield "  local unknown"
        simple = [
            one
            for one in self._fields
            if one.kind != "message" and not one.repeated and not one.oneof and one.tag < 128
        ]
        if len(self._fields) <= 8 and len(simple) == len(self._fields):
            # Most often each field comes once and in order: then no loop is needed.
            for one in sorted(simple, key=lambda one: one.number):
                yield f"  if i < e and b[i] == {one.tag} then"
                yield f"    {at('m', one.name)}, i = R.{CALLS[one.kind]}(b, i + 1, e)"
                yield "  end"
        yield "  while i < e do"
        yield "    local start, t = i, nil"
        yield "    t, i = R.tag(b, i, e)"
        cases = []
        for one in self._fields:
            cases.append((one.tag, list(self._read(one, packed=False))))
            if one.packable:
                cases.append((one.packed_tag, list(self._read(one, packed=True))))
        yield from _dispatch(sorted(cases), "    ")
        yield "  end"
        yield "  if unknown then"
        yield f"    if m.{UNKNOWN} then unknown[0] = m.{UNKNOWN} end"
        yield f'    m.{UNKNOWN} = concat(unknown, "", unknown[0] and 0 or 1)'
        yield "  end"
        yield "  return m"
        yield "end"

    def _read(self, one: Field, packed: bool) -> Iterator[str]:
        field = at("m", one.name)
        if packed:
            yield f"local l, stop, v = {field}, 0, nil"
            yield "i, stop = R.enter(b, i, e, depth)"
            yield "while i < stop do"
            yield f"  v, i = R.{CALLS[one.kind]}(b, i, stop)"
            yield "  l[#l + 1] = v"
            yield "end"
        elif self._schema.is_map(one):
            yield from self._read_entry(one)
        elif one.kind == "message":
            yield "local stop"
            yield "i, stop = R.enter(b, i, e, depth)"
            read, new = self._place(one, "D"), self._place(one, "N")
            if one.repeated:
                yield f"local l = {field}"
                yield f"l[#l + 1] = {read}(b, i, stop, depth + 1, {new}())"
            else:
                yield from self._set_case(one)
                yield f"{field} = {read}(b, i, stop, depth + 1, {field} or {new}())"
            yield "i = stop"
        elif one.repeated:
            yield f"local l, v = {field}, nil"
            yield f"v, i = R.{CALLS[one.kind]}(b, i, e)"
            yield "l[#l + 1] = v"
        else:
            yield from self._set_case(one)
            yield f"{field}, i = R.{CALLS[one.kind]}(b, i, e)"

    def _set_case(self, one: Field) -> Iterator[str]:
        if one.oneof:
            for other in self._fields:
                if other.oneof == one.oneof and other is not one:
                    yield f"{at('m', other.name)} = nil"
            yield f'{at("m", one.oneof)} = "{one.name}"'

    def _read_entry(self, one: Field) -> Iterator[str]:
        key, value = self._schema.message_of(one).fields
        yield "local stop, t2"
        yield "i, stop = R.enter(b, i, e, depth)"
        zero = "nil" if value.kind == "message" else _zero(value)
        yield f"local k, v = {_zero(key)}, {zero}"
        yield "while i < stop do"
        yield "  t2, i = R.tag(b, i, stop)"
        yield f"  if t2 == {key.tag} then"
        yield f"    k, i = R.{CALLS[key.kind]}(b, i, stop)"
        yield f"  elseif t2 == {value.tag} then"
        if value.kind == "message":
            yield "    local last"
            yield "    i, last = R.enter(b, i, stop, depth + 1)"
            new = self._place(value, "N")
            yield f"    v = {self._place(value, 'D')}(b, i, last, depth + 2, v or {new}())"
            yield "    i = last"
        else:
            yield f"    v, i = R.{CALLS[value.kind]}(b, i, stop)"
        yield "  else"
        yield "    i = R.skip(b, i, stop, t2)"
        yield "  end"
        yield "end"
        if value.kind == "message":
            yield f"if v == nil then v = {self._place(value, 'N')}() end"
        k = "R.key(k)" if key.kind in WIDE else "k"
        yield f"{at('m', one.name)}[{k}] = v"

    # --- writing ---

    def _encode(self, name: str) -> Iterator[str]:
        yield f"function E.{name}(r, m, depth)"
        yield "  local v"
        yield f"  v = m.{UNKNOWN}"
        yield "  if v ~= nil then r = W.raw(r, v, #v) end"
        for oneof in self._message.oneofs:
            members = [at("m", one.name) for one in self._fields if one.oneof == oneof]
            yield "  v = 0"
            for member in members:
                yield f"  if {member} ~= nil then v = v + 1 end"
            yield (
                f'  if v > 1 then W.wrong("{self._message.local}.{oneof}",'
                ' "one of its fields only", v) end'
            )
        for one in sorted(self._fields, key=lambda one: -one.number):
            yield f"  v = {at('m', one.name)}"
            for line in self._put(one):
                yield f"  {line}"
        yield "  return r"
        yield "end"

    def _put(self, one: Field) -> Iterator[str]:
        where = self._where(one)
        if self._schema.is_map(one):
            yield from self._put_map(one)
        elif one.repeated:
            yield "if v ~= nil then"
            yield "  local end_of, x = r, nil" if one.packed else "  local x"
            yield f"  for k = #W.list(v, {where}), 1, -1 do"
            yield "    x = v[k]"
            for line in self._put_one(one, "x"):
                yield f"    {line}"
            if not one.packed:
                yield f"    {_put_tag(one.tag)}"
            yield "  end"
            if one.packed:
                yield "  if r > end_of then"
                yield "    r = W.number(r, r - end_of)"
                yield f"    {_put_tag(one.packed_tag)}"
                yield "  end"
            yield "end"
        else:
            yield f"if {_is_set(one)} then"
            for line in self._put_one(one, "v"):
                yield f"  {line}"
            yield f"  {_put_tag(one.tag)}"
            yield "end"

    def _put_one(self, one: Field, v: str) -> Iterator[str]:
        where = self._where(one)
        if one.kind == "message":
            yield "local from = r"
            yield f"r = {self._place(one, 'E')}(r, W.message({v}, depth, {where}), depth + 1)"
            yield "r = W.number(r, r - from)"
            return
        if one.kind == "enum":
            enum = self._schema.enum_of(one)
            home = "M" if enum.file == self._file.name else (_local(self._schema.files[enum.file]))
            table = f"{home}.{enum.local.replace('.', '_')}"
            yield f'if type({v}) == "string" then'
            yield f'  {v} = {table}[{v}] or W.wrong({where}, "a name of {enum.local}", {v})'
            yield "end"
        yield f"r = W.{CALLS[one.kind]}(r, {v}, {where})"

    def _put_map(self, one: Field) -> Iterator[str]:
        key, value = self._schema.message_of(one).fields
        yield "if v ~= nil then"
        yield f"  for k, x in pairs(W.list(v, {self._where(one)})) do"
        yield "    local end_of = r"
        # An entry is one level, as when it is read.
        for line in self._put_one_of_map(one, value):
            yield f"    {line}"
        yield f"    {_put_tag(value.tag)}"
        if key.kind in WIDE:
            signed = "true" if key.kind not in ("uint64", "fixed64") else "false"
            yield f"    k = W.key(k, {self._where(one)}, {signed})"
        yield f"    r = W.{CALLS[key.kind]}(r, k, {self._where(one)})"
        yield f"    {_put_tag(key.tag)}"
        yield "    r = W.number(r, r - end_of)"
        yield f"    {_put_tag(one.tag)}"
        yield "  end"
        yield "end"

    def _put_one_of_map(self, one: Field, value: Field) -> Iterator[str]:
        for line in self._put_one(value, "x"):
            yield (
                line.replace(self._where(value), self._where(one))
                .replace("depth", "depth + 1")
                .replace("depth + 1 + 1", "depth + 2")
            )


def _zero(one: Field) -> str:
    if one.kind in ("string", "bytes"):
        return '""'
    return "false" if one.kind == "bool" else "0"


def _is_set(one: Field) -> str:
    if one.optional or one.oneof or one.kind == "message":
        return "v ~= nil"
    if one.kind in ("string", "bytes"):
        return 'v ~= nil and v ~= ""'
    if one.kind == "bool":
        return "v ~= nil and v ~= false"
    return "v ~= nil and not W.is_zero(v)"


def _put_tag(tag: int) -> str:
    return f"r = W.byte(r, {tag})" if tag < 128 else f"r = W.number(r, {tag})"


def _dispatch(cases: list[tuple[int, list[str]]], indent: str) -> Iterator[str]:
    """Code that tells tags apart: a short chain, or halves of a long one."""
    if len(cases) > CHAIN:
        half = len(cases) // 2
        yield f"{indent}if t < {cases[half][0]} then"
        yield from _dispatch(cases[:half], indent + "  ")
        yield f"{indent}else"
        yield from _dispatch(cases[half:], indent + "  ")
        yield f"{indent}end"
        return
    word = "if"
    for tag, lines in cases:
        yield f"{indent}{word} t == {tag} then"
        yield from (f"{indent}  {line}" for line in lines)
        word = "elseif"
    body = [
        "i = R.skip(b, i, e, t)",
        "unknown = unknown or {}",
        "unknown[#unknown + 1] = R.str(b + start, i - start)",
    ]
    if word == "if":
        yield from (indent + line for line in body)
        return
    yield f"{indent}else"
    yield from (f"{indent}  {line}" for line in body)
    yield f"{indent}end"
