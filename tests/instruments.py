"""Simulated instruments in a thread of a test, and bench files that use them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from hil.io.simulated import Served


@contextmanager
def served(at: str = "tcp:127.0.0.1:0", *, relays: bool = False, told: list[str] | None = None) -> Iterator[Served]:
    """An instrument at work. told: gets what it was told."""
    said = [] if told is None else told
    made, stop = Served(at, relays, said.append), threading.Event()
    thread = threading.Thread(target=made.run, args=(stop.is_set,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        stop.set()
        thread.join(timeout=5.0)
        made.close()


def bench(bus: str, address: str, driver: str = "scpi", quantity: str = "insulation") -> str:
    """A bench file with one instrument that feeds one quantity."""
    signal = {"insulation": "PackIO_Insulation", "hvil": "PackIO_Hvil"}[quantity]
    words = {"scpi": ('begin = ["OUTP ON,(@1)"]', "OUTP OFF", "RES {value:.0f}"), "modbus": ("", "3 off", "3 {value}")}[driver]
    return f"""
format = 1
title = "a bench of a test"
[dut]
ready_s = 30
[buses]
pack = "{bus}"
[feeds]
{quantity} = "io"
[[instrument]]
name = "one"
driver = "{driver}"
address = "{address}"
{words[0]}
safe = ["{words[1]}"]
every_ms = 5
[[instrument.channel]]
signal = "{signal}"
set = "{words[2]}"
"""
