"""`return`, `rewrite` and `if`: what nginx decides before it looks at a location's content.

Owns: fixed answers and redirects, changes of the path, and the conditions that a route can have.
Runs in: the process of the command.
Never does: guess: what it cannot express raises Untranslatable.
Read next: `proxy`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .. import shapes
from ..draft import Json
from .patterns import PathForm, Untranslatable, path_forms
from .syntax import Directive
from .variables import to_template, variables_of

REDIRECTS = (301, 302, 303, 307, 308)
_URL = re.compile(r"(?:https?|\$scheme)://")
_SAME_ON_TLS = re.compile(r"https://[^/]+\$(?:request_uri|\{request_uri\})\Z")
_CONDITION = re.compile(r"\$(?P<name>\w+)\s*(?P<sign>!?=|!?~\*?)\s*(?P<value>.*)\Z", re.S)
_WORDS = re.compile(r"\^?\(?(?:\?:)?([A-Z]+(?:\|[A-Z]+)*)\)?\$?\Z")


def return_entry(one: Directive, groups: Mapping[str, str] | None = None) -> Json:
    """The filter that answers as `return` does."""
    args = one.args
    if not args or len(args) > 2:
        raise Untranslatable("it needs a status")
    if not args[0].isdigit():
        return shapes.redirect(_location(args[0], groups), 302)
    status = int(args[0])
    text = args[1] if len(args) == 2 else ""
    if status in REDIRECTS and text:
        return shapes.redirect(_location(text, groups), status)
    if status == 444:
        raise Untranslatable("closing without an answer has no counterpart")
    if not 200 <= status <= 599:
        raise Untranslatable(f"{status} is no status of a final answer")
    return shapes.respond(status, to_template(text, groups) if text else "")


def _location(text: str, groups: Mapping[str, str] | None) -> str:
    if not _URL.match(text) and not text.startswith(("/", "$")):
        raise Untranslatable(f'"{text}" is neither a URL nor a path')
    return to_template(text, groups)


def sends_to_tls(one: Directive) -> bool:
    """Whether it is the usual step from a plain port to the same place on a TLS port."""
    return len(one.args) == 2 and bool(_SAME_ON_TLS.match(one.args[1]))


@dataclass(frozen=True)
class Rewrite:
    """One `rewrite`: for these paths, the path that it makes, or where it sends the client."""

    directive: Directive
    forms: list[PathForm]
    replacement: str
    status: int  # of a redirect, else 0
    last: bool  # the location is looked for anew
    keeps_query: bool


def read_rewrite(one: Directive) -> Rewrite:
    """Its meaning."""
    if len(one.args) < 2:
        raise Untranslatable("it needs an expression and a replacement")
    expression, replacement, *flags = one.args
    status = 301 if "permanent" in flags else 302 if "redirect" in flags else 0
    if status == 0 and _URL.match(replacement):
        status = 302
    if "?" in replacement.rstrip("?"):
        raise Untranslatable("a replacement with a query has no counterpart")
    forms = path_forms(expression)
    return Rewrite(
        directive=one,
        forms=forms,
        replacement=replacement.rstrip("?"),
        status=status,
        last="break" not in flags,
        keeps_query=not replacement.endswith("?") and "$request_uri" not in replacement,
    )


def rewrite_template(rewrite: Rewrite, form: PathForm) -> str:
    """The new path of one form as a template."""
    groups = dict(form.groups)
    if "" in groups.values():  # `^(.*)$` and `/`: the group is the whole path
        used = variables_of(rewrite.replacement)
        if used and rewrite.replacement.startswith("$"):
            return "{path}"
        groups = dict.fromkeys(groups, "path")
    return to_template(rewrite.replacement, groups)


def condition(one: Directive) -> Json:
    """What a route's match needs beside its path to hold as `if (...)` does.

    A negated condition on the method has the key `only`: all other methods.
    """
    text = " ".join(one.args).strip()
    if not (text.startswith("(") and text.endswith(")")):
        raise Untranslatable("it has no condition")
    match = _CONDITION.match(text[1:-1].strip())
    if match is None:
        raise Untranslatable("a condition of this kind has no counterpart")
    name, sign, value = match["name"], match["sign"], match["value"].strip().strip("\"'")
    if name == "request_method":
        words = _WORDS.match(value)
        if words is None or (sign in ("=", "!=") and "|" in value):
            raise Untranslatable(f'"{value}" is no list of methods')
        methods = words[1].split("|")
        return {"only" if sign.startswith("!") else "methods": methods}
    if sign != "=" or not value:
        raise Untranslatable("only a comparison with = has a counterpart")
    if name in ("host", "http_host"):
        return {"host": value}
    if name.startswith("http_"):
        return {"headers": {name[5:].replace("_", "-"): value}}
    if name.startswith("arg_"):
        return {"query": {name[4:]: value}}
    raise Untranslatable(f"a condition on ${name} has no counterpart")


def answer_in(block: tuple[Directive, ...] | None) -> Directive | None:
    """The `return` of an `if` that does nothing else of weight."""
    kinds = [one.name for one in block or ()]
    if block and kinds[-1] == "return" and set(kinds) <= {"return", "add_header"}:
        return block[-1]
    return None
