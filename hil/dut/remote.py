"""A device at the far end of a real or virtual bus, in wall time.

Life of a run. The bus opens and must be free of another bench. The device is switched off, the rest of the bus begins to
speak (sensors at rest, request for standby), the device is switched on, and the run begins when its contactor commands
are heard; its counters and cycles then go on without a step. At the end, whatever ended it, the bench asks for standby
and switches the device off.

What is not known is said: `late_ns` is how long after its noted time a frame left, or how long the bench had not looked
when one came; `stamp_ns` is what always remains; `blind` is when the bus could not be proven alive. A bus is alive while
anything is heard on it, our own frames included where the interface gives them back; over a serial line a silent device
cannot be told from a broken line.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import numpy as np

from firmware_sim.types import F64, MS_NS
from firmware_sim.wire.layout import BUS, CAN_ID, CYCLE_NS, EXTENDED, FLAGS, SLOT, Events, Image
from firmware_sim.wire.send import COUNTER, NEXT_NS
from hil.benchfile import BenchFile
from hil.clock import Clock, WallClock, sharp
from hil.dut import safety
from hil.dut.rest import NEVER_NS, RestOfBus, rehearse
from hil.errors import BenchError, DutError, LinkLostError, SafeStopError, ScenarioError
from hil.io.feed import Feeder, blank_signals, silent_slots
from hil.link import guardian
from hil.link.can_bus import Frame
from hil.link.frame import hex_id
from hil.link.kept import opened
from hil.link.link import Link
from hil.link.match import Catcher, Outgoing, Reader
from hil.link.pacing import AHEAD_NS, Record, send_paced
from hil.link.spec import NO_BUS, BusSpec, parse_all
from hil.link.supply import CYCLE_NS as SUPPLY_CYCLE_NS
from hil.link.supply import Supply
from hil.network import BENCH_NODE, Network
from hil.record.journal import Journal
from hil.rig import Rig

_OFF_NS = 300 * MS_NS
_SAFE_NS = 100 * MS_NS
_COMPANY_NS = 30 * MS_NS
_READY_S = 5.0
_SPARE_NS = 500_000  # left at the end of a tick for the bench's own work
_DEAF_NS = 200 * MS_NS
_MOST_FRAMES = 4_096
_QUIET_NS = 20 * MS_NS  # a device that has said nothing for so long has lost its supply
_MOST_OFF_NS = 200 * MS_NS
MISSED = "the bench missed its own heartbeat"
_COMMAND = "BMS_MainPlusCommand"


class Remote:
    """A device behind a bus description, one for each bus of the network (see hil.link.spec).

    Options of ours in the description: supply=none (the device cannot be switched by frame), ready_s (how long to wait),
    boot_ms (how long the device may be silent after its supply came back), scheduling=normal (do not ask for SCHED_FIFO).
    bench: what feeds and switches the device; without one, frames do.
    Raises ScenarioError when the description does not fit.
    """

    lockstep = False

    def __init__(self, rig: Rig, network: Network, text: str, bench: BenchFile | None = None) -> None:
        if rig.plant.n_packs != 1:
            raise ScenarioError(f"a remote device is one pack; the rig has {rig.plant.n_packs}")
        self._rig, self._network = rig, network
        self._specs = parse_all(text, network.n_buses)
        supply = self._specs[0].options.pop("supply", "frame" if bench is None else bench.dut.switched_by)
        if supply not in ("frame", "none") and bench is None:
            raise ScenarioError(f'bus "{text}": supply={supply}; expected "frame" or "none"')
        ready_s = self._specs[0].options.pop("ready_s", _READY_S if bench is None else bench.dut.ready_s)
        if not isinstance(ready_s, int | float) or not 0 < ready_s <= 600:
            raise ScenarioError(f'bus "{text}": ready_s={ready_s}; expected seconds, up to 600')
        self._ready_ns = round(ready_s * 1e9)
        self._switched_by = str(supply)
        boot_ms = self._specs[0].options.pop("boot_ms", 0)
        if not isinstance(boot_ms, int | float) or not 0 <= boot_ms <= 10_000:
            raise ScenarioError(f'bus "{text}": boot_ms={boot_ms}; expected milliseconds, up to 10000')
        self._boot_ns = round(boot_ms * 1e6)
        scheduling = self._specs[0].options.pop("scheduling", "fifo")
        if scheduling not in ("fifo", "normal"):
            raise ScenarioError(f'bus "{text}": scheduling={scheduling}; expected "fifo" or "normal"')
        self._fifo = scheduling == "fifo"
        self._supply = Supply() if supply == "frame" else None
        self._feeder = None if bench is None else Feeder(bench, network.to_dut)
        self._blank = [] if bench is None else blank_signals(bench, network.to_dut)
        self._silent = [] if bench is None else silent_slots(bench, network.to_dut)
        rig.sender[:, NEXT_NS, self._silent] = NEVER_NS
        if self._supply is not None and _uses(network, self._supply.can_id):
            raise ScenarioError(
                f"id 0x{self._supply.can_id:X} of Bench_Supply belongs to a message of this network; add supply=none to the bus"
            )
        self.late_ns: list[int] = []
        self._link: Link | None = None
        self._journal: Journal | None = None
        self._readings: F64 | None = None
        self._speaks = False
        self._clock: Clock | None = None
        self._base_ns = 0
        self._catcher = self._new_catcher()
        self._reader = Reader(network.to_dut)
        self._alive_ns = 0
        self._supply_ns = 0
        self._off_ns: int | None = None
        self._spoke_ns = 0
        self._departures = Record(_names(network))
        self._sharp = ExitStack()
        self._scheduling = ""
        self._blind: list[list[Any]] = []
        self._lost = ""
        self._guard = guardian.Guard()
        self._plan = guardian.Plan()
        self._beat_ns = 0
        self._most_ns = guardian.CALM_NS
        self._stopped = ""

    def _new_catcher(self) -> Catcher:
        expected = frozenset() if self._supply is None else frozenset({self._supply.can_id})
        return Catcher(self._network.from_dut, self._network.to_dut, expected)

    def feed(self) -> None:
        """Values for instruments go to them; frames carry no value of what reaches the device otherwise."""
        if self._feeder is not None:
            with self._loss_noted():
                self._feeder.post(self._rig.values[0])
            self._rig.values[:, self._blank] = np.nan

    def sends(self) -> list[str]:
        """Frames with bus, id, name, period and the node that the bench plays; the supply; instruments."""
        layout, database = self._network.to_dut, self._network.database
        lines = [f"on {_bus_of(spec)}:" for spec in self._specs]
        rows: dict[tuple[int, int, int], list[int]] = {}
        for slot, (bus, can_id, flags) in enumerate(layout.slots[:, [BUS, CAN_ID, FLAGS]].tolist()):
            if slot not in self._silent:
                rows.setdefault((bus, can_id, flags), []).append(slot)
        parts: list[list[str]] = [[] for _ in self._specs]
        for (bus, can_id, flags), slots in sorted(rows.items()):
            names = [layout.slot_names[slot] for slot in slots]
            name = names[0].partition("[")[0]
            pages = f", {len(names)} pages" if len(names) > 1 else ""
            cycle_ms = int(layout.slots[slots[0], CYCLE_NS]) / 1e6
            who = "/".join(next((m.senders for m in database.messages if m.name == name), ()))
            parts[bus].append(f"  {hex_id(can_id, bool(flags & EXTENDED))}  {name}  every {cycle_ms:g} ms{pages}  as {who}")
        if self._supply is not None:
            parts[0].append(f"  0x{self._supply.can_id:03X}  Bench_Supply  every 100 ms  switches the device off, then on")
        frames = [line for head, part in zip(lines, parts, strict=True) for line in (head, *part)]
        return [*frames, *([] if self._feeder is None else self._feeder.sends())]

    def pace(self, clock: Clock) -> None:
        """Learn the bench's clock."""
        if not clock.real:
            raise BenchError("a remote device lives in wall time; the bench's clock is virtual")
        self._clock = clock

    def keep(self, journal: Journal) -> None:
        """Write every frame of the wire to a journal. Before the start."""
        self._journal = journal

    def stand(self, readings: F64) -> None:
        """What the sensors read before the run, (n_signals,) NaN where the rig knows better. Before the start."""
        self._readings = readings

    def start(self, t_ns: int) -> None:
        """Open the bus, speak for the rest of it, switch the device off and on, wait for it. Raises DutError."""
        del t_ns
        rehearse(self._rig)
        self._link = opened(self._specs, self._network, self._journal)
        self._scheduling = self._sharp.enter_context(sharp(self._fifo))
        self._set_guard(self._link)
        self._speaks = True
        rest = self._rest()
        if self._feeder is not None:
            self._feeder.begin(rest.reading)
        dt_ns, slots = self._rig.dt_ns, self._network.to_dut.slots
        cycle_ns = int(max(slots[slots[:, CYCLE_NS] <= 1_000 * MS_NS, CYCLE_NS], default=dt_ns))
        command = int(self._network.from_dut.signals[self._network.from_dut.index(_COMMAND), SLOT])
        on_ns = _OFF_NS if self._switched_by != "none" else 0
        clock = self._restart()
        t_ns = 0
        while True:
            clock.wait(t_ns)
            self._beat()
            if t_ns >= on_ns and command in self._catcher.heard and t_ns % cycle_ns == 0 and self._is_up():
                break
            if t_ns > on_ns + self._ready_ns:
                raise DutError(self._never_came())
            if t_ns == on_ns:
                self._listen(t_ns)
                self._catcher = self._new_catcher()
                self._power_on()
            if t_ns % SUPPLY_CYCLE_NS < dt_ns:
                self._order(on=t_ns >= on_ns, erase=True)
            if self._feeder is not None:
                self._feeder.post(rest.reading)
            for frame in self._reader.frames(rest.image_at(t_ns), rest.events):
                self._link.send(frame.bus, frame.can_id, frame.flags, frame.data)
            self._listen(t_ns + dt_ns - _SPARE_NS)
            t_ns += dt_ns
        self._rig.sender[:, COUNTER] = rest.sender[:, COUNTER]

    def _rest(self, sender: Any = None) -> RestOfBus:
        return RestOfBus(self._rig, self._network, sender, self._blank, self._silent, self._readings)

    def _power_on(self) -> None:
        """The moment at which the device gets its supply."""

    def _is_up(self) -> bool:
        """What must hold besides the first command, before the run begins. Raises DutError when it never will."""
        return True

    def _is_down(self) -> bool:
        """What must hold besides silence, before a supply that was lost comes back."""
        return True

    def _set_guard(self, link: Link) -> None:
        """A guardian stands by before anything is sent. Raises DutError when another bench is at work, BenchError."""
        layout = self._network.to_dut
        role = int(self._rig.request_roles[0])
        slots = [int(layout.signals[role, SLOT])] if role >= 0 else []
        words = () if self._feeder is None else self._feeder.safe_words
        self._plan = safety.plan(self._rest(), self._network, slots, self._supply, link, words)
        if not self._plan.can_be_apart:
            self._refuse_company(link)
            self._guard = safety.within(self._plan, link)
            return
        try:
            self._guard = apart = guardian.Apart(self._plan)
            self._refuse_company(link)
            apart.wait_up()
        except OSError as error:
            raise BenchError(f"nothing was sent, because {error.strerror or error}") from None

    def _beat(self) -> None:
        """The loop is well. Raises SafeStopError when it stood still for so long that the guardian acted, or is gone."""
        now_ns = time.monotonic_ns()
        why = self._guard.fired()
        if self._beat_ns and now_ns - self._beat_ns > self._most_ns and not why:
            why = f"no heartbeat of the bench's loop for {(now_ns - self._beat_ns) / 1e6:.0f} ms"
        if why:
            self._stopped = why
            raise SafeStopError(f"{MISSED}: {why}; the device was made safe")
        self._beat_ns = now_ns
        self._guard.beat()

    def _restart(self) -> WallClock:
        """A clock of our own, for the time before and after the run."""
        clock = WallClock()
        clock.start()
        self._base_ns = time.monotonic_ns() - clock.now()
        self._catcher = self._new_catcher()
        return clock

    def _refuse_company(self, link: Link) -> None:
        """Two benches on a bus would contradict each other."""
        until_ns = time.monotonic_ns() + _COMPANY_NS
        while (got := link.receive(until_ns)) is not None:
            if self._catcher.echo(*got):
                raise DutError(
                    f'bus "{link.name}": somebody else sends 0x{got[1].can_id:X}, which the bench must send; '
                    "is another bench at work on this bus, or does the network not fit the device?"
                )

    def _never_came(self) -> str:
        assert self._link is not None
        who = (
            f'no contactor command of "{self._network.dut_node}" came within {self._ready_ns / 1e9:g} s on "{self._link.name}"'
        )
        if self._catcher.heard:
            names = ", ".join(self._network.from_dut.slot_names[s] for s in sorted(self._catcher.heard)[:8])
            return f"{who}; of its other frames came {names}"
        if self._catcher.unknown:
            ids = ", ".join(f"0x{can_id:X}" for _, can_id in sorted(self._catcher.unknown)[:8])
            return f"{who}; only frames with unknown ids came: {ids}; does the network file fit the device?"
        typed = ",".join(spec.typed for spec in self._specs)
        return f"{who}; is it powered, and on this bus? (for the emulator: nabench serve --bus {typed})"

    def exchange(self, t_ns: int, image: Image, events: Events) -> tuple[Image, Events]:
        """Send the frames of the tick, each at its time, and take what arrives until its end."""
        if not self.late_ns:
            self._begin(t_ns)
        end_ns = t_ns + self._rig.dt_ns - _SPARE_NS
        with self._loss_noted():
            self._beat()
            self._feed(t_ns)
            frames = self._reader.frames(image, events)
            late_ns = send_paced(frames, self._now, self._listen, self._send, self._departures)
            self._listen(end_ns)
        self.late_ns.append(max(late_ns, self._catcher.take_blur()))
        self._look_alive(t_ns + self._rig.dt_ns)
        return self._catcher.take(t_ns + self._rig.dt_ns, aside=self._off_ns is not None)

    @contextmanager
    def _loss_noted(self) -> Iterator[None]:
        """A link that breaks in here leaves a note for the judge."""
        try:
            yield
        except SafeStopError as error:
            self._blind.append([max(self._beat_ns - self._base_ns, 0), 1 << 62, str(error)])
            raise
        except LinkLostError as error:
            self._lost = str(error)
            from_ns = min([self._alive_ns, *(row[0] for row in self._untold())])
            self._blind.append([from_ns, 1 << 62, f"the link was lost: {error}"])
            raise

    def _begin(self, t_ns: int) -> None:
        """Times count on the bench's clock from here on."""
        if not isinstance(self._clock, WallClock):
            raise BenchError("a remote device was not told the bench's clock")
        self._base_ns = time.monotonic_ns() - self._clock.now()
        self._alive_ns = self._supply_ns = t_ns
        self._guard.watch()
        self._beat_ns, self._most_ns = time.monotonic_ns(), guardian.SILENCE_NS
        self._catcher = self._new_catcher()

    def _feed(self, t_ns: int) -> None:
        """Say every cycle whether the supply is on; after a reset it comes back when the device has fallen silent."""
        if self._off_ns is not None:
            silent = t_ns - max(self._spoke_ns, self._off_ns) >= _QUIET_NS
            if self._is_down() and (silent or t_ns - self._off_ns >= _MOST_OFF_NS):
                self._off_ns, self._supply_ns = None, t_ns
                self._power_on()
        if t_ns >= self._supply_ns:
            self._supply_ns += SUPPLY_CYCLE_NS
            self._order(on=self._off_ns is None)

    def _now(self) -> int:
        return time.monotonic_ns() - self._base_ns

    def _send(self, frame: Outgoing) -> None:
        assert self._link is not None
        self._link.send(frame.bus, frame.can_id, frame.flags, frame.data)

    def _order(self, *, on: bool, erase: bool = False) -> None:
        if self._supply is not None:
            self._send(self._supply.frame(on, erase))
        if self._feeder is not None:
            self._feeder.switch(on)

    def _listen(self, until_ns: int) -> None:
        """Collect frames until a time of the bench; a time that has passed: those that are there."""
        for _ in range(_MOST_FRAMES):
            got = self._next(self._base_ns + until_ns)
            if got is None:
                break
            bus, frame = got
            self._alive_ns = max(frame.t_ns - self._base_ns, 0)
            if self._catcher.put(bus, frame, self._alive_ns):
                self._spoke_ns = self._alive_ns

    def _next(self, until_ns: int) -> tuple[int, Frame] | None:
        """The next frame until a time (monotonic); the heart beats meanwhile."""
        assert self._link is not None
        while True:
            slice_ns = min(until_ns, time.monotonic_ns() + guardian.BEAT_NS)
            got = self._link.receive(slice_ns)
            if got is not None or slice_ns >= until_ns:
                return got
            self._beat()

    def _untold(self) -> list[list[Any]]:
        """The stretch in which an instrument has not said yet that it was set."""
        late = None if self._feeder is None else self._feeder.untold()
        if late is None:
            return []
        return [[max(late[0] - self._base_ns, 0), 1 << 62, f'instrument "{late[1]}" did not say that it was set']]

    def _look_alive(self, now_ns: int) -> None:
        """Note a stretch in which nothing at all was heard."""
        if now_ns - self._alive_ns <= _DEAF_NS:
            return
        if self._blind and self._blind[-1][0] == self._alive_ns:
            self._blind[-1][1] = now_ns
        else:
            why = "nothing at all was heard on the bus, so it could not be proven alive"
            self._blind.append([self._alive_ns, now_ns, why])

    def reset(self, t_ns: int) -> None:
        """Take the supply away until the device is silent; non-volatile memory survives.

        What still comes while the supply is off was under way: it is noted, but the pack's I/O unit does not obey it.
        """
        if self._switched_by == "none":
            raise DutError(
                f"at {t_ns / 1e9:g} s the device should lose its supply, but with supply=none the bench cannot do that"
            )
        with self._loss_noted():
            self._order(on=False)
        self._off_ns = t_ns

    def notes(self) -> dict[str, Any]:
        """How well times are known, when the bus was deaf, and what else came."""
        if self._link is None:
            return {}
        return {
            "bus": self._link.name,
            "stamp_ns": max(
                AHEAD_NS + max(bus.stamp_ns for bus in self._link.buses),
                0 if self._feeder is None else self._feeder.worst_ns,
            ),
            "stamps": sorted({bus.stamps for bus in self._link.buses}),
            "scheduling": self._scheduling,
            "boot_ns": self._boot_ns + _MOST_OFF_NS if self._boot_ns else 0,
            "pacing": self._departures.as_dict(),
            "blind": [*self._blind, *(row for row in self._untold() if self._now() - row[0] > _DEAF_NS)],
            "lost": self._lost,
            "guardian": self._guard.kind,
            "safe_stop": self._stopped,
            "unknown_ids": {f"{bus}:0x{can_id:X}": n for (bus, can_id), n in sorted(self._catcher.unknown.items())},
            "counts": self._link.counts(),
            **({} if self._feeder is None else {"instruments": self._feeder.notes()}),
        }

    def close(self) -> None:
        """Ask for standby, switch the device off, close the bus; on a lost link only close."""
        if self._link is None:
            return
        try:
            if self._speaks and not self._lost:
                self._make_safe()
            elif self._speaks:  # what is left of the way to it
                guardian.carry_out(self._plan, safety.sender(self._link))
        except LinkLostError:
            self._lost = "while the device was made safe"
        finally:
            self._end_feeds()
            self._guard.dismiss()
            self._sharp.close()
            self._link.close()
            self._link = None

    def _end_feeds(self) -> None:
        """Leave the instruments safe; one that failed is told once more, over a connection of its own."""
        wrong = [] if self._feeder is None else self._feeder.end()
        if wrong:
            for address, words in self._plan.instruments:
                with suppress(OSError):
                    guardian.tell(address, words)

    def _make_safe(self) -> None:
        """Say standby for a tenth of a second, then switch off. A loop that stood still starts its heart anew here."""
        self._beat_ns = 0
        rest = self._rest(self._rig.sender)
        clock = self._restart()
        for t_ns in range(0, _SAFE_NS, self._rig.dt_ns):
            clock.wait(t_ns)
            self._pulse()
            if self._feeder is not None:
                with suppress(LinkLostError):
                    self._feeder.post(rest.reading)
            for frame in self._reader.frames(rest.image_at(t_ns), rest.events):
                self._send(frame)
            with suppress(SafeStopError):
                self._listen(t_ns + self._rig.dt_ns - _SPARE_NS)
        self._order(on=False)

    def _pulse(self) -> None:
        """Beat, whatever the guardian did: the device is being made safe anyway."""
        self._beat_ns = 0
        with suppress(SafeStopError):
            self._beat()


def _bus_of(spec: BusSpec) -> str:
    return spec.text or NO_BUS


def _names(network: Network) -> dict[tuple[int, int], str]:
    """Bus and id of the bench's messages to their names."""
    layout = network.to_dut
    return {
        (bus, can_id): layout.slot_names[slot].partition("[")[0]
        for slot, (bus, can_id) in enumerate(layout.slots[:, [BUS, CAN_ID]].tolist())
    }


def _uses(network: Network, can_id: int) -> bool:
    """True when a message of the network has this standard id."""
    messages = (m for m in network.database.messages if BENCH_NODE not in m.senders)
    return any(m.frame_id == can_id and not m.is_extended_frame for m in messages)
