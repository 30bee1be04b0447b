"""Facts about a running process tree from /proc: children, memory, descriptors, CPU time.

Reads only. A process that has ended counts as nothing. Read next: `gateway`.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def children_of(pid: int) -> list[int]:
    """Direct children, threads included as parents."""
    found = []
    for task in _tasks(pid):
        with contextlib.suppress(OSError):
            found += [int(word) for word in (task / "children").read_text().split()]
    return found


def descendants_of(pid: int) -> list[int]:
    """The whole tree under a process, parents first."""
    found = []
    for child in children_of(pid):
        found += [child, *descendants_of(child)]
    return found


def rss_bytes(pid: int) -> int:
    """Resident set in bytes."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except OSError:
        return 0


def fd_links(pid: int) -> list[str]:
    """What each open descriptor points to."""
    links = []
    with contextlib.suppress(OSError):
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                links.append(os.readlink(entry.path))
    return links


def socket_count(pid: int) -> int:
    """Open sockets."""
    return sum(link.startswith("socket:") for link in fd_links(pid))


def cpu_s(pid: int) -> float:
    """User and system seconds so far."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(words[11]) + int(words[12])) / TICKS_PER_S


def _tasks(pid: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return []
