"""A configuration written in Python.

Owns: `Gateway`, whose methods take exactly the keys of a configuration file, typed by `keys`.
Runs in: the process of `pygw.config.app`, and wherever a program makes its configuration.
Never does: serve, or judge values before it is asked to.
Read next: `pygw.config.app`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Unpack

if TYPE_CHECKING:
    from . import keys


class Gateway:
    """A configuration that is built step by step; `pygw run app:gateway` serves it.

        from pygw import Gateway

        gateway = Gateway(workers=2, drain="5s")
        gateway.listener(bind="127.0.0.1:8080")
        gateway.upstream("api", targets=["http://127.0.0.1:9001"])
        gateway.route(match={"path": "/v1/*"}, upstream="api")

    Keys, values and defaults are those of a file (docs/configuration.md). Besides, a duration may
    be a `datetime.timedelta`, a network an object of `ipaddress`, a path an `os.PathLike`; None is
    a key left out; `${...}` has no meaning, because a program can read its environment itself.
    """

    def __init__(self, **settings: Unpack[keys.Settings]) -> None:
        """`settings` is what holds for the whole gateway."""
        self._settings: Mapping[str, Any] = {**settings}
        self._listeners: list[Mapping[str, Any]] = []
        self._upstreams: dict[str, Mapping[str, Any]] = {}
        self._routes: list[Mapping[str, Any]] = []

    def listener(self, **listener: Unpack[keys.Listener]) -> None:
        """Accept clients at one more address."""
        self._listeners.append({**listener})

    def upstream(self, name: str, /, **upstream: Unpack[keys.Upstream]) -> str:
        """Add a service and return its name; ValueError if the name is taken."""
        if name in self._upstreams:
            raise ValueError(f"there is an upstream {name} already")
        self._upstreams[name] = {**upstream}
        return name

    def route(self, **route: Unpack[keys.Route]) -> None:
        """Add a route."""
        self._routes.append({**route})

    def to_data(self) -> dict[str, Any]:
        """The configuration as a file of the same meaning would have it."""
        parts = {
            "listeners": list(self._listeners),
            "upstreams": dict(self._upstreams),
            "routes": list(self._routes),
        }
        return {**self._settings, **{key: part for key, part in parts.items() if part}}

    def check(self, name: str = "gateway") -> None:
        """Raise `pygw.config.ConfigError`, with everything that is wrong, unless it can be served;
        `name` is what messages call it."""
        from .config.app import plain_data
        from .config.load import check_object

        check_object(plain_data(self), name)
