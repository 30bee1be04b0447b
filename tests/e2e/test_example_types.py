"""Every example in Python that we show or write passes mypy --strict."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from pygw.cli.hook_files import NewHook

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WHOLE = re.compile(r"^(from|import) ", re.MULTILINE)


def examples() -> Iterator[tuple[str, str]]:
    """A module's name and its text; pieces of modules in documents are left out."""
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for number, block in enumerate(BLOCK.findall(page.read_text("utf-8"))):
            if WHOLE.search(block):
                yield f"{page.stem.lower().replace('-', '_')}_{number}", block
    for file in sorted((ROOT / "hooks").rglob("*.py")):
        name = "_".join(file.relative_to(ROOT).with_suffix("").parts)
        yield name.replace("-", "_"), file.read_text("utf-8")
    for language in ("python", "native"):
        hook = NewHook(language, f"my-{language}")
        for name, template, _ in hook.files():
            if name.endswith(".py"):
                yield f"new_{name.removesuffix('.py')}", hook.filled(template_text(template))


def template_text(name: str) -> str:
    """A template as it is installed."""
    return (ROOT / "pygw" / "cli" / "templates" / f"{name}.in").read_text("utf-8")


def strictly(folder: Path) -> list[str]:
    """What mypy says against the modules of a folder."""
    names = sorted(path.name for path in folder.glob("*.py"))
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent"]
    command += ["--no-error-summary", "--cache-dir", str(ROOT / ".mypy_cache" / "examples")]
    done = subprocess.run(
        [*command, *names],
        cwd=folder,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_examples_are_typed(tmp_path: Path) -> None:
    found = dict(examples())
    assert {"hooks_0", "testing_0", "new_my_python", "new_test_my_python"} <= set(found)
    for name, text in found.items():
        (tmp_path / f"{name}.py").write_text(text, "utf-8")
    assert strictly(tmp_path) == []


def test_a_wrong_use_of_the_types_is_found(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(
        "from pygw.hooks import Reply, Request\n"
        "from pygw.testing import MakeHook\n"
        "def h(req: Request) -> Reply | None:\n"
        "    req.headers['x'] = 1\n"
        "    return Reply('200')\n"
        "def test(pygw_hook: MakeHook) -> None:\n"
        "    pygw_hook('a.lua', on_error='maybe')\n"
        "    pygw_hook('a.lua').get('/', headrs={})\n"
    )
    assert {line.split(":")[1] for line in strictly(tmp_path)} == {"4", "5", "7", "8"}
