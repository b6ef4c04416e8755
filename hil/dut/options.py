"""What the first description of a bus says of the device besides the bus: four keys of ours, taken out of it."""

from __future__ import annotations

from dataclasses import dataclass

from hil.benchfile import BenchFile
from hil.errors import ScenarioError
from hil.link.spec import BusSpec

_READY_S = 5.0


@dataclass(frozen=True)
class Options:
    """switched_by: how its supply is switched.  ready_ns: how long to wait for the device.  boot_ns: how long it may be
    silent after its supply came back.  fifo: ask for SCHED_FIFO.
    """

    switched_by: str
    ready_ns: int
    boot_ns: int
    fifo: bool


def take(spec: BusSpec, text: str, bench: BenchFile | None) -> Options:
    """Take the keys out of a description. text: as it was written.  bench: has defaults.  Raises ScenarioError."""
    options = spec.options
    supply = options.pop("supply", "frame" if bench is None else bench.dut.switched_by)
    if supply not in ("frame", "none") and bench is None:
        raise ScenarioError(f'bus "{text}": supply={supply}; expected "frame" or "none"')
    ready_s = options.pop("ready_s", _READY_S if bench is None else bench.dut.ready_s)
    if not isinstance(ready_s, int | float) or not 0 < ready_s <= 600:
        raise ScenarioError(f'bus "{text}": ready_s={ready_s}; expected seconds, up to 600')
    boot_ms = options.pop("boot_ms", 0)
    if not isinstance(boot_ms, int | float) or not 0 <= boot_ms <= 10_000:
        raise ScenarioError(f'bus "{text}": boot_ms={boot_ms}; expected milliseconds, up to 10000')
    scheduling = options.pop("scheduling", "fifo")
    if scheduling not in ("fifo", "normal"):
        raise ScenarioError(f'bus "{text}": scheduling={scheduling}; expected "fifo" or "normal"')
    return Options(str(supply), round(ready_s * 1e9), round(boot_ms * 1e6), scheduling == "fifo")
