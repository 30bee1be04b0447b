"""The counters as the control plane reads them."""

from __future__ import annotations

import mmap
import re
import struct
from pathlib import Path

import pytest
from pygw._core.stats import SHARED_BYTES_PER_WORKER, stats_names, stats_read

ROOT = Path(__file__).parents[2]


def block(*workers: dict[str, int]) -> bytearray:
    """A shared block with these values."""
    out = bytearray(len(workers) * SHARED_BYTES_PER_WORKER)
    for place, values in enumerate(workers):
        for name, value in values.items():
            at = place * SHARED_BYTES_PER_WORKER + 8 * stats_names().index(name)
            struct.pack_into("=Q", out, at, value)
    return out


def test_there_is_one_name_for_each_counter_in_the_order_of_the_contract() -> None:
    contract = (ROOT / "pygw" / "_core" / "stats.pxd").read_text()
    listed = re.findall(r"^    ST_(\w+)", contract, re.M)
    assert listed[-1] == "COUNT"
    assert list(stats_names()) == [name.lower() for name in listed[:-1]]


def test_counters_are_summed_over_the_workers() -> None:
    shared = block({"requests": 3, "bytes_out": 2**40}, {"requests": 4}, {"log_dropped": 1})
    read = stats_read(shared, 3)
    assert set(read) == set(stats_names())
    assert read["requests"] == 7
    assert read["bytes_out"] == 2**40
    assert read["log_dropped"] == 1
    assert read["tunnels"] == 0


def test_only_the_workers_asked_for_are_read() -> None:
    shared = block({"requests": 1}, {"requests": 10}, {"requests": 100})
    assert stats_read(shared, 2)["requests"] == 11
    assert stats_read(shared, 1, first=2)["requests"] == 100


def test_the_heartbeat_is_the_oldest_one_and_not_a_sum() -> None:
    shared = block({"heartbeat_ms": 700}, {"heartbeat_ms": 500}, {"heartbeat_ms": 600})
    assert stats_read(shared, 3)["heartbeat_ms"] == 500


def test_a_mapped_block_is_read_in_place() -> None:
    with mmap.mmap(-1, 2 * SHARED_BYTES_PER_WORKER) as shared:
        at = SHARED_BYTES_PER_WORKER + 8 * stats_names().index("accepted")
        struct.pack_into("=Q", shared, at, 9)
        assert stats_read(shared, 2)["accepted"] == 9
        assert stats_read(memoryview(shared), 2)["accepted"] == 9


def test_no_two_workers_share_a_page() -> None:
    assert SHARED_BYTES_PER_WORKER % 4096 == 0


@pytest.mark.parametrize(
    ("size", "workers", "first"),
    [
        (SHARED_BYTES_PER_WORKER - 1, 1, 0),
        (SHARED_BYTES_PER_WORKER, 2, 0),
        (SHARED_BYTES_PER_WORKER, 1, 1),
        (SHARED_BYTES_PER_WORKER, 0, 0),
        (SHARED_BYTES_PER_WORKER, 1, -1),
    ],
)
def test_a_block_that_is_too_small_is_refused(size: int, workers: int, first: int) -> None:
    with pytest.raises(ValueError, match=r"workers"):
        stats_read(bytearray(size), workers, first)


def test_a_block_out_of_line_is_refused() -> None:
    shared = memoryview(bytearray(2 * SHARED_BYTES_PER_WORKER))
    with pytest.raises(ValueError, match="aligned"):
        stats_read(shared[1 : 1 + SHARED_BYTES_PER_WORKER], 1)
