"""A request of 20 headers between the wire and what a program reads, in each way there is.

"both" is reading the bytes and writing them again, as a hook in another process needs. Runs in the
main thread. `cython` is the data plane's codec, `lua` what `pygw gen lua` writes, `protobuf` the
runtime of Python, `json` what others do. Read next: `test_parts.py`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from pygw.gen.protoc import proto_folder

codec: Any = import_module("pygw._core.probe.codec")
oracle: Any = pytest.importorskip("tests.gen.oracle")

OPERATIONS = 2000
ROUNDS = 60
REQUEST = oracle.schema_classes()["Request"]

Benchmark = Any  # pytest-benchmark's fixture has no types


def measure(benchmark: Benchmark, part: Callable[[int], object]) -> None:
    """Time `part(OPERATIONS)`."""
    benchmark.extra_info["operations"] = OPERATIONS
    benchmark.pedantic(part, (OPERATIONS,), rounds=ROUNDS, warmup_rounds=5)


def request() -> Any:
    """A request with 20 headers: 703 bytes."""
    one = REQUEST(version=11, method=b"GET", scheme=b"https", path=b"/v1/articles/1234")
    one.authority, one.client = b"api.example.com", b"203.0.113.9"
    for i in range(20):
        one.headers.add(name=b"X-Custom-Header-%02d" % i, value=b"value-%02d" % i)
    return one


DATA = request().SerializeToString()


@pytest.mark.parametrize("does", ["decode", "encode", "both"])
def test_codec_cython(benchmark: Benchmark, does: str) -> None:
    part = getattr(codec, f"time_{does}")
    measure(benchmark, lambda rounds: part(DATA, rounds))


@pytest.fixture(scope="module")
def lua(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """LuaJIT with the generated codec, and a loop for each thing to do."""
    state = pytest.importorskip("tests.gen.luajit").state
    one = state(tmp_path_factory.mktemp("lua"), "pygw/v1/http.proto", (proto_folder(),))
    one.execute(Path(__file__).with_name("codecs.lua").read_bytes())
    yield one


@pytest.mark.parametrize("does", ["decode", "encode", "both"])
def test_codec_lua(benchmark: Benchmark, lua: Any, does: str) -> None:
    part = lua.globals()[f"time_{does}".encode()]
    assert lua.globals()[b"recode"](b"Request", DATA)[0] == DATA
    measure(benchmark, lambda rounds: part(DATA, rounds))


def protobuf_decode(rounds: int) -> None:
    """Only parses: reading a field makes its object, which is not counted here."""
    parse = REQUEST.FromString
    for _ in range(rounds):
        parse(DATA)


def protobuf_encode(rounds: int) -> None:
    """Serializes a message that is there."""
    message = request()
    for _ in range(rounds):
        message.SerializeToString()


def protobuf_both(rounds: int) -> None:
    """Parses, and serializes what it parsed."""
    parse = REQUEST.FromString
    for _ in range(rounds):
        parse(DATA).SerializeToString()


def protobuf_hook(rounds: int) -> None:
    """Parses, finds a header, adds one, and serializes."""
    parse = REQUEST.FromString
    for _ in range(rounds):
        message = parse(DATA)
        if any(header.name == b"X-Custom-Header-19" for header in message.headers):
            message.headers.add(name=b"x-user", value=b"1")
        message.SerializeToString()


@pytest.mark.parametrize("does", [protobuf_decode, protobuf_encode, protobuf_both, protobuf_hook])
def test_codec(benchmark: Benchmark, does: Callable[[int], None]) -> None:
    measure(benchmark, does)


def as_json() -> dict[str, Any]:
    """The same request as JSON has it: bytes as text, the body in base64."""
    one = request()
    return {
        "version": one.version,
        **{name: getattr(one, name).decode() for name in ("method", "scheme", "path")},
        **{name: getattr(one, name).decode() for name in ("authority", "client")},
        "body": base64.b64encode(one.body).decode(),
        "headers": [[h.name.decode(), h.value.decode()] for h in one.headers],
    }


def test_codec_json(benchmark: Benchmark) -> None:
    text = json.dumps(as_json())

    def part(rounds: int) -> None:
        for _ in range(rounds):
            json.dumps(json.loads(text))

    measure(benchmark, part)
