"""CPU time of a process tree, read from /proc.

Runs in the main thread of the benchmark; reads files only. The sum of run time comes from
`schedstat` in nanoseconds where the kernel keeps it, else from the 10 ms ticks of `stat`; the
split into user and system time always comes from those ticks and is therefore coarser.
Read next: process.py, macro/rounds.py.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Process:
    """A process, told apart from a later one with the same id by its start time (ticks)."""

    pid: int
    start_ticks: int


@dataclass(frozen=True)
class TreeUse:
    """What the tasks of a tree have used since they began, by task id, in nanoseconds."""

    run_ns: dict[int, int]
    user_ns: dict[int, int]
    system_ns: dict[int, int]


@dataclass(frozen=True)
class CpuUse:
    """CPU time of a tree between two moments; `complete` is False if a task ended meanwhile."""

    total_ns: int
    user_ns: int
    system_ns: int
    complete: bool


def _stat_fields(path: Path) -> list[str]:
    """Return the fields of a stat file after the name, which may hold blanks and brackets."""
    return path.read_text().rpartition(")")[2].split()


@dataclass(frozen=True)
class _Listed:
    """What /proc says about a process, as far as it matters for a tree."""

    parent: int
    session: int
    start_ticks: int


def _process_list() -> dict[int, _Listed]:
    """Return every process by its id."""
    processes: dict[int, _Listed] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = _stat_fields(entry / "stat")
        except OSError:  # it ended while we looked
            continue
        processes[int(entry.name)] = _Listed(int(fields[1]), int(fields[3]), int(fields[19]))
    return processes


def tree_processes(root: int) -> list[Process]:
    """Return what lives of the tree of `root`, which leads a session of its own.

    The session also holds those whose parent has ended, even if that was the root itself.
    """
    processes = _process_list()
    tree = [pid for pid, each in processes.items() if pid == root or each.session == root]
    for pid in tree:
        tree += [
            child for child, each in processes.items() if each.parent == pid and child not in tree
        ]
    return [Process(pid, processes[pid].start_ticks) for pid in tree]


def process_lives(process: Process) -> bool:
    """Tell whether this very process (not a later one with its id) is still there."""
    listed = _process_list().get(process.pid)
    return listed is not None and listed.start_ticks == process.start_ticks


def schedstat_is_there() -> bool:
    """Tell whether the kernel counts run time in nanoseconds."""
    try:
        return int(Path("/proc/self/schedstat").read_text().split()[0]) > 0
    except (OSError, ValueError, IndexError):
        return False


def tree_use(root: int) -> TreeUse:
    """Read the CPU use of all tasks below and in `root`."""
    use = TreeUse({}, {}, {})
    precise = schedstat_is_there()
    for process in tree_processes(root):
        for task in Path(f"/proc/{process.pid}/task").iterdir():
            try:
                fields = _stat_fields(task / "stat")
                run = (task / "schedstat").read_text() if precise else ""
            except OSError:  # it ended while we looked: tree_difference notices
                continue
            key = int(task.name)
            use.user_ns[key] = int(fields[11]) * TICK_NS
            use.system_ns[key] = int(fields[12]) * TICK_NS
            use.run_ns[key] = (
                int(run.split()[0]) if precise else use.user_ns[key] + use.system_ns[key]
            )
    return use


def tree_difference(before: TreeUse, after: TreeUse) -> CpuUse:
    """Return the CPU time between two readings of one tree; a task born meanwhile counts whole."""

    def grown(earlier: dict[int, int], later: dict[int, int]) -> int:
        return sum(value - earlier.get(task, 0) for task, value in later.items())

    total = grown(before.run_ns, after.run_ns)
    user = grown(before.user_ns, after.user_ns)
    system = grown(before.system_ns, after.system_ns)
    ticks = user + system
    user_share = user / ticks if ticks else 0.0
    return CpuUse(
        total_ns=total,
        user_ns=round(total * user_share),
        system_ns=total - round(total * user_share),
        complete=before.run_ns.keys() <= after.run_ns.keys(),
    )


@dataclass(frozen=True)
class CoreUse:
    """Busy and stolen time of one core since boot, in nanoseconds."""

    busy_ns: int
    stolen_ns: int


def core_use(core: int) -> CoreUse:
    """Read how long a core has been busy, and how long the hypervisor took it away."""
    for line in Path("/proc/stat").read_text().splitlines():
        fields = line.split()
        if fields and fields[0] == f"cpu{core}":
            user, nice, system, _idle, _wait, irq, softirq, steal = map(int, fields[1:9])
            busy = user + nice + system + irq + softirq
            return CoreUse(busy * TICK_NS, steal * TICK_NS)
    raise ValueError(f"this machine has no core {core}")
