"""`pygw profile`: finding a gateway, the lease, the table, both flame graphs."""

from __future__ import annotations

import json
import mmap
import os
import struct
import time
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest
from pygw._core.bill_read import EXACT_OFFSET, bill_layout
from pygw._core.stats import SHARED_BYTES_PER_WORKER

from pygw.bill import row_of
from pygw.profile import attach
from pygw.profile.attach import Attached, AttachError, Gateway
from pygw.profile.flame import SCHEMA, speedscope_text
from pygw.profile.spent import Spent, spent_of
from pygw.profile.svg import svg_text
from pygw.profile.table import table_text, time_text
from tests.unit.memory import GET, serving
from tests.unit.plans import edits

STAMP = {"filter": "headers", "request": edits(add=[["X", "1"]]), "response": edits()}
REPLY = {"filter": "respond", "status": 200, "headers": [], "body": "mine"}
SPENT = [
    Spent(("api", "request", "auth <lua>"), 600, 6, False, 128.0, 200),
    Spent(("api", "answer"), 400, 6, False),
    Spent(("api", "upstream"), 9000, 6, True),
]


@pytest.fixture
def block() -> Iterator[tuple[int, Gateway]]:
    """A shared block of two workers, of which only the second lives: it is this process."""
    fd = os.memfd_create("pygw-shared", os.MFD_CLOEXEC)
    os.ftruncate(fd, 2 * SHARED_BYTES_PER_WORKER)
    try:
        yield fd, Gateway(os.getpid(), frozenset({os.getpid()}), f"/proc/{os.getpid()}/fd/{fd}")
    finally:
        os.close(fd)


def begin(fd: int, number: int, pid: int, layout: int) -> None:
    """What a worker writes first: layout, bytes of a row, room, used, pid."""
    from pygw._core.bill_read import ROW_BYTES

    head = struct.pack("=QIIII", layout, ROW_BYTES, 64, 1, pid)
    os.pwrite(fd, head, number * SHARED_BYTES_PER_WORKER + 4096)


def test_only_living_workers_are_read_and_told(block: tuple[int, Gateway]) -> None:
    fd, gateway = block
    begin(fd, 0, 1, bill_layout())
    begin(fd, 1, os.getpid(), bill_layout())
    with Attached(gateway) as attached:
        assert attached.workers() == {1: os.getpid()}
        assert attached.cpu_s() > 0
        assert attached.rows() == []


def test_exchanges_are_timed_while_it_looks_and_no_longer(
    block: tuple[int, Gateway], monkeypatch: pytest.MonkeyPatch
) -> None:
    fd, gateway = block
    begin(fd, 1, os.getpid(), bill_layout())
    seen = []
    with mmap.mmap(fd, 0) as shared:

        def until() -> int:
            at = SHARED_BYTES_PER_WORKER + EXACT_OFFSET
            return int(struct.unpack_from("=Q", shared, at)[0])

        monkeypatch.setattr(time, "sleep", lambda _: seen.append(until()))
        with Attached(gateway) as attached:
            attached.time_all(0.01)
        assert seen
        assert all(0 < one - time.monotonic_ns() <= attach.LEASE_S * 1e9 for one in seen)
        assert until() == 0


def test_a_gateway_of_another_version_is_refused(block: tuple[int, Gateway]) -> None:
    fd, gateway = block
    begin(fd, 1, os.getpid(), bill_layout() + 1)
    with Attached(gateway) as attached, pytest.raises(AttachError, match="another version"):
        attached.rows()
    os.ftruncate(fd, 4096)
    with pytest.raises(AttachError, match="another version"):
        Attached(gateway)


def test_which_gateway_is_meant_must_be_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    two = [Gateway(7, frozenset({7}), "a"), Gateway(9, frozenset({9}), "b")]
    monkeypatch.setattr(attach, "gateways", lambda: two)
    assert attach.choose(9) is two[1]
    with pytest.raises(AttachError, match="--pid: 7, 9"):
        attach.choose(None)
    with pytest.raises(AttachError, match="process 8 is no gateway of yours"):
        attach.choose(8)
    monkeypatch.setattr(attach, "gateways", list)
    with pytest.raises(AttachError, match="no gateway of yours runs here"):
        attach.choose(None)


def timed_routes(worker: Any) -> int:
    return sum(row_of(row).timed for row in worker.bills()["rows"] if row["phase"] == "route")


def test_a_lease_that_is_not_renewed_ends_by_itself() -> None:
    with serving(REPLY) as gate:
        gate.worker.exact(ms=1500)
        gate.client(GET)
        gate.advance(2500)
        gate.client(GET)
        assert timed_routes(gate.worker) == 1


def test_a_stack_is_route_phase_and_filter() -> None:
    with serving(STAMP, REPLY) as gate:
        gate.worker.exact()
        gate.client(GET)
        stacks = {one.stack for one in spent_of(map(row_of, gate.worker.bills()["rows"]))}
        assert ("r1", "request", "headers") in stacks
        assert ("r1", "request", "respond") in stacks


def test_the_table_tells_own_time_from_waiting() -> None:
    text = table_text(SPENT, 1.5)
    assert "the gateway's own time: 1.00 us" in text
    assert "60.0 %      6  100 ns  128 ns  api > request > auth <lua>" in text
    assert "100.0 %" in text.split("waiting for others")[1]
    assert "workers took 1.50 s" in text


@pytest.mark.parametrize(
    ("ns", "text"), [(0, "0 ns"), (999, "999 ns"), (1240, "1.24 us"), (3.1e6, "3.10 ms")]
)
def test_a_time_has_a_unit_that_fits(ns: float, text: str) -> None:
    assert time_text(ns) == text


def test_the_speedscope_file_has_what_its_schema_requires() -> None:
    made = json.loads(speedscope_text(SPENT, "x"))
    assert made["$schema"] == SCHEMA
    frames = made["shared"]["frames"]
    assert all(set(frame) == {"name"} for frame in frames)
    assert [one["name"] for one in made["profiles"]] == ["the gateway's own time", "requests"]
    for one in made["profiles"]:
        required = {"type", "name", "unit", "startValue", "endValue", "samples", "weights"}
        assert set(one) == required
        assert (one["type"], one["unit"]) == ("sampled", "nanoseconds")
        assert len(one["samples"]) == len(one["weights"])
        assert sum(one["weights"]) == one["endValue"] - one["startValue"]
        assert all(0 <= frame < len(frames) for stack in one["samples"] for frame in stack)
    assert [one["endValue"] for one in made["profiles"]] == [1000, 10_000]


def test_the_svg_is_xml_whose_widths_are_shares() -> None:
    root = ElementTree.fromstring(svg_text(SPENT[:2], "pygw <1>"))
    space = "{http://www.w3.org/2000/svg}"
    widths = {}
    for group in root.iter(f"{space}g"):
        title, rect = group.find(f"{space}title"), group.find(f"{space}rect")
        assert title is not None
        assert rect is not None
        widths[(title.text or "").split(":")[0]] = float(rect.attrib["width"])
    assert set(widths) == {"all", "api", "request", "auth <lua>", "answer"}
    assert widths["auth <lua>"] == pytest.approx(0.6 * widths["all"], rel=0.01)


def test_no_name_becomes_markup_in_the_svg() -> None:
    bad = "\x01a\"><script>&'"
    text = svg_text([Spent((bad, "]]>"), 10, 1, False)], bad)
    root = ElementTree.fromstring(text)
    space = "{http://www.w3.org/2000/svg}"
    names = [group.attrib["data-n"] for group in root.iter(f"{space}g")]
    assert names == ["all", "\ufffda\"><script>&'", "]]>"]
    assert len(list(root.iter(f"{space}script"))) == 1


def test_a_profile_of_nothing_is_an_empty_picture() -> None:
    assert ElementTree.fromstring(svg_text([], "x")).tag.endswith("svg")
