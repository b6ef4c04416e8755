"""What every test stands on: kernels compiled once before the workers start, and hypothesis that repeats itself."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from firmware_sim import jit

settings.register_profile("nabench", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("nabench")


def _mark() -> Path:
    return jit.CACHE_FOLDER / f"compiled-for-tests-{jit.installation()}"


def pytest_configure(config: pytest.Config) -> None:
    """Compile in the controller, so that the workers find everything in the cache instead of each compiling it.

    A shell that starts the tests in the background has told them to ignore Ctrl-C; the programs under test must not.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    is_worker = hasattr(config, "workerinput")
    if is_worker or config.option.collectonly or not jit.is_compiled() or _mark().exists():
        return
    from hil import warm
    from hil.errors import NabenchError

    try:
        warm.warm(print)
        _fuse()
    except NabenchError as error:  # a shipped file is broken: its own test says so
        print("kernels were not compiled ahead:", error)
        return
    _mark().touch()


def _fuse() -> None:
    """Compile the fused loop too."""
    import rigs

    rigs.bench(rigs.scenario(duration_s=0.1)).run_fused(1)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that needs compiled kernels does not belong into a run without them; say so instead of taking minutes."""
    if jit.is_compiled():
        return
    wrong = [item.nodeid for item in items if item.get_closest_marker("compiled_only")]
    if wrong:
        raise pytest.UsageError(
            f'{len(wrong)} tests need compiled kernels, first {wrong[0]}; add -m "not compiled_only" to the command'
        )


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print which scenario caught which broken firmware in this run."""
    reports = [report for report in terminalreporter.stats.get("passed", ()) if report.when == "call"]
    lines = sorted(text for report in reports for key, text in report.user_properties if key == "mutant")
    if lines:
        terminalreporter.section(f"{len(lines)} scenarios, each seen to fail: scenario, broken firmware, finding")
        terminalreporter.write_line("\n".join(lines))
