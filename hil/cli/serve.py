"""nabench serve: the emulator as a device of its own, on a real or virtual bus."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def serve(
    bus: Annotated[
        str, typer.Option(help="INTERFACE:CHANNEL[?KEY=VALUE&...]; slcan:pty or serial:pty makes a pair of ports.")
    ] = "udp_multicast:239.74.163.2",
    pack: Annotated[str, typer.Option(help="Pack (name or file) that the device is for.")] = "nfm-16s",
    calibration: Annotated[
        str | None, typer.Option(help="Calibration (name or file) instead of the pack's.", show_default=False)
    ] = None,
    network: Annotated[str, typer.Option(help="Network (name or file).")] = "classic",
    link: Annotated[
        Path | None, typer.Option(help="With slcan:pty or serial:pty: name for the other end of the line.", show_default=False)
    ] = None,
    for_: Annotated[float | None, typer.Option("--for", min=0.01, metavar="SECONDS", help="End after this time.")] = None,
) -> None:
    """Run the emulated BMS in wall time, as a device for `nabench run --dut remote:...`; it knows only frames. Ctrl-C ends."""
    import threading
    import time

    from hil import warm
    from hil.link import stand

    warm.warm(lambda text: typer.echo(text, err=True))
    device = stand.build(bus, pack, calibration, network, link)
    stop, end_s = threading.Event(), None if for_ is None else time.monotonic() + for_
    try:
        with stand.signals_set(stop):
            typer.echo(device.greeting())
            report = device.run(lambda: stop.is_set() or (end_s is not None and time.monotonic() >= end_s))
    finally:
        device.close()
    typer.echo(report)
