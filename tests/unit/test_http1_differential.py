"""What we accept, h11 and httptools must read as the same message; nothing depends on splits.

Inputs are the corpus and seeded mutants of it; a failure prints the bytes. Runs without sockets.
Read next: ``tests/corpus/others.py``, ``tests/corpus/mutate.py``.
"""

from __future__ import annotations

from typing import Any

import pytest

from pygw._core.probe import http1
from tests.corpus import ALL, title
from tests.corpus.case import Case
from tests.corpus.mutate import mutants
from tests.corpus.others import Refused, Seen, by_h11, by_httptools, plain

SEEDS = range(4)
MUTANTS = 2500


def ours(outcome: dict[str, Any]) -> Seen:
    """Our outcome in the shape of the others'."""
    head = outcome["head"]
    start: tuple[bytes, ...]
    start = (
        (str(head["status"]).encode(),) if "status" in head else (head["method"], head["target"])
    )
    return Seen(
        start=start,
        version=f"{head['version'] // 10}.{head['version'] % 10}",
        fields=plain((f["name"], f["value"]) for f in head["fields"]),
        body=outcome["body"],
        trailers=plain((f["name"], f["value"]) for f in outcome["trailers"]),
        ended=outcome["ended"],
    )


def head_size(data: bytes, outcome: dict[str, Any]) -> int:
    head = outcome["head"]
    before = data.index(head["line"])
    return before + len(head["line"]) + sum(len(f["raw"]) for f in head["fields"]) + 2


def compare(case: Case, data: bytes, outcome: dict[str, Any]) -> None:
    """Hold an accepted head, or message if it is whole, against the other two parsers."""
    if outcome["head"] is None:
        return
    wanted = ours(outcome)
    whole = outcome["ended"]
    data = data[: outcome["consumed"] if whole else head_size(data, outcome)]
    try:
        h11_seen = by_h11(data.lstrip(b"\r\n"), case.kind, head_request=case.head_request)
        httptools_seen = by_httptools(data, case.kind)
    except Refused as refusal:
        pytest.fail(f"we accept what another refuses ({refusal}): {data!r}")
    if not whole:
        wanted.body, wanted.trailers, wanted.ended = b"", [], False
        h11_seen.ended = httptools_seen.ended = False
    elif "head_only" in outcome["head"]["flags"]:
        # h11 and httptools wait for more, not knowing what was asked
        h11_seen.ended = httptools_seen.ended = True
    if case.kind == "request" and any(name == b"upgrade" for name, _ in wanted.fields):
        # httptools stops before the body; we let no such wish and a body go on together
        httptools_seen.body, httptools_seen.trailers = wanted.body, wanted.trailers
        httptools_seen.ended = wanted.ended
    assert h11_seen == wanted, data
    assert httptools_seen == wanted, data


@pytest.mark.parametrize("case", [case for case in ALL if case.error is None], ids=title)
def test_accepted_message_is_the_same_to_h11_and_httptools(case: Case) -> None:
    outcome = http1.read(case.data, case.kind, head_request=case.head_request, **case.limits)
    compare(case, case.data, outcome)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["request", "response"])
def test_mutants_are_read_alike_by_all_and_in_any_split(kind: str, seed: int) -> None:
    accepted = 0
    for case, data, rng in mutants(kind, seed, MUTANTS):
        outcome = http1.read(data, kind, head_request=case.head_request)
        cuts = sorted(rng.randrange(len(data) + 1) for _ in range(rng.choice((1, 2, 5))))
        assert http1.read(data, kind, cuts, head_request=case.head_request) == outcome, data
        compare(case, data, outcome)
        accepted += outcome["error"] is None
    assert accepted > MUTANTS // 20, "the mutants are damaged too much to prove anything"
