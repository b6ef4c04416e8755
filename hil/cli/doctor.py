"""nabench doctor: what this machine can do, and the command that fixes what it cannot."""

from __future__ import annotations

from typing import Annotated

import typer

from hil.cli import say

_PACKAGES = ("numpy", "numba", "llvmlite", "cantools", "python-can", "pyserial", "pydantic", "typer", "rich", "jinja2", "bokeh")
_JITTER_TICK_NS = 10_000_000
_JITTER_TICKS = 100
_GOOD_JITTER_NS = 2_000_000


def doctor(
    jitter: Annotated[
        float | None,
        typer.Option(
            min=1.0,
            max=3600.0,
            metavar="SECONDS",
            help="Only send 800 frames/s for so long; say how they kept time.",
            show_default=False,
        ),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Say what this machine can do: versions, kernels, timers, scheduling, buses, ports, permissions; and what fixes it."""
    import json

    from rich.markup import escape
    from rich.table import Table

    if jitter is not None:
        from hil.speed import wire, wire_table

        pace = wire.pacing(jitter)
        typer.echo(json.dumps(pace, indent=1) if json_ else wire_table.pace_text(pace))
        return
    rows = [*_software(), *_kernels(), *_time(), *_buses()]
    if json_:
        typer.echo(json.dumps(rows, indent=1))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("what", "", "found", "fix"):
        table.add_column(column, no_wrap=column in ("what", ""), overflow="fold")
    for row in rows:
        state = "[green]ok[/]" if row["ok"] else "[yellow]missing[/]"
        table.add_row(str(row["what"]), state, escape(str(row["found"])), escape(str(row["fix"])))
    say.console().print(table)


Row = dict[str, object]


def _row(what: str, ok: bool, found: str, fix: str = "") -> Row:
    return {"what": what, "ok": ok, "found": found, "fix": "" if ok else fix}


def _software() -> list[Row]:
    import platform
    import sys
    from importlib.metadata import PackageNotFoundError, version

    from hil import __version__

    rows = [_row("nabench", True, __version__)]
    python = sys.version.split()[0]
    rows.append(
        _row("python", sys.version_info >= (3, 11), f"{python} on {platform.platform()}", "install Python 3.11 or later")
    )
    for name in _PACKAGES:
        try:
            rows.append(_row(name, True, version(name)))
        except PackageNotFoundError:
            rows.append(_row(name, False, "not installed", f"pip install {name}"))
    return rows


def _kernels() -> list[Row]:
    import os

    from firmware_sim import caches, jit
    from hil import warm

    folder, root = jit.CACHE_FOLDER, jit.cache_root()
    size = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
    builds = caches.builds(root)
    usable = os.access(root, os.W_OK)
    ready = warm.is_warm()
    how = "compiled" if jit.is_compiled() else "interpreted (NUMBA_DISABLE_JIT is set)"
    state = "in the cache" if ready else "not compiled yet"
    found = f"{how}, {state}" if jit.is_compiled() else how
    return [
        _row("kernels", ready, found, f"nabench run (compiles once, {warm.takes()})"),
        _row(
            "kernel cache",
            usable,
            f"{folder}, {size / 1e6:.1f} MB in {len(builds)} builds",
            "set NABENCH_CACHE_DIR to a folder that can be written",
        ),
    ]


def _time() -> list[Row]:
    import os
    import sys

    import numpy as np

    from hil.clock import WallClock, sharp

    clock = WallClock()
    with sharp() as scheduling:
        clock.start()
        late = np.sort([clock.wait(k * _JITTER_TICK_NS) for k in range(1, _JITTER_TICKS + 1)])
    half, most, worst = (f"{x / 1e6:.2f}" for x in (late[len(late) // 2], late[len(late) * 99 // 100], late[-1]))
    text = f"10 ms ticks for 1 s: late by {half} ms (half), {most} ms (99 %), {worst} ms (worst); {scheduling}"
    good = bool(late[len(late) * 99 // 100] <= _GOOD_JITTER_NS)
    rows = [_row("timer", good, text, "close other programs; a real-time scheduler helps")]
    if sys.platform == "linux":
        allowed, why = _fifo_allowed()
        fix = "sudo setcap cap_sys_nice+ep " + os.path.realpath(sys.executable)
        rows.append(_row("SCHED_FIFO", allowed, "allowed" if allowed else f"not allowed: {why}", fix))
    rows.append(_row("processors", (os.cpu_count() or 1) >= 2, str(os.cpu_count()), "use a machine with two or more"))
    return rows


def _fifo_allowed() -> tuple[bool, str]:
    """Try it, and go back."""
    import os

    policy, parameter = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except OSError as error:
        return False, error.strerror or str(error)
    os.sched_setscheduler(0, policy, parameter)
    return True, ""


def _buses() -> list[Row]:
    from hil.link import survey

    rows = [_row(f"bus {i.name}", i.loads, "its software loads" if i.loads else i.reason, i.fix) for i in survey.interfaces()]
    ports = survey.serial_ports()
    rows.append(
        _row(
            "serial ports",
            bool(ports),
            ", ".join(ports) if ports else "none found",
            "plug in an adapter",
        )
    )
    rows += [
        _row(p.what, not p.fix, p.found, p.fix) for p in (*survey.port_permits(), survey.multicast(), *survey.kernel_buses())
    ]
    why = survey.kernel_can()
    rows.append(_row("SocketCAN", not why, why or "in the kernel", "sudo modprobe can can_raw vcan"))
    return rows
