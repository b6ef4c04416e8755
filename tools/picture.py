"""Make the pictures of the docs with a headless Chromium: report.png of a shipped scenario, cells.png of the gallery.

python tools/picture.py [report|cells] [--scenario NAME] [--browser PATH] [--out FILE] [--height PIXELS]
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

_ROOT = Path(__file__).parent.parent
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge", "microsoft-edge")
_FLAGS = (
    "--headless", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-quic", "--force-device-scale-factor=1",
    "--virtual-time-budget=20000",
)  # fmt: skip
_WIDTH = {"report": 1280, "cells": 1380}
_HEIGHT = {"report": 1560, "cells": 1890}


def browser(wanted: str | None) -> str | None:
    """Path of the wanted browser, or of the first one that is installed."""
    found = (shutil.which(name) for name in ((wanted,) if wanted is not None else _BROWSERS))
    return next((path for path in found if path is not None), None)


def report(scenario: str, out: Path) -> Path:
    """Run a scenario; returns its report. Ends the program when there is none."""
    nabench = [sys.executable, "-c", "from hil.cli import main; main()"]
    subprocess.run([*nabench, "run", scenario, "--out", str(out)], cwd=_ROOT, check=False)
    path = out / scenario / "report.html"
    if not path.is_file():
        sys.exit(f"error: scenario {scenario} left no report")
    return path


def gallery(out: Path) -> Path:
    """The page of all shipped cells. Ends the program when there is none."""
    path = out / "cells.html"
    nabench = [sys.executable, "-c", "from hil.cli import main; main()"]
    done = subprocess.run([*nabench, "cells", "--out", str(path)], cwd=_ROOT, stdout=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        sys.exit("error: nabench cells left no page")
    return path


def photograph(program: str, page: Path, picture: Path, width: int, height: int) -> None:
    """Write a picture of a page. Ends the program when the browser makes none."""
    picture.parent.mkdir(parents=True, exist_ok=True)
    root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory() as profile:
        command = [
            program, *_FLAGS, *root, f"--user-data-dir={profile}", f"--window-size={width},{height}",
            f"--screenshot={picture.resolve()}", page.resolve().as_uri(),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0 or not picture.is_file():
        sys.exit(f"error: {program} made no picture:\n{done.stderr[-2000:]}")


def main() -> None:
    """Run, photograph, say where the picture lies."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="?", choices=("report", "cells"), default="report")
    parser.add_argument("--scenario", default="cell-overvoltage-sense")
    parser.add_argument("--browser", help="Chromium, Chrome or Edge; otherwise the first one on the path")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--height", type=int)
    given = parser.parse_args()
    program = browser(given.browser)
    if program is None:
        looked = given.browser if given.browser is not None else ", ".join(_BROWSERS)
        sys.exit(f"error: no browser was found (looked for {looked}); install Chromium or give --browser PATH")
    out = given.out if given.out is not None else _ROOT / "docs" / "images" / f"{given.what}.png"
    height = given.height if given.height is not None else _HEIGHT[given.what]
    with tempfile.TemporaryDirectory() as scratch:
        page = gallery(Path(scratch)) if given.what == "cells" else report(given.scenario, Path(scratch))
        photograph(program, page, out, _WIDTH[given.what], height)
    print(out)


if __name__ == "__main__":
    main()
