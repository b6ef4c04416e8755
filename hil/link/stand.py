"""Everything a served device stands on: its files, its bus, its serial pair, the signals that end it."""

from __future__ import annotations

import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from firmware_sim.types import MS_NS
from hil import binding, calibration, network
from hil.clock import WallClock
from hil.dut.emulator import Emulator
from hil.errors import ScenarioError
from hil.link.link import Link
from hil.link.pty_pair import PtyPair
from hil.link.served import Served
from hil.link.spec import NO_BUS, BusSpec, parse_all
from hil.network import Network
from hil.plant import packfile

TICK_NS = 10 * MS_NS
_PTY = "pty"


@dataclass
class Stand:
    """A served device with all it needs. title: what is served.  pairs: what speaks on serial pairs that were made for it."""

    title: str
    served: Served
    pairs: list[tuple[str, PtyPair]]

    def greeting(self) -> str:
        """What is served, where, and how to reach it."""
        where = ",".join(bus.name for bus in self.served.link.buses)
        reach = ",".join(f"{kind}:{pair.far}" for kind, pair in self.pairs) if self.pairs else where
        dut = shlex.quote("remote" if reach == NO_BUS else f"remote:{reach}")
        return f"serving {self.title} on {where}; test it with: nabench run --arm --dut {dut}"

    def run(self, stopped: Callable[[], bool]) -> str:
        """Work until told to stop; returns a summary. Raises LinkLostError, BenchError."""

        def ended() -> bool:
            """Whether to stop. Raises LinkLostError when a serial pair is gone."""
            for _, pair in self.pairs:
                pair.check()
            return stopped()

        return self.served.run(ended).text(self.served.dut.dt_ns)

    def close(self) -> None:
        """Close bus and serial pairs."""
        self.served.link.close()
        for _, pair in self.pairs:
            pair.close()


def build(bus: str, pack_name: str, calibration_name: str | None, network_name: str, far: Path | None) -> Stand:
    """A device ready to run. far: name for the other end of a serial pair. Raises ScenarioError, DutError."""
    pack_path, pack, _, _ = packfile.load(pack_name)
    net = network.load(network_name, pack.n_cells, len(pack.ntc_cells), TICK_NS)
    if calibration_name is None:
        path, believed = calibration.load(pack.calibration, pack_path)
    else:
        path, believed = calibration.load(calibration_name)
    settings = binding.bind(
        believed, path, net.database, net.to_dut, net.from_dut, pack.cell_names(), pack.strings, pack.ntc_cells
    )
    dut = Emulator(settings, TICK_NS, np.zeros((1, net.n_buses), np.int64))
    size = f"{pack.series}S{pack.strings * pack.parallel}P"
    title = f"pack {pack.name} ({size}, calibration {believed.name}, network {Path(network_name).name})"
    return stand_up(dut, net, bus, far, title)


def stand_up(dut: Emulator, net: Network, bus: str, far: Path | None, title: str) -> Stand:
    """An emulator on its bus. Raises ScenarioError, DutError, BenchError."""
    pairs: list[tuple[str, PtyPair]] = []
    specs = [_on_pty(spec, pairs, far) for spec in parse_all(bus, net.n_buses)]
    if far is not None and len(pairs) != 1:
        for _, pair in pairs:
            pair.close()
        raise ScenarioError(f'--link names the other end of one slcan:pty or serial:pty; "{bus}" has {len(pairs)}')
    try:
        link = Link(specs, net, device=True)
    except Exception:
        for _, pair in pairs:
            pair.close()
        raise
    return Stand(title, Served(dut, net, link, WallClock()), pairs)


def _on_pty(spec: BusSpec, pairs: list[tuple[str, PtyPair]], far: Path | None) -> BusSpec:
    """slcan:pty becomes slcan on one end of a new pair; serial:pty python-can's serial framing."""
    if spec.interface not in ("slcan", "serial") or spec.channel != _PTY:
        return spec
    pair = PtyPair(far=far)
    pairs.append((spec.interface, pair))
    return replace(spec, text=f"{spec.interface}:{pair.near}", channel=str(pair.near))


@contextmanager
def signals_set(stop: threading.Event) -> Iterator[None]:
    """While this holds, Ctrl-C and a request to terminate set an event instead of breaking in."""
    wanted = [signal.SIGINT, signal.SIGTERM] if sys.platform != "win32" else [signal.SIGINT]
    before = {number: signal.signal(number, lambda _number, _frame: stop.set()) for number in wanted}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
