"""Hooks that installed packages offer by name: entry points of the group `pygw.hooks`.

Owns: what is offered, and where the code of one is.
Runs in: the control plane, when a configuration names a hook by its name alone.
Never does: import a package; files are found by the package's place.
Read next: `hook_files`.

A package says in its pyproject.toml

    [project.entry-points."pygw.hooks"]
    limit = "acme_hooks.limits:Limit"       # python: limit
    tag = "acme_hooks:tag.lua"              # lua: tag

The second is the file `tag.lua` in the package `acme_hooks`; so is a shared object, for `native`.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from importlib.machinery import PathFinder
from importlib.metadata import EntryPoint, entry_points

from .errors import suggest

OWN = "pygw"
"""The package of the ready-made hooks: a name that another one offers too is that one's."""

GROUP = "pygw.hooks"
"""As in the data plane's runtime for Python."""

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")
"""A hook's name; what has a dot, a slash or a colon is a place."""

SUFFIXES = {"lua": ".lua", "native": ".so"}


@dataclass(frozen=True)
class Offer:
    """A hook that a package offers."""

    name: str
    language: str
    """lua, python or native: the key of a middleware entry."""
    place: str
    """module:attribute; or, of a file, its path in the package, as package:file."""
    package: str
    """Name and version of what is installed."""


def offers() -> list[Offer]:
    """All that is installed, by name; of two with one name the one that is found first, and the
    ready-made last."""
    found: dict[str, Offer] = {}
    points = entry_points(group=GROUP)
    for point in sorted(points, key=lambda one: one.dist is not None and one.dist.name == OWN):
        found.setdefault(point.name, _offer(point))
    return sorted(found.values(), key=lambda offer: offer.name)


def find_offer(name: str, language: str) -> Offer:
    """The hook of that name in that language; ValueError tells what there is instead."""
    every = offers()
    for offer in every:
        if offer.name == name and offer.language == language:
            return offer
        if offer.name == name:
            raise ValueError(
                f"the hook {name} of {offer.package} is one for {offer.language}: write"
                f" {offer.language}: {name}"
            )
    raise ValueError(f"no installed package offers a hook {name}{_instead(name, language, every)}")


def file_of(offer: Offer) -> str:
    """The path of a hook that is a file; ValueError when its package has none there."""
    package, _, file = offer.place.partition(":")
    first, *rest = package.split(".")
    spec = PathFinder.find_spec(first) if first else None
    folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    if first == OWN:  # an editable install is found by another finder
        folders = list(sys.modules[OWN].__path__)
    for folder in folders:
        path = os.path.join(folder, *rest, file)
        if os.path.isfile(path):
            return path
    raise ValueError(
        f"the hook {offer.name} of {offer.package} is {offer.place}, but no such file is installed"
    )


def _offer(point: EntryPoint) -> Offer:
    suffix = os.path.splitext(point.value)[1]
    language = next((key for key, value in SUFFIXES.items() if value == suffix), "python")
    package = f"{point.dist.name} {point.dist.version}" if point.dist is not None else "a package"
    return Offer(point.name, language, point.value, package)


def _instead(name: str, language: str, every: list[Offer]) -> str:
    of_language = [offer.name for offer in every if offer.language == language]
    own = {"python": "module:name or path/file.py:name", "lua": "a path such as hooks/limit.lua"}
    there = ", ".join(of_language[:20]) or "none"
    guess = suggest(name, of_language)
    meant = f'; did you mean "{guess}"?' if guess is not None else ""
    return (
        f" for {language}{meant} (installed: {there}); code of your own is"
        f" {own.get(language, 'a path such as hooks/limit.so')}"
    )
