"""Many mixed routes over many hosts, and requests for all of them in random order.

Owns: the plan and the requests of the benchmark of the router.
Runs in: the benchmark's process.
Never does: measure.
Read next: `test_parts`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable

from pygw.config.interpolate import Sources
from pygw.config.load import parse_config
from pygw.plan import build_plan, serialise_plan

WORDS = ("users", "orders", "items", "carts", "reports", "search", "files", "teams")
HOSTS_MAX = 200
REQUESTS = 200_000

Request = tuple[bytes, bytes]
Make = Callable[[random.Random], str]


def _path(chance: random.Random) -> tuple[str, Make]:
    """A path of a random kind, and what makes requests for it."""
    words = [f"{chance.choice(WORDS)}{chance.randrange(12)}" for _ in range(chance.randint(2, 4))]
    whole = "/" + "/".join(words)
    kind = chance.randrange(4)
    if kind == 0:
        return whole, lambda _: whole
    if kind == 1:
        return f"{whole}/*", lambda r: f"{whole}/x/y{r.randrange(10**6)}"
    place = chance.randrange(1, len(words) + 1)
    before, behind = "/" + "/".join(words[:place]), "".join(f"/{one}" for one in words[place:])
    name = "{id:int}" if kind == 2 else "{id}"
    return f"{before}/{name}{behind}", lambda r: f"{before}/{r.randrange(10**5)}{behind}"


def mixed(count: int) -> tuple[bytes, list[Request]]:
    """A plan's text with so many exact, prefix and parameter routes, a quarter of them of hosts
    with a wildcard, and uniformly random requests for them."""
    chance = random.Random(count)
    hosts = [f"svc{number}.example.com" for number in range(min(HOSTS_MAX, max(1, count // 50)))]
    routes: dict[tuple[str, str], Make] = {}
    while len(routes) < count:
        path, make = _path(chance)
        routes["*." * (chance.random() < 0.25) + chance.choice(hosts), path] = make
    data = {
        "listeners": [{"bind": "127.0.0.1:0"}],
        "routes": [
            {"match": {"host": host, "path": path}, "middleware": [{"echo": {}}]}
            for host, path in routes
        ],
    }
    config = parse_config(json.dumps(data), "routes.json", Sources({}))
    kept = list(routes.items())
    requests = []
    for _ in range(REQUESTS):
        (host, _path_text), make = chance.choice(kept)
        name = host.replace("*", f"edge{chance.randrange(99)}")
        requests.append((f"{name}:8080".encode(), make(chance).encode()))
    return serialise_plan(build_plan(config, 1, "pygw-bench")), requests
