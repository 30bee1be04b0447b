"""nginx's variables as the references of our templates.

Owns: which variable is which reference, and the quoting of braces in between.
Runs in: the process of the command.
Never does: guess: a variable without a counterpart refuses the whole text.
Read next: `patterns`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from .patterns import Untranslatable

REFERENCES = {
    "host": "{host}",
    "http_host": "{host}",
    "remote_addr": "{client_ip}",
    "realip_remote_addr": "{client_ip}",
    "scheme": "{scheme}",
    "request_uri": "{path_and_query}",
    "uri": "{path}",
    "document_uri": "{path}",
    "args": "{query}",
    "query_string": "{query}",
    "request_method": "{method}",
    "request_id": "{request_id}",
}
"""Variables whose value a template has under another name."""

_BRACES = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.~-]*)\}")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


def variables_of(text: str) -> list[str]:
    """The names of all variables in the text, in order."""
    return [match[1] or match[2] for match in _VARIABLE.finditer(text)]


def to_template(text: str, groups: Mapping[str, str] | None = None) -> str:
    """The text as a template. `groups` says which parameter a captured group became.

    Untranslatable names the first variable without a counterpart.
    """
    out, at = [], 0
    for match in _VARIABLE.finditer(text):
        out.append(_plain(text[at : match.start()]))
        out.append(_reference(match[1] or match[2], groups or {}))
        at = match.end()
    return "".join(out) + _plain(text[at:])


def _reference(name: str, groups: Mapping[str, str]) -> str:
    if name in groups:
        # `=word`: the group is a literal of this alternative.
        found = groups[name]
        return _plain(found[1:]) if found.startswith("=") else f"{{{found}}}"
    if name in REFERENCES:
        return REFERENCES[name]
    if name.startswith("http_"):
        return f"{{header.{name[5:].replace('_', '-')}}}"
    if name.startswith("arg_"):
        return f"{{query.{name[4:]}}}"
    if name.startswith("cookie_"):
        return f"{{cookie.{name[7:]}}}"
    raise Untranslatable(f"${name} has no counterpart")


def _plain(text: str) -> str:
    """Text in which nothing is taken for a value of a template."""
    return _BRACES.sub(r"{{\1}}", text.replace("{{", "{{{{"))
