"""Whether what left the gateway is what may leave it, given what came in.

Owns: the verdict on one played case. Every byte in both directions passes the strict lint; and
where no filter changes anything:
- no more whole requests reach origins than the strict reader finds in what clients sent, and none
  with other bytes: a request the strict reader refuses has reached nobody, nor has one behind it;
- a whole answer a client got is one that an origin sent whole, or the gateway's own;
- what a mirror got whole is what a client sent whole, each at most once, and what it says no client
  gets.
What the gateway forgives on purpose and the strict reader does not stands in `FORGIVEN`.
Never does: play. Read next: `engine`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from tests.peers.lint import lint_client_link, lint_origin_link
from tests.peers.wire import (
    Cut,
    Message,
    Source,
    WireError,
    read_request,
    read_response,
    source_of,
)
from tests.unit.memory import Client, Origin

# Refusals of the strict reader that are not the gateway's: a case with one is judged by the lint
# alone. Framing on a 204 or a 1xx is dropped (RFC 9110 8.6); a length of 19 digits below 2^63 is a
# length, a chunk size may begin with many zeros (RFC 9112 7.1); Trailer is no hop-by-hop field
# (RFC 9110 6.6.2); a status line without a reason may miss the space before it.
FORGIVEN = re.compile(
    r"framing on 1xx or 204|Trailer leaks|bad Content-Length .*Length: *[0-9]{19}\\r"
    r"|bad chunk size line .*b'0[0-9A-Fa-f]{15}|bad status line .*b'HTTP/1\.[01] [1-5]\d\d'"
)


# Fields of one hop, of the framing, and those the gateway writes itself.
OURS = frozenset(
    b"connection keep-alive proxy-connection proxy-authorization te trailer transfer-encoding "
    b"upgrade content-length host via forwarded x-request-id traceparent tracestate expect".split()
)
SHADOW = 9100  # where copies go
URL_HOST = bytes(set(range(33, 127)) - set(b"/?"))
EMPTY_LINES_MAX = 4  # before a request; one more is refused


class Forgiven(Exception):
    """The strict reader can not say what this case should have become."""


def judge(plan: str, clients: Sequence[Client], origins: Sequence[Origin]) -> None:
    """Raises WireError for the first thing that is wrong."""
    try:
        answers = [one for client in clients for one in _answers(client)]
        requests = [one for origin in origins for one in _requests(origin)]
        if plan == "bare":
            _judge_requests(clients, requests)
            _judge_answers(answers, origins)
        if plan == "mirror":
            serving = [one for one in origins if not _is_shadow(one)]
            copies = [one for origin in origins if _is_shadow(origin) for one in _requests(origin)]
            _judge_requests(clients, [one for origin in serving for one in _requests(origin)])
            _judge_requests(clients, copies, once=False)
            _judge_answers(answers, serving)
    except Forgiven:
        pass


def _lenient(error: WireError) -> WireError:
    if FORGIVEN.match(str(error)):
        raise Forgiven from error
    return error


def _answers(client: Client) -> list[Message]:
    """The lint of one client's side. A cut is no fault here: that it can be seen is judged below.

    A HEAD that is refused before its method is known is answered with a body.
    """
    recording = client.recording()
    recording.cut_allowed = True
    recording.methods = _methods(bytes(client.sent))
    try:
        return lint_client_link(recording)  # type: ignore[arg-type]
    except WireError as error:
        if b"HEAD" not in recording.methods or b"HTTP/1.1 4" not in recording.received:
            raise _lenient(error) from None
        last = len(recording.methods) - recording.methods[::-1].index(b"HEAD") - 1
        recording.methods[last] = b"GET"
        return lint_client_link(recording)  # type: ignore[arg-type]


def _requests(origin: Origin) -> list[Message]:
    """The lint of one origin's side, likewise."""
    recording = origin.recording()
    recording.cut_allowed = True
    try:
        return lint_origin_link(recording)  # type: ignore[arg-type]
    except WireError as error:
        raise _lenient(error) from None


def _next_request(source: Source) -> Message | None:
    """The next request, empty lines before it passed over (RFC 9112 2.2); None: no whole one."""
    source.more()  # a recording comes in one piece
    while source.buffer[:2] == b"\r\n":
        source.exactly(2, bytearray())
    try:
        return None if source.idle() else read_request(source)
    except Cut:
        return None


def _strict(sent: bytes) -> list[Message]:
    """The whole requests at the beginning of what a client sent, as the strict reader sees them."""
    source, found = source_of(sent), []
    try:
        while (one := _next_request(source)) is not None:
            one.target = _target_that_leaves(one)
            found.append(one)
    except (Cut, WireError) as error:
        if isinstance(error, WireError):
            _lenient(error)
    return found


def _methods(sent: bytes) -> list[bytes]:
    """The methods of the requests; one that is not whole or not right counts, nothing after it.

    Its method counts for nothing: an answer to a head that was refused may have a body.
    """
    whole = _strict(sent)
    source = source_of(sent)
    for _ in whole:
        _next_request(source)
    rest = sent[source.offset :]
    for _ in range(EMPTY_LINES_MAX):
        rest = rest.removeprefix(b"\r\n")
    return [one.method for one in whole] + ([b"GET"] if rest else [])


def _target_that_leaves(request: Message) -> bytes:
    """Origin form, or the asterisk (RFC 9112 3.2.1, 3.2.2, 3.2.4)."""
    if request.target[:7].lower() != b"http://":
        return request.target
    rest = request.target[7:].lstrip(URL_HOST)
    if not rest and request.method == b"OPTIONS":
        return b"*"
    return rest if rest[:1] == b"/" else b"/" + rest


def _compared(name: bytes) -> bool:
    """Whether a field must leave as it came; what begins with X-Forwarded is the gateway's."""
    folded = name.replace(b"_", b"-")
    return name not in OURS and not folded.startswith((b"x-forwarded-", b"x-real-ip"))


def _essence(message: Message) -> tuple[object, ...]:
    """What must leave as it came: method, target, end-to-end fields, body."""
    listed = message.listed("Connection")
    fields = [(name.lower(), value) for name, value in message.fields if _compared(name.lower())]
    kept = tuple(field for field in fields if field[0] not in listed)
    return message.method, message.target, kept, message.body


def _is_shadow(origin: Origin) -> bool:
    return origin.address.endswith(f":{SHADOW}")


def _judge_requests(
    clients: Sequence[Client], requests: Sequence[Message], once: bool = True
) -> None:
    """Retries carry the ids of their first attempt: each exchange counts once; copies have none."""
    sent = Counter(_essence(one) for client in clients for one in _strict(bytes(client.sent)))
    ids = {(tuple(one.all("X-Request-ID")), tuple(one.all("traceparent")[:1])): one
           for one in requests if one.complete}  # fmt: skip
    for message in ids.values() if once else (one for one in requests if one.complete):
        shape = _essence(message)
        if not sent[shape]:
            raise WireError("a request nobody sent like this", "RFC 9112 11.2", 0, message.head)
        sent[shape] -= 1


def _judge_answers(answers: Sequence[Message], origins: Sequence[Origin]) -> None:
    given: set[tuple[int, bytes]] = set()
    for origin in origins:
        source = source_of(bytes(origin.sent), "rst" if origin.was_reset else "fin")
        try:
            for one in origin.requests():
                answer = read_response(source, one.method)
                given.add((answer.status, answer.body))
        except Cut:
            pass
        except WireError as error:
            _lenient(error)
    for answer in answers:
        own = answer.all("Proxy-Status")
        if answer.complete and not own and (answer.status, answer.body) not in given:
            raise WireError("an answer no origin gave", "RFC 9112 11.1", 0, answer.head)
