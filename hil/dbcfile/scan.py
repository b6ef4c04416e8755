"""A DBC's messages and signals as its text says them, without any parser: what is looked at before one may see the file.

Linear in the size of the text, whatever is in it. Strings and comments are blanked first, so nothing hides in them.
"""

from __future__ import annotations

import bisect
import re
from dataclasses import dataclass, field

_STRING = re.compile(r'"(?:[^"\\]|\\"?)*"|//[^\n]*')
_INK = re.compile(r"[^\n]")
_LINES = re.compile(
    r"(?<!\w)(?:"
    r"BO_\s+(?P<id>\d{1,20})\s+(?P<message>[^\s:]{1,200})\s*:\s*(?P<size>\d{1,20})\s+(?P<sender>\w+)"
    r"|SG_\s+(?P<signal>[^\s:]{1,200})(?:\s+(?P<mux>\w{1,20}))?\s*:\s*(?P<start>\d{1,20})\s*\|\s*(?P<length>\d{1,20})\s*@\s*"
    r"(?P<order>\d)\s*(?P<sign>[+-])\s*\((?P<scale>[^,()]{1,60}),(?P<offset>[^,()]{1,60})\)\s*"
    r"\[(?P<low>[^|\]\[]{1,60})\|(?P<high>[^|\]\[]{1,60})\]"
    r"(?P<unit>\s*\"[^\"]*\")?(?:\s*(?!(?:SG_|BO_|VAL_|CM_|BA_)(?!\w))\w+(?:\s*,\s*\w+)*)?"
    r")"
)
_RANGES = re.compile(
    r"(?<!\w)SG_MUL_VAL_\s+(\d{1,20})\s+(\w{1,200})\s+(\w{1,200})\s+([^;\"]{0,20000});",
)
_RANGE = re.compile(r"(\d{1,20})\s*-\s*(\d{1,20})")
_SENDERS = re.compile(r"(?<!\w)BO_TX_BU_\s+(\d{1,20})\s*:\s*([\w,\s]{0,20000});")


@dataclass
class SignalText:
    """A signal as the file says it.

    mux: "" for none, "M" for a multiplexer, "m3" for page 3, "m3M" for both.  start, length: bits as written.
    switch, pages: the multiplexer on which it depends and the values for which it is there, as (first, last); "" for none.
    """

    name: str
    mux: str
    start: int
    length: int
    little: bool
    signed: bool
    scale: str
    offset: str
    low: str
    high: str
    unit: str
    line: int
    switch: str = ""
    pages: tuple[tuple[int, int], ...] = ()

    @property
    def is_switch(self) -> bool:
        """True for a multiplexer."""
        return self.mux.endswith("M")

    def bits(self) -> list[int]:
        """Bits of the payload that it takes, byte by byte from the lowest bit up, its least significant bit first."""
        if self.little:
            return list(range(self.start, self.start + self.length))
        first = 8 * (self.start // 8) + 7 - self.start % 8
        return [8 * (at // 8) + 7 - at % 8 for at in range(first + self.length - 1, first - 1, -1)]


@dataclass
class MessageText:
    """A message as the file says it. number: its id with the extended bit.  start, end: where it stands in the text."""

    number: int
    name: str
    length: int
    sender: str
    line: int
    start: int
    end: int
    signals: list[SignalText] = field(default_factory=list)

    @property
    def can_id(self) -> int:
        """Its id without the extended bit."""
        return self.number & 0x7FFFFFFF

    @property
    def is_extended(self) -> bool:
        """True for 29 bits."""
        return bool(self.number >> 31)


@dataclass
class Scan:
    """A file. masked: its text with strings and comments blanked, of the same length.  orphans: SG_ before any BO_."""

    text: str
    masked: str
    messages: list[MessageText]
    orphans: int = 0


def _blank(match: re.Match[str]) -> str:
    found = match[0]
    if found.startswith("//"):
        return _INK.sub(" ", found)
    return '"' + _INK.sub(" ", found[1:-1]) + '"'


def scan(text: str) -> Scan:
    """Find all messages and signals of a file."""
    masked = _STRING.sub(_blank, text)
    breaks = [match.start() for match in re.finditer("\n", masked)]
    found = Scan(text, masked, [])
    for match in _LINES.finditer(masked):
        line = bisect.bisect_left(breaks, match.start()) + 1
        if match["message"] is not None:
            found.messages.append(
                MessageText(
                    int(match["id"]), match["message"], int(match["size"]), match["sender"], line, match.start(), match.end()
                )
            )
        elif found.messages:
            unit = "" if match["unit"] is None else text[match.start("unit") : match.end("unit")].strip()[1:-1]
            found.messages[-1].end = match.end()
            found.messages[-1].signals.append(
                SignalText(
                    match["signal"], match["mux"] or "", int(match["start"]), int(match["length"]), match["order"] == "1",
                    match["sign"] == "-", match["scale"].strip(), match["offset"].strip(), match["low"].strip(),
                    match["high"].strip(), unit, line,
                )
            )  # fmt: skip
        else:
            found.orphans += 1
    _switches(found)
    return found


def _switches(found: Scan) -> None:
    """Say of each signal on which multiplexer it depends, and for which of its values."""
    by_number: dict[int, list[MessageText]] = {}
    for message in found.messages:
        by_number.setdefault(message.number, []).append(message)
        main = next((signal.name for signal in message.signals if signal.mux == "M"), "")
        for signal in message.signals:
            if signal.mux[:1] == "m" and (digits := signal.mux[1:].removesuffix("M")).isdigit():
                signal.switch, signal.pages = main, ((int(digits), int(digits)),)
    for match in _RANGES.finditer(found.masked):
        for message in by_number.get(int(match[1]), []):
            for signal in message.signals:
                if signal.name == match[2]:
                    signal.switch = match[3]
                    signal.pages = tuple((int(a), int(b)) for a, b in _RANGE.findall(match[4]))


def senders(found: Scan) -> dict[int, set[str]]:
    """Nodes that send each id: of its message, and those of BO_TX_BU_."""
    said = {message.number: {message.sender} for message in found.messages}
    for match in _SENDERS.finditer(found.masked):
        said.setdefault(int(match[1]), set()).update(re.findall(r"\w+", match[2]))
    return said
