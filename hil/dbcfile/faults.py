"""What is wrong with a DBC, message by message: all that a parser refuses for the whole file, or would silently misread.

A message with a fault is left out, so that the rest of the file can be read strictly. What nobody reads does no harm; who
maps a message that was left out is told why.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from hil.dbcfile.scan import MessageText, Scan, SignalText

MOST_PAGES = 1024
_MOST_BYTES = 64
_MOST_SIGNALS = 2048
_DEEPEST = 8
_MOST_SAID = 3
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_VALUES = re.compile(r"(?<!\w)VAL_\s+(\d{1,20})\s+(\w{1,200})\s+[^;]*;")
_PAGES = re.compile(r"(?<!\w)SG_MUL_VAL_\s+(\d{1,20})\s+[^;]*;")
_INK = re.compile(r"[^\n]")
INDEPENDENT = "VECTOR__INDEPENDENT_SIG_MSG"


@dataclass
class Report:
    """What a file is worth.

    text: what a parser may see.  left_out: message to what is wrong with it.  notes: what was put right or does not matter.
    kept: (id with extended bit) to its message, for what is left.
    """

    text: str
    left_out: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    kept: dict[int, MessageText] = field(default_factory=dict)

    def sentences(self) -> list[str]:
        """All faults of messages, one sentence each."""
        return [text for texts in self.left_out.values() for text in texts]


def report(found: Scan) -> Report:
    """All that is wrong with a file, and what is left of it."""
    out = Report("")
    numbers = Counter(message.number for message in found.messages)
    names = Counter(message.name for message in found.messages)
    first: dict[int, MessageText] = {}
    drop: list[tuple[int, int]] = []
    for message in found.messages:
        if message.name == INDEPENDENT:
            drop.append((message.start, message.end))
            continue
        wrong = list(_message_faults(message))
        if numbers[message.number] > 1:
            other = first.setdefault(message.number, message)
            who = f'"{other.name}"' if other is not message else "another message"
            wrong.append(f"has the id 0x{message.can_id:X} of {who}; ids on a bus must differ")
        if names[message.name] > 1 and message.name not in out.left_out:
            wrong.append(f"is defined twice in this file, with {names[message.name]} definitions")
        if wrong or names[message.name] > 1:
            shown = wrong[:_MOST_SAID]
            texts = [f'line {message.line}: message "{message.name}" {text}' for text in shown]
            if len(wrong) > len(shown):
                texts.append(f'line {message.line}: message "{message.name}" has {len(wrong) - len(shown)} faults more')
            out.left_out.setdefault(message.name, []).extend(texts)
            drop.append((message.start, message.end))
        else:
            out.kept[message.number] = message
            out.notes += list(_range_notes(message))
    drop += _statements(found, out)
    out.text = _without(found.text, drop)
    return out


def _message_faults(message: MessageText) -> Iterator[str]:
    """What is wrong with one message, each to follow its name."""
    if not _NAME.fullmatch(message.name):
        yield f"has a name that is none; {_name_hint(message.name)}"
    if message.is_extended and message.can_id >= 1 << 29:
        yield f"has the extended id 0x{message.can_id:X}, which is more than 29 bits"
    elif not message.is_extended and message.number >= 1 << 11:
        yield (
            f"has the id 0x{message.number:X}, which is more than 11 bits, without the mark of an extended one; "
            f"write {message.number | 1 << 31} if 29 bits are meant"
        )
    if message.length > _MOST_BYTES:
        yield f"has {message.length} bytes; expected at most {_MOST_BYTES}"
        return
    if len(message.signals) > _MOST_SIGNALS:
        yield f"has {len(message.signals)} signals; expected at most {_MOST_SIGNALS}"
        return
    names = Counter(signal.name for signal in message.signals)
    for signal in message.signals:
        for text in _signal_faults(signal, message):
            yield f'signal "{signal.name}" {text}'
        if names[signal.name] > 1:
            yield f'has the signal "{signal.name}" twice'
    yield from _switch_faults(message)
    yield from (f'signals "{a}" and "{b}" are overlapping' for a, b in overlaps(message))


def _name_hint(name: str) -> str:
    begins = "it begins with a digit, and " if name[:1].isdigit() else ""
    return f"{begins}names of a DBC are letters, digits and _, and begin with no digit"


def _signal_faults(signal: SignalText, message: MessageText) -> Iterator[str]:
    if not _NAME.fullmatch(signal.name):
        yield f"has a name that is none; {_name_hint(signal.name)}"
    if not 1 <= signal.length <= 64:
        yield f"has {signal.length} bits; expected 1 to 64"
    elif signal.start >= 8 * _MOST_BYTES or not _fits(signal, message.length):
        yield f"does not fit in its message: {signal.length} bits from bit {signal.start} on, in {message.length} bytes"
    for what, text in (("scale", signal.scale), ("offset", signal.offset), ("minimum", signal.low), ("maximum", signal.high)):
        value = number(text)
        if value is None or not math.isfinite(value):
            yield f"has {what} {text[:40]}; expected a finite number"
        elif what == "scale" and value == 0.0:
            yield "has scale 0"
    if signal.mux and not re.fullmatch(r"M|m\d+M?", signal.mux):
        yield f'has the mark "{signal.mux}"; expected M for a multiplexer, or m and the number of a page'


def _fits(signal: SignalText, length: int) -> bool:
    first = signal.start if signal.little else 8 * (signal.start // 8) + 7 - signal.start % 8
    return first + signal.length <= 8 * length


def number(text: str) -> float | None:
    """A number of a DBC; None for what is none."""
    try:
        return float(text)
    except ValueError:
        return None


def _switch_faults(message: MessageText) -> Iterator[str]:
    """Multiplexers that are not there, lead in a circle or have too many pages."""
    switches = {signal.name: signal for signal in message.signals if signal.is_switch}
    if sum(signal.mux == "M" for signal in message.signals) > 1 and not any(s.switch for s in message.signals):
        yield "has several multiplexers, and does not say which signal depends on which"
    for signal in message.signals:
        if signal.mux[:1] != "m":
            continue
        above, seen = signal, 0
        while above.switch and seen <= _DEEPEST:
            if above.switch not in switches:
                yield f'signal "{signal.name}" depends on the multiplexer "{above.switch}", which is not there'
                break
            above, seen = switches[above.switch], seen + 1
        if seen > _DEEPEST:
            yield f'signal "{signal.name}" depends on more than {_DEEPEST} multiplexers, or on itself'
        if not signal.switch:
            yield f'signal "{signal.name}" lies on page {signal.mux[1:].removesuffix("M")} of a multiplexer that is not there'
        elif signal.switch in switches:
            top = (1 << min(switches[signal.switch].length, 64)) - 1
            last = max((b for _, b in signal.pages), default=0)
            if sum(max(b - a + 1, 0) for a, b in signal.pages) > MOST_PAGES:
                yield f'signal "{signal.name}" lies on more than {MOST_PAGES} pages'
            elif last > top:
                yield f'signal "{signal.name}" lies on page {last}; multiplexer "{signal.switch}" counts to {top}'


def _apart(a: SignalText, b: SignalText, by_name: dict[str, SignalText]) -> bool:
    """True when two signals are never there at once: somewhere above them they are on other pages of one multiplexer."""
    ways: list[dict[str, tuple[tuple[int, int], ...]]] = []
    for signal in (a, b):
        way, at = {}, signal
        for _ in range(_DEEPEST + 1):
            if not at.switch:
                break
            way[at.switch] = at.pages
            at = by_name.get(at.switch, SignalText("", "", 0, 0, True, False, "", "", "", "", "", 0))
        ways.append(way)
    return any(
        not any(first <= end and begin <= last for first, last in ways[0][switch] for begin, end in ways[1][switch])
        for switch in ways[0].keys() & ways[1].keys()
    )


def overlaps(message: MessageText) -> list[tuple[str, str]]:
    """Pairs of signals that share a bit on some page; the first few."""
    by_name = {signal.name: signal for signal in message.signals}
    at: dict[int, list[SignalText]] = {}
    found: dict[tuple[str, str], None] = {}
    for signal in message.signals:
        if not 1 <= signal.length <= 64 or signal.start >= 8 * _MOST_BYTES:
            continue
        checked: set[int] = set()
        for bit in signal.bits():
            for other in at.get(bit, ()):
                if id(other) not in checked and not _apart(signal, other, by_name):
                    found[other.name, signal.name] = None
                checked.add(id(other))
            at.setdefault(bit, []).append(signal)
        if len(found) > _MOST_SAID:
            break
    return list(found)


def _range_notes(message: MessageText) -> Iterator[str]:
    for signal in message.signals:
        low, high = number(signal.low), number(signal.high)
        if low is not None and high is not None and low > high:
            yield (
                f'line {signal.line}: message "{message.name}" signal "{signal.name}" has its minimum {signal.low} above its '
                f"maximum {signal.high}; its range is not looked at"
            )


def _statements(found: Scan, out: Report) -> list[tuple[int, int]]:
    """Value tables and page ranges of what is not there, or was left out."""
    signals = {number: {signal.name for signal in message.signals} for number, message in out.kept.items()}
    known = {message.number for message in found.messages}
    drop = []
    loose: dict[int, list[str]] = {}
    for match in _VALUES.finditer(found.masked):
        owner = int(match[1])
        if match[2] not in signals.get(owner, ()):
            drop.append(match.span())
            if owner in signals or owner not in known:
                loose.setdefault(owner, []).append(match[2])
    for owner, names in loose.items():
        where = (
            f'message "{out.kept[owner].name}", which does not have them'
            if owner in signals
            else f"message {owner}, which is not there"
        )
        more = f" and {len(names) - _MOST_SAID} more" if len(names) > _MOST_SAID else ""
        out.notes.append(f"names of values (VAL_) of {', '.join(names[:_MOST_SAID])}{more} in {where}")
    drop += [match.span() for match in _PAGES.finditer(found.masked) if int(match[1]) not in signals]
    return drop


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    """The text with some stretches blanked, its lines where they were."""
    parts, at = [], 0
    for start, end in sorted(spans):
        if start >= at:
            parts += [text[at:start], _INK.sub(" ", text[start:end])]
            at = end
    return "".join([*parts, text[at:]])
