"""Compressors: what they put out and when, their memory, how many there may be."""

from __future__ import annotations

import zlib
from random import Random

import pytest
from pygw._core.probe.deflater import (
    SPARE,
    STREAM_BYTES,
    STREAMS_MAX,
    Deflaters,
    has_marked,
    mark,
    unmark,
)

from pygw._core import variant
from pygw._core.libs import zlib as library

KEPT = 0 if variant.DEBUG else 1
needs_zlib = pytest.mark.skipif(library.info is None, reason="there is no zlib")
TEXT = b"".join(b"line %d of many\n" % number for number in range(5000))


@needs_zlib
def test_nothing_comes_out_before_a_flush_and_all_of_it_then() -> None:
    all_ = Deflaters()
    one = all_.take(6)
    assert all_.write(one, b"hello") == b""
    reader = zlib.decompressobj(31)
    assert reader.decompress(all_.flush(one)) == b"hello"
    assert all_.flush(one) == b""
    all_.write(one, b" world")
    assert reader.decompress(all_.flush(one, True)) == b" world"
    assert reader.eof


@needs_zlib
def test_full_pieces_come_out_by_themselves() -> None:
    all_ = Deflaters()
    one = all_.take(1)
    noise = Random(1).randbytes(100_000)
    early = all_.write(one, noise[:50_000], noise[50_000:])
    assert len(early) >= 16_384  # one buffer at least
    assert zlib.decompress(early + all_.flush(one, True), 31) == noise
    all_.give(one)
    assert all_.counted["buffers"] == 0


@needs_zlib
@pytest.mark.parametrize("level", range(1, 10))
def test_compressor_that_was_given_back_begins_anew(level: int) -> None:
    all_ = Deflaters()
    for _ in range(3):
        one = all_.take(level)
        all_.write(one, b"left behind")
        all_.give(one)
        two = all_.take(level)
        out = all_.write(two, TEXT) + all_.flush(two, True)
        assert zlib.decompress(out, 31) == TEXT
        all_.give(two)
    assert (all_.counted["running"], all_.counted["spare"]) == (0, KEPT)


@needs_zlib
def test_memory_of_one_is_counted_and_bounded() -> None:
    """GZIP_STREAM_BYTES."""
    all_ = Deflaters()
    one = all_.take(9)
    all_.write(one, TEXT)
    all_.flush(one, True)
    assert 200_000 < all_.counted["bytes"] <= STREAM_BYTES
    all_.give(one)
    for number in [all_.take(level) for level in (1, 2, 3)]:
        all_.give(number)
    assert all_.counted["bytes"] <= 4 * STREAM_BYTES


@needs_zlib
def test_so_many_run_at_once_and_no_more() -> None:
    """GZIP_STREAMS_MAX."""
    all_ = Deflaters()
    all_.hold(STREAMS_MAX - 1)
    one = all_.take(1)
    assert one is not None
    assert all_.take(1) is None
    all_.give(one)
    assert all_.take(1) is not None
    all_.hold(1 - STREAMS_MAX)


@needs_zlib
def test_so_many_wait_for_reuse_and_no_more() -> None:
    """GZIP_SPARE."""
    all_ = Deflaters()
    for one in [all_.take(1 + number % 9) for number in range(SPARE + 5)]:
        all_.give(one)
    counted = all_.counted
    assert (counted["running"], counted["spare"]) == (0, 0 if variant.DEBUG else SPARE)
    assert counted["bytes"] <= SPARE * STREAM_BYTES


@pytest.mark.parametrize("tag", [b'"abc"', b'""', b'"a,b"', b'"\xff~gzip"', b'"W/"'])
def test_mark_comes_off_as_it_went_on(tag: bytes) -> None:
    marked = mark(tag)
    assert marked == b"W/" + tag[:-1] + b'~gzip"'
    assert unmark(marked) == tag
    assert has_marked(b'"z" , ' + marked, tag)
    assert not has_marked(tag, tag)


@pytest.mark.parametrize("tag", [b"abc", b'"abc', b'"a" "b"', b'abc"', b"", b"W/", b"*"])
def test_what_is_no_tag_has_no_mark(tag: bytes) -> None:
    assert mark(tag) == b""
    assert unmark(tag) == tag


@pytest.mark.parametrize("value", [b'W/"a~gzip"', b'""""""W/"~gzip"', b'W/"a~gzip"' * 500])
def test_list_of_tags_without_commas_stays_within_its_room(value: bytes) -> None:
    assert unmark(value).count(b'"') == value.count(b'"')
