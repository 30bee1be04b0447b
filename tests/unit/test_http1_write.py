"""Heads, chunk lines and trailers as they leave: untouched bytes in one piece, our own framing.

What is written is read again by our reader and by h11. Runs without sockets.
Read next: ``pygw/_core/http1_write.pxd``.
"""

from __future__ import annotations

import http
import string
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pygw._core.probe import http1
from tests.corpus import ALL, title
from tests.corpus.case import Case, pairs
from tests.corpus.others import by_h11, plain

CLOSE, KEEP_ALIVE, UPGRADE = 1, 2, 4
LINE_EDITED = 128
GATHER_MAX = 64  # of limits.pxd
HEAD = b"GET /a?b HTTP/1.1\r\nHost: a\r\nUser-Agent: x\r\nAccept: */*\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nServer: x\r\nDate: y\r\n"


def joined(pieces: list[tuple[bytes, bool]]) -> bytes:
    return b"".join(piece for piece, _ in pieces)


def write(data: bytes, kind: str = "request", **how: Any) -> bytes:
    return joined(http1.write(data, kind, **how))


def test_untouched_head_leaves_as_it_came_in_one_piece() -> None:
    pieces = http1.write(HEAD + b"\r\n")
    assert pieces == [(HEAD, True), (b"\r\n", False)]


def test_untouched_answer_leaves_as_it_came_in_one_piece() -> None:
    pieces = http1.write(ANSWER + b"Content-Length: 0\r\n\r\n", "response")
    assert pieces == [(ANSWER + b"Content-Length: 0\r\n", True), (b"\r\n", False)]


def test_odd_spelling_of_untouched_fields_is_kept() -> None:
    fields = b"hOST:a\r\nX-A:  \t b \t\r\nx-a:\r\n"
    pieces = http1.write(b"GET / HTTP/1.1\r\n" + fields + b"\r\n")
    assert pieces[0] == (b"GET / HTTP/1.1\r\n" + fields, True)


def test_removed_field_splits_the_run_in_two() -> None:
    pieces = http1.write(HEAD + b"\r\n", edits=[("remove", b"user-agent")])
    assert pieces == [
        (b"GET /a?b HTTP/1.1\r\nHost: a\r\n", True),
        (b"Accept: */*\r\n", True),
        (b"\r\n", False),
    ]


def test_added_fields_follow_as_written() -> None:
    data = write(HEAD + b"\r\n", edits=[("add", b"Via", b"1.1 g"), ("add", b"X-A", b"")])
    assert data == HEAD + b"Via: 1.1 g\r\nX-A: \r\n\r\n"


def test_field_edited_in_place_gets_a_line_of_its_own() -> None:
    data = write(HEAD + b"\r\n", edits=[("patch", b"User-Agent", b"new")])
    assert data == HEAD.replace(b"User-Agent: x", b"User-Agent: new") + b"\r\n"


def test_hop_by_hop_fields_do_not_leave() -> None:
    data = write(
        HEAD + b"Connection: X-A, keep-alive\r\nKeep-Alive: 1\r\nTE: trailers\r\nX-A: b\r\n"
        b"Proxy-Connection: x\r\nProxy-Authorization: y\r\nUpgrade: h2c\r\n\r\n"
    )
    assert data == HEAD + b"\r\n"


@pytest.mark.parametrize("kind", ["request", "response"])
def test_peer_s_connection_and_coding_never_leave_even_unmarked(kind: str) -> None:
    start = HEAD if kind == "request" else ANSWER
    fields = b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert write(start + fields, kind, hop=False, framing="none") == start + b"\r\n"
    data = write(start + fields, kind, hop=False, framing="length", length=7)
    assert data == start + b"Content-Length: 7\r\n\r\n"


@pytest.mark.parametrize("cuts", [(), (9,)])
def test_expectation_that_is_to_be_ignored_does_not_leave(cuts: tuple[int, ...]) -> None:
    old = b"POST / HTTP/1.0\r\nHost: a\r\nExpect: x\r\nContent-Length: 1\r\n\r\n"
    bodiless = b"GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n"
    for data in (old, bodiless):
        field = http1.read(data, splits=cuts)["head"]["fields"][1]
        assert (field["name"], field["flags"]) == (b"Expect", {"removed"})
        assert b"Expect" not in write(data)
    asked = b"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"
    assert write(asked) == asked


def test_target_in_absolute_form_leaves_in_origin_form() -> None:
    data = b"GET HTTP://A:80/b?c HTTP/1.1\r\nHost: a\r\n\r\n"
    assert write(data) == b"GET /b?c HTTP/1.1\r\nHost: a\r\n\r\n"
    data = b"GET http://a HTTP/1.1\r\nHost: a\r\n\r\n"
    assert write(data) == b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    data = b"GET http://a?b HTTP/1.1\r\nHost: a\r\n\r\n"
    assert write(data) == b"GET /?b HTTP/1.1\r\nHost: a\r\n\r\n"
    data = b"OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n"
    assert write(data) == b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"


def test_asterisk_leaves_as_it_came() -> None:
    data = b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"
    assert write(data) == data


def test_empty_query_leaves_in_an_untouched_line() -> None:
    data = b"GET /a? HTTP/1.1\r\nHost: a\r\n\r\n"
    assert write(data) == data


def test_edited_line_is_made_again() -> None:
    data = b"GET /a?b=c HTTP/1.1\r\nHost: a\r\n\r\n"
    pieces = http1.write(data, half_flags=LINE_EDITED)
    assert joined(pieces) == data
    assert not pieces[0][1]


def test_version_1_0_leaves_as_1_1() -> None:
    assert write(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n") == b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    data = b"HTTP/1.0 200 Fine\r\nContent-Length: 0\r\n\r\n"
    assert write(data, "response") == data.replace(b"1.0", b"1.1")


def test_request_without_host_gets_one() -> None:
    assert write(b"GET / HTTP/1.0\r\n\r\n") == b"GET / HTTP/1.1\r\nHost: \r\n\r\n"
    data = write(b"GET http://b:81/ HTTP/1.0\r\n\r\n")
    assert data == b"GET / HTTP/1.1\r\nHost: b:81\r\n\r\n"
    data = write(HEAD + b"\r\n", edits=[("set", b"Host", b"c")])
    assert data.count(b"Host:") == 1
    assert b"Host: c\r\n" in data


def test_missing_reason_gets_its_blank() -> None:
    data = write(b"HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", "response")
    assert data == b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


class TestFraming:
    """What says how long the body is."""

    def test_length_leaves_as_it_came(self) -> None:
        data = HEAD.replace(b"GET", b"POST") + b"Content-Length: 5\r\nX: y\r\n\r\n"
        assert write(data) == data

    def test_length_is_written_when_it_never_came(self) -> None:
        data = write(ANSWER + b"\r\n", "response", framing="length", length=1234567890)
        assert data == ANSWER + b"Content-Length: 1234567890\r\n\r\n"

    def test_length_is_written_when_its_field_was_removed(self) -> None:
        head = ANSWER + b"Content-Length: 5\r\n\r\n"
        data = write(head, "response", edits=[("remove", b"content-length")])
        assert data == ANSWER + b"Content-Length: 5\r\n\r\n"

    def test_length_that_an_edit_made_wrong_is_replaced(self) -> None:
        head = ANSWER + b"Content-Length: 5\r\n\r\n"
        for value in (b"6", b"five", b"5, 5"):
            data = write(head, "response", edits=[("set", b"Content-Length", value)])
            assert data == ANSWER + b"Content-Length: 5\r\n\r\n"

    def test_length_leaves_once(self) -> None:
        head = ANSWER + b"Content-Length: 5\r\n\r\n"
        data = write(head, "response", edits=[("add", b"Content-Length", b"5")])
        assert data == ANSWER + b"Content-Length: 5\r\n\r\n"

    @pytest.mark.parametrize("kind", ["request", "response"])
    def test_chunked_replaces_length(self, kind: str) -> None:
        start = HEAD if kind == "request" else ANSWER
        data = write(start + b"Content-Length: 5\r\n\r\n", kind, framing="chunked")
        assert data == start + b"Transfer-Encoding: chunked\r\n\r\n"

    def test_chunked_is_written_anew(self) -> None:
        data = write(ANSWER + b"Transfer-Encoding:  CHUNKED\r\n\r\n", "response")
        assert data == ANSWER + b"Transfer-Encoding: chunked\r\n\r\n"

    def test_until_close_announces_nothing(self) -> None:
        data = write(ANSWER + b"Content-Length: 5\r\n\r\n", "response", framing="close")
        assert data == ANSWER + b"\r\n"

    def test_length_of_an_answer_to_head_stays(self) -> None:
        head = ANSWER + b"Content-Length: 5\r\n\r\n"
        assert write(head, "response", head_request=True) == head

    def test_length_of_304_stays(self) -> None:
        head = b"HTTP/1.1 304 X\r\nContent-Length: 5\r\n\r\n"
        assert write(head, "response") == head

    @pytest.mark.parametrize("start", [b"204 X", b"103 X"])
    def test_zero_length_of_a_bodiless_status_goes(self, start: bytes) -> None:
        head = b"HTTP/1.1 " + start + b"\r\nContent-Length: 0\r\n\r\n"
        assert write(head, "response") == b"HTTP/1.1 " + start + b"\r\n\r\n"

    @pytest.mark.parametrize("method", [b"POST", b"PUT", b"PATCH"])
    def test_zero_length_of_a_method_with_content_stays(self, method: bytes) -> None:
        head = HEAD.replace(b"GET", method) + b"Content-Length: 0\r\n\r\n"
        assert write(head, framing="none") == head

    @pytest.mark.parametrize("method", [b"GET", b"DELETE", b"OPTIONS"])
    def test_zero_length_of_other_methods_goes(self, method: bytes) -> None:
        start = HEAD.replace(b"GET", method)
        assert write(start + b"Content-Length: 0\r\n\r\n", framing="none") == start + b"\r\n"


class TestConnection:
    """What Connection says."""

    def test_close(self) -> None:
        assert write(HEAD + b"\r\n", flags=CLOSE) == HEAD + b"Connection: close\r\n\r\n"

    def test_keep_alive(self) -> None:
        data = write(HEAD + b"\r\n", flags=KEEP_ALIVE)
        assert data == HEAD + b"Connection: keep-alive\r\n\r\n"

    @pytest.mark.parametrize("hop", [True, False])
    def test_upgrade_keeps_the_protocol(self, hop: bool) -> None:
        head = HEAD + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        data = write(head, flags=UPGRADE, hop=hop)
        assert data == HEAD + b"Upgrade: websocket\r\nConnection: upgrade\r\n\r\n"

    def test_upgrade_is_dropped_when_not_asked_for(self) -> None:
        head = HEAD + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        assert write(head, hop=False) == HEAD + b"\r\n"

    def test_switching_answer(self) -> None:
        head = b"HTTP/1.1 101 X\r\nUpgrade: a\r\nConnection: upgrade\r\nB: c\r\n\r\n"
        data = write(head, "response", flags=UPGRADE)
        assert data == b"HTTP/1.1 101 X\r\nUpgrade: a\r\nB: c\r\nConnection: upgrade\r\n\r\n"


def test_more_pieces_than_one_write_takes_are_joined() -> None:
    names = [b"N%d" % number for number in range(200)]
    data = b"GET / HTTP/1.1\r\nHost: a\r\n" + b"".join(name + b": v\r\n" for name in names)
    edits = [("patch", name, b"new") for name in names[::2]]
    limits = 100
    data = b"\r\n".join(data.split(b"\r\n")[:limits]) + b"\r\n\r\n"
    edits = edits[: (limits - 2) // 2]
    pieces = http1.write(data, edits=edits)
    assert len(pieces) <= GATHER_MAX
    wanted = data
    for _, name, value in edits:
        wanted = wanted.replace(
            b"\r\n" + name + b": v\r\n", b"\r\n" + name + b": " + value + b"\r\n"
        )
    assert joined(pieces) == wanted


def test_own_answer_has_reason_and_length() -> None:
    data = http1.write_own(503, [(b"Content-Type", b"text/plain")], length=12, flags=CLOSE)
    assert data == (
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\n"
        b"Content-Length: 12\r\nConnection: close\r\n\r\n"
    )
    assert http1.write_own(299, framing="none") == b"HTTP/1.1 299 \r\n\r\n"
    assert http1.write_own(200, reason=b"Fine", framing="none") == b"HTTP/1.1 200 Fine\r\n\r\n"


def test_reasons_are_those_of_the_registry() -> None:
    # Python's table has older phrases for these (RFC 9110 15.5)
    newer = {
        413: b"Content Too Large",
        414: b"URI Too Long",
        416: b"Range Not Satisfiable",
        422: b"Unprocessable Content",
    }
    for status in range(700):
        reason = http1.reason(status)
        if reason:
            assert reason == newer.get(status, http.HTTPStatus(status).phrase.encode())


def test_every_status_a_fault_answers_with_has_a_reason() -> None:
    from pygw._core.fault import faults

    for fault in faults().values():
        assert fault["status"] == 499 or http1.reason(int(str(fault["status"]))) != b""


@pytest.mark.parametrize("size", [1, 9, 10, 15, 16, 255, 4096, 2**32, 2**63 - 1, 2**64 - 1])
def test_chunk_line_is_hex(size: int) -> None:
    assert http1.chunk_line(size) == b"%x\r\n" % size


def test_trailers() -> None:
    assert http1.write_trailers() == b"0\r\n\r\n"
    assert http1.write_trailers([(b"A", b"b"), (b"C", b"")]) == b"0\r\nA: b\r\nC: \r\n\r\n"


@pytest.mark.parametrize(
    "name", [b"Content-Length", b"Transfer-Encoding", b"Host", b"Connection", b"Upgrade"]
)
def test_framing_field_does_not_leave_as_a_trailer(name: bytes) -> None:
    data = http1.write_trailers([(b"A", b"b"), (name, b"1"), (b"C", b"d")])
    assert data == b"0\r\nA: b\r\nC: d\r\n\r\n"


def _whole_heads() -> list[Case]:
    return [case for case in ALL if case.error is None and "fields" in case.head]


@pytest.mark.parametrize("case", _whole_heads(), ids=title)
def test_written_head_is_read_as_the_same_head(case: Case) -> None:
    data = joined(http1.write(case.data, case.kind, head_request=case.head_request))
    again = http1.read(data, case.kind, head_request=case.head_request)
    assert again["error"] is None
    hop = {b"connection", b"upgrade", b"te", b"transfer-encoding", b"keep-alive"}
    wanted = [pair for pair in case.head["fields"] if pair[0].lower() not in hop]
    assert pairs(again["head"]["fields"]) == wanted


TOKEN = st.text(string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~", min_size=1, max_size=40)
VALUE = st.binary(max_size=60).map(
    lambda raw: bytes(b for b in raw if b == 9 or (b >= 32 and b != 127)).strip(b" \t")
)
OURS = {
    b"host", b"connection", b"content-length", b"transfer-encoding", b"te", b"upgrade",
    b"keep-alive", b"proxy-connection", b"proxy-authorization", b"expect",
}  # fmt: skip
FIELD = st.tuples(TOKEN.map(str.encode), VALUE).filter(lambda field: field[0].lower() not in OURS)
EDIT = st.one_of(
    st.tuples(st.sampled_from(["add", "set"]), TOKEN.map(str.encode), VALUE),
    st.tuples(st.just("remove"), TOKEN.map(str.encode)),
).filter(lambda edit: edit[1].lower() not in OURS)


@settings(max_examples=400, deadline=None)
@given(
    fields=st.lists(FIELD, max_size=12),
    edits=st.lists(EDIT, max_size=6),
    picks=st.lists(st.integers(0, 11), max_size=3),
)
def test_edited_head_is_read_by_h11_as_what_was_meant(
    fields: list[tuple[bytes, bytes]], edits: list[tuple[Any, ...]], picks: list[int]
) -> None:
    raw = b"".join(name + b": " + value + b"\r\n" for name, value in fields)
    data = b"GET / HTTP/1.1\r\nHost: a\r\n" + raw + b"\r\n"
    removals = [("remove", fields[pick][0]) for pick in picks if pick < len(fields)]
    meant = [(b"host", b"a")] + [(name.lower(), value) for name, value in fields]
    for edit in (*removals, *edits):
        name = edit[1].lower()
        if edit[0] in ("remove", "set"):
            meant = [field for field in meant if field[0] != name]
        if edit[0] in ("add", "set"):
            meant.append((name, edit[2]))
    written = write(data, edits=[*removals, *edits])
    assert by_h11(written, "request").fields == plain(meant)
    again = http1.read(written)
    assert plain(pairs(again["head"]["fields"])) == plain(meant)
