"""The runtime of Protocol Buffers as the oracle: classes, and random messages.

Owns: classes made from descriptors, as a user's generated ones.
Runs in: tests.
Never does: call anything of pygw but its protoc.
"""

from __future__ import annotations

import struct
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from pygw.gen.protoc import descriptor_set, proto_folder

pytest.importorskip("grpc_tools", reason="pip install 'pygw[gen]'")
descriptor_pb2: Any = pytest.importorskip("google.protobuf.descriptor_pb2")
descriptor_pool: Any = pytest.importorskip("google.protobuf.descriptor_pool")
message_factory: Any = pytest.importorskip("google.protobuf.message_factory")

PROTOS = Path(__file__).with_name("protos")


@cache
def classes(*files: Path) -> dict[str, Any]:
    """The message classes of `.proto` files by full name without the leading dot."""
    data = descriptor_set(files, [PROTOS, proto_folder()])
    pool = descriptor_pool.DescriptorPool()
    names = []
    for file in descriptor_pb2.FileDescriptorSet.FromString(data).file:
        pool.AddSerializedFile(file.SerializeToString())
        names.append(file.name)
    return dict(message_factory.GetMessageClassesForFiles(names, pool))


def schema_classes() -> dict[str, Any]:
    """Those of proto/pygw/v1, by their name within the package."""
    names = ("http", "session", "hook", "hook_reply")
    found = classes(*(proto_folder() / "pygw" / "v1" / f"{name}.proto" for name in names))
    return {name.removeprefix("pygw.v1."): one for name, one in found.items()}


# --- random messages ------------------------------------------------------------------------------


def f32(value: float) -> float:
    """The nearest float of 32 bits."""
    try:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return float("inf")


I32 = st.integers(-(2**31), 2**31 - 1)
U32 = st.integers(0, 2**32 - 1)
I64 = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**54), 2**54), I32)
U64 = st.one_of(st.integers(0, 2**64 - 1), st.integers(0, 2**54), U32)
TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
NAN = float("nan")
"""All NaN mean the same: LuaJIT has but one."""


def one_nan(value: float) -> float:
    """The value, any NaN as the same."""
    return value if value == value else NAN


SCALARS: dict[int, st.SearchStrategy[Any]] = {
    1: st.floats().map(one_nan),
    2: st.floats(width=32).map(one_nan),
    3: I64,
    4: U64,
    5: I32,
    6: U64,
    7: U32,
    8: st.booleans(),
    9: TEXT,
    12: st.binary(max_size=12),
    13: U32,
    14: I32,
    15: I32,
    16: I64,
    17: I32,
    18: I64,
}
"""By FieldDescriptor.type."""


def fill(draw: Any, message: Any, narrow: dict[str, int], depth: int = 3) -> Any:
    """Fills some fields of a message at random. `narrow`: a field's widest value, by full name."""
    for field in message.DESCRIPTOR.fields:
        if not draw(st.booleans()):
            continue
        if field.message_type is not None:
            _fill_message(draw, message, field, narrow, depth)
            continue
        widest = narrow.get(field.full_name)
        values = SCALARS[field.type] if widest is None else st.integers(0, widest)
        if widest == 0:
            continue
        if field.is_repeated:
            getattr(message, field.name).extend(draw(st.lists(values, max_size=4)))
        else:
            setattr(message, field.name, draw(values))
    return message


def _fill_message(draw: Any, message: Any, field: Any, narrow: dict[str, int], depth: int) -> None:
    target = getattr(message, field.name)
    if field.message_type.GetOptions().map_entry:
        key, value = (field.message_type.fields_by_name[name] for name in ("key", "value"))
        for one in draw(st.lists(SCALARS[key.type], max_size=3)):
            if value.message_type is not None:
                fill(draw, target[one], narrow, depth - 1) if depth else target[one].SetInParent()
            else:
                target[one] = draw(SCALARS[value.type])
    elif depth == 0:
        return
    elif field.is_repeated:
        for _ in range(draw(st.integers(0, 3))):
            fill(draw, target.add(), narrow, depth - 1)
    else:
        target.SetInParent()
        fill(draw, target, narrow, depth - 1)


@st.composite
def messages(draw: Any, cls: Any, narrow: tuple[tuple[str, int], ...] = ()) -> Any:
    """Random messages of a class."""
    return fill(draw, cls(), dict(narrow))
