"""What a page shows is what happens: its commands, its files and its tests are run as they stand.

A page is worked through from top to bottom in a folder of its own that holds a copy of the examples. A block with a title is
the file of that name, and `tests/data` is where it lies in a checkout. `$ COMMAND` must end with the exit code that stands
behind it (`# exit 3`), 0 when none does. A command that ends in `&` goes on in the background once it has said its first
line; `kill %1` ends it.

Multicast goes over a port of the page's own, so that several pages may run at a time. In wall time a machine that was too
busy excuses a verdict: when the bench says that it missed its deadlines, or the served device that it was held up.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "dbc/README.md", "examples/README.md")] + sorted(
    (ROOT / "docs").rglob("*.md")
)
BLOCK = re.compile(r"^```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^```", re.MULTILINE | re.DOTALL)
EXIT = re.compile(r"  # exit (\d+)$")
HEAVY_MS = 40.0
TOO_LATE = re.compile(r"missed (\d+ of its own deadlines|its own heartbeat)")


@dataclass(frozen=True)
class Block:
    """A fenced block. name: of the file that it is, empty for none."""

    language: str
    name: str
    text: str


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page, in order."""
    return [Block(*found) for found in BLOCK.findall(page.read_text(encoding="utf-8"))]


def commands(page: Path) -> list[tuple[str, int]]:
    """Commands of a page with the exit code that it states."""
    found = []
    for block in blocks(page):
        for line in block.text.splitlines() if block.language == "console" else ():
            if line.startswith("$ "):
                stated = EXIT.search(line)
                found.append((EXIT.sub("", line[2:]), int(stated[1]) if stated else 0))
    return found


def shown_tests(page: Path) -> list[Block]:
    """Python blocks of a page that define tests."""
    return [block for block in blocks(page) if block.language == "python" and "def test_" in block.text]


def write_files(page: Path, folder: Path) -> None:
    """The files that a page shows, and the examples and measured data that it may use."""
    shutil.copytree(ROOT / "examples", folder / "examples", ignore=shutil.ignore_patterns("__pycache__", "nabench-runs"))
    (folder / "tests").mkdir()
    (folder / "tests" / "data").symlink_to(ROOT / "tests" / "data", target_is_directory=True)
    (folder / "hil").mkdir()
    (folder / "hil" / "recordings").symlink_to(ROOT / "hil" / "recordings", target_is_directory=True)
    for block in blocks(page):
        if block.name:
            (folder / block.name).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.name).write_text(block.text, encoding="utf-8")


def environment() -> dict[str, str]:
    """Ours, with the commands of this interpreter first, wide tables, and nothing of the pytest that runs this."""
    own = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST_", "NABENCH_", "CAN_"))}
    kept = {key: value for key, value in os.environ.items() if key == "NABENCH_CACHE_DIR"}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**own, **kept, "PATH": path, "COLUMNS": "200", "PYTHONDONTWRITEBYTECODE": "1"}


@dataclass
class Page:
    """A page at work in a folder. jobs: commands in the background, by number.  worst_ms: how late the worst was."""

    folder: Path
    jobs: dict[int, subprocess.Popen[str]] = field(default_factory=dict)
    worst_ms: float = 0.0

    def __post_init__(self) -> None:
        port = 20_000 + uuid.uuid4().int % 40_000
        self.environment = {**environment(), "CAN_CONFIG": json.dumps({"port": port})}

    def run(self, command: str) -> tuple[int, str]:
        """Exit code and output of a command; 0 for one that goes on in the background."""
        if command.endswith(" &"):
            return self.start(command.removesuffix(" &"))
        if command.startswith("kill %"):
            return self.stop(int(command.removeprefix("kill %")))
        done = subprocess.run(
            command, shell=True, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=240, check=False
        )
        return done.returncode, done.stdout + done.stderr

    def start(self, command: str) -> tuple[int, str]:
        """Start a command; it is up when it has said its first line."""
        job = subprocess.Popen(
            f"exec {command}", shell=True, cwd=self.folder, env=self.environment, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        self.jobs[max(self.jobs, default=0) + 1] = job
        assert job.stdout is not None
        line = job.stdout.readline()
        return (0, line) if line else (job.wait(), line)

    def stop(self, number: int) -> tuple[int, str]:
        """End a command as `kill` does."""
        job = self.jobs.pop(number)
        job.terminate()
        text, _ = job.communicate(timeout=30)
        late = re.search(r"worst ([\d.]+) ms late", text)
        self.worst_ms = max(self.worst_ms, float(late[1]) if late else 0.0)
        return job.returncode, text

    def close(self) -> None:
        """End what is still in the background."""
        for number in list(self.jobs):
            self.stop(number)


@pytest.fixture
def at_work(tmp_path: Path) -> Iterator[Page]:
    """A folder to work through a page in."""
    page = Page(tmp_path)
    yield page
    page.close()


def _timed(page: Path) -> Any:
    """A page, marked when a real device is driven on it."""
    live = any("--arm" in command or command.startswith("nabench serve") for command, _ in commands(page))
    return pytest.param(page, marks=pytest.mark.wall) if live else page


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", [_timed(p) for p in PAGES if commands(p)], ids=lambda p: str(p.relative_to(ROOT)))
def test_every_command_of_a_page_ends_as_it_says(page: Path, at_work: Page) -> None:
    """Run one after the other, a page's commands end with the exit codes that it states."""
    write_files(page, at_work.folder)
    wrong: list[str] = []
    in_wall_time: list[str] = []
    for command, stated in commands(page):
        code, text = at_work.run(command)
        if code != stated and not TOO_LATE.search(text):
            found = in_wall_time if "--arm" in command else wrong
            found.append(f"{command}\nexit code {code}, stated {stated}\n{text}")
    at_work.close()
    if at_work.worst_ms <= HEAVY_MS:
        wrong += in_wall_time
    assert not wrong, "\n".join(wrong)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", [p for p in PAGES if shown_tests(p)], ids=lambda p: str(p.relative_to(ROOT)))
def test_every_test_that_a_page_shows_passes(page: Path, tmp_path: Path) -> None:
    """Python blocks that define tests are tests, and pass."""
    write_files(page, tmp_path)
    files = []
    for n, block in enumerate(shown_tests(page)):
        files.append(block.name or f"test_block_{n}.py")
        (tmp_path / files[-1]).write_text(block.text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files], cwd=tmp_path, env=environment(),
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    """Every relative link of a page names a file that exists."""
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert [] == missing


def test_every_decision_is_listed() -> None:
    """The index of the decisions names all of them, by their titles."""
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"^- \[(.+)\]\((.+)\)$", (folder / "index.md").read_text(encoding="utf-8"), re.MULTILINE)
    titles = {path.name: path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ") for path in folder.glob("*.md")}
    assert {(title, name) for name, title in titles.items() if name != "index.md"} == set(listed)
