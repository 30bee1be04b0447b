"""Messages on the wire, good and bad, each with what a reader must make of it.

Owns the list of all cases; runs anywhere, reads nothing. Read next: ``case.py``.
"""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.corpus.case")

from tests.corpus import (  # noqa: E402
    chunks,
    requests_bad,
    requests_good,
    responses_bad,
    responses_good,
)
from tests.corpus.case import Case  # noqa: E402

ALL: list[Case] = [
    *requests_good.CASES,
    *requests_bad.CASES,
    *chunks.CASES,
    *responses_good.CASES,
    *responses_bad.CASES,
]


def title(case: Case) -> str:
    """The case's name in a test report."""
    return f"{case.kind}-{'good' if case.error is None else 'bad'}-{case.name}"
