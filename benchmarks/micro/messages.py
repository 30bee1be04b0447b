"""The heads that are parsed and written: as browsers and services send them.

Pure. Read next: `test_parts.py`.
"""

from __future__ import annotations

import ipaddress
from random import Random

# Of a browser, without its Cookie; the first six are what a small client sends.
FIELDS = [
    b"Host: api.example.com",
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    b"Accept-Language: en-US,en;q=0.5",
    b"Accept-Encoding: gzip, deflate, br, zstd",
    b"Connection: keep-alive",
    b"Referer: https://www.example.com/catalogue/page/7?sort=price",
    b"Upgrade-Insecure-Requests: 1",
    b"Sec-Fetch-Dest: document",
    b"Sec-Fetch-Mode: navigate",
]

RESPONSE_FIELDS = [
    b"Date: Mon, 23 Nov 2026 09:42:35 GMT",
    b"Server: service/1.0",
    b"Content-Type: application/json; charset=utf-8",
    b"Content-Length: 0",
    b"Cache-Control: no-cache, no-store, must-revalidate",
    b'ETag: "5d8c72a5edda8d6a"',
    b"Vary: Accept-Encoding",
    b"X-Frame-Options: DENY",
]


def request(fields: int) -> bytes:
    """A GET request's head with so many fields."""
    more = [b"X-Custom-Header-%02d: value-%02d" % (i, i) for i in range(fields - len(FIELDS))]
    lines = [b"GET /v1/articles/1234?fields=id,title HTTP/1.1", *FIELDS[:fields], *more]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def response(fields: int) -> bytes:
    """A 200 response's head with so many fields and an empty body."""
    more = [b"X-Custom-Header-%02d: value-%02d" % (i, i) for i in range(fields - 8)]
    return b"\r\n".join([b"HTTP/1.1 200 OK", *RESPONSE_FIELDS[:fields], *more]) + b"\r\n\r\n"


def networks(count: int, family: int) -> list[str]:
    """Ranges as a list of blocked networks has them: IPv4 /20 to /32, IPv6 /32 to /64."""
    random = Random(family)
    found: set[str] = set()
    while len(found) < count:
        if family == 4:
            bits = random.choice((20, 22, 24, 24, 24, 26, 32, 32))
            start = (random.getrandbits(32) >> (32 - bits)) << (32 - bits)
            found.add(f"{ipaddress.IPv4Address(start)}/{bits}")
        else:
            bits = random.choice((32, 40, 48, 48, 56, 64, 64))
            start = (1 << 125 | random.getrandbits(125)) >> (128 - bits) << (128 - bits)
            found.add(f"{ipaddress.IPv6Address(start)}/{bits}")
    return sorted(found)


def addresses(count: int, family: int) -> list[str]:
    """Random clients; of IPv6 those of the range that is given out, 2000::/3."""
    random = Random(family + 100)
    if family == 4:
        return [str(ipaddress.IPv4Address(random.getrandbits(32))) for _ in range(count)]
    return [str(ipaddress.IPv6Address(1 << 125 | random.getrandbits(125))) for _ in range(count)]
