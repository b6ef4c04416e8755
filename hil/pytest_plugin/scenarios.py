"""A scenario file as a test."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hil.pytest_plugin.outcome import measured, sentence
from hil.pytest_plugin.settings import bench_file, setting_of, value_of

if TYPE_CHECKING:
    from hil.report.record import RunRecord
    from hil.runner import Options

SUFFIX = ".scenario.toml"


class ScenarioFile(pytest.File):
    """A scenario file: one test."""

    def collect(self) -> Iterator[ScenarioItem]:
        """The scenario."""
        yield ScenarioItem.from_parent(self, name=self.path.name.removesuffix(SUFFIX))


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
        calibration = setting_of(config, "calibration")
        return runner.Options(
            value_of(config, "dut", "emulator"), value_of(config, "seed"), value_of(config, "realtime", False),
            None if calibration is None else calibration[0], value_of(config, "arm", False),
            bench_file(config),
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

        out = value_of(self.config, "out")
        try:
            self.record = runner.run(self.path, self._options())
            place = None if out is None else folder.write(self.record, Path(out))
        except NabenchError as error:
            raise sentence(error) from None
        if place is not None:
            self.add_report_section("setup", "nabench", f"run folder: {place}")
        self.user_properties += measured(self.record.findings)
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
