"""What the ready-made Lua hooks cost in a request chain: `python -m benchmarks.micro.ready`.

Each hook with a configuration as people write it, before a request of 20 fields that it lets
through, by turns with a chain without hooks: medians and quartiles of nanoseconds a call beyond it.
Prints a table and writes nothing. Functions for bodies run in the request's place, with a text for
the body; what holding it costs is not in there.

Owns: the configurations that are measured.
Runs in: this process, in a callback of an event loop, as on a worker's loop; no server.
Never does: judge.
Read next: `benchmarks.micro.hooks`.
"""

from __future__ import annotations

import argparse
import hashlib
from functools import partial
from pathlib import Path

from benchmarks.micro import hooks

FOLDER = Path(__file__).parents[2] / "hooks" / "lua"
AGENT = b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
# A case that ends in one of these times that phase's function, in the place of the request's.
PHASES = ("attempt", "response_body")
# What the function of a body gets for its response.
STANDS_IN = """local resp = setmetatable({}, { __newindex = function() end, __index = {
  body = [==[@BODY@]==], status = 200, headers = function() return {} end,
  header = function() return "application/json" end } })
"""
PAGE = '<p>Some words of a page, <a href="http://old.example/a">and a link</a></p>\n' * 14


def _digest(number: int) -> str:
    key = hooks.KEY if number == 0 else f"key {number}"
    return hashlib.sha256(key.encode()).hexdigest()


def _keys(count: int) -> hooks.Entry:
    return {"keys": {f"consumer-{number}": _digest(number) for number in range(count)}}


_RULES: hooks.Entry = {"replace": [{"from": "http://old.example", "to": "https://new.example"}]}
_PII: hooks.Entry = {
    "fields": ["**.name", "orders.note"],
    "patterns": ["card", "email", "iban", "phone"],
}
ORDER = (
    '{"id": 4711, "name": "Anna Meier", "mail": "anna@shop.example", "sum": 12.50, "paid": true, '
    '"card": "4111 1111 1111 1111", "items": ["red shoes", "size 42", "by post"], "note": null},'
)
DOCUMENT = f'{{"orders": [{ORDER * 5}{ORDER[:-1]}]}}'
BODIES = {"rewrite_response": PAGE, "mask_pii": DOCUMENT}

CASES: dict[str, tuple[str, hooks.Entry]] = {
    "api_key, 1 key": ("api_key", _keys(1)),
    "api_key, 100 keys": ("api_key", _keys(100)),
    "sign_request, attempt": ("sign_request", {"key_id": "edge-1", "key": "k" * 32}),
    "maintenance, off": ("maintenance", {}),
    "ab_split, kept": ("ab_split", {"variants": {"a": 90, "b": 10}}),
    "rewrite_response, response_body": ("rewrite_response", _RULES),
    "mask_pii, response_body": ("mask_pii", _PII),
    "bot_filter, 20 texts": (
        "bot_filter",
        {"deny_empty": False, "deny": [f"bot {number}" for number in range(20)]},
    ),
}


def _entry(name: str, _: Path) -> hooks.Entry:
    file, config = CASES[name]
    code = (FOLDER / f"{file}.lua").read_text("utf-8")
    for phase in PHASES:
        if name.endswith(f", {phase}"):
            code = code.replace("function hook.request(", "local function unused(")
            code = code.replace(f"function hook.{phase}(", "function hook.request(")
            code = code.replace("hook.request(_, resp)", "hook.request(_)")
    if file in BODIES:
        code = STANDS_IN.replace("@BODY@", BODIES[file]) + code
        code = code.replace("if gw.var[BODY_VAR] ~=", "if false and gw.var[BODY_VAR] ~=")
    return hooks.lua_entry(code, config) | {"phases": ["request"], "deadline_ms": 1000}


def main() -> None:
    """Measure and print."""
    argparse.ArgumentParser(prog="python -m benchmarks.micro.ready").parse_args()
    hooks.LANGUAGES.update({name: partial(_entry, name) for name in CASES})
    hooks.FIELDS[0] = (b"User-Agent", AGENT)
    hooks.FIELDS[1] = (b"Cookie", b"session=0123456789abcdef; ab=b")
    hooks.ROUNDS, hooks.TURNS = 2000, 51
    print("| hook | ns, median | quartiles |\n|---|---:|---:|")
    for cost in hooks.measured(list(CASES))[1:]:
        print(f"| {cost.language} | {cost.median_ns:.0f} | {cost.low_ns:.0f}-{cost.high_ns:.0f} |")


if __name__ == "__main__":
    main()
