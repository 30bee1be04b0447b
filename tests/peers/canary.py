"""Two ordinary requests on a new connection, after every bad case.

A poisoned pool, a shifted answer or a dead worker shows here: each request must get its own
answer, known by a marker that only it carried. Read next: `fleet`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import TYPE_CHECKING

from tests.peers.origin import Origin
from tests.peers.payload import request

if TYPE_CHECKING:
    from tests.peers.gateway import Gateway

MARKERS = itertools.count(1)


def assert_canary(gateway: Gateway, origins: Iterable[Origin] = ()) -> None:
    """A GET and a POST, each with its own answer; the POST can not hide behind a retry."""
    for origin in origins:
        if not origin.listening:
            origin.listen()
        origin.forget_scripts()
        origin.serve()
        origin.release()
        origin.settle()
    with gateway.client() as client:
        for method in ("GET", "POST"):
            marker = f"canary-{next(MARKERS)}"
            body = marker.encode() if method == "POST" else None
            asked = request(f"/{marker}", f"X-Canary: {marker}", method=method, body=body)
            got = client.ask(asked)
            want = f"{method} /{marker} {marker} {marker if body else ''}"
            assert got.status == 200, f"{method}: {got.start!r} {got.text}"
            assert got.text == want, f"{method}: {got.text!r}, want {want!r}"
