"""Hooks that `pygw check` loads in a process of its own: they hang, exit, crash."""

from __future__ import annotations

from pathlib import Path

import pytest

from pygw.config import ConfigError
from pygw.config.load import load
from pygw.plan.trial import check_apart
from tests.peers.link import until
from tests.unit.native_hooks import built, plugin

GOOD = "def good(req): pass\n"


def problems(folder: Path, *hooks: str, load_s: float = 10.0) -> list[tuple[str, int]]:
    """What is wrong with a configuration of these hooks, and in which line."""
    lines = "".join(f"      - {{{hook}}}\n" for hook in hooks)
    head = "listeners: [{bind: 127.0.0.1:0}]\nroutes:\n  - match: {path: /*}\n    middleware:\n"
    (folder / "pygw.yaml").write_text(head + lines)
    with pytest.raises(ConfigError) as caught:
        check_apart(load(str(folder / "pygw.yaml")), load_s)
    return [(one.message, one.at.line if one.at else 0) for one in caught.value.problems]


def test_each_hook_that_ends_the_process_is_named_and_so_are_others(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("import os\nos._exit(0)\n")
    (tmp_path / "b.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    (tmp_path / "c.py").write_text("def c(): pass\n")
    (tmp_path / "good.py").write_text(GOOD)
    names = ("a.py:a", "good.py:good", "b.py:b", "c.py:c")
    found = problems(tmp_path, *(f'python: "{name}"' for name in names))
    assert [line for _, line in found] == [5, 7, 8]
    told = [message for message, _ in found]
    assert "is called with (request), but takes ()" in told[2]
    assert told[0].endswith("a.py:a: ended the process while it was loaded (exit code 0)")
    assert told[1].endswith("b.py:b: ended the process while it was loaded (SIGSEGV)")


def test_a_hook_that_does_not_come_to_an_end_is_killed(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(60)\n")
    ((message, line),) = problems(tmp_path, 'python: "slow.py:x"', load_s=0.2)
    assert message.endswith("slow.py:x: did not come to an end within 0.2 s of being loaded")
    assert line == 5


@pytest.mark.parametrize(
    ("body", "told"), [("for (;;) {}", "did not come to an end"), ("abort();", "(SIGABRT)")]
)
def test_an_init_of_native_code_is_contained(tmp_path: Path, body: str, told: str) -> None:
    code = built(plugin(request="", before="#include <stdlib.h>", init=body))
    (tmp_path / "bad.so").write_bytes(code.read_bytes())
    ((message, _),) = problems(tmp_path, "native: bad.so", load_s=0.5)
    assert "bad.so" in message
    assert told in message


def test_what_hooks_start_ends_with_the_check(tmp_path: Path) -> None:
    (tmp_path / "fork.py").write_text(
        "import os, pathlib, time\npid = os.fork()\nif pid == 0:\n    time.sleep(60)\n"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(pid))\n" + GOOD
    )
    (tmp_path / "exit.py").write_text("import os\nos._exit(3)\n")
    found = problems(tmp_path, 'python: "fork.py:good"', 'python: "exit.py:x"')
    assert "(exit code 3)" in found[0][0]
    pid = int((tmp_path / "pid").read_text())

    def gone() -> bool:
        try:
            told = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except FileNotFoundError:
            return True
        return told[0] in "ZX"

    until(gone, "the end of what the hook started", 5)


def test_a_good_configuration_is_good(tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text(GOOD)
    (tmp_path / "pygw.yaml").write_text(
        "listeners: [{bind: 127.0.0.1:0}]\n"
        'routes: [{match: {path: /*}, middleware: [{python: "good.py:good"}, echo: {}]}]\n'
    )
    check_apart(load(str(tmp_path / "pygw.yaml")))
