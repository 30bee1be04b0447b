"""Class 28: slow name servers, lost names, addresses that change."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.peers.fleet import Stage
from tests.peers.gateway import Gateway
from tests.peers.link import Stopwatch
from tests.peers.names import Names
from tests.peers.origin import Origin
from tests.peers.payload import answer, request
from tests.peers.settings import LONG, proxy_config

NAME = "app.internal"
AGAIN_S = 31  # names are looked up again every 30 s


@pytest.fixture
def names(tmp_path: Path) -> Names:
    """The name server's stand-in."""
    return Names(tmp_path)


def named_gateway(stage: Stage, names: Names, origin: Origin) -> Gateway:
    """`/` goes to the origin by address, `/named` to it by name."""
    config = proxy_config(
        upstreams={
            "api": {"targets": [origin.url]},
            "named": {"targets": [f"http://{NAME}:{origin.port}"]},
        },
        routes=[
            {"name": "named", "match": {"path": "/named*"}, "upstream": "named"},
            {"name": "all", "match": {"path": "/*"}, "upstream": "api"},
        ],
        timeouts={**LONG, "connect": "3s"},
    )
    return stage.fresh(config, env=names.env)


def test_class_28_slow_name_server_blocks_nobody_else(
    stage: Stage, names: Names, origin: Origin
) -> None:
    names.answer({NAME: "127.0.0.1"}, delay_ms=600)
    gw = named_gateway(stage, names, origin)
    with gw.client() as waiting, gw.client() as client:
        waiting.send(request("/named"))
        watch = Stopwatch()
        for _ in range(20):
            assert client.ask(request("/direct")).status == 200
        assert watch.seconds < 0.4
        assert waiting.recv_response().status == 200


def test_class_28_lost_name_is_502_and_recovers_when_it_is_found(
    stage: Stage, names: Names, origin: Origin
) -> None:
    names.answer({NAME: "NXDOMAIN"})
    gw = named_gateway(stage, names, origin)
    with gw.client() as client:
        watch = Stopwatch()
        got = client.ask(request("/named"))
        assert watch.seconds < 1.0
        assert got.status == 502
        assert got.error == "dns_error"
        assert gw.log_entry(status=502)["cause"] == "dns_error"
        names.answer({NAME: "127.0.0.1"})
        watch = Stopwatch()
        while client.ask(request("/named")).status != 200:
            assert watch.seconds < 2.5, "the name exists again"
            client.expect_silence(0.05)


def test_class_28_changed_address_is_used_after_the_next_look_up(
    stage: Stage, names: Names, origin: Origin
) -> None:
    elsewhere = Origin(host="127.0.0.2", port=origin.port)
    elsewhere.serve(lambda _: answer(b"elsewhere"))
    stage.adopt(elsewhere)
    names.answer({NAME: "127.0.0.1"})
    gw = named_gateway(stage, names, origin)
    with gw.client() as client:
        assert client.ask(request("/named")).text.startswith("GET /named")
    names.answer({NAME: "127.0.0.2"})
    names.advance(AGAIN_S)
    origin.end_idle()
    watch = Stopwatch()
    with gw.client() as client:
        while client.ask(request("/named")).text != "elsewhere":
            origin.end_idle()
            assert watch.seconds < 3.0, "the old address is still used"


def test_class_28_last_good_address_is_kept_when_the_name_is_lost(
    stage: Stage, names: Names, origin: Origin
) -> None:
    names.answer({NAME: "127.0.0.1"})
    gw = named_gateway(stage, names, origin)
    with gw.client() as client:
        assert client.ask(request("/named")).status == 200
    names.answer({NAME: "NXDOMAIN"})
    for _ in range(3):
        names.advance(AGAIN_S)
        origin.end_idle()
        with gw.client() as client:
            for _ in range(5):
                assert client.ask(request("/named")).status == 200
                client.expect_silence(0.05)


def test_class_28_client_that_leaves_while_a_name_is_looked_up(
    stage: Stage, names: Names, origin: Origin
) -> None:
    names.answer({NAME: "127.0.0.1"}, delay_ms=400)
    gw = named_gateway(stage, names, origin)
    client = gw.client()
    client.send(request("/named"))
    client.expect_silence(0.1)
    client.reset()
    assert gw.log_entries(1)[0]["status"] == 499
    with gw.client() as other:
        assert other.ask(request("/named")).status == 200
    assert len(origin.requests) == 1
