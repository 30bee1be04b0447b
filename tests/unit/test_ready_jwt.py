"""The ready hook `hooks/python/jwt_claims.py`: what it lets on, what it refuses, what it tells."""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from pygw.testing import ConfigError, Gateway, MakeGateway, MakeHook, Response

HOOK = f"python:{Path(__file__).parents[2] / 'hooks/python/jwt_claims.py'}:JwtClaims"
SECRET = b"0123456789abcdef0123456789abcdef"
Make = Callable[..., Gateway]
PEM = serialization.Encoding.PEM


@functools.cache
def private(kind: str) -> Any:
    if kind == "ec":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(65537, 1024 if kind == "weak" else 2048)


def public(kind: str) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    pem: bytes = private(kind).public_key().public_bytes(PEM, form)
    return pem


def token(key: Any = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    """A good token, but for these claims; None leaves one out."""
    now = int(time.time())
    told = {"sub": "anna", "aud": "orders", "iss": "me", "exp": now + 60} | claims
    kept = {name: value for name, value in told.items() if value is not None}
    headers = kept.pop("head", None)
    return jwt.encode(kept, key, algorithm=algorithm, headers=headers)


def forged(head: Any, claims: Any, key: bytes = SECRET) -> str:
    """Parts that no library would make, signed with HMAC of SHA-256."""
    parts = [json.dumps(part).encode() for part in (head, claims)]
    signed = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    mark = hmac.digest(key, signed, hashlib.sha256)
    return (signed + b"." + base64.urlsafe_b64encode(mark).rstrip(b"=")).decode()


@pytest.fixture
def make(pygw_hook: MakeHook, tmp_path: Path) -> Make:
    """The hook with this key and what else is said of it."""

    def do(key: bytes = SECRET, algorithm: str = "HS256", **config: Any) -> Gateway:
        (tmp_path / "key").write_bytes(key)
        known = {
            "keys": [{"file": str(tmp_path / "key"), "algorithm": algorithm}],
            "issuer": ["me"], "audience": ["orders"], "claims": {"sub": "x-user"},
        }  # fmt: skip
        return pygw_hook(HOOK, known | config)

    return do


def ask(gateway: Gateway, text: str, **headers: str) -> Response:
    return gateway.get("/", headers={"authorization": f"Bearer {text}"} | headers)


def why(answer: Response) -> str:
    """The challenge of a refusal."""
    assert (answer.status, answer.origin) == (401, None), answer.text
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith('Bearer error="invalid_token", error_description="')
    return challenge.split('"')[3]


def test_claims_go_to_the_service_and_the_clients_own_headers_do_not(make: Make) -> None:
    claims = {"sub": "x-user", "n": "x-n", "realm.roles": "x-roles", "a.b": "x-ab", "no": "x-no"}
    gateway = make(claims=claims)
    more = {"n": 7, "realm": {"roles": ["a", "b"]}, "a.b": True, "sub": "zoë"}
    seen = ask(gateway, token(**more), **{"x-no": "forged", "X-User": "root"}).sent
    told = [seen.headers.get(name) for name in ("x-n", "x-roles", "x-ab", "x-no")]
    assert told == ["7", "a,b", "true", None]
    assert seen.headers["x-user"].encode("latin-1").decode() == "zoë"
    assert "authorization" in seen.headers


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": 1}, "expired"),
        ({"exp": None}, "lacks"),
        ({"nbf": 1 << 33}, "not valid yet"),
        ({"aud": "else"}, "audience"),
        ({"aud": None}, "lacks"),
        ({"iss": "else"}, "issuer"),
        ({"iss": None}, "lacks"),
        ({"sub": "a\r\nx-b: 1"}, "cannot be a header"),
        ({"sub": " a"}, "cannot be a header"),
        ({"sub": "a" * 1025}, "cannot be a header"),
        ({"n": ["a,b"]}, "cannot be a header"),
        ({"n": {"a": 1}}, "cannot be a header"),
        ({"n": [["a"]]}, "cannot be a header"),
        ({"head": {"crit": ["exp"]}}, "the token"),  # PyJWT from 2.12 on says so itself
    ],
)
def test_a_claim_that_is_wrong_is_an_invalid_token(
    make: Make, claims: dict[str, Any], reason: str
) -> None:
    gateway = make(claims={"sub": "x-user", "n": "x-n"})
    assert reason in why(ask(gateway, token(**claims)))


def test_leeway_is_how_far_clocks_may_differ(make: Make) -> None:
    late = token(exp=int(time.time()) - 20)
    assert ask(make(), late).status == 200
    assert "expired" in why(ask(make(leeway_s=0), late))


def test_the_algorithm_is_the_keys_and_never_the_tokens(make: Make) -> None:
    good = {"sub": "anna", "aud": "orders", "iss": "me", "exp": int(time.time()) + 60}
    gateway = make()
    assert ask(gateway, forged({"alg": "HS256"}, good)).status == 200
    unsigned = forged({"alg": "none"}, good).rpartition(".")[0] + "."
    for wrong in (
        unsigned,
        forged({"alg": "none"}, good),
        forged({"alg": "HS512"}, good),
        forged({"alg": ["HS256"]}, good),
        forged({}, good),
        forged([], good),
        forged({"alg": "HS256"}, []),
        forged({"alg": "HS256"}, good | {"exp": float("inf")}),
        forged({"alg": "HS256"}, good, b"another key"),
        token(SECRET * 2, "HS512"),
        "a.b.c", "a", "é",
    ):  # fmt: skip
        assert "malformed or not signed" in why(ask(gateway, wrong))
    assert "too long" in why(ask(gateway, "a" * 8193))


def test_a_public_key_is_no_secret_of_hmac(make: Make, pygw_hook: MakeHook) -> None:
    good = {"sub": "anna", "aud": "orders", "iss": "me", "exp": int(time.time()) + 60}
    gateway = make(public("rsa"), "RS256")
    assert ask(gateway, token(private("rsa"), "RS256")).sent.headers["x-user"] == "anna"
    confused = forged({"alg": "HS256"}, good, public("rsa"))
    assert "not signed" in why(ask(gateway, confused))
    with pytest.raises(ConfigError, match="holds PEM, but HS256 takes a secret"):
        make(public("rsa"))
    gateway = make(public("ec"), "ES256")
    assert ask(gateway, token(private("ec"), "ES256")).status == 200


def test_kept_decisions_remove_the_clients_headers_too(
    pygw_gateway: MakeGateway, tmp_path: Path
) -> None:
    (tmp_path / "key").write_bytes(SECRET)
    keys = [{"file": str(tmp_path / "key"), "algorithm": "HS256"}]
    entry = {
        "object": HOOK.removeprefix("python:"),
        "config": {"keys": keys, "audience": ["orders"], "claims": {"sub": "x-user", "no": "x-no"}},
        "reads": ["headers.authorization"],
        "cache": {"key": "{header.authorization}", "ttl": "30s"},
    }
    route = {"match": {"path": "/*"}, "upstream": "api", "middleware": [{"python": entry}]}
    gateway = pygw_gateway(
        {
            "listeners": [{"bind": "127.0.0.1:1"}],
            "upstreams": {"api": {"targets": ["http://127.0.0.1:2"]}},
            "routes": [route],
        }
    )
    text = token()
    for ran in (1, 0, 0):
        answer = ask(gateway, text, **{"x-user": "root", "x-no": "forged"})
        assert (len(answer.hooks), "x-no" in answer.sent.headers) == (ran, False)
        assert answer.sent.headers.all("x-user") == ["anna"]


def test_one_of_several_keys_is_chosen_by_its_name(make: Make, tmp_path: Path) -> None:
    keys = []
    for name in ("old", "new"):
        (tmp_path / name).write_bytes(name.encode() * 16)
        keys.append({"file": str(tmp_path / name), "algorithm": "HS256", "kid": name})
    gateway = make(keys=keys)
    new = b"new" * 16
    assert ask(gateway, token(new, head={"kid": "new"})).status == 200
    assert ask(gateway, token(new)).status == 200
    assert "not signed" in why(ask(gateway, token(new, head={"kid": "old"})))
    assert "not known" in why(ask(gateway, token(new, head={"kid": "other"})))


def test_a_request_without_a_token_is_told_what_is_needed(make: Make) -> None:
    answer = make(realm="shop").get("/")
    assert (answer.status, answer.headers["www-authenticate"]) == (401, 'Bearer realm="shop"')
    assert make().get("/", headers={"authorization": "Basic YTpi"}).status == 401
    twice = make().raw(
        b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n"
    )
    assert (twice.status, twice.origin) == (400, None)
    assert 'error="invalid_request"' in twice.headers["www-authenticate"]


def test_an_optional_token_must_be_good_where_it_is(make: Make) -> None:
    gateway = make(optional=True, forward_token=False)
    assert "x-user" not in gateway.get("/", headers={"x-user": "root"}).sent.headers
    assert "malformed" in why(ask(gateway, "a"))
    assert "authorization" not in ask(gateway, token()).sent.headers


@pytest.mark.parametrize(
    ("key", "config", "reason"),
    [
        (SECRET, {"algorithm": "none"}, r"keys\[0\]\.algorithm"),
        (b"short\n", {}, "needs a secret of 32 bytes"),
        (SECRET, {"algorithm": "RS256"}, "holds no public key for RS256"),
        (SECRET, {"claims": {"sub": "Host"}}, "host cannot be set"),
        (SECRET, {"claims": {"sub": "x-a", "n": "X-A"}}, "two claims go to one header"),
        (SECRET, {"claims": {"sub": "x a"}}, "claims"),
        (SECRET, {"keys": [{"file": "/no/such", "algorithm": "HS256"}]}, "No such file"),
        (SECRET, {"keys": []}, "keys"),
        (SECRET, {"algoritm": 1}, "algoritm"),
    ],
)
def test_a_wrong_configuration_says_what_is_wrong(
    make: Make, key: bytes, config: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason):
        make(key, **config)


def test_keys_of_the_wrong_kind_are_refused(make: Make) -> None:
    with pytest.raises(ConfigError, match="secp384r1"):
        make(public("ec"), "ES384")
    with pytest.raises(ConfigError, match="2048 bits or more"):
        make(public("weak"), "RS256")
    form, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    with pytest.raises(ConfigError, match="give the public one"):
        make(private("ec").private_bytes(PEM, form, none), "ES256")


def test_without_the_library_the_error_names_the_command(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jwt", None)
    with pytest.raises(ConfigError, match=r"pip install 'PyJWT\[crypto\]"):
        make()
