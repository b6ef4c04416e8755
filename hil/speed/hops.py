"""Where a tick goes: the seven hops of the bench and those of the baseline.

Staged and baseline: the calls of one tick are made in their order with a clock around each; the clock's own cost is taken
off. The figure of a hop is the mean over the ticks of one period (10 s here, so that new record chunks and new noise are in
it; 1 s, one schedule of frames, for the baseline) of the median over repetitions of that tick, so that what else the machine
does falls out.

Hop 5, the device's own sending, lies inside the device's call: `send_due` is timed alone on a copy of the device's values
and taken off hop 4. Behind hop 7 stands the decoding of status frames at the end of a run.

Compiled: what a hop costs without the way into it from Python, from a batch: (time of 9 packs - time of 1) / 8, both in
turns. Record and journal hold pack 0 only and have no such figure; they and the loop are what the fused gear takes beyond
the sum.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from firmware_sim.types import F64
from firmware_sim.wire.layout import Image
from firmware_sim.wire.send import send_due
from hil.bench import Bench, quiet_memory
from hil.speed.case import Gear, switched_on
from hil.speed.rounds import cpu_s

SCHEDULE, PERIOD = 100, 1000
EXTRA_PACKS = 8
STAGED = ("1 plant", "2 sense", "3 encode and send", "4 receive and decide", "5 encode back", "6 obey", "7 record")
AFTER = "decode status frames"


def _clock_cost_ns() -> float:
    """Median cost of reading the clock once [ns]."""
    reads = [time.perf_counter_ns() for _ in range(2001)]
    return float(np.median(np.diff(reads)))


def _period(calls: list[Callable[[], object]], n_ticks: int) -> F64:
    """Nanoseconds of each call in each tick of a period, (tick, call), with the clock's cost in them."""
    out = np.zeros((n_ticks, len(calls)))
    with quiet_memory():
        for row in out:
            for n, call in enumerate(calls):
                start = time.perf_counter_ns()
                call()
                row[n] = time.perf_counter_ns() - start
    return out


def timed(sets: list[list[Callable[[], object]]], n_samples: int, n_ticks: int) -> list[F64]:
    """Seconds of each call in a tick of a period of n_ticks, for several sets of calls that take turns."""
    cost_ns = _clock_cost_ns()
    samples = [[_period(calls, n_ticks) for calls in sets] for _ in range(n_samples)]
    medians = [np.median([sample[n] for sample in samples], axis=0) for n in range(len(sets))]
    return [np.asarray(np.maximum(m.mean(axis=0) - cost_ns, 0.0) * 1e-9, np.float64) for m in medians]


class _Ticks:
    """The calls of a staged tick one by one."""

    def __init__(self, bench: Bench) -> None:
        self.rig, self.dut = bench.rig, Gear(bench, fused=False).emulator
        self.reply = self.dut.image, self.dut.events
        self.copy = Image.empty(bench.setup.network.from_dut, self.rig.plant.n_packs)
        self.sender, self.free_ns = self.dut.state.sender.copy(), self.rig.bus_free_ns.copy()

    def exchange(self) -> None:
        """The device's tick, its reply kept for the hop behind."""
        self.reply = self.dut.exchange(self.rig.t_ns, self.rig.image, self.rig.events)

    def answer(self) -> None:
        """The reply to the rig."""
        self.rig.answer(*self.reply)

    def send_again(self) -> None:
        """What the device sends in this tick, into an image of our own."""
        tx = self.dut.settings.tx_layout
        send_due(
            self.rig.t_ns, self.dut.state.out, self.free_ns, self.sender, tx.signals, tx.scales, tx.slots, tx.blank,
            self.copy.words, self.copy.meta,
        )  # fmt: skip

    def record(self) -> None:
        """Record the tick, and drop what is full, so that memory does not grow."""
        self.rig.record()
        self.rig.chunks.clear()

    def calls(self) -> list[Callable[[], object]]:
        """One for each of STAGED."""
        rig = self.rig
        return [rig.advance, rig.sense, rig.send, self.exchange, self.send_again, self.answer, self.record]


def staged(n_cells: int, n_samples: int) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds of each hop staged and of what comes after, and those compiled (see above)."""
    benches = switched_on(n_cells), switched_on(n_cells, 1 + EXTRA_PACKS)
    for bench in benches:
        bench.run(PERIOD)
    one, many = timed([_Ticks(bench).calls() for bench in benches], n_samples, PERIOD)
    for found in (one, many):
        found[3] = max(found[3] - found[4], 0.0)
    compiled = dict(zip(STAGED[:-1], np.maximum((many - one) / EXTRA_PACKS, 0.0).tolist(), strict=False))
    gear = Gear(benches[0], fused=False)
    benches[0].run(2 * PERIOD)
    after = float(np.median([cpu_s(gear.decode_answers) for _ in range(n_samples)])) / (2 * PERIOD)
    compiled[AFTER] = after
    return {**dict(zip(STAGED, one.tolist(), strict=True)), AFTER: after}, compiled


def of_baseline(baseline: Any, n_samples: int) -> dict[str, float]:
    """Seconds of each hop of the baseline, which names its own."""
    hops: dict[str, Callable[[], object]] = baseline.hops
    (found,) = timed([list(hops.values())], n_samples, SCHEDULE)
    baseline.forget()
    return dict(zip(hops, found.tolist(), strict=True))
