"""User code in a chain, by the native runtime: what it may do, and what becomes of what it does."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.memory import GET, HEAD, OK, Client, Gate, chunked, ok, post, serving
from tests.unit.native_hooks import native

REQ = "PYGW_REQUEST"
RESP = "PYGW_RESPONSE"
BUFFERED = {"body": "buffered"}
STREAM = {"body": "stream"}


def put(side: str, name: str, value: str, call: str = "header_set") -> str:
    """C that writes a field, and FAILS with its error's number."""
    return (
        f'{{ int e = H->{call}(C, {side}, "{name}", {len(name)}, "{value}", sizeof("{value}") - 1);'
        f" if (e) {{ char t[16]; int n = 0; t[n++] = '0' - e; H->fail(C, t, n);"
        f" return PYGW_FAILED; }} }}"
    )


def exchange(gate: Gate, request: bytes = GET, answer: bytes = OK) -> Client:
    """One request, answered by its origin if it comes there."""
    client = gate.client(request)
    if gate.origins:
        gate.origins[-1].send(answer)
    return client


def test_a_request_hook_edits_the_head_that_the_service_gets() -> None:
    body = put(REQ, "X-User", "anna") + put(REQ, "X-More", "1", "header_add")
    with serving(native(request=body + 'H->header_del(C, PYGW_REQUEST, "x-old", 5);')) as gate:
        exchange(gate, b"GET / HTTP/1.1\r\nHost: a\r\nX-OLD: 1\r\nx-user: x\r\n\r\n")
        got = gate.origin.request
        assert got.all("x-user") == [b"anna"]
        assert got.all("x-more") == [b"1"]
        assert got.all("x-old") == []


def test_a_response_hook_edits_the_head_that_the_client_gets() -> None:
    status = "H->status_set(C, 203);"
    with serving(native(response=status + put(RESP, "X-Seen", "1"))) as gate:
        client = exchange(gate)
        assert client.answer.status == 203
        assert client.answer.all("x-seen") == [b"1"]
        assert client.answer.body == b"ok"


def test_a_reply_ends_the_request_without_a_service() -> None:
    reply = (
        'H->reply(C, 401, "text/plain", 10, "no key\\n", 7);'
        'H->reply_header(C, "WWW-Authenticate", 16, "Key", 3); return PYGW_REPLY;'
    )
    with serving(native(request=reply)) as gate:
        client = exchange(gate)
        assert client.answer.status == 401
        assert client.answer.body == b"no key\n"
        assert client.answer.all("www-authenticate") == [b"Key"]
        assert gate.origins == []


def test_a_whole_request_body_can_be_read_replaced_and_signed() -> None:
    body = put(REQ, "X-Length", "8") + 'H->body_set(C, "replaced", 8);'
    with serving(native(BUFFERED, request_body=body)) as gate:
        client = gate.client(post(b"a" * 100)[:-50])
        assert gate.origins == []  # the head waits for the body
        client.send(b"a" * 50)
        got = gate.origin.request
        assert (got.body, got.one("content-length")) == (b"replaced", b"8")
        assert got.all("x-length") == [b"8"]
        gate.origin.send(OK)
        assert client.answer.status == 200


def test_a_whole_response_body_can_be_read_and_replaced() -> None:
    body = put(RESP, "X-Read", "1") + 'H->body_set(C, "other", 5);'
    with serving(native(BUFFERED, response_body=body)) as gate:
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        client = exchange(gate, GET, head + chunked(b"one", b"two"))
        assert client.answer.body == b"other"
        assert client.answer.all("content-length") == [b"5"]
        assert client.answer.all("x-read") == [b"1"]


@pytest.mark.parametrize("phase", ["request", "request_body", "response", "response_body", "log"])
@pytest.mark.parametrize("policy", ["fail", "skip"])
def test_a_failing_hook_is_dealt_with_by_its_policy(phase: str, policy: str) -> None:
    changes: dict[str, Any] = {"on_error": policy}
    if phase.endswith("body"):
        changes |= BUFFERED
    with serving(native(changes, **{phase: "return PYGW_FAILED;"})) as gate:
        client = exchange(gate, post(b"abc"))
        wanted = 500 if phase.startswith("request") else 502
        if policy == "skip" or phase == "log":
            wanted = 200
        assert client.answer.status == wanted


def test_streamed_pieces_are_replaced_as_they_come() -> None:
    body = (
        "char t[8]; memset(t, 'x', 8); H->body_set(C, t, call->response->body.len % 8);"
        'if (call->last) H->body_set(C, "!", 1);'
    )
    with serving(native(STREAM, response_body=body)) as gate:
        client = gate.client(GET)
        gate.origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc")
        assert b"xxx" in client.received
        gate.origin.send(b"de")
        assert client.answer.body == b"xxxxx!"


@pytest.mark.parametrize("value", ["a\\r\\nX: y", "a\\nb", "a\\0b", " a", "a\\x7f"])
def test_no_value_that_the_wire_forbids_leaves_through_a_hook(value: str) -> None:
    with serving(native(request=put(REQ, "x-a", value))) as gate:
        assert exchange(gate).answer.status == 500
        assert gate.origins == []


@pytest.mark.parametrize("name", ["content-length", "Transfer-Encoding", "connection", "x y", ""])
def test_no_field_that_frames_a_message_is_written_by_a_hook(name: str) -> None:
    with serving(native(request=put(REQ, name, "1"))) as gate:
        assert exchange(gate).answer.status == 500


def test_head_gets_the_fields_of_a_hook_and_no_body() -> None:
    with serving(native(BUFFERED, response_body='H->body_set(C, "x", 1);')) as gate:
        client = exchange(gate, HEAD, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        assert client.answer.all("content-length") == [b"5"]


def test_the_longest_body_is_held_and_a_longer_one_is_refused() -> None:
    hook = native(BUFFERED | {"body_max": 10}, request_body="")
    with serving(hook) as gate:
        assert exchange(gate, post(b"x" * 10)).answer.status == 200
        assert exchange(gate, post(b"x" * 11)).answer.status == 413
        head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        assert exchange(gate, head + chunked(b"x" * 6, b"x" * 5)).answer.status == 413
    with serving(native(BUFFERED | {"body_max": 10}, response_body="")) as gate:
        assert exchange(gate, GET, ok(b"x" * 11)).answer.status == 502


def count(body: str) -> str:
    """C that repeats `body` (int n) until it is refused, and tells how often it was not."""
    return (
        f"int n = 0; while (n < 1000 && ({body}) == 0) n++; char t[8];"
        "t[0] = '0' + n / 100 % 10; t[1] = '0' + n / 10 % 10; t[2] = '0' + n % 10;"
        f'H->header_set(C, {REQ}, "x-n", 3, t, 3);'
    )


def test_a_reply_has_at_most_hook_reply_fields_of_its_own() -> None:
    fields = 'H->reply_header(C, "x-f", 3, "1", 1)'
    hook = native(request=f'H->reply(C, 200, "", 0, "", 0); while ({fields} == 0); return 1;')
    with serving(hook) as gate:
        assert len(exchange(gate).answer.all("x-f")) == 64  # HOOK_REPLY_FIELDS


def test_an_exchange_has_at_most_hook_vars_variables_of_bounded_size() -> None:
    names = "H->var_set(C, (char *)&n, sizeof(n), (char *)&n, sizeof(n))"
    with serving(native(request=count(names))) as gate:
        exchange(gate)
        assert gate.origin.request.one("x-n") == b"064"  # HOOK_VARS
    large = 'static char z[65536]; if (H->var_set(C, "a", 1, z, 65535)) return 3;'
    with serving(native(request=large + 'if (!H->var_set(C, "a", 1, z, 65536)) return 3;')) as gate:
        assert exchange(gate).answer.status == 200  # HOOK_VAR_BYTES: of name and value


def test_lines_of_hooks_are_bounded_in_length_and_number(capfd: pytest.CaptureFixture[str]) -> None:
    hook = native(
        request=(
            "static char t[5000]; memset(t, 'x', 5000); t[1] = '\\n'; int n = 0;"
            "while (H->log(C, PYGW_LOG_INFO, t, 5000) == 0) n++; (void)n;"
        )
    )
    with serving(hook) as gate:
        exchange(gate)
        exchange(gate)
        lines = capfd.readouterr().err.splitlines()
        assert len(lines) == 100  # HOOK_LOG_LINES
        assert {len(line) for line in lines} == {1023}  # HOOK_LINE_MAX with its end
        assert all(" info hook h1: x xxx" in line for line in lines)
        gate.advance(10_000)  # HOOK_LOG_MS
        exchange(gate)
        assert len(capfd.readouterr().err.splitlines()) == 100


def test_what_a_failing_hook_says_is_logged_up_to_hook_error_max(
    capfd: pytest.CaptureFixture[str],
) -> None:
    text = "static char t[5000]; memset(t, 'e', 5000); H->fail(C, t, 5000); return PYGW_FAILED;"
    with serving(native(request=text)) as gate:
        assert exchange(gate).answer.status == 500
        assert gate.causes == ["hook_failed"]
    assert "error hook h1: eee" in capfd.readouterr().err  # HOOK_ERROR_MAX is beyond a line


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"code": "x" * ((16 << 20) + 1)}, "must be at most 16777216 bytes"),  # HOOK_CODE_MAX
        ({"config": ["x" * 65536]}, "must be at most 65536 bytes of JSON"),  # HOOK_CONFIG_MAX
        ({"body_max": (64 << 20) + 1}, "must be from 0 to 67108864"),  # HOOK_BODY_MAX
        ({"runtime": "cobol"}, "no runtime is called cobol"),
        ({"code": "0 /nowhere.so"}, "/nowhere.so: No such file"),
        ({"phases": ["response"]}, "no code; it has request"),
        ({"phases": ["dawn"]}, "is no phase"),
        ({"body": "stream"}, "no code for bodies"),
        ({"on_error": "cry"}, "must be one of fail, skip"),
    ],
)
def test_a_hook_that_cannot_be_is_refused_with_the_reason(
    changes: dict[str, Any], complaint: str
) -> None:
    with (
        pytest.raises(ValueError, match=complaint),
        serving(native(request="") | changes),
    ):
        pass
