"""Packs and calibrations that nabench new derives: what was asked for, and what text answers it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Wish:
    """What the options of nabench new say; None where one was not given. out: the file to write."""

    pack: str | None = None
    cell: str | None = None
    series: int | None = None
    parallel: int | None = None
    strings: int | None = None
    out: Path | None = None

    def strangers(self, *known: str) -> list[str]:
        """Options that were given and do not belong to what is started."""
        return [f"--{key}" for key, value in vars(self).items() if value is not None and key not in known]


def wanted(what: str, wish: Wish, name: str | None, folder: Path) -> tuple[dict[Path, str], str] | None:
    """The file to write with its text, and what to do next; None when a template is what is asked for.

    Raises ScenarioError when options do not fit, or with what is wrong with the pack or cell that they name.
    """
    from hil.errors import ScenarioError

    known = {"calibration": ("pack", "out"), "pack": ("cell", "series", "parallel", "strings", "out")}.get(what, ())
    strangers = wish.strangers(*known)
    if strangers:
        belongs = {"--pack": "new calibration, new firmware and new headers", "--out": "new calibration and new pack --cell"}
        raise ScenarioError(
            *(f"{option} belongs to {belongs.get(option, 'new pack')}, not to new {what}" for option in strangers)
        )
    if what == "calibration":
        return _calibration(wish, name, folder)
    if what == "pack" and wish.strangers():
        return _pack(wish, name, folder)
    return None


def _path(wish: Wish, name: str | None, folder: Path, usual: Path) -> Path:
    """The file to write: as --out says, else by its name, else the usual one."""
    if wish.out is None:
        return usual if name is None else folder / f"{name}.toml"
    from hil.errors import ScenarioError

    if wish.out.suffix != ".toml":
        raise ScenarioError(f'--out {wish.out}: expected the name of a file that ends in .toml, as in "{wish.out.stem}.toml"')
    return wish.out


def _calibration(wish: Wish, name: str | None, folder: Path) -> tuple[dict[Path, str], str]:
    from hil import files
    from hil.derive import calibration
    from hil.errors import ScenarioError
    from hil.plant import packfile

    if wish.pack is None:
        raise ScenarioError("new calibration needs --pack: a shipped pack (nabench list packs), or a pack file of yours")
    pack_path, pack, _, _ = packfile.load(wish.pack)
    named = pack_path.parent / pack.calibration
    is_shipped = files.shipped("pack").get(wish.pack) == pack_path
    is_missing = pack.calibration.endswith(".toml") and not named.exists() and not is_shipped
    usual = named if is_missing else folder / "my-calibration.toml"
    path = _path(wish, name, folder, usual)
    text = calibration.draft(wish.pack, path.stem if name is None else name)
    then = f"nabench check {path} {pack_path}" if path == named else f"nabench run SCENARIO --calibration {path}"
    return {path: text}, then


def _pack(wish: Wish, name: str | None, folder: Path) -> tuple[dict[Path, str], str]:
    from hil.derive import packs
    from hil.errors import ScenarioError

    if wish.cell is None or wish.series is None:
        missing = (
            "--cell (nabench list cells, or a cell file of yours)" if wish.cell is None else "--series (cells in a string)"
        )
        raise ScenarioError(f"new pack of a cell needs {missing} as well; without any of these options it writes a template")
    path = _path(wish, name, folder, folder / "my-pack.toml")
    shape = packs.Shape(wish.series, *(1 if n is None else n for n in (wish.parallel, wish.strings)))
    text = packs.draft(path.stem if name is None else name, wish.cell, shape, path.parent)
    return {path: text}, f"nabench new calibration --pack {path}"
