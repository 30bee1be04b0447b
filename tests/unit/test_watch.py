"""What counts as a change of a watched file, and when."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from pygw.watch import Watch, look_at

SOON_S = 0.005
PATIENCE_S = 10.0


def on_loop(test: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await test()

    asyncio.run(limited())


def watch_one(path: Path, change: Callable[[], object]) -> None:
    """`change` is seen, and only once."""

    async def test() -> None:
        read = {str(path): look_at(str(path))}
        watch = Watch(lambda: read, SOON_S)
        change()
        await watch.changed()
        again = asyncio.create_task(watch.changed())
        await asyncio.sleep(20 * SOON_S)
        assert not again.done()
        again.cancel()

    on_loop(test)


def test_written_file_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("1")
    watch_one(path, lambda: path.write_text("2"))


def test_file_that_another_one_was_renamed_to_is_seen(tmp_path: Path) -> None:
    path, other = tmp_path / "a", tmp_path / "b"
    path.write_text("1")
    other.write_text("1")
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    watch_one(path, lambda: other.rename(path))


def test_turned_link_is_seen(tmp_path: Path) -> None:
    """A folder behind a link, as Kubernetes mounts configuration."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_text(name)
    link = tmp_path / "data"
    link.symlink_to("one")

    def turn() -> None:
        (tmp_path / "next").symlink_to("two")
        (tmp_path / "next").rename(link)

    watch_one(link / "a", turn)


def test_file_that_goes_and_one_that_comes_are_seen(tmp_path: Path) -> None:
    path = tmp_path / "a"
    watch_one(path, lambda: path.write_text("1"))
    watch_one(path, path.unlink)


def test_file_that_is_still_being_written_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("")

    async def test() -> None:
        read = {str(path): look_at(str(path))}
        watch = Watch(lambda: read, SOON_S)
        changed = asyncio.create_task(watch.changed())
        for _ in range(20):
            with path.open("a") as file:
                file.write("more")
            await asyncio.sleep(0.02)
            assert not changed.done()
        await changed

    on_loop(test)


def test_file_that_changed_since_it_was_read_is_seen_whenever_it_was_named(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    for path in (first, second):
        path.write_text("1")
    read = {str(first): look_at(str(first))}

    async def test() -> None:
        watch = Watch(lambda: read, SOON_S)
        changed = asyncio.create_task(watch.changed())
        before = look_at(str(second))
        second.write_text("22")
        await asyncio.sleep(10 * SOON_S)
        assert not changed.done()
        read[str(second)] = before
        await changed
        read[str(second)] = look_at(str(second))
        again = asyncio.create_task(watch.changed())
        await asyncio.sleep(10 * SOON_S)
        assert not again.done()
        again.cancel()

    on_loop(test)
