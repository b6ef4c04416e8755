"""Fixtures of several files about the score."""

from __future__ import annotations

from pathlib import Path

import own_files
import pytest


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder `data` with a map in it, to work beside."""
    monkeypatch.chdir(tmp_path)
    own_files.begin()
    return tmp_path
