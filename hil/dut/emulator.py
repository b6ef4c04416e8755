"""The built-in firmware as a device under test: in lockstep, staged or fused."""

from __future__ import annotations

import numpy as np

from firmware_sim import bms, nvm
from firmware_sim import state as st
from firmware_sim.settings import Settings
from firmware_sim.state import FirmwareState
from firmware_sim.types import I64
from firmware_sim.wire.layout import Events, Image

_EVENT_ROOM = 64


class Emulator:
    """n copies of the emulated BMS, one for each pack of a batch.

    settings: the calibration, bound.  dt_ns: its task cycle, the bench's tick.  bus_free_ns: (n_packs, n_buses), shared
    with the bench, because both sides send on the same buses.
    """

    lockstep = True

    def __init__(self, settings: Settings, dt_ns: int, bus_free_ns: I64) -> None:
        self.settings = settings
        self.dt_ns = dt_ns
        self.bus_free_ns = bus_free_ns
        self.n_packs = int(bus_free_ns.shape[0])
        self.image = Image.empty(settings.tx_layout, self.n_packs)
        self.events = Events.empty(_EVENT_ROOM * self.n_packs)
        self.spare = np.zeros((self.n_packs, settings.rx_layout.n_words), np.int64)
        self.state: FirmwareState = bms.power_on(settings, self.n_packs)

    def start(self, t_ns: int) -> None:
        """Power on, with blank non-volatile memory."""
        self.state = bms.power_on(self.settings, self.n_packs, t_ns)

    def reset(self, t_ns: int) -> None:
        """Power on again; non-volatile memory survives."""
        self.state = bms.power_on(self.settings, self.n_packs, t_ns, self.state)

    def tear(self, t_ns: int) -> bool:
        """Lose the supply in the middle of a write to memory, in every pack, and power on again.

        Of the page that is being written half is there, and the rest as it was erased; which page, follows from t_ns.
        """
        b, n = self.state, self.state.nvm.shape[2]
        page = t_ns // self.dt_ns % -(-(n - nvm.FORMAT) // nvm.PIECE)
        for p in range(self.n_packs):
            b.whole[st.NVM_PIECE, p] = max(int(b.whole[st.NVM_PIECE, p]), 1)
            while b.whole[st.NVM_PIECE, p] < page + 3:
                nvm.write(b.nvm, b.cell, b.real, b.whole, p)
            at = nvm.FORMAT + nvm.PIECE * max(int(b.whole[st.NVM_PIECE, p]) - 3, 0)
            b.nvm[1 - int(b.whole[st.NVM_COPY, p]), p, at + nvm.PIECE // 2 : at + nvm.PIECE] = nvm.ERASED
        self.reset(t_ns)
        return True

    def exchange(self, t_ns: int, image: Image, events: Events) -> tuple[Image, Events]:
        """One task of the firmware: its frames start when the tick ends."""
        b, s, rx, tx = self.state, self.settings, self.settings.rx_layout, self.settings.tx_layout
        self.events.count[0] = 0
        bms.step(
            t_ns + self.dt_ns, self.dt_ns, image.words, image.meta, events.rows, events.count, self.spare,
            b.cell, b.ntc, b.real, b.whole, b.limit, b.link, b.value, b.valid, b.quantity, b.known, b.out,
            b.nvm, b.sender, self.bus_free_ns,
            s.limits, s.thresholds, s.whole, s.real, s.kinds, s.stretches, s.power, s.curves, s.ln_r, s.nodes, s.n_nodes, s.rx,
            s.tx, s.tx_scale, s.cell_map, s.ntc_map, rx.signals, rx.scales, rx.slots, rx.blank, tx.signals, tx.scales,
            tx.slots, tx.blank, self.image.words, self.image.meta,
        )  # fmt: skip
        return self.image, self.events

    def close(self) -> None:
        """Nothing to release."""
