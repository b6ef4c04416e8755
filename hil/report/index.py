"""index.html over several runs."""

from __future__ import annotations

from pathlib import Path

from hil.report.record import RunRecord


def write(records: list[tuple[RunRecord, Path]], broken: list[str], out: Path) -> Path:
    """Write."""
    path = out / "index.html"
    path.write_text("draft", encoding="utf-8")
    return path
