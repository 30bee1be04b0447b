"""A mirror that is killed while traffic goes on, with a real gateway and real sockets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.commands import Run
from tests.e2e.test_reload import hammering, reload
from tests.peers.link import until
from tests.peers.origin import Origin
from tests.peers.payload import answer

TOLD = re.compile(r"^\d\d:\d\d:\d\d warning mirror: (\d+) requests did not reach .*$", re.MULTILINE)


@pytest.fixture
def shadow() -> Iterator[Origin]:
    """Where copies go."""
    one = Origin()
    yield one
    one.close()


def configure(folder: Path, origin: Origin, shadow: Origin, to: str = "shadow") -> str:
    """A gateway with two workers whose requests are copied; its file."""
    path = folder / "gateway.yaml"
    path.write_text(
        "workers: 2\nlisteners: [{bind: 127.0.0.1:0}]\naccess_log: off\n"
        f'upstreams:\n  api: {{targets: ["{origin.url}"]}}\n'
        f'  shadow: {{targets: ["{shadow.url}"]}}\n'
        f"routes: [{{match: {{path: /*}}, upstream: api, mirror: {to}}}]\n"
    )
    return str(path)


def kill(one: Origin) -> None:
    """As a process that is killed: nobody listens, and its connections are reset."""
    one.stop_listening()
    for served in list(one.connections):
        served.reset()


def test_a_mirror_that_is_killed_under_load_fails_no_request_and_gets_copies_when_it_is_back(
    run: Callable[..., Run], origin: Origin, shadow: Origin, tmp_path: Path
) -> None:
    origin.serve(lambda m: answer(b"from the service"))
    shadow.serve(lambda m: answer(b"from the shadow", status="500 No"))
    started = run(configure(tmp_path, origin, shadow))
    url = started.wait_url()
    with hammering(url, threads=3) as wrong:
        until(lambda: len(shadow.requests) > 30, "copies", 10)
        kill(shadow)
        served = len(origin.requests)
        until(lambda: len(origin.requests) > served + 200, "requests without a mirror", 20)
        until(lambda: TOLD.search(started.err.read_text()), "a line about it", 10)
        shadow.listen()
        before = len(shadow.requests)
        until(lambda: len(shadow.requests) > before + 30, "copies after its return", 10)
        configure(tmp_path, origin, shadow, to="shadw")
        assert reload(started).startswith("reload refused: ")
    assert wrong == []
    told = started.err.read_text()
    assert 'routes[0].mirror: unknown upstream; did you mean "shadow"?' in told
    assert len(TOLD.findall(told)) <= 2 * 2  # one a worker in ten seconds
    assert started.end() == 0
