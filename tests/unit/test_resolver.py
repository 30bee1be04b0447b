"""Names and their addresses, with look-ups that the test answers, and some of libuv's own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest
import uvloop
from pygw._core.fault import faults
from pygw._core.probe.names import Resolver

RESOLVE_MS, RESOLVE_RETRY_MS, TICK_MS = 30_000, 1000, 8
ADDRESSES_MAX = 16
HOST_NAME_MAX = 253
NOT_FOUND, CANCELED = -3008, -3003
E_UP_NAME = faults()["E_UP_NAME"]["number"]

A, B, C = b"192.0.2.1", b"192.0.2.2", b"2001:db8::3"


def known(*addresses: bytes) -> Resolver:
    """A resolver whose watch 0 knows these addresses of `svc`."""
    r = Resolver()
    r.watch(b"svc", 80)
    r.answer(0, *addresses)
    return r


def test_a_name_is_looked_up_when_it_is_first_watched() -> None:
    r = Resolver()
    number = r.watch(b"svc.internal", 8080)
    assert r.asked() == ["svc.internal"]
    assert r.state(number) == "asking"
    r.answer(0, A, C)
    assert r.state(number) == "known"
    assert r.addresses(number) == [("192.0.2.1", 8080), ("2001:db8::3", 8080)]
    assert r.changes(number) == 1


@pytest.mark.parametrize(
    ("host", "address"), [(b"192.0.2.9", "192.0.2.9"), (b"2001:db8::9", "2001:db8::9")]
)
def test_an_address_needs_no_look_up(host: bytes, address: str) -> None:
    r = Resolver()
    number = r.watch(host, 81)
    assert r.state(number) == "known"
    assert r.addresses(number) == [(address, 81)]
    assert r.asks == 0
    assert r.next_ms() == -1
    r.unwatch(number)
    assert r.live == (0, 0)


def test_a_known_name_is_looked_up_again_after_thirty_seconds_and_not_before() -> None:
    r = known(A)
    r.advance(RESOLVE_MS - 1)
    assert r.asks == 1
    r.advance(RESOLVE_MS + TICK_MS)
    assert r.asks == 2


def test_a_failed_look_up_is_tried_again_after_a_second() -> None:
    r = Resolver()
    number = r.watch(b"svc", 80)
    r.answer(NOT_FOUND)
    assert r.state(number) == "failed"
    r.advance(RESOLVE_RETRY_MS - 1)
    assert r.asks == 1
    r.advance(RESOLVE_RETRY_MS + TICK_MS)
    assert r.asks == 2
    r.answer(0, A)
    assert r.state(number) == "known"
    assert r.changes(number) == 2


def test_each_failure_of_a_name_without_addresses_is_told() -> None:
    r = Resolver()
    number = r.watch(b"svc", 80)
    now = 0
    for count in range(1, 4):
        r.answer(NOT_FOUND)
        assert r.changes(number) == count
        now += RESOLVE_RETRY_MS + TICK_MS
        r.advance(now)


def test_the_last_good_addresses_are_kept_through_failures() -> None:
    r = known(A, B)
    now = RESOLVE_MS + TICK_MS
    r.advance(now)
    for asks in range(3, 8):
        r.answer(NOT_FOUND)
        assert r.state(0) == "known"
        assert r.addresses(0) == [("192.0.2.1", 80), ("192.0.2.2", 80)]
        now += RESOLVE_RETRY_MS + TICK_MS
        r.advance(now)
        assert r.asks == asks
    assert r.changes(0) == 1
    r.answer(0, C)
    assert r.addresses(0) == [("2001:db8::3", 80)]
    assert r.changes(0) == 2


def test_an_answer_without_addresses_is_a_failure() -> None:
    r = known(A)
    r.advance(RESOLVE_MS + TICK_MS)
    r.answer(0)
    assert r.addresses(0) == [("192.0.2.1", 80)]
    fresh = Resolver()
    fresh.watch(b"svc", 80)
    fresh.answer(0)
    assert fresh.state(0) == "failed"


@pytest.mark.parametrize(
    ("second", "told"),
    [
        ((A, B), False),
        ((B, A), False),
        ((A, A, B), False),
        ((A,), True),
        ((A, C), True),
        ((A, B, C), True),
    ],
)
def test_a_change_is_told_and_a_rotation_is_none(second: tuple[bytes, ...], told: bool) -> None:
    r = known(A, B)
    r.advance(RESOLVE_MS + TICK_MS)
    r.answer(0, *second)
    assert r.changes(0) == 1 + told


def test_at_most_so_many_addresses_are_kept_each_once() -> None:
    r = known(*[b"10.0.0.%d" % (i % 20) for i in range(32)])
    assert r.addresses(0) == [(f"10.0.0.{i}", 80) for i in range(ADDRESSES_MAX)]


def test_watches_of_one_name_share_a_look_up_and_are_all_told() -> None:
    r = Resolver()
    first, second = r.watch(b"svc", 80), r.watch(b"SVC", 80)
    assert r.asks == 1
    r.answer(0, A)
    assert (r.changes(first), r.changes(second)) == (1, 1)
    third = r.watch(b"svc", 80)
    assert r.state(third) == "known"
    assert r.changes(third) == 0
    assert r.live == (1, 3)


def test_another_port_is_another_name() -> None:
    r = Resolver()
    first, second = r.watch(b"svc", 80), r.watch(b"svc", 81)
    r.answer(0, A)
    r.answer(0, A)
    assert r.addresses(first) == [("192.0.2.1", 80)]
    assert r.addresses(second) == [("192.0.2.1", 81)]


@pytest.mark.parametrize("host", [b"", b"x" * (HOST_NAME_MAX + 1)])
def test_a_host_that_is_empty_or_too_long_is_refused(host: bytes) -> None:
    r = Resolver()
    with pytest.raises(ValueError, match=str(E_UP_NAME)):
        r.watch(host, 80)
    assert r.live == (0, 0)


def test_a_host_of_the_most_bytes_is_looked_up() -> None:
    r = Resolver()
    r.watch(b"x" * HOST_NAME_MAX, 80)
    assert r.asked() == ["x" * 253]


# --- letting go -----------------------------------------------------------------------------------


def test_an_unwatched_name_is_forgotten_and_its_timer_with_it() -> None:
    r = known(A)
    r.unwatch(0)
    assert r.live == (0, 0)
    assert r.next_ms() == -1


def test_a_name_stays_while_somebody_watches_it() -> None:
    r = known(A)
    second = r.watch(b"svc", 80)
    r.unwatch(0)
    assert r.addresses(second) == [("192.0.2.1", 80)]
    r.advance(RESOLVE_MS + TICK_MS)
    assert r.asks == 2


def test_a_name_unwatched_during_its_look_up_stays_until_the_look_up_ends() -> None:
    r = Resolver()
    r.watch(b"svc", 80)
    r.unwatch(0)
    assert r.cancels == 1
    assert r.live == (1, 0)
    r.answer(0, A)
    assert r.live == (0, 0)


def test_a_name_watched_again_during_a_cancelled_look_up_is_asked_anew() -> None:
    r = Resolver()
    r.watch(b"svc", 80)
    r.unwatch(0)
    second = r.watch(b"svc", 80)
    assert r.asks == 1
    r.answer(CANCELED)
    assert r.asks == 2
    assert r.changes(second) == 0
    r.answer(0, A)
    assert r.state(second) == "known"


def test_a_look_up_that_can_not_start_is_tried_again_and_told() -> None:
    r = Resolver()
    r.refuse(True)
    number = r.watch(b"svc", 80)
    assert r.changes(number) == 0, "told from within watch"
    r.advance(RESOLVE_RETRY_MS + TICK_MS)
    assert r.state(number) == "failed"
    assert r.changes(number) == 1
    r.refuse(False)
    r.advance(2 * (RESOLVE_RETRY_MS + TICK_MS))
    r.answer(0, A)
    assert r.state(number) == "known"


@pytest.mark.parametrize("target", [0, 1, 2])
@pytest.mark.parametrize("by", [0, 1, 2])
def test_a_watch_may_unwatch_any_when_it_is_told(by: int, target: int) -> None:
    r = Resolver()
    for _ in range(3):
        r.watch(b"svc", 80)
    r.on_change(by, "unwatch", target)
    r.answer(0, A)
    told = [r.changes(number) for number in range(3)]
    assert all(count <= 1 for count in told)
    assert sum(told) >= 2
    assert all(told[number] == 1 for number in range(3) if number != target)
    assert r.live == (1, 2)


def test_the_last_watch_may_unwatch_itself_when_it_is_told() -> None:
    r = Resolver()
    r.watch(b"svc", 80)
    r.on_change(0, "unwatch", 0)
    r.answer(0, A)
    assert r.live == (0, 0)
    assert r.next_ms() == -1


def test_a_watch_may_watch_anew_when_it_is_told_and_is_still_refreshed() -> None:
    r = Resolver()
    r.watch(b"svc", 80)
    r.on_change(0, "rewatch", 0)
    r.answer(0, A)
    assert r.live == (1, 1)
    assert r.changes(0) == 1
    r.advance(RESOLVE_MS + TICK_MS)
    assert r.asks == 2
    r.answer(0, A)


def test_close_waits_for_the_look_ups_on_their_way() -> None:
    r = Resolver()
    for host in (b"one", b"two"):
        r.watch(host, 80)
    r.unwatch(0)
    r.unwatch(1)
    r.close()
    assert not r.closed
    r.answer(CANCELED)
    assert not r.closed
    r.answer(0, A)
    assert r.closed
    assert r.live == (0, 0)


def test_close_with_nothing_on_its_way_is_through_at_once() -> None:
    r = known(A)
    r.unwatch(0)
    r.close()
    assert r.closed


# --- libuv's look-up ------------------------------------------------------------------------------


async def until(holds: Callable[[], object], within_s: float = 20) -> None:
    """Let the loop turn until the condition holds."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, "did not come true"
        await asyncio.sleep(0.001)


async def close(r: Resolver) -> None:
    """Close the resolver and its clock."""
    r.close()
    await until(lambda: r.closed)
    assert r.live == (0, 0)
    r.close_clock()
    await until(lambda: r.closed)


def on_loop(main: Callable[[], object]) -> None:
    """Run on a uvloop loop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def test_localhost_resolves_through_libuv_without_blocking_the_loop() -> None:
    async def main() -> None:
        r = Resolver(asyncio.get_running_loop())
        number = r.watch(b"localhost", 8080)
        assert r.state(number) == "asking"
        await until(lambda: r.changes(number))
        assert r.state(number) == "known"
        assert {port for _, port in r.addresses(number)} == {8080}
        assert {host for host, _ in r.addresses(number)} <= {"127.0.0.1", "::1"}
        r.unwatch(number)
        await close(r)

    on_loop(main)


def test_a_name_that_libuv_refuses_is_tried_again_and_then_told_failed() -> None:
    async def main() -> None:
        r = Resolver(asyncio.get_running_loop())
        number = r.watch(b"\xff\xfe.invalid", 80)
        await until(lambda: r.changes(number))
        assert r.state(number) == "failed"
        r.unwatch(number)
        await close(r)

    on_loop(main)


def test_look_ups_on_their_way_are_cancelled_or_awaited_by_close() -> None:
    async def main() -> None:
        r = Resolver(asyncio.get_running_loop())
        numbers = [r.watch(b"localhost", port) for port in range(1, 33)]
        for number in numbers:
            r.unwatch(number)
        await close(r)

    on_loop(main)
