"""Templates in header fields, redirects and answers; renames, defaults; answers that wait."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from pygw._core.probe.filters import PlanError
from pygw._core.probe.test_params import __name__ as _registered

from tests.unit.memory import GET, ok, serving, upstream
from tests.unit.plans import edits, through

from .test_filters_rewrite import ask, params

Json = dict[str, Any]
TEMPLATE_MAX = 8192  # of pygw/_core/limits.pxd
TEMPLATE_BODY_MAX = 262144
DELAY_MAX_MS = 60000

assert _registered


def headers(request: Json | None = None, response: Json | None = None) -> Json:
    """The filter `headers`."""
    return {"filter": "headers", "request": request or edits(), "response": response or edits()}


def respond(body: Any = "", **changes: Any) -> Json:
    """The filter `respond`."""
    return {"filter": "respond", "status": 200, "headers": [], "body": body} | changes


def redirect(origin: Any = (), path: Any = (), query: Any = None, **changes: Any) -> Json:
    """The filter `redirect`, by templates."""
    to = {"origin": list(origin), "path": list(path), "query": query, "fragment": ""}
    return {"filter": "redirect", "status": 302, "to": to | {"keep_query": False} | changes}


def answer(filters: list[Json], target: bytes = b"/", *fields: bytes) -> Any:
    """The answer of filters that answer themselves."""
    with serving(*filters) as gate:
        lines = [b"GET " + target + b" HTTP/1.1", b"Host: a.test:81", *fields]
        return gate.client(b"\r\n".join(lines) + b"\r\n\r\n").answer


def location(filters: list[Json], target: bytes = b"/", *fields: bytes) -> bytes | int:
    """Where a redirect leads, or the status of a refusal."""
    got = answer(filters, target, *fields)
    return got.one("Location") if got.status == 302 else got.status


def test_values_stand_in_fields_of_both_heads() -> None:
    edit = headers(
        edits(set=[["X-A", ["<", ["header", "x-b"], "> ", ["client_ip"]]]]),
        edits(add=[["X-S", [["status"], " ", ["method"], " ", ["asked"], " ", ["param", 0]]]]),
    )
    with serving(params("p%20q"), edit) as gate:
        client = gate.client(
            b"GET /x?y=1 HTTP/1.1\r\nHost: a\r\nX-B: caf\xc3\xa9\r\nX-A: old\r\n\r\n"
        )
        assert gate.origin.request.all("X-A") == [b"<caf\xc3\xa9> 192.0.2.1"]
        gate.origin.send(ok(b"", b"X-S: up"))
        assert client.answer.all("X-S") == [b"up", b"200 GET /x?y=1 p%20q"]


def test_the_target_as_it_was_asked_outlives_edits_and_an_absolute_form() -> None:
    edit = headers(edits(set=[["X-A", [["asked"]]], ["X-P", [["path"]]]]))
    for target in (b"/a?b", b"http://a.test:81/a?b"):
        with serving({"filter": "prefix", "strip": "", "add": "/v"}, edit) as gate:
            _, asked = ask(gate, target)
            assert (asked.one("X-A"), asked.one("X-P")) == (b"/a?b", b"/v/a")


def test_a_template_that_gives_nothing_gives_no_field() -> None:
    edit = edits(set=[["X-A", [["header", "none"]]], ["X-C", ["", ["header", "X-B"]]]])
    with serving(headers(edit)) as gate:
        _, asked = ask(gate, b"/", b"X-A: old", b"X-B: ")
        assert asked.all("X-A") == asked.all("X-C") == []


def test_control_bytes_and_outer_blanks_never_reach_a_field() -> None:
    edit = headers(edits(set=[["X-A", ["[", ["param", 0], "]"]], ["X-B", [["param", 1]]]]))
    with serving(params("a\r\nEvil: 1\x00\x7f\tb", " \t c "), edit) as gate:
        _, asked = ask(gate, b"/")
        assert asked.one("X-A") == b"[aEvil: 1\tb]"
        assert asked.one("X-B") == b"c"
        assert asked.all("Evil") == []


def test_a_field_that_a_template_makes_too_long_is_refused() -> None:
    edit = headers(edits(set=[["X-A", [["header", "X-B"], ["header", "X-B"]]]]))
    with serving(edit) as gate:
        assert ask(gate, b"/", b"X-B: " + b"x" * (TEMPLATE_MAX // 2))[0] == 200
        assert ask(gate, b"/", b"X-B: x" + b"x" * (TEMPLATE_MAX // 2))[0] == 431


def test_default_adds_only_what_is_not_there() -> None:
    edit = edits(add=[["X-C", "3"]]) | {
        "default": [["X-A", "1"], ["x-b", [["method"]]], ["X-C", "2"]],
        "rename": [],
    }
    with serving(headers(edit)) as gate:
        _, asked = ask(gate, b"/", b"x-a: came")
        assert asked.all("X-A") == [b"came"]
        assert asked.all("X-B") == [b"GET"]
        assert asked.all("X-C") == [b"2", b"3"]


def test_rename_moves_every_field_and_takes_the_place_of_those_of_the_new_name() -> None:
    edit = edits(remove=["X-Gone"]) | {
        "rename": [["X-Old", "X-New"], ["X-Gone", "X-Kept"], ["User-Agent", "X-Agent"]],
        "default": [],
    }
    fields = (
        b"X-New: theirs",
        b"x-old: 1",
        b"X-OLD: 2",
        b"X-Kept: k",
        b"X-Gone: g",
        b"User-Agent: u",
    )
    with serving(headers(edit)) as gate:
        _, asked = ask(gate, b"/", *fields)
        assert asked.all("X-New") == [b"1", b"2"]
        assert asked.all("X-Old") == asked.all("X-Gone") == asked.all("User-Agent") == []
        assert asked.all("X-Kept") == [b"k"]
        assert asked.all("X-Agent") == [b"u"]


def test_rename_of_many_fields_outgrows_the_inline_list() -> None:
    edit = edits() | {"rename": [["A", "B"]]}
    with serving(headers(edit)) as gate:
        _, asked = ask(gate, b"/", *[b"A: %d" % i for i in range(60)])
        assert asked.all("B") == [b"%d" % i for i in range(60)]


def test_rename_to_the_same_name_changes_nothing() -> None:
    with serving(headers(edits() | {"rename": [["X-A", "x-a"]]})) as gate:
        _, asked = ask(gate, b"/", b"X-A: 1")
        assert asked.all("X-A") == [b"1"]


def test_rename_of_a_secret_keeps_it_out_of_an_echo() -> None:
    edit = edits() | {"rename": [["Authorization", "X-Token"]]}
    assert (
        b"X-Token: ***"
        in answer([headers(edit), {"filter": "echo"}], b"/", b"Authorization: s").body
    )


@pytest.mark.parametrize(
    ("filters", "target", "expected"),
    [
        ([redirect(["https://", ["host"]], [["path"]])], b"/a%20b?x", b"https://a.test/a%20b"),
        ([redirect(["https://", ["authority"]])], b"/x", b"https://a.test:81/"),
        ([redirect([["scheme"], "://b.test"], ["/new/", ["param", 0]])], b"/",
         b"http://b.test/new/r/s"),
        ([redirect(["https://", ["param", 1], ".test"])], b"/", b"https://tenant.test/"),
        ([redirect((), ["/n", ["path"]], keep_query=True)], b"/o?a=1&b", b"/n/o?a=1&b"),
        ([redirect((), ["/n"], ["x=", ["pair", "a"]], keep_query=True)], b"/?a=%2B",
         b"/n?x=%2B&a=%2B"),
        ([redirect((), ["/n"], ["x"])], b"/?a", b"/n?x"),
        ([redirect((), ["/n"], [], keep_query=True)], b"/", b"/n"),
        ([redirect((), ["/n"], fragment="top")], b"/?a", b"/n#top"),
        ([redirect((), [["path"]])], b"//evil.test/x", b"/evil.test/x"),
        ([redirect((), ["/", ["param", 2]])], b"/", b"/evil.test"),
    ],
)  # fmt: skip
def test_a_redirect_leads_where_its_template_says(
    filters: list[Json], target: bytes, expected: bytes
) -> None:
    values = params("r/s", "tenant", "/evil.test")
    assert location([values, *filters], target) == expected


@pytest.mark.parametrize(
    "value", ["evil.test/", "evil.test#", "a@evil", "a:1", "", "x%2e", "a b", "\\", "é"]
)
def test_a_name_of_the_path_can_not_be_more_than_part_of_a_host(value: str) -> None:
    got = location([params(value), redirect(["https://", ["param", 0]])])
    assert got == 400


@pytest.mark.parametrize("path", ["/../x", "/%2e%2e/", "/a/..;/", "\\evil.test"])
def test_a_redirect_to_a_path_that_could_be_read_twice_is_refused(path: str) -> None:
    got = location([params(path), redirect((), ["/a", ["param", 0], "/b"])])
    assert got == (b"/a%5Cevil.test/b" if path[0] == "\\" else 400)


def test_a_request_without_a_host_is_led_nowhere() -> None:
    with serving(redirect(["https://", ["host"]])) as gate:
        assert gate.client(b"GET / HTTP/1.0\r\n\r\n").answer.status == 400


@pytest.mark.parametrize(
    ("escape", "expected"),
    [
        ("text", b"v=<a>\"\\&'"),
        ("json", b"v=<a>\\u0022\\u005C&'"),
        ("markup", b"v=&#60;a&#62;&#34;\\&#38;&#39;"),
    ],
)
def test_values_in_a_body_are_escaped_for_its_type(escape: str, expected: bytes) -> None:
    filters = [respond(["v=", ["header", "X-A"]], escape=escape)]
    assert answer(filters, b"/", b"X-A: <a>\"\\&'").body == expected


def test_a_body_made_by_a_template_is_bounded() -> None:
    with serving(
        params("x" * 60000),
        respond([["param", 0], ["param", 0], ["param", 0], ["param", 0], "y" * 22144]),
    ) as gate:
        got = gate.client(GET).answer
        assert (got.status, len(got.body)) == (200, TEMPLATE_BODY_MAX)
    pieces = [["param", 0], ["param", 0], ["param", 0], ["param", 0], "y" * 22145]
    assert answer([params("x" * 60000), respond(pieces)]).status == 431


def test_a_body_of_bytes_leaves_as_it_is() -> None:
    raw = bytes(range(256))
    got = answer([respond(None, base64=base64.b64encode(raw).decode())])
    assert got.body == raw


def test_values_stand_in_the_fields_of_an_answer() -> None:
    got = answer([respond("x", headers=[["X-Id", [["request_id"]]], ["X-F", "fixed"]])])
    assert got.one("X-Id") == got.one("X-Request-ID")
    assert got.one("X-F") == b"fixed"


def test_an_answer_waits_for_its_time() -> None:
    with serving(respond("late", delay_ms=1000)) as gate:
        client = gate.client(GET + GET)
        gate.advance(900)
        assert client.answers() == []
        gate.advance(200)
        assert [one.body for one in client.answers()] == [b"late"]
        gate.advance(1100)
        assert client.statuses == [200, 200]


def test_a_client_may_leave_while_its_answer_waits() -> None:
    with serving(respond("late", delay_ms=DELAY_MAX_MS)) as gate:
        gone = gate.client(GET)
        gone.reset()
        assert gate.causes == ["client_reset"]
        gate.advance(DELAY_MAX_MS + 100)


def test_a_total_timeout_ends_a_waiting_answer() -> None:
    with serving(respond("x", delay_ms=1000), one=upstream(timeouts={"total_ms": 500})) as gate:
        client = gate.client(GET)
        gate.advance(600)
        assert (client.statuses, gate.causes) == ([504], ["total_timeout"])
        gate.advance(1000)


def test_an_answer_waits_with_a_body_on_its_way() -> None:
    with serving(respond("late", delay_ms=1000)) as gate:
        client = gate.client()
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 400000\r\n\r\n" + b"x" * 400000)
        gate.advance(1100)
        assert client.answers()[0].status == 200
        client.cut_allowed = True


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (headers(edits(set=[["A", [["nope"]]]])), "request.set[0][1][0]: must be text or one of"),
        (headers(edits(set=[["A", ["a\n"]]])), "request.set[0][1][0]: not a field value"),
        (headers(edits() | {"rename": [["A"]]}), "request.rename[0]: must be a list of two names"),
        (headers(edits() | {"rename": [["A", "TE"]]}), "request.rename[0][1]: the gateway writes"),
        (headers(edits() | {"rename": [["A", "Host"]]}), "request: a request has exactly one Host"),
        (
            headers(edits() | {"default": [["Host", "a"]]}),
            "request: a request has exactly one Host",
        ),
        (redirect(["https://", ["path"]]), "to.origin[1]: only param, host, authority and scheme"),
        (redirect((), ["/ x"]), "to.path[0]: must be printable ASCII"),
        (redirect(fragment="a b"), "to.fragment: must be printable ASCII"),
        (respond(["x"], status=204), "body: a response with status 204 has no body"),
        (respond(["x"], escape="html"), "escape: must be text, json or markup"),
        (respond("x", base64="eA=="), "base64: there is a body already"),
        (respond(None, base64="x"), "base64: must be base64"),
        (respond("x", delay_ms=DELAY_MAX_MS + 1), "delay_ms: must be from 0 to 60000"),
    ],
)
def test_a_bad_template_is_refused_with_its_place(entry: Json, message: str) -> None:
    with pytest.raises(PlanError) as caught:
        through(entry)
    assert str(caught.value).startswith(f"routes[0].middleware[0].{message}")
