"""`pygw explain` and `pygw routes` against the data plane: random configurations, random requests.

The data plane serves each request as it would on the wire (`tests.unit.memory`); what explain said
before must be what the access log, the service and the client then saw.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest

from pygw.config.load import Loaded
from pygw.explain.report import Explainer
from pygw.explain.request import Request, read_request
from pygw.explain.routes import filter_name, rows_of
from pygw.plan import build_plan
from tests.unit.memory import Client, Gate

from .random_config import random_answer, random_config, random_request

Json = dict[str, Any]

CONFIGS, REQUESTS = 200, 50
PARTS = 10
ANSWERING = {"respond", "redirect", "echo"}
NEW_EACH_TIME = (b"traceparent:", b"date:")
NEW_ID = re.compile(
    rb"(?i)((?:x-request-id|x-rid): )"
    rb"(?:[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32})\Z"
)


@dataclass
class Served:
    """What became of a request: its log line, the heads and the answer's body."""

    line: Json
    heads: list[bytes]  # that its service got
    copies: dict[str, bytes]  # that other upstreams got, by name
    answer: bytes
    body: bytes


def served(gate: Gate, request: Request, body: bytes, own: set[str], said: bytes) -> Served:
    """Sends a request whose route leads to the upstreams `own`; services answer with `said`."""
    before = [len(origin.received) for origin in gate.origins]
    client: Client = gate.client(request.head + body, peer=request.peer)
    heads, copies = [], {}
    for place, origin in enumerate(gate.origins):
        fresh = origin.received[before[place] if place < len(before) else 0 :]
        if fresh:
            head = fresh.partition(b"\r\n\r\n")[0]
            name = f"u{origin.address[-2]}"  # as `random_config` numbers its ports
            if name in own:
                heads.append(head)
            else:
                assert name not in copies
                copies[name] = head
            origin.send(said)
    answer, _, told = client.received.partition(b"\r\n\r\n")
    client.finish()
    return Served(json.loads(gate.worker.lines[-1]), heads, copies, answer, told)


def stable(head: bytes) -> list[bytes]:
    fields = [one for one in head.splitlines() if not one.lower().startswith(NEW_EACH_TIME)]
    return [NEW_ID.sub(rb"\1*", one) for one in fields]


def agree(loaded: Loaded, report: Json, was: Served) -> None:
    route, line, heads = report["route"], was.line, was.heads
    assert line["route"] == (route and route["name"])
    assert line["status"] == report["status"]
    assert line["cause"] in (report["cause"], "-" if report["cause"] is None else None)
    assert line["client"] == report["request"]["client"]
    assert len(heads) == (report["forwarded"] is not None)
    if heads:
        told = "\r\n".join(report["forwarded"]).encode()
        assert stable(heads[0]) == stable(told)
        upstream = report["upstream"]
        if upstream["pinned"]:
            assert line["upstream"] == upstream["target"]
        else:
            assert line["upstream"] in targets(loaded, upstream["shares"])
            if len(upstream["shares"]) == 1:
                assert line["upstream"] in [one["url"] for one in upstream["eligible"]]
    told_answer = "\r\n".join(report["answer"]["fields"]).encode()
    own = [one for one in stable(was.answer)[1:] if not one.lower().startswith(b"set-cookie:")]
    assert own == [one for one in stable(told_answer) if not one.lower().startswith(b"set-cookie:")]
    if b"Content-Encoding: gzip" not in was.answer:
        body = was.body[:2000].decode("utf-8", "backslashreplace")
        assert stable(body.encode()) == stable(report["answer"]["body"].encode())
    copies_agree(report, was)


def copies_agree(report: Json, was: Served) -> None:
    """All that are told of go, if they always do; none goes that is not told of."""
    told = {one["to"]: one for one in (report["upstream"] or {}).get("mirrors", ())}
    assert was.copies.keys() <= {name for name, one in told.items() if one["copied"] is not False}
    assert was.copies.keys() >= {name for name, one in told.items() if one["copied"] is True}
    for head in was.copies.values():
        assert head == was.heads[0]


def filters_agree(loaded: Loaded, report: Json) -> None:
    """Who is said to answer is the last that was asked, and stands where the file has it."""
    if report["route"] is None:
        return
    route = next(
        one
        for number, one in enumerate(loaded.config.routes, 1)
        if (one.name or f"r{number}") == report["route"]["name"]
    )
    told = report["filters"]
    assert [one["filter"] for one in told] == [filter_name(one) for one in route.middleware]
    ends = [n for n, one in enumerate(told) if one["verdict"] in ("reply", "abort")]
    idle = [n for n, one in enumerate(told) if one["verdict"] in ("not reached", "off")]
    assert ends == [] or set(range(ends[0] + 1, len(told))) <= set(idle)
    if report["outcome"] == "answered":
        assert len(ends) == 1 or report["cause"] is not None
        answering = ANSWERING | {"ip", "body_limit", "cors", "maintenance"}
        assert report["cause"] or all(told[n]["filter"] in answering for n in ends), told


def targets(loaded: Loaded, names: Json) -> set[str]:
    return {target.url.url for name in names for target in loaded.config.upstreams[name].targets}


def rows_agree(loaded: Loaded, explainer: Explainer, request: Request, report: Json) -> None:
    """Of the routes whose host and path match, the first row without a miss takes the request."""
    order = [row["route"] for row in rows_of(loaded.config, explainer.plan)]
    if report["route"] is None:
        return
    rivals = [one["route"] for one in report["near_misses"] if one["failed"] == "precedence"]
    winner = order.index(report["route"]["name"])
    assert all(winner < len(order) - 1 - order[::-1].index(one) for one in rivals)


@pytest.mark.parametrize("part", range(PARTS))
def test_explain_and_routes_say_what_the_data_plane_does(part: int) -> None:
    chance = Random(20261125 + part)
    taken = forwarded = copied = compressed = shared = 0
    for _ in range(CONFIGS // PARTS):
        loaded = random_config(chance)
        explainer = Explainer(loaded)
        plan = build_plan(loaded.config, 1, "pygw-explain") | {"access_log": {"format": "json"}}
        gate = Gate(plan)
        for _ in range(REQUESTS):
            method, url, headers, client, body = random_request(chance)
            request = read_request(method, url, headers, client, "localhost")
            said = random_answer(chance, method)
            report = explainer.report(request, body, said)
            own = set((report["upstream"] or {}).get("shares", ()))
            was = served(gate, request, body, own, said)
            agree(loaded, report, was)
            filters_agree(loaded, report)
            rows_agree(loaded, explainer, request, report)
            taken += report["route"] is not None
            forwarded += bool(was.heads)
            copied += bool(was.copies)
            compressed += b"Content-Encoding: gzip" in was.answer
            shared += b"Access-Control-Allow-Origin" in was.answer
        explainer.close()
        gate.worker.close()
    # The comparison is not an empty one.
    assert taken > CONFIGS * REQUESTS // PARTS // 5
    assert forwarded > CONFIGS * REQUESTS // PARTS // 20
    assert copied
    assert compressed
    assert shared
