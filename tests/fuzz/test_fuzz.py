"""A short run of the fuzzer on whatever variant is being tested, and its planted bugs' patches."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random

import pytest

from tests.fuzz.case import Case, load
from tests.fuzz.engine import Engine
from tests.fuzz.mutate import mutate
from tests.fuzz.planted import PATCHES, TREE, patch
from tests.fuzz.seeds import seeds


@pytest.mark.parametrize("seed", [1, 2])
def test_short_run_finds_nothing(seed: int) -> None:
    engine = Engine(seed, show=False)
    engine.run(seconds=20, most=2000)
    assert engine.played > len(seeds())


def test_case_is_the_same_after_writing_and_reading() -> None:
    random = Random(7)
    known = seeds()
    for case in known:
        changed = mutate(case, random, [event.data for event in known[0].events])
        assert load(changed.dump()) == changed


def test_same_seed_makes_the_same_cases() -> None:
    def cases(seed: int) -> list[Case]:
        random = Random(seed)
        return [mutate(case, random, [b"x"]) for case in seeds()]

    assert cases(3) == cases(3)
    assert cases(3) != cases(4)


@pytest.mark.skipif(shutil.which("patch") is None, reason="patch is not installed")
@pytest.mark.parametrize("path", PATCHES, ids=lambda path: path.stem)
def test_planted_bug_still_fits_the_core(path: Path) -> None:
    assert patch(TREE, path, "--dry-run")
