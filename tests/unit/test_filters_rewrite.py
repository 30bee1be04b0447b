"""The filters that change where a request goes: `rewrite`, `prefix`, `query`.

Params come from a filter for tests, which gives what no router would, too.
"""

from __future__ import annotations

import itertools
import random
import re
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from pygw._core.probe.filters import PlanError
from pygw._core.probe.test_params import __name__ as _registered

from tests.peers.wire import Message
from tests.unit.memory import OK, Gate, plan_of, serving
from tests.unit.plans import through

Json = dict[str, Any]
TEMPLATE_PIECES = 32  # of pygw/_core/limits.pxd
TEMPLATE_MAX = 8192
QUERY_EDITS = 64
QUERY_MAX = 65536

assert _registered


def rewrite(path: Any = None, query: Any = None) -> Json:
    """The filter `rewrite`."""
    return {"filter": "rewrite", "path": path, "query": query}


def prefix(strip: str = "", add: str = "") -> Json:
    """The filter `prefix`."""
    return {"filter": "prefix", "strip": strip, "add": add}


def query(**changes: Any) -> Json:
    """The filter `query`."""
    none: Json = {"keep": None, "remove": [], "rename": [], "set": [], "add": []}
    return {"filter": "query"} | none | changes


def params(*values: str) -> Json:
    """Params for the templates behind it."""
    return {"filter": "test_params", "values": list(values)}


def ask(gate: Gate, target: bytes, *fields: bytes, method: bytes = b"GET") -> tuple[int, Any]:
    """The status, and the request that reached the service (None: none did)."""
    before = sum(len(one.requests()) for one in gate.origins)
    lines = [method + b" " + target + b" HTTP/1.1", b"Host: a.test:81", *fields]
    client = gate.client(b"\r\n".join(lines) + b"\r\n\r\n")
    asked: Message | None = None
    for one in gate.origins:
        if one.owed:
            asked = one.requests()[-1]
            one.send(OK)
    after = sum(len(one.requests()) for one in gate.origins)
    assert (after - before == 1) == (asked is not None)
    (answer,) = client.answers()
    return answer.status, asked


def target_of(filters: list[Json], target: bytes, *fields: bytes) -> bytes | int:
    """The target that reached the service, or the status without one."""
    with serving(*filters) as gate:
        status, asked = ask(gate, target, *fields)
        return status if asked is None else asked.target


VALUES = [
    (["/v2/", ["param", 0]], b"/v2/7"),
    (["/", ["param", 1], "/", ["param", 0]], b"/a%20b/7"),
    (["/x", ["path"]], b"/x/old/7"),
    (["/", ["pair", "q"]], b"/a%20%26b"),
    (["/", ["pair", "none"], "x"], b"/x"),
    (["/", ["header", "x-team"]], b"/caf%C3%A9%3F%25"),
    (["/", ["header", "none"], "x"], b"/x"),
    (["/", ["cookie", "sid"]], b"/s%3D1"),
    (["/", ["cookie", "SID"], "x"], b"/x"),
    (["/", ["host"]], b"/a.test"),
    (["/", ["authority"]], b"/a.test%3A81"),
    (["/", ["method"]], b"/GET"),
    (["/", ["scheme"]], b"/http"),
    (["/", ["client_ip"]], b"/192.0.2.1"),
    (["/", ["status"], "x"], b"/x"),
    (["/", ["param", 9], "x"], b"/x"),
]


@pytest.mark.parametrize(("template", "expected"), VALUES)
def test_each_value_stands_in_a_path_as_one(template: list[Any], expected: bytes) -> None:
    filters = [params("7", "a%20b"), rewrite(template, ["k=v"])]
    fields = (b"X-Team: caf\xc3\xa9?%", b"Cookie: x=0; sid=s=1; sid=2")
    assert target_of(filters, b"/old/7?q=a+%26b&q=2", *fields) == expected + b"?k=v"


def test_request_id_stands_in_a_path() -> None:
    with serving(rewrite(["/", ["request_id"]])) as gate:
        _, asked = ask(gate, b"/")
        assert asked.target == b"/" + asked.one("X-Request-ID")


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (["id=", ["param", 0]], b"/p?id=a%26b%3Dc%2Bd/e%20f"),
        ([["query"], "&x=1"], b"/p?q=%26&r=a+b&x=1"),
        (["q=", ["pair", "q"], "&s=", ["pair", "r"]], b"/p?q=%26&s=a+b"),
        (["t=", ["header", "X-Team"]], b"/p?t=a%26b%20%2B%2F%25"),
        ([], b"/p"),
        (["a", ["pair", "none"]], b"/p?a"),
    ],
)
def test_values_stand_in_a_query_as_one(template: list[Any], expected: bytes) -> None:
    filters = [params("a&b=c+d/e%20f"), rewrite(query=template)]
    assert target_of(filters, b"/p?q=%26&r=a+b", b"X-Team: a&b +/%") == expected


def test_path_alone_keeps_the_query_even_an_empty_one() -> None:
    assert target_of([rewrite(["/n"])], b"/o?a=%zz") == b"/n?a=%zz"
    assert target_of([rewrite(["/n"])], b"/o?") == b"/n?"
    assert target_of([rewrite(["/n"])], b"/o") == b"/n"
    assert target_of([rewrite(["/n"], [])], b"/o?") == b"/n"


def test_the_server_as_a_whole_has_no_path_to_rewrite() -> None:
    with serving(rewrite(["/n"], ["q"]), prefix("/a", "/b"), query(add=[["a", "1"]])) as gate:
        status, asked = ask(gate, b"*", method=b"OPTIONS")
        assert (status, asked.target) == (200, b"*")


def test_an_absolute_target_is_rewritten_like_any_other() -> None:
    assert target_of([rewrite(["/n", ["path"]])], b"http://a.test:81/o?x=1") == b"/n/o?x=1"


@pytest.mark.parametrize(
    "value",
    ["..", ".", "%2e%2E", ".%2e", "..;x", "%2e;", "a/../b", "a%2f..", "..%2fa", "a%5c..%5cb",
     "%00", "a/.", "a/..;/b"],
)  # fmt: skip
def test_a_param_that_would_move_the_path_is_refused(value: str) -> None:
    filters = [params(value), rewrite(["/v2/", ["param", 0], "/x"])]
    assert target_of(filters, b"/") == 400


@pytest.mark.parametrize("value", [b"a/b", b"a%2Fb", b"a%5cb", b"%00", b"..", b"%2e%2e"])
def test_a_pair_can_not_be_more_than_one_segment(value: bytes) -> None:
    filters = [rewrite(["/v2/", ["pair", "q"], "/x"])]
    assert target_of(filters, b"/?q=" + value) == 400


@pytest.mark.parametrize("value", [b"a/b", b"a\\b", b".."])
def test_a_field_can_not_be_more_than_one_segment(value: bytes) -> None:
    filters = [rewrite(["/v2/", ["header", "X-A"], "/x"])]
    assert target_of(filters, b"/", b"X-A: " + value) == 400


def test_empty_values_leave_no_empty_segments() -> None:
    filters = [params(""), rewrite(["/a/", ["param", 0], "/b//c/"])]
    assert target_of(filters, b"/") == b"/a/b/c/"


def lenient(path: bytes) -> list[bytes]:
    """The segments that a forgiving origin sees: decoded, parameters cut off, both slashes."""
    whole = unquote_to_bytes(path).replace(b"\\", b"/")
    return [part.partition(b";")[0] for part in whole.split(b"/")]


PIECES = [
    "a", ".", "..", "/", "%2f", "%2F", "%5c", "%2e", ";", "%", "%zz", "?", "#", "%20", "é",
    "%C3%A9", "+", "&", "=", "\\", "%25", "%252e", "%00", "//", ":", "@", "~", "\t",
]  # fmt: skip


@pytest.mark.parametrize("source", [["param", 0], ["header", "X-A"], ["pair", "q"]])
def test_no_value_moves_splits_or_ends_a_path(source: list[Any]) -> None:
    """Property: whatever a value is, the path keeps its frame or the request is refused."""
    pick = random.Random(7)
    texts = ["".join(p) for p in itertools.product(PIECES, repeat=2)]
    texts += ["".join(pick.choices(PIECES, k=pick.randint(3, 8))) for _ in range(400)]
    passed = 0
    for text in texts:
        raw = text.encode()
        given = [params(text)] if source[0] == "param" else []
        filters = [*given, rewrite(["/f/", source, "/g"], [])]
        fields = [b"X-A: " + raw] if source[0] == "header" else []
        asked = b"/?q=" + raw if source[0] == "pair" else b"/"
        got = target_of(filters, asked, *fields)
        if isinstance(got, int):
            assert got == 400, text
            continue
        passed += 1
        assert re.fullmatch(rb"/f/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*", got), text
        assert got.endswith(b"/g"), text
        assert b"//" not in got, text
        segments = lenient(got)
        assert b"." not in segments and b".." not in segments, text
        if source[0] != "param":
            assert len(segments) == (4 if got != b"/f/g" else 3), text
    assert passed > 50


@pytest.mark.parametrize(
    ("filters", "asked", "expected"),
    [
        (prefix("/api"), b"/api/x", b"/x"),
        (prefix("/api"), b"/api", b"/"),
        (prefix("/api"), b"/api/", b"/"),
        (prefix("/api"), b"/api?a=1", b"/?a=1"),
        (prefix("/api"), b"/apis/x", b"/apis/x"),
        (prefix("/api"), b"/x/api", b"/x/api"),
        (prefix("/api"), b"/API/x", b"/API/x"),
        (prefix("/api"), b"/%61pi/x%2Fy", b"/x%2Fy"),
        (prefix("/a%2Fb"), b"/a%2fb/c", b"/c"),
        (prefix("/api"), b"/api//evil.test/x", b"/evil.test/x"),
        (prefix("/api"), b"/api/a|b;c=1", b"/a|b;c=1"),
        (prefix(add="/v1"), b"/x", b"/v1/x"),
        (prefix(add="/v1"), b"/", b"/v1/"),
        (prefix("/api", "/v1"), b"/api/x?y", b"/v1/x?y"),
        (prefix("/api", "/v1"), b"/other", b"/v1/other"),
    ],
)
def test_prefixes_come_off_and_on_by_whole_segments(
    filters: Json, asked: bytes, expected: bytes
) -> None:
    assert target_of([filters], asked) == expected


def test_what_is_left_behind_a_prefix_must_be_clean() -> None:
    """The route is that of every path, so that the router lets these by."""
    for path in (b"/api/../x", b"/api/%2e%2e/x", b"/api/a/..;/x"):
        assert target_of([prefix("/api")], path) in (400, 404)


def test_a_path_that_was_not_edited_leaves_as_it_came() -> None:
    assert target_of([prefix("/api")], b"/%41//b?c#"[:-1]) == b"/%41//b?c"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, b"a=1&b=2&a=%33&c&=&d="),
        ({"remove": ["a"]}, b"b=2&c&=&d="),
        ({"remove": ["a", "b", "c", "d"]}, b"="),
        ({"keep": ["a", "c"]}, b"a=1&a=%33&c"),
        ({"keep": []}, b""),
        ({"rename": [["a", "x y"], ["c", "e"]]}, b"x%20y=1&b=2&x%20y=%33&e&=&d="),
        ({"set": [["a", "n&1"]]}, b"b=2&c&=&d=&a=n%261"),
        ({"add": [["a", "n"], ["z", ["v", ["method"]]]]}, b"a=1&b=2&a=%33&c&=&d=&a=n&z=vGET"),
        ({"remove": ["a"], "rename": [["b", "a"]]}, b"a=2&c&=&d="),
        ({"rename": [["b", "a"]], "set": [["a", "9"]]}, b"c&=&d=&a=9"),
        ({"set": [["b", ["<", ["pair", "b"], "-", ["pair", "a"]]]]},
         b"a=1&a=%33&c&=&d=&b=<2-1"),
        ({"keep": ["a"], "add": [["k", ""]]}, b"a=1&a=%33&k="),
    ],
)  # fmt: skip
def test_pairs_are_kept_removed_renamed_set_and_added(changes: Json, expected: bytes) -> None:
    got = target_of([query(**changes)], b"/p?a=1&b=2&a=%33&c&=&d=")
    assert got == (b"/p?" + expected if expected else b"/p")


def test_names_of_pairs_are_compared_decoded() -> None:
    edit = query(remove=["a b", "é", "x&y"])
    assert target_of([edit], b"/?a+b=1&a%20b=2&%C3%a9=3&x%26y=4&A+b=5&%zz=6") == b"/?A+b=5&%zz=6"


def test_a_query_of_which_nothing_was_to_change_leaves_as_it_came() -> None:
    assert target_of([query(remove=["x"])], b"/?a&&b&") == b"/?a&&b&"
    assert target_of([query(remove=["x"])], b"/?") == b"/?"
    assert target_of([query(remove=["x"])], b"/") == b"/"


def test_edits_follow_one_another() -> None:
    filters = [prefix("/api"), prefix(add="/v1"), query(set=[["p", [["path"]]]]),
               rewrite(["/r", ["path"]])]  # fmt: skip
    assert target_of(filters, b"/api/x") == b"/r/v1/x?p=/v1/x"


def test_the_log_still_tells_what_was_asked() -> None:
    with serving(rewrite(["/new"], ["x"])) as gate:
        ask(gate, b"/old?y")
        assert '"target":"/old?y"' in gate.worker.lines[0].decode().replace('": "', '":"')


def test_a_further_attempt_asks_for_the_edited_target() -> None:
    with serving(rewrite(["/new"])) as gate:
        client = gate.client(b"GET /first HTTP/1.1\r\nHost: a\r\n\r\n")
        gate.origin.send(OK)
        client.send(b"GET /old HTTP/1.1\r\nHost: a\r\n\r\n")
        first = gate.origins[0]
        assert first.requests()[-1].target == b"/new"
        first.reset()
        second = gate.origins[-1]
        assert second is not first
        assert second.request.target == b"/new"
        second.send(OK)
        assert client.statuses == [200, 200]
        for one in gate.origins:
            one.cut_allowed = True


def test_what_a_template_gives_is_bounded() -> None:
    longest = b"a" * (TEMPLATE_MAX - 1)
    with serving(rewrite(["/", ["header", "X-A"]]), limits={"head": 262144}) as gate:
        assert ask(gate, b"/", b"X-A: " + longest)[0] == 200
        assert ask(gate, b"/", b"X-A: a" + longest)[0] == 414
        assert ask(gate, b"/", b"X-A: " + b"%" * (TEMPLATE_MAX // 3 + 1))[0] == 414


def test_an_edited_query_is_bounded() -> None:
    limits = {"head": 262144, "request_line": 131072}
    with serving(query(add=[["a", "1"]]), limits=limits) as gate:
        assert ask(gate, b"/?" + b"b" * (QUERY_MAX - 4))[0] == 200
        assert ask(gate, b"/?" + b"b" * (QUERY_MAX - 3))[0] == 414


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (rewrite(), "needs path or query"),
        (rewrite("/x"), "path: must be a list of texts and values"),
        (rewrite([["nope"]]), "path[0]: must be text or one of param, path, query"),
        (rewrite([["param"]]), "path[0]: must be param and its place in the path"),
        (rewrite([["param", "id"]]), "path[0]: must be param and its place in the path"),
        (rewrite([["header"]]), "path[0]: must be a list of source and name"),
        (rewrite([["header", "a b"]]), "path[0]: not a name"),
        (rewrite([["host", "x"]]), "path[0]: host has no name"),
        (rewrite(["/a?b"]), "path[0]: a path has no ?, # and \\"),
        (rewrite(["/a b"]), "path[0]: must be printable ASCII"),
        (rewrite(query=["a#"]), "query[0]: a query has no # and \\"),
        (rewrite(["/"] * (TEMPLATE_PIECES + 1)), "path: has more than 32 pieces"),
        (prefix(), "needs strip or add"),
        (prefix("api"), "strip: must be a normal path"),
        (prefix("/api/"), "strip: must be a normal path"),
        (prefix("/a/../b"), "strip: must be a normal path"),
        (prefix("/a//b"), "strip: must be a normal path"),
        (prefix("/%2e."), "strip: must be a normal path"),
        (prefix(add="/"), "add: must be a normal path"),
        (query(remove=[""]), "remove[0]: a name is not empty"),
        (query(set=[["a"]]), "set[0]: must be a list of two"),
        (query(set=[["a", 1]]), "set[0][1]: must be a list of texts"),
        (query(rename=[["a", ""]]), "rename[0][1]: a name is not empty"),
        (query(remove=["a"] * (QUERY_EDITS + 1)), "has more than 64 edits"),
    ],
)
def test_a_bad_edit_of_the_target_is_refused(entry: Json, message: str) -> None:
    with pytest.raises(PlanError) as caught:
        through(entry)
    assert str(caught.value).startswith("routes[0].middleware[0]")
    assert message in str(caught.value)


def routed(path: str, *filters: Json) -> Json:
    """A plan whose one route has this path, with names in it."""
    plan = plan_of(*filters)
    plan["routes"][0]["match"] = {"path": path}
    return plan


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (b"/users/7/a/b?q", b"/v2/7/files/a/b?q"),
        (b"/users/j%C3%B6/a%2Cb", b"/v2/j%C3%B6/files/a%2Cb"),
        (b"/users/a;x/b", b"/v2/a;x/files/b"),
        (b"/users/%41/", b"/v2/A/files/"),
    ],
)
def test_names_of_the_routes_path_stand_in_a_path(asked: bytes, expected: bytes) -> None:
    gate = Gate(
        routed("/users/{id}/{rest*}", rewrite(["/v2/", ["param", 0], "/files/", ["param", 1]]))
    )
    status, request = ask(gate, asked)
    gate.judge()
    assert (status, request.target) == (200, expected)
