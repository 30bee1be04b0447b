"""Options and fixtures that all tests share.

A test that hangs is a failed test: 60 s is the limit unless it says otherwise by
`@pytest.mark.timeout`. `slow` marks what may be left out with `-m "not slow"`.
"""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests import scratch
from tests.peers.fixtures import FAILED, fleet, gateway, gw, origin, quick, stage

__all__ = ["fleet", "gateway", "gw", "origin", "quick", "stage"]

TIMEOUT_S = 60


def pytest_configure(config: pytest.Config) -> None:
    """Register the marks."""
    config.addinivalue_line("markers", "slow: takes some seconds; still part of the whole run")


def pytest_sessionfinish() -> None:
    """Leave nothing behind; a worker of xdist ends here too."""
    scratch.remove_all()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every test a time limit."""
    for item in items:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let fixtures know at teardown whether the test itself failed."""
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report
