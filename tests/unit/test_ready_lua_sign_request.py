"""`hooks/lua/sign_request.lua` signs what docs/ready-made.md says.

Owns: a service's check of a signature.
Runs in: tests, with the gateway in this process.
Never does: open a socket.
Read next: `docs/ready-made.md`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from email.utils import formatdate
from pathlib import Path

import pytest

from pygw.testing import MakeHook, Seen
from tests.unit.lua_hooks import needs_lua
from tests.unit.ready_hooks import FOLDER, place, refused

pytestmark = needs_lua
KEY = "a secret that has thirty-two bytes"
CONFIG = {"key_id": "edge-1", "key": KEY}


def signature(seen: Seen, digest: str) -> str:
    """The field as a service computes it from what it got."""
    lines = (seen.method, seen.path, seen.query, seen.headers["date"], digest)
    code = hmac.digest(KEY.encode(), "\n".join(lines).encode(), "sha256")
    text = base64.b64encode(code).decode()
    return f'keyId="edge-1",algorithm="hmac-sha256",signature="{text}"'


def digest_of(body: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


@pytest.mark.parametrize("target", ["/", "/a%20b/c?x=1&y=%2F", "/x?"])
def test_a_held_body_is_signed_with_the_head(pygw_hook: MakeHook, target: str) -> None:
    gateway = pygw_hook(place("sign_request"), config=CONFIG, body="buffered")
    forged = {"x-signature": "mine", "content-digest": "sha-256=:mine:", "date": "yesterday"}
    for body in ({"body": "hello"}, {"chunks": ["he", "llo"]}):
        seen = gateway.post(target, headers=forged, **body).sent
        assert seen.body == b"hello"
        assert seen.headers.all("content-digest") == [digest_of(b"hello")]
        assert seen.headers.all("x-signature") == [signature(seen, digest_of(b"hello"))]
    seen = gateway.get(target).sent
    assert seen.headers["x-signature"] == signature(seen, digest_of(b""))


def test_a_body_that_is_not_held_is_said_to_be_unsigned(pygw_hook: MakeHook) -> None:
    gateway = pygw_hook(place("sign_request"), config=CONFIG, phases=["attempt"])
    seen = gateway.post("/x", body="hello", headers={"content-digest": "sha-256=:mine:"}).sent
    assert seen.headers["x-signature"] == signature(seen, "unsigned")


@pytest.mark.parametrize(
    "now", [0, 951_782_400, 951_868_800, 1_709_164_800, 1_735_689_599, 4_107_542_399, 4_107_542_400]
)
def test_the_date_is_right_about_leap_days_and_ends_of_years(
    pygw_hook: MakeHook, tmp_path: Path, now: int
) -> None:
    file = tmp_path / "at.lua"
    code = (FOLDER / "sign_request.lua").read_text("utf-8")
    file.write_text(code.replace("gw.now()", f"({now} + 0.9)"))
    seen = pygw_hook(f"lua:{file}", config=CONFIG, phases=["attempt"]).get("/").sent
    assert seen.headers["date"] == formatdate(now, usegmt=True)


def test_each_attempt_has_the_time_of_its_own(pygw_hook: MakeHook) -> None:
    gateway = pygw_hook(place("sign_request"), config=CONFIG, phases=["attempt"])
    for _ in range(3):
        seen = gateway.get("/").sent
        assert seen.headers["date"] == formatdate(int(gateway.now), usegmt=True)
        assert seen.headers["x-signature"] == signature(seen, "unsigned")
        gateway.advance(1)


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"key_id": "a"}, "key: is required"),
        ({"key_id": "a", "key": "short"}, "key: must be at least 32"),
        ({"key_id": 'a"', "key": KEY}, "config.key_id must be of letters"),
        (CONFIG | {"header": "a b"}, "config.header must be the name of a field"),
        (CONFIG | {"header": "date"}, "config.date_header must be another field"),
    ],
)
def test_a_wrong_configuration_of_signatures_is_refused(
    pygw_hook: MakeHook, config: dict[str, str], problem: str
) -> None:
    assert problem in refused(pygw_hook, "sign_request", config, body="buffered")
