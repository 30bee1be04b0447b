"""Rules on the documents: what they name is there."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Sequence, Set

from tests.tidy.tree import Source

_LINK = re.compile(r"\]\((?!https?:|#)([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
# Words of code that are looked for in the tree: with an underscore, as almost all of ours have.
_NAME = re.compile(r"\b(?=\w*_)[A-Za-z_]\w+\b")
# Names that stand for a kind of name, and files that a tool writes.
KINDS = frozenset({"snake_t", "noun_verb", "on_event"})
WRITTEN = ("results/",)
_PATH = re.compile(r"[\w.\-]+(?:/[\w.\-]*)+|[\w\-]+\.(?:pyx|pxd|py|md|c)\b")


def fences_of(document: Source, language: str) -> list[str]:
    """The blocks of one language."""
    return [body for kind, body in _FENCE.findall(document.text) if kind == language]


def _prose(document: Source) -> Iterator[tuple[int, str]]:
    """Lines outside of blocks."""
    inside = False
    for number, line in enumerate(document.lines, 1):
        if line.startswith("```"):
            inside = not inside
        elif not inside:
            yield number, line


def dead_links(document: Source, paths: Set[str]) -> list[str]:
    """Relative links that lead nowhere from where they stand. `paths` are the files there are."""
    folders = {path.rsplit("/", 1)[0] for path in paths if "/" in path}
    here = posixpath.dirname(document.path)

    def place(name: str) -> str:
        return posixpath.normpath(posixpath.join(here, name))

    return [
        document.at(number, f"the link {target} leads nowhere")
        for number, line in _prose(document)
        for target in _LINK.findall(line)
        if (name := target.partition("#")[0]) and place(name) not in paths | folders
    ]


def unknown_paths(document: Source, paths: Collection[str], bases: Sequence[str]) -> list[str]:
    """Files and folders in code marks that are not there, from the root or from one of `bases`.

    Only what begins like one of our paths is judged: `pygw/x.py`, `exchange.pyx`, `filters/`.
    """
    there = set(paths)
    for path in paths:
        parts = path.split("/")
        there |= {"/".join(parts[:end]) for end in range(1, len(parts))}
    firsts = {path.split("/")[0] for path in there}
    firsts |= {path.removeprefix(base).split("/")[0] for base in bases for path in there}
    found = []
    for number, line in _prose(document):
        for code in _CODE.findall(line):
            for path in _PATH.findall(code) if not code.startswith(("/", "http")) else ():
                name = path.rstrip("/")
                if path.startswith(WRITTEN):
                    continue
                if "/" in path and path.split("/")[0] not in firsts:
                    continue
                if not any(base + name in there for base in ("", *bases)):
                    found.append(document.at(number, f"there is no {path}"))
    return found


def unknown_names(document: Source, sources: Iterable[Source]) -> list[str]:
    """Names in code marks that stand nowhere in the sources."""
    words: set[str] = set()
    for source in sources:
        words |= set(re.findall(r"\w+", source.text))
    found = []
    for number, line in _prose(document):
        for code in _CODE.findall(line):
            if "<" in code or "*" in code:
                continue
            for name in _NAME.findall(_PATH.sub("", code)):
                if name not in words and name not in KINDS:
                    found.append(document.at(number, f"nothing is called {name}"))
    return found
