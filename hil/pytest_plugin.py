"""The pytest plugin: the `bench` fixture, *.scenario.toml files as tests, markers, options, and a health check.

pytest loads this file in every project that has nabench installed, so it imports nothing of nabench until a test needs it.
Each setting is an option, an environment variable and an ini value; the first that is given counts:

    --nabench-calibration FILE     NABENCH_CALIBRATION=FILE     nabench_calibration = FILE

What a test's own marker says (@pytest.mark.nabench(...)) stands between environment and ini value: the command line says
what to run this time, the marker what the test needs, the ini file what is usual here.
"""

from __future__ import annotations

import os
import sys
import tomllib
import traceback
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from hil.errors import NabenchError
    from hil.report.record import RunRecord
    from hil.runner import Options
    from hil.session import Session
    from hil.verdict import Finding


class _Setting(NamedTuple):
    """One setting: how it is shown, what it means, and what its text becomes."""

    metavar: str
    help: str
    kind: str = "text"


_SETTINGS = {
    "dut": _Setting("NAME", "the device under test, as in nabench run --dut (see: nabench list duts)"),
    "bench": _Setting("FILE", "bench file that says what the device is, instead of a dut", "file"),
    "seed": _Setting("N", "seed of spreads and noise", "number"),
    "pack": _Setting("PACK", "pack of the bench fixture (name or file)", "file"),
    "calibration": _Setting("FILE", "calibration of the device (name or file), also for scenarios", "file"),
    "network": _Setting("NETWORK", "network of the bench fixture (name or file)", "file"),
    "out": _Setting("DIR", "write a run folder for every bench test and scenario there", "folder"),
    "realtime": _Setting("", "take wall time", "switch"),
    "arm": _Setting("", "drive a real device, for this call alone: no ini value", "switch"),
}
_NOT_LASTING = ("arm",)  # what is decided anew each time, and never by a file
_MARKER_KEYS = ("pack", "soc", "temperature_degC", "network", "calibration", "seed", "tick_ms", "memory_MB")
_MARKERS = (
    f"nabench({', '.join(f'{key}=...' for key in _MARKER_KEYS)}): the bench of this test",
    "nabench_leaves_faults: this test may end with faults injected",
    'requirement("SR-...", ...): requirements that this test serves; properties in JUnit XML',
)
_SUFFIX = ".scenario.toml"
_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off", "")
_PARALLEL = ("emulator", "broken")  # devices of which every worker can have its own

_session_key = pytest.StashKey["Session"]()
_folder_key = pytest.StashKey[pytest.TempPathFactory]()
_failed_key = pytest.StashKey[bool]()


# ---- settings


def pytest_addoption(parser: pytest.Parser) -> None:
    """Each setting as option and ini value."""
    group = parser.getgroup("nabench", "nabench, the BMS test bench")
    for name, setting in _SETTINGS.items():
        ini = "" if name in _NOT_LASTING else f", ini nabench_{name}"
        text = f"{setting.help} [NABENCH_{name.upper()}{ini}]"
        if setting.kind == "switch":
            group.addoption(f"--nabench-{name}", action="store_const", const="1", default=None, help=text)
        else:
            group.addoption(f"--nabench-{name}", metavar=setting.metavar, default=None, help=text)
        if ini:
            parser.addini(f"nabench_{name}", f"{setting.help}", default="")


def _text(config: pytest.Config, name: str) -> tuple[str, Path, bool] | None:
    """A setting as given, the folder from which relative names count, and whether it was given for this run."""
    option = config.getoption(f"nabench_{name}", None)
    if option is not None:
        return str(option), config.invocation_params.dir, True
    variable = os.environ.get(f"NABENCH_{name.upper()}")
    if variable:
        return variable, config.invocation_params.dir, True
    ini = "" if name in _NOT_LASTING else str(config.getini(f"nabench_{name}") or "")
    return (ini, config.inipath.parent if config.inipath is not None else config.rootpath, False) if ini else None


def _setting(config: pytest.Config, name: str) -> tuple[Any, bool] | None:
    """A setting's value, and whether it was given for this run; None when nobody gave it. Raises UsageError."""
    found = _text(config, name)
    if found is None:
        return None
    text, near, now = found
    kind = _SETTINGS[name].kind
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


def _value(config: pytest.Config, name: str, default: Any = None) -> Any:
    found = _setting(config, name)
    return default if found is None else found[0]


def _bench(config: pytest.Config) -> Path | None:
    found = _value(config, "bench")
    return None if found is None else Path(found)


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def _is_shared(config: pytest.Config) -> bool:
    """True for a device of which there is only one, on somebody's table."""
    return _value(config, "bench") is not None or str(_value(config, "dut", "emulator")).partition(":")[0] not in _PARALLEL


# ---- start and collection


def pytest_configure(config: pytest.Config) -> None:
    """Register markers. A request to terminate ends tests as Ctrl-C does where a device must be left safe."""
    for line in _MARKERS:
        config.addinivalue_line("markers", line)
    if _is_shared(config):
        from hil.link import stop

        stack = ExitStack()
        stack.enter_context(stop.heeded())
        config.add_cleanup(stack.close)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, Any, Any]:
    """One device on a table serves one test at a time: more workers than one would talk to it at once."""
    if getattr(config.option, "numprocesses", None) and _is_shared(config):
        config.option.numprocesses = 1
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """In a project that uses nabench, check the settings and compile kernels before workers start. Raises UsageError."""
    config = session.config
    given = [name for name in _SETTINGS if _setting(config, name) is not None]
    if not given or _is_worker(config) or config.option.collectonly:
        return
    from hil import benchfile, calibration, devices, files
    from hil.errors import Problems
    from hil.plant import packfile

    problems = Problems()
    for name, load in (("pack", packfile.load), ("calibration", calibration.load)):
        if name in given:
            problems.call(load, _value(config, name))
    if "network" in given:
        problems.call(files.resolve, "network", _value(config, "network"))
    if "dut" in given:
        problems.call(devices.maker_of, _value(config, "dut"))
    if "bench" in given:
        problems.call(benchfile.load, Path(_value(config, "bench")))
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

    if not _is_shared(config) or _is_worker(config):  # a worker's tests say so themselves
        return
    try:
        if isinstance(first, ScenarioItem):
            first.ask_armed()
        else:
            Session(**{**_keys(first), "arm": False}).close()
    except NotArmedError as error:
        listing = "\n".join(error.listing)
        if not _value(config, "arm", False):
            raise pytest.UsageError(f"{first.name} would send\n{listing}\nnabench: {error}; to go on: --nabench-arm") from None
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.write_line(f"nabench: {first.name} sends\n{listing}")
    except NabenchError:
        return  # the test itself says so


# ---- scenario files


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.File | None:
    """*.scenario.toml is ours, but not the copy that a run folder keeps."""
    if not file_path.name.endswith(_SUFFIX) or (file_path.parent / "inputs.json").exists():
        return None
    return ScenarioFile.from_parent(parent, path=file_path)


class ScenarioFile(pytest.File):
    """A scenario file: one test."""

    def collect(self) -> Iterator[ScenarioItem]:
        """The scenario."""
        yield ScenarioItem.from_parent(self, name=self.path.name.removesuffix(_SUFFIX))


class ScenarioFailure(AssertionError):
    """A scenario's verdict is FAIL."""


class ScenarioItem(pytest.Item):
    """A scenario: it runs in setup, where what the bench or the file did wrong is an error, and is judged in the test."""

    record: RunRecord | None = None

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for requirement in _served(self.path):
            self.user_properties.append(("requirement", requirement))

    def _options(self) -> Options:
        from hil import runner

        config = self.config
        calibration = _setting(config, "calibration")
        return runner.Options(
            _value(config, "dut", "emulator"), _value(config, "seed"), _value(config, "realtime", False),
            None if calibration is None else calibration[0], _value(config, "arm", False),
            _bench(config),
        )  # fmt: skip

    def ask_armed(self) -> None:
        """Raise NotArmedError, with what would be sent, when the device is a real one."""
        from hil import arming, runner
        from hil.errors import NotArmedError

        lines = runner.unarmed(self.path, self._options())
        if lines:
            raise NotArmedError(arming.NOT_ARMED, lines)

    def setup(self) -> None:
        """Run it. An error, and a verdict that says nothing of the device, end here."""
        from hil import runner
        from hil.errors import NabenchError
        from hil.report import folder
        from hil.verdict import Verdict

        out = _value(self.config, "out")
        try:
            self.record = runner.run(self.path, self._options())
            place = None if out is None else folder.write(self.record, Path(out))
        except NabenchError as error:
            raise _sentence(error) from None
        if place is not None:
            self.add_report_section("setup", "nabench", f"run folder: {place}")
        self.user_properties += _measured(self.record.findings)
        if self.record.verdict not in (Verdict.PASS, Verdict.FAIL):
            pytest.fail(_findings_text(self.record), pytrace=False)

    def runtest(self) -> None:
        """Judge it."""
        from hil.verdict import Verdict

        assert self.record is not None
        if self.record.verdict is Verdict.FAIL:
            raise ScenarioFailure(_findings_text(self.record))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Findings as text; a traceback only where we are wrong ourselves."""
        if isinstance(excinfo.value, ScenarioFailure):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Where and what."""
        return self.path, None, f"scenario {self.name}"


def _sentence(error: NabenchError) -> BaseException:
    """An error as its sentences alone."""
    return pytest.fail.Exception("\n".join(error.problems), pytrace=False)


def _served(path: Path) -> list[str]:
    """Requirements that a scenario names, also one that is not valid otherwise."""
    try:
        rows = tomllib.loads(path.read_text(encoding="utf-8")).get("expect", [])
        return sorted({str(row["requirement"]) for row in rows})
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return []


def _findings_text(record: RunRecord) -> str:
    """A verdict and all that is no PASS, with the next step."""
    from hil.verdict import Verdict

    lines = [f"{record.verdict.name}: {record.setup.inputs.scenario.title}"]
    for f in record.findings:
        if f.verdict is not Verdict.PASS:
            lines.append(f"{f.verdict.name} {f.requirement}, {f.what}: expected {f.expected}; seen: {f.seen}")
            if f.next_step:
                lines.append(f"    next: {f.next_step}")
    if not record.findings:
        lines.append("nothing was judged; give the scenario an [[expect]]")
    return "\n".join(lines)


def _measured(findings: list[Finding]) -> list[tuple[str, object]]:
    """Measured figures as properties, with their bands."""
    found: list[tuple[str, object]] = []
    for f in findings:
        if f.value is not None:
            found.append((f"{f.requirement} {f.what} [{f.unit}]", f"{f.value:.6g}"))
            if f.low is not None and f.high is not None:
                found.append((f"{f.requirement} {f.what}, band [{f.unit}]", f"{f.low:.6g} {f.high:.6g}"))
    return found


# ---- the bench fixture


@pytest.fixture
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A bench with a pack and a device, fresh for each test and checked after it. See hil.session.Session."""
    from hil.errors import NabenchError
    from hil.session import Session

    node = request.node
    try:
        session = Session(**_keys(node))
    except NabenchError as error:
        raise _sentence(error) from None
    node.stash[_session_key], node.stash[_folder_key] = session, tmp_path_factory
    yield session
    may_stay = node.stash.get(_failed_key, False) or node.get_closest_marker("nabench_leaves_faults") is not None
    unwell = session.health(faults_may_stay=may_stay)
    try:
        session.close()
    except NabenchError as error:
        unwell += error.problems
    if unwell:
        pytest.fail("the bench is not well after the test: " + "; ".join(unwell), pytrace=False)


def _keys(node: pytest.Item) -> dict[str, Any]:
    """Arguments of the session of a test. Raises ScenarioError for a marker that says something unknown."""
    from hil.errors import ScenarioError, nearest

    marked: dict[str, Any] = {}
    for mark in node.iter_markers("nabench"):
        if mark.args:
            raise ScenarioError(f"marker nabench takes named values only, found {mark.args[0]!r}; write pack={mark.args[0]!r}")
        for key, value in mark.kwargs.items():
            if key not in _MARKER_KEYS:
                raise ScenarioError(f'marker nabench: "{key}" is unknown{nearest(key, _MARKER_KEYS)}')
            marked.setdefault(key, value)
    keys = dict(marked)
    for name in ("pack", "calibration", "network", "seed"):
        found = _setting(node.config, name)
        if found is not None and (found[1] or name not in marked):
            keys[name] = found[0]
    served = [str(value) for name, value in node.user_properties if name == "requirement"]
    return {
        **keys,
        "dut": _value(node.config, "dut", "emulator"),
        "realtime": _value(node.config, "realtime", False),
        "arm": _value(node.config, "arm", False),
        "bench": _bench(node.config),
        "requirement": served[0] if served else "TEST",
        "near": node.path,
    }


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
        call.excinfo = _without_our_frames(call.excinfo)
    session = item.stash.get(_session_key, None)
    if session is None or call.when != "call":
        return (yield)
    item.user_properties += _measured(session.findings)
    report = yield
    item.stash[_failed_key] = report.failed
    out = _value(item.config, "out")
    if session.time_s > 0.0 and (report.failed or out is not None):
        folder = Path(out) if out is not None else item.stash[_folder_key].mktemp("nabench", numbered=True)
        report.sections.append(("nabench", _filed(item, session, folder, call.excinfo)))
    return report


def _without_our_frames(excinfo: pytest.ExceptionInfo[BaseException]) -> pytest.ExceptionInfo[BaseException]:
    """What a user did wrong, or a device, is told where the user's code stands; our own errors keep their traceback."""
    error = excinfo.value
    known = [
        kind
        for module, name in (("hil.errors", "NabenchError"), ("hil.session.claim", "Unmet"))
        if (kind := getattr(sys.modules.get(module), name, None)) is not None
    ]
    if not isinstance(error, tuple(known)):
        return excinfo
    ours = str(Path(__file__).parent)
    kept = None
    for entry in reversed(list(traceback.walk_tb(excinfo.tb))):
        if not entry[0].f_code.co_filename.startswith(ours):
            kept = TracebackType(kept, entry[0], entry[0].f_lasti, entry[1])
    error.__suppress_context__ = True
    return excinfo if kept is None else pytest.ExceptionInfo.from_exc_info((type(error), error, kept))


def _filed(item: pytest.Item, session: Session, out: Path, excinfo: pytest.ExceptionInfo[BaseException] | None) -> str:
    """Write the run folder of a test; says where it is and how to run it again, or why there is none."""
    from hil.session.story import slug_of_test

    name = slug_of_test(item.nodeid)
    try:
        place = session.write(out, name, item.nodeid, _said(session, excinfo))
    except Exception as error:  # noqa: BLE001 - a folder that cannot be written must not hide what the test found
        return f"no run folder: {error}"
    report = place / "report.html"
    lines = [f"report: {report}" if report.is_file() else f"run folder: {place}"]
    lines.append(
        f"the same stimuli again, without the test's demands: nabench run {place / 'inputs' / 'scenario.scenario.toml'}"
    )
    return "\n".join(lines)


def _said(session: Session, excinfo: pytest.ExceptionInfo[BaseException] | None) -> list[Finding]:
    """What the test itself said beyond the demands of its bench."""
    if excinfo is None:
        return []
    from hil.errors import NabenchError
    from hil.session import Unmet
    from hil.verdict import Finding, Verdict

    error = excinfo.value
    if isinstance(error, Unmet):
        return [] if error.finding in session.findings else [error.finding]
    verdict = Verdict.ERROR if isinstance(error, NabenchError) else Verdict.FAIL
    seen = excinfo.exconly(tryshort=True).strip().splitlines()
    return [
        Finding("TEST", "the test itself", "it passes", seen[0] if seen else excinfo.typename, verdict, next_step="see pytest")
    ]
