"""C tables of a network and a calibration: what a firmware must know of both, written down by no hand.

The DBC stays the only place that says what a bit means; network.h and network.c are its tables for a device in C99, and
calibration.h and calibration.c are what the BMS of a pack believes and decides by. Written are the classic frames of
Intel order with unsigned signals of at most 32 bits; any other network is refused with the signal's name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from firmware_sim.types import MS_NS
from firmware_sim.wire import layout as w
from firmware_sim.wire.layout import Layout
from hil import calibration, files, network
from hil.calibration import Calibration
from hil.calibration_tables import Model
from hil.errors import ScenarioError
from hil.network import Network
from hil.plant import packfile
from hil.plant.packfile import Pack

_TICK_NS = 10 * MS_NS
_MARK = "/* Written by nabench new headers; do not edit. {} */\n"
_ROOM = 1e-6  # a threshold is a decimal number; a value that means the same may differ by the rounding of a float
# Quantities that come from one signal, whose raw step says where "beyond the threshold" begins.
_STEP_OF = {
    "cell_V_max": "CellVoltage_000", "cell_V_min": "CellVoltage_000", "temp_max_degC": "CellTemperature_00",
    "temp_min_degC": "CellTemperature_00", "discharge_A": "Shunt_Current", "charge_A": "Shunt_Current",
    "open_current_A": "Shunt_Current", "insulation_kohm": "PackIO_Insulation", "supply_V": "PackIO_SupplyVoltage",
}  # fmt: skip
_PULSES_S = (2.0, 10.0, 30.0)  # horizons of the current limits on the wire; the last one, continuously, is the calibration's
_LATCHES = {"no": "LATCH_NO", "until_reset": "LATCH_UNTIL_RESET", "survives_power_loss": "LATCH_SURVIVES"}


def texts(pack_name: str, network_name: str) -> dict[str, str]:
    """File name to text. Raises ScenarioError: what is wrong with the files, or what of them a C table cannot say."""
    path, pack, _, _ = packfile.load(pack_name)
    belief_path, belief = calibration.load(pack.calibration, path)
    net = network.load(network_name, pack.n_cells, len(pack.ntc_cells), _TICK_NS)
    problems = [*_unwritable(net), *_strange(belief, belief_path, net)]
    if problems:
        raise ScenarioError(*problems)
    wire, mind = f"Network {net.name} for pack {pack.name}.", f"Calibration {belief.name} of pack {pack.name}."
    return {
        "nabench_firmware.h": _header(),
        "network.h": _MARK.format(wire) + _network_h(net),
        "network.c": _MARK.format(wire) + _network_c(net),
        "calibration.h": _MARK.format(mind) + _calibration_h(belief, pack),
        "calibration.c": _MARK.format(mind) + _calibration_c(belief, pack, net),
    }


def _unwritable(net: Network) -> list[str]:
    found = []
    for layout in (net.to_dut, net.from_dut):
        for slot, name in zip(layout.slots.tolist(), layout.slot_names, strict=True):
            if slot[w.FLAGS] & w.FD:
                found.append(f"{net.path}: message {name} is a CAN FD frame; C tables are written for classic frames only")
            elif slot[w.E2E] not in (w.NO_E2E, w.P11) or layout.slots[slot[w.COUNTS_WITH], w.WORD_0] != slot[w.WORD_0]:
                found.append(
                    f"{net.path}: message {name} has a protection of its own; C tables know E2E profile 11, "
                    "each page for itself, and none"
                )
        for row, (scale, offset), name in zip(
            layout.signals.tolist(), layout.scales.tolist(), layout.signal_names, strict=True
        ):
            zero = offset / scale
            if row[w.KIND] or row[w.BITS] > 32 or abs(zero - round(zero)) > 1e-6 or abs(zero) > 2**31 - 1:
                found.append(
                    f'{net.path}: signal "{name}" cannot be written as a C table; expected Intel order, unsigned, at most 32 '
                    "bits, and an offset that is a whole number of steps"
                )
    return found[:8]


def _strange(belief: Calibration, path: Path, net: Network) -> list[str]:
    known = set(net.from_dut.signal_names)
    found = [f"{path}: group[{n}] is of another kind of cells; C tables are written for one" for n in range(len(belief.group))]
    if "BMS_FaultCode" not in known or not net.database.signal("BMS_FaultCode").choices:
        found.append(f"{net.path}: BMS_FaultCode with its table of values is needed for the codes of the limits")
    found += [f'{net.path}: there is no signal "{name}"' for name in set(_STEP_OF.values()) - set(net.to_dut.signal_names)]
    return found


def _name(text: str) -> str:
    return re.sub(r"\W+", "_", text).strip("_")


def _enum(what: str, names: Iterable[str], count: str) -> str:
    lines = "".join(f"    {name},\n" for name in names)
    return f"enum {what} {{\n{lines}    {count}\n}};\n"


_NETWORK_H = """\
#ifndef NETWORK_H
#define NETWORK_H

#include <stdint.h>

#define E2E_NONE 0u
#define E2E_P11 1u

/* A message, or one page of it. E2E profile 11: CRC in byte 0, counter 0 to 14 in the low half of byte 1. */
struct frame_layout {
    uint32_t id;
    uint8_t bus;
    uint8_t extended;   /* 1: id of 29 bits */
    uint8_t length;     /* payload [byte] */
    uint8_t e2e;        /* E2E_NONE or E2E_P11 */
    uint64_t page_mask; /* where its page stands; 0: it has none */
    uint64_t page;      /* its bits there */
    uint16_t data_id;   /* of E2E, page included */
    uint16_t first;     /* its signals: first, first + 1, ... */
    uint16_t count;
    uint32_t cycle_ms;
    uint32_t phase_ms;
};

/* A signal: physical = (raw + zero) * scale; raw_min to raw_max are values, the others stand for what is none. */
struct signal_layout {
    uint16_t frame;
    uint8_t shift; /* first bit in the payload, Intel order */
    uint8_t bits;
    uint32_t raw_min;
    uint32_t raw_max;
    uint32_t raw_low;  /* sent for a value below the range */
    uint32_t raw_high; /* above */
    uint32_t raw_none; /* not available */
    int32_t zero;
    float scale;
};

"""


def _network_h(net: Network) -> str:
    parts = [_NETWORK_H]
    for side, layout in (("RX", net.to_dut), ("TX", net.from_dut)):
        low = side.lower()
        parts.append(_enum(f"{low}_frame", (f"{side}_FRAME_{_name(name)}" for name in layout.slot_names), f"{side}_FRAMES"))
        parts.append(_enum(f"{low}_signal", (f"{side}_{name}" for name in layout.signal_names), f"{side}_SIGNALS"))
        parts.append(f"\nextern const struct frame_layout {low}_frames[{side}_FRAMES];\n")
        parts.append(f"extern const struct signal_layout {low}_signals[{side}_SIGNALS];\n\n")
    return "".join(parts) + "#endif\n"


def _network_c(net: Network) -> str:
    parts = ['#include "network.h"\n']
    for side, layout in (("rx", net.to_dut), ("tx", net.from_dut)):
        parts.append(f"\nconst struct frame_layout {side}_frames[{side.upper()}_FRAMES] = {{\n")
        for slot, name in zip(layout.slots.tolist(), layout.slot_names, strict=True):
            page = int(layout.blank[slot[w.WORD_0]]) & slot[w.PAGE_MASK]
            numbers = (
                f"0x{slot[w.CAN_ID]:X}u, {slot[w.BUS]}, {slot[w.FLAGS] & w.EXTENDED}, {slot[w.LENGTH]}, {slot[w.E2E]}, "
                f"0x{slot[w.PAGE_MASK]:X}ull, 0x{page:X}ull, 0x{slot[w.DATA_ID]:X}u, {slot[w.FIRST]}, {slot[w.COUNT]}, "
                f"{slot[w.CYCLE_NS] // MS_NS}u, {slot[w.PHASE_NS] // MS_NS}u"
            )
            parts.append(f"    {{{numbers}}}, /* {name} */\n")
        parts.append(f"}};\n\nconst struct signal_layout {side}_signals[{side.upper()}_SIGNALS] = {{\n")
        for row, (scale, offset), name, unit in zip(
            layout.signals.tolist(), layout.scales.tolist(), layout.signal_names, layout.units, strict=True
        ):
            raws = ", ".join(f"{row[column]}u" for column in (w.RAW_MIN, w.RAW_MAX, w.RAW_LOW, w.RAW_HIGH, w.RAW_NAN))
            parts.append(
                f"    {{{row[w.SLOT]}, {row[w.SHIFT]}, {row[w.BITS]}, {raws}, {round(offset / scale)}, {_f(scale)}}}, "
                f"/* {name}{f' [{unit}]' if unit else ''} */\n"
            )
        parts.append("};\n")
    return "".join(parts)


def _f(number: float) -> str:
    """A number as a float constant of C."""
    if math.isinf(number):
        raise ScenarioError("an infinite number cannot be written as a C constant")
    text = f"{number:.9g}"
    return f"{text if any(c in text for c in '.e') else text + '.0'}f"


_CALIBRATION_H = """
#ifndef CALIBRATION_H
#define CALIBRATION_H

#include <stdint.h>

enum tier { TIER_NONE, TIER_MOL, TIER_RSL, TIER_MSL };
enum when { WHEN_ALWAYS, WHEN_CHARGING, WHEN_NOT_CHARGING, WHEN_CLOSED, WHEN_OPENED };
enum reaction { REACT_NONE, REACT_STOP_CHARGE, REACT_STOP_DISCHARGE, REACT_STOP, REACT_OPEN };
enum latch { LATCH_NO, LATCH_UNTIL_RESET, LATCH_SURVIVES };

/* One protection. Thresholds stand half a step of the wire beyond the value that is still allowed. */
struct limit {
    uint8_t quantity; /* enum quantity of the firmware */
    int8_t side;      /* +1: bad above the threshold; -1: below */
    uint8_t tier;
    uint8_t when;
    uint8_t reaction;
    uint8_t latch;
    uint8_t code;  /* of BMS_FaultCode */
    uint16_t flag; /* its signal in network.h */
    uint32_t debounce_ms;
    uint32_t clear_ms;
    uint32_t delay_ms;
    float threshold;
    float clear;
};

"""


def _calibration_h(c: Calibration, pack: Pack) -> str:
    whole = {
        "N_CELLS": pack.n_cells, "N_STRINGS": pack.strings, "N_NTC": len(pack.ntc_cells), "N_LIMITS": len(c.limit),
        "E2E_MAX_DELTA": c.e2e.max_delta, "E2E_WINDOW": c.e2e.window, "E2E_MIN_OK": c.e2e.min_ok,
        "E2E_MAX_ERRORS": c.e2e.max_errors, "CELL_AGE_MS": c.age_ms.cell, "TEMP_AGE_MS": c.age_ms.temperature,
        "CURRENT_AGE_MS": c.age_ms.current, "PACK_IO_AGE_MS": c.age_ms.pack_io, "REQUEST_AGE_MS": c.age_ms.request,
        "BOOT_MS": c.start.boot_ms, "READY_MS": c.start.ready_ms, "INIT_TIMEOUT_MS": c.start.timeout_ms,
        "SAVE_MS": 1000 * c.start.save_s, "PRECHARGE_TIMEOUT_MS": c.precharge.timeout_ms,
        "PRECHARGE_MIN_MS": c.precharge.min_ms, "PRECHARGE_RETRY_MS": c.precharge.retry_ms,
        "PRECHARGE_TRIES": c.precharge.tries, "CLOSE_MS": c.contactors.close_ms, "SETTLE_MS": c.contactors.settle_ms,
        "OPEN_GRACE_MS": c.contactors.open_grace_ms, "N_POWER": len(c.power.temp_degC), "N_OCV": len(c.model.ocv.soc),
        "N_ENTROPY": len(c.model.entropy.soc), "N_R_SOC": len(c.model.resistance.soc),
        "N_R_TEMP": len(c.model.resistance.temp_degC), "N_REACH": len(c.model.reach.share), "N_PULSE": len(_PULSES_S) + 1,
    }  # fmt: skip
    real = {
        "PRECHARGE_LINK_SHARE": c.precharge.link_share, "PRECHARGE_END_A": c.precharge.end_A,
        "PRECHARGE_FAST_SHARE": c.precharge.fast_share, "OPEN_MAX_A": c.contactors.open_max_A,
        "REST_A": c.plausibility.rest_A, "STUCK_STEP_A": c.plausibility.stuck_step_A,
        "DIRECTION_STEP_A": c.plausibility.direction_step_A, "RATE_TAU_S": c.plausibility.rate_tau_s,
        "CHARGE_MAX_V": c.power.charge_max_V, "CHARGE_TAPER_V": c.power.charge_taper_V,
        "DISCHARGE_MIN_V": c.power.discharge_min_V, "DISCHARGE_TAPER_V": c.power.discharge_taper_V,
        "CAPACITY_AH": c.model.capacity_Ah, "TAU1_S": c.model.resistance.tau1_s, "TAU2_S": c.model.resistance.tau2_s,
        "BELOW_EMPTY_V": c.model.ocv.below_empty_V_per_soc, "ABOVE_FULL_V": c.model.ocv.above_full_V_per_soc,
        "CELL_SIGMA_V": c.filter.cell_sigma_V, "MODEL_V2S": c.filter.model_V2s,
        "CURRENT_ERROR_SHARE": c.filter.current_error_share, "CURRENT_ERROR_A": c.filter.current_error_A,
        "CURRENT_CORRELATION_S": c.filter.current_correlation_s, "START_SIGMA": c.filter.start_sigma,
        "STORED_SIGMA": c.filter.stored_sigma, "RC_NOISE_V2_PER_S": c.filter.rc_noise_V2_per_s,
        "BAND_FLOOR": c.filter.band_floor, "REACH_TAU_S": c.filter.reach_tau_s,
        "HYST_DECAY": c.model.hysteresis.decay_per_soc, "RESISTANCE_ERROR_SHARE": c.filter.resistance_error_share,
        "PULSE_SIGMAS": c.pulse.sigmas, "PULSE_ERROR_V": c.pulse.voltage_error_V,
        "PULSE_R_SHARE": c.pulse.resistance_error_share, "SOC_WINDOW_MIN": c.pulse.soc_min, "SOC_WINDOW_MAX": c.pulse.soc_max,
    }  # fmt: skip
    lines = [f"#define {name} {value}{'' if name.startswith('N_') else 'u'}\n" for name, value in whole.items()]
    lines += [f"#define {name} {_f(value)}\n" for name, value in real.items()]
    tables = [f"extern const float {declared};\n" for declared, _ in _tables(c.model, c)]
    extra = ["extern const struct limit limits[N_LIMITS];\n", "extern const uint8_t ntc_of_cell[N_CELLS];\n"]
    return _CALIBRATION_H + "".join([*lines, "\n", *extra, *tables]) + "\n#endif\n"


def _tables(m: Model, c: Calibration) -> list[tuple[str, Sequence[float] | Sequence[Sequence[float]]]]:
    """Declaration and numbers of every table. Resistances as logarithms, temperatures of them as 1/K: so they are linear."""
    r = m.resistance
    return [
        ("power_degC[N_POWER]", c.power.temp_degC),
        ("power_charge_A[N_POWER]", c.power.charge_A),
        ("power_discharge_A[N_POWER]", c.power.discharge_A),
        ("pulse_s[N_PULSE]", [*_PULSES_S, c.pulse.continuous_s]),
        ("pulse_share[N_PULSE]", [*c.pulse.share, 1.0]),
        ("ocv_soc[N_OCV]", m.ocv.soc),
        ("ocv_discharge_V[N_OCV]", m.ocv.discharge_V),
        ("ocv_charge_V[N_OCV]", m.ocv.charge_V),
        ("entropy_soc[N_ENTROPY]", m.entropy.soc),
        ("entropy_V_per_K[N_ENTROPY]", [x / 1000.0 for x in m.entropy.dudt_mV_per_K]),
        ("r_soc[N_R_SOC]", r.soc),
        ("r_per_K[N_R_TEMP]", [1.0 / (t + 273.15) for t in r.temp_degC]),
        ("ln_r0[N_R_TEMP][N_R_SOC]", [[math.log(x) for x in row] for row in r.r0_ohm]),
        ("ln_r1[N_R_TEMP][N_R_SOC]", [[math.log(x) for x in row] for row in r.r1_ohm]),
        ("ln_r2[N_R_TEMP][N_R_SOC]", [[math.log(x) for x in row] for row in r.r2_ohm]),
        ("reach_degC[N_REACH]", m.reach.temp_degC),
        ("reach_share[N_REACH]", m.reach.share),
    ]


def _row(numbers: Sequence[float]) -> str:
    return ", ".join(_f(x) for x in numbers)


def _calibration_c(c: Calibration, pack: Pack, net: Network) -> str:
    parts = ['#include "calibration.h"\n#include "network.h"\n#include "quantity.h"\n\n']
    parts.append("const struct limit limits[N_LIMITS] = {\n")
    codes = {str(name): int(number) for number, name in net.database.signal("BMS_FaultCode").choices.items()}
    for row in c.limit:
        if row.code not in codes or f"Diag_{row.code}" not in net.from_dut.signal_names:
            raise ScenarioError(f'{net.path}: limit "{row.code}" has no number in BMS_FaultCode, or no flag Diag_{row.code}')
        side = 1 if row.side == "above" else -1
        room = _half_step(row.quantity, net.to_dut)
        ends = [x + side * (room or _ROOM * max(abs(x), 1.0)) for x in (row.threshold, row.threshold - side * row.hysteresis)]
        words = (f"Q_{row.quantity.upper()}", f"{side}", f"TIER_{row.tier.upper()}", f"WHEN_{row.when.upper()}",
                 f"REACT_{row.reaction.upper()}", _LATCHES[row.latch], f"{codes[row.code]}", f"TX_Diag_{row.code}",
                 f"{row.debounce_ms}u", f"{row.debounce_ms if row.clear_ms is None else row.clear_ms}u", f"{row.delay_ms}u",
                 _f(ends[0]), _f(ends[1]))  # fmt: skip
        parts.append(f"    {{{', '.join(words)}}},\n")
    at = pack.ntc_cells
    near = [min(range(len(at)), key=lambda j: (abs(at[j] - i), j)) for i in range(pack.n_cells)]
    parts.append(f"}};\n\nconst uint8_t ntc_of_cell[N_CELLS] = {{{', '.join(map(str, near))}}};\n")
    for declared, numbers in _tables(c.model, c):
        body = ",\n    ".join(_f(row) if isinstance(row, float) else f"{{{_row(row)}}}" for row in numbers)
        parts.append(f"\nconst float {declared} = {{\n    {body}}};\n")
    return "".join(parts)


def _half_step(quantity: str, rx: Layout) -> float:
    """Half a raw step of the signal behind a quantity; 0 where it is made of several."""
    name = _STEP_OF.get(quantity)
    return 0.5 * float(rx.scales[rx.index(name), w.SCALE]) if name is not None else 0.0


def _header() -> str:
    return files.read(Path(__file__).parent / "nabench_firmware.h", 1 << 20).decode()
