"""The timer wheel on a clock moved by hand, and on a loop's clock.

A tick is 8 ms: a timer fires at its deadline or up to one tick later, never earlier.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from itertools import pairwise

import pytest
import uvloop
from pygw._core.probe.nouns import Wheel

TICK_MS = 8
NEVER = 2**64 - 1


def drive(wheel: Wheel, until_ms: int, now_ms: int) -> None:
    """Advance as a driver does: only when the wheel has something to look at."""
    while (wait_ms := wheel.next_ms()) >= 0 and now_ms + wait_ms <= until_ms:
        now_ms += max(wait_ms, 1)
        wheel.advance(now_ms)
    wheel.advance(until_ms)


@pytest.mark.parametrize("ms", [1, 7, 8, 9, 63 * 8, 64 * 8, 511, 513, 4096 * 8 + 3, 30_000, 75_000])
def test_a_timer_fires_at_its_deadline_and_not_a_millisecond_before(ms: int) -> None:
    wheel = Wheel(1000)
    wheel.arm(0, ms)
    now = 1000
    while not wheel.fired():
        now += 1
        wheel.advance(now)
        assert now <= 1000 + ms + TICK_MS, "late by more than a tick"
    assert now >= 1000 + ms, "early"
    assert not wheel.armed(0)
    assert not wheel.hangs(0)


def test_a_timer_of_49_days_fires_and_wakes_the_driver_only_a_few_times() -> None:
    wheel = Wheel(5)
    ms = 2**32 - 1
    wheel.arm(3, ms)
    now, wakes = 5, 0
    while (wait := wheel.next_ms()) >= 0:
        now += max(wait, 1)
        wakes += 1
        wheel.advance(now)
    assert wheel.fired() == [3]
    assert 5 + ms <= now <= 5 + ms + TICK_MS
    assert wakes <= 6


def test_timers_fire_in_the_order_of_their_ticks_after_a_long_gap() -> None:
    wheel = Wheel(0)
    for number, ms in enumerate([90_000, 40, 700, 5000, 16]):
        wheel.arm(number, ms)
    assert wheel.advance(10**9) == [4, 1, 2, 3, 0]
    assert wheel.next_ms() == -1


def test_moving_a_deadline_later_leaves_the_timer_in_its_slot() -> None:
    wheel = Wheel(0)
    wheel.arm(0, 100)
    slot = wheel.slot_ms(0)
    wheel.advance(50)
    wheel.arm(0, 100)
    assert wheel.slot_ms(0) == slot, "hung on again: not lazy"
    assert wheel.advance(149) == []
    assert wheel.advance(150 + TICK_MS) == [0]


def test_moving_a_deadline_earlier_fires_at_the_earlier_time() -> None:
    wheel = Wheel(0)
    wheel.arm(0, 75_000)
    wheel.arm(0, 100)
    assert wheel.advance(99) == []
    assert wheel.advance(100 + TICK_MS) == [0]
    assert wheel.advance(200_000) == []


def test_a_disarmed_timer_never_fires_and_leaves_the_wheel_when_its_slot_comes() -> None:
    wheel = Wheel(0)
    wheel.arm(0, 100)
    wheel.disarm(0)
    assert not wheel.armed(0)
    assert wheel.hangs(0)
    assert wheel.advance(1000) == []
    assert not wheel.hangs(0)
    assert wheel.next_ms() == -1


def test_arming_for_zero_milliseconds_disarms() -> None:
    wheel = Wheel(0)
    wheel.arm(0, 100)
    wheel.arm(0, 0)
    assert not wheel.armed(0)
    assert wheel.advance(1000) == []


def test_a_detached_timer_is_off_the_wheel_at_once() -> None:
    wheel = Wheel(0)
    wheel.arm(0, 100)
    wheel.detach(0)
    assert not wheel.hangs(0)
    assert wheel.next_ms() == -1
    wheel.detach(0)
    assert wheel.advance(1000) == []


def test_detaching_one_of_a_slot_leaves_its_neighbours() -> None:
    wheel = Wheel(0)
    for number in range(5):
        wheel.arm(number, 100)
    for number in (0, 2, 4):
        wheel.detach(number)
    assert sorted(wheel.advance(200)) == [1, 3]


def test_next_ms_is_the_wait_until_the_next_slot() -> None:
    wheel = Wheel(0)
    assert wheel.next_ms() == -1
    wheel.arm(0, 100)
    assert wheel.next_ms() == 104
    wheel.arm(1, 30)
    assert wheel.next_ms() == 32
    wheel.advance(20)
    assert wheel.next_ms() == 12


def test_a_timer_armed_after_an_idle_time_wakes_nobody_before_its_deadline() -> None:
    wheel = Wheel(0)
    wheel.let_pass(128 * TICK_MS)
    wheel.arm(0, 100)
    assert wheel.next_ms() >= 100


def test_a_callback_may_arm_its_own_timer_again() -> None:
    wheel = Wheel(0)
    wheel.arm(0, 50)
    wheel.on_fire(0, "arm", 0, 50)
    drive(wheel, 1000, 0)
    assert 17 <= len(wheel.fired()) <= 20
    times = wheel.fired_ms()
    assert all(later - earlier >= 50 for earlier, later in pairwise(times))


def test_a_callback_that_arms_itself_for_a_millisecond_does_not_loop_within_one_advance() -> None:
    wheel = Wheel(0)
    wheel.arm(0, 1)
    wheel.on_fire(0, "arm", 0, 1)
    assert len(wheel.advance(8)) == 1
    assert len(wheel.advance(16)) == 1


@pytest.mark.parametrize("deed", ["disarm", "detach", "free"])
def test_a_callback_may_take_away_a_timer_that_is_due_in_the_same_slot(deed: str) -> None:
    wheel = Wheel(0)
    for number in range(3):
        wheel.arm(number, 50)
    for number in range(3):
        wheel.on_fire(number, deed, (number + 1) % 3)
    fired = wheel.advance(100)
    first = fired[0]
    assert (first + 1) % 3 not in fired
    assert len(fired) == 2
    assert wheel.next_ms() == -1


def test_a_callback_may_free_its_own_timer() -> None:
    wheel = Wheel(0)
    for number in range(3):
        wheel.arm(number, 50)
        wheel.on_fire(number, "free", number)
    assert len(wheel.advance(100)) == 3
    assert wheel.next_ms() == -1


def test_a_callback_may_move_a_due_timer_into_the_future() -> None:
    wheel = Wheel(0)
    wheel.arm(0, 50)
    wheel.arm(1, 50)
    wheel.on_fire(0, "arm", 1, 500)
    wheel.on_fire(1, "arm", 0, 500)
    first = wheel.advance(56)
    assert len(first) == 1
    assert wheel.advance(555) == []
    assert wheel.advance(600) == [1 - first[0]]


def test_time_that_falls_back_fires_nothing_and_breaks_nothing() -> None:
    wheel = Wheel(10_000)
    wheel.arm(0, 100)
    assert wheel.advance(9_000) == []
    assert wheel.advance(10_108) == [0]


def test_a_timer_armed_while_the_clock_is_behind_the_wheel_still_fires() -> None:
    wheel = Wheel(0)
    wheel.advance(1000)
    wheel.let_pass(500)
    wheel.arm(0, 8)
    assert 0 <= wheel.next_ms() <= 508 + TICK_MS
    assert wheel.advance(1000 + TICK_MS) == [0]


def test_the_driver_is_told_only_when_the_next_deadline_comes_nearer() -> None:
    wheel = Wheel(0)
    wheel.arm(0, 1000)
    assert wheel.soonered == 1
    wheel.promise(1000)
    wheel.arm(1, 2000)
    wheel.arm(0, 1500)
    assert wheel.soonered == 1
    wheel.arm(2, 500)
    assert wheel.soonered == 2


def test_random_arms_moves_and_disarms_fire_what_a_plain_list_of_deadlines_fires() -> None:
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    wheel = Wheel(0)
    due: dict[int, int] = {}
    now = 0
    for _ in range(30_000):
        number = rng.randrange(200)
        what = rng.random()
        if what < 0.7:
            ms = int(10 ** rng.uniform(0, 6))
            wheel.arm(number, ms)
            due[number] = now + ms
        elif what < 0.8:
            wheel.disarm(number)
            due.pop(number, None)
        elif what < 0.85:
            wheel.detach(number)
            due.pop(number, None)
        else:
            now += int(10 ** rng.uniform(0, 5))
            fired = wheel.advance(now)
            assert len(set(fired)) == len(fired), seed
            for number in fired:
                assert due.pop(number) <= now, f"early, seed {seed}"
            late = [n for n, at in due.items() if at <= now - TICK_MS]
            assert not late, f"missed {late}, seed {seed}"
    assert wheel.next_ms() >= 0


# --- on a loop ------------------------------------------------------------------------------------


async def until(holds: Callable[[], object], within_s: float = 5) -> None:
    """Let the loop turn until the condition holds."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "did not come true"
        await asyncio.sleep(0.001)


def on_loop(check: Callable[[Wheel], object]) -> None:
    """Run `check(wheel)` on a uvloop loop, then close the clock."""

    async def main() -> None:
        wheel = Wheel(loop=asyncio.get_running_loop())
        try:
            await check(wheel)
        finally:
            wheel.close()
            await until(lambda: wheel.closed)
        assert wheel.clock_blocks == 0

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


@pytest.mark.parametrize("ms", [1, 20, 100])
def test_the_loop_drives_the_wheel_in_time(ms: int) -> None:
    async def check(wheel: Wheel) -> None:
        await asyncio.sleep(0.01)
        start = time.monotonic()
        wheel.arm(0, ms)
        await until(wheel.fired)
        took_ms = (time.monotonic() - start) * 1000
        # The loop's clock stands still within a turn and is cut to whole milliseconds.
        assert ms - 3 <= took_ms <= ms + 100

    on_loop(check)


def test_a_sooner_timer_is_not_kept_waiting_by_a_later_one() -> None:
    async def check(wheel: Wheel) -> None:
        wheel.arm(0, 60_000)
        await asyncio.sleep(0)
        start = time.monotonic()
        wheel.arm(1, 30)
        await until(wheel.fired)
        assert wheel.fired() == [1]
        assert time.monotonic() - start < 0.2
        wheel.detach(0)

    on_loop(check)


def test_a_timer_armed_after_the_loop_slept_counts_from_then() -> None:
    async def check(wheel: Wheel) -> None:
        wheel.arm(0, 150)
        await asyncio.sleep(0.1)
        start = time.monotonic()
        wheel.arm(1, 200)
        await until(lambda: 1 in wheel.fired())
        assert wheel.fired() == [0, 1]
        assert time.monotonic() - start >= 0.197

    on_loop(check)


def test_arming_after_the_clock_closed_is_harmless() -> None:
    async def main() -> None:
        wheel = Wheel(loop=asyncio.get_running_loop())
        wheel.arm(0, 20)
        wheel.close()
        wheel.arm(1, 1)
        await until(lambda: wheel.closed)
        wheel.arm(2, 1)
        await asyncio.sleep(0.05)
        assert wheel.fired() == []

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


# --- the next turn --------------------------------------------------------------------------------


def test_what_is_to_come_soon_fires_with_the_next_advance_in_its_order() -> None:
    wheel = Wheel(1000)
    wheel.arm(9, 50)
    for number in (4, 2, 3):
        wheel.soon(number)
    assert wheel.next_ms() == 0
    assert wheel.advance(1000) == [4, 2, 3]
    assert wheel.advance(1000) == []
    assert not wheel.hangs(4)
    drive(wheel, 1100, 1000)
    assert wheel.fired() == [4, 2, 3, 9]


def test_what_asks_for_the_next_turn_while_it_fires_comes_with_the_one_after() -> None:
    wheel = Wheel(0)
    wheel.on_fire(0, "soon", 0)
    wheel.soon(0)
    for _ in range(3):
        assert wheel.next_ms() == 0
        assert wheel.advance(0) == [0]
    wheel.detach(0)
    assert wheel.next_ms() == -1


def test_one_that_was_to_come_soon_can_be_disarmed_detached_and_armed_for_later() -> None:
    wheel = Wheel(0)
    wheel.arm(0, 5000)
    for number in range(4):
        wheel.soon(number)
    wheel.disarm(1)
    wheel.detach(2)
    wheel.arm(3, 100)
    assert wheel.advance(0) == [0]
    drive(wheel, 5000, 0)
    assert wheel.fired() == [0, 3]
    assert wheel.fired_ms()[1] >= 100


def test_a_loop_at_rest_wakes_for_what_is_to_come_soon() -> None:
    async def check(wheel: Wheel) -> None:
        wheel.arm(0, 60_000)
        await asyncio.sleep(0)
        start = time.monotonic()
        wheel.soon(1)
        await until(wheel.fired)
        assert wheel.fired() == [1]
        assert time.monotonic() - start < 1
        wheel.detach(0)

    on_loop(check)
