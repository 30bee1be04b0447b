"""Rows of what filters cost: those of routes that have no name."""

from __future__ import annotations

from pygw.bill import row_of
from pygw.config.load import check_object
from pygw.plan import build_plan
from pygw.plan.routes import bill_name
from tests.unit.memory import Json, serving

BILL_TEXT = 64  # types/bill.pxd
REPLY = {"filter": "respond", "status": 200, "headers": [], "body": "mine"}


def test_rows_of_routes_without_names_stay_theirs_when_a_route_comes_before_them() -> None:
    def planned(*paths: str) -> Json:
        routes = [
            {"match": {"path": path}, "middleware": [{"respond": {"body": path}}]} for path in paths
        ]
        config = check_object({"listeners": [{"bind": "127.0.0.1:80"}], "routes": routes}, "x")
        return build_plan(config.config, 1, "pygw-test")

    with serving(REPLY) as gate:
        gate.publish(planned("/a", "/b/{id}"))
        gate.client(b"GET /b/1 HTTP/1.1\r\nHost: a\r\n\r\n")
        gate.publish(planned("/new", "/a", "/b/{id}"))
        gate.client(b"GET /b/2 HTTP/1.1\r\nHost: a\r\n\r\n")
        gate.client(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
        counts = {
            row.route: row.runs
            for row in map(row_of, gate.worker.bills()["rows"])
            if row.phase == "request"
        }
        assert (counts["/a"], counts["/b/{id}"], counts["/new"]) == (1, 2, 0)


def test_the_name_of_a_route_without_one_tells_its_predicate_and_no_values() -> None:
    assert bill_name({"path": "/a/{id}", "methods": ["GET", "HEAD"], "hosts": ["a.b"]}) == (
        "GET,HEAD a.b/a/{id}"
    )
    secret = {"path": "/a", "headers": [{"name": "x-key", "value": "secret"}]}
    other = {"path": "/a", "headers": [{"name": "x-key", "value": "other"}]}
    assert bill_name(secret) != bill_name(other)
    assert "secret" not in bill_name(secret)
    long = {"path": "/" + "x" * 100}
    assert len(bill_name(long)) == BILL_TEXT
    assert bill_name(long) != bill_name({"path": "/" + "x" * 101})
