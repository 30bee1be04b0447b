"""Hostile native hooks: after each that misuses what it is given, the worker serves the next 1 000.

All of them are one shared object; a request's path says which one runs. What nothing in the process
can end (a crash, a loop, a call that blocks) is listed in docs/hooks.md.
"""

from __future__ import annotations

import pytest

from tests.unit.hostile import serves_on
from tests.unit.memory import GET, OK, Json, post, serving
from tests.unit.native_hooks import built, entry, plugin

SET = "H->header_set(C, PYGW_REQUEST"
REFUSED = "return {} == {} ? FINE : 77;"

# What a request function does; the request then fails.
FAILS = {
    "WAIT without a wait": "return PYGW_WAIT;",
    "an answer that is none": "return 5;",
    "a huge answer": "return 0x7fffffff;",
    "a negative answer": "return -1;",
    "a reply meant, not made": "return PYGW_REPLY;",
    "a failure without words": "return PYGW_FAILED;",
    "a huge reason": "static char t[1 << 20]; memset(t, 'x', sizeof t); H->fail(C, t, sizeof t);"
    " return PYGW_FAILED;",
    "a reason of control bytes": r'H->fail(C, "a\r\n\0\x1b[2J", 8); return PYGW_FAILED;',
    "an abort": "return PYGW_ABORT;",
    "an abort with a reply": 'H->reply(C, 200, "", 0, "a", 1); return PYGW_ABORT;',
}
# What is refused with a number: by its call, what it must answer.
BAD = {
    "CR LF in a value": SET + r', "x-a", 3, "a\r\nx-b: 1", 9)',
    "LF in a value": SET + r', "x-a", 3, "a\nx-b: 1", 8)',
    "NUL in a value": SET + r', "x-a", 3, "a\0b", 3)',
    "DEL in a value": SET + r', "x-a", 3, "a\x7f", 2)',
    "CR LF in a name": SET + r', "x-a\r\nx-b", 8, "a", 1)',
    "a colon in a name": SET + ', "x-a:", 4, "a", 1)',
    "a blank in a name": SET + ', "x a", 3, "a", 1)',
    "NUL in a name": SET + r', "x\0", 2, "a", 1)',
    "no name": SET + ', "", 0, "a", 1)',
    "a long name": SET + ", big, sizeof big, big, 1)",
    "a pseudo field": SET + ', ":authority", 10, "b", 1)',
    "a Host that is none": SET + ', "host", 4, "a b", 3)',
    "a Host with a path": SET + ', "host", 4, "a/b", 3)',
    "a side that is none": 'H->header_set(C, 7, "x-a", 3, "a", 1)',
    "a negative side": 'H->header_set(C, -1, "x-a", 3, "a", 1)',
    "CR LF in a path": r'H->path_set(C, "/a\r\nb", 5)',
    "a path in two readings": 'H->path_set(C, "/a/../b", 7)',
    "a path that is none": 'H->path_set(C, "*", 1)',
    "CR LF in a query": r'H->query_set(C, "a\r\nb", 4)',
    "a fragment in a query": 'H->query_set(C, "a#b", 3)',
    "two methods": r'H->method_set(C, "GET / HTTP/1.1\r\nx: ", 20)',
    "CONNECT": 'H->method_set(C, "CONNECT", 7)',
    "HEAD of a GET": 'H->method_set(C, "HEAD", 4)',
    "status 99": 'H->reply(C, 99, "", 0, "", 0)',
    "status 100": 'H->reply(C, 100, "", 0, "", 0)',
    "status 600": 'H->reply(C, 600, "", 0, "", 0)',
    "a huge status": 'H->reply(C, 0xffffffffu, "", 0, "", 0)',
    "CR LF in a reply's type": r'H->reply(C, 200, "a\r\nx: 1", 7, "", 0)',
    "CR LF in a reply's field": r'(H->reply(C, 200, "", 0, "", 0),'
    r' H->reply_header(C, "x-a", 3, "a\r\nx: 1", 7))',
    "a variable without a name": 'H->var_set(C, "", 0, "a", 1)',
    "a fetch that tells nobody": "H->fetch(C, &what, NULL, NULL)",
    "a fetch of no size": "(what.size = 0, H->fetch(C, &what, told, NULL))",
    "a level of log that is none": 'H->log(C, 99, "a", 1)',
}
FRAMING = ("content-length", "Transfer-Encoding", "connection", "keep-alive", "te", "trailer",
           "upgrade", "proxy-connection")  # fmt: skip
OURS = {
    **{f"{name} set": f'{SET}, "{name}", {len(name)}, "1", 1)' for name in FRAMING},
    "transfer-encoding added": 'H->header_add(C, 0, "transfer-encoding", 17, "chunked", 7)',
    "content-length deleted": 'H->header_del(C, 0, "content-length", 14)',
    "a second Host": 'H->header_add(C, 0, "host", 4, "b", 1)',
    "no Host": 'H->header_del(C, 0, "host", 4)',
    "framing of a reply": '(H->reply(C, 200, "", 0, "", 0),'
    ' H->reply_header(C, "transfer-encoding", 17, "chunked", 7))',
    "a length of a reply": '(H->reply(C, 200, "", 0, "", 0),'
    ' H->reply_header(C, "content-length", 14, "5", 1))',
    "Date of a reply": '(H->reply(C, 200, "", 0, "", 0), H->reply_header(C, "date", 4, "1", 1))',
}
PHASE = {
    "a response edited early": 'H->header_set(C, PYGW_RESPONSE, "x-a", 3, "a", 1)',
    "a status set early": "H->status_set(C, 204)",
    "a body set early": 'H->body_set(C, "a", 1)',
    "a field of a reply that is none": 'H->reply_header(C, "x-a", 3, "a", 1)',
}
NONE = {"a fetch that is not allowed": "H->fetch(C, &what, told, NULL)"}
FULL = {
    "a huge reply": 'H->reply(C, 200, "", 0, big, 0xfffffff0u)',
    "a huge variable": 'H->var_set(C, "a", 1, big, sizeof big)',
}
# The answer is the hook's or the service's, and nothing is wrong with it.
HARMLESS = {
    "a reply that is not meant": 'H->reply(C, 200, "", 0, "a", 1); return PYGW_NEXT;',
    "fields until no more go in": 'while (H->header_add(C, 0, "x-a", 3, big, 4000) == 0) {}'
    " return FINE;",
    "variables until no more go in": "for (uint32_t n = 0; H->var_set(C, (char *)&n, 4, big, 100)"
    " == 0; n++) {} return FINE;",
    "a walk that begins nowhere": "const pygw_header *h = (const pygw_header *)big;"
    " if (H->header_next(C, 0, h) || H->header_find(C, 0, \"host\", 4, h)) return 77; return FINE;",
    "lines without end": "for (int n = 0; n < 100000; n++) H->log(C, 3, big, sizeof big);"
    " return FINE;",
    "edits of a list that it walks": "int n = 0; const pygw_header *h = NULL;"
    ' while ((h = H->header_next(C, 0, h)) && n++ < 9) H->header_set(C, 0, "host", 4, "b", 1);'
    " return FINE;",
    "views that it overwrites": "pygw_request *r = (pygw_request *)call->request;"
    " r->header_count = 1 << 30; r->body.len = 99; r->path.len = 1; return FINE;",
    "a call that it overwrites": "pygw_call *c = (pygw_call *)call; memset(c, 0x5a, sizeof *c);"
    ' return 0;',
    "dead after a reply": 'H->reply(C, 200, "", 0, "fine", 4); H->path_set(C, "/x", 2);'
    " return PYGW_REPLY;",
}  # fmt: skip
CODES = {"PYGW_E_BAD": BAD, "PYGW_E_OURS": OURS, "PYGW_E_PHASE": PHASE, "PYGW_E_NONE": NONE,
         "PYGW_E_FULL": FULL}  # fmt: skip
CASES = {
    **{name: (code, 500) for name, code in FAILS.items()},
    **{name: (REFUSED.format(call, code), 200)
       for code, calls in CODES.items() for name, call in calls.items()},
    **{name: (code, 200) for name, code in HARMLESS.items()},
}  # fmt: skip
BEFORE = """
#define FINE (H->reply(C, 200, "", 0, "fine", 4), PYGW_REPLY)
static char big[200000];
static int told(void *s, const pygw_call *c, void *a, const pygw_fetched *g) { return 0; }
static int hostile(const pygw_call *call, int which) {
    pygw_fetch what = { sizeof what };
    memset(big, 'x', sizeof big);
    switch (which) {
    %s
    }
    return FINE;
}
"""
CHOOSE = """
    pygw_span p = call->request->path;
    int which = 0;
    for (uint32_t i = 1; i < p.len; i++) which = which * 10 + p.ptr[i] - '0';
    return p.len > 1 ? hostile(call, which) : FINE;"""


def hostile() -> Json:
    cases = "\n".join(
        f"case {n}: {{ {code} }}" for n, (code, _) in enumerate(CASES.values(), start=1)
    )
    return entry(built(plugin(before=BEFORE % cases, request=CHOOSE)))


@pytest.mark.parametrize("name", CASES)
def test_worker_serves_on_after(name: str) -> None:
    with serving(hostile()) as gate:
        for _ in range(2):
            client = gate.client(GET.replace(b"/ ", b"/%d " % (list(CASES).index(name) + 1)))
            for origin in gate.origins:
                if origin.owed:
                    origin.send(OK)
            assert client.answer.status == CASES[name][1]
        serves_on(gate)


PHASES = ("request", "request_body", "attempt", "response", "response_body", "log")
ANSWERS = {
    "failed": "return PYGW_FAILED;",
    "nonsense": "return 77;",
    "waits": "return PYGW_WAIT;",
    "aborts": "return PYGW_ABORT;",
    "reply meant": "return PYGW_REPLY;",
    "reply in any phase": 'H->reply(C, 200, "", 0, "late", 4); return PYGW_REPLY;',
    "writes everything": 'H->header_set(C, 0, "x-a", 3, "a", 1);'
    ' H->header_set(C, 1, "x-a", 3, "a", 1);'
    ' H->path_set(C, "/x", 2); H->query_set(C, "a", 1); H->method_set(C, "PUT", 3);'
    ' H->status_set(C, 201); H->body_set(C, "new", 3); H->var_set(C, "a", 1, "b", 1); return 0;',
}  # fmt: skip


def any_phase(mode: str) -> Json:
    """Does in a phase what the path says: /PHASE/ANSWER."""
    does = "\n".join(f"case {n}: {{ {code} }}" for n, code in enumerate(ANSWERS.values()))
    before = (
        "static int does(const pygw_call *call) {"
        f" switch (call->request->path.ptr[2] - '0') {{ {does} }} return 0; }}"
    )
    at = "if (call->request->path.len == 3 && call->request->path.ptr[1] - '0' == call->phase)"
    code = f"{at} return does(call);"
    fine = 'if (call->request->path.len == 1) { H->reply(C, 200, "", 0, "fine", 4); return 1; }'
    phases = dict.fromkeys(PHASES, code) | {"request": fine + code}
    return entry(built(plugin(before=before, **phases)), body=mode)


@pytest.mark.parametrize("mode", ["buffered", "stream"])
@pytest.mark.parametrize("answer", ANSWERS)
def test_worker_serves_on_after_it_in_any_phase(answer: str, mode: str) -> None:
    with serving(any_phase(mode)) as gate:
        for phase in range(len(PHASES)):
            path = b"/%d%d" % (phase, list(ANSWERS).index(answer))
            client = gate.client(post(b"some", path))
            client.cut_allowed = True
            for origin in gate.origins:
                if not origin.closed and origin.owed:
                    origin.send(OK)
                origin.cut_allowed = True
            assert client.closed or client.answer.complete, phase
        serves_on(gate)
