"""Every message of the corpus, read whole, byte by byte and cut at each place.

Each piece of input lies directly before a page that may not be touched. Runs without sockets.
Read next: ``tests/corpus``.
"""

from __future__ import annotations

from collections import Counter

import pytest

from pygw._core.probe import http1
from tests.corpus import ALL, title
from tests.corpus.case import Case, check

# Longer messages are cut near their beginning and end and at some places between.
WHOLE_SPLITS = 700


def read(case: Case, splits: object = ()) -> dict[str, object]:
    return http1.read(
        case.data, case.kind, splits, head_request=case.head_request, finish=True, **case.limits
    )


def cuts(size: int) -> list[int]:
    if size <= WHOLE_SPLITS:
        return list(range(1, size))
    near = set(range(1, 300)) | set(range(size - 100, size))
    return sorted(near | set(range(300, size, max(1, size // 50))))


def test_case_names_are_unique() -> None:
    assert [name for name, count in Counter(map(title, ALL)).items() if count > 1] == []


@pytest.mark.parametrize("case", ALL, ids=title)
def test_message_is_read_as_the_corpus_says(case: Case) -> None:
    check(case, read(case))


@pytest.mark.parametrize("case", ALL, ids=title)
def test_message_cut_at_any_place_is_read_the_same(case: Case) -> None:
    whole = read(case)
    for cut in cuts(len(case.data)):
        assert read(case, [cut]) == whole, f"cut at {cut}"


@pytest.mark.parametrize("case", ALL, ids=title)
def test_message_byte_by_byte_is_read_the_same(case: Case) -> None:
    size = len(case.data)
    step = 1 if size < 20000 else size // 5000
    assert read(case, range(1, size, step)) == read(case)
