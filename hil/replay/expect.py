"""Which events the name of a log promises, and whether the device reported them.

`0007.CellOvervoltage.blf` promises one, `0008.CellDataLost+CurrentLost.asc` two, `0009.none.log` that nothing is reported. A
name without its tier (Mol, Rsl, Msl, Critical) stands for any of them. Further codes are told and not judged, unless exact.
"""

from __future__ import annotations

import re
from pathlib import Path

from hil import silence
from hil.errors import ScenarioError, nearest
from hil.observe import View
from hil.record import logs
from hil.verdict import Evidence, Finding, Verdict

NONE = "none"
_TIERS = ("Mol", "Rsl", "Msl", "Critical")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:\+[A-Za-z][A-Za-z0-9]*)*")
_FLAG = "Diag_"


def of_name(path: Path) -> str:
    """The events that a file name promises, as it writes them; empty when it promises nothing."""
    stem = path.name.removesuffix(".gz")
    stem = stem.removesuffix(Path(stem).suffix) if logs.is_log(path) else stem
    _, dot, last = stem.rpartition(".")
    return last if dot and _WORD.fullmatch(last) else ""


def codes(names: tuple[str, ...]) -> list[str]:
    """Codes that a network's device can report."""
    return [name.removeprefix(_FLAG) for name in names if name.startswith(_FLAG)]


def parse(text: str, names: tuple[str, ...], where: str) -> list[list[str]]:
    """Events as lists of codes, of which one must come; no list for `none`. Raises ScenarioError with the nearest."""
    known = codes(names)
    families: dict[str, list[str]] = {}
    for code in known:
        family = next((code.removesuffix(tier) for tier in _TIERS if code.endswith(tier)), code)
        families.setdefault(family, []).append(code)
    if text == NONE:
        return []
    found, strange = [], []
    for word in text.split("+"):
        if word in known:
            found.append([word])
        elif word in families:
            found.append(families[word])
        else:
            strange.append(f'{where}: there is no event "{word}"{nearest(word, [*known, *families, NONE])}')
    if strange:
        raise ScenarioError(*strange)
    return found


def judge(view: View, events: list[list[str]], cut: str, *, exact: bool) -> list[Finding]:
    """A finding for each event, or for none at all. cut: why the log is known to end early; then what is missing is unknown."""
    names = view.setup.network.from_dut.signal_names
    raised: dict[str, int] = {}
    counts, end_ns = [], silence.end_ns(view)
    for code in codes(names):
        series = view.log.said(_FLAG + code)
        counts.append(int(series.valid.sum()))
        at = series.t_ns[series.valid & (series.value > 0.5)]
        if len(at):
            raised[code] = int(at[0])
    if not counts or not max(counts):
        what = "the network has no flags to look at" if not counts else "not one valid frame with its codes came"
        hint = "judge by a scenario's signals instead" if not counts else "look at the device and at its supply"
        return [Finding("EVENT", "codes", "the device reports its codes", what, Verdict.INCONC, next_step=hint)]
    told = ", ".join(f"{code} at {t / 1e9:.3f} s" for code, t in sorted(raised.items(), key=lambda item: item[1]))
    found = [_event(group, raised, told, min(counts), cut, end_ns) for group in events]
    allowed = {code for group in events for code in group}
    extra = {code: t for code, t in raised.items() if code not in allowed}
    if not events or exact:
        found.append(_nothing_else(extra, min(counts), cut, end_ns, any_other=bool(events)))
    return found


def _event(group: list[str], raised: dict[str, int], told: str, n: int, cut: str, end_ns: int) -> Finding:
    what = " or ".join(group)
    came = [(raised[code], code) for code in group if code in raised]
    expected = f"{what} is reported"
    if came:
        t_ns, code = min(came)
        others = f"; reported: {told}" if len(raised) > 1 else ""
        seen, first = f"{code} at {t_ns / 1e9:.3f} s{others}", (Evidence(t_ns, code, _FLAG + code),)
        return Finding("EVENT", what, expected, seen, Verdict.PASS, evidence=first)
    seen = f"not in {n} frames; reported: {told or 'nothing'}"
    if cut:
        seen, hint = f"{seen}; but the log is cut: {cut}", "what is missing may lie behind the cut: use the whole log"
        end = (Evidence(end_ns, "end of the log"),)
        return Finding("EVENT", what, expected, seen, Verdict.INCONC, evidence=end, next_step=hint)
    hint = "look at the limits of the device, and whether the log holds what should trigger it"
    evidence = Evidence(0, "from the begin of the log"), Evidence(end_ns, "to its end")
    return Finding("EVENT", what, expected, seen, Verdict.FAIL, evidence=evidence, next_step=hint)


def _nothing_else(extra: dict[str, int], n: int, cut: str, end_ns: int, *, any_other: bool) -> Finding:
    what, expected = ("no other code", "nothing else is reported") if any_other else ("no code", "nothing is reported")
    if extra:
        told = ", ".join(f"{code} at {t / 1e9:.3f} s" for code, t in sorted(extra.items(), key=lambda item: item[1]))
        evidence = tuple(Evidence(t, code, _FLAG + code) for code, t in extra.items())
        hint = "a nuisance trip, or a log that does not begin where the device can"
        return Finding("EVENT", what, expected, told, Verdict.FAIL, evidence=evidence, next_step=hint)
    evidence = Evidence(0, "from the begin of the log"), Evidence(end_ns, "to its end")
    if cut:
        seen = f"quiet in {n} frames; but the log is cut: {cut}"
        return Finding("EVENT", what, expected, seen, Verdict.INCONC, evidence=evidence, next_step="use the whole log")
    return Finding("EVENT", what, expected, f"quiet in {n} frames", Verdict.PASS, evidence=evidence)
