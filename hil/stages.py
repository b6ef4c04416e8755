"""The bench's own calls of one tick, each a kernel over whole blocks; Python and its hooks stand between them.

advance   parameter faults, plant, recording         [1]
sense     sensors, requests, sensor faults           [2]
send      frames, network faults, journal            [3]
answer    the device's frames: faults, journal, coils [6]
record    truth                                      [7]

Hops 4 and 5 are the device. Both gears call these same functions: staged from Python, fused from one compiled loop.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from firmware_sim.jit import kernel
from firmware_sim.types import F64, I64, U8, U16
from firmware_sim.wire.layout import SENT
from firmware_sim.wire.send import send_due
from hil import journal, pack_io, truth, vehicle
from hil.fault import network as network_fault
from hil.fault import parameter, sensed
from hil.fault.table import FROM_DUT, TO_DUT
from hil.plant import pack, replay, sensor

# As typed integers, so that Numba compiles the functions that take them once and not once for each value.
_TO_DUT: Any = np.int64(journal.TO_DUT)
_FROM_DUT: Any = np.int64(journal.FROM_DUT)
_OFFERED_TO_DUT: Any = np.int64(journal.OFFERED_TO_DUT)
_OFFERED_FROM_DUT: Any = np.int64(journal.OFFERED_FROM_DUT)
_QUEUED_FROM_DUT: Any = np.int64(journal.QUEUED_FROM_DUT)
_SEAM_TO_DUT: Any = np.int64(TO_DUT)
_SEAM_FROM_DUT: Any = np.int64(FROM_DUT)


@kernel
def advance(
    t_ns: int, dt_ns: int, demand: F64, recording: F64, rows: I64, numbers: F64, memory: F64,
    cells: F64, par: F64, strings: F64, pack_f: F64, pack_par: F64, block: I64, sensors: F64,
    curves: F64, ln_r: F64, nodes: F64, decay: F64,
) -> None:  # fmt: skip
    """Move the plant from t to t + dt, with the parameter faults that are on at t."""
    parameter.apply(t_ns, rows, numbers, memory, par, pack_par, sensors, block)
    replay.seek(recording, pack_f, (t_ns + dt_ns) * 1e-9)
    pack.step(t_ns, dt_ns, demand, cells, par, strings, pack_f, pack_par, block, curves, ln_r, nodes, decay)
    replay.impose(recording, cells, par, pack_f)


@kernel
def sense(
    t_ns: int, cells: F64, pack_f: F64, pack_par: F64, block: I64, sensors: F64, ntc: I64, gauss: F64, noise: U16, index: I64,
    requests: I64, request_row: I64, request_roles: I64, rows: I64, numbers: F64, memory: F64, values: F64, touched: I64,
    sides: F64,
) -> None:  # fmt: skip
    """Sample every sensor and the request at t, then disturb the sensed values.

    touched: (n,) signals that a sensor fault touches.  sides: (2, n), their values before and after, of pack 0.
    """
    sensor.read(cells, pack_f, pack_par, block, sensors, ntc, gauss, noise, index, values)
    vehicle.ask(t_ns, requests, request_row, request_roles, values)
    for n in range(touched.shape[0]):
        sides[0, n] = values[0, touched[n]]
    sensed.apply(t_ns, rows, numbers, memory, index, cells.shape[3] // int(pack_par[pack.PARALLEL, 0]), values)
    for n in range(touched.shape[0]):
        sides[1, n] = values[0, touched[n]]


@kernel
def send(
    t_ns: int, dt_ns: int, values: F64, bus_free_ns: I64, sender: I64, signals: I64, scales: F64, slots: I64, blank: I64,
    words: I64, meta: I64, events: I64, event_count: I64, rows: I64, numbers: F64, memory: F64, pending: I64,
    n_pending: I64, offered: I64, every: I64, log: I64, log_count: I64,
) -> None:  # fmt: skip
    """Encode what is due at t, note the frames that a fault touches, disturb them, note what arrives.

    offered: (n_slots,) 1 for slots that a network fault touches.  every: (n_slots,) ones.
    """
    send_due(t_ns, values, bus_free_ns, sender, signals, scales, slots, blank, words, meta)
    journal.write(_OFFERED_TO_DUT, offered, words, meta, slots, events, 0, log, log_count)
    event_count[0] = 0
    network_fault.apply(
        t_ns + dt_ns,
        _SEAM_TO_DUT,
        rows,
        numbers,
        memory,
        pending[0],
        n_pending[0],
        words,
        meta,
        events,
        event_count,
        slots,
    )
    journal.write(_TO_DUT, every, words, meta, slots, events, event_count[0], log, log_count)


@kernel
def answer(
    t_ns: int, dt_ns: int, words: I64, meta: I64, events: I64, event_count: I64, signals: I64, scales: F64, slots: I64,
    rows: I64, numbers: F64, memory: F64, pending: I64, n_pending: I64, offered: I64, every: I64, log: I64, log_count: I64,
    blank: I64, roles: I64, io_value: F64, io_valid: U8, io_last: I64, io_spare: I64, block: I64, pack_f: F64,
) -> None:  # fmt: skip
    """Take the device's frames, which start at t: note, disturb, note, obey."""
    journal.write(_OFFERED_FROM_DUT, offered, words, meta, slots, events, 0, log, log_count)
    network_fault.apply(
        t_ns + dt_ns,
        _SEAM_FROM_DUT,
        rows,
        numbers,
        memory,
        pending[1],
        n_pending[1],
        words,
        meta,
        events,
        event_count,
        slots,
    )
    journal.write(_FROM_DUT, every, words, meta, slots, events, event_count[0], log, log_count)
    pack_io.obey(
        t_ns, words, meta, events, event_count[0], signals, scales, slots, blank, roles, io_value, io_valid, io_last, io_spare,
        block, pack_f,
    )  # fmt: skip


@kernel
def record(
    cells: F64, par: F64, strings: F64, pack_f: F64, pack_par: F64, sensors: F64, block: I64, addresses: I64, row: F64,
    sample: F64, parameter: F64, with_cells: bool,
) -> None:  # fmt: skip
    """Write the truth of this tick, and the plant parameters that faults touch."""
    truth.observe(cells, par, strings, pack_f, pack_par, block, row, sample, with_cells)
    truth.read_back(addresses, par, pack_par, sensors, block, parameter)


@kernel
def queue(words: I64, meta: I64, slots: I64, events: I64, every: I64, log: I64, log_count: I64) -> None:
    """Note the frames that the device gives to an arbitrated bus."""
    journal.write(_QUEUED_FROM_DUT, every, words, meta, slots, events, 0, log, log_count)


@kernel
def arrive(
    t_ns: int, dt_ns: int, words: I64, meta: I64, events: I64, event_count: I64, slots: I64, rows: I64, numbers: F64,
    memory: F64, pending: I64, n_pending: I64, offered: I64, every: I64, log: I64, log_count: I64,
) -> None:  # fmt: skip
    """What an arbitrated bus brought to the device in the tick at t: note, disturb, note."""
    journal.write(_OFFERED_TO_DUT, offered, words, meta, slots, events, 0, log, log_count)
    network_fault.apply(
        t_ns + dt_ns, _SEAM_TO_DUT, rows, numbers, memory, pending[0], n_pending[0], words, meta, events, event_count, slots,
    )  # fmt: skip
    journal.write(_TO_DUT, every, words, meta, slots, events, event_count[0], log, log_count)


@kernel
def heard(
    t_ns: int, dt_ns: int, words: I64, meta: I64, deaf: I64, events: I64, event_count: I64, signals: I64, scales: F64,
    slots: I64, rows: I64, numbers: F64, memory: F64, pending: I64, n_pending: I64, offered: I64, every: I64, log: I64,
    log_count: I64, blank: I64, roles: I64, io_value: F64, io_valid: U8, io_last: I64, io_spare: I64, block: I64, pack_f: F64,
) -> None:  # fmt: skip
    """What an arbitrated bus brought of the device's frames in the tick at t: note, disturb, note, obey what was heard."""
    journal.write(_OFFERED_FROM_DUT, offered, words, meta, slots, events, 0, log, log_count)
    network_fault.apply(
        t_ns + dt_ns, _SEAM_FROM_DUT, rows, numbers, memory, pending[1], n_pending[1], words, meta, events, event_count, slots,
    )  # fmt: skip
    journal.write(_FROM_DUT, every, words, meta, slots, events, event_count[0], log, log_count)
    for p in range(words.shape[0]):
        for s in range(slots.shape[0]):
            if deaf[p, s] == 1:
                meta[p, SENT, s] = 0
    pack_io.obey(
        t_ns, words, meta, events, event_count[0], signals, scales, slots, blank, roles, io_value, io_valid, io_last, io_spare,
        block, pack_f,
    )  # fmt: skip
