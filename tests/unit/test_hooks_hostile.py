"""Hooks that break their contract: each is contained, and the next request is served."""

from __future__ import annotations

import pytest

from tests.unit.memory import GET, OK, chunked, post, serving
from tests.unit.native_hooks import built, entry, native, plugin

BUFFERED = {"body": "buffered"}
REPLY = 'H->reply(C, 200, "text/plain", 10, "one", 3)'


def test_the_second_of_two_replies_is_refused_and_the_first_one_counts() -> None:
    second = 'if (H->reply(C, 299, "", 0, "two", 3) != PYGW_E_LATE) return PYGW_FAILED;'
    with serving(native(request=f"{REPLY}; {second} return PYGW_REPLY;")) as gate:
        client = gate.client(GET)
        assert (client.answer.status, client.answer.body) == (200, b"one")


def test_a_reply_that_was_made_but_not_meant_changes_nothing() -> None:
    with serving(native(request=f"{REPLY};")) as gate:
        client = gate.client(GET)
        gate.origin.send(OK)
        assert client.answer.body == b"ok"


def test_a_reply_that_was_meant_but_not_made_is_a_failure() -> None:
    with serving(native(request="return PYGW_REPLY;")) as gate:
        assert gate.client(GET).answer.status == 500


@pytest.mark.parametrize("answer", [2, 5, 77, -1])
def test_an_answer_that_means_nothing_is_a_failure(answer: int) -> None:
    with serving(native(request=f"return {answer};")) as gate:
        assert gate.client(GET).answer.status == 500
        assert gate.client(GET).answer.status == 500


def test_a_reply_after_the_head_has_left_is_refused_and_cuts_the_answer() -> None:
    late = f"if ({REPLY} != PYGW_E_LATE) return PYGW_NEXT; return PYGW_REPLY;"
    with serving(native({"body": "stream"}, response_body=late)) as gate:
        client = gate.client(GET)
        client.cut_allowed = True
        gate.origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
        assert client.ended == "fin" or client.ended == "reset"
        assert gate.client(GET).answers() == []


def test_an_abort_ends_the_request() -> None:
    with serving(native(request="return PYGW_ABORT;")) as gate:
        assert gate.client(GET).answer.status == 500
        assert gate.causes == ["hook_aborted"]


def test_host_functions_are_dead_when_no_call_runs() -> None:
    keep = "ctx = C; host = H; (void)H;"
    check = (
        'if (host->header_set(ctx, 0, "a", 1, "b", 1) != PYGW_E_DEAD'
        ' || host->header_find(ctx, 0, "a", 1, NULL) || host->request(ctx)'
        ' || host->reply(ctx, 200, "", 0, "", 0) != PYGW_E_DEAD'
        ' || host->body_set(ctx, "", 0) != PYGW_E_DEAD || host->request_id(ctx)'
        ' || host->var_set(ctx, "a", 1, "b", 1) != PYGW_E_DEAD) __builtin_trap();'
    )
    source = plugin(request=keep, init="out->destroy = gone;")
    source = source.replace(
        "static const pygw_config *conf;",
        "static void *ctx; static const pygw_host *host;"
        f"static void gone(void *self) {{ if (host) {{ {check} }} }}",
    )
    with serving(entry(built(source))) as gate:
        gate.client(GET)
        gate.origin.send(OK)


def test_a_client_that_leaves_while_its_body_is_held_leaves_nothing_behind() -> None:
    with serving(native(BUFFERED, request_body="")) as gate:
        client = gate.client(post(b"x" * 10)[:-5])
        client.reset()
        assert gate.origins == []
        assert gate.stats["live_exchanges"] == 0


def test_a_service_that_ends_while_its_body_is_held_is_a_bad_gateway() -> None:
    with serving(native(BUFFERED, response_body="")) as gate:
        client = gate.client(GET)
        gate.origin.cut_allowed = True
        gate.origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
        assert client.received == b""
        gate.origin.finish()
        assert client.answer.status == 502


def test_who_waits_for_100_is_told_by_a_hook_that_holds_the_body() -> None:
    with serving(native(BUFFERED, request_body="")) as gate:
        whole = post(b"body", b"/", b"Expect: 100-continue")
        client = gate.client(whole[:-4])
        assert client.received == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(b"body")
        assert gate.origin.request.all("expect") == []
        gate.origin.send(OK)
        assert client.answers()[-1].status == 200


def test_large_bodies_are_held_in_one_piece() -> None:
    check = (
        "size_t n = call->request->body.len; if (n != 600000 || !call->request->has_body)"
        " return PYGW_FAILED; for (size_t i = 0; i < n; i++)"
        " if (call->request->body.ptr[i] != 'a' + (char)(i / 100000)) return PYGW_FAILED;"
    )
    body = b"".join(bytes([97 + n]) * 100_000 for n in range(6))
    with serving(native(BUFFERED, request_body=check)) as gate:
        head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        client = gate.client(head)
        client.send(chunked(*[body[at : at + 5000] for at in range(0, 600_000, 5000)]))
        assert gate.origin.request.body == body
        gate.origin.send(OK)
        assert client.answer.status == 200


def test_variables_are_shared_along_the_chain() -> None:
    first = 'H->var_set(C, "who", 3, "an\\0na", 5);'
    second = (
        'const pygw_span *v = H->var_get(C, "who", 3); if (!v || v->len != 5) return PYGW_FAILED;'
        'if (H->var_get(C, "what", 4)) return PYGW_FAILED;'
    )
    with serving(native(request=first), native(request=second)) as gate:
        client = gate.client(GET)
        gate.origin.send(OK)
        assert client.answer.status == 200


@pytest.mark.parametrize("path", ["/../x", "x", "/a\\r\\nb", "/a b", "/%2e%2e/", ""])
def test_no_path_that_has_two_readings_leaves_through_a_hook(path: str) -> None:
    code = f'return H->path_set(C, "{path}", sizeof("{path}") - 1) == PYGW_E_BAD ? 0 : 3;'
    with serving(native(request=code)) as gate:
        client = gate.client(GET)
        gate.origin.send(OK)
        assert gate.origin.request.target == b"/"
        assert client.answer.status == 200


def test_path_query_and_method_go_on_as_a_hook_sets_them() -> None:
    code = (
        'H->path_set(C, "/new", 4); H->query_set(C, "a=b", 3); H->method_set(C, "PUT", 3);'
        'if (H->method_set(C, "HEAD", 4) != PYGW_E_BAD || H->method_set(C, "X Y", 3)'
        " != PYGW_E_BAD) return 3;"
    )
    with serving(native(request=code)) as gate:
        gate.client(GET)
        got = gate.origin.request
        assert (got.method, got.target) == (b"PUT", b"/new?a=b")
        gate.origin.send(OK)
