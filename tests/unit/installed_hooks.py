"""A package that offers hooks, installed as pip would: files, and a dist-info that names them.

Owns: what is written.
Runs in: tests.
Never does: run pip, or touch the environment of the tests.
Read next: `test_hook_points`.
"""

from __future__ import annotations

from pathlib import Path

AUTH = """
from pygw.hooks import Reply, Request, hook

@hook
def check(req: Request) -> Reply | None:
    return None if "x-key" in req.headers else Reply(401, "no key")
"""

ENTRY_POINTS = """
[pygw.hooks]
acme-auth = acme_hooks.auth:check
acme-only = acme_hooks.auth
acme-tag = acme_hooks:tag.lua
acme-lost = acme_hooks:lost.lua
"""


def install(place: Path) -> Path:
    """Installs `acme-hooks` 1.2 into a folder that is, or will be, on Python's path."""
    package, info = place / "acme_hooks", place / "acme_hooks-1.2.dist-info"
    package.mkdir(parents=True)
    info.mkdir()
    (package / "__init__.py").write_text("")
    (package / "auth.py").write_text(AUTH)
    (package / "tag.lua").write_text("return function(req) req.set_header('x-tag', 'acme') end\n")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-hooks\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    return place
