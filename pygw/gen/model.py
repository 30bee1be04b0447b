"""A schema as the generators see it: files, messages, fields, enums.

Owns: the reading of a FileDescriptorSet, and what is refused in any language.
Runs in: `pygw gen`.
Never does: know a language. `layout` knows structs.
Read next: `layout`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto

KINDS = (
    *("", "double", "float", "int64", "uint64", "int32", "fixed64", "fixed32", "bool", "string"),
    *("group", "message", "bytes", "uint32", "enum", "sfixed32", "sfixed64", "sint32", "sint64"),
)
"""FieldDescriptorProto.Type by number."""

VARINTS = frozenset(["int64", "uint64", "int32", "uint32", "bool", "enum", "sint32", "sint64"])
FIXED64 = frozenset(("double", "fixed64", "sfixed64"))
FIXED32 = frozenset(("float", "fixed32", "sfixed32"))
OPTIONS = "pygw/options.proto"


class GenError(Exception):
    """What cannot be generated, and where in the schema."""


@dataclass(frozen=True)
class Enum:
    """An enum: numbers by name, in the order of declaration."""

    full: str
    local: str
    file: str
    values: dict[str, int]
    comment: str


@dataclass(frozen=True)
class Field:
    """A field. `type_name`: of its message or enum. `oneof`: its group, if it is in one.

    `optional`: its absence differs from its zero (explicit presence); messages always have that.
    """

    name: str
    number: int
    kind: str
    type_name: str
    repeated: bool
    packed: bool
    optional: bool
    oneof: str
    bits: int
    local: bool
    comment: str

    @property
    def wire_type(self) -> int:
        """Of one value that is not packed (encoding of Protocol Buffers)."""
        if self.kind in VARINTS:
            return 0
        return 1 if self.kind in FIXED64 else 5 if self.kind in FIXED32 else 2

    @property
    def tag(self) -> int:
        """What precedes one value that is not packed."""
        return self.number << 3 | self.wire_type

    @property
    def packed_tag(self) -> int:
        """What precedes a packed list."""
        return self.number << 3 | 2

    @property
    def packable(self) -> bool:
        """Whether a list of it may be packed."""
        return self.repeated and self.wire_type != 2


@dataclass(frozen=True)
class Message:
    """A message. `local` is its name within the package, `full` with it. `entry`: of a map."""

    full: str
    local: str
    file: str
    fields: tuple[Field, ...]
    oneofs: tuple[str, ...]
    entry: bool
    sized: bool
    gone: int
    comment: str


@dataclass(frozen=True)
class File:
    """A `.proto` file: `imports` are the names of those it imports itself."""

    name: str
    package: str
    syntax: str
    imports: tuple[str, ...]
    messages: tuple[Message, ...]
    enums: tuple[Enum, ...]


@dataclass
class Schema:
    """Files by name, in an order in which none comes before what it imports."""

    files: dict[str, File] = field(default_factory=dict)
    messages: dict[str, Message] = field(default_factory=dict)
    enums: dict[str, Enum] = field(default_factory=dict)

    def message_of(self, one: Field) -> Message:
        """The message of a field of kind "message"."""
        return self.messages[one.type_name]

    def enum_of(self, one: Field) -> Enum:
        """The enum of a field of kind "enum"."""
        return self.enums[one.type_name]

    def is_map(self, one: Field) -> bool:
        """Whether a field is a map: a list of entries on the wire."""
        return one.repeated and one.kind == "message" and self.message_of(one).entry

    def needed_by(self, name: str) -> list[File]:
        """A file and, before it, all whose messages or enums it uses, itself or through others.

        Raises `GenError` if one of them is not proto3.
        """
        found: dict[str, File] = {}

        def add(file: File) -> None:
            if file.name in found:
                return
            if file.syntax != "proto3":
                raise GenError(
                    f"{file.name} is {file.syntax}: pygw generates from proto3 only;"
                    ' write syntax = "proto3"; at its top and mend what protoc then reports'
                )
            for other in sorted(self._used_by(file)):
                if other != file.name:
                    add(self.files[other])
            found[file.name] = file

        add(self.files[name])
        return list(found.values())

    def _used_by(self, file: File) -> set[str]:
        used = set()
        for message in file.messages:
            for one in message.fields:
                if one.kind == "message":
                    used.add(self.message_of(one).file)
                elif one.kind == "enum":
                    used.add(self.enum_of(one).file)
        return used


def schema_of(data: bytes) -> Schema:
    """The schema in a serialized FileDescriptorSet, which must hold all imports."""
    from google.protobuf import descriptor_pb2

    schema = Schema()
    files = descriptor_pb2.FileDescriptorSet.FromString(data).file
    options = _Options(list(files))
    for proto in files:
        comments = {
            tuple(place.path): _comment(place)
            for place in proto.source_code_info.location
            if place.leading_comments or place.trailing_comments
        }
        reading = _Reading(proto, options, comments)
        file = File(
            proto.name,
            proto.package,
            proto.syntax or "proto2",
            tuple(proto.dependency),
            tuple(reading.messages()),
            tuple(reading.enums()),
        )
        schema.files[file.name] = file
        schema.messages |= {message.full: message for message in file.messages}
        schema.enums |= {enum.full: enum for enum in file.enums}
    return schema


def _comment(place: Any) -> str:
    return " ".join(f"{place.leading_comments} {place.trailing_comments}".split())


class _Options:
    """Reads our options, if the schema has them: extensions, which only a pool can name."""

    def __init__(self, files: list[FileDescriptorProto]) -> None:
        from google.protobuf import descriptor_pool, message_factory

        self._field: Any = None
        self._message: Any = None
        if OPTIONS not in {file.name for file in files}:
            return
        pool = descriptor_pool.DescriptorPool()
        for file in files:
            pool.Add(file) if hasattr(pool, "Add") else pool.AddSerializedFile(
                file.SerializeToString()
            )
        self._view = pool.FindExtensionByName("pygw.view")
        self._layout = pool.FindExtensionByName("pygw.layout")
        message_factory.GetMessageClassesForFiles([file.name for file in files], pool)
        find = pool.FindMessageTypeByName
        self._field = message_factory.GetMessageClass(find("google.protobuf.FieldOptions"))
        self._message = message_factory.GetMessageClass(find("google.protobuf.MessageOptions"))

    def view(self, options: Any) -> tuple[int, bool]:
        """bits and local of a field."""
        if self._field is None:
            return 0, False
        view = self._field.FromString(options.SerializeToString()).Extensions[self._view]
        return view.bits, view.local

    def layout(self, options: Any) -> tuple[bool, int]:
        """sized and gone of a message."""
        if self._message is None:
            return False, 0
        found = self._message.FromString(options.SerializeToString()).Extensions[self._layout]
        return found.sized, found.gone


class _Reading:
    """One file being read."""

    def __init__(
        self, file: FileDescriptorProto, options: _Options, comments: dict[tuple[int, ...], str]
    ) -> None:
        self._file = file
        self._options = options
        self._comments = comments
        self._prefix = f".{file.package}" if file.package else ""

    def messages(self) -> Iterator[Message]:
        """All messages, each before those within it."""
        for index, proto in enumerate(self._file.message_type):
            yield from self._walk(proto, proto.name, (4, index))

    def enums(self) -> Iterator[Enum]:
        """All enums, those within messages too."""
        for index, proto in enumerate(self._file.enum_type):
            yield self._enum(proto, proto.name, (5, index))
        for index, message in enumerate(self._file.message_type):
            yield from self._inner_enums(message, message.name, (4, index))

    def _inner_enums(
        self, proto: DescriptorProto, local: str, path: tuple[int, ...]
    ) -> Iterator[Enum]:
        for index, one in enumerate(proto.enum_type):
            yield self._enum(one, f"{local}.{one.name}", (*path, 4, index))
        for index, inner in enumerate(proto.nested_type):
            yield from self._inner_enums(inner, f"{local}.{inner.name}", (*path, 3, index))

    def _enum(self, proto: Any, local: str, path: tuple[int, ...]) -> Enum:
        values = {value.name: value.number for value in proto.value}
        full = f"{self._prefix}.{local}"
        return Enum(full, local, self._file.name, values, self._comments.get(path, ""))

    def _walk(self, proto: DescriptorProto, local: str, path: tuple[int, ...]) -> Iterator[Message]:
        sized, gone = self._options.layout(proto.options)
        # The oneof of an `optional` field is protoc's own.
        made_up = {one.oneof_index for one in proto.field if one.proto3_optional}
        oneofs = [o.name for i, o in enumerate(proto.oneof_decl) if i not in made_up]
        fields = [
            self._field(proto, one, (*path, 2, index)) for index, one in enumerate(proto.field)
        ]
        yield Message(
            f"{self._prefix}.{local}",
            local,
            self._file.name,
            tuple(fields),
            tuple(oneofs),
            proto.options.map_entry,
            sized,
            gone,
            self._comments.get(path, ""),
        )
        for index, inner in enumerate(proto.nested_type):
            yield from self._walk(inner, f"{local}.{inner.name}", (*path, 3, index))

    def _field(self, proto: DescriptorProto, one: Any, path: tuple[int, ...]) -> Field:
        kind = KINDS[one.type]
        repeated = one.label == one.LABEL_REPEATED
        in_oneof = one.HasField("oneof_index") and not one.proto3_optional
        scalar = kind not in ("string", "bytes", "message")
        unpacked = one.options.HasField("packed") and not one.options.packed
        bits, local = self._options.view(one.options)
        place = f"{self._file.name}: {proto.name}.{one.name}"
        if bits and (bits not in (8, 16, 32) or kind not in ("uint32", "int32", "enum")):
            raise GenError(f"{place}: (pygw.view).bits is 8, 16 or 32, of uint32, int32 or enum")
        if local and (repeated or not scalar):
            raise GenError(f"{place}: (pygw.view).local is for single numbers")
        return Field(
            one.name,
            one.number,
            kind,
            one.type_name,
            repeated,
            repeated and scalar and not unpacked,
            one.proto3_optional,
            proto.oneof_decl[one.oneof_index].name if in_oneof else "",
            bits,
            local,
            self._comments.get(path, ""),
        )
