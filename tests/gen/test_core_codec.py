"""The codecs of proto/pygw/v1 in the data plane, against the runtime of Protocol Buffers."""

from __future__ import annotations

import random
from importlib import import_module
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pygw.gen.core import core_files
from tests.gen.oracle import messages, schema_classes
from tests.tidy.tree import ROOT

codec: Any = import_module("pygw._core.probe.codec")

CLASSES = schema_classes()
NARROW = tuple(
    (f"pygw.v1.{name}", widest)
    for name, widest in {
        "Request.version": 255,
        "Response.status": 65535,
        "Answer.status": 65535,
        "HookReply.status": 65535,
        "HookReply.outcome": 255,
        "HookCall.phase": 255,
        # Only in the struct.
        "Edit.kind": 255,
        "Header.id": 0,
        "Header.flags": 0,
        "Header.reserved": 0,
    }.items()
)
NAMES = ("Request", "Response", "Session", "HookCall", "HookReply")
ANY = st.sampled_from(NAMES).flatmap(
    lambda name: st.tuples(st.just(name), messages(CLASSES[name], NARROW))
)


def request(count: int = 20) -> Any:
    """A request with so many headers."""
    one = CLASSES["Request"](version=11, method=b"GET", scheme=b"https", path=b"/v1/articles/1234")
    one.authority, one.client = b"api.example.com", b"203.0.113.9"
    for i in range(count):
        one.headers.add(name=b"X-Custom-Header-%02d" % i, value=b"value-%02d" % i)
    return one


def test_generated_files_in_the_tree_are_what_the_protos_give() -> None:
    for path, text in core_files().items():
        assert (ROOT / "pygw" / path).read_text("utf-8") == text, f"{path}: run `make schema`"


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ANY)
def test_messages_of_the_runtime_come_back_equal(case: tuple[str, Any]) -> None:
    name, message = case
    back = codec.recode(name, message.SerializeToString())
    assert isinstance(back, bytes), back
    again = CLASSES[name].FromString(back)
    # Bytes and not messages: NaN is not equal to itself.
    assert again.SerializeToString(deterministic=True) == message.SerializeToString(
        deterministic=True
    )


def mutated(data: bytes, chance: random.Random) -> bytes:
    """A few bytes changed, put in or taken out."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(changed) + 1)
        what = chance.randrange(4)
        if what == 0:
            changed[at:at] = chance.randbytes(chance.randint(1, 3))
        elif what == 1:
            del changed[at : at + chance.randint(1, 3)]
        elif at < len(changed):
            changed[at] = chance.choice(
                (0, 0x7F, 0x80, 0xFF, changed[at] ^ 1 << chance.randrange(8))
            )
    return bytes(changed)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ANY, st.integers(0, 2**32))
def test_mutated_bytes_are_read_as_the_runtime_reads_them_or_refused(
    case: tuple[str, Any], seed: int
) -> None:
    name, message = case
    chance = random.Random(seed)
    for _ in range(20):
        data = mutated(message.SerializeToString(), chance)
        back = codec.recode(name, data)
        if not isinstance(back, bytes):
            continue
        known = CLASSES[name].FromString(data)
        known.DiscardUnknownFields()
        again = CLASSES[name].FromString(back)
        for one in (known, again):
            drop_local(one)
        assert again.SerializeToString(deterministic=True) == known.SerializeToString(
            deterministic=True
        )


def drop_local(message: Any) -> None:
    """Takes out fields that a struct has and the wire never should, and maps.

    The runtime drops an entry of a map that holds an unknown field, against the specification.
    """
    for part in (message, *parts_of(message)):
        for name in ("metadata", "variables"):
            if name in part.DESCRIPTOR.fields_by_name:
                part.ClearField(name)
        for header in getattr(part, "headers", ()):
            for name in ("id", "flags", "reserved"):
                header.ClearField(name)


def parts_of(message: Any) -> list[Any]:
    """The messages within."""
    return [
        getattr(message, name)
        for name in ("request", "response", "reply", "session")
        if name in message.DESCRIPTOR.fields_by_name and message.HasField(name)
    ]


def test_headers_that_a_hook_took_out_are_not_encoded() -> None:
    back = CLASSES["Request"].FromString(
        codec.recode("Request", request(3).SerializeToString(), removed=1)
    )
    assert [header.value for header in back.headers] == [b"value-00", b"value-02"]


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"\x1a\x05GET", "cut"),
        (b"\x1a\xff\xff\xff\xff\x0f", "cut"),
        (b"\x1a", "cut"),
        (b"\x80", "cut"),
        (b"\x00\x01", "bad"),
        (b"\x08" + b"\xff" * 10 + b"\x01", "bad"),
        (b"\x08\xac\x02", "range"),
        (b"\x0e\x00", "bad"),
        (b"\x0c", "bad"),
        (b"\xa3\x06\xab\x06\xa4\x06", "bad"),
        (b"\xa3\x06" * 33, "deep"),
        (b"\xa3\x06\x08\x01", "cut"),
    ],
)
def test_malformed_bytes_are_named(data: bytes, error: str) -> None:
    assert codec.recode("Request", data) == error


def test_groups_of_unknown_fields_are_skipped() -> None:
    group = b"\xa3\x06" + b"\x08\x01\x12\x02ab\xab\x06\xac\x06" + b"\xa4\x06"
    data = group + b"\x1a\x03GET" + group
    assert codec.recode("Request", data) == b"\x1a\x03GET"


def test_strings_must_be_utf8_and_bytes_need_not() -> None:
    assert codec.recode("Session", b"\x0a\x01\xff") == "utf8"
    assert codec.recode("Request", b"\x1a\x01\xff") == b"\x1a\x01\xff"


@pytest.mark.parametrize("text", ["é", "€", "\U0001f600", "\ufeff", "퟿", "\U0010ffff"])
def test_utf8_of_every_length_is_taken(text: str) -> None:
    for before in range(9):
        data = CLASSES["Session"](key_id="a" * before + text).SerializeToString()
        assert codec.recode("Session", data) == data
    broken = b"\x0a" + bytes([len(text.encode()) - 1]) + text.encode()[:-1]
    assert codec.recode("Session", broken) == "utf8"


@pytest.mark.parametrize(
    "bad", [b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80"]
)
def test_overlong_forms_and_surrogates_are_not_utf8(bad: bytes) -> None:
    assert codec.recode("Session", b"\x0a" + bytes([len(bad)]) + bad) == "utf8"


def test_a_message_that_there_may_be_one_of_must_not_come_twice() -> None:
    call = CLASSES["HookCall"](request=request(0)).SerializeToString()
    assert codec.recode("HookCall", call + call) == "twice"


def test_memory_is_what_is_given_and_no_more() -> None:
    data = request(20).SerializeToString()
    assert codec.recode("Request", data, room_size=20 * 40) == data
    assert codec.recode("Request", data, room_size=20 * 40 - 1) == "room"
    assert codec.recode("Request", data, out_size=len(data)) == data
    for size in range(0, len(data), 7):
        assert codec.recode("Request", data, out_size=size) == "room"


def test_every_beginning_of_a_message_is_read_or_refused() -> None:
    data = CLASSES["HookCall"](
        hook="auth", request=request(3), variables={"a": b"b"}
    ).SerializeToString()
    for size in range(len(data)):
        codec.recode("HookCall", data[:size])


def test_empty_packed_and_repeated_fields_cost_no_second_look() -> None:
    data = b"\x5a\x00" * 20_000
    assert len(codec.recode("Request", data)) == len(data)
