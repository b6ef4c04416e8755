"""What a data sheet gives, and everything that is wrong with it, said at once.

Whoever types numbers from a data sheet takes its units along: mV, mOhm, mAh, per cent. Such numbers are told by their size.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from hil import files
from hil.datasheet.pulse import ten_seconds_ohm
from hil.errors import ScenarioError
from hil.plant.cellfile import Cell

USUAL = "nfm-18650"
Pair = Annotated[list[float], Field(min_length=2, max_length=2)]
_MOST_V, _LEAST_V = 6.0, -0.5
_MOST_AH = 1000.0
_MOST_C = 100.0
_KG_PER_AH = (0.002, 0.25)
_UNLIKE = 50.0  # times another cell's resistance, size for size: that is another unit
AC_SHARE = 0.4  # of another cell's 10 s resistance, size for size: that may be an AC figure


class Sheet(files.Document):
    """A data sheet, typed in. ocv: (SOC, V) at rest.  resistance: (degC, ohm), DC, after 10 s, at half charge.

    What is None is borrowed from the cell `like`.
    """

    model_config = ConfigDict(allow_inf_nan=True)  # refused below, together with all else

    KIND: ClassVar[str] = "data sheet"
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,79}$")]
    title: str | None = None
    source: Annotated[str, Field(min_length=4)] | None = None
    like: str | None = None
    chemistry: str | None = None
    capacity_Ah: float
    charge_max_V: float
    discharge_min_V: float
    absolute_max_V: float | None = None
    absolute_min_V: float | None = None
    nominal_V: float | None = None
    mass_kg: float | None = None
    charge_max_A: float | None = None
    discharge_max_A: float | None = None
    charge_min_degC: float | None = None
    charge_max_degC: float | None = None
    discharge_min_degC: float | None = None
    discharge_max_degC: float | None = None
    ocv: list[Pair] | None = None
    resistance: list[Pair] | None = None

    def given(self, key: str, other: float) -> float:
        """A number of the sheet, or another where it gives none."""
        value = getattr(self, key)
        return other if value is None else float(value)

    def points(self, key: str) -> list[tuple[float, float]]:
        """Pairs of the sheet by their first number; none where it gives none."""
        return sorted((a, b) for a, b in getattr(self, key) or [])


def pairs(key: str, text: str) -> list[list[float]]:
    """Pairs as a command line gives them: "0:1.99,0.2:2.72". Raises ScenarioError."""
    found: list[list[float]] = []
    wrong = []
    for part in text.split(","):
        try:
            a, b = part.split(":")
            found.append([float(a), float(b)])
        except ValueError:
            wrong.append(part.strip())
    if wrong:
        raise ScenarioError(f'{key}: "{wrong[0]}" is no pair of numbers; expected pairs such as 0:1.99,0.2:2.72')
    return found


def load(path: Path, data: dict[str, Any]) -> tuple[Sheet, Cell]:
    """A sheet and the cell to borrow from. path: how messages call the sheet. Raises ScenarioError with all that is wrong."""
    sheet = files.decode(path, data, Sheet)
    like = _like(path, sheet)
    found = problems(sheet, like)
    if found:
        raise ScenarioError(*(f"{path}: {text}" for text in found))
    return sheet, like


def _like(path: Path, sheet: Sheet) -> Cell:
    """The cell that is named, else the first shipped one of the same chemistry, else the usual one."""
    if sheet.like is not None:
        near = path if path.is_file() else None
        return files.load(files.resolve("cell", sheet.like, near), Cell)
    shipped = {name: files.load(at, Cell) for name, at in files.shipped("cell").items()}
    wanted = (sheet.chemistry or shipped[USUAL].chemistry).casefold()
    same = [name for name, cell in shipped.items() if cell.chemistry.casefold() == wanted]
    return shipped[USUAL if USUAL in same or not same else same[0]]


def problems(sheet: Sheet, like: Cell) -> list[str]:
    """Everything that is wrong with the numbers, each a sentence that begins with a key."""
    numbers = {key: value for key in type(sheet).model_fields if isinstance(value := getattr(sheet, key), int | float)}
    found = [f"{key}: expected a finite number, found {x}" for key, x in numbers.items() if not math.isfinite(x)]
    for key in ("ocv", "resistance"):
        bad = [pair for pair in sheet.points(key) if not all(map(math.isfinite, pair))]
        found += [f"{key}: expected finite numbers, found {a:g}:{b:g}" for a, b in bad[:1]]
    sound = {key: x for key, x in numbers.items() if math.isfinite(x) and key != "format"}
    capacity = _capacity(sound)
    found += capacity
    for key, x in sound.items():
        if key.endswith("_V"):
            found += _volt(key, x)
        elif key.endswith("_A"):
            found += _ampere(key, x, None if capacity or "capacity_Ah" not in sound else sheet.capacity_Ah)
        elif key.endswith("_degC"):
            found += _degree(key, x)
    found += _mass(sound, bool(capacity))
    if found:  # an order of numbers that are wrong by themselves says nothing
        return found + _ocv(sheet, None) + _resistance(sheet, None)
    return _order(sheet, like) + _ocv(sheet, like) + _resistance(sheet, like)


def _capacity(sound: dict[str, float]) -> list[str]:
    x = sound.get("capacity_Ah", 1.0)
    if x <= 0:
        return [f"capacity_Ah: expected more than 0, found {x:g}"]
    return [f"capacity_Ah: {x:g} looks like mAh; write {x / 1000:g}"] if x > _MOST_AH else []


def _volt(key: str, x: float) -> list[str]:
    if 100.0 <= x <= 1000.0 * _MOST_V:
        return [f"{key}: {x:g} looks like mV; write {x / 1000:g}"]
    if not _LEAST_V <= x <= _MOST_V:
        return [f"{key}: expected the voltage of one cell, {_LEAST_V:g} to {_MOST_V:g} V, found {x:g}"]
    return []


def _ampere(key: str, x: float, capacity_Ah: float | None) -> list[str]:
    if x <= 0:
        return [f"{key}: expected more than 0, found {x:g}; both currents are magnitudes"]
    if capacity_Ah is not None and x > _MOST_C * capacity_Ah:
        return [f"{key}: {x:g} is {x / capacity_Ah:.0f} times the capacity in an hour; it looks like mA; write {x / 1000:g}"]
    return []


def _degree(key: str, x: float) -> list[str]:
    if 200.0 <= x <= 430.0:
        return [f"{key}: {x:g} looks like kelvin; write {x - 273.15:g}"]
    return [] if -60.0 <= x <= 150.0 else [f"{key}: expected -60 to 150 degC, found {x:g}"]


def _mass(sound: dict[str, float], capacity_is_wrong: bool) -> list[str]:
    x = sound.get("mass_kg")
    if x is None or x <= 0:
        return [] if x is None else [f"mass_kg: expected more than 0, found {x:g}"]
    capacity_Ah = sound.get("capacity_Ah")
    if capacity_is_wrong or capacity_Ah is None:
        return []
    low, high = (per * capacity_Ah for per in _KG_PER_AH)
    if low <= x / 1000 <= high:
        return [f"mass_kg: {x:g} looks like gram; write {x / 1000:g}"]
    return [] if low <= x <= high else [f"mass_kg: expected {low:g} to {high:g} for {capacity_Ah:g} Ah, found {x:g}"]


def _order(sheet: Sheet, like: Cell) -> list[str]:
    """Limits that stand the wrong way round; those of the sheet among each other, and against what is borrowed."""
    volts = ["absolute_min_V", "discharge_min_V", "nominal_V", "charge_max_V", "absolute_max_V"]
    ladder = [(key, x) for key in volts if (x := getattr(sheet, key)) is not None]
    found = [f"{a}: {x:g} must lie below {b} {y:g}" for (a, x), (b, y) in zip(ladder, ladder[1:], strict=False) if not x < y]
    for way in ("charge", "discharge"):
        low, high = f"{way}_min_degC", f"{way}_max_degC"
        x, y = (sheet.given(key, getattr(like.limits, key)) for key in (low, high))
        if not x < y and (getattr(sheet, low) is not None or getattr(sheet, high) is not None):
            whose = {key: "" if getattr(sheet, key) is not None else f" (of {like.name})" for key in (low, high)}
            found.append(f"{low}: {x:g}{whose[low]} must lie below {high} {y:g}{whose[high]}")
    return found


def _twice(key: str, what: str, points: list[tuple[float, float]]) -> list[str]:
    return [f"{key}: {what} {a[0]:g} stands twice" for a, b in zip(points, points[1:], strict=False) if a[0] == b[0]]


def _ocv(sheet: Sheet, like: Cell | None) -> list[str]:
    """What is wrong with the points; without `like` nothing is held against the limits, which are wrong themselves."""
    points = [(a, b) for a, b in sheet.points("ocv") if math.isfinite(a) and math.isfinite(b)]
    if sheet.ocv is None or len(points) < len(sheet.ocv):
        return []
    if len(points) < 2:
        return [f"ocv: expected 2 points or more, found {len(points)}"]
    soc, volt = [a for a, _ in points], [b for _, b in points]
    found = _twice("ocv", "soc", points)
    if soc[0] >= 0 and 1 < soc[-1] <= 100 and len([x for x in soc if x > 1]) * 2 >= len(soc):
        found.append(f"ocv: soc up to {soc[-1]:g} looks like per cent; expected shares from 0 to 1: write 0.2 for 20 %")
    elif soc[0] < 0 or soc[-1] > 1:
        outside = ", ".join(f"{x:g}" for x in soc if not 0 <= x <= 1)
        found.append(f"ocv: soc {outside} lies outside 0 to 1")
    elif soc[0] != 0 or soc[-1] != 1:
        found.append(f"ocv: expected points from soc 0 to soc 1, found {soc[0]:g} to {soc[-1]:g}")
    found += _volt("ocv", max(volt)) or _volt("ocv", min(volt))
    falls = [(a, b) for a, b in zip(points, points[1:], strict=False) if a[0] < b[0] and not a[1] < b[1]]
    found += [f"ocv: must rise with soc; {b[1]:g} V at {b[0]:g} follows {a[1]:g} V at {a[0]:g}" for a, b in falls]
    if like is not None and not found:
        if volt[-1] > sheet.charge_max_V:
            found.append(f"ocv: ends at {volt[-1]:g} V, above charge_max_V {sheet.charge_max_V:g}")
        if volt[0] < sheet.discharge_min_V:
            found.append(f"ocv: begins at {volt[0]:g} V, below discharge_min_V {sheet.discharge_min_V:g}")
    return found


def _resistance(sheet: Sheet, like: Cell | None) -> list[str]:
    points = [(a, b) for a, b in sheet.points("resistance") if math.isfinite(a) and math.isfinite(b)]
    if sheet.resistance is None or len(points) < len(sheet.resistance):
        return []
    if not points:
        return ["resistance: expected a pair of temperature and ohm, found none"]
    found = _twice("resistance", "temperature", points)
    found += [text for temp_degC, _ in points for text in _degree("resistance", temp_degC)]
    found += [f"resistance: expected more than 0 ohm, found {ohm:g} at {temp:g} degC" for temp, ohm in points if ohm <= 0]
    if like is None or found:
        return found
    unlike = [(temp, ohm, likeness(sheet, like, temp, ohm)) for temp, ohm in points]
    high = [(temp, ohm) for temp, ohm, times in unlike if times > _UNLIKE]
    low = [(temp, ohm, times) for temp, ohm, times in unlike if times < 1.0 / _UNLIKE]
    found += [f"resistance: {ohm:g} ohm at {temp:g} degC looks like mOhm; write {ohm / 1000:g}" for temp, ohm in high[:1]]
    found += [
        f"resistance: {ohm:g} ohm at {temp:g} degC is {times:.2g} of that of {like.name}, size for size; expected ohm"
        for temp, ohm, times in low[:1]
    ]
    return found


def likeness(sheet: Sheet, like: Cell, temp_degC: float, ohm: float) -> float:
    """A resistance of the sheet over that of the other cell, both times their capacity."""
    return ohm * sheet.capacity_Ah / (ten_seconds_ohm(like, temp_degC) * like.capacity_Ah)


def notes(sheet: Sheet, like: Cell) -> list[str]:
    """What is possible, but seldom meant."""
    said = []
    points = sheet.points("resistance")
    if points:
        temp, ohm = min(points, key=lambda point: abs(point[0] - 25.0))
        times = likeness(sheet, like, temp, ohm)
        if times < AC_SHARE:
            said.append(
                f"resistance {ohm:g} ohm at {temp:g} degC is {times:.2f} of that of {like.name}, size for size: is it AC at "
                "1 kHz? Many data sheets give that; a current meets 3 to 5 times as much. DC after 10 s is wanted"
            )
        rises = [(a, b) for a, b in zip(points, points[1:], strict=False) if b[1] > a[1]]
        said += [f"resistance rises with temperature from {a[0]:g} to {b[0]:g} degC, which is unusual" for a, b in rises[:1]]
    if sheet.ocv is not None and len(sheet.ocv) < 5:
        said.append(f"ocv has {len(sheet.ocv)} points; what lies between them is a guess")
    if sheet.like is None and sheet.chemistry is not None and sheet.chemistry.casefold() != like.chemistry.casefold():
        said.append(f'no shipped cell has chemistry "{sheet.chemistry}"; borrowed from {like.name} ({like.chemistry})')
    return said
