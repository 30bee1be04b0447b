"""Where the fuzzer begins: every message of the corpus, and flows of several messages.

Owns: the seeds. Never does: judge them. Read next: `mutate`.
"""

from __future__ import annotations

from tests.corpus import ALL
from tests.fuzz.case import ANSWER, Case, Event, client, origin

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED_POST = b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
PUT = b"PUT /p HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"
EXPECT = PUT[:-2] + b"Expect: 100-continue\r\n\r\n"
UPGRADE = b"GET /w HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n"
CHUNKED_OK = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LARGEST = 6000  # longer messages of the corpus are about limits, not about paths


def finish(side: str, who: int = 0) -> Event:
    return Event("finish", side, who)


def reset(side: str, who: int = 0) -> Event:
    return Event("reset", side, who)


def window(side: str, size: int) -> Event:
    return Event("window", side, 0, number=size)


def time(ms: int) -> Event:
    return Event("time", number=ms)


def connects(word: str) -> Event:
    return Event("connects", word=word)


def flows() -> list[tuple[Event, ...]]:
    """Exchanges in which something happens beside the messages."""
    big = b"x" * 70_000
    long_head = GET[:-2] + b"X-Long: " + b"y" * 18_000 + b"\r\n\r\n"
    body = b"0123456789"
    return [
        (client(GET), ANSWER, client(GET), ANSWER, finish("client")),
        (client(GET * 4), ANSWER, ANSWER, ANSWER, ANSWER),
        (client(GET), origin(OK + OK), client(GET), ANSWER),
        (client(PUT + body), ANSWER, client(PUT), client(body, 3), ANSWER),
        (client(PUT + body[:4]), origin(OK), client(body[4:] + GET), ANSWER),
        (client(CHUNKED_POST + b"3\r\nabc\r\n"), client(b"2\r\nde\r\n0\r\nX-T: 1\r\n\r\n"), ANSWER),
        (client(CHUNKED_POST + b"3\r\nabc\r\n"), origin(OK), client(b"0\r\n\r\n" + GET), ANSWER),
        (client(GET), origin(CHUNKED_OK + b"3\r\nabc\r\n"), origin(b"0\r\nX-U: 2\r\n\r\n")),
        (client(GET), origin(b"HTTP/1.1 200 OK\r\n\r\nto the end"), finish("origin")),
        (client(GET), origin(b"HTTP/1.0 200 OK\r\n\r\nold"), reset("origin")),
        (client(GET), origin(HINTS), origin(HINTS + OK), client(GET), ANSWER),
        (window("client", 0), client(GET), origin(HINTS), origin(HINTS), origin(OK),
         window("client", -1)),
        (client(EXPECT), origin(b"HTTP/1.1 100 Continue\r\n\r\n"), client(body), ANSWER),
        (client(EXPECT), origin(b"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n"), client(body)),
        (client(UPGRADE + b"up"), origin(SWITCH + b"down"), client(b"ping"), origin(b"pong"),
         finish("client"), origin(b"last"), finish("origin")),
        (client(UPGRADE), origin(OK), client(GET), ANSWER),
        (client(long_head, 4096), ANSWER, client(GET), ANSWER),
        (client(GET), origin(b"HTTP/1.1 200 OK\r\nX-Long: " + b"y" * 20_000 + b"\r\n\r\n", 4096)),
        (client(PUT.replace(b"10", b"70000") + big), ANSWER),
        (client(GET), origin(OK.replace(b" 2", b" 70000")[:-2] + big, 8192), client(GET), ANSWER),
        (window("client", 100), client(GET), origin(OK.replace(b" 2", b" 70000")[:-2] + big),
         Event("take", number=5000), Event("take", number=65536), window("client", -1)),
        (connects("hold"), client(PUT + body), Event("accept"), ANSWER),
        (connects("refuse"), client(GET), connects("accept"), client(GET), ANSWER),
        (connects("hold"), client(PUT + body), time(3000), ANSWER),
        (client(GET), ANSWER, client(PUT + body[:5]), reset("origin"), client(body[5:]), ANSWER),
        (client(GET), ANSWER, client(CHUNKED_POST.replace(b"POST", b"PUT") + b"3\r\nabc\r\n"),
         finish("origin"), client(b"3\r\ndef\r\n0\r\n\r\n"), ANSWER),
        (client(GET), ANSWER, client(GET), finish("origin"), ANSWER),
        (client(GET), ANSWER, client(GET), origin(HINTS), reset("origin"), ANSWER),
        (client(GET), client(GET, who=1), client(GET, who=2), ANSWER, reset("client"), ANSWER),
        (client(GET), time(1500), client(GET), ANSWER),
        (client(b"GET / HT"), time(2500), client(b"more")),
        (client(PUT + body[:2]), time(2500), client(body[2:])),
        (client(GET), origin(OK[:-1]), time(2500), client(GET), ANSWER),
        (client(PUT + body), origin(OK), reset("origin", 1), client(GET), ANSWER),
        (client(GET), origin(SWITCH + b"no"), origin(OK, who=1), client(PUT + body), ANSWER),
    ]  # fmt: skip


def seeds() -> list[Case]:
    """All of them; each flow with each plan."""
    found = []
    for case in ALL:
        if len(case.data) > LARGEST:
            continue
        if case.kind == "request":
            found.append(Case("bare", (client(case.data), ANSWER, client(GET), ANSWER)))
        else:
            asked = GET.replace(b"GET", b"HEAD") if case.head_request else GET
            events = (client(asked), origin(case.data), finish("origin"), client(GET), ANSWER)
            found.append(Case("bare", events))
    for plan in ("bare", "edits", "waits", "holds", "answer", "mirror", "copies"):
        found += [Case(plan, events) for events in flows()]
    return found
