"""The parts, one benchmark each. A call does its part OPERATIONS times in C, without the GIL.

So the price of the call from Python vanishes, and the time of a call divided by OPERATIONS is the
time of one. Runs in the main thread. It never checks a figure: `benchmarks/gate` decides in CI.
Read next: `__main__.py`, which writes the results.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

from benchmarks.micro import messages
from benchmarks.micro.routes import mixed
from pygw.config.interpolate import Sources
from pygw.config.load import parse_config
from pygw.plan import build_plan

bench: Any = import_module("pygw._core.probe.bench")
http1_time: Any = import_module("pygw._core.probe.http1_time")
filters: Any = import_module("pygw._core.probe.filters")
cidr_set: Any = import_module("pygw._core.probe.cidr_set")

OPERATIONS = 2000
ROUNDS = 60

Benchmark = Any  # pytest-benchmark's fixture has no types


def measure(benchmark: Benchmark, part: Callable[..., object], *arguments: object) -> None:
    """Time `part(*arguments, OPERATIONS)`."""
    benchmark.extra_info["operations"] = OPERATIONS
    benchmark.pedantic(part, (*arguments, OPERATIONS), rounds=ROUNDS, warmup_rounds=5)


@pytest.mark.parametrize("fields", [6, 10, 40])
def test_parse_request_head(benchmark: Benchmark, fields: int) -> None:
    measure(benchmark, http1_time.time_read, messages.request(fields), "request")


@pytest.mark.parametrize("fields", [8, 40])
def test_parse_response_head(benchmark: Benchmark, fields: int) -> None:
    measure(benchmark, http1_time.time_read, messages.response(fields), "response")


@pytest.mark.parametrize("fields", [6, 40])
def test_write_request_head(benchmark: Benchmark, fields: int) -> None:
    measure(benchmark, http1_time.time_write, messages.request(fields), "request")


@pytest.mark.parametrize("fields", [8, 40])
def test_write_response_head(benchmark: Benchmark, fields: int) -> None:
    measure(benchmark, http1_time.time_write, messages.response(fields), "response")


@pytest.mark.parametrize(
    ("fields", "name"), [(10, b"referer"), (40, b"x-custom-header-29")], ids=["7-of-10", "40-of-40"]
)
def test_find_header(benchmark: Benchmark, fields: int, name: bytes) -> None:
    measure(benchmark, http1_time.time_find, messages.request(fields), name)


@pytest.mark.parametrize("filters", [0, 1, 8])
def test_run_chain(benchmark: Benchmark, filters: int) -> None:
    measure(benchmark, bench.chain, filters)


@pytest.mark.parametrize("routes", [1, 100])
def test_find_route(benchmark: Benchmark, routes: int) -> None:
    paths = "".join(
        f'  - {{match: {{path: "/v1/{number}/*"}}, middleware: [echo: {{}}]}}\n'
        for number in range(routes)
    )
    text = f"listeners: [bind: 127.0.0.1:0]\nroutes:\n{paths}"
    plan = build_plan(parse_config(text, "routes", Sources({})), 1, "pygw-bench")
    asked = bench.Requests([(b"a", b"/v1/%d/articles/1234" % (routes - 1))])
    measure(benchmark, bench.route, filters.Plan(json.dumps(plan).encode()), asked)


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("ranges", [10, 100_000])
def test_find_address(benchmark: Benchmark, ranges: int, family: int) -> None:
    held = cidr_set.CidrSet(messages.networks(ranges, family))
    held.prepare(messages.addresses(OPERATIONS * 50, family))  # so many that no cache holds the way
    measure(benchmark, held.look)


@pytest.mark.parametrize("count", [10, 10_000])
def test_find_one_of_mixed_routes(benchmark: Benchmark, count: int) -> None:
    text, requests = mixed(count)
    plan, asked = filters.Plan(text), bench.Requests(requests)
    benchmark.extra_info["operations"] = len(requests)
    benchmark.pedantic(bench.route, (plan, asked, len(requests)), rounds=ROUNDS, warmup_rounds=2)


@pytest.mark.parametrize(("size", "count"), [(48, 8), (512, 8)], ids=["inline", "with-a-chunk"])
def test_arena(benchmark: Benchmark, size: int, count: int) -> None:
    measure(benchmark, bench.arena, size, count)


def test_take_and_give_exchange(benchmark: Benchmark) -> None:
    measure(benchmark, bench.block)


@pytest.mark.parametrize("pieces", [1, 16])
def test_queue_body(benchmark: Benchmark, pieces: int) -> None:
    measure(benchmark, bench.body, pieces)


def test_arm_move_and_disarm_timer(benchmark: Benchmark) -> None:
    measure(benchmark, bench.timer)


def test_make_uuid7(benchmark: Benchmark) -> None:
    measure(benchmark, bench.uuid)
