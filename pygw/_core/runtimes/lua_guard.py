"""Source of a Lua hook with a step counter in every loop and function.

Owns the tokens of LuaJIT's language, as far as a guard must know them, and where the counter goes.
Runs when a hook is compiled, in ordinary Python. It never moves a line, and never judges the rest
of the syntax: LuaJIT does. Read next: ``prelude/guard.lua`` for what the counter calls.

LuaJIT's debug hooks do not fire in compiled loops, so the code itself counts: after each ``do``,
``repeat`` and parameter list, and before each ``goto`` (behind a label it would stand between
``continue`` and the end of its block, where Lua wants nothing). Whatever repeats passes one.
"""

from __future__ import annotations

import functools
import re

RESERVED = b"__pygw"
STEP = b" __pygw_n=__pygw_n-1 if __pygw_n<0 then __pygw_n=__pygw_k() end "
BEGIN = b"local __pygw_n,__pygw_k=0,... "

# As LuaJIT's lexer reads them: bytes from 0x80 are letters; a number takes all that could be one.
_TOKEN = re.compile(
    rb"""
      (?P<blank>   \s+ | --\[(?P<c>=*)\[.*?\](?P=c)\] | --[^\r\n]* )
    | (?P<text>    \[(?P<s>=*)\[.*?\](?P=s)\]
                 | "(?:\\.|[^"\\\r\n])*" | '(?:\\.|[^'\\\r\n])*' )
    | (?P<number>  0[xX](?:[pP][+-]|[\w.\x80-\xff])* | \.?\d(?:[eE][+-]|[\w.\x80-\xff])* )
    | (?P<name>    [A-Za-z_\x80-\xff][\w\x80-\xff]* )
    | (?P<other>   \.\.\.? | :: | . )
    """,
    re.S | re.X,
)
# An unfinished string would be read as single characters: what follows is then no code of ours.
_UNFINISHED = re.compile(rb"\[=*\[|[\"']")


class SourceError(ValueError):
    """Source that cannot be guarded. ``line`` is where, from 1."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


@functools.lru_cache(maxsize=64)
def guard(source: bytes) -> bytes:
    """The same program, counted: a chunk that takes the refill function as its argument.

    Raises SourceError for names that begin with ``__pygw`` and for text that no string ends.
    """
    if source.startswith(b"\xef\xbb\xbf"):
        source = source[3:]
    if source.startswith(b"#"):
        source = b"--" + source
    if source.startswith(b"\x1b"):
        raise SourceError(1, "is bytecode: a hook is source text")
    out = [BEGIN]
    previous = b""
    parameters = 0  # 1 behind `function`, 2 inside of the parentheses
    pending = -1  # place in `out` of a `goto` that may be a statement
    for match in _TOKEN.finditer(source):
        token, kind = match.group(), match.lastgroup
        kind = "blank" if match["blank"] is not None else kind
        if kind == "blank":
            out.append(token)
            continue
        is_name = match["name"] is not None
        if is_name and token.startswith(RESERVED):
            raise SourceError(
                _line(source, match), "names that begin with __pygw are the gateway's"
            )
        if match["other"] is not None and _UNFINISHED.match(source, match.start()):
            raise SourceError(_line(source, match), "unfinished string or comment")
        if pending >= 0:
            if is_name:
                out[pending] = STEP + out[pending]
            pending = -1
        out.append(token)
        if parameters == 1 and token == b"(":
            parameters = 2
        elif parameters == 2 and token == b")":
            parameters = 0
            out.append(STEP)
        elif is_name and previous not in (b".", b":"):
            if token == b"function":
                parameters = 1
            elif token in (b"do", b"repeat"):
                out.append(STEP)
            elif token == b"goto":
                pending = len(out) - 1
        previous = token
    return b"".join(out)


def words(source: bytes) -> set[bytes]:
    """Names and texts of a program: what it may call something by."""
    found = set()
    for match in _TOKEN.finditer(source):
        if match["name"] is not None:
            found.add(match.group())
        elif match["text"] is not None:
            found.add(match.group().strip(b"\"'[]="))
    return found


def _line(source: bytes, match: re.Match[bytes]) -> int:
    return source.count(b"\n", 0, match.start()) + 1
