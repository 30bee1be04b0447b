"""The cases of the macro benchmark: what is asked, by how many connections.

Pure data and pure functions. Read next: load.py, which turns a case into a load.
"""

from __future__ import annotations

from dataclasses import dataclass

# Path of the origin -> bytes of body it answers with.
ORIGIN_ANSWERS = {"/0": 0, "/13": 13, "/16k": 16 * 1024, "/1m": 1024 * 1024}
# Path whose answer is the request head that the origin received.
HEAD_PATH = "/head"


@dataclass(frozen=True)
class Case:
    """One case; `cpu_counts` is False where CPU per request would only measure idle wake-ups."""

    name: str
    says: str
    path: str
    connections: int
    cpu_counts: bool = True
    method: str = "GET"
    body_bytes: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    hooks: bool = False  # peers with a hook take part too, and only here

    def request(self, host: str, path: str | None = None) -> bytes:
        """Return the bytes of one request to `host` (name:port), `path` in place of its own."""
        lines = [f"{self.method} {path or self.path} HTTP/1.1", f"Host: {host}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.body_bytes:
            lines.append(f"Content-Length: {self.body_bytes}")
        return "\r\n".join([*lines, "", ""]).encode() + b"p" * self.body_bytes


def _twenty_headers() -> tuple[tuple[str, str], ...]:
    """Return 19 headers, which are 20 with Host; the key that a hook looks for is the last."""
    return (*_forty_headers()[:18], ("X-Key", "0123456789abcdef01234567"))


def _forty_headers() -> tuple[tuple[str, str], ...]:
    """Return 39 headers, which are 40 with Host: what a browser and an application send."""
    browser = (
        ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
        ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
        ("Accept-Language", "en-GB,en;q=0.7,de;q=0.3"),
        ("Accept-Encoding", "gzip, deflate, br, zstd"),
        ("Referer", "http://www.example.com/shop/catalogue/page-7.html"),
        ("Cookie", "session=4f1c0ffee5a1ad0042; theme=dark; consent=necessary; cart=b7d2"),
        ("Cache-Control", "max-age=0"),
        ("Sec-Fetch-Dest", "document"),
        ("Sec-Fetch-Mode", "navigate"),
    )
    own = tuple((f"X-Application-Field-{i:02}", f"value-of-field-{i:02}") for i in range(30))
    return browser + own


CASES = (
    Case("keepalive-1", "13-byte answer, 1 connection", "/13", 1, cpu_counts=False),
    Case("keepalive-64", "13-byte answer, 64 connections", "/13", 64),
    Case("keepalive-512", "13-byte answer, 512 connections", "/13", 512),
    Case("headers-40", "40 request headers, 64 connections", "/13", 64, headers=_forty_headers()),
    Case("body-16k", "16 KiB answer, 64 connections", "/16k", 64),
    Case("body-1m", "1 MiB answer, 8 connections", "/1m", 8),
    Case("post-4k", "4 KiB POST, 64 connections", "/13", 64, method="POST", body_bytes=4096),
    Case(
        "new-connection",
        "new connection for each request, 64 at a time",
        "/13",
        64,
        headers=(("Connection", "close"),),
    ),
    Case(
        "hooks-64",
        "20 request headers, a hook on request and response, 64 connections",
        "/13",
        64,
        headers=_twenty_headers(),
        hooks=True,
    ),
)
