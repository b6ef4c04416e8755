"""report.html."""

from __future__ import annotations

from pathlib import Path

from hil.report.record import RunRecord


def write(record: RunRecord, path: Path) -> None:
    """Write."""
    path.write_text("draft", encoding="utf-8")
