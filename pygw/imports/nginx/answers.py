"""`return` and `rewrite`: what nginx decides before it looks at a location's content.

Owns: fixed answers and redirects, and changes of the path.
Runs in: the process of the command.
Never does: guess: what it cannot express raises Untranslatable.
Read next: `proxy`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .. import shapes
from ..draft import Json
from .patterns import PathForm, Untranslatable, path_forms
from .scope import Scope
from .syntax import Directive
from .variables import to_template, variables_of

REDIRECTS = (301, 302, 303, 307, 308)
_URL = re.compile(r"(?:https?|\$scheme)://")
_BESIDE = {"return", "add_header", "default_type"}
_OWN_QUERY = re.compile(r"(?:\$is_args|\$\{is_args\}|\?)(?:\$(?:args|query_string)|\$\{args\})\Z")
_PAIR = re.compile(r"(?P<name>[^=&]+)=(?P<value>[^=&]*)\Z")
_PLAIN = ("($scheme = http)", "($https = )", "($https != on)", "($scheme != https)")
_SAME_ON_TLS = re.compile(r"https://[^/]+\$(?:request_uri|\{request_uri\})\Z")


def return_entry(
    one: Directive, groups: Mapping[str, str] | None = None, kind: str | None = None
) -> Json:
    """The filter that answers as `return` does; `kind` is the media type of a text."""
    args = one.args
    if not args or len(args) > 2:
        raise Untranslatable("it needs a status")
    if not args[0].isdigit():
        return _redirect(args[0], 302, groups)
    status = int(args[0])
    text = args[1] if len(args) == 2 else ""
    if status in REDIRECTS and text:
        return _redirect(text, status, groups)
    if status == 444:
        raise Untranslatable("closing without an answer has no counterpart")
    if not 200 <= status <= 599:
        raise Untranslatable(f"{status} is no status of a final answer")
    body = to_template(text, groups) if text else ""
    return shapes.respond(status, body, kind if body else None)


def _redirect(text: str, status: int, groups: Mapping[str, str] | None) -> Json:
    if not _URL.match(text) and not text.startswith(("/", "$")):
        raise Untranslatable(f'"{text}" is neither a URL nor a path')
    path, keeps = without_query(text)
    return shapes.redirect(to_template(path, groups), status, keeps)


def without_query(text: str) -> tuple[str, bool]:
    """The text without the request's own query at its end, and whether that stood there."""
    match = _OWN_QUERY.search(text)
    return (text[: match.start()], True) if match else (text, False)


def media_type(scope: Scope, path: str) -> str | None:
    """What nginx says a text is: by the ending of the path, or `default_type`; None for its own
    default, which is ours as well."""
    default = scope.last("default_type")
    ending = path.rpartition("/")[2].rpartition(".")[2].lower() if "." in path else ""
    kind = default.args[0] if default is not None and default.args else None
    for block in scope.nearest("types"):
        scope.used.update(id(one) for one in block.block or ())
        for one in block.block or ():
            if ending in one.args:
                kind = one.name
    return None if kind == "text/plain" else kind


def sends_to_tls(one: Directive) -> bool:
    """Whether it is the usual step from a plain port to the same place on a TLS port."""
    return len(one.args) == 2 and bool(_SAME_ON_TLS.match(one.args[1]))


def asks_for_plain(one: Directive) -> bool:
    """Whether an `if` asks for a connection without TLS."""
    text = " ".join(" ".join(one.args).replace('"', " ").replace("'", " ").split())
    return text.replace("( ", "(").replace(" )", ")") in _PLAIN


@dataclass(frozen=True)
class Rewrite:
    """One `rewrite`: for these paths, the path that it makes, or where it sends the client."""

    directive: Directive
    forms: list[PathForm]
    replacement: str
    query: str  # that it adds
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
    path, _, query = replacement.rstrip("?").partition("?")
    forms = path_forms(expression)
    return Rewrite(
        directive=one,
        forms=forms,
        replacement=path,
        query=query,
        status=status,
        last="break" not in flags,
        keeps_query=not replacement.endswith("?") and "$request_uri" not in replacement,
    )


def filled(text: str, form: PathForm) -> str:
    """A text with the groups of an expression as a template."""
    groups = dict(form.groups)
    if "" in groups.values():  # `^(.*)$` and `/`: the group is the whole path
        used = variables_of(text)
        if used and text.startswith("$"):
            return "{path}"
        groups = dict.fromkeys(groups, "path")
    return to_template(text, groups)


def rewritten_query(rewrite: Rewrite, form: PathForm) -> list[Json]:
    """What makes the query of a rewrite that is no redirect."""
    if not rewrite.keeps_query:
        return [{"rewrite": {"query": filled(rewrite.query, form)}}]
    pairs = [_PAIR.match(one) for one in rewrite.query.split("&")] if rewrite.query else []
    found = {pair["name"]: filled(pair["value"], form) for pair in pairs if pair}
    if len(found) != len(pairs) or any(variables_of(name) for name in found):
        raise Untranslatable(f'"{rewrite.query}" is no list of pairs')
    return [{"query": {"add": found}}] if found else []


def answer_in(block: tuple[Directive, ...] | None) -> Directive | None:
    """The `return` of an `if` that does nothing else of weight."""
    kinds = [one.name for one in block or ()]
    if block and kinds[-1] == "return" and set(kinds) <= _BESIDE:
        return block[-1]
    return None


def keeps_out(block: Sequence[Directive]) -> bool:
    """Whether a block refuses requests: it must not be left out with its place open."""
    return any(
        (inner.name == "return" and inner.args[:1] and inner.args[0].startswith("4"))
        or inner.name == "deny"
        for inner in block
    )


def guards(one: Directive) -> bool:
    """Whether an `if` keeps requests from what stands behind it: it refuses them or, but for the
    step to TLS, sends them elsewhere."""
    block = one.block or ()
    return keeps_out(block) or any(_sends_away(inner, one) for inner in block)


def _sends_away(inner: Directive, around: Directive) -> bool:
    if inner.name == "rewrite":
        flags = {"redirect", "permanent"} & set(inner.args[2:])
        return bool(flags) or any(_URL.match(goal) for goal in inner.args[1:2])
    if inner.name != "return" or not inner.args:
        return False
    status = inner.args[0]
    if status.isdigit() and int(status) not in REDIRECTS:
        return False
    return not (sends_to_tls(inner) and asks_for_plain(around))
