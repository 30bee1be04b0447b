"""How a message lies in memory as a struct, and the hash of it.

Owns: members, their types, sizes and offsets; the names that languages share.
Runs in: `pygw gen`.
Never does: reorder: members lie in the order of declaration, so that a struct grows at its end.
Read next: `c`.

The rules, which proto/README.md states for people:

- numbers and bool are as wide as their kind, or as (pygw.view).bits says; bool is 8 bits;
- string and bytes are a span: pointer and 32 bits of length, not terminated;
- a message is a pointer, NULL when absent; a list and a map are a pointer and a 32-bit count;
- `optional` numbers have `has_NAME` before them; an absent optional span has a NULL pointer;
- before a oneof's first member stands `NAME_case`: the number of the field that is set, or 0.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from .model import Field, File, GenError, Message, Schema

POINTER = 8
NUMBERS = {
    "bool": "u8",
    "enum": "i32",
    "double": "f64",
    "float": "f32",
    "int32": "i32",
    "sint32": "i32",
    "sfixed32": "i32",
    "uint32": "u32",
    "fixed32": "u32",
    "int64": "i64",
    "sint64": "i64",
    "sfixed64": "i64",
    "uint64": "u64",
    "fixed64": "u64",
}
"""Kind of a field to the name of its number: i, u or f, and the width."""

C_NUMBERS = {f"{k}{w}": f"{'u' * (k == 'u')}int{w}_t" for k in "iu" for w in (8, 16, 32, 64)}
C_NUMBERS |= {"f64": "double", "f32": "float"}
"""Name of a number to its type in C."""

SPAN = "span"
SIZES = {"span": 16, **{f"{k}{w}": w // 8 for k in "iuf" for w in (8, 16, 32, 64)}}


@dataclass(frozen=True)
class Member:
    """A member of a struct. `type` is a number, "span", or the full name of a message.

    `pointer`: it leads to one, or to `count` many. `role` is "value", or what a member that no
    field has stands for: "size", "has", "case", "count".
    """

    name: str
    type: str
    pointer: bool
    role: str
    offset: int
    field: Field | None

    @property
    def size(self) -> int:
        """Bytes of it."""
        return POINTER if self.pointer else SIZES[self.type]


@dataclass(frozen=True)
class Struct:
    """A message as a struct."""

    message: Message
    members: tuple[Member, ...]
    size: int

    def member(self, one: Field, role: str = "value") -> Member:
        """The member that a field has, in a role."""
        return next(m for m in self.members if m.field is one and m.role == role)


def struct_of(schema: Schema, message: Message) -> Struct:
    """A message's struct, on a machine of 64 bits that aligns numbers by their size."""
    members: list[Member] = []
    end, align = 0, 1
    for name, kind, pointer, role, one in _members(schema, message):
        size = POINTER if pointer else SIZES[kind]
        step = POINTER if kind == SPAN or pointer else size
        offset = -(-end // step) * step
        members.append(Member(name, kind, pointer, role, offset, one))
        end, align = offset + size, max(align, step)
    names = [member.name for member in members]
    for name in names:
        if names.count(name) > 1:
            raise GenError(
                f"{message.file}: {message.local} has a field {name}, which its struct needs for"
                " itself; rename the field"
            )
    return Struct(message, tuple(members), max(-(-end // align) * align, 1))


def _members(
    schema: Schema, message: Message
) -> Iterator[tuple[str, str, bool, str, Field | None]]:
    if message.sized:
        yield "size", "u32", False, "size", None
    begun = set()
    for one in message.fields:
        if one.oneof and one.oneof not in begun:
            begun.add(one.oneof)
            yield f"{one.oneof}_case", "u32", False, "case", one
        if one.kind == "message":
            yield one.name, one.type_name, True, "value", one
        else:
            kind = number_of(one) if one.kind not in ("string", "bytes") else SPAN
            if one.optional and kind != SPAN:
                yield f"has_{one.name}", "u8", False, "has", one
            yield one.name, kind, one.repeated, "value", one
        if one.repeated:
            yield f"{singular(one.name)}_count", "u32", False, "count", one


def number_of(one: Field) -> str:
    """The number that a field of a number's kind has: "u32", "f64"."""
    if not one.bits:
        return NUMBERS[one.kind]
    return f"{'i' if one.kind == 'int32' else 'u'}{one.bits}"


def singular(name: str) -> str:
    """What a list's count is called after: headers have a `header_count`."""
    if name.endswith("ies"):
        return name[:-3] + "y"
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name


def structs_of(schema: Schema, file: File) -> list[Struct]:
    """The structs of a file's messages, each after those of its file that it points to.

    Structs of messages that contain themselves come in the order of declaration.
    """
    found: dict[str, Message] = {}

    def add(message: Message, above: tuple[str, ...]) -> None:
        if message.full in found or message.full in above:
            return
        for one in message.fields:
            if one.kind == "message" and schema.message_of(one).file == file.name:
                add(schema.message_of(one), (*above, message.full))
        found[message.full] = message

    for message in file.messages:
        add(message, ())
    return [struct_of(schema, message) for message in found.values()]


def description(schema: Schema, name: str) -> str:
    """What the layout's hash is of: each struct that a file needs, member by member."""
    lines = []
    for file in schema.needed_by(name):
        for struct in structs_of(schema, file):
            gone = f" gone {struct.message.gone}" if struct.message.gone else ""
            lines.append(f"{struct.message.full} {struct.size}{gone}")
            for m in struct.members:
                lines.append(f" {m.offset} {m.type}{'*' if m.pointer else ''} {m.name}")
    return "\n".join(lines)


def layout_hash(schema: Schema, name: str) -> int:
    """64 bits that change whenever a struct that a file needs does."""
    digest = hashlib.sha256(description(schema, name).encode()).digest()
    return int.from_bytes(digest[:8], "big")


# --- names ----------------------------------------------------------------------------------------


def prefix_of(file: File) -> str:
    """What the names of a package begin with: `acme.shop.v1` gives "acme_shop"."""
    package = re.sub(r"\.v\d+\w*$", "", file.package)
    return package.replace(".", "_") or stem_of(file.name)


def stem_of(name: str) -> str:
    """A file's name without folder and ending, as an identifier."""
    return re.sub(r"\W", "_", name.rpartition("/")[2].removesuffix(".proto"))


def snake(local: str) -> str:
    """`HookCall.VariablesEntry` gives "hook_call_variables_entry"."""
    spread = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", local)
    return spread.replace(".", "_").lower()


def constant_of(file: File) -> str:
    """The name of a file's layout hash."""
    return f"{prefix_of(file)}_{stem_of(file.name)}_LAYOUT".upper()


def views_constant_of(file: File) -> str:
    """The same in Cython, whose modules may also see the C header's."""
    return f"{prefix_of(file)}_{stem_of(file.name)}_VIEWS".upper()


def check_names(schema: Schema, file: File) -> None:
    """Raises `GenError` if two messages of a file would have one name."""
    seen: dict[str, str] = {}
    for message in file.messages:
        name = snake(message.local)
        if name in seen:
            raise GenError(
                f"{file.name}: {seen[name]} and {message.local} would both be called {name};"
                " rename one of them"
            )
        seen[name] = message.local
