"""Command line of the macro benchmark: `python -m benchmarks.macro`.

Exit status: 0 all figures are valid, 1 some are not or the run failed, 2 usage.
"""

from __future__ import annotations

import argparse
import datetime
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from benchmarks import cpu, machine
from benchmarks.macro import rounds
from benchmarks.macro.cases import CASES
from benchmarks.macro.hook_peers import HOOK_PEERS
from benchmarks.macro.load import LoadError
from benchmarks.macro.peers import PEERS
from benchmarks.macro.report import Facts, report_write
from benchmarks.process import StartError

RESULTS = Path(__file__).parents[1] / "results"
ALL = (*PEERS, *HOOK_PEERS)
ROUNDS_MAX = 50
SECONDS_MAX = 60


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse and check the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.macro", description=__doc__)
    case_names, peer_names = [case.name for case in CASES], [peer.name for peer in ALL]
    parser.add_argument("--rounds", type=int, default=5, help=f"1 to {ROUNDS_MAX}")
    parser.add_argument("--seconds", type=int, default=3, help=f"per round, 1 to {SECONDS_MAX}")
    parser.add_argument("--case", nargs="+", choices=case_names, default=case_names)
    parser.add_argument("--peer", nargs="+", choices=peer_names, default=peer_names)
    parser.add_argument("--out", type=Path, default=RESULTS, help="directory of the results")
    parser.add_argument("--proxy-core", type=int, default=0, help="core of the proxies")
    parser.add_argument("--load-core", type=int, default=1, help="core of origin and wrk")
    parsed = parser.parse_args(arguments)
    if not 1 <= parsed.rounds <= ROUNDS_MAX:
        parser.error(f"--rounds must be 1 to {ROUNDS_MAX}, got {parsed.rounds}")
    if not 1 <= parsed.seconds <= SECONDS_MAX:
        parser.error(f"--seconds must be 1 to {SECONDS_MAX}, got {parsed.seconds}")
    if parsed.proxy_core == parsed.load_core:
        parser.error("--proxy-core and --load-core must differ")
    for core in (parsed.proxy_core, parsed.load_core):
        if core not in os.sched_getaffinity(0):
            parser.error(f"core {core} is not available here")
    return parsed


def _stop(number: int, frame: FrameType | None) -> None:
    """Turn TERM into the same orderly end as Ctrl-C."""
    raise KeyboardInterrupt


def _say(text: str) -> None:
    """Print progress to stderr."""
    print(text, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and write its results; return the exit status."""
    options = _arguments(arguments)
    missing = [program for program in ("wrk", "gcc") if shutil.which(program) is None]
    if missing:
        _say(f"the macro benchmark needs {' and '.join(missing)}, not installed here")
        return 1
    signal.signal(signal.SIGTERM, _stop)
    method = rounds.Method(
        options.rounds, float(options.seconds), options.proxy_core, options.load_core
    )
    cases = [case for case in CASES if case.name in options.case]
    peers = [peer for peer in ALL if peer.name in options.peer]
    facts = Facts(
        started=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        machine=machine.machine_facts(),
        versions=machine.program_versions(),
        cpu_source="schedstat (ns)" if cpu.schedstat_is_there() else "stat (10 ms ticks)",
    )
    try:
        with tempfile.TemporaryDirectory(prefix="pygw-bench-") as directory:
            outcome = rounds.run(peers, cases, method, Path(directory), _say)
    except (StartError, LoadError) as error:
        _say(f"the run failed: {error}")
        return 1
    except KeyboardInterrupt:
        _say("stopped; every started process has been ended, nothing was written")
        return 1
    for path in report_write(facts, method, cases, outcome, options.out):
        _say(f"wrote {path}")
    invalid = outcome.broken or any(each.problems for each in outcome.rounds)
    return 1 if invalid else 0


if __name__ == "__main__":
    sys.exit(main())
