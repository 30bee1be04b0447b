"""The filter `gzip`: what is compressed for whom, and what becomes of the fields."""

from __future__ import annotations

import json
import zlib
from random import Random
from typing import Any

import pytest
from pygw._core.probe.filters import PlanError

from pygw._core.libs import zlib as library
from tests.peers.wire import Message
from tests.unit.memory import chunked, serving
from tests.unit.plans import through

if library.info is None:
    pytest.skip("there is no zlib", allow_module_level=True)

JSON = b"Content-Type: application/json"
TEXT = json.dumps([{"id": number, "name": f"user {number}"} for number in range(200)]).encode()
Json = dict[str, Any]


def gzip(**changes: Any) -> Json:
    types = ["text/*", "application/json", "application/*+json"]
    return {"filter": "gzip", "level": 1, "min_length": 1024, "types": types} | changes


def get(*fields: bytes, method: bytes = b"GET", accept: bytes | None = b"gzip") -> bytes:
    lines = [method + b" / HTTP/1.1", b"Host: a", *fields]
    if accept is not None:
        lines.append(b"Accept-Encoding: " + accept)
    return b"\r\n".join(lines) + b"\r\n\r\n"


def head(*fields: bytes, status: bytes = b"200 OK") -> bytes:
    return b"\r\n".join([b"HTTP/1.1 " + status, *fields]) + b"\r\n\r\n"


def sized(body: bytes, *fields: bytes, status: bytes = b"200 OK") -> bytes:
    return head(b"Content-Length: %d" % len(body), *fields, status=status) + body


def ask(request: bytes, response: bytes, *filters: Json, **changes: Any) -> Message:
    """The one answer to a request that the origin answers so."""
    with serving(*(filters or (gzip(**changes),))) as gate:
        client = gate.client(request)
        gate.origin.send(response)
        return client.answer


def plain(answer: Message) -> bytes:
    """Its content, which must be compressed."""
    assert answer.all("Content-Encoding") == [b"gzip"]
    assert answer.complete
    return zlib.decompress(answer.body, 31)


def test_response_of_a_listed_type_is_compressed() -> None:
    answer = ask(get(), sized(TEXT, JSON, b"Accept-Ranges: bytes"))
    assert plain(answer) == TEXT
    assert len(answer.body) < len(TEXT) // 3
    assert answer.framing == "chunked"
    assert answer.all("Content-Length") == answer.all("Accept-Ranges") == []
    assert answer.all("Vary") == [b"Accept-Encoding"]


@pytest.mark.parametrize("level", range(1, 10))
def test_each_level_gives_the_same_content(level: int) -> None:
    assert plain(ask(get(), sized(TEXT, JSON), level=level)) == TEXT


def test_chunked_response_is_compressed_and_keeps_its_trailers() -> None:
    body = chunked(TEXT[:3000], TEXT[3000:], trailers=b"X-T: 1\r\n")
    answer = ask(get(), head(JSON, b"Transfer-Encoding: chunked") + body)
    assert plain(answer) == TEXT


def test_response_that_ends_with_its_connection_is_compressed() -> None:
    with serving(gzip()) as gate:
        client = gate.client(get())
        gate.origin.send(head(JSON) + TEXT)
        gate.origin.finish()
        assert plain(client.answer) == TEXT


@pytest.mark.parametrize("size", [0, 1, 16_383, 16_384, 16_385, 1_000_000])
def test_body_of_any_size_and_cut_comes_out_whole(size: int) -> None:
    text = (TEXT * (size // len(TEXT) + 1))[:size]
    with serving(gzip(min_length=0)) as gate:
        client = gate.client(get())
        gate.origin.send(head(JSON, b"Transfer-Encoding: chunked"))
        gate.origin.send(chunked(text) if text else b"0\r\n\r\n", 50_000)
        assert plain(client.answer) == text


def test_bytes_that_do_not_compress_come_out_whole() -> None:
    noise = Random(1).randbytes(100_000)
    assert plain(ask(get(), sized(noise, JSON))) == noise


@pytest.mark.parametrize(
    ("accept", "compressed"),
    [
        (b"gzip", True),
        (b"GZIP", True),
        (b"x-gzip", True),
        (b"br, gzip;q=0.5", True),
        (b"deflate , gzip ; q=1.0", True),
        (b"*", True),
        (b"br, *;q=0.1", True),
        (b"identity;q=0, gzip", True),
        (b"identity;q=0, *", True),
        (b"gzip;q=0.001", True),
        (b"gzip;q=0.5, identity;q=0.5", True),
        (b"gzip, *;q=0", True),
        (b"gzip;q=0, x-gzip", True),
        (b"gzip;q=0", False),
        (b"gzip;q=0.000", False),
        (b"gzip;q=0, *", False),
        (b"*;q=0", False),
        (b"identity, gzip;q=0.5", False),
        (b"identity", False),
        (b"identity;q=0", False),
        (b"br", False),
        (b"gzipped", False),
        (b"gzip;q=2", False),
        (b"gzip;q=x", False),
        (b"gzip;x=1", False),
        (b"gzip;q=0.5000", False),
        (b"", False),
        (b",,", False),
        (None, False),
    ],
)
def test_client_decides_by_accept_encoding(accept: bytes | None, compressed: bool) -> None:
    answer = ask(get(accept=accept), sized(TEXT, JSON))
    if compressed:
        assert plain(answer) == TEXT
    else:
        assert answer.body == TEXT
        assert answer.all("Content-Encoding") == []
        assert answer.one("Content-Length") == b"%d" % len(TEXT)
    assert answer.all("Vary") == [b"Accept-Encoding"]


def test_accept_encoding_in_several_fields_is_one_list() -> None:
    several = get(b"Accept-Encoding: br", b"Accept-Encoding: gzip;q=0", accept=b"*")
    assert ask(several, sized(TEXT, JSON)).body == TEXT


@pytest.mark.parametrize(
    ("kind", "listed"),
    [
        (b"application/json", True),
        (b"Application/JSON; charset=utf-8", True),
        (b"application/json;charset=utf-8", True),
        (b"text/html", True),
        (b"text/event-stream", True),
        (b"application/problem+json", True),
        (b"application/+json", True),
        (b"application/jsonp", False),
        (b"application/json+x", False),
        (b"image/png", False),
        (b"context/html", False),
        (b"", False),
        (None, False),
    ],
)
def test_type_must_be_listed(kind: bytes | None, listed: bool) -> None:
    fields = [] if kind is None else [b"Content-Type: " + kind]
    answer = ask(get(), sized(TEXT, *fields))
    assert bool(answer.all("Content-Encoding")) == listed
    assert answer.all("Vary") == ([b"Accept-Encoding"] if listed else [])


def test_star_lists_every_type() -> None:
    assert plain(ask(get(), sized(TEXT, b"Content-Type: a/b"), types=["*/*"])) == TEXT


@pytest.mark.parametrize("size", [1023, 1024])
def test_length_below_the_bound_stays_and_does_not_vary(size: int) -> None:
    answer = ask(get(), sized(b"x" * size, JSON))
    assert bool(answer.all("Content-Encoding")) == (size == 1024)
    assert bool(answer.all("Vary")) == (size == 1024)


@pytest.mark.parametrize(
    "response",
    [
        sized(TEXT, JSON, b"Content-Encoding: br"),
        sized(TEXT, JSON, b"Content-Encoding: gzip"),
        sized(TEXT, JSON, b"Cache-Control: public, No-Transform"),
        sized(TEXT, JSON, b"Content-Digest: sha-256=:AA==:"),
        sized(TEXT, JSON, b"Repr-Digest: sha-256=:AA==:"),
        sized(TEXT, JSON, b"Digest: md5=AA=="),
        sized(TEXT, JSON, b"Content-MD5: AA=="),
        sized(TEXT, JSON, b"Content-Range: bytes */9", status=b"416 Range Not Satisfiable"),
        sized(TEXT, JSON, b"Content-Range: bytes 0-9/10", status=b"206 Partial Content"),
        head(JSON, status=b"204 No Content"),
    ],
)
def test_response_that_must_stay_stays_to_the_byte(response: bytes) -> None:
    answer = ask(get(), response)
    assert answer.body == response.partition(b"\r\n\r\n")[2]
    assert answer.all("Vary") == []
    if answer.status != 204:
        assert answer.one("Content-Length") == b"%d" % len(TEXT)


def test_identity_as_a_coding_is_none() -> None:
    answer = ask(get(), sized(TEXT, JSON, b"Content-Encoding: identity"))
    assert plain(answer) == TEXT


def test_client_that_wants_no_transform_gets_none() -> None:
    answer = ask(get(b"Cache-Control: no-transform"), sized(TEXT, JSON))
    assert answer.body == TEXT
    assert answer.all("Vary") == [b"Accept-Encoding"]


@pytest.mark.parametrize("vary", [b"Accept-Encoding", b"Origin, accept-ENCODING", b"*"])
def test_vary_that_says_it_already_is_left(vary: bytes) -> None:
    answer = ask(get(), sized(TEXT, JSON, b"Vary: " + vary))
    assert answer.all("Vary") == [vary]


def test_vary_of_others_is_kept_beside_ours() -> None:
    answer = ask(get(), sized(TEXT, JSON, b"Vary: Origin"))
    assert answer.all("Vary") == [b"Origin", b"Accept-Encoding"]


def test_errors_of_the_service_are_compressed_as_well() -> None:
    assert plain(ask(get(), sized(TEXT, JSON, status=b"500 Oops"))) == TEXT


def test_head_gets_the_fields_of_get_and_no_body() -> None:
    fields = (b"Content-Length: 9999", JSON, b'ETag: "a"', b"Accept-Ranges: bytes")
    answer = ask(get(method=b"HEAD"), head(*fields))
    assert answer.body == b""
    assert answer.all("Content-Encoding") == [b"gzip"]
    assert answer.all("Vary") == [b"Accept-Encoding"]
    assert answer.all("ETag") == [b'W/"a~gzip"']
    assert answer.all("Content-Length") == answer.all("Accept-Ranges") == []


def test_head_of_a_short_response_keeps_its_length() -> None:
    answer = ask(get(method=b"HEAD"), head(b"Content-Length: 9", JSON))
    assert answer.one("Content-Length") == b"9"
    assert answer.all("Content-Encoding") == answer.all("Vary") == []


def test_client_of_http_1_0_gets_it_as_it_is() -> None:
    old = b"GET / HTTP/1.0\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n"
    answer = ask(old, sized(TEXT, JSON))
    assert answer.body == TEXT
    assert answer.one("Content-Length") == b"%d" % len(TEXT)


# --- entity tags ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("came", "leaves"),
    [
        (b'"abc"', [b'W/"abc~gzip"']),
        (b'""', [b'W/"~gzip"']),
        (b'W/"abc"', [b'W/"abc"']),
        (b"abc", []),
    ],
)
def test_strong_tag_becomes_a_weak_one_with_a_mark(came: bytes, leaves: list[bytes]) -> None:
    assert ask(get(), sized(TEXT, JSON, b"ETag: " + came)).all("ETag") == leaves


def test_tag_of_what_stays_is_kept() -> None:
    assert ask(get(accept=None), sized(TEXT, JSON, b'ETag: "a"')).all("ETag") == [b'"a"']


@pytest.mark.parametrize("name", ["If-None-Match", "If-Match"])
@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (b'W/"abc~gzip"', b'"abc"'),
        (b'W/"a~gzip" , "b",W/"c", W/"d,e~gzip"', b'"a", "b", W/"c", "d,e"'),
        (b'"abc~gzip"', b'"abc~gzip"'),
        (b'W/"abc"', b'W/"abc"'),
        (b"*", b"*"),
        (b'W/"a~gzip", b', b'W/"a~gzip", b'),
    ],
)
def test_service_is_asked_with_its_own_tags(name: str, asked: bytes, told: bytes) -> None:
    with serving(gzip()) as gate:
        gate.client(get(name.encode() + b": " + asked))
        assert gate.origin.request.all(name) == [told]
        gate.origin.send(head(b"Content-Length: 0"))


@pytest.mark.parametrize(
    ("asked", "tag", "leaves"),
    [
        (b'W/"abc~gzip"', b'"abc"', b'W/"abc~gzip"'),
        (b'"x", W/"abc~gzip"', b'"abc"', b'W/"abc~gzip"'),
        (b'W/"abc~gzip"', b'"other"', b'"other"'),
        (b'"abc"', b'"abc"', b'"abc"'),
        (b'W/"abc"', b'W/"abc"', b'W/"abc"'),
    ],
)
def test_not_modified_has_the_tag_that_was_asked_with(
    asked: bytes, tag: bytes, leaves: bytes
) -> None:
    response = head(b"ETag: " + tag, status=b"304 Not Modified")
    answer = ask(get(b"If-None-Match: " + asked), response)
    assert answer.all("ETag") == [leaves]
    assert answer.all("Vary") == [b"Accept-Encoding"]


def test_revalidation_of_a_compressed_response_goes_round() -> None:
    with serving(gzip()) as gate:
        client = gate.client(get())
        gate.origin.send(sized(TEXT, JSON, b'ETag: "v1"'))
        (tag,) = client.answer.all("ETag")
        client.send(get(b"If-None-Match: " + tag))
        assert gate.origin.requests()[1].all("If-None-Match") == [b'"v1"']
        gate.origin.send(head(b'ETag: "v1"', status=b"304 Not Modified"))
        assert client.answers()[1].all("ETag") == [tag]


# --- streaming ------------------------------------------------------------------------------------


def test_each_piece_that_came_can_be_read_at_once() -> None:
    with serving(gzip()) as gate:
        client = gate.client(get())
        gate.origin.send(head(b"Content-Type: text/event-stream", b"Transfer-Encoding: chunked"))
        reader = zlib.decompressobj(31)
        seen, at = b"", 0
        for number in range(20):
            event = b"data: %d\n\n" % number
            gate.origin.send(b"%x\r\n%b\r\n" % (len(event), event))
            body = client.answer.body
            seen += reader.decompress(body[at:])
            at = len(body)
            assert seen.endswith(event)
        gate.origin.send(b"0\r\n\r\n")
        assert seen == b"".join(b"data: %d\n\n" % number for number in range(20))
        assert client.answer.complete


def test_whole_response_of_one_read_has_no_flush_inside() -> None:
    answer = ask(get(), sized(TEXT, JSON))
    assert plain(answer) == TEXT
    assert b"\0\0\xff\xff" not in answer.body  # the empty block that a flush ends with


def test_slow_reader_holds_the_service_back_and_gets_everything() -> None:
    noise = Random(1).randbytes(1 << 20)
    with serving(gzip()) as gate:
        client = gate.client()
        client.window(0)
        client.send(get())
        gate.origin.send(head(JSON, b"Content-Length: %d" % len(noise)))
        gate.origin.send(noise, 65_536)
        assert gate.origin.queued > len(noise) // 2
        assert gate.stats["live_buffer_bytes"] < 2 << 20
        client.window(None)
        assert plain(client.answer) == noise


@pytest.mark.parametrize("accept", [b"gzip", b"br"])
def test_body_that_is_worked_on_is_read_in_smaller_pieces(accept: bytes) -> None:
    with serving(gzip()) as gate:
        client = gate.client(get(accept=accept))
        gate.origin.send(head(JSON, b"Content-Length: %d" % (1 << 20)))
        gate.origin.send(b"x" * 70_000)
        gate.origin.send(b"x" * 10)
        assert (gate.stats["live_buffer_bytes"] >= 256 << 10) == (accept == b"br")
        client.reset()


def test_response_cut_by_the_service_is_cut_for_the_client() -> None:
    with serving(gzip()) as gate:
        client = gate.client(get())
        gate.origin.send(head(JSON, b"Content-Length: 9999") + TEXT[:100])
        gate.origin.finish()
        assert not client.answer.complete
        assert client.ended != "open"
        client.cut_allowed = True


@pytest.mark.parametrize("moment", ["head", "body"])
def test_client_that_leaves_gives_the_compressor_back(moment: str) -> None:
    with serving(gzip()) as gate:
        client = gate.client(get())
        gate.origin.send(head(JSON, b"Content-Length: 9999"))
        if moment == "body":
            gate.origin.send(TEXT[:100])
        assert gate.stats["live_deflaters"] == 1
        client.reset()
        assert gate.stats["live_deflaters"] == 0


# --- beside other filters -------------------------------------------------------------------------


@pytest.mark.parametrize("first", [True, False])
def test_answers_of_the_gateway_are_compressed_wherever_the_filter_stands(first: bool) -> None:
    respond = {"filter": "respond", "status": 200, "body": TEXT.decode()}
    respond["headers"] = [["Content-Type", "application/json"]]
    with serving(*((gzip(), respond) if first else (respond, gzip()))) as gate:
        client = gate.client(get() + get(accept=None) + get(method=b"HEAD"))
        first_, second, third = client.answers()
        assert plain(first_) == TEXT
        assert (second.body, third.body) == (TEXT, b"")
        assert second.one("Content-Length") == b"%d" % len(TEXT)
        assert third.all("Content-Encoding") == [b"gzip"]


def test_later_filter_that_replies_instead_is_not_compressed_unannounced() -> None:
    reply = {"filter": "test_reply", "phase": "response"}
    answer = ask(get(), sized(TEXT, JSON), gzip(), reply)
    assert (answer.status, answer.body) == (299, b"replied\n")
    assert answer.all("Content-Encoding") == []


def test_removed_content_encoding_means_content_as_it_is() -> None:
    none: Json = {"set": [], "add": [], "remove": []}
    strip = {"filter": "headers", "request": none}
    strip["response"] = none | {"remove": ["Content-Encoding"]}
    answer = ask(get(), sized(TEXT, JSON), gzip(), strip)
    assert answer.body == TEXT


def test_second_gzip_leaves_what_is_compressed() -> None:
    assert plain(ask(get(), sized(TEXT, JSON), gzip(), gzip(level=9))) == TEXT


def test_filters_in_front_change_the_content_before_it_is_compressed() -> None:
    emit = {"filter": "test_emit", "phase": "response_body", "prefix": "<<", "suffix": ">>"}
    assert plain(ask(get(), sized(TEXT, JSON), emit, gzip())) == b"<<" + TEXT + b">>"


def test_waiting_filters_in_any_place_delay_and_change_nothing() -> None:
    waits = [{"filter": "test_wait", "phase": "response_body", "ms": 20, "when": "each"}] * 2
    with serving(waits[0], gzip(), waits[1]) as gate:
        client = gate.client(get())
        gate.origin.send(head(JSON, b"Transfer-Encoding: chunked"))
        for piece in (TEXT[:1000], TEXT[1000:5000], TEXT[5000:]):
            gate.origin.send(b"%x\r\n%b\r\n" % (len(piece), piece))
            for _ in range(5):
                gate.advance(30)
        gate.origin.send(b"0\r\n\r\n")
        for _ in range(5):
            gate.advance(30)
        assert plain(client.answer) == TEXT


def test_tunnel_is_no_response_to_compress() -> None:
    upgrade = (b"Connection: upgrade", b"Upgrade: test")
    with serving(gzip()) as gate:
        client = gate.client(get(*upgrade))
        gate.origin.send(head(*upgrade, JSON, status=b"101 Switching Protocols") + TEXT)
        client.tunnel_at = client.received.index(b"\r\n\r\n") + 4
        gate.origin.tunnel_at = len(gate.origin.received)
        assert client.received[client.tunnel_at :] == TEXT
        client.reset()


def test_counters_tell_what_was_saved() -> None:
    with serving(gzip()) as gate:
        client = gate.client(get())
        gate.origin.send(sized(TEXT, JSON))
        stats = gate.stats
        assert (stats["gzip_responses"], stats["gzip_full"]) == (1, 0)
        assert stats["gzip_bytes_in"] == len(TEXT)
        assert stats["gzip_bytes_out"] == len(client.answer.body)


# --- plans ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"level": 0}, "level: must be from 1 to 9, got 0"),
        ({"min_length": -1}, "min_length: must be from 0"),
        ({"types": "text/*"}, "types: must be a list"),
        ({"types": ["a*b*"]}, r"types\[0\]: not a media type"),
        ({"types": [""]}, r"types\[0\]: not a media type"),
        ({"types": ["a/b"] * 129}, "types: has more than 128 types"),
        ({"more": 1}, "more: unknown key"),
    ],
)
def test_bad_plan_is_refused(changes: Json, message: str) -> None:
    with pytest.raises(PlanError, match=rf"middleware\[0\]\.{message}"):
        through(gzip(**changes))
