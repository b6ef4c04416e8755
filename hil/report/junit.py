"""JUnit XML: one test case a scenario, with its requirements as properties; every CI reads it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol
from xml.etree import ElementTree as xml

from hil.report.record import Speed
from hil.verdict import Finding, Verdict

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Judged(Protocol):
    """What is told of a case: a run, or a replay."""

    @property
    def name(self) -> str:
        """Of the case."""

    @property
    def verdict(self) -> Verdict:
        """Of all its findings."""

    @property
    def findings(self) -> list[Finding]:
        """What was judged."""

    @property
    def speed(self) -> Speed | None:
        """How long it took, where that is known."""


def text(records: Sequence[Judged], kind: str = "scenario") -> str:
    """A test suite in the xunit2 form. INCONC counts as an error, with its verdict in the type. kind: of its cases."""
    verdicts = [record.verdict for record in records]
    failures = verdicts.count(Verdict.FAIL)
    errors = len([v for v in verdicts if v in (Verdict.ERROR, Verdict.INCONC, Verdict.NONE)])
    root = xml.Element("testsuites")
    suite = xml.SubElement(
        root, "testsuite", name="nabench", tests=str(len(records)), failures=str(failures), errors=str(errors), skipped="0"
    )
    for record in records:
        seconds = record.speed.wall_s if record.speed is not None else 0.0
        case = xml.SubElement(suite, "testcase", classname=f"nabench.{kind}", name=record.name, time=f"{seconds:.3f}")
        properties = xml.SubElement(case, "properties")
        for requirement in sorted({finding.requirement for finding in record.findings}):
            xml.SubElement(properties, "property", name="requirement", value=requirement)
        xml.SubElement(properties, "property", name="verdict", value=record.verdict.name)
        for finding in record.findings:
            if finding.value is not None:
                name = f"{finding.requirement} {finding.what} [{finding.unit}]"
                xml.SubElement(properties, "property", name=name, value=f"{finding.value:.6g}")
        if record.verdict is not Verdict.PASS:
            kind = "failure" if record.verdict is Verdict.FAIL else "error"
            bad = [finding for finding in record.findings if finding.verdict is not Verdict.PASS]
            message = "; ".join(f"{f.requirement} {f.what}: {f.seen}" for f in bad) or "nothing was judged"
            node = xml.SubElement(case, kind, message=message, type=record.verdict.name)
            node.text = "\n".join(_line(finding) for finding in record.findings)
    xml.indent(root)
    body = _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", xml.tostring(root, encoding="unicode"))
    return f'<?xml version="1.0" encoding="utf-8"?>\n{body}\n'


def _line(f: Finding) -> str:
    return f"{f.verdict.name:6} {f.requirement} {f.what}: expected {f.expected}; seen {f.seen}" + (
        f"; {f.next_step}" if f.next_step else ""
    )
