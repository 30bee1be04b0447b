"""Arenas, freelists of structs, buffers and slices: what they give, keep and refuse."""

from __future__ import annotations

import pytest
from pygw._core.probe.memory_blocks import Arena, Blocks, Buffers

from pygw._core import variant

ARENA_CHUNK = 4096
SPARE_BLOCKS = 1024
SPARE_BUFFERS = 64
SPARE_LARGE_BUFFERS = 12
SMALL_BUFFER, MEDIUM_BUFFER, LARGE_BUFFER = 16384, 65536, 262144
SMALL, MEDIUM, LARGE = range(3)

# A debug build makes each allocation a malloc of its own and keeps nothing for reuse.
needs_release = pytest.mark.skipif(variant.DEBUG, reason="a debug build keeps nothing spare")


# --- arena ----------------------------------------------------------------------------------------


@needs_release
def test_inline_memory_is_used_to_its_last_byte_before_a_chunk_is_made() -> None:
    arena = Arena(768)
    addresses = [arena.take(size) for size in (700, 67, 1)]
    assert all(address is not None and arena.lies_inline(address) for address in addresses)
    assert arena.chunks == []
    arena.take(1)
    assert arena.chunks == [ARENA_CHUNK]


@needs_release
def test_small_allocations_share_a_chunk_and_large_ones_get_one_of_their_size() -> None:
    arena = Arena()
    for _ in range(ARENA_CHUNK // 64):
        arena.take(64)
    assert arena.chunks == [ARENA_CHUNK]
    arena.take(ARENA_CHUNK)
    arena.take(ARENA_CHUNK + 1)
    assert arena.chunks == [ARENA_CHUNK + 1, ARENA_CHUNK, ARENA_CHUNK]


@needs_release
def test_bytes_are_neighbours() -> None:
    arena = Arena(768)
    first, second = arena.take(7), arena.take(9)
    assert first is not None
    assert second == first + 7


@pytest.mark.parametrize("inline", [0, 40, 768])
@pytest.mark.parametrize("kind", ["aligned", "zeroed"])
def test_structs_are_aligned_whatever_was_taken_before(inline: int, kind: str) -> None:
    arena = Arena(inline)
    for size in range(1, 200):
        arena.take(size)
        address = arena.take(size, kind)
        assert address is not None
        assert address % 16 == 0


def test_no_two_allocations_share_a_byte() -> None:
    arena = Arena(768)
    taken = []
    for i in range(400):
        size = 1 + i * 37 % 300
        address = arena.take(size, ("bytes", "aligned", "zeroed")[i % 3])
        assert address is not None
        taken.append((address, address + size))
    taken.sort()
    assert all(taken[i][1] <= taken[i + 1][0] for i in range(len(taken) - 1))


@pytest.mark.parametrize("kind", ["bytes", "aligned", "zeroed"])
def test_more_than_its_bound_is_refused_and_less_still_given(kind: str) -> None:
    arena = Arena(768, 10_000)
    assert arena.take(9000, kind) is not None
    assert arena.take(1001, kind) is None
    assert arena.take(2**63, kind) is None
    assert arena.take(1000, kind) is not None
    assert arena.take(1, kind) is None
    assert arena.bytes == 10_000


def test_given_back_it_begins_anew() -> None:
    arena = Arena(768, 10_000)
    for _ in range(3):
        assert arena.take(9999) is not None
        arena.restart()
        assert arena.chunks == []
        assert arena.bytes == 0


# --- block ----------------------------------------------------------------------------------------


@needs_release
def test_struct_given_back_last_is_taken_first() -> None:
    blocks = Blocks(100)
    first, second = blocks.take(), blocks.take()
    blocks.give(first)
    blocks.give(second)
    assert [blocks.take(), blocks.take()] == [second, first]
    assert blocks.counts == (2, 0, 4)


def test_no_more_than_spare_blocks_structs_are_kept() -> None:
    blocks = Blocks(100)
    taken = [blocks.take() for _ in range(SPARE_BLOCKS + 10)]
    assert len(set(taken)) == SPARE_BLOCKS + 10
    for address in taken:
        blocks.give(address)
    assert blocks.counts[:2] == (0, 0 if variant.DEBUG else SPARE_BLOCKS)
    blocks.fini()
    assert blocks.counts[:2] == (0, 0)


def test_struct_smaller_than_a_pointer_has_room_for_the_freelist() -> None:
    blocks = Blocks(1)
    assert blocks.size == 8
    for _ in range(3):
        for address in [blocks.take() for _ in range(20)]:
            blocks.give(address)
    assert blocks.counts[0] == 0


# --- buffer ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "cap", "spare"),
    [
        (SMALL, SMALL_BUFFER, SPARE_BUFFERS),
        (MEDIUM, MEDIUM_BUFFER, SPARE_BUFFERS),
        (LARGE, LARGE_BUFFER, SPARE_LARGE_BUFFERS),
    ],
)
def test_buffer_has_the_size_of_its_class_and_few_lie_spare(
    kind: int, cap: int, spare: int
) -> None:
    buffers = Buffers()
    taken = [buffers.take(kind) for _ in range(spare + 5)]
    assert None not in taken
    assert {buffers.cap(buffer) for buffer in taken} == {cap}
    assert buffers.live == (spare + 5, (spare + 5) * cap, 0)
    for buffer in taken:
        buffers.unref(buffer)
    assert buffers.live == (0, 0, 0)
    assert buffers.spare(kind) == (0 if variant.DEBUG else spare)
    assert sum(buffers.spare(other) for other in range(3)) == buffers.spare(kind)


@pytest.mark.parametrize("kind", [SMALL, MEDIUM, LARGE])
def test_buffers_beyond_the_bound_are_refused_until_one_comes_back(kind: int) -> None:
    cap = (SMALL_BUFFER, MEDIUM_BUFFER, LARGE_BUFFER)[kind]
    buffers = Buffers(3 * cap + cap - 1)
    taken = [buffers.take(kind) for _ in range(3)]
    assert None not in taken
    assert buffers.take(kind) is None
    assert buffers.live[:2] == (3, 3 * cap)
    buffers.unref(taken.pop())
    again = buffers.take(kind)
    assert again is not None
    assert buffers.take(kind) is None
    for buffer in (*taken, again):
        buffers.unref(buffer)


def test_spare_buffers_do_not_count_against_the_bound() -> None:
    buffers = Buffers(LARGE_BUFFER)
    for kind in (SMALL, MEDIUM, LARGE) * 3:
        buffer = buffers.take(kind)
        assert buffer is not None
        buffers.unref(buffer)


def test_buffer_comes_back_with_its_last_reference() -> None:
    buffers = Buffers()
    buffer = buffers.take(SMALL)
    buffers.ref(buffer)
    buffers.add(0, buffer, b"abc")
    buffers.add(0, buffer, b"def")
    buffers.share(1, 0)
    assert buffers.refs(buffer) == 6
    buffers.unref(buffer)
    buffers.unref(buffer)
    buffers.skip(0, 6)
    assert buffers.live[0] == 1
    assert buffers.pieces(1) == [b"abc", b"def"]
    buffers.skip(1, 6)
    assert buffers.live == (0, 0, 0)


def test_skip_cuts_pieces_at_any_byte() -> None:
    for first in range(7):
        buffers = Buffers()
        buffer = buffers.take(SMALL)
        for piece in (b"ab", b"c", b"def"):
            buffers.add(0, buffer, piece)
        buffers.unref(buffer)
        buffers.skip(0, first)
        assert b"".join(buffers.pieces(0)) == b"abcdef"[first:]
        buffers.skip(0, 6 - first)
        assert buffers.live == (0, 0, 0)


def test_moved_pieces_stand_behind_those_that_were_there() -> None:
    buffers = Buffers()
    buffer = buffers.take(SMALL)
    buffers.add(0, buffer, b"1")
    buffers.add(1, buffer, b"2")
    buffers.add(1, buffer, b"3")
    buffers.move(0, 1)
    buffers.move(0, 1)
    buffers.move(2, 0)
    assert [buffers.pieces(queue) for queue in range(3)] == [[], [], [b"1", b"2", b"3"]]
    buffers.add(2, buffer, b"")
    buffers.add(2, buffer, b"4")
    assert buffers.pieces(2) == [b"1", b"2", b"3", b"4"]
    buffers.unref(buffer)
    buffers.skip(2, 4)
    assert buffers.live == (0, 0, 0)
