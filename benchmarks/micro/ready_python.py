"""What the ready hooks in hooks/python cost: `python -m benchmarks.micro.ready_python`.

Chains with one hook each and one without any take turns, on a request of some fields; what is told
is the median, and the quartiles, of what a turn took beyond the empty chain in that turn.

Owns: the configurations and requests of these hooks.
Runs in: this process, in a callback of an event loop, as on a worker's loop; no server.
Never does: count what a hook waits for.
Read next: `hooks`, whose way of measuring this is.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

PLANS: Any = import_module("tests.unit.plans")
ENTRY: Any = import_module("tests.unit.python_hooks").entry
READY = Path(__file__).parents[2] / "hooks" / "python"
TURNS = 31
ROUNDS = 300

Fields = list[tuple[bytes, bytes]]
Case = tuple[dict[str, Any], Fields]
FIELDS: Fields = [(b"Host", b"example.com"), (b"Accept", b"*/*"), (b"User-Agent", b"bench/1")]


def jwt_claims(algorithm: str) -> Callable[[Path], Case]:
    """A token of four claims, two of which become headers."""

    def made(folder: Path) -> Case:
        jwt: Any = import_module("jwt")
        secret: Any = b"0123456789abcdef" * 4
        public = secret
        if algorithm != "HS256":
            keys: Any = import_module("cryptography.hazmat.primitives.asymmetric")
            text: Any = import_module("cryptography.hazmat.primitives.serialization")
            import_module("cryptography.hazmat.primitives.asymmetric.ec")
            import_module("cryptography.hazmat.primitives.asymmetric.rsa")
            secret = (
                keys.rsa.generate_private_key(65537, 2048)
                if algorithm == "RS256"
                else keys.ec.generate_private_key(keys.ec.SECP256R1())
            )
            form = text.PublicFormat.SubjectPublicKeyInfo
            public = secret.public_key().public_bytes(text.Encoding.PEM, form)
        file = folder / algorithm
        file.write_bytes(public)
        claims = {"sub": "anna", "scope": "a b", "iss": "me", "exp": int(time.time()) + 3600}
        token = jwt.encode(claims, secret, algorithm=algorithm)
        config = {
            "keys": [{"file": str(file), "algorithm": algorithm}],
            "issuer": ["me"],
            "claims": {"sub": "x-user", "scope": "x-scope"},
        }
        entry = ENTRY(f"{READY / 'jwt_claims.py'}:JwtClaims", config=config)
        return entry, [*FIELDS, (b"Authorization", b"Bearer " + token.encode())]

    return made


CASES: dict[str, Callable[[Path], Case]] = {
    "jwt_claims HS256": jwt_claims("HS256"),
    "jwt_claims ES256": jwt_claims("ES256"),
    "jwt_claims RS256": jwt_claims("RS256"),
}


def introspection() -> str:
    """What a call takes whose answer is kept, timed by itself between other work."""
    gateway: Any = import_module("pygw.testing").Gateway
    config = {"upstream": "login", "client_id": "a", "client_secret": "b",
              "headers": {"sub": "x-user"}}  # fmt: skip
    hook = f"python:{READY / 'oauth_introspection.py'}:OauthIntrospection"
    with gateway.of_hook(hook, config, fetch=["login"]) as made:
        made.upstream("login").answer(json={"active": True, "sub": "anna"})
        headers = {"authorization": "Bearer 0123456789abcdef"}
        made.get("/", headers=headers)
        times = []
        for _ in range(500):
            (run,) = made.get("/", headers=headers).hooks
            times.append(run.seconds * 1e9)
    return f"{'introspection, kept':24} {statistics.median(times):10.0f} ns a call, cold"


def audit_log(folder: Path) -> str:
    """What a call takes, timed by itself between other work; the thread's writing not counted."""
    gateway: Any = import_module("pygw.testing").Gateway
    hook = f"python:{READY / 'audit_log.py'}:AuditLog"
    with gateway.of_hook(hook, {"file": str(folder / "audit")}) as made:
        made.get("/")
        times = [run.seconds * 1e9 for _ in range(500) for run in made.get("/?a=1").hooks]
    return f"{'audit_log':24} {statistics.median(times):10.0f} ns a call, cold"


def measure(made: Callable[[Path], Case], folder: Path) -> list[float]:
    """Quartiles of the nanoseconds that a call takes beyond a chain without a hook."""
    hook_chain: Any = import_module("pygw._core.probe.hook_bench").HookChain
    entry, fields = made(folder)
    chains = [
        hook_chain(json.dumps(PLANS.plan(PLANS.route(middleware=filters))).encode(), fields)
        for filters in ([], [entry])
    ]
    beyond = []
    for _ in range(TURNS + 1):
        floor, whole = (chain.run(ROUNDS) for chain in chains)
        beyond.append(whole - floor)
    for chain in chains:
        chain.close()
    return statistics.quantiles(beyond[1:], n=4)  # the first warms up


def main() -> None:
    """Measure and print."""
    loop = asyncio.new_event_loop()

    def work() -> None:
        try:
            with tempfile.TemporaryDirectory() as folder:
                for name, made in CASES.items():
                    low, median, high = measure(made, Path(folder))
                    print(f"{name:24} {median:10.0f} ns a call ({low:.0f}-{high:.0f})")
        finally:
            loop.stop()

    loop.call_soon(work)
    loop.run_forever()
    loop.close()
    print(introspection())
    with tempfile.TemporaryDirectory() as place:
        print(audit_log(Path(place)))


if __name__ == "__main__":
    main()
