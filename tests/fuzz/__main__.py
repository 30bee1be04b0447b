"""`python -m tests.fuzz --seconds 60 --seed 1`: fuzz the core; exit 1 with a finding.

The work is done by a second process on the instrumented build, for a finding may end it. What it
played last is in `build/fuzz/case-SEED.json`; `--replay FILE` plays it again.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from pathlib import Path

from tests.fuzz import build

TREE = Path(__file__).resolve().parents[2]


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long (60)")
    parser.add_argument("--seed", type=int, default=1, help="of all choices (1)")
    parser.add_argument("--cases", type=int, default=0, help="at most so many; 0: no bound")
    parser.add_argument("--replay", type=Path, help="play this case and nothing else")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def here(asked: argparse.Namespace, keep: Path) -> int:
    """Fuzzes in this process."""
    from tests.fuzz.engine import Engine, replay

    try:
        if asked.replay is not None:
            replay(asked.replay)
        else:
            Engine(asked.seed, keep).run(asked.seconds, asked.cases)
    except AssertionError:
        traceback.print_exc()
        return 1
    return 0


def main() -> int:
    """Builds, then fuzzes in a process of its own."""
    asked = arguments()
    keep = TREE / "build" / build.VARIANT / f"case-{asked.seed}.json"
    if asked.here:
        return here(asked, keep)
    build.build(TREE)
    status = build.start(TREE, *sys.argv[1:])
    if status == 0:
        return 0
    how = f"signal {-status}" if status < 0 else "an assertion"
    print(f"FINDING ({how}): {asked.replay or keep}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
