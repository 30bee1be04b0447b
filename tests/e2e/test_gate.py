"""The gate of benchmarks/gate as tests: what one request costs, in units that do not move.

Owns: the decision to fail the suite when a request costs more instructions or system calls.
Runs in: the test process, with a worker of its own under valgrind and under strace.
Never does: measure time.
Read next: benchmarks/README.md, benchmarks/gate/drive.py.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks.gate import baseline, hooks, instructions, profile, syscalls
from benchmarks.gate.drive import LONG, SCENARIOS, SHORT, Cost, ToolError, costs, schedule
from pygw._core import variant

needs_release_build = pytest.mark.skipif(
    variant.NAME != "release", reason=f"the core is a {variant.NAME} build: it costs what it costs"
)
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def instruction_costs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Cost]:
    """Instructions per request by scenario, from one run under callgrind."""
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind is not installed")
    return hooks.hooks_count(tmp_path_factory.mktemp("callgrind"), SCENARIOS)


@needs_release_build
@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_instructions_per_request_stay_within_the_baseline(
    scenario: str, instruction_costs: dict[str, Cost]
) -> None:
    expected, recorded = baseline.baseline_read()
    measured = {scenario: instruction_costs[scenario]}
    (comparison,) = baseline.compare(measured, expected)
    changes = ", ".join(baseline.toolchain_changes(recorded)) or "same toolchain"
    assert not comparison.worse, f"{comparison.sentence()}; {changes}"


@needs_release_build
@pytest.mark.slow
def test_instructions_per_request_are_the_same_when_counted_again(
    instruction_costs: dict[str, Cost],
) -> None:
    for cost in instruction_costs.values():
        assert cost.high - cost.low <= 0.01 * cost.median


@needs_release_build
@pytest.mark.slow
def test_a_hook_multiplies_the_instructions_of_a_request_by_no_more_than_its_goal(
    instruction_costs: dict[str, Cost],
) -> None:
    found = hooks.ratios(instruction_costs)
    assert {name: found[name] for name in hooks.GOALS if found[name] > hooks.GOALS[name]} == {}
    assert min(found.values()) > 1.02, "no hook has run"


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, float]]:
    """System calls per request by scenario, from one run under strace."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    allowed = subprocess.run(["strace", "-qq", "true"], capture_output=True, check=False)
    if allowed.returncode != 0:
        pytest.skip(f"strace may not trace here: {allowed.stderr.decode().strip()}")
    return syscalls.syscalls_count(tmp_path_factory.mktemp("strace"))


@needs_release_build
@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_warm_request_takes_two_reads_two_writes_two_waits_and_nothing_else(
    scenario: str, calls: dict[str, dict[str, float]]
) -> None:
    assert syscalls.problems({scenario: calls[scenario]}) == []


def test_trace_is_cut_at_the_marks_and_calls_are_counted_once() -> None:
    lines = [
        "7 read(5, ..., 64) = 1",
        "7 getpgid(0) = 7",
        '7 recvfrom(5, ""..., 64, 0, NULL, NULL) = 9',
        "7 writev(6, [{...}], 2 <unfinished ...>",
        "8 epoll_pwait(3, <unfinished ...>",
        "7 <... writev resumed>) = 9",
        "--- SIGCHLD {...} ---",
        "7 getpgid(0) = 7",
        "7 exit_group(0) = ?",
    ]
    (counted,) = syscalls.intervals_parse(lines)
    assert counted == {"read": 1, "write": 1, "epoll_wait": 1}


def test_extra_system_call_per_request_is_a_problem() -> None:
    good = {"read": 2.0, "write": 2.01, "epoll_wait": 2.0, "epoll_ctl": 0.0, "futex": 0.004}
    assert syscalls.problems({"get": good}) == []
    assert syscalls.problems({"get": good | {"epoll_ctl": 1.0}}) == [
        "get: 1 epoll_ctl per request, at most 0 allowed"
    ]
    assert syscalls.problems({"get": good | {"getrandom": 1.0}}) != []


def test_what_happens_once_per_interval_does_not_count() -> None:
    found = costs([50_000.0 + 70 * count for _, count in schedule()])
    assert {cost.median for cost in found.values()} == {70.0}
    assert SHORT < LONG


def test_lost_mark_is_an_error() -> None:
    with pytest.raises(ToolError):
        costs([1.0] * (len(schedule()) - 1))


def test_callgrind_file_without_total_is_an_error(tmp_path: Path) -> None:
    dump = tmp_path / "callgrind.out.1"
    dump.write_text("desc: Trigger: --dump-before=getpgid\n")
    with pytest.raises(ToolError):
        instructions.dump_read(dump)
    dump.write_text("desc: Trigger: --dump-before=getpgid\ntotals: 12\n")
    assert instructions.dump_read(dump) == ("--dump-before=getpgid", 12)


def test_profile_counts_what_a_function_itself_took(tmp_path: Path) -> None:
    dump = tmp_path / "callgrind.out.1"
    dump.write_text(
        "fn=__pyx_f_4pygw_5_core_8log_line_put_text\n10 70\n+2 5\ncfn=memcpy\ncalls=3 0 \n+1 900\n"
        "* 4\n\nfn=memcpy\n0 900\ntotals: 979\n"
    )
    assert profile.costs_read(dump) == {"log_line.put_text": 79, "memcpy": 900}


def test_only_more_instructions_than_the_tolerance_are_worse() -> None:
    def against(measured: float) -> baseline.Comparison:
        cost = Cost(measured, measured, measured)
        return baseline.compare({"get": cost}, {"get": 1000.0})[0]

    assert not against(1029.0).worse
    assert against(1031.0).worse
    assert not against(900.0).worse
    assert against(900.0).better
    with pytest.raises(baseline.BaselineError):
        baseline.compare({"get": Cost(1.0, 1.0, 1.0)}, {})


def test_recorded_baseline_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    with pytest.raises(baseline.BaselineError):
        baseline.baseline_read(path)
    baseline.baseline_write({"get": Cost(1234.4, 1234.0, 1235.0)}, path)
    expected, recorded = baseline.baseline_read(path)
    assert expected == {"get": 1234}
    assert baseline.toolchain_changes(recorded) == []
