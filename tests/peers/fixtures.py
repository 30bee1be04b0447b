"""The fixtures of everything that talks to a running gateway.

`stage` is the whole of a test's peers; `origin` and `gateway` are its usual parts; `gw` and
`quick` are shared gateways in front of `origin`, without and with short timeouts.
Read next: a test, for example tests/proxy/test_keepalive.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.peers.fleet import Fleet, Stage
from tests.peers.gateway import Gateway
from tests.peers.origin import Origin
from tests.peers.settings import SHORT, Config, proxy_config

FAILED = pytest.StashKey[bool]()


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Gateways and origins of the whole run."""
    made = Fleet(tmp_path_factory.mktemp("fleet"))
    yield made
    wrong = made.close()
    assert not wrong, "\n".join(wrong)


@pytest.fixture
def stage(fleet: Fleet, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """This test's peers; after it, everything that left the gateway is judged."""
    made = Stage(fleet)
    yield made
    made.failed = request.node.stash.get(FAILED, False)
    wrong = made.finish()
    assert not wrong, "\n".join(wrong)


@pytest.fixture
def origin(stage: Stage) -> Origin:
    """The origin behind the gateway."""
    return stage.origin(0)


@pytest.fixture
def gateway(stage: Stage) -> Callable[[Config], Gateway]:
    """Gives a gateway for a config."""
    return stage.gateway


@pytest.fixture
def gw(stage: Stage, origin: Origin) -> Gateway:
    """A gateway in front of `origin` in which no timeout plays a part."""
    return stage.gateway(proxy_config(origin))


@pytest.fixture
def quick(stage: Stage, origin: Origin) -> Gateway:
    """A gateway in front of `origin` with the short timeouts of `settings.SHORT`."""
    return stage.gateway(proxy_config(origin, timeouts=SHORT))
