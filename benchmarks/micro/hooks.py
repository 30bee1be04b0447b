"""What the standard hook costs in a request chain: `python -m benchmarks.micro.hooks`.

The standard hook finds one of 20 fields, compares 24 bytes and sets one field. Chains with it in
each language and one without any hook take turns; what stands in the table is the median of what a
turn took beyond the empty chain in that turn. That floor restores the request too. Writes
hooks.json and hooks.md in results/ when all languages are measured.

Owns: the request, the hooks and the table.
Runs in: this process, in a callback of an event loop, as on a worker's loop; no server.
Never does: judge; the issue holds the goals.
Read next: `pygw._core.probe.hook_bench`.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import json
import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks import machine

SAMPLES: Any = import_module("tests.unit.test_native_samples")
PLANS: Any = import_module("tests.unit.plans")
RESULTS = Path(__file__).parents[1] / "results"
ROUNDS = 20_000
TURNS = 101
KEY: str = SAMPLES.CONFIG["key"]
FIELDS = [(b"x-field-%02d" % n, b"value %02d of this field" % n) for n in range(18)] + [
    (b"Host", b"example.com"),
    (b"X-API-Key", KEY.encode()),
]
LUA = """
local key
return {
  config = {key = {type = "string"}},
  init = function(config) key = config.key end,
  request = function(req)
    if req.header("x-api-key") == key then req.set_header("x-user", "alice") end
  end,
}"""
PYTHON = f"""
{{head}} h(req):
    if req.headers.get("x-api-key") == {KEY!r}:
        req.headers["x-user"] = "alice"
"""

Entry = dict[str, Any]


@dataclass(frozen=True)
class Cost:
    """Nanoseconds a call beyond the floor, and the floor itself: medians and quartiles."""

    language: str
    median_ns: float
    low_ns: float
    high_ns: float


def chain_of(*filters: Entry) -> Any:
    """A chain of these filters before the request, to be run and closed."""
    text = json.dumps(PLANS.plan(PLANS.route(middleware=list(filters)))).encode()
    return import_module("pygw._core.probe.hook_bench").HookChain(text, FIELDS)


def lua_entry(code: str = LUA, config: Entry | None = None) -> Entry:
    """A hook in Lua; the standard one gets its key."""
    hook: Any = import_module("tests.unit.lua_hooks").lua
    entry: Entry = hook(code, config={"key": KEY} if code == LUA else config)
    return entry


def python_entry(head: str = "def") -> Entry:
    """The standard hook in Python."""
    hook: Any = import_module("tests.unit.python_hooks").python
    entry: Entry = hook(PYTHON.format(head=head))
    return entry


def native_entry(language: str, folder: Path) -> Entry:
    """The standard hook of hooks/native in this language, built in `folder`."""
    hook: Any = import_module("tests.unit.native_hooks").entry
    (folder / language).mkdir()
    entry: Entry = hook(SAMPLES.build(language, folder / language), config=SAMPLES.CONFIG)
    return entry


LANGUAGES: dict[str, Callable[[Path], Entry]] = {
    "c": lambda folder: native_entry("c", folder),
    "rust": lambda folder: native_entry("rust", folder),
    "lua": lambda _: lua_entry(),
    "python def": lambda _: python_entry(),
    "python async def": lambda _: python_entry("async def"),
}


def _cost(name: str, times: Sequence[float]) -> Cost:
    low, median, high = statistics.quantiles(times, n=4)
    return Cost(name, median, low, high)


def measure(names: Sequence[str], folder: Path) -> list[Cost]:
    """The floor, and what the standard hook costs in each of the languages. Needs a running loop,
    and no task that is current."""
    empty = chain_of()
    chains = {name: chain_of(LANGUAGES[name](folder)) for name in names}
    floors: list[float] = []
    beyond: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(TURNS + 1):
        floor = empty.run(ROUNDS)
        times = {name: chain.run(ROUNDS) - floor for name, chain in chains.items()}
        if turn:  # the first warms up
            floors.append(floor)
            for name, time in times.items():
                beyond[name].append(time)
    for chain in (empty, *chains.values()):
        chain.close()
    return [_cost("no hook", floors), *(_cost(name, times) for name, times in beyond.items())]


def measured(names: Sequence[str]) -> list[Cost]:
    """The same, in a callback of a loop of its own."""
    loop = asyncio.new_event_loop()
    done: asyncio.Future[list[Cost]] = loop.create_future()

    def work() -> None:
        try:
            with tempfile.TemporaryDirectory() as folder:
                done.set_result(measure(names, Path(folder)))
        except BaseException as error:
            done.set_exception(error)

    loop.call_soon(work)
    try:
        return loop.run_until_complete(done)
    finally:
        loop.close()


def table(started: str, costs: Sequence[Cost]) -> str:
    """The results as Markdown."""
    facts = ", ".join(f"{key} {value}" for key, value in machine.machine_facts().items())
    rows = [
        "# The standard hook",
        "",
        f"Written by `python -m benchmarks.micro.hooks`, started {started}. Find one of 20 fields,",
        "compare 24 bytes, set one field: nanoseconds a call beyond a chain without a hook.",
        "",
        f"- machine: {facts}",
        f"- {TURNS} turns of {ROUNDS} calls, the languages one after the other in each",
        "",
        "| language | ns, median | quartiles |",
        "|---|---:|---:|",
    ]
    for one in costs[1:]:
        rows.append(
            f"| {one.language} | {one.median_ns:.1f} | {one.low_ns:.1f}-{one.high_ns:.1f} |"
        )
    rows.append(f"| (no hook: the floor) | {costs[0].median_ns:.1f} | |")
    return "\n".join([*rows, ""])


def main() -> None:
    """Measure, print, and write the results if all languages were asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.micro.hooks", description=__doc__)
    parser.add_argument("languages", nargs="*", help=f"of {', '.join(LANGUAGES)}; all if none")
    names = parser.parse_args().languages or list(LANGUAGES)
    if unknown := set(names) - set(LANGUAGES):
        parser.error(f"no language {', '.join(sorted(unknown))}: there are {', '.join(LANGUAGES)}")
    started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    costs = measured(names)
    text = table(started, costs)
    print(text)
    if len(names) == len(LANGUAGES):
        document = {"started": started, "costs": [asdict(cost) for cost in costs]}
        (RESULTS / "hooks.json").write_text(json.dumps(document, indent=1) + "\n")
        (RESULTS / "hooks.md").write_text(text)


if __name__ == "__main__":
    main()
