"""`reads` and `writes` of hooks: what is not named is not there, and cannot be written."""

from __future__ import annotations

from typing import Any

import pytest
from pygw._core.part import PlanError

from tests.unit import plans
from tests.unit.lua_hooks import lua, needs_lua, request
from tests.unit.memory import GET, OK, Json, ok, plan_of, serving
from tests.unit.native_hooks import native
from tests.unit.python_hooks import python

MASK_NAMES = 64  # limits.pxd

TARGET = b"GET /p?q=1 HTTP/1.1\r\nHost: h:1\r\nX-A: a\r\nX-B: b\r\nx-a: c\r\n\r\n"

SEEN = """
local names = {}
for i, field in ipairs(req.headers()) do names[i] = field[1] end
gw.reply(200, { seen = table.concat({ req.method, req.path, req.query, req.scheme, req.authority,
  tostring(req.version), req.client, #req.id > 0 and "id" or "", req.header("x-a") or "-",
  tostring(#req.headers("x-a")), req.header("X-B") or "-", table.concat(names, " "),
  gw.var.v or "-" }, ",") })
"""


def seen_by(reads: list[str] | None, **changes: Any) -> str:
    """What a Lua hook sees of one request; a hook before it has set the variable v."""
    before = request('gw.var.v = "V"', name="h0")
    bounds = {} if reads is None else {"reads": reads}
    with serving(before, request(SEEN, **bounds, **changes)) as gate:
        return (gate.client(TARGET).answer.one("seen") or b"").decode()


@needs_lua
@pytest.mark.parametrize(
    ("reads", "seen"),
    [
        (None, "GET,/p,q=1,http,h:1,1.1,192.0.2.1,id,a,2,b,Host X-A X-B x-a,V"),
        ([], ",,,,,0,,,-,0,-,,-"),
        (["method"], "GET,,,,,0,,,-,0,-,,-"),
        (["path", "query"], ",/p,q=1,,,0,,,-,0,-,,-"),
        (["scheme", "authority"], ",,,http,h:1,0,,,-,0,-,,-"),
        (["version", "client", "id"], ",,,,,1.1,192.0.2.1,id,-,0,-,,-"),
        (["headers"], ",,,,,0,,,a,2,b,Host X-A X-B x-a,-"),
        (["headers.x-a"], ",,,,,0,,,a,2,-,X-A x-a,-"),
        (["headers.X-B", "vars.v"], ",,,,,0,,,-,0,b,X-B,V"),
        (["vars"], ",,,,,0,,,-,0,-,,V"),
        (["vars.w", "response.headers", "status"], ",,,,,0,,,-,0,-,,-"),
    ],
)
def test_a_lua_hook_sees_what_reads_names_and_nothing_else(
    reads: list[str] | None, seen: str
) -> None:
    assert seen_by(reads) == seen


PYTHON = """
def h(req):
    out = [req.method, req.path, req.query, req.scheme, req.authority, req.version, req.client,
           "id" if req.id else "", req.headers.get("x-a", "-"), str(len(req.headers.getall("x-a"))),
           "yes" if "x-b" in req.headers else "no", " ".join(req.headers), str(len(req.headers)),
           req.vars.get("v", "-"), str(len(req.params))]
    return Reply(200, ",".join(out))
"""


@pytest.mark.parametrize(
    ("reads", "seen"),
    [
        ([], b",,,,,,,,-,0,no,,0,-,0"),
        (["method", "headers.X-A"], b"GET,,,,,,,,a,2,no,X-A x-a,2,-,0"),
        (
            ["path", "query", "scheme", "authority", "version", "client", "id"],
            b",/p,q=1,http,h:1,1.1,192.0.2.1,id,-,0,no,,0,-,0",
        ),
        (["headers", "vars"], b",,,,,,,,a,2,yes,Host X-A X-B x-a,4,V,0"),
    ],
)
def test_a_python_hook_sees_what_reads_names_and_nothing_else(
    reads: list[str], seen: bytes
) -> None:
    before = python("def h(req):\n    req.vars['v'] = 'V'", name="h0")
    with serving(before, python(PYTHON, reads=reads)) as gate:
        assert gate.client(TARGET).answer.body == seen


@needs_lua
@pytest.mark.parametrize(
    ("reads", "line"),
    [
        (["vars", "body", "response.body", "response.headers.X-S", "status"], "hi yo 1s"),
        (["vars"], "nil nil --"),
    ],
)
def test_a_body_or_status_that_is_not_read_is_not_there(
    reads: list[str], line: str, capfd: pytest.CaptureFixture[str]
) -> None:
    code = """return {
      request_body = function(req) gw.var.a = tostring(req.body) end,
      response_body = function(req, resp) gw.var.b = tostring(resp.body) end,
      response = function(req, resp)
        local there = pcall(function() return resp.status end)
        gw.var.c = (resp.header("x-s") or "-") .. (there and "s" or "-")
      end,
      log = function() gw.log("error", gw.var.a .. " " .. gw.var.b .. " " .. gw.var.c) end,
    }"""
    with serving(lua(code, reads=reads, body="buffered")) as gate:
        client = gate.client(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
        gate.origin.send(ok(b"yo", b"X-S: 1"))
        assert client.answer.body == b"yo"
    assert capfd.readouterr().err.strip().endswith(f": {line}")


WRITES = [
    ('req.set_header("x-a", "1")', "headers", "headers.x-a"),
    ('req.add_header("X-A", "1")', "headers", "headers.x-a"),
    ('req.del_header("x-a")', "headers", "headers.X-A"),
    ('req.method = "PUT"', "method", "method"),
    ('req.path = "/x"', "path", "path"),
    ('req.query = "x"', "query", "query"),
    ('gw.var.v = "1"', "vars", "vars.v"),
    ('gw.reply(200, { a = "b" }, "x")', "reply", "reply"),
]


@needs_lua
@pytest.mark.parametrize(("write", "group", "one"), WRITES)
def test_a_write_that_is_not_named_is_an_error_that_says_so(
    write: str, group: str, one: str
) -> None:
    told = [write for write, _, _ in WRITES]
    assert len(set(told)) == len(told)
    for writes, good in (([], False), ([group], True), ([one], True), (["headers.other"], False)):
        code = f"local ok, e = pcall(function() {write} end) gw.log('error', tostring(e))"
        hook = request(code + " if not ok then error(e, 0) end", writes=writes)
        with serving(hook) as gate:
            client = gate.client(GET)
            if good and gate.origins:
                gate.origin.send(OK)
            assert client.statuses == [200 if good else 500], writes


@needs_lua
def test_writes_of_the_response_have_names_of_their_own(capfd: pytest.CaptureFixture[str]) -> None:
    code = """return {
      response = function(req, resp)
        gw.log("error", tostring(pcall(resp.set_header, "x-a", "1")))
        gw.log("error", tostring(pcall(resp.set_header, "x-b", "1")))
        gw.log("error", tostring(pcall(function() resp.status = 201 end)))
      end,
      response_body = function(req, resp)
        local _, e = pcall(function() resp.body = "new" end)
        gw.log("error", tostring(e))
      end,
    }"""
    hook = lua(code, body="buffered", writes=["response.headers.x-a", "headers", "body"])
    with serving(hook) as gate:
        client = gate.client(GET)
        gate.origin.send(ok(b"old"))
        answer = client.answer
        assert (answer.status, answer.body, answer.one("x-a")) == (200, b"old", b"1")
        assert answer.one("x-b") is None
    lines = capfd.readouterr().err.splitlines()
    assert [line.rpartition(": ")[2] for line in lines][:3] == ["true", "false", "false"]
    assert lines[3].endswith("resp.body: the hook's writes does not name it")


@needs_lua
def test_a_hook_that_may_not_reply_may_not_cut_the_connection_either() -> None:
    with serving(request("gw.abort()", writes=["headers"])) as gate:
        assert gate.client(GET).statuses == [500]
    with serving(request("gw.abort()", writes=["headers"], on_error="skip")) as gate:
        client = gate.client(GET)
        gate.origin.send(OK)
        assert client.statuses == [200]


def test_python_is_refused_what_writes_does_not_name() -> None:
    hook = python(
        """
        def h(req):
            out = []
            for deed in (lambda: req.headers.set("x-a", "1"), lambda: req.headers.set("x-b", "1"),
                         lambda: setattr(req, "path", "/x"), lambda: req.headers.delete("x-b")):
                try:
                    deed()
                    out.append("done")
                except Refused as error:
                    out.append(str(error))
            return Reply(200, "|".join(out))
        """,
        writes=["headers.X-A", "reply"],
    )
    with serving(hook) as gate:
        assert gate.client(GET).answer.body.decode().split("|") == [
            "done",
            "x-b: the hook's writes does not name it",
            "path: the hook's writes does not name it",
            "x-b: the hook's writes does not name it",
        ]


def test_a_native_hook_is_masked_like_the_others() -> None:
    bounds = {"reads": ["method", "headers.X-A"], "writes": ["headers.x-a"]}
    hook = native(
        bounds,
        request="""
        const pygw_request *r = H->request(C);
        if (r->path.len || r->header_count || !r->method.len) return PYGW_FAILED;
        if (H->header_find(C, PYGW_REQUEST, "x-b", 3, NULL)) return PYGW_FAILED;
        const pygw_header *h = H->header_find(C, PYGW_REQUEST, "x-a", 3, NULL);
        if (!h || H->header_next(C, PYGW_REQUEST, NULL) != h) return PYGW_FAILED;
        if (H->header_set(C, PYGW_REQUEST, "x-b", 3, "1", 1) != PYGW_E_MASKED) return PYGW_FAILED;
        if (H->path_set(C, "/x", 2) != PYGW_E_MASKED) return PYGW_FAILED;
        if (H->header_set(C, PYGW_REQUEST, "x-a", 3, "new", 3) != 0) return PYGW_FAILED;
        if (r->header_count) return PYGW_FAILED;
        """,
    )
    with serving(hook) as gate:
        client = gate.client(TARGET)
        assert gate.origin.request.all("x-a") == [b"new"]
        gate.origin.send(OK)
        assert client.statuses == [200]


@needs_lua
@pytest.mark.parametrize(
    ("bounds", "says"),
    [
        ({"reads": ["cookies"]}, "'cookies' is nothing that a hook has"),
        ({"reads": ["headers.a b"]}, "names no field"),
        ({"reads": ["reply"]}, "reply cannot stand here"),
        ({"writes": ["client"]}, "client cannot stand here"),
        ({"writes": [1]}, "must be text"),
        ({"reads": [f"headers.x{n}" for n in range(MASK_NAMES + 1)]}, "more than 64 names"),
    ],
)
def test_a_plan_with_a_wrong_mask_is_refused(bounds: Json, says: str) -> None:
    with pytest.raises(PlanError, match=says):
        plans.build(plan_of(request("", **bounds)))
