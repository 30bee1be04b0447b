"""The fixtures that pytest finds where pygw is installed: `pygw_hook` and `pygw_gateway`.

Owns: the life of gateways in a test, and the log of hooks in the report of one that failed.
Runs in: pytest, in every project of an environment with pygw.
Never does: import the gateway before a test asks for a fixture.
Read next: `testing`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .testing import Cost, Gateway, MakeGateway, MakeHook

GATEWAYS: pytest.StashKey[list[Gateway]] = pytest.StashKey()


COSTS: pytest.StashKey[list[Cost]] = pytest.StashKey()
OPTION = "--pygw-costs"


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--pygw-costs` tells at the end what a call of each hook costs."""
    parser.addoption(OPTION, action="store_true", help="tell what a call of each hook costs")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """What hooks cost, as far as it was asked for."""
    costs = config.stash.get(COSTS, [])
    if costs:
        from .testing.cost import table

        terminalreporter.section("cost of hooks, a call")
        for line in table(costs):
            terminalreporter.line(line)


@pytest.fixture
def pygw_hook(request: pytest.FixtureRequest) -> Iterator[MakeHook]:
    """Makes a gateway with one hook: `pygw_hook("lua:limit.lua", config={...})`; see
    `pygw.testing.Gateway.of_hook`. Paths are seen from the test's file."""
    from .testing import Gateway

    def make(hook: Any, config: Any = None, **options: Any) -> Gateway:
        options.setdefault("base", _base(request))
        return _kept(request, Gateway.of_hook(hook, config, **options))

    yield make
    _close(request)


@pytest.fixture
def pygw_gateway(request: pytest.FixtureRequest) -> Iterator[MakeGateway]:
    """Makes a gateway with a whole configuration: `pygw_gateway("pygw.yaml")`; see
    `pygw.testing.Gateway`. Paths are seen from the test's file."""
    from .testing import Gateway

    def make(config: Any, **options: Any) -> Gateway:
        options.setdefault("base", _base(request))
        return _kept(request, Gateway(config, **options))

    yield make
    _close(request)


def _base(request: pytest.FixtureRequest) -> Path:
    return request.path.parent


def _kept(request: pytest.FixtureRequest, gateway: Gateway) -> Gateway:
    request.node.stash.setdefault(GATEWAYS, []).append(gateway)
    return gateway


def _close(request: pytest.FixtureRequest) -> None:
    made = request.node.stash.get(GATEWAYS, [])
    try:
        if request.config.getoption(OPTION):
            from .testing.cost import costs_of

            found = request.config.stash.setdefault(COSTS, [])
            found += costs_of(made, found)
    finally:
        for gateway in made:
            gateway.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What hooks logged stands in the report of a test that failed."""
    report = yield
    if report.failed:
        lines = [str(line) for one in item.stash.get(GATEWAYS, []) for line in one.log]
        if lines:
            report.sections.append(("log of hooks", "\n".join(lines)))
    return report
