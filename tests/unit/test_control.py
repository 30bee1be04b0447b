"""The control channel: framing, descriptors, the end of the other side."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from pygw.control import MESSAGE_MAX_BYTES, Channel, ChannelError

PATIENCE_S = 10.0


@asynccontextmanager
async def pair() -> AsyncIterator[tuple[Channel, socket.socket]]:
    """A channel and the raw other end."""
    ours, theirs = socket.socketpair()
    channel = Channel(ours)
    try:
        yield channel, theirs
    finally:
        channel.close()
        theirs.close()


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await test()

    asyncio.run(limited())


def test_messages_arrive_in_order_however_they_are_cut() -> None:
    async def test() -> None:
        async with pair() as (channel, raw):
            data = b'{"a": 1}\n{"b": [2]}\n{}\n'
            for at in range(len(data)):
                raw.sendall(data[at : at + 1])
                await asyncio.sleep(0)
            received = [await channel.receive() for _ in range(3)]
            assert received == [({"a": 1}, []), ({"b": [2]}, []), ({}, [])]

    run(test)


def test_large_message_passes_while_the_other_side_reads() -> None:
    async def test() -> None:
        ours, theirs = socket.socketpair()
        one, other = Channel(ours), Channel(theirs)
        text = "é" * 3_000_000
        received, _ = await asyncio.gather(other.receive(), one.send({"plan": text}))
        assert received == ({"plan": text}, [])
        one.close()
        other.close()

    run(test)


def test_overlapping_sends_are_not_mixed() -> None:
    async def test() -> None:
        ours, theirs = socket.socketpair()
        one, other = Channel(ours), Channel(theirs)
        texts = [str(n) * 400_000 for n in range(4)]
        sending = asyncio.gather(*(one.send({"text": text}) for text in texts))
        received = [await other.receive() for _ in texts]
        await sending
        assert received == [({"text": text}, []) for text in texts]
        one.close()
        other.close()

    run(test)


def test_descriptor_arrives_with_its_message_and_is_not_inheritable() -> None:
    async def test() -> None:
        ours, theirs = socket.socketpair()
        one, other = Channel(ours), Channel(theirs)
        read, write = os.pipe()
        await one.send({"n": 1})
        await one.send({"n": 2}, [write])
        await one.send({"n": 3})
        os.close(write)
        results = [await other.receive() for _ in range(3)]
        counts = [len(fds) for message, fds in (r for r in results if r)]
        assert counts == [0, 1, 0]
        second = results[1]
        assert second is not None
        (fd,) = second[1]
        assert not os.get_inheritable(fd)
        os.write(fd, b"x")
        assert os.read(read, 1) == b"x"
        for used in (fd, read):
            os.close(used)
        one.close()
        other.close()

    run(test)


def test_close_releases_descriptors_that_nobody_took() -> None:
    async def test() -> None:
        before = os.listdir("/proc/self/fd")
        async with pair() as (channel, raw):
            socket.send_fds(raw, [b'{"fds": 0}\n'], [0, 1])
            assert await channel.receive() == ({}, [])
        assert os.listdir("/proc/self/fd") == before

    run(test)


def test_end_of_the_other_side_is_none_even_in_mid_message() -> None:
    async def test() -> None:
        async with pair() as (channel, raw):
            raw.sendall(b'{"a":')
            raw.close()
            assert await channel.receive() is None

    run(test)


def test_send_to_an_end_that_is_gone_is_an_error() -> None:
    async def test() -> None:
        async with pair() as (channel, raw):
            raw.close()
            with pytest.raises(OSError):
                await channel.send({})

    run(test)


@pytest.mark.parametrize(
    "line",
    [b"nonsense\n", b"[1]\n", b'{"fds": 1}\n', b'{"fds": -1}\n', b'{"fds": "x"}\n', b"\xff\n"],
)
def test_broken_framing_is_an_error(line: bytes) -> None:
    async def test() -> None:
        async with pair() as (channel, raw):
            raw.sendall(line)
            with pytest.raises(ChannelError):
                await channel.receive()

    run(test)


def test_message_without_end_is_bounded() -> None:
    async def test() -> None:
        async with pair() as (channel, raw):
            raw.setblocking(False)
            loop = asyncio.get_running_loop()
            sending = asyncio.ensure_future(
                loop.sock_sendall(raw, b"x" * (MESSAGE_MAX_BYTES + (1 << 20)))
            )
            with pytest.raises(ChannelError, match="too long"):
                await channel.receive()
            sending.cancel()

    run(test)
