"""Writing the access log: it never holds up the loop, and loses nothing uncounted."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import resource
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import uvloop
from pygw._core.probe.hops import Exchange, Log

LOG_BUFFER = 262_144
LOG_LINE_MAX = 8192
LOG_FLUSH_MS = 200


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is UTC unless the test says otherwise."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def served(target: bytes = b"/a?b=c") -> Exchange:
    """An exchange that went well."""
    x = Exchange()
    x.served(
        target=target,
        sent=612,
        upstream=b"http://127.0.0.1:9001",
        attempts=1,
        duration_ns=12_345_678,
    )
    return x


async def until(holds: Callable[[], object], within_s: float = 10) -> None:
    """Let the loop turn until the condition holds."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "did not come true"
        await asyncio.sleep(0.001)


def on_loop(fd: int, check: Callable[[Log], Awaitable[None]], *, close: bool = True) -> None:
    """Run `check(log)` on a uvloop loop with a log to `fd`, then close the log and its clock."""

    async def main() -> None:
        log = Log(asyncio.get_running_loop(), fd)
        closed = False
        try:
            await check(log)
            closed = not close
        finally:
            if not closed and not log.closed:
                log.close()
            await until(lambda: log.closed)
            log.close_clock()
            await until(lambda: log.clock_closed)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def appended(path: Path) -> int:
    """A descriptor that appends to a file."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


LINE = (
    b'192.0.2.7 - - [14/Nov/2023:22:13:20 +0000] "GET /a?b=c HTTP/1.1" 200 612 '
    b'"-" "-" upstream=http://127.0.0.1:9001 t=12.345ms cause=-\n'
)
# Lines that fit one buffer: a line begins while LOG_LINE_MAX bytes are free.
FULL = (LOG_BUFFER - LOG_LINE_MAX) // len(LINE) + 1


def test_a_line_reaches_the_file_by_itself_in_time(tmp_path: Path) -> None:
    path = tmp_path / "log"

    async def check(log: Log) -> None:
        start = time.monotonic()
        log.line(served())
        assert path.read_bytes() == b"", "written at once: not in batches"
        await until(lambda: path.stat().st_size)
        took_ms = (time.monotonic() - start) * 1000
        assert LOG_FLUSH_MS - 10 <= took_ms <= LOG_FLUSH_MS + 300
        assert path.read_bytes() == LINE

    on_loop(appended(path), check)


def test_no_format_no_line(tmp_path: Path) -> None:
    path = tmp_path / "log"

    async def check(log: Log) -> None:
        log.line(served(), "off")
        assert log.lines == 0

    on_loop(appended(path), check)
    assert path.read_bytes() == b""


def test_close_writes_what_is_buffered_and_closes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "log"
    fd = appended(path)

    async def check(log: Log) -> None:
        log.line(served(), count=10)

    on_loop(fd, check)
    assert path.read_bytes() == LINE * 10
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(fd)


def test_many_lines_arrive_whole_and_in_order(tmp_path: Path) -> None:
    path = tmp_path / "log"
    rounds = range(100, 180)

    async def check(log: Log) -> None:
        for number in rounds:
            log.line(served(b"/x%d" % number), count=500)
            log.flush()
            # Never more than half a buffer waits: there is room for the next lines.
            written = log.lines * (len(LINE) - 1)
            await until(lambda written=written: path.stat().st_size + LOG_BUFFER // 2 > written)
        assert log.dropped == 0

    on_loop(appended(path), check)
    lines = path.read_bytes().splitlines()
    numbers = [int(line.split(b"GET /x")[1].split(b" ")[0]) for line in lines]
    assert numbers == [number for number in rounds for _ in range(500)]


def test_lines_beyond_both_buffers_are_dropped_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "log"

    async def check(log: Log) -> None:
        # No turn of the loop in between: the first batch can not have come back.
        log.line(served(), count=2 * FULL + 77)
        assert log.lines == 2 * FULL + 77
        assert log.dropped == 77
        await until(lambda: path.stat().st_size == 2 * FULL * len(LINE))
        log.line(served(), count=5)

    on_loop(appended(path), check)
    assert path.read_bytes() == LINE * (2 * FULL + 5)


def test_a_pipe_that_nobody_reads_never_holds_up_the_loop_and_loses_only_what_is_counted() -> None:
    reader, writer = os.pipe()
    got = bytearray()

    async def check(log: Log) -> None:
        slowest = 0.0
        for _ in range(50):
            start = time.monotonic()
            log.line(served(), count=200)
            await asyncio.sleep(0)
            slowest = max(slowest, time.monotonic() - start)
        assert slowest < 0.5
        assert log.dropped > 0
        os.set_blocking(reader, False)
        log.close()
        deadline = time.monotonic() + 10
        while not log.closed:
            assert time.monotonic() < deadline
            drain(reader, got)
            await asyncio.sleep(0.001)
        drain(reader, got)  # the last write may have ended after the last look
        assert got == LINE * (log.lines - log.dropped)

    on_loop(writer, check, close=False)
    os.close(reader)


def drain(reader: int, got: bytearray) -> None:
    """Read what there is."""
    while True:
        try:
            piece = os.read(reader, 1 << 20)
        except BlockingIOError:
            return
        if not piece:
            return
        got += piece


def test_short_writes_to_a_pipe_that_does_not_block_lose_nothing() -> None:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    got = bytearray()
    count = FULL  # several times what the pipe holds

    async def check(log: Log) -> None:
        assert fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ) < count * len(LINE)
        log.line(served(), count=count)
        log.flush()
        await until(lambda: log.blocked)
        log.line(served(), count=3)
        deadline = time.monotonic() + 20
        while len(got) < (count + 3) * len(LINE):
            assert time.monotonic() < deadline
            drain(reader, got)
            await asyncio.sleep(0.001)
        assert log.dropped == 0

    on_loop(writer, check)
    assert got == LINE * (count + 3)
    os.close(reader)


def test_a_close_gives_up_on_a_pipe_that_stays_full() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)

    async def check(log: Log) -> None:
        log.line(served(), count=FULL + 9)
        log.close()
        await until(lambda: log.closed)
        written = fcntl.fcntl(reader, fcntl.F_GETPIPE_SZ) // len(LINE)
        assert FULL + 9 - written - 1 <= log.dropped <= FULL + 9 - written + 1

    on_loop(writer, check, close=False)
    os.close(reader)


def test_a_pipe_whose_reader_left_costs_lines_and_nothing_else() -> None:
    reader, writer = os.pipe()
    os.close(reader)

    async def check(log: Log) -> None:
        log.line(served(), count=5)
        log.flush()
        await until(lambda: log.dropped == 5)
        log.line(served(), count=2)
        log.flush()
        await until(lambda: log.dropped == 7)

    on_loop(writer, check)


def test_a_full_disk_costs_the_batch_and_the_next_one_is_tried() -> None:
    try:
        fd = os.open("/dev/full", os.O_WRONLY)
    except OSError:
        pytest.skip("there is no /dev/full")

    async def check(log: Log) -> None:
        for batch in range(1, 4):
            log.line(served(), count=100)
            log.flush()
            await until(lambda batch=batch: log.dropped == batch * 100)
        assert log.lines == 300

    on_loop(fd, check)


def test_a_file_that_reaches_its_limit_keeps_the_lines_that_fit(tmp_path: Path) -> None:
    path = tmp_path / "log"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    async def check(log: Log) -> None:
        log.line(served(), count=100)
        log.flush()
        await until(lambda: log.dropped)
        assert log.dropped == 100 - 10

    resource.setrlimit(resource.RLIMIT_FSIZE, (10 * len(LINE) + 7, hard))
    try:
        on_loop(appended(path), check)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == LINE * 10 + LINE[:7]


def test_a_descriptor_that_is_none_costs_lines_and_nothing_else(tmp_path: Path) -> None:
    fd = os.open(tmp_path / "log", os.O_RDONLY | os.O_CREAT)

    async def check(log: Log) -> None:
        log.line(served(), count=4)
        log.flush()
        await until(lambda: log.dropped == 4)

    on_loop(fd, check)


def test_without_a_file_every_line_is_dropped_until_one_is_given(tmp_path: Path) -> None:
    path = tmp_path / "log"

    async def check(log: Log) -> None:
        log.line(served(), count=3)
        assert (log.lines, log.dropped) == (3, 3)
        log.reopen(appended(path))
        log.line(served())

    on_loop(-1, check)
    assert path.read_bytes() == LINE


def test_reopening_sends_later_lines_to_the_new_file_and_closes_the_old(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old_fd = appended(old)

    async def check(log: Log) -> None:
        log.line(served(), count=3)
        log.flush()
        log.reopen(appended(tmp_path / "never used"))
        log.reopen(appended(new))  # twice while a write is in flight
        await until(lambda: old.stat().st_size == 3 * len(LINE))
        log.line(served(), count=2)
        log.flush()
        await until(lambda: new.stat().st_size == 2 * len(LINE))
        with pytest.raises(OSError) as caught:
            os.fstat(old_fd)
        assert caught.value.errno == errno.EBADF

    before = len(os.listdir("/proc/self/fd"))
    on_loop(old_fd, check)
    assert len(os.listdir("/proc/self/fd")) == before - 1
    assert old.read_bytes() == LINE * 3
    assert new.read_bytes() == LINE * 2


def test_reopening_while_a_line_is_half_written_begins_the_new_file_with_a_whole_one(
    tmp_path: Path,
) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    new = tmp_path / "new"

    async def check(log: Log) -> None:
        log.line(served(), count=FULL)
        log.flush()
        await until(lambda: log.blocked)
        log.reopen(appended(new))
        await until(lambda: new.exists() and new.stat().st_size)
        held = fcntl.fcntl(reader, fcntl.F_GETPIPE_SZ)
        assert held % len(LINE), "the pipe holds whole lines only: choose another length"
        assert log.dropped == 1
        assert new.stat().st_size == (FULL - held // len(LINE) - 1) * len(LINE)

    on_loop(writer, check)
    os.close(reader)
    assert set(new.read_bytes().splitlines(keepends=True)) == {LINE}


def test_lines_after_the_close_began_are_dropped_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "log"

    async def check(log: Log) -> None:
        log.line(served(), count=2)
        log.close()
        log.line(served(), count=3)
        await until(lambda: log.closed)
        log.line(served())
        assert (log.lines, log.dropped) == (6, 4)

    on_loop(appended(path), check, close=False)
    assert path.read_bytes() == LINE * 2


def test_a_close_with_nothing_to_write_is_through_at_once(tmp_path: Path) -> None:
    async def check(log: Log) -> None:
        log.close()
        assert log.closed

    on_loop(appended(tmp_path / "log"), check, close=False)
