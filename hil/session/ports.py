"""The same bench under the names of ASAM XIL: thin views, without a state of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from hil import journal as j
from hil import truth
from hil.errors import ScenarioError, nearest
from hil.fault.catalogue import catalogue
from hil.network import Network
from hil.session import stimulus
from hil.session.live import Value, find
from hil.session.stimulus import Fault, Stimulus
from hil.session.tape import Piece
from hil.wirelog import WireLog, choices

if TYPE_CHECKING:
    from hil.session.session import Session

_LOADS = ("current_A", "power_W", "resistance_ohm")


class MAPort:
    """Model access: read what is true in the plant, write its load and those of its parameters that can be wrong."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def variables(self) -> tuple[str, ...]:
        """Names that `read` takes; those of single cells stand for all cells."""
        return (*(name for name, _ in truth.COLUMNS), *(f"{name}[0]" for name, _ in truth.CELL_COLUMNS))

    def read(self, name: str) -> float:
        """A plant variable. Raises ScenarioError."""
        return self._session.truth(name)

    def write(self, name: str, value: float | bool | str = True) -> Stimulus:
        """load.current_A, load.power_W, load.resistance_ohm, or the short form of a plant fault. Raises ScenarioError."""
        word, _, last = name.partition(".")
        if word == "load" and last in _LOADS:
            return self._session.load(**{last: stimulus.number(value, name)})  # type: ignore[arg-type]
        kind = catalogue()[stimulus.parse(name).fault]
        if kind.seam != "plant":
            raise ScenarioError(f'"{name}" acts on the {kind.seam}, not on the plant; write bench.set("{name}", ...)')
        return self._session.clear(name) if value is False else self._session.set(name, value)


class EESPort:
    """Electrical error simulation: what wires, sensors and lines do wrong."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def errors(self) -> tuple[str, ...]:
        """Names of faults at the sensors and in the plant."""
        return tuple(kind.name for kind in catalogue().values() if kind.seam in ("sensor", "plant"))

    @property
    def active(self) -> list[Fault]:
        """Errors that are set now."""
        return [fault for fault in self._session.faults if fault.bound.kind.seam in ("sensor", "plant")]

    def set(self, error: str, target: str | None = None, **values: float | bool | str) -> Fault:
        """Set an error of the catalogue. Raises ScenarioError."""
        if error in catalogue() and error not in self.errors:
            raise ScenarioError(f'"{error}" is no electrical error; write bench.inject("{error}", ...)')
        return self._session.inject(error, target, **values)  # type: ignore[arg-type]

    def clear(self) -> None:
        """Take all electrical errors away."""
        for fault in self.active:
            fault.clear()


class NetworkPort:
    """Network access: signals by name, frames as they crossed the wire."""

    def __init__(self, session: Session, piece: Callable[[int, int], Piece], network: Network) -> None:
        self._session, self._piece, self._network = session, piece, network

    @property
    def signals(self) -> tuple[str, ...]:
        """All signals, those to the device first."""
        return (*self._network.to_dut.signal_names, *self._network.from_dut.signal_names)

    @property
    def messages(self) -> tuple[str, ...]:
        """All messages, pages apart."""
        return (*self._network.to_dut.slot_names, *self._network.from_dut.slot_names)

    def read(self, signal: str) -> Value:
        """The latest value of a signal. Raises ScenarioError."""
        return self._session.signal(signal)

    def write(self, signal: str, value: float | str) -> Fault:
        """Let a signal that the bench sends read a value, by number or name. Raises ScenarioError."""
        find(self._network, signal)
        names = {text: raw for raw, text in choices(self._network, signal).items()}
        if isinstance(value, str):
            if value not in names:
                raise ScenarioError(f'"{value}" is not a value of {signal}; it has {", ".join(names) or "no names"}')
            described = self._network.database.signal(signal)
            value = names[value] * float(described.scale) + float(described.offset)
        return self._session.set(f"signal[{signal}].value", float(value))

    def frames(self, message: str, from_s: float = 0.0) -> list[tuple[float, int, bytes]]:
        """(time [s], id, payload) of the frames of a message that arrived from from_s on. Raises ScenarioError."""
        session = self._session
        piece = self._piece(round(from_s / session.tick_s), round(session.time_s / session.tick_s))
        log = WireLog(piece.trace.journal, self._network)
        found = []
        for kind, layout in ((j.TO_DUT, self._network.to_dut), (j.FROM_DUT, self._network.from_dut)):
            for slot, name in enumerate(layout.slot_names):
                if message in (name, name.partition("[")[0]):
                    found.append(log.frames(kind, slot))
        if not found:
            names = {name.partition("[")[0] for name in self.messages}
            raise ScenarioError(f'there is no message "{message}" on the wire of this pack{nearest(message, names)}')
        rows = np.concatenate(found)
        rows = rows[np.argsort(rows[:, j.T_NS], kind="stable")]
        rows = rows[rows[:, j.T_NS] + piece.base_ns >= round(from_s * 1e9)]
        return [
            (
                float(row[j.T_NS] + piece.base_ns) * 1e-9,
                int(row[j.ID]),
                np.ascontiguousarray(row[j.WORD :]).tobytes()[: int(row[j.LENGTH])],
            )
            for row in rows
        ]
