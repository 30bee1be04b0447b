"""What filters and hooks cost: counted by outcome, timed by samples, found again after a reload."""

from __future__ import annotations

import asyncio
import json
import mmap
from typing import Any

import pytest
import uvloop
from pygw._core.bill_read import bills_read, bucket_starts
from pygw._core.build import PlanError
from pygw._core.memory_worker import allocations, fail_allocations
from pygw._core.stats import SHARED_BYTES_PER_WORKER
from pygw._core.worker import Worker

from pygw.bill import Row, bucket_of, quantile, row_of, rows_merged, rows_since
from pygw.config import ConfigError, parse_config
from pygw.config.interpolate import Sources
from pygw.plan import build_plan
from tests.unit import plans
from tests.unit.lua_hooks import lua, needs_lua, request
from tests.unit.memory import GET, OK, Gate, ok, plan_of, post, serving
from tests.unit.plans import edits
from tests.unit.test_exchange_shortage import needs_debug

Json = dict[str, Any]
BILL_ROWS = 4096
SERVER_TIMING_MAX = 2048
MEMORY_ROWS = 64
EXACT = 64
EVERY_MOST = 96

STAMP = {"filter": "headers", "request": edits(add=[["X", "1"]]), "response": edits()}
REPLY = {"filter": "respond", "status": 200, "headers": [], "body": "mine"}


def rows(gate: Gate) -> list[Row]:
    """Every row but that of whole routes."""
    told: Any = gate.worker.bills()["rows"]
    return [row for row in map(row_of, told) if row.phase != "route"]


def only(gate: Gate, name: str, phase: str = "request") -> Row:
    """The row of that name and phase."""
    (row,) = [row for row in rows(gate) if (row.name, row.phase) == (name, phase)]
    return row


def timed_plan(*filters: Json, hooks: bool = False, timing: bool = False) -> Json:
    """A plan that tells the log, or the client, where time goes."""
    plan = plan_of(*filters)
    if hooks:
        plan["access_log"]["hooks"] = True
    if timing:
        plan["listeners"][0]["server_timing"] = True
    return plan


def lines(gate: Gate) -> list[Json]:
    return [json.loads(line) for line in gate.worker.lines]


# --- outcomes -------------------------------------------------------------------------------------


def test_each_run_is_counted_by_what_it_came_to() -> None:
    with serving(STAMP, REPLY) as gate:
        client = gate.client(GET * 3)
        assert client.statuses == [200] * 3
        assert only(gate, "headers").outcomes["next"] == only(gate, "headers").runs == 3
        assert only(gate, "respond").outcomes["reply"] == only(gate, "respond").runs == 3


def test_a_filter_that_aborts_is_counted_so() -> None:
    with serving({"filter": "test_abort", "phase": "request"}) as gate:
        gate.client(GET)
        assert only(gate, "test_abort").outcomes["abort"] == 1


@needs_lua
@pytest.mark.parametrize(
    ("hook", "outcome"),
    [
        (request("error('x')"), "failed"),
        (request("error('x')", on_error="skip"), "skipped"),
        (request("while true do end", deadline_ms=5), "deadline"),
        (request("while true do end", deadline_ms=5, on_error="skip"), "deadline"),
        (request("return gw.reply(403, {}, 'no')"), "reply"),
        (request("gw.sleep(0.01)"), "next"),
        (request("gw.sleep(3)", deadline_ms=10), "deadline"),
        (lua("return {log = function() error('x') end}"), "skipped"),
    ],
)
def test_what_becomes_of_a_hook_is_counted(hook: Json, outcome: str) -> None:
    with serving(hook) as gate:
        gate.client(GET)
        gate.advance(20)
        for origin in gate.origins:
            origin.send(OK)
        (row,) = rows(gate)
        assert row.outcomes == dict.fromkeys(row.outcomes, 0) | {outcome: 1}
        assert (row.name, row.kind, row.route) == ("h1", "lua", "r1")


@needs_lua
def test_a_wait_that_the_client_ends_is_cancelled() -> None:
    with serving(request("gw.sleep(3)", deadline_ms=0)) as gate:
        gate.client(GET).reset()
        row = only(gate, "h1")
        assert (row.outcomes["cancelled"], row.runs, row.waits) == (1, 1, 1)


@needs_lua
def test_the_time_that_a_hook_waits_is_told_apart() -> None:
    with serving(request("gw.sleep(0.25)", deadline_ms=0)) as gate:
        gate.client(GET)
        gate.advance(1000)
        row = only(gate, "h1")
        assert 250_000_000 <= row.wait_ns == row.wait_max_ns <= 260_000_000
        assert row.wait_buckets[bucket_of(row.wait_ns)] == row.waits == 1
        assert row.max_ns < 1_000_000
        gate.origin.send(OK)


# --- samples --------------------------------------------------------------------------------------


def test_the_first_runs_are_all_timed_and_later_ones_now_and_then() -> None:
    with serving(STAMP, REPLY) as gate:
        for n in range(1, EXACT + 1):
            gate.client(GET)
            assert only(gate, "headers").timed == n
        for _ in range(20):
            gate.client(GET * 100)
        row = only(gate, "headers")
        assert row.runs == EXACT + 2000
        assert EXACT + 2000 // EVERY_MOST - 1 <= row.timed <= EXACT + 2000 // 33 + 1


def test_a_time_stands_for_all_runs_since_the_one_before() -> None:
    with serving(STAMP, REPLY) as gate:
        for _ in range(20):
            gate.client(GET * 100)
        row = only(gate, "headers")
        assert row.runs - EVERY_MOST < sum(row.buckets) <= row.runs


def test_exact_timing_leaves_no_run_out_and_counts_none_twice() -> None:
    with serving(STAMP, REPLY) as gate:
        gate.client(GET * 90)
        gate.worker.exact()
        gate.client(GET * 500)
        row = only(gate, "headers")
        assert row.timed >= 500
        assert sum(row.buckets) == row.runs == 590
        gate.worker.exact(False)
        gate.client(GET * 500)
        assert only(gate, "headers").timed < row.timed + 50


def test_a_bucket_begins_where_it_says() -> None:
    starts = bucket_starts()
    assert starts[:5] == [0, 24, 32, 48, 64]
    assert starts == sorted(starts)
    for place, start in enumerate(starts):
        assert bucket_of(start) == place
        assert place == 0 or bucket_of(start - 1) == place - 1


# --- names ----------------------------------------------------------------------------------------


def test_rows_go_on_through_a_reload() -> None:
    with serving(STAMP, REPLY) as gate:
        gate.client(GET)
        gate.publish(plan_of(STAMP, STAMP, REPLY))
        gate.client(GET)
        ran = [(row.nth, row.runs) for row in rows(gate) if row.name == "headers" and row.runs]
        assert ran == [(0, 2), (1, 1)]
        assert only(gate, "respond").runs == 2


def named(number: int) -> Json:
    return plan_of(*[REPLY | {"status": 200}], listeners=plan_of()["listeners"]) | {
        "routes": [plans.route(name=f"n{number}", middleware=[STAMP, REPLY])]
    }


def test_rows_of_what_is_gone_make_room_for_what_is_new() -> None:
    with serving(STAMP, REPLY) as gate:
        for number in range(MEMORY_ROWS):
            gate.publish(named(number))
            gate.client(GET)
        assert gate.worker.bills()["lost"] == 0
        row = [one for one in rows(gate) if one.name == "headers"][-1]
        assert only_of(gate, f"n{MEMORY_ROWS - 1}").runs == 1
        assert len(rows(gate)) < MEMORY_ROWS
        assert row.kind == "headers"


def only_of(gate: Gate, route: str) -> Row:
    (row,) = [one for one in rows(gate) if (one.route, one.name) == (route, "headers")]
    return row


def test_filters_for_which_no_row_is_left_share_one_and_are_told() -> None:
    filters = [STAMP] * 30
    plan = plan_of() | {
        "routes": [
            plans.route(name=f"n{n}", path=f"/{n}", middleware=[*filters, REPLY]) for n in range(3)
        ]
    }
    with serving(REPLY) as gate:
        gate.publish(plan)
        for n in range(3):
            gate.client(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % n)
        told = gate.worker.bills()
        assert told["lost"] > 0
        first = row_of(told["rows"][0])
        assert (first.route, first.name) == ("", "")
        assert sum(row.runs for row in rows(gate)) == 3 * 31


def shared_worker(shared: mmap.mmap, fd: int, plan: Json) -> Any:
    async def serve() -> Any:
        worker = Worker(asyncio.get_running_loop(), 1, fd, -1)
        worker.publish(json.dumps(plan).encode())
        told = bills_read(shared, 1)
        async with asyncio.timeout(10):
            await worker.stop()
        return told

    return uvloop.run(serve())


def test_a_worker_has_rows_in_the_shared_block_up_to_the_bound(tmp_path: Any) -> None:
    routes = [
        plans.route(name=f"n{n}", path=f"/{n}", middleware=[STAMP, REPLY])
        for n in range(BILL_ROWS // 3 + 100)
    ]
    with (tmp_path / "shared").open("w+b") as file:
        file.truncate(2 * SHARED_BYTES_PER_WORKER)
        with mmap.mmap(file.fileno(), 0) as shared:
            told = shared_worker(shared, file.fileno(), plan_of() | {"routes": routes})
            assert len(told["rows"]) == BILL_ROWS - 1
            assert told["lost"] > 0
            again = shared_worker(shared, file.fileno(), plan_of() | {"routes": routes[:10]})
            assert len(again["rows"]) == BILL_ROWS - 1
            assert again["lost"] == 0
            assert bills_read(shared, 0) == {"pid": 0, "lost": 0, "rows": [], "layout": 0}
            with pytest.raises(ValueError, match="no worker 2"):
                bills_read(shared, 2)


# --- adding up ------------------------------------------------------------------------------------


def test_rows_of_workers_are_added_and_what_was_before_is_taken_off() -> None:
    with serving(STAMP, REPLY) as gate:
        gate.client(GET * 4)
        before = rows(gate)
        gate.client(GET * 3)
        now = rows(gate)
        assert {row.name: row.runs for row in rows_merged([*now, *before])} == {
            "headers": 11,
            "respond": 11,
        }
        assert {row.name: row.runs for row in rows_since(now, before)} == {
            "headers": 3,
            "respond": 3,
        }
        assert rows_since(now, now) == []


def test_a_quantile_lies_in_the_bucket_that_holds_it() -> None:
    buckets = [0] * len(bucket_starts())
    assert quantile(buckets, 0.99) == 0
    buckets[bucket_of(100)], buckets[bucket_of(100_000)] = 98, 2
    assert 96 <= quantile(buckets, 0.5) <= 128
    assert 98_304 <= quantile(buckets, 0.99) <= 131_072


# --- the access log -------------------------------------------------------------------------------


@needs_lua
def test_a_line_of_the_log_says_what_each_filter_took_and_came_to() -> None:
    hook = request("gw.sleep(0.1)", deadline_ms=0)
    gate = Gate(timed_plan(STAMP, hook, REPLY, hooks=True))
    gate.client(GET)
    gate.advance(200)
    (line,) = lines(gate)
    gate.judge()
    assert [(one["name"], one["phase"], one["outcome"]) for one in line["hooks"]] == [
        ("headers", "request", "next"),
        ("h1", "request", "next"),
        ("respond", "request", "reply"),
    ]
    assert 100_000 <= line["hooks"][1]["wait_us"] <= 110_000
    assert all(one["us"] >= 0 for one in line["hooks"])
    assert ["wait_us" in one for one in line["hooks"]] == [False, True, False]


@needs_lua
def test_a_failure_is_in_the_log_even_where_it_was_skipped() -> None:
    gate = Gate(timed_plan(request("error('x')", on_error="skip"), REPLY, hooks=True))
    gate.client(GET)
    assert [one["outcome"] for one in lines(gate)[0]["hooks"]] == ["skipped", "reply"]
    gate.judge()


def test_without_the_switch_the_log_says_nothing_of_filters() -> None:
    with serving(STAMP, REPLY) as gate:
        gate.worker.exact()
        gate.client(GET)
        assert "hooks" not in lines(gate)[0]


def test_entries_for_which_the_line_has_no_room_are_counted() -> None:
    target = b"/" + b"a" * 3000
    gate = Gate(timed_plan(*[STAMP] * 31, REPLY, hooks=True))
    agent = b"User-Agent: " + b"u" * 1500 + b"\r\nReferer: " + b"r" * 2500 + b"\r\n"
    gate.client(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n" + agent + b"\r\n")
    (line,) = lines(gate)
    assert line["hooks_left_out"] > 0
    assert len(line["hooks"]) + line["hooks_left_out"] == 32
    assert len(gate.worker.lines[0]) < 8192
    gate.judge()


def test_only_the_json_format_has_room_for_hooks() -> None:
    plan = timed_plan(STAMP, hooks=True)
    plan["access_log"]["format"] = "combined"
    with pytest.raises(PlanError, match=r"access_log\.hooks: needs the format json"):
        Gate(plan)


# --- Server-Timing --------------------------------------------------------------------------------


def timing_of(answer: Any) -> list[tuple[str, float]]:
    """The metrics of the last field: name and milliseconds."""
    metrics = answer.all("Server-Timing")[-1].decode().split(", ")
    return [(name, float(value)) for name, value in (one.split(";dur=") for one in metrics)]


@needs_lua
def test_a_client_is_told_where_the_time_went() -> None:
    hook = request("gw.sleep(0.1)", deadline_ms=0)
    gate = Gate(timed_plan(STAMP, hook, timing=True))
    client = gate.client(GET)
    gate.advance(200)
    gate.advance(300)
    gate.origin.send(ok(b"x", b"Server-Timing: db;dur=53"))
    gate.judge()
    assert client.answer.all("Server-Timing")[0] == b"db;dur=53"
    found = dict(timing_of(client.answer))
    assert list(found) == ["headers", "h1", "upstream", "total"]
    assert 100 <= found["h1"] <= 110
    assert 390 <= found["upstream"] <= 400
    assert found["total"] == 500


def test_answers_of_our_own_tell_it_too() -> None:
    gate = Gate(timed_plan(STAMP, REPLY, timing=True))
    assert [name for name, _ in timing_of(gate.client(GET).answer)] == [
        "headers",
        "respond",
        "total",
    ]
    gate.judge()


def test_faults_tell_it_too() -> None:
    gate = Gate(timed_plan(STAMP, timing=True))
    gate.refuse()
    assert [name for name, _ in timing_of(gate.client(GET).answer)] == [
        "headers",
        "upstream",
        "total",
    ]
    gate.judge()


def test_by_default_no_client_is_told() -> None:
    with serving(STAMP, REPLY) as gate:
        gate.worker.exact()
        assert not gate.client(GET).answer.all("Server-Timing")


@needs_lua
def test_the_field_stays_within_its_bound_and_keeps_its_end() -> None:
    hooks = [request("", name=f"{n:02d}" + "n" * 62) for n in range(31)]
    gate = Gate(timed_plan(*hooks, REPLY, timing=True))
    answer = gate.client(GET).answer
    assert len(answer.all("Server-Timing")[0]) <= SERVER_TIMING_MAX
    names = [name for name, _ in timing_of(answer)]
    assert 20 < len(names) < 32
    assert names[-1] == "total"
    gate.judge()


# --- whole routes ---------------------------------------------------------------------------------


@needs_lua
def test_parts_and_filters_together_are_the_time_of_the_exchange() -> None:
    with serving(request("gw.sleep(0.1)", deadline_ms=0)) as gate:
        gate.hold()
        gate.worker.exact()
        client = gate.client(post(b"x"))
        gate.advance(100)
        gate.advance(40)
        (origin,) = gate.origins
        origin.accept()
        gate.advance(300)
        origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no")
        gate.advance(50)
        origin.send(b"k")
        assert client.answer.status == 200
        told: Any = gate.worker.bills()["rows"]
        (route,) = [row_of(row) for row in told if row["phase"] == "route"]
        waited = only(gate, "h1").wait_ns
        assert route.timed == 1
        assert route.ns == 490_000_000
        assert sum(route.part_ns) + waited == route.ns
        head, routing, target, connect, send, upstream, answer, body, flush = route.part_ns
        assert (connect, upstream, body) == (140_000_000 - waited, 300_000_000, 50_000_000)
        assert head == routing == target == send == answer == flush == 0


# --- the configuration ----------------------------------------------------------------------------


def planned(text: str) -> Json:
    """The plan of a configuration in which nothing but this is said."""
    more = "routes: [{match: {path: /*}, middleware: [{respond: {status: 204}}]}]"
    config = parse_config(f"{text}\n{more}\n", "test.yaml", Sources({}, "."))
    return build_plan(config, 1, "test")


def test_both_switches_reach_the_plan_and_are_off_unless_set() -> None:
    bind = "listeners: [{bind: '127.0.0.1:0'%s}]"
    off = planned(bind % "")
    assert "hooks" not in off["access_log"]
    assert "server_timing" not in off["listeners"][0]
    on = planned(bind % ", server_timing: true" + "\naccess_log: {format: json, hooks: true}")
    assert on["access_log"]["hooks"] is True
    assert on["listeners"][0]["server_timing"] is True


def test_hooks_in_combined_lines_are_refused_with_what_to_say_instead() -> None:
    with pytest.raises(ConfigError, match=r"access_log\.hooks: .* say format: json"):
        planned("listeners: [{bind: '127.0.0.1:0'}]\naccess_log: {hooks: true}")


# --- no memory ------------------------------------------------------------------------------------


@needs_debug
def test_an_exchange_that_finds_no_memory_for_its_bill_is_served_without() -> None:
    gate = Gate(timed_plan(STAMP, REPLY, hooks=True, timing=True))
    seen, good = set(), 0
    while True:
        client = gate.client()
        fail_allocations(good)
        client.send(GET)
        whole = allocations() <= good
        fail_allocations(-1)
        if client.ended == "open":
            seen.add(client.answer.status)
            client.reset()
        if whole:
            break
        good += 1
    gate.advance(120_000)
    assert good > 5
    assert seen <= {200, 503}
    assert 200 in seen
    assert not any(gate.worker.live().values())
    gate.clients.clear()
    gate.worker.close()
