"""What `pygw gen cython` writes for every kind of field, compiled and run."""

from __future__ import annotations

import importlib.util
import random
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pygw.gen import generate, read_protos, write_files
from tests.gen.oracle import PROTOS, classes, messages
from tests.gen.test_core_codec import mutated

KINDS = classes(PROTOS / "kinds.proto")["kinds.v1.Kinds"]
SLOW = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]

PROBE = """\
# cython: language_level=3
from libc.stdint cimport int64_t
from kinds_codec cimport kinds_decode, kinds_encode
from kinds_views cimport kinds_view_t
from wire cimport wire_room_t

def recode(bytes data):
    cdef kinds_view_t v
    cdef wire_room_t room
    cdef bytearray memory = bytearray(1 << 20)
    cdef bytearray out = bytearray(1 << 20)
    cdef char* to = out
    cdef const char* ptr = data
    cdef size_t size = len(data)
    cdef int64_t n
    room.at = memory
    room.end = room.at + len(memory)
    with nogil:
        n = kinds_decode(&v, ptr, size, &room)
        if n == 0:
            n = kinds_encode(&v, to, 1 << 20)
    return n if n < 0 else bytes(out[len(out) - n:])
"""


@pytest.fixture(scope="module")
def recode(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The probe's function; modules of the schema and of what it imports are built with it."""
    folder = tmp_path_factory.mktemp("cython")
    schema = read_protos([PROTOS / "kinds.proto"])
    write_files(generate("cython", schema, "kinds.proto"), folder)
    (folder / "probe.pyx").write_text(PROBE)
    running = [_build(path) for path in sorted(folder.glob("*.pyx"))]
    for one in running:
        _, errors = one.communicate(timeout=300)
        assert one.returncode == 0, errors
    sys.path.insert(0, str(folder))
    try:
        spec = importlib.util.find_spec("probe")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(folder))
    return module.recode


def _build(path: Path) -> subprocess.Popen[str]:
    """Starts the translation and compilation of a module."""
    c, so = path.with_suffix(".c"), path.with_suffix(".so")
    include = sysconfig.get_paths()["include"]
    script = (
        f"{sys.executable} -m cython -3 -Werror -I {path.parent} {path} -o {c}"
        f" && gcc -O1 -shared -fPIC -fno-strict-aliasing -I{include} {c} -o {so}"
    )
    return subprocess.Popen(["sh", "-c", script], stderr=subprocess.PIPE, text=True)


@settings(max_examples=300, deadline=None, suppress_health_check=SLOW)
@given(message=messages(KINDS))
def test_messages_of_the_runtime_come_back_equal(recode: Any, message: Any) -> None:
    data = message.SerializeToString()
    back = recode(data)
    assert isinstance(back, bytes), back
    assert str(KINDS.FromString(back)) == str(message)


@settings(max_examples=100, deadline=None, suppress_health_check=SLOW)
@given(message=messages(KINDS), seed=st.integers(0, 2**32))
def test_mutated_bytes_are_read_as_the_runtime_reads_them_or_refused(
    recode: Any, message: Any, seed: int
) -> None:
    chance = random.Random(seed)
    for _ in range(10):
        data = mutated(message.SerializeToString(), chance)
        back = recode(data)
        if not isinstance(back, bytes):
            continue
        known, again = KINDS.FromString(data), KINDS.FromString(back)
        for one in (known, again):
            one.DiscardUnknownFields()
            # The runtime drops an entry of a map that holds an unknown field.
            for field in one.DESCRIPTOR.fields:
                is_map = field.message_type and field.message_type.GetOptions().map_entry
                if is_map or field.name == "anything":
                    one.ClearField(field.name)
        assert str(again) == str(known)


def test_lists_are_read_packed_and_not(recode: Any) -> None:
    packed, loose = b"\xba\x01\x03\x01\x02\x03", b"\xb8\x01\x01\xb8\x01\x02\xb8\x01\x03"
    assert recode(packed + loose) == b"\xba\x01\x06\x01\x02\x03\x01\x02\x03"
    assert KINDS.FromString(recode(b"\xaa\x02\x02\x01\x02")).loose_numbers == [1, 2]
    assert recode(b"\xba\x01\x00" * 30_000) == b""


def test_messages_that_hold_themselves_have_a_depth(recode: Any) -> None:
    message = KINDS()
    inner = message.inner
    for _ in range(30):
        inner = inner.next
        inner.name = "x"
    assert isinstance(recode(message.SerializeToString()), bytes)
    for _ in range(3):
        inner = inner.next
        inner.name = "x"
    assert recode(message.SerializeToString()) == -5


def test_the_last_field_of_a_oneof_counts(recode: Any) -> None:
    data = KINDS(text="a").SerializeToString() + KINDS(number=0).SerializeToString()
    assert recode(data) == KINDS(number=0).SerializeToString()
