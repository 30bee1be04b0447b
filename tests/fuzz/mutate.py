"""Changes of a case that keep it close to HTTP: tokens, numbers, lines, line ends, pieces, events.

Owns: the changes. Never does: know what a change is good for. Read next: `play`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

from tests.fuzz.case import KINDS, PLANS, SIDES, Case, Event

TOKENS = (
    b"GET", b"POST", b"HEAD", b"PUT", b"OPTIONS", b"CONNECT", b"DELETE", b"HTTP/1.1", b"HTTP/1.0",
    b"HTTP/2.0", b"Host: a", b"Host: b", b"Content-Length: 5", b"Content-Length: 0",
    b"Content-Length: 10", b"Content-Length: +5", b"Content-Length: 5, 5", b"Content-Length:",
    b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip, chunked",
    b"transfer-encoding:chunked",
    b"Transfer-Encoding: identity", b"Transfer-Encoding : chunked", b"Connection: close",
    b"Connection: keep-alive", b"Connection: upgrade, te", b"Connection: Content-Length",
    b"Upgrade: websocket", b"Upgrade: h2c", b"Expect: 100-continue", b"TE: trailers",
    b"Trailer: X-T", b"Keep-Alive: 5", b"X-Forwarded-For: 192.0.2.1", b"Via: 1.1 pygw-test",
    b"200 OK", b"100 Continue", b"101 Switching", b"103 Early Hints", b"204 No Content",
    b"304 Not Modified", b"500 X", b"0\r\n\r\n", b"5\r\nhello\r\n", b"1;a=b\r\nx\r\n", b"\r\n",
    b"\r\n\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b";", b",", b"\x85", b"\xff", b"//",
    b"/../", b"%00", b"*", b"http://a/", b"/x?y",
)  # fmt: skip
NUMBERS = (b"0", b"1", b"2", b"9", b"10", b"11", b"16", b"255", b"65535", b"65536", b"70000",
           b"00", b"-1", b"0x5", b"18446744073709551615", b"18446744073709551616",
           b"9223372036854775807", b"f", b"F", b"ffffffffffffffff")  # fmt: skip
SIZES = (0, 0, 0, 1, 2, 3, 7, 16, 100, 1460, 16383, 16384, 16385, 65536)
WINDOWS = (-1, -1, 0, 1, 5, 100, 4096, 65536)
TIMES = (1, 50, 110, 600, 1100, 2100, 5000)
DATA_MAX = 200_000
EVENTS_MAX = 24
COMMON_BYTES = b'\r\n\0 :;,="0123456789abcdefx\t\x7f\x80\xff'

Data = Callable[[bytes, Random, Sequence[bytes]], bytes]


def place(data: bytes, random: Random) -> int:
    """Any place, one near the head more often."""
    return random.randint(0, min(len(data), 300) if random.random() < 0.7 else len(data))


def put_token(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    at = place(data, random)
    return data[:at] + random.choice(TOKENS) + data[at:]


def put_line(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    ends = [match.end() for match in re.finditer(rb"\r\n", data[:2000])] or [0]
    at = random.choice(ends)
    return data[:at] + random.choice(TOKENS) + b"\r\n" + data[at:]


def change_number(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    found = list(re.finditer(rb"[0-9]+", data[:4000]))
    if not found:
        return data
    match = random.choice(found)
    value = int(match.group()[:18])
    near = b"%d" % max(0, value + random.choice((-2, -1, 1, 2)))
    fresh = near if random.random() < 0.5 else random.choice(NUMBERS)
    return data[: match.start()] + fresh + data[match.end() :]


def change_line_end(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    found = list(re.finditer(rb"\r\n", data[:4000]))
    if not found:
        return data
    match = random.choice(found)
    fresh = random.choice((b"\n", b"\r", b"\r\r\n", b"\n\r", b"", b" \r\n", b"\r\n ", b"\r\n\r\n"))
    return data[: match.start()] + fresh + data[match.end() :]


def move_lines(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    lines = data.split(b"\r\n")
    at, to = random.randrange(len(lines)), random.randrange(len(lines))
    if random.random() < 0.4:
        lines.insert(to, lines[at])
    elif random.random() < 0.5:
        del lines[at]
    else:
        lines[at], lines[to] = lines[to], lines[at]
    return b"\r\n".join(lines)


def change_bytes(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    changed = bytearray(data)
    for _ in range(random.randint(1, 3)):
        at = place(data, random)
        byte = random.choice(COMMON_BYTES) if random.random() < 0.7 else random.randrange(256)
        deed = random.randrange(3)
        if deed == 0:
            changed.insert(at, byte)
        elif at < len(changed):
            if deed == 1:
                changed[at] = byte
            else:
                del changed[at]
    return bytes(changed)


def cut(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    at = place(data, random)
    return data[:at] if random.random() < 0.6 else data[at:]


def join(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    other = random.choice(others) if others else b""
    if random.random() < 0.5:
        return data + other
    return data[: place(data, random)] + other[place(other, random) :]


def repeat(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    at, to = sorted((place(data, random), place(data, random)))
    part = data[at:to] or b"x"
    return data[:at] + part * min(random.choice((2, 3, 10, 100, 5000)), 40_000 // len(part) + 1) \
        + data[to:]  # fmt: skip


DATA: tuple[Data, ...] = (
    put_token, put_token, put_line, put_line, change_number, change_number, change_line_end,
    move_lines, change_bytes, change_bytes, cut, join, repeat,
)  # fmt: skip


def any_event(random: Random, others: Sequence[bytes]) -> Event:
    """Something else that happens."""
    kind = random.choice(KINDS)
    side = random.choice(SIDES)
    who = random.choice((0, 0, 0, 1, 2))
    number: Sequence[int] = {
        "send": SIZES,
        "window": WINDOWS,
        "take": (1, 100, 65536),
        "time": TIMES,
        "shortage": range(60),
    }.get(kind, (0,))
    data = random.choice(others) if kind == "send" and others else b""
    word = random.choice(("accept", "accept", "hold", "refuse"))
    return Event(kind, side, who, data, random.choice(number), word)


def change_data(event: Event, random: Random, others: Sequence[bytes]) -> Event:
    """Other bytes, or the same in other pieces."""
    if random.random() < 0.2:
        return replace(event, number=random.choice(SIZES))
    data = event.data
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        data = random.choice(DATA)(data, random, others)
    return replace(event, data=data[:DATA_MAX])


def change_events(events: list[Event], random: Random, others: Sequence[bytes]) -> None:
    """One event more, less, elsewhere, or in two parts with something between."""
    at = random.randrange(len(events)) if events else 0
    deed = random.randrange(5)
    if deed == 0 or not events:
        events.insert(at, any_event(random, others))
    elif deed == 1:
        del events[at]
    elif deed == 2:
        events.insert(random.randrange(len(events) + 1), events[at])
    elif deed == 3:
        other = random.randrange(len(events))
        events[at], events[other] = events[other], events[at]
    elif events[at].kind == "send":
        event, middle = events[at], place(events[at].data, random)
        between = [any_event(random, others)] if random.random() < 0.6 else []
        events[at : at + 1] = [
            replace(event, data=event.data[:middle]), *between,
            replace(event, data=event.data[middle:]),
        ]  # fmt: skip


def mutate(case: Case, random: Random, others: Sequence[bytes]) -> Case:
    """A case near this one; `others` are bytes of other cases to take from."""
    events = list(case.events)
    for _ in range(random.choice((1, 1, 1, 2, 2, 4))):
        sends = [i for i, event in enumerate(events) if event.kind == "send"]
        if sends and random.random() < 0.65:
            at = random.choice(sends)
            events[at] = change_data(events[at], random, others)
        else:
            change_events(events, random, others)
    plan = random.choice(PLANS) if random.random() < 0.1 else case.plan
    return Case(plan, tuple(events[:EVENTS_MAX]))
