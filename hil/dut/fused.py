"""The fused gear: the whole loop of plant, wire and emulated firmware in one compiled call of many ticks.

It calls the same functions as the staged gear in the same order, so both end in the same state, bit for bit.
"""

from __future__ import annotations

from hil.dut.emulator import Emulator
from hil.dut.loop import loop
from hil.rig import CHUNK, Rig


def run(rig: Rig, dut: Emulator, n_ticks: int) -> None:
    """Run n_ticks of a rig with the emulator, a record chunk at a time."""
    while n_ticks > 0:
        n = min(n_ticks, CHUNK - rig.chunk.n_ticks)
        pl, f, c, io, to_dut, from_dut = rig.plant, rig.faults, rig.chunk, rig.io, rig.network.to_dut, rig.network.from_dut
        st, s = dut.state, dut.settings
        sampled = loop(
            rig.k, n, c.n_ticks, c.n_cells, rig.dt_ns, rig.cells_every,
            rig.inputs.demand, rig.inputs.recording, rig.inputs.requests, rig.request_row, rig.request_roles,
            f.rows, f.numbers, f.memory, f.pending, f.n_pending,
            pl.cells, pl.par, pl.strings, pl.pack, pl.pack_par, pl.block, pl.sensor, pl.ntc, pl.curves, pl.ln_r, pl.nodes,
            pl.decay,
            rig.gauss, rig.noise, rig.index, rig.values, rig.bus_free_ns, rig.sender,
            to_dut.signals, to_dut.scales, to_dut.slots, to_dut.blank, rig.image.words, rig.image.meta, rig.events.rows,
            rig.events.count,
            from_dut.signals, from_dut.scales, from_dut.slots, from_dut.blank, dut.image.words, dut.image.meta,
            dut.events.rows, dut.events.count,
            io.roles, io.value, io.valid, io.last, io.spare,
            rig.touched, rig.offered[0], rig.offered[1], rig.every[0], rig.every[1],
            rig.addresses, c.truth, c.cells, c.parameters, c.sides, c.log, c.log_count,
            dut.spare, st.cell, st.ntc, st.real, st.whole, st.limit, st.link, st.value, st.valid, st.quantity, st.known, st.out,
            st.nvm, st.sender,
            s.limits, s.thresholds, s.whole, s.real, s.kinds, s.stretches, s.power, s.curves, s.ln_r, s.nodes, s.n_nodes, s.rx,
            s.tx, s.tx_scale, s.cell_map, s.ntc_map,
        )  # fmt: skip
        rig.count(n, sampled)
        n_ticks -= n
