"""Requests go on with a token that its server calls active (RFC 7662), what it tells in headers.

Owns: the question about `Authorization: Bearer`, and the answers that it keeps for a while.
Runs in: workers, in the phase request, as a task; each worker keeps answers of its own.
Never does: keep a token: answers are found by the token's SHA-256.
Read next: `docs/ready-python.md`; RFC 7662 (introspection), RFC 6750 (answers).

    middleware:
      - python:
          object: oauth_introspection.py:OauthIntrospection
          fetch: [login]
          config:
            upstream: login
            client_id: gateway
            client_secret: "${file:/run/secrets/introspection}"
            scopes: [orders.read]
            headers: {sub: x-user}
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import time
from collections import OrderedDict
from typing import Annotated, Any, Literal
from urllib.parse import quote_plus, urlencode

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from pygw.hooks import Answer, FetchError, Reply, Request, hook

TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
BAD = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]|^ | $|.{1025}")
"""What no header's value is made of: control characters, blanks at an end, too much."""
KEPT = {
    "host", "authorization", "content-length", "transfer-encoding", "connection", "keep-alive",
    "te", "trailer", "upgrade", "expect", "content-type", "proxy-authorization",
    "proxy-connection", "proxy-authenticate",
}  # fmt: skip

HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$")]
Scope = Annotated[str, Field(pattern=r"^[!#-\[\]-~]{1,256}$")]
Told = dict[str, Any]


class Config(BaseModel):
    """Who is asked, how, and what is made of the answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    upstream: str = Field(min_length=1)
    path: str = Field(default="/introspect", pattern=r"^/[!-~]{0,2047}$")
    client_id: str = Field(min_length=1, max_length=1024)
    client_secret: SecretStr = Field(min_length=1, max_length=4096)
    scopes: list[Scope] = Field(default=[], max_length=32)
    """The token has all of these."""
    audience: list[str] = Field(default=[], max_length=16)
    """It is for one of these; empty: not looked at."""
    headers: dict[str, HeaderName] = Field(default={}, max_length=32)
    """What the server tells of the token (`sub`, `username`, `client_id`, ...) to a header."""
    unavailable: Literal["refuse", "pass"] = "refuse"
    """Without an answer of the server: 503, or the request goes on without the headers."""
    timeout_s: float = Field(default=2.0, ge=0.01, le=30)
    ttl_s: float = Field(default=30.0, ge=0, le=3600)
    """How long an answer is kept, and never beyond the token's `exp`; 0 keeps none."""
    inactive_ttl_s: float = Field(default=5.0, ge=0, le=3600)
    entries_max: int = Field(default=10_000, ge=1, le=1_000_000)
    token_max: int = Field(default=4096, ge=64, le=65536)

    @model_validator(mode="after")
    def _names(self) -> Config:
        names = [name.lower() for name in self.headers.values()]
        if wrong := KEPT.intersection(names):
            raise ValueError(f"headers: {', '.join(sorted(wrong))} cannot be set from an answer")
        if len(set(names)) < len(names):
            raise ValueError("headers: two values go to one header")
        return self


class _Down(Exception):
    """The server has not told."""


@hook(deadline="35s")
class OauthIntrospection:
    """The hook."""

    def __init__(self, config: Config) -> None:
        self._config = config
        # RFC 6749, section 2.3.1: both are encoded as in forms before they are joined.
        secret = config.client_secret.get_secret_value()
        both = f"{quote_plus(config.client_id)}:{quote_plus(secret)}"
        self._ask_headers = {
            "authorization": "Basic " + base64.b64encode(both.encode()).decode(),
            "content-type": "application/x-www-form-urlencoded",
            "accept": "application/json",
        }
        self._answers: OrderedDict[bytes, tuple[float, Told | None]] = OrderedDict()
        self._asking: dict[bytes, asyncio.Future[tuple[bool, Told | None]]] = {}

    async def request(self, req: Request) -> Answer:
        """Lets the request on, or answers 400, 401, 403 (RFC 6750, section 3.1) or 503."""
        sent = req.headers.getall("authorization")
        for header in self._config.headers.values():
            req.headers.delete(header)  # the client's word for it
        if len(sent) > 1:
            return _refusal(400, "invalid_request")
        scheme, _, token = sent[0].partition(" ") if sent else ("", "", "")
        if scheme.lower() != "bearer":
            return _refusal(401)
        token = token.strip(" ")
        if len(token) > self._config.token_max or not TOKEN.fullmatch(token):
            return _refusal(401, "invalid_token")
        try:
            told = await self._told(req, token)
        except _Down as error:
            req.log(f"no introspection: {error}", "warning")
            if self._config.unavailable == "pass":
                return None
            return Reply(503, "the token cannot be checked now\n", {"Retry-After": "1"})
        return self._judged(req, told)

    def _judged(self, req: Request, told: Told | None) -> Answer:
        if told is None or (self._config.audience and not self._is_for_us(told)):
            return _refusal(401, "invalid_token")
        scope = told.get("scope", "")
        has = set(scope.split(" ")) if isinstance(scope, str) else set()
        if not has.issuperset(self._config.scopes):
            return _refusal(403, "insufficient_scope", " ".join(self._config.scopes))
        values = []
        for name, header in self._config.headers.items():
            if (value := told.get(name)) is not None:
                text = str(value)
                if not isinstance(value, str | int) or isinstance(value, bool) or BAD.search(text):
                    return _refusal(401, "invalid_token")
                values.append((header, text.encode()))
        for header, encoded in values:
            req.headers.set(header, encoded)
        return None

    def _is_for_us(self, told: Told) -> bool:
        named = told.get("aud")
        names = named if isinstance(named, list) else [named]
        return any(name in self._config.audience for name in names)

    async def _told(self, req: Request, token: str) -> Told | None:
        """What is known of a token; None: it is not active. One request asks for all of a token."""
        key = hashlib.sha256(token.encode()).digest()
        while True:
            kept = self._answers.get(key)
            if kept is not None and kept[0] > time.time():
                self._answers.move_to_end(key)
                return kept[1]
            asking = self._asking.get(key)
            if asking is None:
                return await self._ask_for_all(req, token, key)
            await asyncio.wait([asking])
            if not asking.cancelled():  # who asked has left before the answer: ask anew
                known, told = asking.result()
                if not known:
                    raise _Down("as another request has found")
                return told

    async def _ask_for_all(self, req: Request, token: str, key: bytes) -> Told | None:
        asking = asyncio.get_running_loop().create_future()
        self._asking[key] = asking
        try:
            told = await self._asked(req, token)
            self._keep(key, told)
            asking.set_result((True, told))
            return told
        except _Down:
            asking.set_result((False, None))
            raise
        finally:
            del self._asking[key]
            asking.cancel()  # unless it is done

    async def _asked(self, req: Request, token: str) -> Told | None:
        form = urlencode({"token": token, "token_type_hint": "access_token"})
        where, path = self._config.upstream, self._config.path
        try:
            answer = await req.fetch(
                where, path, method="POST", headers=self._ask_headers, body=form,
                timeout=self._config.timeout_s,
            )  # fmt: skip
            told = answer.json() if answer.status == 200 else None
        except (FetchError, ValueError, RecursionError) as error:
            raise _Down(str(error)) from None
        if not isinstance(told, dict) or not isinstance(told.get("active"), bool):
            raise _Down(f"status {answer.status}, or no answer of RFC 7662")
        for name, sign in (("exp", 1), ("nbf", -1)):
            moment = told.get(name)
            if isinstance(moment, int) and (moment - time.time()) * sign <= 0:
                return None
        return told if told["active"] else None

    def _keep(self, key: bytes, told: Told | None) -> None:
        ttl = self._config.inactive_ttl_s if told is None else self._config.ttl_s
        until = time.time() + ttl
        if told is not None and isinstance(told.get("exp"), int):
            until = min(until, told["exp"])
        self._answers[key] = (until, told)
        self._answers.move_to_end(key)
        while len(self._answers) > self._config.entries_max:
            self._answers.popitem(last=False)


def _refusal(status: int, error: str = "", scope: str = "") -> Reply:
    challenge = f'Bearer error="{error}"' if error else "Bearer"
    challenge += f', scope="{scope}"' if scope else ""
    return Reply(status, f"{error or 'a token is needed'}\n", {"WWW-Authenticate": challenge})
