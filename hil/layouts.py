"""Which messages of a DBC or a network are drawn, with what is wrong with them and what their signals play."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hil import casting, files, network
from hil.database import Database
from hil.dbcfile import faults, picture, reading
from hil.dbcfile.scan import MessageText
from hil.errors import ScenarioError


@dataclass(frozen=True)
class Drawn:
    """The messages of a file. title: its name.  messages: each with what is wrong with it.  roles: by message and signal."""

    title: str
    messages: list[tuple[MessageText, list[str]]]
    roles: dict[tuple[str, str], str]

    def lines(self) -> list[str]:
        """For a terminal."""
        out = []
        for message, wrong in self.messages:
            out += ["", *picture.lines(message, self.roles), *(f"  wrong: {text}" for text in wrong)]
        return out


def drawn(path: Path) -> list[Drawn]:
    """Pictures of a DBC, or of the messages of a network that play a role. Raises ScenarioError."""
    if path.suffix.lower() == ".dbc":
        return [Drawn(path.name, _messages(path, None), {})]
    if path.suffix.lower() != ".toml" or files.kind_of(path, files.read_toml(path)) != "network":
        return []
    file = files.load(path, network.NetworkFile)
    buses, mapped = network.parts(path, file)
    database = Database(buses, tolerant=mapped is not None)
    if mapped is not None:
        casting.apply(mapped[1], mapped[0], database)
    used = None if mapped is None else {message.name for message in database.messages if casting.has_role(message)}
    played = dict(database.played)
    by_role = {(message, role): signal for (message, signal), role in database.played.items()}
    for (message, role), guard in database.guards.items():
        if (message, role) in by_role:
            played.setdefault((message, guard.signal), f"the validity of {role}")
    for name, own in database.protections.items():
        for signal, what in ((own.crc, "the check"), (own.counter, "the counter")):
            if signal is not None:
                played.setdefault((name, signal), what)
    return [Drawn(one.name, _messages(one, used), played) for bus in buses for one in bus.paths]


def _messages(path: Path, used: set[str] | None) -> list[tuple[MessageText, list[str]]]:
    found = reading.scanned(path)
    wrong = faults.report(found).left_out
    if not found.messages:
        raise ScenarioError(f"{path}: it holds no message that could be shown")
    return [
        (message, wrong.get(message.name, []))
        for message in found.messages
        if message.name != faults.INDEPENDENT and (used is None or message.name in used)
    ]


def page(shown: list[Drawn]) -> str:
    """All as one HTML page."""
    title = "Bits of " + ", ".join(one.title for one in shown)
    roles = {key: role for one in shown for key, role in one.roles.items()}
    return picture.page_html(title, [message for one in shown for message in one.messages], roles)
