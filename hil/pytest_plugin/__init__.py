"""The pytest plugin: the `bench` fixture, *.scenario.toml files as tests, markers, options, and a health check.

pytest loads this package in every project that has nabench installed, so it imports nothing else of nabench until a test
needs it.
Each setting is an option, an environment variable and an ini value; the first that is given counts:

    --nabench-calibration FILE     NABENCH_CALIBRATION=FILE     nabench_calibration = FILE

What a test's own marker says (@pytest.mark.nabench(...)) stands between environment and ini value: the command line says
what to run this time, the marker what the test needs, the ini file what is usual here.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from hil.pytest_plugin.fixture import FAILED, FOLDER, SESSION, bench, keys_of
from hil.pytest_plugin.outcome import filed, measured, without_our_frames
from hil.pytest_plugin.scenarios import SUFFIX, ScenarioFile, ScenarioItem
from hil.pytest_plugin.settings import MARKERS, NOT_LASTING, SETTINGS, is_shared, is_worker, setting_of, value_of

__all__ = ["bench"]  # the fixture; pytest finds it and the hooks here


def pytest_addoption(parser: pytest.Parser) -> None:
    """Each setting as option and ini value."""
    group = parser.getgroup("nabench", "nabench, the BMS test bench")
    for name, setting in SETTINGS.items():
        ini = "" if name in NOT_LASTING else f", ini nabench_{name}"
        text = f"{setting.help} [NABENCH_{name.upper()}{ini}]"
        if setting.kind == "switch":
            group.addoption(f"--nabench-{name}", action="store_const", const="1", default=None, help=text)
        else:
            group.addoption(f"--nabench-{name}", metavar=setting.metavar, default=None, help=text)
        if ini:
            parser.addini(f"nabench_{name}", f"{setting.help}", default="")


# ---- start and collection


def pytest_configure(config: pytest.Config) -> None:
    """Register markers. A request to terminate ends tests as Ctrl-C does where a device must be left safe."""
    for line in MARKERS:
        config.addinivalue_line("markers", line)
    if is_shared(config):
        from hil.link import stop

        stack = ExitStack()
        stack.enter_context(stop.heeded())
        config.add_cleanup(stack.close)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, Any, Any]:
    """One device on a table serves one test at a time: more workers than one would talk to it at once."""
    if getattr(config.option, "numprocesses", None) and is_shared(config):
        config.option.numprocesses = 1
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """In a project that uses nabench, check the settings and compile kernels before workers start. Raises UsageError."""
    config = session.config
    given = [name for name in SETTINGS if setting_of(config, name) is not None]
    if not given or is_worker(config) or config.option.collectonly:
        return
    from hil import benchfile, calibration, devices, files
    from hil.errors import Problems
    from hil.plant import packfile

    problems = Problems()
    for name, load in (("pack", packfile.load), ("calibration", calibration.load)):
        if name in given:
            problems.call(load, value_of(config, name))
    if "network" in given:
        problems.call(files.resolve, "network", value_of(config, "network"))
    if "dut" in given:
        problems.call(devices.maker_of, value_of(config, "dut"))
    if "bench" in given:
        problems.call(benchfile.load, Path(value_of(config, "bench")))
    if problems.found:
        raise pytest.UsageError("\n".join(f"nabench: {problem}" for problem in problems.found))
    _warm(config)


def _warm(config: pytest.Config) -> None:
    from hil import warm

    reporter = config.pluginmanager.get_plugin("terminalreporter")
    warm.warm(lambda text: reporter.write_line(f"nabench: {text}") if reporter is not None else None)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Requirement markers become properties, already now, so that they reach JUnit XML from any worker."""
    known = [value for name, value in item.user_properties if name == "requirement"]
    for mark in reversed(list(item.iter_markers("requirement"))):
        for requirement in mark.args:
            if requirement not in known:
                known.append(requirement)
                item.user_properties.append(("requirement", str(requirement)))


def _is_ours(item: pytest.Item) -> bool:
    return isinstance(item, ScenarioItem) or "bench" in getattr(item, "fixturenames", ())


def pytest_collection_finish(session: pytest.Session) -> None:
    """Compile kernels before the first test that needs them, outside of its time; a real device is driven when armed only."""
    ours = [item for item in session.items if _is_ours(item)]
    if ours and not session.config.option.collectonly:
        _ask_armed(session.config, ours[0])
        _warm(session.config)


def _ask_armed(config: pytest.Config, first: pytest.Item) -> None:
    """Say what the first test would send to a real device. Raises UsageError when the bench is not armed."""
    from hil.errors import NabenchError, NotArmedError
    from hil.session import Session

    if not is_shared(config) or is_worker(config):  # a worker's tests say so themselves
        return
    try:
        if isinstance(first, ScenarioItem):
            first.ask_armed()
        else:
            Session(**{**keys_of(first), "arm": False}).close()
    except NotArmedError as error:
        listing = "\n".join(error.listing)
        if not value_of(config, "arm", False):
            raise pytest.UsageError(f"{first.name} would send\n{listing}\nnabench: {error}; to go on: --nabench-arm") from None
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.write_line(f"nabench: {first.name} sends\n{listing}")
    except NabenchError:
        return  # the test itself says so


# ---- scenario files


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.File | None:
    """*.scenario.toml is ours, but not the copy that a run folder keeps."""
    if not file_path.name.endswith(SUFFIX) or (file_path.parent / "inputs.json").exists():
        return None
    return ScenarioFile.from_parent(parent, path=file_path)


# ---- tests


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A requirement marker without an id is a mistake."""
    if any(not mark.args for mark in item.iter_markers("requirement")):
        pytest.fail('marker requirement names no requirement; write requirement("SR-...")', pytrace=False)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Sentences instead of our own frames; measured figures as properties; the run folder of a failed test."""
    if call.excinfo is not None:
        call.excinfo = without_our_frames(call.excinfo)
    session = item.stash.get(SESSION, None)
    if session is None or call.when != "call":
        return (yield)
    item.user_properties += measured(session.findings)
    report = yield
    item.stash[FAILED] = report.failed
    out = value_of(item.config, "out")
    if session.time_s > 0.0 and (report.failed or out is not None):
        folder = Path(out) if out is not None else item.stash[FOLDER].mktemp("nabench", numbered=True)
        report.sections.append(("nabench", filed(item, session, folder, call.excinfo)))
    return report
