"""Python hooks in a chain: what they see, what they may do, what becomes of what they do."""

from __future__ import annotations

import ast
import gc
from typing import Any

import pytest

from tests.unit.memory import GET, OK, ok, post, serving
from tests.unit.python_hooks import exchange, python, waiting

KEYED = b"GET /a%20b?q=1 HTTP/1.1\r\nHost: a\r\nX-Key: k\xe9\r\nx-two: 1\r\nX-Two: 2\r\n\r\n"


def seen(source: str, request: bytes = KEYED) -> str:
    """What the source put into `out`, as text that a reply carries."""
    lines = "\n".join("    " + line for line in source.splitlines())
    with serving(python(f"def h(req):\n{lines}\n    return Reply(200, repr(out))")) as gate:
        answer = exchange(gate, request).answer
        assert answer.status == 200, answer
        return answer.body.decode()


def test_the_head_is_read_as_str_or_as_bytes() -> None:
    assert seen('out = req.headers["x-key"], req.headers[b"X-KEY"]') == r"('ké', b'k\xe9')"
    assert seen('out = req.headers.get("no"), req.headers.get("no", 1)') == "(None, 1)"
    assert seen('out = req.headers.getall("x-two"), "x-two" in req.headers') == "(['1', '2'], True)"
    assert seen("out = len(req.headers), list(req.headers)") == (
        "(4, ['Host', 'X-Key', 'x-two', 'X-Two'])"
    )
    assert seen("out = req.headers.items()[2:]") == "[('x-two', '1'), ('X-Two', '2')]"
    assert seen("out = dict(req.headers)['x-two']") == "'1'"


def test_the_line_and_the_client_are_read() -> None:
    assert seen("out = req.method, req.path, req.query") == "('GET', '/a%20b', 'q=1')"
    assert seen("out = req.client, req.version, req.scheme, req.authority, req.phase") == (
        "('192.0.2.1', '1.1', 'http', 'a', 'request')"
    )
    assert len(seen("out = req.id")) == 38
    assert seen("out = req.route, req.params") == "('r1', {})"


def test_edits_reach_the_service() -> None:
    source = """
    def h(req):
        req.headers["X-User"] = "anna"
        req.headers.add(b"x-user", b"b\\xe9")
        del req.headers["x-two"]
        req.method, req.path, req.query = "POST", "/new", "a=2"
    """
    with serving(python(source)) as gate:
        exchange(gate, KEYED)
        got = gate.origin.request
        assert got.all("x-user") == [b"anna", b"b\xe9"]
        assert got.all("x-two") == []
        assert (got.method, got.target) == (b"POST", b"/new?a=2")


def test_a_response_hook_sees_and_edits_both() -> None:
    source = """
    @hook(phase="response")
    def h(req, resp):
        resp.status = resp.status + 3
        resp.headers["x-path"] = req.path
        del resp.headers["x-old"]
    """
    with serving(python(source)) as gate:
        answer = exchange(gate, GET, ok(b"hi", b"X-Old: 1")).answer
        assert (answer.status, answer.all("x-path"), answer.all("x-old")) == (203, [b"/"], [])


def test_a_reply_has_status_body_type_and_fields() -> None:
    source = """
    def h(req):
        return Reply(401, "nö\\n", {"WWW-Authenticate": "Key"})
    """
    with serving(python(source)) as gate:
        answer = exchange(gate).answer
        assert (answer.status, answer.body) == (401, "nö\n".encode())
        assert answer.one("content-type") == b"text/plain; charset=utf-8"
        assert answer.one("www-authenticate") == b"Key"
        assert gate.origins == []


def test_abort_cuts_without_an_answer() -> None:
    with serving(python("def h(req):\n    return ABORT")) as gate:
        client = exchange(gate)
        assert client.ended == "open" or client.received == b"" or client.statuses == [502]


def test_a_class_has_methods_by_phase_and_its_state() -> None:
    source = """
    class H:
        def __init__(self, header: str, times: int = 2):
            self.header, self.times, self.seen = header, times, 0
        def request(self, req):
            self.seen += 1
            req.headers[self.header] = str(self.seen * self.times)
        def response(self, req, resp):
            resp.headers["x-seen"] = str(self.seen)
    """
    with serving(python(source, "H", config={"header": "x-n"})) as gate:
        client = gate.client(GET + GET)
        for number in (1, 2):
            assert gate.origin.requests()[-1].all("x-n") == [str(2 * number).encode()]
            gate.origin.send(OK)
        assert [one.one("x-seen") for one in client.answers()] == [b"1", b"2"]


def test_whole_bodies_are_read_and_replaced() -> None:
    source = """
    class H:
        def request_body(self, req):
            req.headers["x-size"] = str(len(req.body))
            req.body = req.body.upper()
        def response_body(self, req, resp):
            resp.body = b"<" + resp.body + b">"
    """
    with serving(python(source, "H")) as gate:
        client = gate.client(post(b"abc"))
        got = gate.origin.request
        assert (got.body, got.one("x-size")) == (b"ABC", b"3")
        gate.origin.send(ok(b"hi"))
        assert client.answer.body == b"<hi>"


def test_streamed_bodies_come_in_pieces() -> None:
    source = """
    @hook(phase="response_body", body="stream")
    def h(req, resp):
        resp.body = resp.body + (b"!" if resp.last else b",")
    """
    with serving(python(source)) as gate:
        client = gate.client(GET)
        gate.origin.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")
        gate.origin.send(b"cd")
        assert client.answer.body in (b"ab,cd!", b"ab,cd,!")


def test_variables_are_shared_along_the_chain() -> None:
    one = 'def h(req):\n    req.vars["user"] = "änna"\n    req.vars[b"raw"] = b"\\xff"'
    two = """
    def h(req):
        found = req.vars["user"], req.vars[b"raw"], req.vars.get("no"), "raw" in req.vars
        return Reply(200, repr(found))
    """
    with serving(python(one), python(two, name="h2")) as gate:
        assert exchange(gate).answer.body.decode() == r"('änna', b'\xff', None, True)"


def test_the_log_phase_sees_what_became_of_it() -> None:
    source = """
    seen = []
    @hook(phase="log")
    def h(req, resp):
        seen.append((req.copy(), resp.copy()))
        h.seen = seen
    """
    entry = python(source)
    with serving(entry) as gate:
        exchange(gate)
        (request, response) = function_of(entry).seen[0]
        assert (request.path, response.status) == ("/", 200)
        assert request.headers["HOST"] == "a"


def function_of(entry: Any) -> Any:
    """The function that a served entry runs."""
    from pygw._core.runtimes import python_code

    made = python_code.make(entry["code"].encode(), entry["file"], entry["config"])
    return next(iter(made.functions.values()))


VIEWS = ("req", "req.headers", "req.vars")
USES = (
    "req.path",
    "req.headers['host']",
    "headers.get('host')",
    "headers.set('a', 'b')",
    "variables['a']",
    "len(headers)",
    "list(headers)",
    "req.copy()",
    "setattr(req, 'path', '/x')",
    "req.id",
)


@pytest.mark.parametrize("use", USES)
def test_a_view_kept_past_its_run_raises_gone(use: str) -> None:
    source = f"""
    def h(req):
        kept = getattr(h, "kept", None)
        h.kept = req, req.headers, req.vars
        if kept:
            req, headers, variables = kept
            try:
                {use}
            except Gone:
                return Reply(200, "gone")
            return Reply(200, "still there")
    """
    with serving(python(source)) as gate:
        client = gate.client(GET + GET)
        gate.origin.send(OK)
        assert client.answers()[1].body == b"gone"


def test_names_that_share_a_place_among_hook_names_keep_their_meaning() -> None:
    # The last byte and the length choose one of HOOK_NAMES = 8 places: these meet in few of them.
    stems = ("", "x-", "abcdef-", "abcdefgh", "abcdefghijk-", "abcdefghijklmn-", "abcdefghijklmnop")
    fine = [stem + last for stem in stems for last in "aiqAIQ019"]
    bad = [stem + last for stem in stems for last in (" ", "\n", "\0", "(", "\xe9")]
    ours = ["te", "upgrade", "connection", "keep-alive", "Content-Length", "Transfer-Encoding"]
    source = f"""
    def h(req):
        told = []
        for _ in range(2):
            for fine, bad, ours in zip({fine!r}, {bad!r} * 9, {ours!r} * 99):
                for name in (fine, bad, ours, fine):
                    try:
                        req.headers[name] = "1"
                        told.append(name)
                    except Refused as error:
                        told.append("ours" if "itself" in str(error) else "bad")
                assert req.headers[fine] == "1"
        return Reply(200, repr(told))
    """
    with serving(python(source)) as gate:
        told = ast.literal_eval(exchange(gate).answer.body.decode())
    wanted = [answer for name in fine for answer in (name, "bad", "ours", name)]
    assert told == wanted * 2


PARTS = {
    "req": "kept[0].path",
    "req.headers": "len(kept[0])",
    "req.vars": "kept[0]['a']",
    "resp": "kept[0].status",
    "resp.headers": "len(kept[0])",
}


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_a_hook_kept_is_gone_and_not_the_next_runs(part: str) -> None:
    source = f"""
    @hook(phase="response")
    def h(req, resp):
        kept = h.__dict__.setdefault("kept", [])
        kept.append({part})
        resp.headers["x-seen"] = req.path
        if len(kept) == 2:
            assert kept[0] is not kept[1]
            try:
                {PARTS[part]}
            except Gone:
                resp.headers["x-seen"] = "gone"
    """
    with serving(python(source)) as gate:
        client = gate.client(GET + GET)
        for _ in range(2):
            gate.origin.send(OK)
        assert [answer.all("x-seen") for answer in client.answers()] == [[b"/"], [b"gone"]]


def test_views_that_nobody_kept_serve_the_next_run() -> None:
    source = """
    @hook(phase="response")
    def h(req, resp):
        resp.headers["x-same"] = str([id(req), id(req.headers), id(resp), id(resp.headers)])
    """
    with serving(python(source)) as gate:
        client = gate.client(GET + GET)
        for _ in range(2):
            gate.origin.send(OK)
        first, second = client.answers()
        assert first.all("x-same") == second.all("x-same")


@pytest.mark.parametrize(
    "value", ["a\\r\\nX: y", "a\\nb", "a\\0b", " a", "a\\x7f", "\\u20ac", "a" * 2_000_000]
)
def test_no_value_that_the_wire_forbids_leaves_through_a_hook(value: str) -> None:
    source = f"""
    def h(req):
        try:
            req.headers["x-a"] = "{value}"
        except Refused as error:
            return Reply(200, str(error))
    """
    with serving(python(source)) as gate:
        assert exchange(gate).answer.body.startswith(b"x-a: ") or "20ac" in value
        assert gate.origins == []


def test_text_of_a_class_of_its_own_is_taken_as_it_is_whatever_it_says_of_itself() -> None:
    source = """
    class Odd(str):
        def encode(self, *args): return 7
        def __str__(self): return "a\\r\\nb"
        def __len__(self): return 1 << 40
        def __bytes__(self): return b"\\n"
    def h(req):
        req.log(Odd("logged"))
        req.vars[Odd("v")] = Odd("w\u20ac")
        req.headers[Odd("x-a")] = Odd("b\u00e9")
        req.method, req.path = Odd("PUT"), Odd("/p")
        try:
            req.headers["x-b"] = Odd("a\\nb")
        except Refused:
            return Reply(200, Odd("body"), {Odd("x-c"): req.headers["x-a"] + req.vars["v"][:1]})
    """
    with serving(python(source)) as gate:
        answer = exchange(gate).answer
        assert (answer.status, answer.body, answer.one("x-c")) == (200, b"body", b"b\xe9w")


@pytest.mark.parametrize("name", ["content-length", "Transfer-Encoding", "connection", "a b", ""])
def test_fields_of_the_gateway_are_not_a_hooks(name: str) -> None:
    for edit in (f'req.headers["{name}"] = "1"', f'req.headers.delete("{name}")'):
        with serving(python(f"def h(req):\n    {edit}")) as gate:
            assert exchange(gate).answer.status == 500


@pytest.mark.parametrize(
    "raised",
    [
        "ValueError('x')",
        "KeyboardInterrupt()",
        "SystemExit(3)",
        "GeneratorExit()",
        "MemoryError()",
        "__import__('asyncio').CancelledError()",
        "type('E', (BaseException,), {})()",
    ],
)
@pytest.mark.parametrize("policy", ["fail", "skip"])
def test_whatever_a_hook_raises_is_its_policys(raised: str, policy: str) -> None:
    for head in ("def", "async def"):
        source = f"{head} h(req):\n    raise {raised}"
        with waiting(python(source, on_error=policy)) as (turns, gate):
            client = turns.do(lambda: exchange(gate))
            assert client.answer.status == (500 if policy == "fail" else 200)


@pytest.mark.parametrize("answer", ["1", "'no'", "b''", "[]", "Reply", "(401, b'')", "object()"])
def test_an_answer_that_means_nothing_fails_the_run(answer: str) -> None:
    with serving(python(f"def h(req):\n    return {answer}")) as gate:
        assert exchange(gate).answer.status == 500


@pytest.mark.parametrize(
    "reply",
    [
        "Reply(99)",
        "Reply(600)",
        "Reply(200, '', {'a': 'b\\r\\nc: d'})",
        "Reply(200, 5)",
        "Reply(200, '', {'content-length': '3'})",
        "Reply(200, '', {}, 'a\\nb')",
    ],
)
def test_a_reply_that_the_wire_forbids_fails_the_run(reply: str) -> None:
    with serving(python(f"def h(req):\n    return {reply}")) as gate:
        assert exchange(gate).answer.status == 500


def test_a_failure_in_the_response_phases_is_a_bad_gateway() -> None:
    source = "@hook(phase='response')\ndef h(req, resp):\n    raise ValueError"
    with serving(python(source)) as gate:
        assert exchange(gate).answer.status == 502


def test_the_traceback_is_logged_and_bounded(capfd: pytest.CaptureFixture[str]) -> None:
    with serving(python("def h(req):\n    raise ValueError('bö')")) as gate:
        for _ in range(200):
            assert exchange(gate).answer.status == 500
    lines = capfd.readouterr().err.splitlines()
    assert any("Traceback" in line for line in lines)
    assert any("error hook h1: ValueError: bö (" in line for line in lines)
    assert not any("python.pyx" in line for line in lines)
    assert len(lines) <= 100


def test_hooked_requests_leave_no_object_behind() -> None:
    source = """
    class H:
        def request(self, req):
            req.headers["x-a"] = req.headers.get("host", "")
        def response(self, req, resp):
            resp.headers["x-b"] = "1"
    """
    with serving(python(source, "H")) as gate:

        def some(count: int) -> int:
            for _ in range(count):
                client = gate.client(GET)
                gate.origin.send(OK)
                client.finish()
            gate.clients.clear()
            gc.collect()
            return len(gc.get_objects())

        some(20)
        before = some(20)
        assert some(200) - before < 50
