"""The access log: one line for each exchange, true, escaped, in both formats."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.peers.fleet import Stage
from tests.peers.gateway import Gateway
from tests.peers.link import until
from tests.peers.origin import Origin
from tests.peers.payload import answer, head, request
from tests.peers.served import Served
from tests.peers.settings import proxy_config

COMBINED = re.compile(
    r"^(?P<client>\S+) - - \[\d{2}/[A-Z][a-z]{2}/\d{4}:\d{2}:\d{2}:\d{2} [+-]\d{4}\] "
    r'"(?P<request>[^"]*)" (?P<status>\d{3}) (?P<bytes>\d+|-) "(?P<referer>[^"]*)" '
    r'"(?P<agent>[^"]*)" upstream=(?P<upstream>\S+) t=(?P<t>[\d.]+)ms cause=(?P<cause>\S+)$'
)


def test_json_line_tells_the_exchange(gw: Gateway, origin: Origin) -> None:
    origin.serve(lambda _: answer(b"12345"))
    with gw.client() as client:
        got = client.ask(request("/path?q=1", method="POST", body=b"x"))
    (entry,) = gw.log_entries(1)
    assert entry["status"] == 200
    assert entry["method"] == "POST"
    assert entry["target"] == "/path?q=1"
    assert entry["client"] == "127.0.0.1"
    assert entry["cause"] == "-"
    assert origin.authority in entry["upstream"]
    assert entry["request_id"] == (got.one("X-Request-ID") or b"").decode()


def test_every_exchange_is_logged_once(gw: Gateway, origin: Origin) -> None:
    with gw.client() as client:
        client.send(b"".join(request(f"/{n}") for n in range(30)))
        for _ in range(30):
            client.recv_response()
    paths = [entry["target"] for entry in gw.log_entries(30)]
    assert paths == [f"/{n}" for n in range(30)]


def test_combined_line_has_its_fields(stage: Stage, origin: Origin, tmp_path: Path) -> None:
    path = tmp_path / "combined.log"
    gw = stage.fresh(proxy_config(origin, access_log={"path": str(path), "format": "combined"}))
    with gw.client() as client:
        client.ask(request("/x", "Referer: http://r/", "User-Agent: tester/1"))
    until(lambda: path.read_text().endswith("\n"), "a line")
    found = COMBINED.match(path.read_text().rstrip("\n"))
    assert found, path.read_text()
    assert found["client"] == "127.0.0.1"
    assert found["request"] == "GET /x HTTP/1.1"
    assert found["status"] == "200"
    assert found["referer"] == "http://r/"
    assert found["agent"] == "tester/1"
    assert found["upstream"].endswith(origin.authority)
    assert found["cause"] == "-"


@pytest.mark.parametrize("form", ["json", "combined"])
def test_hostile_bytes_can_not_forge_a_line(
    stage: Stage, origin: Origin, tmp_path: Path, form: str
) -> None:
    path = tmp_path / "access.log"
    gw = stage.fresh(proxy_config(origin, access_log={"path": str(path), "format": form}))
    agent = 'a"b\\c\xff\x80{"status":200}\t\xe9'
    with gw.client() as client:
        client.ask(request("/x'%0a%22", f"User-Agent: {agent}", f"Referer: {agent}"))
    until(lambda: path.read_bytes().endswith(b"\n"), "a line")
    data = path.read_bytes()
    assert data.count(b"\n") == 1
    assert all(32 <= byte < 127 or byte >= 128 for byte in data[:-1])
    if form == "json":
        assert json.loads(data)["status"] == 200
    else:
        assert data.count(b'"') - data.count(b'\\"') == 6


def test_log_goes_to_stdout_by_default_path(stage: Stage, origin: Origin) -> None:
    gw = stage.fresh(proxy_config(origin, access_log={"path": "-", "format": "json"}))
    with gw.client() as client:
        client.ask(request("/out"))
    until(lambda: "/out" in (gw.folder / "stdout.txt").read_text(), "a line on stdout")
    json.loads((gw.folder / "stdout.txt").read_text())


def test_log_off_writes_nothing(stage: Stage, origin: Origin) -> None:
    gw = stage.fresh(proxy_config(origin, access_log="off"))
    with gw.client() as client:
        assert client.ask(request("/quiet")).status == 200
    assert gw.stop() == []
    assert (gw.folder / "stdout.txt").read_text() == ""


def test_lines_waiting_in_memory_are_written_at_the_end(stage: Stage, origin: Origin) -> None:
    gw = stage.fresh(proxy_config(origin))
    with gw.client() as client:
        client.ask(request("/last"))
    assert gw.stop() == []
    assert gw.log_entries()[-1]["target"] == "/last"


def test_long_target_is_cut_not_lost(gw: Gateway) -> None:
    with gw.client() as client:
        assert client.ask(request("/" + "a" * 8000)).status == 200
    (entry,) = gw.log_entries(1)
    assert entry["target"].startswith("/aaa")


def test_cut_answer_is_logged_with_its_cause(gw: Gateway, origin: Origin) -> None:
    def cut(served: Served) -> None:
        served.read_request()
        served.send(head("200 OK", "Content-Length: 10") + b"12345")

    origin.script(cut)
    with gw.client() as client:
        client.send(request())
        client.recv_cut()
    entry = gw.log_entries(1)[0]
    assert entry["cause"] == "response_incomplete"
