"""Memory runs out at any moment within the filters that make something: nothing is left behind.

As in `test_exchange_shortage`; needs a debug build.
"""

from __future__ import annotations

import pytest
from pygw._core.probe.test_params import __name__ as _registered

from tests.unit.memory import GET, Gate, plan_of, upstream
from tests.unit.plans import edits

from .test_exchange_leaving import allow_cuts, canary
from .test_exchange_shortage import answer_all, needs_debug, once
from .test_filters_edge import cors, maintenance, request_id
from .test_filters_rewrite import params, prefix, query, rewrite
from .test_filters_templates import headers, redirect, respond

assert _registered

REQUEST = (
    b"GET /api/x?a=1&b=2 HTTP/1.1\r\nHost: a\r\nOrigin: https://a.test\r\nX-Old: 1\r\n"
    b"Cookie: sid=1\r\n\r\n"
)
PREFLIGHT = REQUEST.replace(b"GET", b"OPTIONS").replace(
    b"Cookie",
    b"Access-Control-Request-Headers: x-a\r\nAccess-Control-Request-Method: PUT\r\nCookie",
)
EDITS = edits(set=[["X-A", [["cookie", "sid"]]]]) | {"rename": [["X-Old", "X-New"]],
                                                     "default": [["X-D", [["path"]]]]}  # fmt: skip
TARGET = [
    params("7"),
    prefix("/api", "/v1"),
    query(rename=[["a", "c"]], add=[["d", [["path"]]]]),
    rewrite(["/", ["param", 0], ["path"]], ["x=", ["pair", "b"]]),
]
FIELDS = [
    headers(EDITS, edits(add=[["X-S", [["status"]]]])),
    request_id("X-Corr", "none", "hex"),
]
LATE = respond(["<", ["path"], ">"], headers=[["X-P", [["path"]]]], delay_ms=10)
CORS = cors(methods=None, headers=None, credentials=True, expose=["X"], private_network=True)
CHAINS = {
    "target": TARGET,
    "fields": FIELDS,
    "cors": [CORS],
    "redirect": [params("7"), redirect(["https://", ["host"]], ["/", ["param", 0]], ["a"])],
    "late": [LATE],
    "refused": [rewrite(["/", ["pair", "a"], "/../x"])],
    "fault": [request_id("X-Corr", "none", "hex"), rewrite(["/", ["pair", "a"], "/../x"]), CORS],
    "maintenance": [maintenance()],
    "page": [maintenance(body="soon")],
}


def asks(gate: Gate) -> None:
    gate.client(REQUEST)
    answer_all(gate)
    gate.client(PREFLIGHT)
    answer_all(gate)


@needs_debug
@pytest.mark.parametrize("bad", [1, 2, 1000])
@pytest.mark.parametrize("chain", CHAINS)
def test_any_allocation_of_a_filter_may_fail(chain: str, bad: int) -> None:
    gate = Gate(plan_of(*CHAINS[chain], one=upstream(pool={"idle_timeout_ms": 1000})))
    total = once(gate, asks, -1, 0)
    for good in range(total):
        once(gate, asks, good, bad)
        assert gate.stats["spins"] == 0, good
    allow_cuts(gate)
    gate.worker.close()


@needs_debug
def test_requests_are_served_after_a_shortage() -> None:
    gate = Gate(plan_of(one=upstream(pool={"idle_timeout_ms": 1000})))
    once(gate, lambda one: one.client(GET) and None, 3, 1)
    canary(gate)
    gate.worker.close()
