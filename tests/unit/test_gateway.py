"""A configuration written in Python is one written in a file."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from pygw import Gateway
from pygw.config import ConfigError, parse_config
from pygw.config.interpolate import Sources
from pygw.config.load import load

PROGRAM = """
from datetime import timedelta
from pygw import Gateway

gateway = Gateway(workers=2, drain=timedelta(seconds=5))
gateway.listener(bind="127.0.0.1:8080")
api = gateway.upstream("api", targets=["http://127.0.0.1:9001"], timeouts={"connect": "1s"})
for version in (1, 2):
    gateway.route(
        name=f"v{version}",
        match={"path": f"/v{version}/*"},
        middleware=[{"ip": {"allow": ["10.0.0.0/8"]}}] if version == 1 else None,
        upstream=api,
    )
"""

FILE = """
workers: 2
drain: 5s
listeners: [{bind: "127.0.0.1:8080"}]
upstreams: {api: {targets: ["http://127.0.0.1:9001"], timeouts: {connect: 1s}}}
routes:
- {name: v1, match: {path: /v1/*}, middleware: [{ip: {allow: [10.0.0.0/8]}}], upstream: api}
- {name: v2, match: {path: /v2/*}, upstream: api}
"""


def test_program_is_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.py").write_text(PROGRAM)
    assert load("app:gateway").config == parse_config(FILE, "pygw.yaml", Sources({}))


def test_name_of_an_upstream_is_taken_once() -> None:
    gateway = Gateway()
    gateway.upstream("api", targets=["http://a"])
    with pytest.raises(ValueError, match="there is an upstream api already"):
        gateway.upstream("api", targets=["http://b"])


def test_check_tells_everything() -> None:
    gateway = Gateway(drain=timedelta(seconds=3))
    gateway.listener(bind="127.0.0.1")
    gateway.route(match={"path": "/*"}, upstream="api")
    with pytest.raises(ConfigError) as caught:
        gateway.check()
    assert str(caught.value) == (
        "gateway  error  listeners[0].bind: must be an address and port such as 127.0.0.1:8080,"
        ' [::1]:8080 or unix:/path, got "127.0.0.1"\n'
        "gateway  error  routes[0].upstream: unknown upstream; there are no upstreams\n"
        "2 errors, nothing was applied"
    )


def test_nothing_is_said_twice_before_it_is_asked() -> None:
    gateway = Gateway(forwarding={"trusted_proxies": [ip_network("10.0.0.0/8")]})
    assert gateway.to_data() == {"forwarding": {"trusted_proxies": [ip_network("10.0.0.0/8")]}}
