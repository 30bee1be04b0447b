"""`${...}` inside a scalar: values from the environment and from files.

Owns: the interpolation grammar. `${VAR}` must be set; `${VAR:-default}` and `${VAR:?message}`
act when it is unset or empty, as in a shell; `${file:/path}` is the file without its last line
end; `$${` stands for a plain `${`.
Runs in: the control plane, while a document is read.
Never does: look inside what it inserted, so a value cannot add YAML or a further reference; and
never puts an inserted value into an error, because it may be a secret.
Read next: `document`.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field

from .files import told_error
from .masking import Secrets, looks_secret

FILE_MAX_BYTES = 64 * 1024
"""Largest file that `${file:...}` inserts."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class InterpolationError(ValueError):
    """A reference cannot be resolved; the text is for the user and holds no inserted value."""


@dataclass(frozen=True)
class Sources:
    """Where references look: `directory` is the base of relative `${file:...}` paths.

    `secrets` and `files` collect what was inserted and must not be shown, and what was read.
    """

    environ: Mapping[str, str]
    directory: str = "."
    secrets: Secrets = field(default_factory=Secrets, compare=False)
    files: set[str] = field(default_factory=set, compare=False)

    def interpolate(self, text: str) -> str:
        """The text with every reference replaced, left to right."""
        out: list[str] = []
        at = 0
        while (found := text.find("${", at)) >= 0:
            if found > 0 and text[found - 1] == "$" and found - 1 >= at:
                out += (text[at : found - 1], "${")
                at = found + 2
                continue
            end = text.find("}", found)
            if end < 0:
                raise InterpolationError('"${" has no closing "}"; write "$${" for a plain "${"')
            body = text[found + 2 : end]
            if "${" in body:
                raise InterpolationError(
                    "a reference inside a reference is not supported; write its value"
                )
            out += (text[at:found], self._resolve(body))
            at = end + 1
        return "".join(out) + text[at:]

    def _resolve(self, body: str) -> str:
        if body.startswith("file:"):
            return self._read(body.removeprefix("file:"))
        match = _NAME.match(body)
        name, rest = (match[0], body[match.end() :]) if match else ("", body)
        if not name or rest[:2] not in ("", ":-", ":?"):
            forms = "${VAR}, ${VAR:-default}, ${VAR:?message} or ${file:/path}"
            raise InterpolationError(f'"${{{body}}}" is not a reference; write {forms}')
        value = self.environ.get(name)
        if rest.startswith(":-"):
            value = value or rest[2:]
        elif rest.startswith(":?") and not value:
            raise InterpolationError(rest[2:] or f"environment variable {name} is needed; set it")
        if value is None:
            raise InterpolationError(
                f"environment variable {name} is not set; write ${{{name}:-default}} to do without"
            )
        if any("\ud800" <= c <= "\udfff" for c in value):
            raise InterpolationError(
                f"environment variable {name} is not valid UTF-8; set it to text"
            )
        if looks_secret(name):
            self.secrets.add(value)
        return value

    def _read(self, name: str) -> str:
        if not name or "\0" in name:
            raise InterpolationError("${file:...} needs a path, such as ${file:/run/secrets/token}")
        path = os.path.join(self.directory, name)
        self.files.add(path)
        try:
            # WHY: without O_NONBLOCK a FIFO that nobody writes to would hang the start.
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise InterpolationError(f"cannot read {path}: {told_error(error)}") from None
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise InterpolationError(f"cannot read {path}: not a regular file; name one")
            with open(fd, "rb", closefd=False) as file:
                content = file.read(FILE_MAX_BYTES + 1)
        finally:
            os.close(fd)
        if len(content) > FILE_MAX_BYTES:
            raise InterpolationError(
                f"{path} is larger than {FILE_MAX_BYTES // 1024}KiB; name a shorter file"
            )
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            raise InterpolationError(f"{path} is not valid UTF-8; save it so") from None
        text = text.removesuffix("\n").removesuffix("\r")
        self.secrets.add(text)
        return text
