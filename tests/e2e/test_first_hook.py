"""docs/first-hook.md, line by line: what it shows is what happens."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.commands import PYGW, Run, environment
from tests.unit.lua_hooks import needs_lua

PAGE = Path(__file__).parents[2] / "docs" / "first-hook.md"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"(?:--|#) ([\w.]+)\n")
ADDRESS = "http://127.0.0.1:8080"


class Reader:
    """Does in a folder what the page says."""

    def __init__(self, folder: Path, serve: Callable[..., Run]) -> None:
        self.folder = folder
        self.serve = serve
        self.url = ADDRESS
        self.commands = 0

    def read(self, page: str) -> None:
        """The whole page: files are written, commands run and their output compared."""
        for language, text in FENCE.findall(page):
            if language == "console":
                for command, shown in transcript(text):
                    self.run(command, shown)
                continue
            name = NAMED.match(text)
            assert name is not None, f"a block without a file's name: {text[:80]}"
            (self.folder / name[1]).write_text(text)

    def run(self, command: str, shown: str) -> None:
        """One command."""
        self.commands += 1
        if command.endswith("&"):
            words = shlex.split(command.removesuffix("&"))
            assert words[:2] == ["pygw", "run"]
            self.url = self.serve(*words[2:], "--listen", "127.0.0.1:0").wait_url()
            return
        words = shlex.split(command.replace(ADDRESS, self.url))
        environ = environment()
        if words[0] == "pygw":
            words = [*PYGW, *words[1:]]
        else:
            environ.pop("LD_PRELOAD", None)  # a sanitizer is for what is tested: curl hangs in it
        done = subprocess.run(
            words,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            env=environ,
            timeout=30,
            check=False,
        )
        assert pattern(shown).fullmatch(done.stdout), (
            f"$ {command}\n{done.stdout}\n--- the page shows:\n{shown}"
        )


def transcript(text: str) -> Iterator[tuple[str, str]]:
    """Commands, each with what is shown below it."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown


def pattern(shown: str) -> re.Pattern[str]:
    """`...` stands for anything within a line, alone on a line for lines."""
    lines = [
        r"(?:.*\n)*?" if line == "..." else re.escape(line).replace(r"\.\.\.", ".+") + r"\n"
        for line in shown.splitlines()
    ]
    return re.compile("".join(lines))


@needs_lua
def test_the_guide_leads_to_a_tested_hook_on_a_route(
    tmp_path: Path, run: Callable[..., Run]
) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed: the page uses it")
    reader = Reader(tmp_path, run)
    reader.read(PAGE.read_text())
    assert reader.commands == 10


def test_a_page_that_shows_something_else_fails(tmp_path: Path, run: Callable[..., Run]) -> None:
    reader = Reader(tmp_path, run)
    with pytest.raises(AssertionError, match="the page shows"):
        reader.read("```console\n$ pygw --version\npygw 0.0\n```\n")
    assert pattern("a ... b\n...\nend\n").fullmatch("a 12 µs b\nx\ny\nend\n")
    assert not pattern("a ... b\n").fullmatch("a  b\nmore\n")
