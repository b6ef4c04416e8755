"""environment.json: where and with what a run was made. Not part of the verdict, so it may differ between equal runs."""

from __future__ import annotations

import json
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from firmware_sim import jit
from hil import __version__
from hil.report.record import RunRecord

_PACKAGES = ("numpy", "numba", "llvmlite", "cantools", "python-can", "pydantic", "bokeh")


def text(record: RunRecord) -> str:
    """The environment as JSON."""
    late = record.trace.late_ns
    out = {
        **versions(),
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "kernels": "compiled" if jit.is_compiled() else "interpreted",
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "dut": record.trace.info.get("dut"),
    }
    if record.speed is not None:
        out["speed"] = {
            "simulated_s": record.speed.simulated_s,
            "cpu_s": round(record.speed.cpu_s, 4),
            "wall_s": round(record.speed.wall_s, 4),
            "x_real_time": round(record.speed.x_real_time, 1),
        }
    if len(late):
        tick_ms = record.trace.dt_ns / 1e6
        out["jitter_ms"] = {
            "mean": round(float(late.mean()) / 1e6, 4),
            "max": round(float(late.max()) / 1e6, 4),
            "tick": tick_ms,
        }
        out["missed_deadlines"] = int((late > record.trace.dt_ns).sum())
    link = record.trace.info.get("link") or {}
    out |= {name: link[name] for name in ("scheduling", "stamps", "pacing") if name in link}
    return json.dumps(out, indent=1, sort_keys=True) + "\n"


def versions() -> dict[str, object]:
    """What of this program, Python and packages is in use."""
    packages = {name: _version(name) for name in _PACKAGES}
    return {"nabench": __version__, "python": sys.version.split()[0], "packages": packages}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
