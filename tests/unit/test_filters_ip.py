"""The filter `ip`: who is admitted."""

from __future__ import annotations

import pytest
from pygw._core.probe.filters import PlanError
from pygw._core.probe.loopback import Loopback

from .plans import build, plan, route, through

TEN, PART = "10.0.0.0/8", "10.1.0.0/16"


def admitted(allow: list[str], deny: list[str], client: str) -> bool:
    """Whether a client reaches the service; if not, that it was answered 403."""
    run = through({"filter": "ip", "allow": allow, "deny": deny})
    run.begin(client=client)
    if run.done:
        assert (run.status, run.cause) == (403, "denied")
        assert run.down.fields(b"Proxy-Status") == [b"pygw; error=http_request_denied"]
        assert run.attempts == (0, 0)
    return not run.done


@pytest.mark.parametrize(
    ("allow", "deny", "client", "expected"),
    [
        ([], [], "192.0.2.1", True),
        ([], [], "unix:", True),
        ([TEN], [], "10.2.3.4", True),
        ([TEN], [], "11.2.3.4", False),
        ([TEN], [], "unix:", False),
        ([TEN], [PART], "10.1.2.3", False),
        ([TEN], [PART], "10.2.0.0", True),
        ([], [PART], "10.1.255.255", False),
        ([], [PART], "10.2.0.0", True),
        ([], [PART], "unix:", True),
        (["0.0.0.0/0"], [], "2001:db8::1", False),
        (["::/0"], [], "2001:db8::1", True),
        (["2001:db8::/32"], ["2001:db8:1::/48"], "2001:db8:1::5", False),
        (["2001:db8::/32"], ["2001:db8:1::/48"], "2001:db8:2::5", True),
        (["192.0.2.1"], [], "192.0.2.1", True),
        (["192.0.2.1"], [], "192.0.2.2", False),
        (["198.51.100.0/24", TEN], [], "10.0.0.1", True),
    ],
)
def test_deny_wins_and_a_non_empty_allow_admits_only_itself(
    allow: list[str], deny: list[str], client: str, expected: bool
) -> None:
    assert admitted(allow, deny, client) == expected


def test_the_client_behind_a_trusted_proxy_is_the_one_that_counts() -> None:
    deny = {"filter": "ip", "allow": [], "deny": ["203.0.113.9"]}
    run = Loopback(build(plan(route(middleware=[deny]), trusted_proxies=[TEN])))
    run.begin(client="10.0.0.1", headers=[(b"X-Forwarded-For", b"203.0.113.9")])
    assert run.status == 403


def test_the_word_of_an_untrusted_peer_does_not_count() -> None:
    allow = {"filter": "ip", "allow": ["203.0.113.9"], "deny": []}
    run = through(allow)
    run.begin(client="192.0.2.1", headers=[(b"X-Forwarded-For", b"203.0.113.9")])
    assert run.status == 403


@pytest.mark.parametrize(
    "bad", ["", "x", "10.0.0.0/33", "10.0.0.0/-1", "::/129", "10.0.0/8", "fe80::1%eth0", "1" * 65]
)
def test_what_is_no_range_is_refused(bad: str) -> None:
    for key in ("allow", "deny"):
        entry = {"filter": "ip", "allow": [], "deny": []} | {key: ["::1", bad]}
        with pytest.raises(PlanError, match=rf"middleware\[0\].{key}\[1\]: "):
            through(entry)


def test_closed_and_empty_admits_nobody() -> None:
    run = through({"filter": "ip", "allow": [], "deny": [], "closed": True})
    run.begin(client="192.0.2.1")
    assert run.status == 403


@pytest.mark.parametrize("client", ["10.1.2.3", "10.1.2.4", "2001:db8::1"])
def test_many_ranges_decide_like_few(client: str) -> None:
    many = [f"172.16.{n}.0/24" for n in range(100)]
    for ranges in (["10.1.2.3"], ["10.1.2.3", *many]):
        assert admitted(ranges, [], client) == (client == "10.1.2.3")
        assert admitted([], ranges, client) != (client == "10.1.2.3")
