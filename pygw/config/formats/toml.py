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
        if reason.startswith(("Cannot overwrite", "Cannot declare", "Duplicate")):
            reason += "; a key may stand once"
        if reason.startswith("Expected newline"):
            reason += "; does a text lack its quotes?"
        raise document.fail(f"not valid TOML: {reason[:1].lower()}{reason[1:]}", mark) from None
    Walk(document, sources).walk(data)
    return document
