"""Times of arrival of the kernel's CAN: a controller's clock on ours, and stamps that cannot be believed."""

from __future__ import annotations

import random
import struct
import time

import pytest

from hil.link.stamps import Mapped, Stamps

US, MS, S = 1_000, 1_000_000, 1_000_000_000
DAY_NS = 1_795_702_041 * S
SHORTEST = 40 * US


def delays(dice: random.Random, n: int) -> list[int]:
    """How late a kernel stamps: mostly a few tenths of a millisecond, one in ten late by milliseconds, never below SHORTEST."""
    means = (4 * MS if dice.random() < 0.1 else 0.2 * MS for _ in range(n))
    return [SHORTEST + min(round(dice.expovariate(1 / mean)), 40 * MS) for mean in means]


def content(kernel_ns: int, hardware_ns: int = 0) -> bytes:
    """The struct scm_timestamping the kernel's documentation: three struct timespec, the second of them unused."""
    return struct.pack("@qqqqqq", *divmod(kernel_ns, S), 0, 0, *divmod(hardware_ns, S))


@pytest.mark.parametrize("ppm", [-100, 0, 30, 100])
def test_a_controllers_clock_takes_the_jitter_out_of_the_kernels_stamps(ppm: int) -> None:
    """Frames every 5 ms, a crystal off by so much, an unknown zero: no time is before its frame or behind the kernel's stamp,
    and after the first second all are as late as the shortest delay, to 0.1 ms.
    """
    dice, clock = random.Random(ppm), Mapped()
    errors = []
    for n, delay in enumerate(delays(dice, 20_000)):
        true_ns = 7 * S + n * 5 * MS
        hardware_ns = 3 * S + true_ns * (1_000_000 + ppm) // 1_000_000
        t_ns = clock.at(hardware_ns, true_ns + delay)
        assert true_ns - US <= t_ns <= true_ns + delay
        errors.append(t_ns - true_ns)
    assert max(errors[200:]) < SHORTEST + 100 * US
    assert 0 == clock.restarts


def test_a_controllers_clock_that_begins_anew_is_noticed() -> None:
    """After its zero moved by a second in either direction, times are right again with the first frame of a short delay."""
    for step_ns in (S, -S):
        clock, late = Mapped(), []
        for n in range(400):
            true_ns = S + n * 10 * MS
            hardware_ns = 20 * S + true_ns + (step_ns if n >= 200 else 0)
            late.append(clock.at(hardware_ns, true_ns + SHORTEST) - true_ns)
        assert {SHORTEST} == set(late[:200]) == set(late[210:])


def arrivals(stamps: Stamps, rows: list[bytes], ahead_ns: int) -> list[tuple[int, int]]:
    """Frames that are taken in one go, now."""
    stamps.look(ahead_ns, time.monotonic_ns())
    return [stamps.arrival(row) for row in rows]


def test_stamps_of_the_kernel_are_put_on_the_monotonic_clock() -> None:
    """The time of day minus how far it is ahead; the frames count as stamped by the kernel."""
    stamps, now = Stamps(), time.monotonic_ns()
    assert [(now - 3 * MS, 0), (now, 0)] == arrivals(stamps, [content(DAY_NS + now - 3 * MS), content(DAY_NS + now)], DAY_NS)
    assert ("kernel", 2) == (stamps.source, stamps.kernel)


def test_frames_with_both_stamps_count_as_stamped_by_hardware_while_all_have_both() -> None:
    """One without its controller's stamp, and the weaker source is named."""
    stamps, now = Stamps(), time.monotonic_ns()
    rows = [content(DAY_NS + now + n * MS + 500 * US * (n % 2), 5 * S + n * MS) for n in range(6)]
    assert [now + n * MS for n in range(6)] == pytest.approx(
        [t_ns for t_ns, _ in arrivals(stamps, rows, DAY_NS)], rel=0, abs=US
    )
    assert "hardware" == stamps.source
    arrivals(stamps, [content(DAY_NS + now + 7 * MS)], DAY_NS)
    assert "kernel" == stamps.source


def test_stamps_of_a_time_of_day_that_was_put_are_not_believed() -> None:
    """Of frames that waited while the clock moved by 5 ms only the moment of reading is known, and since when none was there;
    the next go is believed again.
    """
    stamps, now = Stamps(), time.monotonic_ns()
    arrivals(stamps, [content(DAY_NS + now)], DAY_NS)
    stamps.empty(now)
    ((t_ns, blur_ns),) = arrivals(stamps, [content(DAY_NS + now + MS)], DAY_NS + 5 * MS)
    assert t_ns >= now
    assert t_ns - now == blur_ns
    assert "host" == stamps.source
    assert [(now + 2 * MS, 0)] == arrivals(stamps, [content(DAY_NS + 5 * MS + now + 2 * MS)], DAY_NS + 5 * MS)


def test_a_frame_without_a_stamp_has_the_moment_of_reading() -> None:
    """And it may have come any time since the socket was empty."""
    stamps, now = Stamps(), time.monotonic_ns()
    stamps.empty(now - 8 * MS)
    ((t_ns, blur_ns),) = arrivals(stamps, [b""], DAY_NS)
    assert now - 8 * MS == t_ns - blur_ns
