"""Broken firmwares: the emulated BMS with one named defect, to show that a scenario can fail.

Most defects are a changed calibration, some a device that treats its frames or its memory wrongly. They are what a test
bench must catch: `--dut broken:NAME`, and for those that act on limits `--dut broken:NAME=CODE` for one limit alone.
The table of which scenario catches which is docs/mutants.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from firmware_sim import bms, nvm, soa
from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.settings import Settings
from firmware_sim.wire.crc import write_crc
from firmware_sim.wire.layout import LEN, LENGTH, RAW_MAX, RAW_MIN, SENT, Events, Image
from hil.dut.emulator import Emulator
from hil.errors import ScenarioError, nearest

Rows = npt.NDArray[np.bool_]
NEVER = 1 << 61
DIES_NS = 4_000_000_000

# One step of a quantity: that of its signal on the wire, so that a limit moved by it lies on the next value that can come;
# a tick for times; for what is computed from several signals the smallest step that stands clear of their noise.
_STEPS = {
    "cell_V_max": 0.0002,
    "cell_V_min": 0.0002,
    "temp_max_degC": 0.1,
    "temp_min_degC": 0.1,
    "discharge_A": 0.005,
    "charge_A": 0.005,
    "cell_age_ms": 10.0,
    "temp_age_ms": 10.0,
    "current_age_ms": 10.0,
    "pack_io_age_ms": 10.0,
    "request_age_ms": 10.0,
    "cell_invalid_count": 1.0,
    "temp_invalid_count": 1.0,
    "cell_spread_V": 0.03,
    "temp_spread_K": 0.1,
    "temp_rate_K_per_s": 0.5,
    "cell_stuck_s": 5.0,
    "pack_mismatch_share": 0.005,
    "link_mismatch_share": 0.01,
    "open_current_A": 0.005,
    "current_direction": 1.0,
    "insulation_kohm": 1.0,
    "supply_V": 0.05,
}


@dataclass(frozen=True)
class Defect:
    """One way to be wrong.

    text: what it does.  change: its settings from those of the good device.  limits: the same for those limits that are
    True in a mask over the rows; such a defect may be given a CODE.  device: its behaviour.
    """

    text: str
    change: Callable[[Settings], Settings] | None = None
    limits: Callable[[Settings, Rows], Settings] | None = None
    device: type[Emulator] = Emulator


def step_of(quantity: str) -> float | None:
    """The step by which `limit-plus-step` moves a limit on a quantity; None for yes-or-no quantities."""
    return _STEPS.get(quantity)


def create(settings: Settings, dt_ns: int, bus_free_ns: npt.NDArray[np.int64], options: str) -> Emulator:
    """A device from "NAME" or "NAME=CODE". Raises ScenarioError for an unknown name or code."""
    name, _, code = options.partition("=")
    if name not in DEFECTS:
        expected = "one of " + ", ".join(DEFECTS) if not name else f'a known defect, found "{name}"{nearest(name, DEFECTS)}'
        raise ScenarioError(f"dut broken:NAME: expected {expected}")
    defect = DEFECTS[name]
    if code and defect.limits is None:
        raise ScenarioError(f'dut broken:{name}: this defect takes no code, found "{code}"')
    if code and code not in settings.codes:
        raise ScenarioError(f'dut broken:{name}={code}: there is no limit "{code}"{nearest(code, settings.codes)}')
    if defect.limits is not None:
        settings = defect.limits(settings, np.array([not code or row == code for row in settings.codes], bool))
    if defect.change is not None:
        settings = defect.change(settings)
    return defect.device(settings, dt_ns, bus_free_ns)


# ---- defects of the calibration


def _limits(settings: Settings, rows: Rows, column: int, scale: float) -> Settings:
    limits = settings.limits.copy()
    limits[rows, column] = (limits[rows, column] * scale).astype(np.int64)
    return replace(settings, limits=limits)


def _moved(settings: Settings, rows: Rows, steps: float) -> Settings:
    """Limits moved outwards by steps, or inwards by less than none."""
    thresholds = settings.thresholds.copy()
    for n in np.flatnonzero(rows):
        step = step_of(soa.quantity_of(int(settings.limits[n, cfg.QUANTITY])))
        if step is not None:
            # a real device compares integers: the moved limit lies on the next raw value, and a float must not miss it
            thresholds[n] += settings.limits[n, cfg.SIDE] * step * steps * (1.0 + 1e-6)
    return replace(settings, thresholds=thresholds)


def _check_off(settings: Settings, rows: Rows) -> Settings:
    thresholds = settings.thresholds.copy()
    thresholds[rows] = (settings.limits[rows, cfg.SIDE] * np.inf)[:, None]
    return replace(settings, thresholds=thresholds)


def _latch_dropped(settings: Settings, rows: Rows) -> Settings:
    limits = settings.limits.copy()
    limits[rows, cfg.LATCH] = cfg.NO_LATCH
    return replace(settings, limits=limits)


def _latch_not_kept(settings: Settings, rows: Rows) -> Settings:
    limits = settings.limits.copy()
    limits[rows & (limits[:, cfg.LATCH] == cfg.SURVIVES), cfg.LATCH] = cfg.UNTIL_RESET
    return replace(settings, limits=limits)


def _reaction_off(settings: Settings, rows: Rows) -> Settings:
    limits = settings.limits.copy()
    limits[rows, cfg.REACTION] = cfg.NOTHING
    return replace(settings, limits=limits)


def _stop_ignored(settings: Settings, rows: Rows) -> Settings:
    return _reaction_off(settings, rows & (settings.limits[:, cfg.REACTION] != cfg.OPEN))


def _when_ignored(settings: Settings, rows: Rows) -> Settings:
    limits = settings.limits.copy()
    limits[rows, cfg.WHEN] = cfg.ALWAYS
    return replace(settings, limits=limits)


def _set(whole: dict[int, int] | None = None, real: dict[int, float] | None = None) -> Callable[[Settings], Settings]:
    """A change that replaces single settings."""

    def change(settings: Settings) -> Settings:
        """New settings with the single values replaced; those given stay as they are."""
        new_whole, new_real = settings.whole.copy(), settings.real.copy()
        for row, count in (whole or {}).items():
            new_whole[row] = count
        for row, number in (real or {}).items():
            new_real[row] = number
        return replace(settings, whole=new_whole, real=new_real)

    return change


def _one_more_try(settings: Settings) -> Settings:
    return _set({cfg.PRE_TRIES: int(settings.whole[cfg.PRE_TRIES]) + 1})(settings)


def _precharge_doubled(settings: Settings) -> Settings:
    return _set({cfg.PRE_TIMEOUT_NS: 2 * int(settings.whole[cfg.PRE_TIMEOUT_NS])})(settings)


def _age_ignored(settings: Settings) -> Settings:
    ages = ("cell_age_ms", "temp_age_ms", "current_age_ms", "pack_io_age_ms", "request_age_ms")
    which = np.isin(settings.limits[:, cfg.QUANTITY], [soa.QUANTITIES.index(name) for name in ages])
    times = (cfg.CELL_AGE_NS, cfg.TEMP_AGE_NS, cfg.CURRENT_AGE_NS, cfg.IO_AGE_NS, cfg.REQUEST_AGE_NS)
    return _check_off(_set(dict.fromkeys(times, NEVER))(settings), which)


def _range_ignored(settings: Settings) -> Settings:
    signals = settings.rx_layout.signals.copy()
    signals[:, RAW_MIN], signals[:, RAW_MAX] = -NEVER, NEVER
    return replace(settings, rx_layout=replace(settings.rx_layout, signals=signals))


def _feedback_ignored(settings: Settings) -> Settings:
    names = ("main_plus_mismatch", "main_minus_mismatch", "precharge_mismatch", "main_plus_welded", "main_minus_welded")
    which = np.isin(settings.limits[:, cfg.QUANTITY], [soa.QUANTITIES.index(name) for name in names])
    rx = settings.rx.copy()
    rx[[cfg.RX_PLUS, cfg.RX_MINUS, cfg.RX_PRE]] = rx[cfg.RX_HVIL]  # a line that is 1 all day
    return _check_off(replace(settings, rx=rx), which)


def _sign_flipped(settings: Settings) -> Settings:
    scales = settings.rx_layout.scales.copy()
    scales[int(settings.rx[cfg.RX_CURRENT])] *= -1.0
    return replace(settings, rx_layout=replace(settings.rx_layout, scales=scales))


def _capacity_wrong(settings: Settings) -> Settings:
    kinds = settings.kinds.copy()
    kinds[:, cfg.CAPACITY_AH] *= 0.5
    return replace(settings, kinds=kinds)


def _soc_frozen(settings: Settings) -> Settings:
    kinds = settings.kinds.copy()
    kinds[:, cfg.CAPACITY_AH] = 1e9
    return _set(real={cfg.MODEL_V2S: 1e9})(replace(settings, kinds=kinds))


def _derating_off(settings: Settings) -> Settings:
    power = settings.power.copy()
    for row in (cfg.POWER_CHARGE_A, cfg.POWER_DISCHARGE_A):
        power[:, row] = power[:, row].max(axis=1, keepdims=True)
    return replace(settings, power=power)


def _taper_off(settings: Settings) -> Settings:
    kinds = settings.kinds.copy()
    kinds[:, [cfg.CHARGE_TAPER_V, cfg.DISCHARGE_TAPER_V]] = 1e-3
    return replace(settings, kinds=kinds)


def _foresight_doubled(settings: Settings) -> Settings:
    scale = settings.tx_scale.copy()
    real = settings.tx[:, cfg.OUT_BLOCK] == cfg.REAL
    foreseen = real & (settings.tx[:, cfg.OUT_ROW] >= st.PULSE_A) & (settings.tx[:, cfg.OUT_ROW] < st.PULSE_W)
    scale[foreseen, cfg.OUT_FACTOR] *= 2.0
    return replace(settings, tx_scale=scale)


def _one_chemistry(settings: Settings) -> Settings:
    stretches, cell_map = settings.stretches.copy(), settings.cell_map.copy()
    stretches[:, cfg.KIND], cell_map[cfg.MAP_KIND] = 0, 0
    return replace(settings, stretches=stretches, cell_map=cell_map)


def _last_cell_forgotten(settings: Settings) -> Settings:
    cell_map = settings.cell_map.copy()
    cell_map[:, -1] = cell_map[:, -2]
    return replace(settings, cell_map=cell_map)


def _last_ntc_forgotten(settings: Settings) -> Settings:
    ntc_map = settings.ntc_map.copy()
    ntc_map[:, -1] = ntc_map[:, -2]
    return replace(settings, ntc_map=ntc_map)


def _cells_shifted(settings: Settings) -> Settings:
    cell_map = np.roll(settings.cell_map, 1, axis=1)
    cell_map[cfg.MAP_KIND] = settings.cell_map[cfg.MAP_KIND]
    return replace(settings, cell_map=np.ascontiguousarray(cell_map))


def _reset_ignored(settings: Settings) -> Settings:
    rx = settings.rx.copy()
    rx[cfg.RX_RESET] = -1
    return replace(settings, rx=rx)


def _reset_held(settings: Settings) -> Settings:
    rx = settings.rx.copy()
    rx[cfg.RX_RESET] = rx[cfg.RX_HVIL]  # a line that is 1 all day
    return replace(settings, rx=rx)


# ---- defects of behaviour; where exchange() is changed the device runs staged only


class _OwnDecoder(Emulator):
    """Decodes frames by tables of its own; the compiled loop has one set for both sides."""

    def exchange(self, t_ns: int, image: Image, events: Events) -> tuple[Image, Events]:
        """As the emulator, but staged: an override keeps the device out of the compiled loop."""
        return super().exchange(t_ns, image, events)


class _CrcIgnored(Emulator):
    """Takes every frame as if its CRC were right."""

    def exchange(self, t_ns: int, image: Image, events: Events) -> tuple[Image, Events]:
        """As the emulator, after every frame that came was given the CRC that fits it."""
        slots, words = self.settings.rx_layout.slots, image.words.copy()
        for p, s in np.argwhere(image.meta[:, SENT] == 1).tolist():
            write_crc(words, p, slots, s)
        return super().exchange(t_ns, Image(words, image.meta), events)


class _CounterIgnored(Emulator):
    """Takes every frame as the next one."""

    def exchange(self, t_ns: int, image: Image, events: Events) -> tuple[Image, Events]:
        """As the emulator, which remembers no counter from the tick before."""
        self.state.link[st.LAST_COUNTER] = -1
        return super().exchange(t_ns, image, events)


class _LengthIgnored(Emulator):
    """Takes a short frame with whatever stands in its missing bytes."""

    def exchange(self, t_ns: int, image: Image, events: Events) -> tuple[Image, Events]:
        """As the emulator, told that every frame has the length of its message."""
        meta = image.meta.copy()
        meta[:, LEN] = self.settings.rx_layout.slots[:, LENGTH]
        return super().exchange(t_ns, Image(image.words, meta), events)


class _ResetsItself(Emulator):
    """Acts as if the reset were pressed anew in every tick."""

    def exchange(self, t_ns: int, image: Image, events: Events) -> tuple[Image, Events]:
        """As the emulator, which remembers that the reset was not pressed in the tick before."""
        self.state.whole[st.RESET_LEVEL] = 0
        return super().exchange(t_ns, image, events)


class _GoesSilent(Emulator):
    """Stops for good some seconds after the start."""

    def exchange(self, t_ns: int, image: Image, events: Events) -> tuple[Image, Events]:
        """As the emulator; from DIES_NS on nothing is marked as sent."""
        reply = super().exchange(t_ns, image, events)
        if t_ns >= DIES_NS:
            self.image.meta[:, SENT] = 0
        return reply


class _Hangs(Emulator):
    """Its task hangs some seconds after the start, while the last frames are sent again and again."""

    def exchange(self, t_ns: int, image: Image, events: Events) -> tuple[Image, Events]:
        """As the emulator; from DIES_NS on the reply of the tick before again."""
        if t_ns < DIES_NS:
            self.kept = super().exchange(t_ns, image, events)
        return self.kept


class _ResumesAfterReset(Emulator):
    """Finds its memory as it was after a loss of supply, and goes on where it stopped."""

    def reset(self, t_ns: int) -> None:
        """Only time since power-up and the last frames heard start again; the rest of the state stays."""
        self.state.whole[st.UP_NS] = 0
        self.state.link[st.HEARD_NS] = 0


class _TrustsTornCopy(Emulator):
    """Takes the copy that was written last, whether it is whole or not."""

    def tear(self, t_ns: int) -> bool:
        """Tear as the emulator does, then load the torn copy. t_ns: when the supply is lost."""
        before = self.state
        super().tear(t_ns)
        for p in range(self.n_packs):
            torn = 1 - int(before.whole[st.NVM_COPY, p])
            nvm.load(self.state.nvm, torn, self.state.cell, self.state.real, self.state.whole, p)
        return True


class _ForgetsAtReset(Emulator):
    """Loses its non-volatile memory with its supply."""

    def reset(self, t_ns: int) -> None:
        """Power up with blank memory."""
        self.state = bms.power_on(self.settings, self.n_packs, t_ns)


DEFECTS: dict[str, Defect] = {
    "limit-plus-step": Defect(
        "every limit stands one step of the wire further out", limits=lambda s, rows: _moved(s, rows, 1.0)
    ),
    "limit-minus-step": Defect("every limit stands two steps further in", limits=lambda s, rows: _moved(s, rows, -2.0)),
    "check-off": Defect("limits are never checked", limits=_check_off),
    "debounce-doubled": Defect(
        "every debounce takes twice as long", limits=lambda s, rows: _limits(s, rows, cfg.DEBOUNCE_NS, 2.0)
    ),
    "debounce-halved": Defect(
        "every debounce takes half as long", limits=lambda s, rows: _limits(s, rows, cfg.DEBOUNCE_NS, 0.5)
    ),
    "delay-doubled": Defect("every reaction waits twice as long", limits=lambda s, rows: _limits(s, rows, cfg.DELAY_NS, 2.0)),
    "reaction-off": Defect("limits report but nothing follows", limits=_reaction_off),
    "stop-ignored": Defect("recommended limits report but do not stop the current", limits=_stop_ignored),
    "when-ignored": Defect("limits for charging or discharging act always", limits=_when_ignored),
    "latch-dropped": Defect("codes go away with their cause", limits=_latch_dropped),
    "latch-not-kept": Defect("latched codes do not survive a loss of supply", limits=_latch_not_kept),
    "age-ignored": Defect("old values count for ever", _age_ignored),
    "range-ignored": Defect("error codes are taken as values", _range_ignored, device=_OwnDecoder),
    "crc-ignored": Defect("the CRC is not checked", device=_CrcIgnored),
    "counter-ignored": Defect("the frame counter is not checked", _set({cfg.MAX_DELTA: 256}), device=_CounterIgnored),
    "one-loss-too-many": Defect(
        "a single lost or repeated frame breaks its stream", _set({cfg.MAX_DELTA: 1, cfg.E2E_MAX_ERRORS: 0})
    ),
    "length-ignored": Defect("the frame length is not checked", device=_LengthIgnored),
    "feedback-ignored": Defect("contactor feedback is taken as always right", _feedback_ignored),
    "one-more-precharge-try": Defect("precharge is tried four times", _one_more_try),
    "no-precharge-pause": Defect("precharge is tried again at once", _set({cfg.PRE_RETRY_NS: 0})),
    "precharge-twice-as-long": Defect("precharge may take twice as long", _precharge_doubled),
    "precharge-not-checked": Defect(
        "the main contactor closes whatever the link voltage",
        _set({cfg.PRE_MIN_NS: 0}, {cfg.PRE_LINK_SHARE: 0.0, cfg.PRE_END_A: 1e9}),
    ),
    "grace-endless": Defect("it waits for ever for a small current before it opens", _set({cfg.OPEN_GRACE_NS: NEVER})),
    "sign-flipped": Defect("the current is taken with the wrong sign", _sign_flipped, device=_OwnDecoder),
    "capacity-wrong": Defect("the cell is believed to hold half its charge", _capacity_wrong),
    "soc-frozen": Defect("the state of charge stands still", _soc_frozen),
    "derating-off": Defect("current limits do not depend on temperature", _derating_off),
    "taper-off": Defect("current limits do not depend on voltage", _taper_off),
    "foresight-doubled": Defect("twice the current that the cells bear is foreseen", _foresight_doubled),
    "one-chemistry": Defect("every cell is taken for one of the first kind", _one_chemistry),
    "no-reference": Defect("no cell is the reference of another in its string", _set(real={cfg.REFERENCE_V: 1e9})),
    "last-cell-forgotten": Defect("the last cell is not read, its neighbour twice", _last_cell_forgotten),
    "last-ntc-forgotten": Defect("the last temperature sensor is not read, its neighbour twice", _last_ntc_forgotten),
    "cells-shifted": Defect("cells are counted one off", _cells_shifted),
    "reset-ignored": Defect("the reset request is not heard", _reset_ignored),
    "resets-itself": Defect("latched faults are reset at once", _reset_held, device=_ResetsItself),
    "resumes-after-reset": Defect("after a loss of supply it goes on where it stopped", device=_ResumesAfterReset),
    "forgets-at-reset": Defect("non-volatile memory is lost with the supply", device=_ForgetsAtReset),
    "trusts-torn-copy": Defect("a record that was not written to its end is taken", device=_TrustsTornCopy),
    "never-rests": Defect("no pack is ever at rest for it", _set(real={cfg.REST_A: -1.0})),
    "goes-silent": Defect("it stops sending after 4 s", device=_GoesSilent),
    "hangs": Defect("its task hangs after 4 s, its last frames go on", device=_Hangs),
}
