"""All gateways and origins of a run, and the part of them that one test plays with.

Starting a gateway costs half a second, so tests with equal configs share one; origins keep
their ports over the whole run so that configs can be equal. `Stage` is one test's view: it
hands out peers and, at the end, collects everything that was wrong. Read next: `fixtures`.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from pathlib import Path
from typing import Any

from tests.peers.canary import assert_canary
from tests.peers.gateway import Gateway
from tests.peers.link import until
from tests.peers.lint import lint_client_link, lint_origin_link
from tests.peers.origin import Origin
from tests.peers.settings import Config

KEPT = 8  # running gateways at most, besides those a test starts for itself


class Fleet:
    """Everything that lives longer than one test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.gateways: OrderedDict[str, Gateway] = OrderedDict()
        self.origins: list[Origin] = []
        self.started = 0

    def start(self, config: Config, **options: Any) -> Gateway:
        """A new gateway that nobody else uses."""
        self.started += 1
        folder = self.folder / f"gateway-{self.started}"
        folder.mkdir()
        return Gateway(folder, config, **options)

    def share(self, config: Config) -> tuple[Gateway, list[str]]:
        """The running gateway of this config, and complaints of one that had to make room."""
        key = json.dumps(config)
        if key in self.gateways:
            self.gateways.move_to_end(key)
            return self.gateways[key], []
        wrong = []
        if len(self.gateways) >= KEPT:
            _, oldest = self.gateways.popitem(last=False)
            wrong = [f"an earlier gateway: {text}" for text in oldest.stop()]
        self.gateways[key] = self.start(config)
        return self.gateways[key], wrong

    def drop(self, gateway: Gateway) -> None:
        """Share this gateway no longer."""
        for key, kept in list(self.gateways.items()):
            if kept is gateway:
                del self.gateways[key]

    def origin(self, slot: int) -> Origin:
        """The origin of a slot; made when first asked for."""
        while len(self.origins) <= slot:
            self.origins.append(Origin())
        return self.origins[slot]

    def close(self) -> list[str]:
        """End everything; what was wrong."""
        wrong = []
        for gateway in self.gateways.values():
            wrong += gateway.stop()
        for origin in self.origins:
            origin.close()
        return wrong


class Stage:
    """The peers of one test."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.shared: list[Gateway] = []
        self.own: list[Gateway] = []
        self.origins: list[Origin] = []
        self.extra: list[Origin] = []
        self.wrong: list[str] = []
        self.canary_due = False
        self.failed = False

    def gateway(self, config: Config) -> Gateway:
        """A gateway with this config, perhaps one that served earlier tests."""
        gateway, wrong = self.fleet.share(config)
        self.wrong += wrong
        if gateway not in self.shared:
            self.shared.append(gateway)
            if gateway.used:
                gateway.mark()
            gateway.used = True
        return gateway

    def fresh(self, config: Config, **options: Any) -> Gateway:
        """A gateway of the test's own, started now and stopped at its end."""
        gateway = self.fleet.start(config, **options)
        self.own.append(gateway)
        return gateway

    def origin(self, slot: int = 0) -> Origin:
        """An origin on a port that stays the same for the whole run."""
        made = self.fleet.origin(slot)
        if made not in self.origins:
            self.origins.append(made)
        return made

    def unix_origin(self, path: Path) -> Origin:
        """An origin on a unix socket."""
        return self.adopt(Origin(str(path)))

    def adopt(self, origin: Origin) -> Origin:
        """Judge and close this origin with the others at the end of the test."""
        self.origins.append(origin)
        self.extra.append(origin)
        return origin

    def finish(self) -> list[str]:
        """End the test's peers and judge them: canary, lint, scripts, processes, sockets."""
        running = [g for g in (*self.shared, *self.own) if g.process.poll() is None]
        if self.canary_due and not self.failed:
            for gateway in running:
                self._try(lambda g=gateway: assert_canary(g, self.origins), "canary")
        self._judge_clients()
        for origin in self.origins:
            self._judge_origin(origin)
        for origin in self.extra:
            origin.close()
        for gateway in running:
            self._try(lambda g=gateway: self._assert_sockets_back(g), "sockets")
        for gateway in self.shared:
            complaints = gateway.complaints()
            self.wrong += complaints
            if complaints or self.failed or self.wrong:
                self.fleet.drop(gateway)
                gateway.stop()
        for gateway in self.own:
            self.wrong += gateway.stop()
        return self.wrong

    def _judge_clients(self) -> None:
        for gateway in (*self.shared, *self.own):
            for client in gateway.clients:
                if client.judged:
                    self._try(lambda c=client: lint_client_link(c), "to the client")
                client.close()

    def _judge_origin(self, origin: Origin) -> None:
        connections = origin.connections
        origin.clear()
        for served in connections:
            if served.error is not None:
                self.wrong.append(f"origin script {served.index}: {served.error!r}")
            if served.judged:
                self._try(lambda s=served: lint_origin_link(s), "to the origin")

    def _assert_sockets_back(self, gateway: Gateway) -> None:
        """Both sides have gone: the workers must hold no more sockets than when they were born."""
        kept = gateway.born_sockets + gateway.held_sockets

        def back() -> bool:
            # An origin may have accepted a connection after it was judged.
            for origin in self.origins:
                if origin.connections and origin not in self.extra:
                    self._judge_origin(origin)
            return gateway.sockets <= kept

        until(back, f"more than {kept} sockets stay open", 3.0)

    def _try(self, check: Any, what: str) -> None:
        try:
            check()
        except Exception as error:  # every finding is reported, of whatever kind
            self.wrong.append(f"{what}: {type(error).__name__}: {error}")
