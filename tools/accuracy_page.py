"""Tables of docs/accuracy.md and of other pages: tools put them between marks, tests and `make accuracy` check the figures."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
from nfm_model import F64, ROOT

PAGE = ROOT / "docs" / "accuracy.md"
_NUMBER = re.compile(r"(?<![\w.`-])[-+]?\d+(?:\.\d+)?(?![\w`])")


def rms_mV(error_V: F64) -> float:
    """Root mean square [mV]."""
    return 1e3 * float(np.sqrt(np.mean(np.square(error_V))))


def marks(name: str) -> tuple[str, str]:
    """The lines around a section that a tool writes."""
    return f"<!-- {name}: written by a tool -->", f"<!-- {name}: end -->"


def section(name: str, page: Path | None = None) -> list[str]:
    """Lines of a section of a page, PAGE when None, without blank ones."""
    page = PAGE if page is None else page
    text = page.read_text(encoding="utf-8")
    first, last = marks(name)
    if first not in text or last not in text:
        raise ValueError(f"{page.name}: expected the lines {first!r} and {last!r}")
    return [line for line in text.split(first)[1].split(last)[0].splitlines() if line]


def put(sections: dict[str, list[str]], page: Path | None = None) -> int:
    """Write sections into a page, PAGE when None."""
    page = PAGE if page is None else page
    text = page.read_text(encoding="utf-8")
    for name, lines in sections.items():
        section(name, page)
        first, last = marks(name)
        before, rest = text.split(first)
        text = "\n".join([before + first, "", *lines, "", last + rest.split(last)[1]])
    page.write_text(text, encoding="utf-8")
    return 0


def numbers(line: str) -> list[float]:
    """Every number of a line."""
    return [float(found) for found in _NUMBER.findall(line)]


def differences(name: str, lines: list[str], share: float = 0.02, least: float = 0.3, page: Path | None = None) -> list[str]:
    """Lines of a section that say something else than the page; numbers may differ by 2 % or 0.3 of their unit."""
    kept, made = section(name, page), [line for line in lines if line]
    if len(kept) != len(made):
        return [f"{name}: the page has {len(kept)} lines, found {len(made)}"]
    out = []
    for old, new in zip(kept, made, strict=True):
        was, now = numbers(old), numbers(new)
        same = len(was) == len(now) and all(
            math.isclose(a, b, rel_tol=share, abs_tol=least if abs(a) > 2.0 else min(0.02, least))
            for a, b in zip(was, now, strict=True)
        )
        if not same or _NUMBER.sub("#", old) != _NUMBER.sub("#", new):
            out.append(f"{name}: the page has {old!r}, found {new!r}")
    return out


def compare(sections: dict[str, list[str]]) -> int:
    """Print what differs from the page; 1 if anything does."""
    found = [line for name, lines in sections.items() for line in differences(name, lines)]
    print("\n".join(found) or f"{PAGE.name}: {', '.join(sections)}: as written")
    return 1 if found else 0


def reached(name: str) -> list[tuple[str, float, float]]:
    """(what, asked, reached) of each line of a section that asks for something; both are the line's last two numbers."""
    out = []
    for line in section(name):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) >= 3 and cells[-2].startswith("<="):
            out.append((cells[0], numbers(cells[-2])[-1], abs(numbers(cells[-1])[-1])))
    return out
