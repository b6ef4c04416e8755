"""The bits of a message as a picture: byte by byte as they stand on the wire, a letter for each signal.

The most significant bit of a signal is a capital letter, so the picture shows its byte order. Bits that two signals share
are ##. Drawn from the text of the file, so it also shows what no parser would read.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hil.dbcfile.scan import MessageText, SignalText

_MOST_PAGES = 12
_MOST_BYTES = 64
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_COLOURS = 12

Roles = Mapping[tuple[str, str], str]


@dataclass(frozen=True)
class Page:
    """What stands in a frame at once. label: which page.  cells: bit to the signals that have it, and which bit of them."""

    label: str
    signals: list[SignalText]
    cells: dict[int, list[tuple[int, bool]]]

    def shared(self) -> list[tuple[str, str]]:
        """Pairs of signals that share a bit."""
        found = {
            (self.signals[at[i][0]].name, self.signals[at[j][0]].name): None
            for at in self.cells.values()
            for i in range(len(at))
            for j in range(i + 1, len(at))
        }
        return list(found)


def pages(message: MessageText) -> list[Page]:
    """The pages of a message, one when it has no multiplexer; the first dozen of many."""
    switches = sorted(
        {
            (s.switch, value)
            for s in message.signals
            for first, last in s.pages
            for value in range(first, min(last, first + 63) + 1)
        }
    )
    if not switches:
        return [_page("", message.signals)]
    found = []
    for switch, value in switches[:_MOST_PAGES]:
        there = [s for s in message.signals if not s.switch or (s.switch == switch and _on(s, value)) or _is(s, switch)]
        found.append(_page(f"{switch} = {value}", there))
    if len(switches) > _MOST_PAGES:
        found.append(Page(f"and {len(switches) - _MOST_PAGES} pages more", [], {}))
    return found


def _on(signal: SignalText, value: int) -> bool:
    return any(first <= value <= last for first, last in signal.pages)


def _is(signal: SignalText, switch: str) -> bool:
    """True when a signal is the multiplexer `switch` itself, whatever it depends on."""
    return signal.name == switch


def _page(label: str, signals: list[SignalText]) -> Page:
    cells: dict[int, list[tuple[int, bool]]] = {}
    for n, signal in enumerate(signals):
        if not 1 <= signal.length <= 64 or signal.start >= 8 * _MOST_BYTES:
            continue
        bits = signal.bits()
        for bit in bits:
            cells.setdefault(bit, []).append((n, bit == bits[-1]))
    return Page(label, signals, cells)


def letter(n: int) -> str:
    """Mark of the nth signal: A to Z, then A1 to Z1 and so on."""
    return _LETTERS[n % 26] + (str(n // 26) if n >= 26 else "")


def _size(message: MessageText, page: Page) -> int:
    used = max((bit // 8 for bit in page.cells), default=-1) + 1
    return max(min(message.length, _MOST_BYTES), used)


def lines(message: MessageText, roles: Roles | None = None) -> list[str]:
    """The picture for a terminal. roles: what signals play, by message and name."""
    ident = f"0x{message.can_id:X}{' extended' if message.is_extended else ''}"
    out = [f"{message.name}, {ident}, {message.length} bytes, sent by {message.sender}"]
    for page in pages(message):
        out += [f"  page {page.label}" if page.cells else f"  {page.label}"] if page.label else []
        if not page.cells:
            continue
        out.append("  byte   7   6   5   4   3   2   1   0")
        for byte in range(_size(message, page)):
            marks = [_mark(page, 8 * byte + bit) for bit in range(7, -1, -1)]
            beyond = "  beyond the end" if byte >= message.length else ""
            out.append(f"  {byte:4}" + "".join(f"{mark:>4}" for mark in marks) + beyond)
        for n, signal in enumerate(page.signals):
            role = (roles or {}).get((message.name, signal.name))
            out.append(f"  {letter(n):>4}  {_told(signal)}" + (f"  plays {role}" if role else ""))
        out += [f"  ##    {a} and {b} share bits" for a, b in page.shared()]
    return out


def _mark(page: Page, bit: int) -> str:
    at = page.cells.get(bit, [])
    if len(at) != 1:
        return "##" if at else "."
    n, is_top = at[0]
    return letter(n) if is_top else letter(n).lower()


def _told(signal: SignalText) -> str:
    order = "Intel" if signal.little else "Motorola"
    sign = "signed" if signal.signed else "unsigned"
    unit = f" {signal.unit}" if signal.unit else ""
    mux = f", {signal.mux}" if signal.mux else ""
    return f"{signal.name}: {signal.length} bits from {signal.start}, {order}, {sign}, {_scaled(signal)}{unit}{mux}"


def _scaled(signal: SignalText) -> str:
    return f"x{signal.scale} {signal.offset if signal.offset[:1] in '+-' else '+' + signal.offset}"


_SHEET = """body{font:14px/1.4 system-ui,sans-serif;margin:2em;max-width:70em;color:#222;background:#fff}
h2{font-size:1.05em;margin:1.6em 0 .3em}h3{font-size:.95em;font-weight:normal;margin:.6em 0 .2em}
table{border-collapse:collapse}
td,th{border:1px solid #999;width:2.6em;height:1.6em;text-align:center;font-size:12px;padding:0 3px}
th{border:0;color:#666;font-weight:normal}.top{font-weight:bold}.two{background:#d33;color:#fff;font-weight:bold}
.row{display:flex;gap:2em;flex-wrap:wrap;align-items:flex-start}ul{margin:.2em 0;padding-left:1.2em}.bad{color:#b00}
"""
_STYLE = _SHEET + "".join(f".c{n}{{background:hsl({30 * n},65%,{86 if n % 2 else 78}%)}}" for n in range(_COLOURS))


def page_html(title: str, messages: Iterable[tuple[MessageText, list[str]]], roles: Roles | None = None) -> str:
    """All messages as one HTML page that needs nothing else. messages: each with what is wrong with it."""
    head = f"<title>{html.escape(title)}</title><style>{_STYLE}</style>"
    parts = [
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{head}</head><body><h1>{html.escape(title)}</h1>',
        "<p>Bits as they stand on the wire: a row for each byte, bit 7 on the left. Bold: the most significant bit of a",
        "signal. Red: bits that two signals share.</p>",
    ]
    for message, wrong in messages:
        ident = f"0x{message.can_id:X}{' extended' if message.is_extended else ''}"
        parts.append(
            f"<h2>{html.escape(message.name)} {ident}, {message.length} bytes, sent by {html.escape(message.sender)}</h2>"
        )
        parts += [f'<p class="bad">{html.escape(text)}</p>' for text in wrong]
        for page in pages(message):
            parts.append(f"<h3>{html.escape(page.label)}</h3>" if page.label else "")
            if page.cells:
                parts.append(f'<div class="row">{_table(message, page)}{_legend(message, page, roles or {})}</div>')
    return "\n".join([*parts, "</body></html>\n"])


def _table(message: MessageText, page: Page) -> str:
    head = "<tr><th></th>" + "".join(f"<th>{bit}</th>" for bit in range(7, -1, -1)) + "</tr>"
    rows = []
    for byte in range(_size(message, page)):
        cells = "".join(_cell(page, 8 * byte + bit) for bit in range(7, -1, -1))
        rows.append(f"<tr><th>{byte}</th>{cells}</tr>")
    return f"<table>{head}{''.join(rows)}</table>"


def _cell(page: Page, bit: int) -> str:
    at = page.cells.get(bit, [])
    if not at:
        return "<td></td>"
    names = html.escape(", ".join(page.signals[n].name for n, _ in at), quote=True)
    if len(at) > 1:
        return f'<td class="two" title="{names}">{"".join(letter(n) for n, _ in at[:3])}</td>'
    n, is_top = at[0]
    return f'<td class="c{n % _COLOURS}{" top" if is_top else ""}" title="{names}">{letter(n)}</td>'


def _legend(message: MessageText, page: Page, roles: Roles) -> str:
    items = []
    for n, signal in enumerate(page.signals):
        role = roles.get((message.name, signal.name))
        plays = f" plays <b>{html.escape(role)}</b>" if role else ""
        items.append(f"<li><b>{letter(n)}</b> {html.escape(_told(signal))}{plays}</li>")
    items += [f'<li class="bad">{html.escape(a)} and {html.escape(b)} share bits</li>' for a, b in page.shared()]
    return f"<ul>{''.join(items)}</ul>"
