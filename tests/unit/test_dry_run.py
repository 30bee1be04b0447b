"""`pygw._core.dry_run`: what the data plane would do, told without a socket."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pygw._core.dry_run import DryRun, Ran
from tests.unit import plans

Json = dict[str, Any]
GET = b"GET /a?b=c HTTP/1.1\r\nHost: a\r\nX-Old: 1\r\n\r\n"
EDITS = {
    "filter": "headers",
    "request": {"set": [["X-New", "2"]], "add": [], "remove": ["X-Old"]},
    "response": {"set": [["X-Seen", "3"]], "add": [], "remove": []},
}
LIMIT = {"filter": "body_limit", "max_bytes": 10}
DENY = {"filter": "ip", "allow": [], "deny": ["192.0.2.0/24"]}


def asked(request: bytes = GET, *filters: Json, client: str = "127.0.0.1:1", **changes: Any) -> Ran:
    plan = plans.plan(plans.route(middleware=list(filters))) | changes
    run = DryRun(json.dumps(plan).encode())
    try:
        return run.ask(request, client)
    finally:
        run.close()


def test_request_to_a_service_tells_route_target_bytes_and_answer() -> None:
    ran = asked(GET)
    assert (ran.status, ran.cause, ran.route) == (200, "-", "r1")
    ((upstream, url),) = ran.targets
    assert (upstream, url.startswith("http://")) == ("api", True)
    (sent,) = ran.sent
    assert sent.startswith(b"GET /a?b=c HTTP/1.1\r\nHost: a\r\nX-Old: 1\r\n")
    assert ran.answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert (ran.client, ran.params, ran.steps, ran.lost) == ("127.0.0.1", {}, [], 0)


def test_each_filter_is_seen_with_the_head_before_and_after_it() -> None:
    ran = asked(GET, EDITS, LIMIT)
    request = b"GET /a?b=c\nHost: a\nX-Old: 1"
    changed = b"GET /a?b=c\nHost: a\nX-New: 2"
    answer = b"200\nContent-Type: text/plain\nContent-Length: 0"
    assert [tuple(step) for step in ran.steps] == [
        (0, "request", "next", request, changed),
        (1, "request", "next", changed, changed),
        (0, "response", "next", answer, answer + b"\nX-Seen: 3"),
    ]


def test_filter_that_answers_is_seen_with_its_answer_and_the_rest_is_not_reached() -> None:
    ran = asked(GET, DENY, EDITS, client="192.0.2.9:1")
    assert (ran.status, ran.cause, ran.targets, ran.sent) == (403, "denied", [], [])
    assert [step[:3] for step in ran.steps] == [(0, "request", "reply"), (1, "response", "next")]
    assert ran.steps[0].after.startswith(b"403\n")


def test_filter_with_a_body_phase_works_as_ever_when_it_is_looked_at() -> None:
    ran = asked(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n0123456789a", LIMIT)
    assert (ran.status, ran.cause) == (413, "body_too_large")
    chunks = b"6\r\n012345\r\n6\r\n678901\r\n0\r\n\r\n"
    ran = asked(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks, LIMIT)
    assert (ran.status, ran.cause) == (413, "body_too_large")


def test_refused_head_and_missing_route_are_told() -> None:
    assert asked(b"GET  / HTTP/1.1\r\n\r\n")[:3] == (400, "bad_request_line", None)
    plan = plans.plan(plans.route(path="/x", match="exact"))
    run = DryRun(json.dumps(plan).encode())
    assert run.ask(GET)[:3] == (404, "no_route", None)
    run.close()


def test_one_run_answers_many_requests_and_targets_take_turns() -> None:
    plan = plans.plan(upstreams=[plans.upstream(targets=2)])
    run = DryRun(json.dumps(plan).encode())
    urls = [run.ask(GET).targets[0][1] for _ in range(4)]
    assert urls == ["http://127.0.0.1:9001", "http://127.0.0.1:9002"] * 2
    run.close()


def test_target_by_name_needs_no_name_service() -> None:
    one = plans.upstream()
    one["targets"][0] |= {"url": "http://no.such.name:80", "host": "no.such.name", "port": 80}
    ran = asked(GET, upstreams=[one])
    assert (ran.status, ran.targets) == (200, [("api", "http://no.such.name:80")])


def test_client_may_be_v6_or_a_unix_socket_but_nothing_else() -> None:
    assert asked(client="[2001:db8::1]:1").client == "2001:db8::1"
    assert asked(client="unix:").status == 200
    with pytest.raises(ValueError, match="nobody is no address"):
        asked(client="nobody")


def test_bad_plan_is_refused_and_leaves_nothing() -> None:
    with pytest.raises(ValueError, match="the plan is not JSON"):
        DryRun(b"{")


def test_what_filters_did_is_recorded_up_to_a_bound() -> None:
    """TRACE_BYTES_MAX: 4 MiB."""
    fields = b"".join(b"X-%d: %s\r\n" % (n, b"v" * 4000) for n in range(60))
    plan = plans.plan(plans.route(middleware=[EDITS] * 32))
    plan["limits"] |= {"head": 262144}
    run = DryRun(json.dumps(plan).encode())
    ran = run.ask(b"GET / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n")
    assert ran.status == 200
    assert ran.lost > 0
    assert sum(len(step.before) + len(step.after) for step in ran.steps) <= 4 << 20
    assert run.ask(GET).lost == 0
    run.close()


def test_attempts_are_recorded_up_to_a_bound() -> None:
    """DRY_ATTEMPTS_MAX: 16."""
    run = DryRun(json.dumps(plans.plan()).encode())
    ran = run.ask(GET, answer=b"nonsense\r\n\r\n")
    assert 1 <= len(ran.targets) <= 16
    assert ran.status == 502
    run.close()


def test_head_larger_than_an_end_takes_at_once_arrives_whole() -> None:
    """DRY_BYTES_MAX at a time, in far fewer than DRY_TURNS_MAX turns."""
    fields = b"".join(b"X-%d: %s\r\n" % (n, b"v" * 4000) for n in range(20))
    plan = plans.plan()
    plan["limits"] |= {"head": 262144}
    run = DryRun(json.dumps(plan).encode())
    (sent,) = run.ask(b"GET / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n").sent
    assert sent.count(b"v" * 4000) == 20
    run.close()
