"""Secrets do not leave the process that needs them.

Owns: which values are secret, and how they look where a configuration is shown.
Secret are values that came from `${file:...}` or from a variable whose name looks like a secret's,
wherever they ended up, and the values of keys and header fields that hold secrets.
Runs in: the control plane.
Never does: change what is served; only copies that are shown are masked.
Read next: `load`, which collects them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MASK = "***"
"""What stands in the place of a secret."""

INNER_MIN = 4
"""Shortest secret that is masked within a longer text; a shorter one only where it is all."""

_SECRET_NAME = re.compile(
    r"secret|passw|passphrase|token|credential|authori[sz]ation|cookie\Z|private[-_]?key"
    r"|api[-_]?key|access[-_]?key|signature|session"
    r"|(?:\A|[-_])(?:auth|pass|pwd|key|pin|jwt|dsn|salt)\Z",
    re.IGNORECASE,
)
# Names of the configuration's own that look like secrets but say where or how, not what; they are
# no names of header fields within the mappings of header fields.
_HARMLESS = frozenset({"cookie", "key"})
_FIELDS = frozenset({"set", "add", "headers", "query"})


def looks_secret(name: str) -> bool:
    """Whether a variable, key or header field of this name holds a secret."""
    return _SECRET_NAME.search(name) is not None


@dataclass
class Secrets:
    """The secrets of one configuration."""

    values: set[str] = field(default_factory=set)

    def add(self, value: str) -> None:
        """Remember a value that must not be shown; its lines count one by one, too."""
        self.values |= {part for part in (value, *value.splitlines()) if part.strip()}

    def mask_text(self, text: str) -> str:
        """The text without any of the secrets."""
        if text in self.values:
            return MASK
        for value in sorted(self.values, key=len, reverse=True):
            if len(value) >= INNER_MIN:
                text = text.replace(value, MASK)
        return text

    def add_named(self, data: Any, of_fields: bool = False) -> None:
        """Remember the values in `data` that stand at names of secrets."""
        if isinstance(data, Mapping):
            for name, value in data.items():
                harmless = name in _HARMLESS and not of_fields
                if isinstance(value, str) and looks_secret(str(name)) and not harmless:
                    self.add(value)
                else:
                    self.add_named(value, name in _FIELDS and not of_fields)
        elif isinstance(data, (list, tuple)):
            for one in data:
                self.add_named(one)

    def blank(self, text: str) -> str:
        """As `mask_text`, but every character behind stays in its column."""
        for value in sorted(self.values, key=len, reverse=True):
            if len(value) >= INNER_MIN:
                text = text.replace(value, "*" * len(value))
        return text

    def mask(self, data: Any, of_fields: bool = False) -> Any:
        """A copy of plain data (a configuration, a plan, a part of one) that can be shown.

        With `of_fields` every key of `data` is the name of a header field, or `data` is a list of
        fields as a plan has them: lists or mappings of a name and what goes with it.
        """
        if isinstance(data, str):
            return self.mask_text(data)
        if isinstance(data, Mapping):
            return {key: self._mask_named(key, value, of_fields) for key, value in data.items()}
        if isinstance(data, (list, tuple)):
            return [self._mask_field(one) if of_fields else self.mask(one) for one in data]
        return data

    def _mask_field(self, field: Any) -> Any:
        if isinstance(field, Mapping) and isinstance(field.get("name"), str):
            secret = looks_secret(field["name"])
            return {
                key: MASK if secret and key != "name" and isinstance(value, str) else value
                for key, value in self.mask(field).items()
            }
        is_field = isinstance(field, (list, tuple)) and field and isinstance(field[0], str)
        if not is_field or not looks_secret(field[0]):
            return self.mask(field)
        return [field[0], *(MASK for _ in field[1:])]

    def _mask_named(self, name: str, value: Any, of_fields: bool) -> Any:
        harmless = name in _HARMLESS and not of_fields
        if isinstance(value, str) and value and looks_secret(name) and not harmless:
            return MASK
        return self.mask(value, name in _FIELDS and not of_fields)
