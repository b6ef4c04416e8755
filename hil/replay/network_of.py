"""A network file for the DBC files and the mapping of a log, all on one bus."""

from __future__ import annotations

import json
from pathlib import Path

from hil import files
from hil.errors import ScenarioError


def write(where: Path, dbc: list[Path], mapping: Path, bitrate: int) -> Path:
    """Write the file and return its path. Raises ScenarioError for a file that is not there."""
    why = [f"{path}: {text}" for path in (*dbc, mapping) if (text := files.why_not(path))]
    if why:
        raise ScenarioError(*why)
    path = where / "of-the-log.network.toml"
    names = json.dumps([str(each.absolute()) for each in dbc])
    path.write_text(
        f'format = 1\ntitle = "Of the log"\nmapping = {json.dumps(str(mapping.absolute()))}\n\n'
        f'[[bus]]\nname = "log"\nbitrate = {bitrate}\ndbc = {names}\n',
        encoding="utf-8",
    )
    return path
