"""A good configuration becomes exactly this plan."""

from __future__ import annotations

import json
import re
from typing import Any

from pygw._core.matcher import Matcher
from pygw.config import Config, parse_config
from pygw.config.interpolate import Sources
from pygw.plan import build_plan, new_pseudonym, serialise_plan
from pygw.plan.upstreams import target_id

COOKIE = "; Path=/; HttpOnly; Max-Age=3600; Secure; SameSite=None"


def placed(url: str, weight: int, priority: int) -> dict[str, Any]:
    """What a target of FULL has besides its place."""
    mark = target_id("api", url, "0123456789abcdef")
    return {"weight": weight, "priority": priority, "id": mark, "cookie": f"at={mark}{COOKIE}"}


FULL = """
workers: 2
drain: 5s
access_log: {path: /tmp/x.log, format: json}
forwarding: {trusted_proxies: [10.0.0.0/8, "::1"], forwarded: true, via: my-name}
timeouts: {client_head: 1s, client_body: 2s, keepalive: 3s, slow_reader: 4s, connect: 5s,
           response: 6s, between_bytes: 7s, total: 8s}
limits:
  {max_connections: 10, request_line: 4KiB, head: 16KiB, headers: 50, keepalive_requests: 9,
   malformed: 7, malformed_window: 30s}
listeners:
- {name: http, bind: "127.0.0.1:8080", half_close: answer}
- {bind: "unix:/run/pygw.sock"}
upstreams:
  api:
    targets:
    - "http://127.0.0.1:9001"
    - "unix:/run/app.sock"
    - {url: "http://name.internal", weight: 3, priority: 1}
    balance: {hash: {header: X-User}}
    sticky: {cookie: at, secret: 0123456789abcdef, max_age: 1h, secure: true, same_site: none}
    eject: {faults: 5, back_off: 1s, max_back_off: 1m, statuses: [503, 500]}
    timeouts: {connect: 50ms, total: off}
    pool: {idle: 1, connections: 2, queue: 3, queue_timeout: 4ms, idle_timeout: 5ms, lifetime: 6ms}
    retries: {attempts: 2, on: [reset, 503, 502], budget: 12.5%, floor: 3}
    replay_body: 1KiB
routes:
- name: api
  match: {path: "/v1/*"}
  timeouts: {total: 60s, response: 1s}
  middleware:
  - headers:
      request: {set: {X-A: b}, add: {X-B: c}, remove: [X-C]}
      response: {remove: [Server]}
  - ip: {allow: [10.0.0.0/8], deny: [10.1.0.0/16]}
  - body_limit: 10MiB
  upstream: api
- match: {path: /hello}
  middleware: [{respond: {status: 201, body: "hé", content_type: text/html, headers: {X-D: e}}}]
- match: {path: /old}
  middleware: [{redirect: {to: "https://example.com/", status: 301}}]
- match: {path: /gone}
  middleware: [{respond: {status: 204}}]
- match: {path: "/*"}
  middleware: [{echo: {}}]
"""

SMALLEST = """
listeners: [{bind: "127.0.0.1:0"}]
upstreams: {api: {targets: ["http://a"]}}
routes: [{match: {path: /*}, upstream: api}]
"""

FULL_PLAN = {
    "version": 1,
    "generation": 7,
    "via": "my-name",
    "forwarded": True,
    "trusted_proxies": ["10.0.0.0/8", "::1/128"],
    "access_log": {"format": "json"},
    "timeouts": {
        "client_head_ms": 1000,
        "client_body_ms": 2000,
        "keepalive_ms": 3000,
        "slow_reader_ms": 4000,
        "connect_ms": 5000,
        "response_ms": 6000,
        "between_bytes_ms": 7000,
        "total_ms": 8000,
    },
    "limits": {
        "max_connections": 10,
        "request_line": 4096,
        "head": 16384,
        "headers": 50,
        "keepalive_requests": 9,
        "malformed": 7,
        "malformed_window_ms": 30000,
    },
    "listeners": [
        {"name": "http", "half_close": "answer"},
        {"name": "l2", "half_close": "abort"},
    ],
    "upstreams": [
        {
            "name": "api",
            "targets": [
                {
                    "url": "http://127.0.0.1:9001",
                    "family": "tcp",
                    "host": "127.0.0.1",
                    "port": 9001,
                    **placed("http://127.0.0.1:9001", 1, 0),
                },
                {
                    "url": "unix:/run/app.sock",
                    "family": "unix",
                    "path": "/run/app.sock",
                    **placed("unix:/run/app.sock", 1, 0),
                },
                {
                    "url": "http://name.internal:80",
                    "family": "tcp",
                    "host": "name.internal",
                    "port": 80,
                    **placed("http://name.internal:80", 3, 1),
                },
            ],
            "timeouts": {
                "connect_ms": 50,
                "response_ms": 6000,
                "between_bytes_ms": 7000,
                "total_ms": 0,
            },
            "pool": {
                "idle": 1,
                "connections": 2,
                "queue": 3,
                "queue_timeout_ms": 4,
                "idle_timeout_ms": 5,
                "lifetime_ms": 6,
            },
            "balance": {"by": "hash", "key": "header", "name": "X-User"},
            "sticky": "at",
            "eject": {
                "faults": 5,
                "back_off_ms": 1000,
                "max_back_off_ms": 60000,
                "statuses": [500, 503],
            },
            "retries": {
                "attempts": 2,
                "on": ["reset"],
                "statuses": [502, 503],
                "budget": 1250,
                "floor": 3,
            },
            "replay_body": 1024,
        }
    ],
    "expressions": {},
    "routes": [
        {
            "name": "api",
            "match": {"path": "/v1/*"},
            "upstream": "api",
            "timeouts": {
                "connect_ms": 50,
                "response_ms": 1000,
                "between_bytes_ms": 7000,
                "total_ms": 60000,
            },
            "middleware": [
                {
                    "filter": "headers",
                    "request": {"set": [["X-A", "b"]], "add": [["X-B", "c"]], "remove": ["X-C"]},
                    "response": {"set": [], "add": [], "remove": ["Server"]},
                },
                {"filter": "ip", "allow": ["10.0.0.0/8"], "deny": ["10.1.0.0/16"]},
                {"filter": "body_limit", "max_bytes": 10485760},
            ],
        },
        {
            "name": "r2",
            "bill_name": "/hello",
            "match": {"path": "/hello"},
            "upstream": None,
            "timeouts": None,
            "middleware": [
                {
                    "filter": "respond",
                    "status": 201,
                    "headers": [["Content-Type", "text/html"], ["X-D", "e"]],
                    "body": "hé",
                }
            ],
        },
        {
            "name": "r3",
            "bill_name": "/old",
            "match": {"path": "/old"},
            "upstream": None,
            "timeouts": None,
            "middleware": [
                {"filter": "redirect", "status": 301, "location": "https://example.com/"}
            ],
        },
        {
            "name": "r4",
            "bill_name": "/gone",
            "match": {"path": "/gone"},
            "upstream": None,
            "timeouts": None,
            "middleware": [{"filter": "respond", "status": 204, "headers": [], "body": ""}],
        },
        {
            "name": "r5",
            "bill_name": "/*",
            "match": {"path": "/*"},
            "upstream": None,
            "timeouts": None,
            "middleware": [{"filter": "echo"}],
        },
    ],
}


def config_of(text: str) -> Config:
    return parse_config(text, "pygw.yaml", Sources({}))


def plan_of(text: str) -> dict[str, Any]:
    return build_plan(config_of(text), 7, "pygw-1a2b3c")


def test_every_setting_reaches_the_plan() -> None:
    assert plan_of(FULL) == FULL_PLAN


def test_defaults_are_filled_in() -> None:
    plan = plan_of(SMALLEST)
    assert plan["via"] == "pygw-1a2b3c"
    assert plan["forwarded"] is False
    assert plan["trusted_proxies"] == []
    assert plan["access_log"] == {"format": "combined"}
    assert plan["timeouts"] == {
        "client_head_ms": 10000,
        "client_body_ms": 30000,
        "keepalive_ms": 75000,
        "slow_reader_ms": 30000,
        "connect_ms": 2000,
        "response_ms": 60000,
        "between_bytes_ms": 60000,
        "total_ms": 0,
    }
    assert plan["limits"] == {
        "max_connections": 4000,
        "request_line": 8192,
        "head": 32768,
        "headers": 100,
        "keepalive_requests": 0,
        "malformed": 20,
        "malformed_window_ms": 60000,
    }
    assert plan["listeners"] == [{"name": "l1", "half_close": "abort"}]
    upstream = plan["upstreams"][0]
    assert upstream["pool"] == {
        "idle": 512,
        "connections": 1024,
        "queue": 1024,
        "queue_timeout_ms": 5000,
        "idle_timeout_ms": 60000,
        "lifetime_ms": 3600000,
    }
    assert upstream["retries"] == {
        "attempts": 1,
        "on": ["connect_failure", "reset"],
        "statuses": [],
        "budget": 2000,
        "floor": 10,
    }
    assert upstream["eject"] == {
        "faults": 3,
        "back_off_ms": 250,
        "max_back_off_ms": 10000,
        "statuses": [],
    }
    assert upstream["balance"] == {"by": "round_robin", "key": None, "name": None}
    assert upstream["sticky"] is None
    assert upstream["replay_body"] == 65536
    side = {"connect_ms": 2000, "response_ms": 60000, "between_bytes_ms": 60000, "total_ms": 0}
    assert upstream["timeouts"] == plan["routes"][0]["timeouts"] == side


def test_timeouts_resolve_global_then_upstream_then_route() -> None:
    text = """
timeouts: {connect: 1s, response: 1s, between_bytes: 1s, total: 1s}
listeners: [{bind: "127.0.0.1:0"}]
upstreams:
  api: {targets: ["http://a"], timeouts: {response: 2s, between_bytes: 2s, total: off}}
routes:
- {match: {path: /a}, upstream: api, timeouts: {between_bytes: 3s}}
- {match: {path: /b}, upstream: api}
- {match: {path: /c}, middleware: [{echo: {}}], timeouts: {connect: 4s}}
- {match: {path: /d}, middleware: [{echo: {}}]}
"""
    order = ("connect_ms", "response_ms", "between_bytes_ms", "total_ms")
    found = [
        None if route["timeouts"] is None else tuple(route["timeouts"][name] for name in order)
        for route in plan_of(text)["routes"]
    ]
    assert found == [(1000, 2000, 3000, 0), (1000, 2000, 2000, 0), (4000, 1000, 1000, 1000), None]


def test_access_log_that_is_off_is_null() -> None:
    assert plan_of(SMALLEST + "access_log: off\n")["access_log"] is None


def test_serialised_plan_is_utf8_json_that_reads_back() -> None:
    plan = plan_of(FULL)
    data = serialise_plan(plan)
    assert json.loads(data) == plan
    assert "hé".encode() in data


def test_pseudonyms_of_two_instances_differ() -> None:
    names = {new_pseudonym() for _ in range(8)}
    assert len(names) == 8
    assert all(re.fullmatch(r"pygw-[0-9a-f]{6}", name) for name in names)


def test_get_brings_head_and_cors_brings_preflights() -> None:
    cors = {"cors": {"origins": ["*"]}}

    def asked(match: dict[str, Any], *filters: Any) -> tuple[Any, Any]:
        route = {"match": match, "middleware": [*filters, {"echo": {}}]}
        text = {"listeners": [{"bind": "127.0.0.1:8080"}], "routes": [route]}
        made = plan_of(json.dumps(text))["routes"][0]["match"]
        return made.get("methods"), made.get("preflight")

    assert asked({"methods": ["POST", "GET"]}) == (["POST", "GET", "HEAD"], None)
    assert asked({"methods": ["HEAD", "GET"]}, cors) == (["HEAD", "GET"], True)
    assert asked({"methods": ["POST"]}, cors) == (["POST"], True)
    assert asked({"path": "/a"}, cors) == (None, None)


def test_a_predicate_reaches_the_plan_in_its_normal_form() -> None:
    plan = plan_of(
        """
listeners: [bind: 127.0.0.1:80]
routes:
- match:
    host: [API.example.com., "*.Example.org", "[2001:DB8:0::1]"]
    path: "/%7eme/{id:int}/{x:[a-z]{2}}/{rest*}"
    methods: [GET, QUERY]
    headers: {X-Canary: "1", X-Any: {present: true}, X-No: {present: false}}
    query: {v: {regex: "[0-9]+"}}
    client: [10.0.0.0/8]
  middleware: [echo: {}]
- middleware: [echo: {}]
  match: {host: a}
"""
    )
    assert plan["routes"][0]["match"] == {
        "hosts": ["api.example.com", "*.example.org", "[2001:db8::1]"],
        "path": "/~me/{id:int}/{x:[a-z]{2}}/{rest*}",
        "methods": ["GET", "HEAD", "QUERY"],
        "headers": [
            {"name": "x-canary", "value": "1"},
            {"name": "x-any", "present": True},
            {"name": "x-no", "present": False},
        ],
        "query": [{"name": "v", "expression": "[0-9]+"}],
        "client": ["10.0.0.0/8"],
    }
    assert plan["routes"][1]["match"] == {"path": "/*", "hosts": ["a"]}
    assert list(plan["expressions"]) == ["[a-z]{2}", "[0-9]+"]
    Matcher(serialise_plan(plan))
