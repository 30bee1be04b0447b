"""The filter `headers`: set, add and remove in both heads, and what may not be touched."""

from __future__ import annotations

from typing import Any

import pytest
from pygw._core.probe.filters import PlanError

from .plans import edits, through

FIELD_NAME_MAX = 255  # of pygw/_core/limits.pxd
HEADERS_MAX = 256
Pairs = list[tuple[bytes, bytes]]


def headers(request: Any = None, response: Any = None) -> dict[str, Any]:
    """The filter with these edits."""
    return {
        "filter": "headers",
        "request": request or edits(),
        "response": response or edits(),
    }


def sent(request: Any, given: Pairs) -> Pairs:
    """The fields that reach the service, but for those the gateway adds itself."""
    run = through(headers(request=request))
    run.begin(headers=given)
    ours = (b"x-forwarded", b"via", b"x-request-id", b"traceparent")
    lines = [line.partition(b": ") for line in run.up.head[1:]]
    return [(n, v) for n, _, v in lines if not n.lower().startswith(ours)]


def returned(response: Any, given: Pairs) -> Pairs:
    """The fields that reach the client, but for Date and X-Request-ID."""
    run = through(headers(response=response))
    run.begin()
    run.answer(200, given)
    run.answer_end()
    assert run.done
    lines = [line.partition(b": ") for line in run.down.head[1:]]
    return [(n, v) for n, _, v in lines if n not in (b"Date", b"X-Request-ID")]


@pytest.mark.parametrize("side", [sent, returned])
class TestBothSides:
    def test_add_leaves_what_is_there(self, side: Any) -> None:
        given = [(b"X-A", b"1"), (b"B", b"2")]
        assert side(edits(add=[["x-a", "3"]]), given) == [*given, (b"x-a", b"3")]

    def test_set_replaces_every_field_of_the_name_whatever_its_case(self, side: Any) -> None:
        given = [(b"X-A", b"1"), (b"B", b"2"), (b"x-a", b"4")]
        assert side(edits(set=[["x-A", "3"]]), given) == [(b"B", b"2"), (b"x-A", b"3")]

    def test_set_adds_what_was_not_there(self, side: Any) -> None:
        assert side(edits(set=[["X-A", "3"]]), []) == [(b"X-A", b"3")]

    def test_remove_takes_out_every_field_of_the_name(self, side: Any) -> None:
        given = [(b"X-A", b"1"), (b"B", b"2"), (b"x-a", b"4")]
        assert side(edits(remove=["X-a", "never-there"]), given) == [(b"B", b"2")]

    def test_a_known_name_is_found_as_well(self, side: Any) -> None:
        given = [(b"USER-agent", b"1"), (b"Accept", b"2")]
        assert side(edits(remove=["User-Agent"]), given) == [(b"Accept", b"2")]
        changed = side(edits(set=[["user-agent", "3"]]), given)
        assert changed == [(b"Accept", b"2"), (b"user-agent", b"3")]

    def test_removal_comes_first_then_set_then_add(self, side: Any) -> None:
        both = edits([["A", "set"]], [["A", "added"], ["B", "added"]], ["A", "B"])
        assert side(both, [(b"A", b"1"), (b"B", b"1")]) == [
            (b"A", b"set"),
            (b"A", b"added"),
            (b"B", b"added"),
        ]

    def test_a_value_may_be_empty_or_beyond_ascii(self, side: Any) -> None:
        assert side(edits(set=[["A", ""], ["B", "é"]]), []) == [(b"A", b""), (b"B", "é".encode())]

    def test_many_fields_outgrow_the_inline_list(self, side: Any) -> None:
        added = [[f"X-{i}", str(i)] for i in range(100)]
        given = [(f"Y-{i}".encode(), b"") for i in range(30)]
        expected = given + [(n.encode(), v.encode()) for n, v in added]
        assert side(edits(add=added), given) == expected

    def test_an_alias_of_a_forwarding_name_is_removed_alone(self, side: Any) -> None:
        given = [(b"X_Forwarded_Nope", b"1"), (b"Accept", b"2")]
        assert (b"Accept", b"2") in side(edits(remove=["X_Forwarded_For"]), given)


def test_a_list_that_is_full_ends_the_exchange_with_503() -> None:
    adds = headers(request=edits(add=[[f"X-{i}", ""] for i in range(256)]))
    run = through(*[adds] * 16)
    run.begin(headers=[(f"Y-{i}".encode(), b"") for i in range(100)])
    assert run.done
    assert (run.status, run.cause) == (503, "out_of_memory")
    assert run.live == {"buffers": 0, "slices": 0, "pins": 0, "timers": False}


def test_host_may_be_set_in_a_request() -> None:
    changed = sent(edits(set=[["host", "other.test"]]), [(b"Host", b"a.test"), (b"B", b"")])
    assert changed == [(b"B", b""), (b"host", b"other.test")]


def test_edits_of_one_side_leave_the_other_alone() -> None:
    run = through(headers(request=edits(add=[["X-A", "1"]]), response=edits(remove=["X-B"])))
    run.begin(headers=[(b"X-B", b"up")])
    assert run.up.fields(b"X-A") == [b"1"]
    assert run.up.fields(b"X-B") == [b"up"]
    run.answer(200, [(b"X-B", b"down"), (b"X-A", b"down")])
    assert run.down.fields(b"X-A") == [b"down"]
    assert run.down.fields(b"X-B") == []


OURS = [
    "Connection", "Content-Length", "Keep-Alive", "Proxy-Connection", "TE", "Trailer",
    "Transfer-Encoding", "Upgrade",
]  # fmt: skip


@pytest.mark.parametrize("name", [*OURS, "transfer-ENCODING"])
@pytest.mark.parametrize("key", ["set", "add", "remove"])
@pytest.mark.parametrize("side", ["request", "response"])
def test_fields_that_frame_or_belong_to_a_connection_are_refused(
    name: str, key: str, side: str
) -> None:
    value: Any = [name] if key == "remove" else [[name, "x"]]
    place = rf"^routes\[0\].middleware\[0\].{side}.{key}\[0\].*: the gateway writes this field"
    with pytest.raises(PlanError, match=place):
        through(headers(**{side: edits(**{key: value})}))


@pytest.mark.parametrize(
    ("side", "bad", "message"),
    [
        ("request", edits(add=[["Host", "a"]]), "request: a request has exactly one Host"),
        ("request", edits(remove=["HOST"]), "request: a request has exactly one Host"),
        ("request", edits(set=[["Host", "a"], ["host", "b"]]), "set: a request has exactly one"),
        ("response", edits(set=[["Host", "a"]]), "set[0][0]: a response has no Host"),
        ("response", edits(remove=["Host"]), "remove[0]: a response has no Host"),
        ("request", edits(set=[["", "a"]]), "set[0][0]: not a field name"),
        ("request", edits(set=[["a b", "a"]]), "set[0][0]: not a field name"),
        ("request", edits(set=[["a:", "a"]]), "set[0][0]: not a field name"),
        ("request", edits(set=[["é", "a"]]), "set[0][0]: not a field name"),
        ("request", edits(remove=["a\n"]), "remove[0]: not a field name"),
        ("request", edits(remove=[["a"]]), "remove[0]: must be text"),
        ("request", edits(remove=[[]]), "remove[0]: must be text"),
        ("request", edits(add=[["a", "b\r\nEvil: c"]]), "add[0][1]: not a field value"),
        ("request", edits(add=[["a", "b\x00"]]), "add[0][1]: not a field value"),
        ("request", edits(add=[["a", " b"]]), "add[0][1]: not a field value"),
        ("request", edits(add=[["a", "x" * 8193]]), "add[0][1]: must be at most 8192 bytes"),
        (
            "request",
            edits(add=[["a" * (FIELD_NAME_MAX + 1), "x"]]),
            "add[0][0]: must be at most 255 bytes",
        ),
        ("request", edits(add=[["a"]]), "add[0]: must be a list of name and value"),
        ("request", edits(add=["ab"]), "add[0]: must be a list of name and value"),
        ("request", edits(add=[["a", 1]]), "add[0][1]: must be text"),
        (
            "response",
            edits(add=[["a", "b"]] * (HEADERS_MAX + 1)),
            "response: has more than 256 fields",
        ),
        ("response", edits(remove=["a"] * (HEADERS_MAX + 1)), "response: has more than 256 fields"),
        ("response", {"set": [], "add": []}, "remove: is missing"),
        ("response", edits() | {"sett": []}, "sett: unknown key"),
        ("response", None, "response: must be an object"),
    ],
)
def test_a_bad_edit_is_refused_with_its_place(side: str, bad: Any, message: str) -> None:
    entry = headers() | {side: bad}
    with pytest.raises(PlanError) as caught:
        through(entry)
    place = "routes[0].middleware[0]."
    whole = message.startswith(side)
    assert str(caught.value).startswith(place + ("" if whole else f"{side}.") + message)
