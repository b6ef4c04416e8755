"""Rigs for tests: scenarios from keywords, benches with the emulator, and a firmware alone behind its wire."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from firmware_sim import mode
from firmware_sim import settings as cfg
from firmware_sim.settings import Settings
from firmware_sim.types import F64, MS_NS
from firmware_sim.wire.codec import decode_slot
from firmware_sim.wire.crc import crc_is_right
from firmware_sim.wire.layout import CYCLE_NS, LEN, LENGTH, SENT, SLOT, Events, Image
from firmware_sim.wire.send import send_due, sender_state
from hil import binding, calibration, files, network, requirement, setup
from hil.bench import Bench
from hil.calibration import Calibration
from hil.dut.emulator import Emulator
from hil.network import Network
from hil.plant import packfile
from hil.scenario import Inputs, Scenario
from hil.setup import Setup
from hil.trace import Trace

ROOT = Path(__file__).resolve().parents[1]
SCENARIO_PATH = ROOT / "hil" / "scenarios" / "of-a-test.scenario.toml"
TICK_NS = 10 * MS_NS
MIXED = ROOT / "tests" / "data" / "mixed" / "na-lfp-16s.toml"  # a calibration with a group: cells 8 to 15 of 16 are lithium


def scenario(**keys: Any) -> Inputs:
    """A scenario from keywords, with every file it names loaded."""
    data = {"format": 1, "name": "of-a-test", "title": "Of a test", "pack": "nfm-16s", "duration_s": 1.0, **keys}
    decoded = files.decode(SCENARIO_PATH, data, Scenario)
    packed = packfile.load(decoded.pack, SCENARIO_PATH)
    believed = calibration.load(decoded.calibration or packed[1].calibration, packed[0])
    return Inputs(SCENARIO_PATH, decoded, *packed, *believed, *requirement.load(decoded.requirements, SCENARIO_PATH))


def build(inputs: Inputs, seed: int | None = None, n_packs: int = 1) -> Setup:
    """The rig of a scenario."""
    return setup.build(inputs, seed, n_packs)


def bench(inputs: Inputs, seed: int | None = None, n_packs: int = 1) -> Bench:
    """A bench with the emulator, switched on."""
    return switched_on(build(inputs, seed, n_packs))


def switched_on(built: Setup) -> Bench:
    """A bench with the emulator on a rig, switched on."""
    ready = Bench(built, Emulator(built.settings, built.rig.dt_ns, built.rig.bus_free_ns))
    ready.start()
    return ready


def run(inputs: Inputs, seed: int | None = None, n_packs: int = 1) -> tuple[Bench, Trace]:
    """Run a scenario to its end, staged."""
    ready = bench(inputs, seed, n_packs)
    ready.run(inputs.scenario.n_ticks)
    return ready, ready.trace()


def drive(load: dict[str, Any] | None = None, **keys: Any) -> Inputs:
    """A scenario that asks for drive at once; the load begins after the precharge, at 1.5 s."""
    loads = [] if load is None else [{"at_s": 1.5, **load}]
    return scenario(**{"request": [{"at_s": 0.2, "mode": "drive"}], "load": loads, "duration_s": 3.0, **keys})


@lru_cache(maxsize=1)
def packs() -> dict[str, packfile.Pack]:
    """Every shipped pack by name."""
    return {name: packfile.load(name)[1] for name in files.shipped("pack")}


def pack_of(calibration_name: str) -> str:
    """Name of the pack that a calibration is shipped for: that of its own name, else the first; the bench pack for a copy."""
    found = [name for name, pack in packs().items() if pack.calibration == calibration_name]
    return next((name for name in (calibration_name, *found) if name in found), "nfm-16s")


@lru_cache(maxsize=32)
def wired(calibration_name: str, pack: str, network_name: str, dt_ns: int) -> tuple[Network, Settings, Calibration]:
    """Network, settings and decoded calibration of a device."""
    p = packs()[pack]
    net = network.load(network_name, p.n_cells, len(p.ntc_cells), dt_ns)
    path, believed = calibration.load(calibration_name)
    cells = p.cell_names()
    bound = binding.bind(believed, path, net.database, net.to_dut, net.from_dut, cells, p.strings, p.ntc_cells)
    return net, bound, believed


def edited(folder: Path, name: str, limits: dict[str, dict[str, Any]]) -> Path:
    """A copy of a shipped calibration in which keys of some limit rows have other values."""
    head, *rows = files.shipped("calibration")[name].read_text(encoding="utf-8").split("[[limit]]\n")
    for at, row in enumerate(rows):
        for key, value in limits.get(re.search(r'code = "(\w+)"', row)[1], {}).items():  # type: ignore[index]
            rows[at], n = re.subn(rf"^{key} = .*$", f"{key} = {json.dumps(value)}", rows[at], flags=re.MULTILINE)
            assert n == 1
    path = folder / f"{name}-edited.toml"
    path.write_text("[[limit]]\n".join([head, *rows]), encoding="utf-8")
    return path


class Device:
    """The firmware alone: physical values are encoded, protected and received; what it sends is checked and decoded.

    values: by signal name, through `set`.  lost: slots that do not arrive.  echoes: the contacts follow their commands.
    link_rise: share of the pack voltage by which the link rises in a tick when a path is closed.  alive: cells move by the
    last bit, as real ones do.  rest_V: a cell voltage at which nothing is reported.  kind: kind of cells that `cells` moves,
    the others stay at rest.
    """

    def __init__(
        self, calibration_name: str = "nfm-16s", pack: str = "", network_name: str = "classic", dt_ms: int = 10
    ) -> None:
        self.dt_ns = dt_ms * MS_NS
        pack = pack or pack_of(calibration_name)
        self.series, self.supply_V = packs()[pack].series, 24.0 if packs()[pack].surroundings.supply_V > 18.0 else 12.0
        self.net, self.settings, self.calibration = wired(calibration_name, pack, network_name, self.dt_ns)
        rx, tx = self.net.to_dut, self.net.from_dut
        self.rows = {name: n for n, name in enumerate(rx.signal_names)}
        self.sent_rows = {name: n for n, name in enumerate(tx.signal_names)}
        self.values: F64 = np.full((1, rx.n_signals), np.nan)
        self.sender, self.image = sender_state(rx, 1), Image.empty(rx, 1)
        self.events = Events.empty()
        self.bus_free_ns = np.zeros((1, self.net.n_buses), np.int64)
        self.dut = Emulator(self.settings, self.dt_ns, self.bus_free_ns)
        self.heard, self.heard_valid = np.full((1, tx.n_signals), np.nan), np.zeros((1, tx.n_signals), np.uint8)
        self.lost: set[int] = set()
        self.echoes, self.link_rise, self.alive = True, 0.1, False
        self.cell_rows = [n for name, n in self.rows.items() if name.startswith("CellVoltage_")]
        self.rest_V = 3.0 if self.calibration.power.charge_max_V > 3.2 else 1.5
        kind_of = self.settings.cell_map[cfg.MAP_KIND]
        self.of_kind = [np.flatnonzero(kind_of == k).tolist() for k in range(self.settings.n_kinds)]
        self.kind = 0
        self.k = 0
        self.rest()

    def rest(self) -> None:
        """Everything as it should be, nothing asked for."""
        self.values[0, self.cell_rows] = self.rest_V
        for told, cells in list(zip(self.calibration.kinds, self.of_kind, strict=True))[1:]:
            self.values[0, [self.cell_rows[i] for i in cells]] = told.model.ocv.charge_V[6]
        self.sum_up()
        self.temperatures(25.0)
        self.set("Shunt_Current", 0.0)
        self.set("Shunt_LinkVoltage", 0.0)
        for name in ("Hvil", "EmergencyLine"):
            self.set(f"PackIO_{name}", 1.0)
        for name in ("MainPlusFeedback", "MainMinusFeedback", "PrechargeFeedback"):
            self.set(f"PackIO_{name}", 0.0)
        self.set("PackIO_SupplyVoltage", self.supply_V)
        self.set("PackIO_Insulation", 10_000.0)
        self.ask(mode.ASK_STANDBY)
        self.set("Vehicle_FaultReset", 0.0)

    def set(self, name: str, value: float) -> None:
        """What a sensor reads from now on; NaN is sent as not available."""
        self.values[0, self.rows[name]] = value

    def arrives(self, start: str) -> bool:
        """Whether the last tick brought a frame with a signal whose name starts like this."""
        others = {f"CellVoltage_{i:03d}" for i in range(len(self.cell_rows)) if i not in self.of_kind[self.kind]}
        slots = {self.slot(name) for name in self.rows if name.startswith(start) and name not in others}
        return any(self.image.meta[0, SENT, s] == 1 for s in slots)

    def cells(self, volt: float) -> None:
        """All cells of the kind under test at one voltage, and the pack at the sum of a string."""
        self.values[0, [self.cell_rows[i] for i in self.of_kind[self.kind]]] = volt
        self.sum_up()

    def sum_up(self) -> None:
        """The pack at the sum of a string's cells."""
        strings = int(self.settings.whole[cfg.N_STRINGS])
        self.set("Shunt_PackVoltage", float(self.values[0, self.cell_rows[: self.settings.n_cells]].sum()) / strings)

    def temperatures(self, temp_degC: float) -> None:
        """All sensors at one temperature."""
        for name in self.rows:
            if name.startswith("CellTemperature_"):
                self.set(name, temp_degC)

    def ask(self, request: int) -> None:
        """The mode that the vehicle wants."""
        self.set("Vehicle_ModeRequest", float(request))

    def slot(self, signal: str) -> int:
        """Slot in which a received signal travels."""
        return int(self.net.to_dut.signals[self.rows[signal], SLOT])

    def tick(self, n: int = 1) -> None:
        """Run n ticks of the device."""
        for _ in range(n):
            self._tick()

    def _tick(self) -> None:
        rx, t_ns = self.net.to_dut, self.k * self.dt_ns
        if self.echoes:
            self._echo()
        values = self.values.copy()
        if self.alive:
            values[0, self.cell_rows] += 0.0002 * (self.k // 10 % 2)
        send_due(
            t_ns, values, self.bus_free_ns, self.sender, rx.signals, rx.scales, rx.slots, rx.blank, self.image.words,
            self.image.meta,
        )  # fmt: skip
        for s in self.lost:
            self.image.meta[0, SENT, s] = 0
        image, _ = self.dut.exchange(t_ns, self.image, self.events)
        self.events.count[0] = 0
        self._listen(image)
        self.k += 1

    def _echo(self) -> None:
        plus, minus, pre = (self.read(f"BMS_{name}Command") == 1.0 for name in ("MainPlus", "MainMinus", "Precharge"))
        for name, closed in (("MainPlus", plus), ("MainMinus", minus), ("Precharge", pre)):
            self.set(f"PackIO_{name}Feedback", float(closed))
        pack_V, link_V = (self.values[0, self.rows[f"Shunt_{name}Voltage"]] for name in ("Pack", "Link"))
        if minus and (plus or pre):
            self.set("Shunt_LinkVoltage", min(link_V + self.link_rise * pack_V, pack_V))

    def _listen(self, image: Image) -> None:
        tx = self.net.from_dut
        for s in range(tx.n_slots):
            if image.meta[0, SENT, s] == 1:
                assert int(tx.slots[s, LENGTH]) == image.meta[0, LEN, s]
                assert crc_is_right(image.words, 0, tx.slots, s)
                decode_slot(image.words, 0, s, tx.signals, tx.scales, tx.slots, self.heard, self.heard_valid)

    def read(self, name: str) -> float:
        """The last value that the device sent; NaN when its last frame held none."""
        at = self.sent_rows[name]
        return float(self.heard[0, at]) if self.heard_valid[0, at] == 1 else float("nan")

    @property
    def state(self) -> int:
        """State of the mode machine as it stands on the wire; -1 while nothing was sent."""
        value = self.read("BMS_State")
        return -1 if np.isnan(value) else int(value)

    def closed(self) -> bool:
        """Both main contactors are commanded closed."""
        return self.read("BMS_MainPlusCommand") == 1.0 and self.read("BMS_MainMinusCommand") == 1.0

    def until(self, state: int, limit_ms: int = 3000) -> int:
        """Run until the wire says this state; returns the ticks it took."""
        for n in range(limit_ms * MS_NS // self.dt_ns):
            if self.state == state:
                return n
            self.tick()
        raise AssertionError(f"state {self.state} after {limit_ms} ms, expected {state}")

    def standby(self) -> Device:
        """Switched on and waiting."""
        self.until(mode.STANDBY)
        return self

    def driving(self, request: int = mode.ASK_DRIVE) -> Device:
        """In operation, with closed contactors and a link at the pack's voltage."""
        self.until(mode.STANDBY)
        self.ask(request)
        self.until(mode.RUN if request == mode.ASK_DRIVE else mode.CHARGE)
        return self

    def press_reset(self) -> None:
        """One press of the reset button, long enough for its frame to be sent both ways."""
        hold = int(self.net.to_dut.slots[self.slot("Vehicle_FaultReset"), CYCLE_NS]) // self.dt_ns + 1
        self.set("Vehicle_FaultReset", 1.0)
        self.tick(hold)
        self.set("Vehicle_FaultReset", 0.0)
        self.tick(hold)
