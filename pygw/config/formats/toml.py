"""TOML 1.0, as the standard library reads it: values have no places, only errors of syntax do.

Owns: what a TOML text means as a configuration.
Runs in: the control plane.
Never does: accept dates and times, for which a configuration has no use.
Read next: `pygw.config.load`.
"""

from __future__ import annotations

import re
import tomllib

from ..document import TOO_DEEP, Document, Walk
from ..errors import Mark
from ..interpolate import Sources

_TEXT = "; a quote must be closed in its line: use \"\"\" or ''' for text of several lines"
_ONCE = "; a key may stand once"
_CLOSED = "; write all keys of a table where it is begun"
_ESCAPE = "; write \\\\ for a backslash, or put the text in single quotes"

# What to do, by how the library's message begins; the first that fits.
_REMEDIES = (
    ("Cannot overwrite", _ONCE),
    ("Cannot declare", _ONCE),
    ("Duplicate", _ONCE),
    ("Cannot mutate", _CLOSED),
    ("Cannot redefine", _CLOSED),
    ("Invalid statement", "; write key = value, [table] or [[entry of a list]]"),
    ("Expected newline", "; does a text lack its quotes?"),
    ("Expected '=' after", "; write key = value, a key with a blank in it in quotes"),
    ("Expected ']' at", "; write [name], and a name with a blank in it in quotes"),
    ("Expected ']]' at", "; write [[name]], and a name with a blank in it in quotes"),
    ("Expected", "; is a quote missing?"),
    ("Invalid initial character", "; write a name, in quotes unless of letters, digits, - and _"),
    ("Unclosed array", "; a comma or ] must follow"),
    ("Unclosed inline table", "; a comma or } must follow, in the same line"),
    ("Unescaped", _ESCAPE),
    (
        "Invalid hex value",
        "; write \\u and 4 hex digits, or \\U and 8, or the text in single quotes",
    ),
    ("Escaped character", "; write the character itself"),
    ("Unterminated string", "; is a quote missing?"),
    ("Illegal character '\\n'", _TEXT),
    ("Found invalid character '\\n'", _TEXT),
    ("Illegal character", "; write it as \\u and 4 hex digits"),
    ("Found invalid character", "; take it out"),
    ("Invalid date", "; write it as text, in quotes"),
    ("Invalid value", '; write "text" in quotes, a number, true, false, [list] or {key = value}'),
)

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)\Z")


def read_toml(text: str, file: str, sources: Sources) -> Document:
    """As `read_document`. A key that stands twice is an error of syntax in TOML."""
    document = Document(file, text)
    try:
        data = tomllib.loads(text)
    except RecursionError:
        raise document.fail(TOO_DEEP) from None
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        place = _PLACE.search(message)
        mark = Mark(int(place[1]), int(place[2])) if place and place[1] else None
        reason = message[: place.start()] if place else message
        if place and mark is None:
            reason += " at the end of the text"
        told = message[: place.start()] if place else message
        reason += next((hint for start, hint in _REMEDIES if told.startswith(start)), "")
        raise document.fail(f"not valid TOML: {reason[:1].lower()}{reason[1:]}", mark) from None
    Walk(document, sources).walk(data)
    return document
