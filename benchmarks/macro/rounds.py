"""The rounds: each case goes through all peers in turn, again and again.

Runs in the main thread: one peer is under load at a time, the others idle. Every peer lives for
the whole run. Read next: summary.py.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import cpu
from benchmarks.macro import load, native, probe
from benchmarks.macro.cases import Case
from benchmarks.macro.peers import Peer, RunningPeer, Setting

WARM_UP_S = 1.0
SETTLE_S = 0.1  # until closes that follow the last answer are done


@dataclass(frozen=True)
class Method:
    """The parameters of a run; times in seconds."""

    rounds: int
    seconds: float
    proxy_core: int
    load_core: int
    warm_up_s: float = WARM_UP_S


@dataclass(frozen=True)
class Round:
    """One peer under one case once. CPU figures are of its whole process tree."""

    case: str
    peer: str
    index: int
    requests: int
    requests_per_s: float
    p50_us: int
    p99_us: int
    cpu_us: float  # per request
    user_us: float
    system_us: float
    proxy_share: float  # of its core
    foreign_share: float  # of the same core, used by others
    stolen_share: float  # of the same core, taken by the hypervisor
    errors: dict[str, int]
    problems: list[str]  # anything here makes the figure invalid

    def as_dict(self) -> dict[str, object]:
        """Return the round as plain values for JSON, rounded to what they are worth."""
        plain = asdict(self)
        return {k: round(v, 3) if isinstance(v, float) else v for k, v in plain.items()}


def round_measure(
    case: Case, peer: RunningPeer, index: int, method: Method, directory: Path
) -> Round:
    """Put one case's load on one peer and count what it cost."""
    time.sleep(SETTLE_S)
    tree, core, started = _usage(peer, method)
    result = load.load_run(
        case, peer.port, seconds=method.seconds, core=method.load_core, directory=directory
    )
    time.sleep(SETTLE_S)
    tree_end, core_end, ended = _usage(peer, method)
    used = cpu.tree_difference(tree, tree_end)
    requests = max(result.requests, 1)
    wall_ns = ended - started
    problems = [f"{count} {kind} errors" for kind, count in result.errors.items()]
    if result.requests == 0:
        problems.append("no request was answered")
    if not used.complete:
        problems.append("a process or thread of the peer ended in the round")
    return Round(
        case=case.name,
        peer=peer.name,
        index=index,
        requests=result.requests,
        requests_per_s=result.requests / result.duration_s,
        p50_us=result.p50_us,
        p99_us=result.p99_us,
        cpu_us=used.total_ns / 1e3 / requests,
        user_us=used.user_ns / 1e3 / requests,
        system_us=used.system_ns / 1e3 / requests,
        proxy_share=used.total_ns / wall_ns,
        foreign_share=max(0.0, (core_end.busy_ns - core.busy_ns - used.total_ns) / wall_ns),
        stolen_share=(core_end.stolen_ns - core.stolen_ns) / wall_ns,
        errors=result.errors,
        problems=problems,
    )


def _usage(peer: RunningPeer, method: Method) -> tuple[cpu.TreeUse, cpu.CoreUse, int]:
    """Read the peer's CPU use, its core's use and the clock (ns) in one go."""
    tree = cpu.tree_use(peer.child.pid)
    return tree, cpu.core_use(method.proxy_core), time.monotonic_ns()


def _log_empty(peer: RunningPeer) -> None:
    """Empty the access log of a peer, so that a long run does not fill the disk."""
    if peer.access_log is not None and peer.access_log.exists():
        os.truncate(peer.access_log, 0)


@dataclass
class Outcome:
    """All rounds of a run, and the peers that could not take part with the reason."""

    rounds: list[Round]
    skipped: dict[str, str]
    broken: dict[tuple[str, str], list[str]]  # (case, peer) whose probe failed -> why


def _case_run(
    case: Case,
    running: Sequence[RunningPeer],
    method: Method,
    directory: Path,
    outcome: Outcome,
    say: Callable[[str], None],
) -> None:
    """Probe and warm up every peer in one case, then take its rounds in turn."""
    fit = []
    for peer in running:
        if peer.hooked and not case.hooks:
            continue
        problems = probe.peer_check(
            case, peer.port, adds_headers=peer.name != "relay", hooked=peer.hooked
        )
        if problems:
            outcome.broken[case.name, peer.name] = problems
            say(f"{case.name:15} {peer.name:11} left out: {'; '.join(problems)}")
            continue
        fit.append(peer)
        load.load_run(
            case,
            peer.port,
            seconds=method.warm_up_s,
            core=method.load_core,
            directory=directory,
        )
        _log_empty(peer)
    for index in range(method.rounds):
        for peer in fit:
            measured = round_measure(case, peer, index, method, directory)
            outcome.rounds.append(measured)
            _log_empty(peer)
            say(_round_line(measured))


def _round_line(measured: Round) -> str:
    """Return one line of progress for a round."""
    line = (
        f"{measured.case:15} {measured.peer:11} round {measured.index + 1}: "
        f"{measured.cpu_us:8.2f} us CPU ({measured.user_us:.2f} user), "
        f"{measured.requests_per_s:9.0f} req/s, p99 {measured.p99_us} us"
    )
    return line + "".join(f", {problem}" for problem in measured.problems)


def run(
    peers: Sequence[Peer],
    cases: Sequence[Case],
    method: Method,
    directory: Path,
    say: Callable[[str], None],
) -> Outcome:
    """Start origin and peers, take all rounds, and end every process again."""
    outcome = Outcome([], {}, {})
    with contextlib.ExitStack() as stack:
        origin_port = stack.enter_context(
            native.origin_run(core=method.load_core, directory=directory)
        )
        setting = Setting(method.proxy_core, directory, origin_port)
        running = []
        for peer in peers:
            reason = peer.missing()
            if reason is not None:
                outcome.skipped[peer.name] = reason
                say(f"skipped {peer.name}: {reason}")
                continue
            running.append(stack.enter_context(peer.run(setting)))
        for case in cases:
            _case_run(case, running, method, directory, outcome, say)
    return outcome
