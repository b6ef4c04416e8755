"""A device at the end of a wire before a run and after it: powered up while the rest of the bus speaks, and left safe.

The bus opens and must be free of another bench; a guardian stands by. The device is switched off, the rest of the bus begins
to speak (sensors at rest, request for standby), the device is switched on, and the run begins when its contactor commands
are heard; its counters and cycles then go on without a step. At the end, whatever ended it, the bench asks for standby
and switches the device off. What happens between is hil.dut.remote.
"""

from __future__ import annotations

from contextlib import ExitStack, suppress
from typing import Any

from firmware_sim.types import F64, MS_NS
from firmware_sim.wire.layout import CYCLE_NS, SLOT
from firmware_sim.wire.send import COUNTER, NEXT_NS
from hil.benchfile import BenchFile
from hil.clock import sharp
from hil.dut import listing, options, safety
from hil.dut.ears import Ears
from hil.dut.rest import NEVER_NS, RestOfBus, rehearse
from hil.errors import BenchError, DutError, LinkLostError, SafeStopError, ScenarioError
from hil.io.feed import Feeder, blank_signals, silent_slots
from hil.link import guardian
from hil.link.kept import opened
from hil.link.link import Link
from hil.link.match import Catcher, Outgoing, Reader
from hil.link.spec import parse_all
from hil.link.supply import CYCLE_NS as SUPPLY_CYCLE_NS
from hil.link.supply import Supply
from hil.network import BENCH_NODE, Network
from hil.record.journal import Journal
from hil.rig import Rig

SPARE_NS = 500_000  # left at the end of a tick for the bench's own work
_OFF_NS = 300 * MS_NS
_SAFE_NS = 100 * MS_NS
_COMMAND = "BMS_MainPlusCommand"


class Powered:
    """A device behind a bus description, one for each bus of the network (see hil.link.spec, hil.dut.options).

    bench: what feeds and switches the device; without one, frames do.
    Raises ScenarioError when the description does not fit.
    """

    lockstep = False

    def __init__(self, rig: Rig, network: Network, text: str, bench: BenchFile | None = None) -> None:
        if rig.plant.n_packs != 1:
            raise ScenarioError(f"a remote device is one pack; the rig has {rig.plant.n_packs}")
        self._rig, self._network = rig, network
        self._specs = parse_all(text, network.n_buses)
        self._options = options.take(self._specs[0], text, bench)
        self._supply = Supply() if self._options.switched_by == "frame" else None
        self._feeder = None if bench is None else Feeder(bench, network.to_dut)
        self._blank = [] if bench is None else blank_signals(bench, network.to_dut)
        self._silent = [] if bench is None else silent_slots(bench, network.to_dut)
        rig.sender[:, NEXT_NS, self._silent] = NEVER_NS
        if self._supply is not None and _uses(network, self._supply.can_id):
            raise ScenarioError(
                f"id 0x{self._supply.can_id:X} of Bench_Supply belongs to a message of this network; add supply=none to the bus"
            )
        self._link: Link | None = None
        self._journal: Journal | None = None
        self._readings: F64 | None = None
        self._ears = Ears(self._new_catcher, self._watch)
        self._reader = Reader(network.to_dut)
        self._speaks = False
        self._sharp = ExitStack()
        self._scheduling = ""
        self._lost = ""
        self._plan = guardian.Plan()

    def _new_catcher(self) -> Catcher:
        expected = frozenset() if self._supply is None else frozenset({self._supply.can_id})
        return Catcher(self._network.from_dut, self._network.to_dut, expected)

    def _rest(self, sender: Any = None) -> RestOfBus:
        return RestOfBus(self._rig, self._network, sender, self._blank, self._silent, self._readings)

    def sends(self) -> list[str]:
        """Frames with bus, id, name, period and the node that the bench plays; the supply; instruments."""
        frames = listing.frames(self._network, self._specs, self._silent, self._supply)
        return [*frames, *([] if self._feeder is None else self._feeder.sends())]

    def keep(self, journal: Journal) -> None:
        """Write every frame of the wire to a journal. Before the start."""
        self._journal = journal

    def stand(self, readings: F64) -> None:
        """What the sensors read before the run, (n_signals,) NaN where the rig knows better. Before the start."""
        self._readings = readings

    # ---- what a kind of device adds

    def _power_on(self) -> None:
        """The moment at which the device gets its supply."""

    def _is_up(self) -> bool:
        """What must hold besides the first command, before the run begins. Raises DutError when it never will."""
        return True

    def _is_down(self) -> bool:
        """What must hold besides silence, before a supply that was lost comes back."""
        return True

    def _watch(self) -> None:
        """What is looked at with every beat of the loop. Raises DutError."""

    # ---- before the run

    def start(self, t_ns: int) -> None:
        """Open the bus, speak for the rest of it, switch the device off and on, wait for it. Raises DutError."""
        del t_ns
        rehearse(self._rig)
        self._link = opened(self._specs, self._network, self._journal)
        self._scheduling = self._sharp.enter_context(sharp(self._options.fifo))
        self._ears.open(self._link)
        self._set_guard(self._link)
        self._speaks = True
        rest = self._rest()
        if self._feeder is not None:
            self._feeder.begin(rest.reading)
        dt_ns, slots = self._rig.dt_ns, self._network.to_dut.slots
        cycle_ns = int(max(slots[slots[:, CYCLE_NS] <= 1_000 * MS_NS, CYCLE_NS], default=dt_ns))
        command = int(self._network.from_dut.signals[self._network.from_dut.index(_COMMAND), SLOT])
        on_ns = _OFF_NS if self._options.switched_by != "none" else 0
        clock = self._ears.restart()
        t_ns = 0
        while True:
            clock.wait(t_ns)
            self._ears.beat()
            if t_ns >= on_ns and command in self._ears.catcher.heard and t_ns % cycle_ns == 0 and self._is_up():
                break
            if t_ns > on_ns + self._options.ready_ns:
                raise DutError(self._never_came())
            if t_ns == on_ns:
                self._ears.listen(t_ns)
                self._ears.forget()
                self._power_on()
            if t_ns % SUPPLY_CYCLE_NS < dt_ns:
                self._order(on=t_ns >= on_ns, erase=True)
            if self._feeder is not None:
                self._feeder.post(rest.reading)
            self._say(rest, t_ns)
            self._ears.listen(t_ns + dt_ns - SPARE_NS)
            t_ns += dt_ns
        self._rig.sender[:, COUNTER] = rest.sender[:, COUNTER]

    def _set_guard(self, link: Link) -> None:
        """A guardian stands by before anything is sent. Raises DutError when another bench is at work, BenchError."""
        layout = self._network.to_dut
        role = int(self._rig.request_roles[0])
        slots = [int(layout.signals[role, SLOT])] if role >= 0 else []
        words = () if self._feeder is None else self._feeder.safe_words
        self._plan = safety.plan(self._rest(), self._network, slots, self._supply, link, words)
        if not self._plan.can_be_apart:
            self._ears.refuse_company()
            self._ears.guard = safety.within(self._plan, link)
            return
        try:
            self._ears.guard = apart = guardian.Apart(self._plan)
            self._ears.refuse_company()
            apart.wait_up()
        except OSError as error:
            raise BenchError(f"nothing was sent, because {error.strerror or error}") from None

    def _never_came(self) -> str:
        assert self._link is not None
        catcher, ready_s = self._ears.catcher, self._options.ready_ns / 1e9
        who = f'no contactor command of "{self._network.dut_node}" came within {ready_s:g} s on "{self._link.name}"'
        if catcher.heard:
            names = ", ".join(self._network.from_dut.slot_names[s] for s in sorted(catcher.heard)[:8])
            return f"{who}; of its other frames came {names}"
        if catcher.unknown:
            ids = ", ".join(f"0x{can_id:X}" for _, can_id in sorted(catcher.unknown)[:8])
            return f"{who}; only frames with unknown ids came: {ids}; does the network file fit the device?"
        typed = ",".join(spec.typed for spec in self._specs)
        return f"{who}; is it powered, and on this bus? (for the emulator: nabench serve --bus {typed})"

    # ---- what the bench says

    def _send(self, frame: Outgoing) -> None:
        assert self._link is not None
        self._link.send(frame.bus, frame.can_id, frame.flags, frame.data)

    def _say(self, rest: RestOfBus, t_ns: int) -> None:
        for frame in self._reader.frames(rest.image_at(t_ns), rest.events):
            self._send(frame)

    def _order(self, *, on: bool, erase: bool = False) -> None:
        if self._supply is not None:
            self._send(self._supply.frame(on, erase))
        if self._feeder is not None:
            self._feeder.switch(on)

    # ---- after the run

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
            self._ears.guard.dismiss()
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
        rest = self._rest(self._rig.sender)
        clock = self._ears.restart()
        for t_ns in range(0, _SAFE_NS, self._rig.dt_ns):
            clock.wait(t_ns)
            self._ears.pulse()
            if self._feeder is not None:
                with suppress(LinkLostError):
                    self._feeder.post(rest.reading)
            self._say(rest, t_ns)
            with suppress(SafeStopError):
                self._ears.listen(t_ns + self._rig.dt_ns - SPARE_NS)
        self._order(on=False)


def _uses(network: Network, can_id: int) -> bool:
    """True when a message of the network has this standard id."""
    messages = (m for m in network.database.messages if BENCH_NODE not in m.senders)
    return any(m.frame_id == can_id and not m.is_extended_frame for m in messages)
