"""`if`: what a route's match needs beside its path to hold as a condition does.

Owns: the conditions that a route can have, and expressions that may begin anywhere in a value as
ours, which take the whole of it.
Runs in: the process of the command.
Never does: guess: what it cannot express raises Untranslatable.
Read next: `answers`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...config.expressions import compile_expression
from ..draft import Json
from .patterns import Untranslatable
from .syntax import Directive

_CONDITION = re.compile(r"\$(?P<name>\w+)\s*(?P<sign>!?=|!?~\*?)\s*(?P<value>.*)\Z", re.S)
_PRESENT = re.compile(r"\$(?P<name>(?:http|arg|cookie)_\w+)\Z")
_WORDS = re.compile(r"\^?\(?(?:\?:)?([A-Z]+(?:\|[A-Z]+)*)\)?\$?\Z")
_PIECE = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?:|\(\?|[()|^$]|[*+?}]\??|.", re.S)
_RANGE = re.compile(r"\\.|[A-Za-z]-[A-Za-z]|.", re.S)


@dataclass(frozen=True)
class Condition:
    """`match` is what holds, or with `negated` what must hold lest the condition does."""

    match: Json
    negated: bool = False

    def passed_by(self) -> str | None:
        """Where it does not hold though it does in nginx, which takes the first of several and
        ignores the case of an argument's name; None: nowhere."""
        if self.negated:
            return None
        for name, test in self.match.get("query", {}).items():
            twice = "" if _is_presence(test) else f"where {name} comes twice, or "
            return f"{twice}where it is written in other case"
        for name, test in self.match.get("headers", {}).items():
            return None if _is_presence(test) else f"where {name} comes twice"
        return None


def read_condition(one: Directive) -> Condition:
    """The condition of an `if`; the key `methods` or `host` stands alone."""
    text = " ".join(one.args).strip()
    if not (text.startswith("(") and text.endswith(")")):
        raise Untranslatable("it has no condition")
    text = text[1:-1].strip()
    present = _PRESENT.match(text)
    if present is not None:
        return Condition(_test(present["name"], {"present": True}))
    match = _CONDITION.match(text)
    if match is None:
        raise Untranslatable("a condition of this kind has no counterpart")
    name, sign, value = match["name"], match["sign"], match["value"].strip()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    negated = sign.startswith("!")
    if name == "request_method":
        words = _WORDS.match(value)
        if words is None or (sign in ("=", "!=") and "|" in value):
            raise Untranslatable(f'"{value}" is no list of methods')
        return Condition({"methods": words[1].split("|")}, negated)
    if "~" in sign and value != "^$":
        if not name.startswith(("http_", "arg_")) or name == "http_host":
            raise Untranslatable(f"an expression on ${name} has no counterpart")
        return Condition(_test(name, {"regex": whole(value, sign.endswith("*"))}), negated)
    if name in ("host", "http_host") and value and not negated:
        return Condition({"host": value})
    if name == "remote_addr" and value and not negated:
        return Condition({"client": [value]})
    if value in ("", "^$"):
        return Condition(_test(name, {"present": negated}))
    return Condition(_test(name, value), negated)


def _is_presence(test: Json | str) -> bool:
    return isinstance(test, dict) and "present" in test


def _test(name: str, test: Json | str) -> Json:
    if name.startswith("http_"):
        return {"headers": {name[5:].replace("_", "-"): test}}
    if name.startswith("arg_"):
        return {"query": {name[4:]: test}}
    if name.startswith("cookie_") and test != {"present": False}:
        value = re.escape(test) if isinstance(test, str) else "[^;]+"
        return {"headers": {"cookie": {"regex": f"(.*; ?)?{re.escape(name[7:])}={value}(;.*)?"}}}
    raise Untranslatable(f"a condition on ${name} has no counterpart")


def whole(expression: str, ignore_case: bool = False) -> str:
    """An expression of ours that takes a value where nginx finds `expression` anywhere in it.

    Untranslatable for one that ours cannot say, or that takes a value that is not there.
    """
    if expression.startswith("(?i)"):
        expression, ignore_case = expression[4:], True
    depth = 0
    ways = [""]
    for piece in _PIECE.findall(expression):
        depth += {"(": 1, "(?:": 1, ")": -1}.get(piece, 0)
        if piece == "(?" or (piece[0] == "\\" and piece[1:] in tuple("bBAzZQE123456789")):
            raise Untranslatable(f'there is no form of ours for "{piece}" in it')
        if piece == "|" and depth == 0:
            ways.append("")
        else:
            ways[-1] += _folded(piece) if ignore_case else _plain(piece)
    out = "|".join(_open(way) for way in ways)
    try:
        if compile_expression(out).takes(b""):
            raise Untranslatable("it also holds where there is no value")
    except ValueError as error:
        raise Untranslatable(str(error)) from None
    return out


def _plain(piece: str) -> str:
    """A group captures nothing with us, and which way an expression prefers plays no part."""
    return "(" if piece == "(?:" else piece[0] if piece[0] in "*+?}" else piece


def _folded(piece: str) -> str:
    if len(piece) == 1 and piece.isalpha():
        return f"[{piece.lower()}{piece.upper()}]"
    if piece[0] != "[":
        return _plain(piece)
    both = (
        one if len(one) == 2 or one.swapcase() == one else one + one.swapcase()
        for one in _RANGE.findall(piece[1:-1])
    )
    return f"[{''.join(both)}]"


def _open(way: str) -> str:
    """One alternative with what may stand before and behind it."""
    start = "" if way.startswith("^") else ".*"
    way = way.removeprefix("^")
    ends = way.endswith("$") and not way.endswith("\\$")
    way = way.removesuffix("$") if ends else way
    inner = re.sub(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", "", way)
    if "^" in inner or "$" in inner:
        raise Untranslatable("an anchor stands in the midst of it")
    return f"{start}{way}{'' if ends else '.*'}"
