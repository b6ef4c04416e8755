"""The compiled loop of the fused gear; in a file of its own, so that only kernels can make its cache stale."""

from __future__ import annotations

from firmware_sim import bms
from firmware_sim.jit import kernel
from firmware_sim.types import F64, I64, U8, U16
from hil import stages


@kernel
def loop(
    k_0: int, n_ticks: int, row_0: int, cell_row_0: int, dt_ns: int, cells_every: int,
    demand: F64, recording: F64, requests: I64, request_row: I64, request_roles: I64,
    f_rows: I64, f_numbers: F64, f_memory: F64, pending: I64, n_pending: I64,
    cells: F64, par: F64, strings: F64, pack_f: F64, pack_par: F64, block: I64, sensors: F64, ntc: I64,
    p_curves: F64, p_ln_r: F64, p_nodes: F64, decay: F64,
    gauss: F64, noise: U16, index: I64, values: F64, bus_free_ns: I64, sender: I64,
    rx_signals: I64, rx_scales: F64, rx_slots: I64, rx_blank: I64, rx_words: I64, rx_meta: I64, rx_events: I64, rx_count: I64,
    tx_signals: I64, tx_scales: F64, tx_slots: I64, tx_blank: I64, tx_words: I64, tx_meta: I64, tx_events: I64, tx_count: I64,
    io_roles: I64, io_value: F64, io_valid: U8, io_last: I64, io_spare: I64,
    touched: I64, offered_to: I64, offered_from: I64, every_to: I64, every_from: I64,
    addresses: I64, truth: F64, samples: F64, parameters: F64, sides: F64, log: I64, log_count: I64,
    spare: I64, cell: F64, ntc_state: F64, real: F64, whole: I64, limit: I64, link: I64, value: F64, valid: U8, q: F64,
    known: U8, out: F64, memory: I64, fw_sender: I64,
    limits: I64, thresholds: F64, settings: I64, reals: F64, kinds: F64, stretches: I64, power: F64, curves: F64, ln_r: F64,
    nodes: F64, n_nodes: I64, rx: I64, tx: I64, tx_scale: F64, cell_map: I64, ntc_map: I64,
) -> int:  # fmt: skip
    """Run n_ticks from tick k_0 on. row_0, cell_row_0: first free rows of the record blocks. Returns cell samples written."""
    cell_row = cell_row_0
    for n in range(n_ticks):
        k = k_0 + n
        t_ns = k * dt_ns
        if k > 0:
            stages.advance(
                t_ns - dt_ns, dt_ns, demand, recording, f_rows, f_numbers, f_memory, cells, par, strings, pack_f, pack_par,
                block, sensors, p_curves, p_ln_r, p_nodes, decay,
            )  # fmt: skip
        stages.sense(
            t_ns, cells, pack_f, pack_par, block, sensors, ntc, gauss, noise[k % noise.shape[0]], index, requests, request_row,
            request_roles, f_rows, f_numbers, f_memory, values, touched, sides[row_0 + n],
        )  # fmt: skip
        stages.send(
            t_ns, dt_ns, values, bus_free_ns, sender, rx_signals, rx_scales, rx_slots, rx_blank, rx_words, rx_meta, rx_events,
            rx_count, f_rows, f_numbers, f_memory, pending, n_pending, offered_to, every_to, log, log_count,
        )  # fmt: skip
        bms.step(
            t_ns + dt_ns, dt_ns, rx_words, rx_meta, rx_events, rx_count, spare, cell, ntc_state, real, whole, limit, link,
            value, valid, q, known, out, memory, fw_sender, bus_free_ns, limits, thresholds, settings, reals, kinds, stretches,
            power, curves, ln_r, nodes, n_nodes, rx, tx, tx_scale, cell_map, ntc_map, rx_signals, rx_scales, rx_slots, rx_blank,
            tx_signals, tx_scales, tx_slots, tx_blank, tx_words, tx_meta,
        )  # fmt: skip
        tx_count[0] = 0
        stages.answer(
            t_ns + dt_ns, dt_ns, tx_words, tx_meta, tx_events, tx_count, tx_signals, tx_scales, tx_slots, f_rows, f_numbers,
            f_memory, pending, n_pending, offered_from, every_from, log, log_count, tx_blank, io_roles, io_value, io_valid,
            io_last, io_spare, block, pack_f,
        )  # fmt: skip
        with_cells = k % cells_every == 0
        stages.record(
                cells, par, strings, pack_f, pack_par, sensors, block, addresses, truth[row_0 + n], samples[cell_row],
                parameters[row_0 + n], with_cells,
            )  # fmt: skip
        cell_row += 1 if with_cells else 0
    return cell_row - cell_row_0
