"""Compile the kernels before they are needed, on two cores, and say so.

Compiling takes 70 s of a processor, once for each version and processor; afterwards the cache serves every process. Half of
the kernels are compiled in a second process into the same cache. How long it took is kept, and told the next time.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from firmware_sim import jit

if TYPE_CHECKING:
    from hil.setup import Setup

_TAKES = "about a minute on two cores"


def _done() -> Path:
    """The mark that says that the kernels of this installation were compiled."""
    return jit.CACHE_FOLDER / f"compiled-{jit.installation()}"


def is_warm() -> bool:
    """True when nothing is left to compile, or when kernels are interpreted."""
    return not jit.is_compiled() or _done().exists()


def warm(say: Callable[[str], None]) -> None:
    """Compile what a staged run needs. say: told once, before it begins, when it will take time."""
    if is_warm():
        return
    with _alone():
        if not is_warm():
            _compile(say)


@contextmanager
def _alone() -> Iterator[None]:
    """One process compiles, others wait for it; the lock goes when its process does. Where there is none, all compile."""
    if os.name != "posix":
        yield
        return
    import fcntl

    with (jit.CACHE_FOLDER / "compiling").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def takes() -> str:
    """How long compiling takes: measured the last time, else what was measured where this was written."""
    try:
        seconds = float(_took().read_text(encoding="ascii")[:20])
    except (OSError, ValueError):
        seconds = 0.0
    return f"{seconds:.0f} s the last time" if 1.0 <= seconds <= 86_400.0 else _TAKES


def _took() -> Path:
    return jit.cache_root() / "compiled-in-s"


def _compile(say: Callable[[str], None]) -> None:
    say(f"compiling kernels for this machine; once, {takes()}")
    begun = time.perf_counter()
    with subprocess.Popen([sys.executable, "-m", "hil.warm"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as helper:
        bench_side()
        helper.wait()
    device_side()
    _done().touch()
    with contextlib.suppress(OSError):
        _took().write_text(f"{time.perf_counter() - begun:.1f}", encoding="ascii")


def _example() -> Setup:
    from hil import files, scenario, setup

    path = next(iter(files.shipped("scenario").values()))
    return setup.build(scenario.load(path))


def bench_side() -> None:
    """Run each stage of the bench once."""
    from firmware_sim.wire.layout import Events, Image

    built = _example()
    rig = built.rig
    for _ in range(2):
        rig.advance()
        rig.sense()
        rig.send()
        rig.answer(Image.empty(built.network.from_dut, rig.plant.n_packs), Events.empty())
        rig.record()


def device_side() -> None:
    """Run the firmware and the decoder of the judge once."""
    import numpy as np

    from firmware_sim.wire.layout import Events, Image
    from hil import journal
    from hil.dut.emulator import Emulator
    from hil.wirelog import WireLog

    built = _example()
    dut = Emulator(built.settings, built.rig.dt_ns, built.rig.bus_free_ns)
    dut.exchange(0, Image.empty(built.network.to_dut, 1), Events.empty())
    WireLog(np.zeros((0, journal.n_columns(1)), np.int64), built.network).series("BMS_State")


if __name__ == "__main__":
    device_side()
