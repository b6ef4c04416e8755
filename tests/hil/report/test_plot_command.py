"""nabench plot, and the tool that photographs a report."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pages import Run

ROOT = Path(__file__).resolve().parents[3]
NABENCH = [sys.executable, "-c", "from hil.cli import main; main()"]


@pytest.fixture
def copy(finished: dict[str, Run], tmp_path: Path) -> Path:
    """A run folder elsewhere, with a blank in its name and without its report."""
    place = tmp_path / "my runs" / "passes"
    shutil.copytree(finished["passes"].place, place)
    (place / "report.html").unlink()
    return place


def test_it_writes_the_report_anew_and_opens_it(finished: dict[str, Run], copy: Path, tmp_path: Path) -> None:
    """The moved folder alone gives the report byte for byte; its path is printed and handed to the browser."""
    seen, browser = tmp_path / "seen", tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > "{seen}"\n')
    browser.chmod(0o755)
    done = subprocess.run(
        [*NABENCH, "plot", str(copy), "--open"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "BROWSER": str(browser)},
    )
    assert (0, "") == (done.returncode, done.stderr)
    assert f"{copy / 'report.html'}\n" == done.stdout
    assert (finished["passes"].place / "report.html").read_bytes() == (copy / "report.html").read_bytes()
    assert (copy / "report.html").as_uri() == seen.read_text().strip()


def test_what_is_no_run_folder_is_refused(tmp_path: Path) -> None:
    """One sentence, exit code 2, nothing written."""
    done = subprocess.run([*NABENCH, "plot", str(tmp_path)], capture_output=True, text=True, check=False)
    assert 2 == done.returncode
    assert "not a run folder" in done.stderr
    assert "Traceback" not in done.stderr
    assert [] == list(tmp_path.iterdir())


def test_the_picture_tool_says_that_it_lacks_a_browser(tmp_path: Path) -> None:
    """Without a browser it ends before it runs anything, and says what to do."""
    command = [
        sys.executable,
        str(ROOT / "tools" / "picture.py"),
        "--browser",
        "no-such-browser",
        "--out",
        str(tmp_path / "a.png"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert 1 == done.returncode
    assert "error: no browser was found (looked for no-such-browser); install Chromium or give --browser PATH\n" == done.stderr
    assert [] == list(tmp_path.iterdir())
