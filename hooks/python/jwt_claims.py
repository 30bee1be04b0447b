"""Requests with a good JWT go on, and what it claims goes along in headers.

Owns: the check of the token in `Authorization: Bearer`, and the headers that its claims become.
Runs in: workers, in the phase request; keys are read when the configuration is.
Never does: ask anybody: a token that was revoked is good until it ends.
Read next: `docs/ready-python.md`; RFC 7519 (JWT), RFC 8725 (what to refuse), RFC 6750 (answers).

    middleware:
      - python:
          object: jwt_claims.py:JwtClaims
          config:
            keys: [{file: /etc/pygw/issuer.pem, algorithm: RS256}]
            issuer: [https://login.example.com/]
            audience: [orders]
            claims: {sub: x-user, scope: x-scope}
"""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pygw.hooks import Answer, Reply, Request

NEEDS = "needs PyJWT with what it signs with: pip install 'PyJWT[crypto]>=2.10'"
HMAC_BYTES_MIN = {"HS256": 32, "HS384": 48, "HS512": 64}
"""RFC 7518, section 3.2: a secret is at least as long as the hash."""
CURVES = {"ES256": "secp256r1", "ES384": "secp384r1", "ES512": "secp521r1"}
RSA_BITS_MIN = 2048
KEY_FILE_MAX = 64 << 10
# What a hook may not claim for itself: framing, routing, and the credentials it has checked.
KEPT = {
    "host", "authorization", "content-length", "transfer-encoding", "connection", "keep-alive",
    "te", "trailer", "upgrade", "expect", "content-type", "proxy-authorization",
    "proxy-connection", "proxy-authenticate",
}  # fmt: skip

Algorithm = Literal[
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
    "ES256", "ES384", "ES512", "EdDSA",
]  # fmt: skip
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$")]
Text = Annotated[str, Field(min_length=1, max_length=1024)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Key(_Strict):
    """A key and the one algorithm that it is for."""

    file: str = Field(pattern="^/", max_length=4096)
    """A public key as PEM, or for HS the secret's bytes, without one line end at the end."""
    algorithm: Algorithm
    kid: Text | None = None
    """Tokens that name a key in their header are checked with this one only if it is so called."""


class Config(_Strict):
    """What is accepted, and what becomes of it."""

    keys: list[Key] = Field(min_length=1, max_length=16)
    issuer: list[Text] = Field(default=[], max_length=16)
    """One of these issued it; empty: not looked at."""
    audience: list[Text] = Field(default=[], max_length=16)
    """It is for one of these; empty: a token that is for somebody is refused."""
    leeway_s: int = Field(default=30, ge=0, le=600)
    require: list[Text] = Field(default=["exp"], max_length=16)
    """Claims that must be there."""
    claims: dict[Text, HeaderName] = Field(default={}, max_length=32)
    """Claim to header. What has no claim of its name is looked for by its dots: `realm.roles`."""
    optional: bool = False
    """Whether a request without a token goes on, without the headers."""
    forward_token: bool = True
    """Whether the service gets `Authorization` too."""
    realm: str = Field(default="", pattern=r"^[ !#-\[\]-~]{0,128}$")
    token_max: int = Field(default=8192, ge=64, le=65536)
    """Bytes of a token at most."""
    value_max: int = Field(default=1024, ge=1, le=8192)
    """Bytes of a header's value at most."""

    @model_validator(mode="after")
    def _names(self) -> Config:
        names = [name.lower() for name in self.claims.values()]
        if wrong := KEPT.intersection(names):
            raise ValueError(f"claims: {', '.join(sorted(wrong))} cannot be set from a claim")
        if len(set(names)) < len(names):
            raise ValueError("claims: two claims go to one header")
        return self


class _Bad(Exception):
    """Why a token is not accepted: fixed words, as they go to the client in quotes."""


class JwtClaims:
    """The hook."""

    def __init__(self, config: Config) -> None:
        try:
            self._jwt: Any = import_module("jwt")
            import_module("cryptography")
        except ImportError as error:
            raise ValueError(f"jwt_claims {NEEDS} ({error})") from None
        self._config = config
        self._keys = [
            (key.kid, key.algorithm, _loaded(self._jwt, f"keys.{place}.file", key))
            for place, key in enumerate(config.keys)
        ]
        self._named = any(key.kid for key in config.keys)
        self._headers = [
            (name, tuple(name.split(".")), header) for name, header in config.claims.items()
        ]
        self._challenge = "Bearer" + (f' realm="{config.realm}"' if config.realm else "")
        self._options: dict[str, Any] = {
            "algorithms": None,
            "issuer": config.issuer or None,
            "audience": config.audience or None,
            "leeway": config.leeway_s,
            "options": {"require": sorted({*config.require, *(["iss"] if config.issuer else [])})},
        }

    def request(self, req: Request) -> Answer:
        """Lets the request on with its claims, or answers 400 or 401 (RFC 6750, section 3)."""
        headers = req.headers
        sent = headers.getall("authorization")
        for _, _, header in self._headers:
            headers.delete(header)  # the client's word for it
        if len(sent) > 1:
            return self._refusal(400, "invalid_request", "Authorization came twice")
        scheme, _, token = sent[0].partition(" ") if sent else ("", "", "")
        if scheme.lower() != "bearer":
            return None if self._config.optional else self._refusal(401)
        try:
            values = self._values(self._claims(token.strip(" ")))
        except _Bad as error:
            return self._refusal(401, "invalid_token", str(error))
        for header, value in values:
            headers.set(header, value)
        if not self._config.forward_token:
            headers.delete("authorization")
        return None

    def _claims(self, token: str) -> dict[str, Any]:
        """What a token claims that one of the keys has signed."""
        if not 0 < len(token) <= self._config.token_max:
            raise _Bad("the token is too long" if token else "there is no token")
        try:
            return self._verified(token)
        except self._jwt.ExpiredSignatureError:
            raise _Bad("the token has expired") from None
        except self._jwt.ImmatureSignatureError:
            raise _Bad("the token is not valid yet") from None
        except self._jwt.InvalidAudienceError:
            raise _Bad("the token is for another audience") from None
        except self._jwt.InvalidIssuerError:
            raise _Bad("the token is from another issuer") from None
        except self._jwt.MissingRequiredClaimError:
            raise _Bad("the token lacks a claim") from None
        except _Bad:
            raise
        except Exception:
            # The library read bytes of a stranger's: whatever it stumbled over, it is no token.
            raise _Bad("the token is malformed or not signed by a known key") from None

    def _verified(self, token: str) -> dict[str, Any]:
        head = self._jwt.get_unverified_header(token)
        if "crit" in head:  # RFC 7515, section 4.1.11: it must be understood, and nothing is
            raise _Bad("the token has a critical extension")
        kid = head.get("kid") if self._named else None
        wrong: Exception = _Bad("the token names a key that is not known")
        for name, algorithm, key in self._keys:
            if kid is not None and name is not None and name != kid:
                continue
            try:
                options = {**self._options, "algorithms": [algorithm]}
                claims: dict[str, Any] = self._jwt.decode(token, key, **options)
            except (self._jwt.InvalidSignatureError, self._jwt.InvalidAlgorithmError) as error:
                wrong = error
            else:
                return claims
        raise wrong

    def _values(self, claims: dict[str, Any]) -> list[tuple[str, bytes]]:
        return [
            (header, _text(found, self._config.value_max))
            for name, path, header in self._headers
            if (found := _found(claims, name, path)) is not None
        ]

    def _refusal(self, status: int, error: str = "", why: str = "") -> Reply:
        parts = [self._challenge] if self._config.realm else []
        if error:
            parts += [f'{"" if parts else "Bearer "}error="{error}"', f'error_description="{why}"']
        challenge = ", ".join(parts) or self._challenge
        return Reply(status, f"{why or 'a token is needed'}\n", {"WWW-Authenticate": challenge})


def _found(claims: dict[str, Any], name: str, path: tuple[str, ...]) -> Any:
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in path:
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _text(value: Any, bytes_max: int) -> bytes:
    """A claim as a header's value: a list's parts with commas between, which none may hold."""
    if isinstance(value, list):
        parts = [_text(part, bytes_max) for part in value if not isinstance(part, list)]
        if len(parts) < len(value) or any(b"," in part for part in parts):
            raise _Bad("a claim cannot be a header")
        text = b",".join(parts)
    elif isinstance(value, bool):
        text = b"true" if value else b"false"
    elif isinstance(value, str | int):
        try:
            text = str(value).encode()
        except ValueError:  # half a surrogate pair, or a number of thousands of digits
            raise _Bad("a claim cannot be a header") from None
    else:
        raise _Bad("a claim cannot be a header")
    if len(text) > bytes_max or re.search(rb"[\x00-\x1f\x7f]", text) or text != text.strip(b" "):
        raise _Bad("a claim cannot be a header")
    return text


def _loaded(jwt: Any, place: str, key: Key) -> Any:
    """The key of a file, of the kind that its algorithm takes."""
    try:
        with Path(key.file).open("rb") as file:
            data = file.read(KEY_FILE_MAX + 1)
    except OSError as error:
        raise ValueError(f"{place}: {key.file}: {error.strerror}") from None
    if len(data) > KEY_FILE_MAX:
        raise ValueError(f"{place}: {key.file} is larger than {KEY_FILE_MAX} bytes")
    if least := HMAC_BYTES_MIN.get(key.algorithm):
        data = data.removesuffix(b"\n").removesuffix(b"\r")
        if b"-----BEGIN " in data:
            raise ValueError(f"{place}: holds PEM, but {key.algorithm} takes a secret of bytes")
        if len(data) < least:
            raise ValueError(f"{place}: {key.algorithm} needs a secret of {least} bytes or more")
        return data
    if b"PRIVATE KEY" in data:
        raise ValueError(f"{place}: holds a private key: give the public one, it is enough")
    try:
        loaded = jwt.get_algorithm_by_name(key.algorithm).prepare_key(data)
    except Exception as error:
        why = f"holds no public key for {key.algorithm}: {error}"
        raise ValueError(f"{place}: {why}") from None
    curve = getattr(getattr(loaded, "curve", None), "name", None)
    if curve != CURVES.get(key.algorithm):
        raise ValueError(f"{place}: {key.algorithm} takes a key on {CURVES[key.algorithm]}")
    if key.algorithm[:2] in ("RS", "PS") and loaded.key_size < RSA_BITS_MIN:
        raise ValueError(f"{place}: an RSA key must have {RSA_BITS_MIN} bits or more")
    return loaded
