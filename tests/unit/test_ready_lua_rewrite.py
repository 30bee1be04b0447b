"""`hooks/lua/rewrite_response.lua` does what docs/ready-made.md says.

Owns: services' answers.
Runs in: tests, with the gateway in this process.
Never does: open a socket.
Read next: `docs/ready-made.md`.
"""

from __future__ import annotations

import pytest

from pygw.testing import MakeHook
from tests.unit.lua_hooks import needs_lua
from tests.unit.ready_hooks import place, refused

pytestmark = needs_lua
REWRITE = place("rewrite_response")
TEXTS: dict[str, object] = {
    "replace": [{"from": "http://old.example", "to": "https://new.example"}]
}
HTML = {"Content-Type": "text/html; charset=utf-8"}


@pytest.mark.parametrize(
    ("status", "sent"), [(404, 410), (500, 503), (599, 503), (200, 200), (204, 204), (304, 304)]
)
def test_a_status_goes_before_its_class_and_others_stay(
    pygw_hook: MakeHook, status: int, sent: int
) -> None:
    config = {"status": {"404": 410, "4xx": 400, "5xx": 503, "2xx": 200, "3xx": 302}}
    gateway = pygw_hook(REWRITE, config=config, phases=["response"])
    gateway.origin.answer(status)
    assert gateway.get("/").status == sent


def test_fields_are_taken_out_and_put_in(pygw_hook: MakeHook) -> None:
    config = {
        "remove": ["server", "X-Internal"],
        "set": {"X-Frame-Options": "DENY", "Link": ["</a>", "</b>"], "Server": "edge"},
    }
    gateway = pygw_hook(REWRITE, config=config, phases=["response"])
    fields = [("Server", "x/1"), ("X-Internal", "1"), ("X-Internal", "2"), ("Link", "<o>")]
    gateway.origin.answer(200, headers=[*fields, ("ETag", '"1"')], body="hello")
    answer = gateway.get("/", headers={"range": "bytes=0-1", "accept-encoding": "gzip"})
    assert answer.headers.all("link") == ["</a>", "</b>"]
    assert answer.headers.all("server") == ["edge"]
    assert answer.headers["x-frame-options"] == "DENY"
    assert "x-internal" not in answer.headers
    assert (answer.text, answer.headers["etag"]) == ("hello", '"1"')
    assert answer.sent.headers["range"] == "bytes=0-1"


@pytest.mark.parametrize(
    "body",
    [
        {"body": "see http://old.example/a, http://old.example"},
        {"chunks": ["see http://old.", "example/a, http://old.example"]},
    ],
)
def test_texts_are_replaced_and_the_length_is_that_of_what_is_sent(
    pygw_hook: MakeHook, body: dict[str, object]
) -> None:
    gateway = pygw_hook(REWRITE, config=TEXTS, body="buffered")
    vouchers = {"ETag": '"v1"', "Content-Digest": "sha-256=:x:", "Accept-Ranges": "bytes"}
    gateway.origin.answer(200, headers=HTML | vouchers, **body)
    answer = gateway.get("/", headers={"accept-encoding": "gzip", "range": "bytes=0-9"})
    assert answer.text == "see https://new.example/a, https://new.example"
    assert answer.headers.all("content-length") == [str(len(answer.body))]
    assert "transfer-encoding" not in answer.headers
    assert answer.headers["etag"] == 'W/"v1"'
    assert not {"content-digest", "accept-ranges"} & {name.lower() for name in answer.headers}
    assert answer.sent.headers["accept-encoding"] == "identity"
    assert "range" not in answer.sent.headers


def test_rules_follow_each_other_and_stop_at_their_count(pygw_hook: MakeHook) -> None:
    rules = [
        {"from": "a", "to": "bb", "count": 2},
        {"from": "b", "to": ""},
        {"from": "%d.", "to": "%1"},
    ]
    gateway = pygw_hook(REWRITE, config={"replace": rules, "types": ["text/*"]}, body="buffered")
    gateway.origin.answer(200, headers={"Content-Type": "Text/Plain"}, body="aaab 5. %d.")
    assert gateway.get("/").text == "a 5. %1"
    gateway.origin.answer(200, headers={"Content-Type": "Text/Plain"}, body="")
    assert gateway.get("/").headers["content-length"] == "0"


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        (200, {"Content-Type": "application/json"}),
        (200, {}),
        (206, HTML | {"Content-Range": "bytes 0-21/100"}),
        (200, HTML | {"Content-Encoding": "identity, BR"}),
    ],
)
def test_what_is_no_whole_body_of_these_types_is_as_it_came(
    pygw_hook: MakeHook, status: int, fields: dict[str, str]
) -> None:
    gateway = pygw_hook(REWRITE, config=TEXTS, body="buffered")
    gateway.origin.answer(status, headers=fields | {"ETag": '"1"'}, body="http://old.example/abc")
    answer = gateway.get("/")
    assert answer.text == "http://old.example/abc"
    assert answer.headers["etag"] == '"1"'


def test_a_compressed_body_is_refused_if_said(pygw_hook: MakeHook) -> None:
    gateway = pygw_hook(REWRITE, config=TEXTS | {"encoded": "refuse"}, body="buffered")
    gateway.origin.answer(200, headers=HTML | {"Content-Encoding": "br", "ETag": '"1"'}, body="x")
    answer = gateway.get("/")
    assert (answer.status, answer.text) == (502, "the service's answer cannot be used\n")
    assert "content-encoding" not in answer.headers
    gateway.origin.answer(200, headers=HTML | {"Content-Encoding": "identity"}, body="x")
    assert gateway.get("/").status == 200


def test_answers_without_their_body_are_told_as_if_it_came(pygw_hook: MakeHook) -> None:
    gateway = pygw_hook(REWRITE, config=TEXTS, body="buffered")
    gateway.origin.answer(200, headers=HTML | {"ETag": '"1"', "Content-Length": "18"})
    answer = gateway.head("/")
    assert (answer.status, answer.headers["etag"]) == (200, 'W/"1"')
    assert "content-length" not in answer.headers
    gateway.origin.answer(304, headers={"ETag": '"1"'})
    assert gateway.get("/").headers["etag"] == 'W/"1"'
    gateway.origin.answer(204)
    assert gateway.get("/").status == 204


def test_two_of_them_on_a_route_do_not_take_each_others_types(pygw_hook: MakeHook) -> None:
    other = {"replace": [{"from": "o", "to": "0"}], "types": ["text/css"]}
    entry = {"lua": {"file": REWRITE.removeprefix("lua:"), "config": other, "body": "buffered"}}
    config = {"replace": [{"from": "l", "to": "1"}]}
    for where in ({"before": [entry]}, {"after": [entry]}):
        gateway = pygw_hook(REWRITE, config=config, **where, body="buffered")
        gateway.origin.answer(200, headers=HTML, body="hello")
        assert gateway.get("/").text == "he11o"


def test_a_body_that_would_grow_without_bound_fails(pygw_hook: MakeHook) -> None:
    config = {"replace": [{"from": "a", "to": "b" * 10000}]}
    gateway = pygw_hook(REWRITE, config=config, raise_errors=False, body="buffered")
    gateway.origin.answer(200, headers=HTML, body="a" * 1000)
    answer = gateway.get("/")
    assert answer.status in (500, 502)
    assert "would grow beyond 8388608 bytes" in answer.hooks[-1].error


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({}, "has nothing to do"),
        ({"status": {"6xx": 200}}, "config.status.6xx is none"),
        ({"status": {"304": 200}}, "config.status.304 is none"),
        ({"status": {"404": 204}}, "config.status.404 must be a status from 200 to 599 other than"),
        ({"remove": ["content-length"]}, "config.remove has content-length, which says how"),
        ({"set": {"a b": "x"}}, "config.set has a b, which is not the name of a field"),
        ({"set": {"a": "x\ny"}}, "config.set.a must be text without controls"),
        ({"set": {"a": []}}, "config.set.a has no value"),
        ({"replace": [{"to": ""}]}, "config.replace[0].from must be text of 1 to"),
        ({"replace": [{"from": "a"}]}, "config.replace[0].to must be text"),
        ({"replace": [{"from": "a", "to": "b", "count": 0}]}, "config.replace[0].count must be"),
        ({"replace": [{"from": "a", "into": "b"}]}, "config.replace[0] has into: known are"),
        (TEXTS | {"types": ["html"]}, "config.types[0] must be a media type"),
    ],
)
def test_a_wrong_configuration_of_rewrites_is_refused(
    pygw_hook: MakeHook, config: dict[str, object], problem: str
) -> None:
    assert problem in refused(pygw_hook, "rewrite_response", config, body="buffered")
