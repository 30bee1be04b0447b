"""nginx's grammar: words, quotes, blocks, comments, include.

Owns: turning files into a tree of directives that know their file and line. Which names, arguments
and contexts are valid is not judged: `nginx -t` did that.
Runs in: the process of the command.
Never does: read more than `FILES_MAX` files, `BYTES_MAX` bytes or blocks deeper than `DEPTH_MAX`.
Read next: `scope`.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ..draft import Draft, ImportFailed, Place

FILES_MAX = 1000
"""Most files that one import reads, each include counted."""

BYTES_MAX = 16 << 20
"""Most bytes of all files together."""

DEPTH_MAX = 32
"""Deepest nesting of blocks, and of includes."""

_WORD_END = re.compile(r"[\s;{]")
_SPACE = re.compile(r"\s+")
# A brace, or what may hold one: a comment, a string.
_LUA = re.compile(
    r"[{}]|--\[\[.*?\]\]|--[^\n]*|\[\[.*?\]\]|"
    r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'",
    re.S,
)
_ESCAPES = {"t": "\t", "r": "\r", "n": "\n", '"': '"', "'": "'", "\\": "\\"}


@dataclass(frozen=True)
class Directive:
    """`name args;` or `name args { block }`; `block` is None without braces."""

    name: str
    args: tuple[str, ...]
    place: Place
    block: tuple[Directive, ...] | None = None

    def __str__(self) -> str:
        return " ".join((self.name, *self.args))


@dataclass(frozen=True)
class _Token:
    text: str
    line: int
    plain: bool  # not in quotes: `;`, `{` and `}` have their meaning


def read_nginx(path: str, draft: Draft) -> tuple[Directive, ...]:
    """The directives of the file and of all that it includes, in order.

    ImportFailed for a file that cannot be read or is no nginx configuration. An include that finds
    nothing is remarked on; relative ones start at the folder of the first file.
    """
    return _Reader(os.path.dirname(path), draft).read_file(path)


@dataclass
class _Reader:
    folder: str
    draft: Draft
    open_files: list[str] = field(default_factory=list)
    files: int = 0
    bytes: int = 0

    def read_file(self, path: str) -> tuple[Directive, ...]:
        self.files += 1
        if self.files > FILES_MAX:
            raise ImportFailed(f"{path}: more than {FILES_MAX} files are included")
        try:
            with open(path, "rb") as file:
                content = file.read(BYTES_MAX + 1 - self.bytes)
        except OSError as error:
            raise ImportFailed(f"{path}: cannot read: {error.strerror}") from None
        self.bytes += len(content)
        if self.bytes > BYTES_MAX:
            raise ImportFailed(f"{path}: the files are larger than 16MiB together")
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content[: error.start].count(b"\n") + 1
            raise ImportFailed(f"{path}:{line}: not valid UTF-8") from None
        self.open_files.append(os.path.realpath(path))
        out, end = self._block(list(_tokens(text, path)), 0, path, 0)
        self.open_files.pop()
        assert end is None
        return out

    def _block(
        self, tokens: Sequence[_Token], at: int, path: str, depth: int
    ) -> tuple[tuple[Directive, ...], int | None]:
        """The directives from `at` on; the place behind the closing brace, None at the end."""
        out: list[Directive] = []
        words: list[_Token] = []
        while at < len(tokens):
            token = tokens[at]
            at += 1
            if not token.plain or token.text not in ";{}":
                words.append(token)
                continue
            place = Place(path, (words[0] if words else token).line)
            if token.text == "}":
                if words:
                    raise ImportFailed(f'{place}: "{words[0].text}" has no closing ";"')
                if depth == 0:
                    raise ImportFailed(f'{path}:{token.line}: "}}" without "{{"')
                return tuple(out), at
            if not words:
                raise ImportFailed(f'{path}:{token.line}: unexpected "{token.text}"')
            name, args = words[0].text, tuple(word.text for word in words[1:])
            words = []
            if token.text == "{":
                if depth + 1 > DEPTH_MAX:
                    raise ImportFailed(f"{place}: blocks are nested deeper than {DEPTH_MAX}")
                block, behind = self._block(tokens, at, path, depth + 1)
                if behind is None:
                    raise ImportFailed(f'{place}: "{name}" has no closing "}}"')
                at = behind
                out.append(Directive(name, args, place, block))
            elif name == "include" and len(args) == 1:
                out.extend(self._include(args[0], place))
            else:
                out.append(Directive(name, args, place))
        if words:
            raise ImportFailed(f'{path}:{words[0].line}: "{words[0].text}" has no closing ";"')
        return tuple(out), None

    def _include(self, pattern: str, place: Place) -> Iterator[Directive]:
        found = sorted(glob.glob(os.path.join(self.folder, pattern)))
        if not found and not glob.has_magic(pattern):
            self.draft.lose(place, f"include {pattern}: there is no such file")
        for path in found:
            if len(self.open_files) >= DEPTH_MAX or os.path.realpath(path) in self.open_files:
                raise ImportFailed(f"{place}: include {pattern}: includes itself")
            yield from self.read_file(path)


def _tokens(text: str, path: str) -> Iterator[_Token]:
    """Words, and `;`, `{`, `}` as tokens of their own; a block of Lua is passed over."""
    at, line = 0, 1
    first = ""  # word of the statement
    while at < len(text):
        char = text[at]
        start = at
        space = _SPACE.match(text, at)
        if space is not None:
            at = space.end()
        elif char == "#":
            at = text.find("\n", at)
            at = len(text) if at < 0 else at
        elif char == "{" and first.endswith("_by_lua_block"):
            yield _Token(";", line, True)
            at, first = _lua_end(text, at, f"{path}:{line}"), ""
        elif char in ";{}":
            yield _Token(char, line, True)
            at, first = at + 1, ""
        else:
            word, at = _word(text, at, f"{path}:{line}")
            yield _Token(word, line, False)
            first = first or word
        line += text.count("\n", start, at)


def _word(text: str, at: int, where: str) -> tuple[str, int]:
    """A word, and where it ends: at its closing quote, or at white space, `;` or `{`.

    `${name}` is part of a word; a backslash makes way for what nginx knows behind it.
    """
    quote = text[at] if text[at] in "\"'" else None
    out, start = [], at
    at += quote is not None
    while at < len(text):
        char = text[at]
        if char == "\\" and at + 1 < len(text):
            out.append(_ESCAPES.get(text[at + 1], text[at : at + 2]))
            at += 2
            continue
        if quote is not None and char == quote:
            return "".join(out), at + 1
        if quote is None and text.startswith("${", at) and (end := text.find("}", at)) > 0:
            out.append(text[at : end + 1])
            at = end + 1
            continue
        if quote is None and _WORD_END.match(char):
            break
        out.append(char)
        at += 1
    if quote is not None:
        raise ImportFailed(f"{where}: {text[start : start + 20]!r} has no closing quote")
    return "".join(out), at


def _lua_end(text: str, at: int, where: str) -> int:
    """Behind the brace that closes the Lua block at `at`."""
    depth = 0
    for match in _LUA.finditer(text, at):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if depth == 0:
            return match.end()
    raise ImportFailed(f"{where}: the block of Lua has no end")
