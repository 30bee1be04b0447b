"""User instructions per request, counted by valgrind's callgrind.

Runs the drive in a directory and reads the files that callgrind writes at each mark. The count is
of user space only and does not depend on the speed or load of the machine. Read next: profile.py,
syscalls.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from benchmarks.gate.drive import MARK, SCENARIOS, Cost, ToolError, costs, drive
from benchmarks.macro.cases import Case

# libc exports the function under its name, and knows it under a second one.
_TRIGGERS = (MARK, f"__{MARK}")


def dump_read(path: Path) -> tuple[str, int]:
    """Return the trigger of a callgrind file and the instructions counted since the one before."""
    trigger, total = "", -1
    with path.open(errors="replace") as lines:
        for line in lines:
            if line.startswith("desc: Trigger:"):
                trigger = line.removeprefix("desc: Trigger:").strip()
            elif line.startswith("totals:"):
                total = int(line.split()[1])
    if total < 0:
        raise ToolError(f"{path.name} holds no total: callgrind did not finish it")
    return trigger, total


def parts_marked(directory: Path) -> list[Path]:
    """Return callgrind's files that a mark ended, in order; the first ends the warm-up."""
    parts = sorted(directory.glob("callgrind.out.*"), key=lambda path: int(path.suffix[1:]))
    wanted = {f"--dump-before={name}" for name in _TRIGGERS}
    return [part for part in parts if dump_read(part)[0] in wanted]


def instructions_count(
    directory: Path,
    scenarios: Mapping[str, Case] = SCENARIOS,
    hooks: Mapping[str, Path] | None = None,
) -> dict[str, Cost]:
    """Return the user instructions per request by scenario; ToolError when it cannot be done.

    `directory` must be empty; callgrind's files stay there for profile.py. `hooks` as in drive.
    """
    tool = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={directory}/callgrind.out"]
    tool += ["--compress-strings=no"]  # so that each file can be read without the others
    tool += [f"--dump-before={name}" for name in _TRIGGERS]
    drive(tool, directory, scenarios, hooks)
    return costs([dump_read(part)[1] for part in parts_marked(directory)[1:]], scenarios)
