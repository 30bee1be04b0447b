"""`fetch` of pygw_plugin.h: requests of native hooks to upstreams of the plan, in memory."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit import plans
from tests.unit.memory import GET, OK, Gate, Json, Origin, ok, serving, upstream
from tests.unit.native_hooks import native

TWO = [upstream(), upstream(name="auth", targets=[plans.target(9100)], retries=0)]

DONE = """
static int left;
static int on_got(void *self, const pygw_call *call, void *arg, const pygw_fetched *got);
static int ask(const pygw_call *call, const char *path, pygw_span body)
{
    static const pygw_span fields[] = {{"X-From", 6}, {"native", 6}};
    pygw_fetch what = {sizeof(what), 200, {"auth", 4}, {0}, {path, strlen(path)}, body, fields, 1};
    return call->host->fetch(call->ctx, &what, on_got, (void *)path);
}
static int on_got(void *self, const pygw_call *call, void *arg, const pygw_fetched *got)
{
    if (got->error) {
        call->host->reply(call->ctx, 599, "text/plain", 10, got->error, strlen(got->error));
        return PYGW_REPLY;
    }
    if (got->status == 204) return ask(call, "/again", (pygw_span){0}) ? PYGW_FAILED : PYGW_WAIT;
    if (got->status == 500) return PYGW_WAIT;
    call->host->header_set(call->ctx, PYGW_REQUEST, "x-got", 5, got->body.ptr, got->body.len);
    call->host->header_set(call->ctx, PYGW_REQUEST, "x-name", 6, got->fields[0].name.ptr,
                           got->fields[0].name.len);
    return PYGW_NEXT;
}
"""


def asking(
    body: str = 'return ask(call, "/a?b", (pygw_span){"hi", 2}) ? PYGW_FAILED : PYGW_WAIT;',
    init: str = "out->may_wait = 1;",
    **changes: Any,
) -> Json:
    """A hook whose request phase asks `auth`."""
    entry = {"fetch": ["auth"], "deadline_ms": 1000} | changes
    return native(entry, request=body, init=init, before=DONE)


def auths(gate: Gate) -> list[Origin]:
    return [origin for origin in gate.origins if origin.address.endswith(":9100")]


def test_a_native_hook_asks_waits_and_goes_on() -> None:
    with serving(asking(), upstreams=TWO) as gate:
        client = gate.client(GET)
        (auth,) = auths(gate)
        seen = auth.request
        assert (seen.method, seen.target, seen.body) == (b"POST", b"/a?b", b"hi")
        assert seen.one("x-from") == b"native"
        auth.send(ok(b"anna"))
        main = gate.origins[1]
        assert (main.request.one("x-got"), main.request.one("x-name")) == (
            b"anna",
            b"Content-Length",
        )
        main.send(OK)
        assert client.statuses == [200]


def test_it_may_ask_again_and_hears_of_failures() -> None:
    with serving(asking(), upstreams=TWO) as gate:
        client = gate.client(GET)
        (auth,) = auths(gate)
        auth.send(b"HTTP/1.1 204 No Content\r\n\r\n")
        assert auth.requests()[1].target == b"/again"
        gate.advance(220)
        assert (client.answer.status, client.answer.body) == (599, b"timeout")


@pytest.mark.parametrize(
    ("hook", "cause"),
    [
        (asking("return PYGW_WAIT;"), "hook_failed"),
        (asking(init=""), "hook_failed"),
        (asking(fetch=[]), "hook_failed"),
        (asking('return ask(call, "x", (pygw_span){0}) ? PYGW_FAILED : PYGW_WAIT;'), "hook_failed"),
        (asking('return ask(call, "/\\r\\n", (pygw_span){0}) ? PYGW_FAILED : PYGW_WAIT;'),
         "hook_failed"),
        (asking(deadline_ms=100), "hook_late"),
    ],
)  # fmt: skip
def test_what_means_nothing_or_takes_too_long_fails_the_run(hook: Json, cause: str) -> None:
    with serving(hook, upstreams=TWO) as gate:
        client = gate.client(GET)
        gate.advance(120)
        assert client.statuses == [500]
        assert gate.causes == [cause]
        assert gate.stats["live_fetches"] == gate.stats["live_detached"] == 0


def test_waiting_for_nothing_is_a_failure_of_what_came_too() -> None:
    with serving(asking(), upstreams=TWO) as gate:
        client = gate.client(GET)
        auths(gate)[0].send(b"HTTP/1.1 500 E\r\nContent-Length: 0\r\n\r\n")
        assert client.statuses == [500]
        assert gate.causes == ["hook_failed"]


def test_a_run_that_goes_on_without_what_it_asked_and_a_client_that_leaves() -> None:
    hook = asking('ask(call, "/x", (pygw_span){0}); return PYGW_NEXT;')
    with serving(hook, upstreams=TWO) as gate:
        client = gate.client(GET)
        assert gate.stats["live_fetches"] == 0
        gate.origins[-1].send(OK)
        assert client.statuses == [200]
    with serving(asking(), upstreams=TWO) as gate:
        gate.client(GET).reset()
        assert gate.stats["live_fetches"] == gate.stats["live_detached"] == 0
