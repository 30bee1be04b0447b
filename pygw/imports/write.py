"""From a draft to the text of a `pygw.yaml` that passes `pygw check`.

Owns: the YAML that an import writes, with its comments; and the last word on what is carried over:
a route that the configuration's own rules refuse is taken out and remarked on.
Runs in: the process of the command.
Never does: write a file.
Read next: `pygw.config.load`, which judges.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from ..config import ConfigError, parse_config
from ..config.interpolate import Sources
from .draft import Draft, ImportFailed, Json, Place, Remark

COLUMNS = 100
"""Longest line that a list or mapping may make; a longer one is spread over several."""

_PLAIN = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./%+-]*\Z")
_NOT_TEXT = re.compile(r"[-+.]?[0-9][0-9_.]*(?:[eE][-+]?[0-9]+)?\Z|0[xob]|(?i:true|false|null)\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]")


def finish(draft: Draft, source: str, version: str) -> str:
    """The text; what the rules refuse has left `draft` with a remark.

    ImportFailed when nothing can be served, or when what is wrong is not one route's fault.
    """
    for _ in range(len(draft.routes) + 2):
        if not draft.routes:
            raise ImportFailed(f"{source}: nothing in it could be carried over")
        text = render(draft, source, version)
        try:
            parse_config(text, "pygw.yaml", Sources({}))
        except ConfigError as error:
            if not _take_out(draft, error):
                raise ImportFailed(f"{source}: the import is refused:\n{error}") from None
            continue
        return text
    raise ImportFailed(f"{source}: the import does not come to an end")


def _take_out(draft: Draft, error: ConfigError) -> bool:
    """Remove the routes that the problems lie in; False when one lies elsewhere."""
    bad: dict[int, str] = {}
    for problem in error.problems:
        match problem.path:
            case ("routes", int(number), *_):
                bad.setdefault(number, problem.message)
            case ("upstreams", str(name), *rest):
                users = [n for n, one in enumerate(draft.routes) if name in _upstreams_of(one)]
                where = ".".join(map(str, rest))
                bad |= dict.fromkeys(users, f"upstream {name}: {where}: {problem.message}")
                draft.upstreams.pop(name, None)
            case _:
                return False
    for number, message in bad.items():
        route = draft.routes[number]
        shown = json.dumps(route.get("match", {}), ensure_ascii=False)
        draft.lose(draft.origins[id(route)], f"the route {shown}: {message}")
    draft.routes = [one for n, one in enumerate(draft.routes) if n not in bad]
    return True


def _upstreams_of(route: Json) -> set[Any]:
    upstream = route.get("upstream")
    return set(upstream) if isinstance(upstream, dict) else {upstream}


def render(draft: Draft, source: str, version: str) -> str:
    """The text as it is; remarks stand at the top, in the order of the input."""
    lines = [f"# Imported from {_comment(source)} by pygw {version}."]
    lines += _remarks(draft, True, "Not carried over:")
    lines += _remarks(draft, False, "Carried over with a difference:")
    lines.append("")
    for key, value in draft.data().items():
        if key == "routes":
            lines.append("routes:")
            for route in draft.routes:
                lines.append(f"  # {_comment(str(draft.origins[id(route)]))}")
                lines += _item(route, 2)
        else:
            lines += _entry(key, value, 0)
    return "\n".join(lines) + "\n"


def _remarks(draft: Draft, lost: bool, title: str) -> Iterator[str]:
    def order(remark: Remark) -> Place:
        return remark.place

    chosen = sorted((one for one in draft.remarks if one.lost == lost), key=order)
    if chosen:
        yield "#"
        yield f"# {title}"
        yield from (f"#   {_comment(f'{one.place}: {one.message}')}" for one in chosen)


def _comment(text: str) -> str:
    """The text on one line, without what could end a comment or disturb a terminal."""
    return _CONTROL.sub(" ", text)


def _entry(key: str, value: Any, indent: int) -> list[str]:
    """`key: value`, spread over lines where it is long."""
    space = " " * indent
    flat = f"{space}{_scalar(key)}: {_flow(value)}"
    listed = isinstance(value, list) and any(isinstance(one, (dict, list)) for one in value)
    if indent == 0 and isinstance(value, dict) and any(isinstance(v, dict) for v in value.values()):
        listed = True
    if not isinstance(value, (dict, list)) or not value or (len(flat) <= COLUMNS and not listed):
        return [flat]
    lines = [f"{space}{_scalar(key)}:"]
    if isinstance(value, dict):
        for name, inner in value.items():
            lines += _entry(name, inner, indent + 2)
    else:
        for inner in value:
            lines += _item(inner, indent + 2)
    return lines


def _item(value: Any, indent: int) -> list[str]:
    """`- value` of a list."""
    space = " " * indent
    flat = f"{space}- {_flow(value)}"
    if not isinstance(value, dict) or not value:
        return [flat]
    if len(value) == 1 and len(flat) <= COLUMNS:
        ((key, inner),) = value.items()
        return [f"{space}- {_scalar(key)}: {_flow(inner)}"]
    if len(flat) <= COLUMNS and not any(isinstance(v, (dict, list)) for v in value.values()):
        return [flat]
    lines: list[str] = []
    for key, inner in value.items():
        lines += _entry(key, inner, indent + 2)
    return [f"{space}- {lines[0].lstrip()}", *lines[1:]]


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        pairs = (f"{_scalar(key)}: {_flow(inner)}" for key, inner in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(inner) for inner in value) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    """A plain word where nothing else could be read in it, else in quotes as JSON has them."""
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, (int, float)):
        return str(value)
    text = str(value)
    if _PLAIN.match(text) and not _NOT_TEXT.match(text):
        return text
    return json.dumps(text.replace("${", "$${"), ensure_ascii=bool(_CONTROL.search(text)))
