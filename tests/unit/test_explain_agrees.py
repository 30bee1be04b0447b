"""`pygw explain` and `pygw routes` against the data plane: random configurations, random requests.

The data plane serves each request as it would on the wire (`tests.unit.memory`); what explain said
before must be what the access log, the service and the client then saw.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from pygw._core.dry_run import ANSWER
from pygw.config.load import Loaded
from pygw.explain.report import Explainer
from pygw.explain.request import Request, read_request
from pygw.explain.routes import rows_of
from pygw.plan import build_plan
from tests.unit.memory import Client, Gate

from .random_config import random_config, random_request

Json = dict[str, Any]

CONFIGS, REQUESTS = 200, 50
PARTS = 10
NEW_EACH_TIME = (b"x-request-id:", b"traceparent:", b"date:")


def served(gate: Gate, request: Request, body: bytes) -> tuple[Json, list[bytes], bytes]:
    """The log line, the heads that services got, and the head that the client got."""
    before = [len(origin.received) for origin in gate.origins]
    client: Client = gate.client(request.head + body, peer=request.peer)
    heads = []
    for place, origin in enumerate(gate.origins):
        fresh = origin.received[before[place] if place < len(before) else 0 :]
        if fresh:
            heads.append(fresh.partition(b"\r\n\r\n")[0])
            origin.send(ANSWER)
    answer = client.received.partition(b"\r\n\r\n")[0]
    client.finish()
    return json.loads(gate.worker.lines[-1]), heads, answer


def stable(head: bytes) -> list[bytes]:
    return [one for one in head.split(b"\r\n") if not one.lower().startswith(NEW_EACH_TIME)]


def agree(loaded: Loaded, report: Json, line: Json, heads: list[bytes], answer: bytes) -> None:
    route = report["route"]
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
    own = [one for one in stable(answer)[1:] if not one.lower().startswith(b"set-cookie:")]
    assert own == [one for one in stable(told_answer) if not one.lower().startswith(b"set-cookie:")]


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
    taken = forwarded = 0
    for _ in range(CONFIGS // PARTS):
        loaded = random_config(chance)
        explainer = Explainer(loaded)
        plan = build_plan(loaded.config, 1, "pygw-explain") | {"access_log": {"format": "json"}}
        gate = Gate(plan)
        for _ in range(REQUESTS):
            method, url, headers, client, body = random_request(chance)
            request = read_request(method, url, headers, client, "localhost")
            report = explainer.report(request, body)
            line, heads, answer = served(gate, request, body)
            agree(loaded, report, line, heads, answer)
            rows_agree(loaded, explainer, request, report)
            taken += report["route"] is not None
            forwarded += bool(heads)
        explainer.close()
        gate.worker.close()
    # The comparison is not an empty one.
    assert taken > CONFIGS * REQUESTS // PARTS // 5
    assert forwarded > CONFIGS * REQUESTS // PARTS // 20
