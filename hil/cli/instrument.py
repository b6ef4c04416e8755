"""nabench instrument: a simulated instrument to try a bench file with."""

from __future__ import annotations

from typing import Annotated

import typer


def instrument(
    at: Annotated[
        str, typer.Option(help="tcp:HOST:PORT, port 0 for a free one; or pty, a serial line.")
    ] = "tcp:127.0.0.1:5025",
    relays: Annotated[bool, typer.Option("--relays", help="A relay card that speaks Modbus TCP instead of SCPI.")] = False,
    for_: Annotated[float | None, typer.Option("--for", min=0.01, metavar="SECONDS", help="End after this time.")] = None,
) -> None:
    """Serve a simulated source (VOLT CURR RES TEMP OUTP, channels 1 to 32) and print what it is told. Ctrl-C ends."""
    import threading
    import time

    from hil.io import simulated
    from hil.link import stand

    served = simulated.Served(at, relays, typer.echo)
    stop, end_s = threading.Event(), None if for_ is None else time.monotonic() + for_
    try:
        with stand.signals_set(stop):
            typer.echo(f"instrument at {served.address}")
            served.run(lambda: stop.is_set() or (end_s is not None and time.monotonic() >= end_s))
    finally:
        served.close()
