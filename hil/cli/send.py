"""nabench send: frames by hand, as bytes or by the names of a DBC."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hil.link.sending import Order


def send(
    bus: Annotated[str, typer.Argument(metavar="BUS", help="INTERFACE:CHANNEL[?KEY=VALUE&...].")],
    frame: Annotated[
        list[str],
        typer.Argument(metavar="FRAME...", help="ID#BYTES, as in 123#0102; or MESSAGE SIGNAL=VALUE...", show_default=False),
    ],
    network: Annotated[str, typer.Option(help="Network (name or file) whose databases name the signals.")] = "classic",
    dbc: Annotated[list[Path] | None, typer.Option(help="DBC file instead of a network; may be repeated.")] = None,
    every: Annotated[
        float | None, typer.Option(min=1, max=60_000, metavar="MS", help="Send again and again.", show_default=False)
    ] = None,
    for_: Annotated[
        float | None,
        typer.Option("--for", min=0.001, metavar="SECONDS", help="With --every: end after this time.", show_default=False),
    ] = None,
    arm: Annotated[bool, typer.Option("--arm", help="Send; without it, what would be sent is shown.")] = False,
) -> None:
    """Send frames. Counter and CRC are filled in where the DBC says so. Without --arm nothing is sent; exit code 2 then."""
    import sys

    from hil import arming
    from hil.errors import ScenarioError
    from hil.link import sending, spec

    where, wanted = spec.parse(bus), sending.orders(frame, network, dbc or [])
    if for_ is not None and every is None:
        raise ScenarioError("--for needs --every: a frame without it is sent once")
    often = "once" if every is None else f"every {every:g} ms {'until Ctrl-C' if for_ is None else f'for {for_:g} s'}"
    typer.echo(f"{'sending' if arm else 'would send'} on {bus}, {often}:")
    for order in wanted:
        typer.echo(f"  {order.text()}")
    if not arm:
        raise ScenarioError(f"nothing was opened or sent; to go on: {arming.typed(['nabench', *sys.argv[1:]])}")
    _go(where, wanted, every, for_)


def _go(where: object, wanted: list[Order], every_ms: float | None, for_s: float | None) -> None:
    import threading

    from hil.clock import WallClock
    from hil.errors import DutError
    from hil.link import stand
    from hil.link.can_bus import CanBus
    from hil.link.spec import BusSpec

    assert isinstance(where, BusSpec)
    stop, clock, n_sent, worst_ns = threading.Event(), WallClock(), 0, 0
    opened = CanBus(where, 500_000, any(order.fd for order in wanted))
    try:
        with stand.signals_set(stop):
            clock.start()
            t_ns = 0
            while not stop.is_set() and (for_s is None or t_ns < for_s * 1e9):
                worst_ns = max(worst_ns, clock.wait(t_ns))
                for order in wanted:
                    frame = order.frame()
                    if not opened.send(frame.can_id, frame.flags, frame.data):
                        raise DutError(
                            f'bus "{opened.name}" took no frame: its queue is full; is anybody there to acknowledge?'
                        )
                    n_sent += 1
                if every_ms is None:
                    break
                t_ns += round(every_ms * 1e6)
    finally:
        opened.close()
    late = "" if every_ms is None else f", the worst {worst_ns / 1e6:.1f} ms late"
    typer.echo(f"sent {n_sent} {'frame' if n_sent == 1 else 'frames'}{late}")
