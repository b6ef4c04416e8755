"""Settings of the plugin: from the command line, the environment, or the ini file; the first that is given counts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import pytest


class Setting(NamedTuple):
    """One setting: how it is shown, what it means, and what its text becomes."""

    metavar: str
    help: str
    kind: str = "text"


SETTINGS = {
    "dut": Setting("NAME", "the device under test, as in nabench run --dut (see: nabench list duts)"),
    "bench": Setting("FILE", "bench file that says what the device is, instead of a dut", "file"),
    "seed": Setting("N", "seed of spreads and noise", "number"),
    "pack": Setting("PACK", "pack of the bench fixture (name or file)", "file"),
    "calibration": Setting("FILE", "calibration of the device (name or file), also for scenarios", "file"),
    "network": Setting("NETWORK", "network of the bench fixture (name or file)", "file"),
    "out": Setting("DIR", "write a run folder for every bench test and scenario there", "folder"),
    "realtime": Setting("", "take wall time", "switch"),
    "arm": Setting("", "drive a real device, for this call alone: no ini value", "switch"),
}
NOT_LASTING = ("arm",)  # what is decided anew each time, and never by a file
MARKER_KEYS = ("pack", "soc", "temperature_degC", "network", "calibration", "seed", "tick_ms", "memory_MB")
MARKERS = (
    f"nabench({', '.join(f'{key}=...' for key in MARKER_KEYS)}): the bench of this test",
    "nabench_leaves_faults: this test may end with faults injected",
    'requirement("SR-...", ...): requirements that this test serves; properties in JUnit XML',
)
_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off", "")
_PARALLEL = ("emulator", "broken")  # devices of which every worker can have its own


def _text(config: pytest.Config, name: str) -> tuple[str, Path, bool] | None:
    """A setting as given, the folder from which relative names count, and whether it was given for this run."""
    option = config.getoption(f"nabench_{name}", None)
    if option is not None:
        return str(option), config.invocation_params.dir, True
    variable = os.environ.get(f"NABENCH_{name.upper()}")
    if variable:
        return variable, config.invocation_params.dir, True
    ini = "" if name in NOT_LASTING else str(config.getini(f"nabench_{name}") or "")
    return (ini, config.inipath.parent if config.inipath is not None else config.rootpath, False) if ini else None


def setting_of(config: pytest.Config, name: str) -> tuple[Any, bool] | None:
    """A setting's value, and whether it was given for this run; None when nobody gave it. Raises UsageError."""
    found = _text(config, name)
    if found is None:
        return None
    text, near, now = found
    kind = SETTINGS[name].kind
    if kind == "number":
        if not text.isdecimal():
            raise pytest.UsageError(f'nabench {name} "{text}" is not a whole number of 0 or more')
        return int(text), now
    if kind == "switch":
        if text.lower() not in _YES + _NO:
            raise pytest.UsageError(f'nabench {name} "{text}" is neither yes nor no')
        return text.lower() in _YES, now
    is_path = kind == "folder" or (kind == "file" and (text.endswith(".toml") or "/" in text or "\\" in text))
    return (str(near / text) if is_path else text), now


def value_of(config: pytest.Config, name: str, default: Any = None) -> Any:
    """A setting's value, or what counts when nobody gave it. Raises UsageError."""
    found = setting_of(config, name)
    return default if found is None else found[0]


def bench_file(config: pytest.Config) -> Path | None:
    """The bench file, where one was given."""
    found = value_of(config, "bench")
    return None if found is None else Path(found)


def is_worker(config: pytest.Config) -> bool:
    """True in a process of pytest-xdist."""
    return hasattr(config, "workerinput")


def is_shared(config: pytest.Config) -> bool:
    """True for a device of which there is only one, on somebody's table."""
    return value_of(config, "bench") is not None or str(value_of(config, "dut", "emulator")).partition(":")[0] not in _PARALLEL
