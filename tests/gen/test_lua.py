"""Protocol Buffers for LuaJIT, against the runtime of Protocol Buffers."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pygw.gen import GenError, generate, read_protos
from tests.gen.luajit import lupa, state
from tests.gen.oracle import PROTOS, classes, messages
from tests.gen.test_core_codec import mutated

KINDS = classes(PROTOS / "kinds.proto")["kinds.v1.Kinds"]
SLOW = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]


@pytest.fixture(scope="module")
def lua(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return state(tmp_path_factory.mktemp("lua"), "kinds.proto")


def recode(lua: Any, data: bytes) -> bytes:
    """Decoded and encoded again by Lua."""
    back, wrong = lua.globals()[b"recode"](b"Kinds", data)
    assert back is not None, wrong
    return bytes(back)


def refused(lua: Any, data: bytes) -> str:
    """Why Lua does not decode it."""
    back, wrong = lua.globals()[b"recode"](b"Kinds", data)
    assert back is None
    return bytes(wrong).decode()


def same(one: bytes, other: bytes) -> bool:
    """Whether two encodings mean the same."""
    texts = [KINDS.FromString(data).SerializeToString(deterministic=True) for data in (one, other)]
    return texts[0] == texts[1]


@settings(max_examples=400, deadline=None, suppress_health_check=SLOW)
@given(message=messages(KINDS))
def test_messages_of_the_runtime_come_back_equal(lua: Any, message: Any) -> None:
    data = message.SerializeToString()
    assert same(recode(lua, data), data)


@settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
@given(message=messages(KINDS), seed=st.integers(0, 2**32))
def test_mutated_bytes_are_read_as_the_runtime_reads_them_or_refused(
    lua: Any, message: Any, seed: int
) -> None:
    chance = random.Random(seed)
    for _ in range(10):
        data = mutated(message.SerializeToString(), chance)
        back, _wrong = lua.globals()[b"recode"](b"Kinds", data)
        if back is None:
            continue
        known, again = KINDS.FromString(data), KINDS.FromString(bytes(back))
        for one in (known, again):
            one.DiscardUnknownFields()
            # The runtime drops an entry of a map that holds an unknown field.
            for field in one.DESCRIPTOR.fields:
                is_map = field.message_type and field.message_type.GetOptions().map_entry
                if is_map or field.name == "anything":
                    one.ClearField(field.name)
        # As text, because the bits of a NaN do not stay.
        assert str(again) == str(known)


def test_every_beginning_of_a_message_is_read_or_refused_with_the_place(lua: Any) -> None:
    message = KINDS(a_string="text", doubles=[1.5, 2.5], texts={"a": "b"}, a_int64=-1)
    message.inner.next.name = "x"
    data = message.SerializeToString()
    for size in range(len(data)):
        back, wrong = lua.globals()[b"recode"](b"Kinds", data[:size])
        assert back is not None or b"at byte" in wrong


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"\x72\x05abc", "ends within a value"),
        (b"\x72\xff\xff\xff\xff\x07", "ends within a value"),
        (b"\x72\xff\xff\xff\xff\xff\x07", "a length of more than 2^31"),
        (b"\x18", "ends within a value"),
        (b"\x18" + b"\xff" * 10 + b"\x01", "more than 64 bits"),
        (b"\x00\x01", "field with number 0"),
        (b"\x0e", "wire type that there is not"),
        (b"\xff\xff\xff\xff\xff\xff\x01", "more than 29 bits"),
        (b"\x72\x01\xff", "not UTF-8"),
        (b"\x09\x00\x00", "ends within a value"),
        (b"\xbc\x06", "end without its begin"),
        (b"\xbb\x06" * 101, "too deep"),
    ],
)
def test_malformed_bytes_are_refused_with_the_reason(lua: Any, data: bytes, what: str) -> None:
    assert what in refused(lua, data)


def test_messages_within_messages_have_a_depth(lua: Any) -> None:
    data = b""
    for _ in range(101):
        size = len(data)
        prefix = bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])
        data = b"\x12" + prefix + data
    inner = b"\x9a\x03" + bytes([len(data) & 127 | 128, len(data) >> 7]) + data
    assert "too deep" in refused(lua, inner)


def test_lists_are_read_packed_and_not(lua: Any) -> None:
    packed, loose = b"\xba\x01\x03\x01\x02\x03", b"\xb8\x01\x01\xb8\x01\x02\xb8\x01\x03"
    assert recode(lua, packed + loose) == b"\xba\x01\x06\x01\x02\x03\x01\x02\x03"
    assert KINDS.FromString(recode(lua, b"\xaa\x02\x02\x01\x02")).loose_numbers == [1, 2]


def test_unknown_fields_stay(lua: Any) -> None:
    group = b"\xcb\x06\x08\x01\xcc\x06"
    data = b"\xc8\x06\x07" + group + b"\x18\x05" + b"\xca\x06\x02hi"
    assert recode(lua, data) == b"\x18\x05\xc8\x06\x07" + group + b"\xca\x06\x02hi"


def test_a_message_that_comes_twice_is_merged(lua: Any) -> None:
    one, two = KINDS(), KINDS()
    one.inner.name, two.inner.next.name = "a", "b"
    data = one.SerializeToString() + two.SerializeToString()
    assert same(recode(lua, data), data)


def test_the_last_field_of_a_oneof_counts(lua: Any) -> None:
    data = KINDS(text="a").SerializeToString() + KINDS(number=0).SerializeToString()
    assert recode(lua, data) == KINDS(number=0).SerializeToString()
    assert lua.eval(b'M.Kinds.decode("\\240\\3\\0").choice') == b"number"


def test_entries_of_maps_have_defaults_and_the_last_of_a_key_counts(lua: Any) -> None:
    data = b"\xba\x04\x00" + b"\xba\x04\x06\x12\x01b\x0a\x01a" + b"\xba\x04\x06\x0a\x01a\x12\x01c"
    assert dict(KINDS.FromString(recode(lua, data)).texts) == {"": "", "a": "c"}
    assert 0 in KINDS.FromString(recode(lua, b"\xc2\x04\x00")).by_number


@pytest.mark.parametrize("high", [0xFFFFFFFF, 0xFFFFFFFB, 0xFFFE8000, 0x7FF00001, 0xFFF80001])
def test_bits_of_a_foreign_nan_never_become_a_type_of_lua(lua: Any, high: int) -> None:
    data = b"\x09" + bytes(4) + high.to_bytes(4, "little")
    assert lua.eval(b"function(s) return type(M.Kinds.decode(s).a_double) end")(data) == b"number"
    back = KINDS.FromString(recode(lua, data)).a_double
    assert back != back
    data = b"\x15" + (high | 0x7F800001).to_bytes(4, "little")
    assert lua.eval(b"function(s) return type(M.Kinds.decode(s).a_float) end")(data) == b"number"


LUA_FACTS = {
    "64 bits within 2^53 are numbers": """
        local m = M.Kinds.decode(M.Kinds.encode { a_int64 = -2^53, a_uint64 = 2^53 })
        return type(m.a_int64) == "number" and m.a_int64 == -2^53 and m.a_uint64 == 2^53""",
    "64 bits beyond are exact as cdata": """
        local m = M.Kinds.decode(M.Kinds.encode {
          a_int64 = -9223372036854775807LL - 1LL, a_uint64 = 18446744073709551615ULL,
          a_sint64 = -9007199254740993LL })
        return m.a_int64 == -9223372036854775807LL - 1LL and m.a_sint64 == -9007199254740993LL
          and m.a_uint64 == 18446744073709551615ULL""",
    "keys of 64 bits beyond 2^53 are digits": """
        local m = M.Kinds.decode(M.Kinds.encode {
          by_large = { ["-9223372036854775808"] = 1, [5] = 2 },
          by_larger = { ["18446744073709551615"] = 0.5 } })
        return m.by_large["-9223372036854775808"] == 1 and m.by_large[5] == 2
          and m.by_larger["18446744073709551615"] == 0.5""",
    "minus zero, infinity and NaN stay": """
        local m = M.Kinds.decode(M.Kinds.encode { a_double = -0.0, a_float = -math.huge,
          doubles = { 0/0 } })
        return 1 / m.a_double == -math.huge and m.a_float == -math.huge
          and m.doubles[1] ~= m.doubles[1]""",
    "absent fields have their default, absent optional ones are nil": """
        local m = M.Kinds.decode("")
        return m.a_int32 == 0 and m.a_string == "" and m.a_bool == false and #m.int32s == 0
          and next(m.texts) == nil and m.maybe_number == nil and m.inner == nil
          and m.text == nil and m.choice == nil""",
    "optional fields keep their default": """
        local m = M.Kinds.decode(M.Kinds.encode { maybe_number = 0, maybe_text = "",
          maybe_flag = false })
        return m.maybe_number == 0 and m.maybe_text == "" and m.maybe_flag == false""",
    "an empty table encodes to nothing": 'return M.Kinds.encode {} == ""',
    "a new message encodes to nothing": 'return M.Kinds.encode(M.Kinds.new()) == ""',
    "enums are numbers, and names are taken": """
        local m = M.Kinds.decode(M.Kinds.encode { a_colour = "COLOUR_BELOW", colours = { 1, 77 } })
        return m.a_colour == -3 and M.Colour_name[m.colours[1]] == "COLOUR_RED"
          and m.colours[2] == 77 and M.Colour.COLOUR_ROUGE == 1""",
    "reserved words are fields": """
        local m = M.Kinds.decode(M.Kinds.encode { ["end"] = "x", ["local"] = 3,
          ["function"] = { "a" }, class = { name = "c" } })
        return m["end"] == "x" and m["local"] == 3 and m["function"][1] == "a"
          and m.class.name == "c" """,
    "messages of other files and well-known types": """
        local m = M.Kinds.decode(M.Kinds.encode { price = { currency = "EUR", unit = "KILO" },
          when = { seconds = 1700000000, nanos = 5 },
          anything = { fields = { a = { string_value = "b" } } } })
        return m.price.unit == 1 and m.when.seconds == 1700000000
          and m.anything.fields.a.string_value == "b" and m.anything.fields.a.kind == "string_value"
        """,
    "a buffer that grows keeps what it has": """
        local big, list = ("x"):rep(300000), {}
        for k = 1, 3000 do list[k] = "item " .. k end
        local m = M.Kinds.decode(M.Kinds.encode { a_bytes = big, strings = list, a_int32 = 7 })
        return m.a_bytes == big and #m.strings == 3000 and m.strings[2999] == "item 2999"
          and m.a_int32 == 7""",
    "a pointer and a size are decoded": """
        local ffi = require("ffi")
        local s = M.Kinds.encode { a_string = "abc" }
        local b = ffi.new("uint8_t[?]", #s)
        ffi.copy(b, s, #s)
        return M.Kinds.decode(b, #s).a_string == "abc" """,
    "large messages are refused in both directions": """
        local pb = require("pygw_pb")
        local before = pb.max_bytes
        pb.max_bytes = 10000
        local m, wrong = M.Kinds.decode(("x"):rep(10001))
        local good, why = pcall(M.Kinds.encode, { a_bytes = ("x"):rep(10001) })
        pb.max_bytes = before
        return m == nil and wrong:find("max_bytes") and not good and why:find("max_bytes")
          and M.Kinds.encode { a_int32 = 1 } == "\\24\\1" """,
}


@pytest.mark.parametrize("fact", LUA_FACTS)
def test_in_lua(lua: Any, fact: str) -> None:
    assert lua.execute(LUA_FACTS[fact].encode())


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("{ a_int32 = 'x' }", "Kinds.a_int32 needs an integer"),
        ("{ a_int32 = 2^31 }", "Kinds.a_int32 needs an integer from -2147483648"),
        ("{ a_uint32 = -1 }", "Kinds.a_uint32 needs an integer from 0"),
        ("{ a_int32 = 1.5 }", "not 1.5"),
        ("{ a_int64 = 2^60 }", "up to 2^53, or int64_t"),
        ("{ a_uint64 = -1LL }", "Kinds.a_uint64 needs"),
        ("{ a_string = 5 }", "Kinds.a_string needs a string, not 5"),
        ("{ a_string = '\\255' }", "Kinds.a_string needs UTF-8"),
        ("{ a_bool = 1 }", "Kinds.a_bool needs true or false"),
        ("{ a_double = '1' }", "Kinds.a_double needs a number"),
        ("{ a_colour = 'BLUE' }", "Kinds.a_colour needs a name of Colour, not BLUE"),
        ("{ inner = 3 }", "Kinds.inner needs a table"),
        ("{ int32s = 3 }", "Kinds.int32s needs a table"),
        ("{ int32s = { 1, 'x' } }", "Kinds.int32s needs an integer"),
        ("{ text = 'a', number = 1 }", "Kinds.choice needs one of its fields only"),
        ("{ by_large = { x = 1 } }", "Kinds.by_large needs an integer as key"),
        ("{ by_larger = { ['-1'] = 1 } }", "Kinds.by_larger needs an integer as key"),
        (
            "{ by_large = { ['9223372036854775808'] = 1 } }",
            "Kinds.by_large needs an integer of 64 bits as key",
        ),
        ("(function() local t = { name = 'a' } t.next = t return { inner = t } end)()", "too deep"),
        ("3", "the message needs a table"),
    ],
)
def test_what_cannot_be_encoded_is_named(lua: Any, table: str, message: str) -> None:
    with pytest.raises(lupa.LuaError, match="pb: ") as caught:
        lua.execute(f"return M.Kinds.encode({table})".encode())
    assert message in str(caught.value)
    # And the next message is encoded as if nothing had been.
    assert lua.eval(b"M.Kinds.encode { a_int32 = 1 }") == b"\x18\x01"


def test_structs_are_proven_by_the_ffi_and_other_layouts_refused(lua: Any) -> None:
    text = generate("lua", read_protos([PROTOS / "kinds.proto"]), "kinds.proto")["kinds_views.lua"]
    hash_ = text.split('KINDS_KINDS_LAYOUT = "')[1][:16]
    lua.execute(f'V.check("{hash_}")'.encode())
    with pytest.raises(lupa.LuaError, match=f"has layout {hash_}, the other side 0000"):
        lua.execute(b'V.check("0000000000000000")')
    broken = text.replace('ffi.sizeof("kinds_kinds"), ', 'ffi.sizeof("kinds_kinds"), 1')
    with pytest.raises(lupa.LuaError, match="does not fit"):
        lua.execute(broken.encode())


def test_reading_and_writing_become_traces(lua: Any) -> None:
    traces = lua.execute(
        b"""local done, util = {}, require("jit.util")
        local function seen(what, _, func)
          if what == "stop" then done[#done + 1] = util.funcinfo(func).loc end
        end
        jit.attach(seen, "trace")
        local list = {}
        for k = 1, 50 do list[k] = { name = "name " .. k } end
        local m = { inners = list, strings = { "a", "b" } }
        for _ = 1, 300 do M.Kinds.decode(M.Kinds.encode(m)) end
        jit.attach(seen)
        return table.concat(done, " ")"""
    )
    assert b"kinds_pb.lua" in traces


def test_proto2_is_refused_with_what_to_do() -> None:
    schema = read_protos([PROTOS / "old.proto"])
    with pytest.raises(GenError, match=r"old.proto is proto2: pygw generates from proto3 only"):
        generate("lua", schema, "old.proto")
