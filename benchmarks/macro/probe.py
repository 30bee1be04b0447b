"""The proof of equal work: one request through each peer, looked at on both sides.

Runs before any round; opens plain sockets to a started peer. Read next: rounds.py.
"""

from __future__ import annotations

import http.client
import io
import re
import socket
from dataclasses import dataclass
from email.message import Message

from benchmarks.macro.cases import HEAD_PATH, ORIGIN_ANSWERS, Case

_HEX = "[0-9a-fA-F]"
# Name (lower case) -> what its value must look like when it reaches the origin.
ADDED_TO_REQUEST = {
    "x-forwarded-for": r"127\.0\.0\.1",
    "x-forwarded-proto": "http",
    "x-forwarded-host": r"127\.0\.0\.1:\d+",
    "via": r"1\.1 \S+",
    "x-request-id": r"[\w-]{16,}",
    "traceparent": f"00-{_HEX}{{32}}-{_HEX}{{16}}-{_HEX}{{2}}",
}
# And by a hook.
HOOKED_REQUEST, HOOKED_RESPONSE = {"x-user": "1"}, {"x-hook": "1"}
ADDED_TO_RESPONSE = {"x-request-id": r"[\w-]{16,}"}
TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Seen:
    """One answer: its status, headers and body."""

    status: int
    headers: Message
    body: bytes


def request_send(port: int, request: bytes) -> Seen:
    """Send one request and read its answer whole."""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as connection:
        connection.sendall(request)
        response = http.client.HTTPResponse(connection)
        response.begin()
        return Seen(response.status, response.msg, response.read())


def _headers_check(what: str, headers: Message, wanted: dict[str, str]) -> list[str]:
    """Return one sentence for each wanted header that is missing, doubled or malformed."""
    problems = []
    for name, pattern in wanted.items():
        values = headers.get_all(name, [])
        if len(values) != 1:
            problems.append(f"{what} has {len(values)} {name} headers, not 1")
        elif re.fullmatch(pattern, values[0]) is None:
            problems.append(f"{what} has {name}: {values[0]!r}, which is malformed")
    return problems


def head_check(case: Case, port: int, *, adds_headers: bool, hooked: bool) -> list[str]:
    """Check what the origin receives for a case; return what is wrong."""
    host = f"127.0.0.1:{port}"
    seen = request_send(port, case.request(host, HEAD_PATH))
    start, _, rest = seen.body.partition(b"\r\n")
    received = http.client.parse_headers(io.BytesIO(rest))
    problems = []
    if start.decode() != f"{case.method} {HEAD_PATH} HTTP/1.1":
        problems.append(f"the origin received the request line {start!r}")
    if received.get_all("host") != [host]:
        problems.append(f"Host is not preserved: {received.get_all('host')}")
    for name, value in case.headers:
        if name != "Connection" and received.get_all(name) != [value]:
            problems.append(f"the origin received {name}: {received.get_all(name)}")
    if adds_headers:
        problems += _headers_check("the forwarded request", received, ADDED_TO_REQUEST)
        problems += _headers_check("the answer", seen.headers, ADDED_TO_RESPONSE)
    if hooked:
        problems += _headers_check("the forwarded request", received, HOOKED_REQUEST)
        problems += _headers_check("the answer", seen.headers, HOOKED_RESPONSE)
    return problems


def answer_check(case: Case, port: int) -> list[str]:
    """Check the answer to the very request that the load repeats; return what is wrong."""
    seen = request_send(port, case.request(f"127.0.0.1:{port}"))
    wanted = ORIGIN_ANSWERS[case.path]
    if seen.status != 200 or len(seen.body) != wanted:
        return [f"status {seen.status} with {len(seen.body)} bytes, not 200 with {wanted}"]
    return []


def peer_check(case: Case, port: int, *, adds_headers: bool, hooked: bool = False) -> list[str]:
    """Return everything that makes figures of this peer in this case unfair or wrong."""
    try:
        head = head_check(case, port, adds_headers=adds_headers, hooked=hooked)
        return head + answer_check(case, port)
    except (OSError, http.client.HTTPException) as error:
        return [f"the probe failed: {error!r}"]
