"""`hooks/lua/mask_pii.lua` does what docs/ready-made.md says.

Owns: bodies with personal data.
Runs in: tests, with the gateway in this process.
Never does: open a socket.
Read next: `docs/ready-made.md`.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from pygw.testing import MakeHook
from tests.unit.lua_hooks import needs_lua
from tests.unit.ready_hooks import place, refused

pytestmark = needs_lua
MASK = place("mask_pii")
JSON = {"Content-Type": "application/json"}
ALL = ["card", "email", "iban", "phone"]


class Both:
    """A hook in both directions: what it makes of a body."""

    def __init__(self, make: MakeHook, **config: Any) -> None:
        self.gateway = make(MASK, config=config, body="buffered")

    def masked(self, body: str | bytes) -> str:
        """The same comes of a request's body and of a response's."""
        self.gateway.origin.answer(200, headers=JSON, body=body)
        answer = self.gateway.post("/", headers=JSON, body=body)
        assert answer.sent.body == answer.body
        assert answer.headers["content-length"] == str(len(answer.body))
        assert answer.sent.headers["content-length"] == str(len(answer.body))
        return answer.text


def test_all_but_what_is_masked_keeps_its_text(pygw_hook: MakeHook) -> None:
    both = Both(pygw_hook, fields=["user.name", "user.age", "a*"], patterns=["email"])
    body = (
        ' {"z" : 1.50e+03, "user":{"name":"Anna \\"A\\" M\\u00fcller","age": 41, '
        '"n":12345678901234567890},\n\t"mail":["write to anna@shop.example.", '
        '"\\u0061nna\\u0040shop.example", "a\\/b"],"z":-0}\r\n'
    )
    assert both.masked(body) == (
        ' {"z" : 1.50e+03, "user":{"name":"***","age": "***", "n":12345678901234567890},\n'
        '\t"mail":["write to ***.", "***", "a\\/b"],"z":-0}\r\n'
    )


@pytest.mark.parametrize(
    ("path", "masked"),
    [
        ("a", '{"a":{"b":["*",{"c":"*"}],"d":null,"e":"*"},"c":"5","x":[{"a":{"c":"6"}}]}'),
        ("a.b", '{"a":{"b":["*",{"c":"*"}],"d":null,"e":true},"c":"5","x":[{"a":{"c":"6"}}]}'),
        ("a.b.c", '{"a":{"b":[1,{"c":"*"}],"d":null,"e":true},"c":"5","x":[{"a":{"c":"6"}}]}'),
        ("*.e", '{"a":{"b":[1,{"c":2}],"d":null,"e":"*"},"c":"5","x":[{"a":{"c":"6"}}]}'),
        ("**.c", '{"a":{"b":[1,{"c":"*"}],"d":null,"e":true},"c":"*","x":[{"a":{"c":"*"}}]}'),
        ("x.**.c", '{"a":{"b":[1,{"c":2}],"d":null,"e":true},"c":"5","x":[{"a":{"c":"*"}}]}'),
        ("C", '{"a":{"b":[1,{"c":2}],"d":null,"e":true},"c":"5","x":[{"a":{"c":"6"}}]}'),
    ],
)
def test_paths_lead_through_lists_and_all_below_their_end_is_masked(
    pygw_hook: MakeHook, path: str, masked: str
) -> None:
    body = '{"a":{"b":[1,{"c":2}],"d":null,"e":true},"c":"5","x":[{"a":{"c":"6"}}]}'
    assert Both(pygw_hook, fields=[path], mask="*").masked(body) == masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("4111111111111111", "***1111"),
        ("card 4111 1111-1111 1111, 42", "card ***1111, 42"),
        ("12 4111 1111 1111 1111", "12 ***1111"),
        ("378282246310005;6011000990139424", "***0005;***9424"),
        ("4111111111111112", "4111111111111112"),
        ("41111111111111111111111", "41111111111111111111111"),
        ("1111 1111 1111 1111 17", "1111 1111 1111 1111 17"),
        ("DE89 3704 0044 0532 0130 00 is mine", "***3000 is mine"),
        ("gb82west12345698765432", "***5432"),
        ("DE88370400440532013000", "DE88370400440532013000"),
        ("XDE89370400440532013000", "XDE89370400440532013000"),
        ("call +49 (0)30 / 123-4567 now", "call ***4567 now"),
        ("0049301234567", "***4567"),
        ("+1234567 +1234567890123456 a+4930123456", "+1234567 +1234567890123456 a+4930123456"),
        ("030 1234567", "030 1234567"),
        ("<a.b+c@d-e.example>, x@y@z.example", "<***>, x@***"),
        ("a@localhost @b.c a@.c müller@münchen.example", "a@localhost @b.c a@.c ***"),
    ],
)
def test_what_looks_like_personal_data_is_masked_wherever_it_stands(
    pygw_hook: MakeHook, text: str, masked: str
) -> None:
    both = Both(pygw_hook, patterns=ALL, keep_last=4)
    body = json.dumps({"a": [text, {"b": text}]}, ensure_ascii=False)
    assert json.loads(both.masked(body.encode()).encode("latin-1")) == {
        "a": [masked, {"b": masked}]
    }
    assert json.loads(both.masked(json.dumps(text)).encode("latin-1")) == masked


def test_a_card_number_that_is_a_number_becomes_a_text(pygw_hook: MakeHook) -> None:
    both = Both(pygw_hook, patterns=["card"])
    assert both.masked("[4111111111111111,4111111111111112]") == '["***",4111111111111112]'
    assert both.masked('[4111111111111111.0,"2.50"]') == '[4111111111111111.0,"2.50"]'


@pytest.mark.parametrize(
    "body",
    [
        "{",
        '{"a":1}x',
        "[1,]",
        '{"a" 1}',
        "{a:1}",
        "[tru]",
        "[01]",
        '["a',
        '["\\x"]',
        '"\\',
        "[" * 80 + "]" * 80,
        "\ufeff{}",
        "nul",
        "-",
    ],
)
def test_what_is_no_json_though_it_says_so_is_refused_or_passes(
    pygw_hook: MakeHook, body: str
) -> None:
    gateway = pygw_hook(MASK, config={"patterns": ALL}, body="buffered")
    answer = gateway.post("/", headers=JSON, body=body)
    assert (answer.status, answer.origin) == (400, None)
    gateway.origin.answer(200, headers=JSON, body=body)
    answer = gateway.get("/")
    assert (answer.status, answer.text) == (502, "the service's answer cannot be used\n")
    config = {"patterns": ALL, "unreadable": "pass"}
    gateway = pygw_hook(MASK, config=config, body="buffered")
    gateway.origin.answer(200, headers=JSON, body=body)
    answer = gateway.post("/", headers=JSON, body=body)
    assert answer.sent.body == answer.body == body.encode()


def test_compressed_bodies_and_parts_are_unreadable_and_not_asked_for(pygw_hook: MakeHook) -> None:
    gateway = pygw_hook(MASK, config={"patterns": ALL}, body="buffered")
    coded = JSON | {"Content-Encoding": "gzip"}
    assert gateway.post("/", headers=coded, body="x").status == 415
    gateway.origin.answer(200, headers=coded, body="x")
    answer = gateway.get("/", headers={"accept-encoding": "gzip", "range": "bytes=0-1"})
    assert answer.status == 502
    assert answer.sent.headers["accept-encoding"] == "identity"
    assert "range" not in answer.sent.headers
    gateway.origin.answer(206, headers=JSON | {"Content-Range": "bytes 0-1/9"}, body="{}")
    assert gateway.get("/").status == 502
    gateway.origin.answer(200, headers=JSON | {"Content-Encoding": "identity"}, body="{}")
    assert gateway.get("/").text == "{}"


def test_other_types_pass_unless_said_and_what_is_like_json_is_searched(
    pygw_hook: MakeHook,
) -> None:
    config = {"patterns": ["email"]}
    gateway = pygw_hook(MASK, config=config, body="buffered")
    text = '{"a":"a@b.example"}'
    for media in ("text/plain", "application/x-ndjson"):
        gateway.origin.answer(200, headers={"Content-Type": media, "ETag": '"1"'}, body=text)
        answer = gateway.post("/", headers={"content-type": media}, body=text)
        assert answer.sent.text == answer.text == text
        assert answer.headers["etag"] == '"1"'
    gateway.origin.answer(200, headers={"Content-Type": "Application/Problem+JSON"}, body=text)
    assert gateway.get("/").text == '{"a":"***"}'
    gateway = pygw_hook(MASK, config=config | {"other": "refuse"}, body="buffered")
    assert gateway.post("/", headers={"content-type": "text/plain"}, body=text).status == 415
    gateway.origin.answer(200, headers={"Content-Type": "text/plain"}, body=text)
    assert gateway.get("/").status == 502
    gateway.origin.answer(204)
    assert gateway.get("/").status == 204


def test_what_vouches_for_the_bytes_goes_with_them(pygw_hook: MakeHook) -> None:
    gateway = pygw_hook(MASK, config={"fields": ["a"]}, body="buffered")
    vouchers = JSON | {"Content-Digest": "sha-256=:x:", "ETag": '"1"', "Accept-Ranges": "bytes"}
    gateway.origin.answer(200, headers=vouchers, body='{"a":1}')
    answer = gateway.post("/", headers=vouchers, body='{"a":1}')
    assert "content-digest" not in answer.sent.headers
    assert "content-digest" not in answer.headers
    assert "accept-ranges" not in answer.headers
    assert answer.headers["etag"] == 'W/"1"'
    gateway.origin.answer(200, headers=vouchers | {"Content-Length": "7"})
    answer = gateway.head("/")
    assert answer.headers["etag"] == 'W/"1"'
    assert "content-length" not in answer.headers


def test_the_phases_of_the_entry_choose_the_direction(pygw_hook: MakeHook) -> None:
    text = '{"a":1}'
    for phases, sent, got in (
        (["request_body"], '{"a":"***"}', text),
        (["request", "response", "response_body"], text, '{"a":"***"}'),
    ):
        gateway = pygw_hook(MASK, config={"fields": ["a"]}, body="buffered", phases=phases)
        gateway.origin.answer(200, headers=JSON, body=text)
        answer = gateway.post("/", headers=JSON, body=text)
        assert (answer.sent.text, answer.text) == (sent, got)


@pytest.mark.parametrize(
    "text", ["1 " * 100000, "a@" * 50000, "DE12" * 50000, "+1 " * 50000, "4" * 200000]
)
def test_texts_made_to_take_long_do_not(pygw_hook: MakeHook, text: str) -> None:
    both = Both(pygw_hook, patterns=ALL)
    assert len(both.masked(json.dumps(text))) > 0


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({}, "has nothing to do"),
        ({"patterns": ["cards"]}, "config.patterns has cards: known are card, email, iban, phone"),
        ({"fields": ["a..b"]}, "config.fields[0] must be names with one dot between"),
        ({"fields": ["a", "a.**"]}, "config.fields[1] may have ** once"),
        ({"fields": ["**.a.**.b"]}, "config.fields[0] may have ** once"),
        ({"fields": [".".join("a" * 17)]}, "config.fields[0] has more than 16 names"),
        ({"fields": ["a"], "keep_last": 5}, "keep_last: must be at most 4"),
    ],
)
def test_a_wrong_configuration_of_masks_is_refused(
    pygw_hook: MakeHook, config: dict[str, object], problem: str
) -> None:
    assert problem in refused(pygw_hook, "mask_pii", config, body="buffered")
