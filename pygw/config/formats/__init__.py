"""The kinds of text that a configuration can be written in, one module each.

Owns: the choice by the file's suffix; what is none of `.json` and `.toml` is YAML.
Runs in: the control plane.
Never does: know which keys the configuration has; that is `model`.
Read next: `yaml`.
"""

from __future__ import annotations

from ..document import Document
from ..interpolate import Sources


def read_document(text: str, file: str, sources: Sources) -> Document:
    """Parse `text`; problems of single values are collected, a text that cannot be read raises."""
    if file.endswith(".json"):
        from .json import read_json

        return read_json(text, file, sources)
    if file.endswith(".toml"):
        from .toml import read_toml

        return read_toml(text, file, sources)
    from .yaml import read_yaml

    return read_yaml(text, file, sources)
