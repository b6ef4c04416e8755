"""Run folders to look at and to spoil, and scenarios that end in every verdict."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from command import changed, nabench
from inputs import ENDS


@pytest.fixture(scope="session")
def ends(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A scenario file for every verdict that a scenario can end in."""
    folder = tmp_path_factory.mktemp("scenarios")
    for name, (_, text) in ENDS.items():
        (folder / f"{name}.scenario.toml").write_text(changed(text, ('name = "bad"', f'name = "{name}"')))
    return {name: folder / f"{name}.scenario.toml" for name in ENDS}


@pytest.fixture(scope="session")
def finished(ends: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The run folders of those that were judged."""
    out = tmp_path_factory.mktemp("runs")
    for name in ("pass", "fail"):
        assert ENDS[name][0] == nabench("run", ends[name], "--out", out).code
    return {name: out / name for name in ("pass", "fail")}


@pytest.fixture
def place(finished: dict[str, Path], tmp_path: Path) -> Path:
    """A run folder of one's own."""
    return Path(shutil.copytree(finished["pass"], tmp_path / "somewhere else" / "pass"))
