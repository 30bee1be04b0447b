"""After every bad case here two ordinary requests must get their own answers."""

from __future__ import annotations

import pytest

from tests.peers.fleet import Stage


@pytest.fixture(autouse=True)
def canary(stage: Stage) -> None:
    """Ask for the canary at the end of the test; a test that can not have one says so."""
    stage.canary_due = True
