"""One pass over a log before anything moves: every error in it, what it holds, and how it fits a network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from firmware_sim.types import MS_NS
from firmware_sim.wire.layout import BUS, CAN_ID, EXTENDED, FD, FLAGS
from hil import files, network
from hil.errors import NabenchError, ScenarioError
from hil.link.can_bus import Frame
from hil.link.supply import Supply
from hil.network import BENCH_NODE, Network
from hil.record import logs
from hil.record.frame import ERROR, OWN, REMOTE, About, LogFrame
from hil.replay import channels

_MOST_BACK_NS = 1_000_000_000
_MOST_NS = 86_400 * 1_000_000_000
_MOST_FRAMES = 10_000_000  # those of a replay are held in memory
_LARGEST = (192, 64)  # cells and sensors that the wire carries
Key = tuple[int, int]


@dataclass
class Survey:
    """What is in a log.

    frames: data frames by channel and (id, extended flag).  ends: time of the last of each.
    first_ns, last_ns: times of the first and the last.
    supply: (t_ns, on, erase) of the bench's supply frames where they change.  left_out: frames that no device takes, by kind.
    """

    path: Path
    about: About
    frames: dict[int, Counter[Key]] = field(default_factory=dict)
    ends: dict[tuple[int, Key], int] = field(default_factory=dict)
    first_ns: int = 0
    last_ns: int = 0
    supply: list[tuple[int, bool, bool]] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    @property
    def n_frames(self) -> int:
        """Data frames."""
        return sum(sum(counts.values()) for counts in self.frames.values())


def taken(frames: Iterator[LogFrame], left_out: Counter[str] | None = None) -> Iterator[LogFrame]:
    """The data frames of a log that came over the bus once; what is left out is counted."""
    for frame in frames:
        if frame.flags & (ERROR | REMOTE | OWN):
            if left_out is not None:
                left_out["error frames" if frame.flags & ERROR else "remote frames" if frame.flags & REMOTE else "echoes"] += 1
            continue
        yield frame


def look(path: Path) -> Survey:
    """Read a log once. Raises ScenarioError: damaged, empty, too long, or with times that go back."""
    about, frames = logs.open_log(path)
    found = Survey(path, about)
    supply, latest_ns = Supply(), -1
    for n, frame in enumerate(taken(frames, found.left_out)):
        if n >= _MOST_FRAMES:
            raise ScenarioError(f"{path}: more than {_MOST_FRAMES} frames; split the log")
        if latest_ns < 0:
            found.first_ns = frame.t_ns
        if frame.t_ns < latest_ns - _MOST_BACK_NS:
            raise ScenarioError(
                f"{path}: after {n} frames the time goes back from {latest_ns / 1e9:.6f} to "
                f"{frame.t_ns / 1e9:.6f} s; split the log there"
            )
        latest_ns = max(latest_ns, frame.t_ns)
        key = frame.can_id, frame.flags & EXTENDED
        found.frames.setdefault(frame.channel, Counter())[key] += 1
        found.ends[frame.channel, key] = latest_ns
        if frame.can_id == supply.can_id:
            order = supply.read(Frame(frame.t_ns, frame.can_id, frame.flags & (EXTENDED | FD), frame.data, 0))
            if order is not None and (not found.supply or found.supply[-1][1] != order[0]):
                found.supply.append((frame.t_ns, *order))
    if latest_ns < 0:
        raise ScenarioError(f"{path}: no data frame in this log{f' (it is cut: {about.cut})' if about.cut else ''}")
    found.last_ns = latest_ns
    if found.last_ns - found.first_ns > _MOST_NS:
        raise ScenarioError(f"{path}: {(found.last_ns - found.first_ns) / 3.6e12:.1f} h; expected at most 24; split the log")
    return found


@dataclass(frozen=True)
class Fit:
    """How a log lies on a network. buses: bus of each channel.  unknown: ids without a message.  missing: messages of the
    rest of the bus that never come.  of_device: frames of the device itself.
    """

    buses: dict[int, int]
    unknown: dict[Key, int]
    missing: tuple[str, ...]
    of_device: int
    end_ns: int


def fit(found: Survey, net: Network, given: Sequence[str] = ()) -> Fit:
    """How a log lies on a network; channels as given, or by their ids. Raises ScenarioError with a better network when none
    fits.
    """
    to_dut, from_dut = _ids(net, net.to_dut.slots.tolist()), _ids(net, net.from_dut.slots.tolist())
    known = [there | back for there, back in zip(to_dut, from_dut, strict=True)]
    buses = channels.assigned(found, [bus.name for bus in net.database.buses], known, given)
    unknown: Counter[Key] = Counter()
    heard: set[tuple[int, Key]] = set()
    of_device = 0
    expected = {Supply().can_id}
    for channel, counts in sorted(found.frames.items()):
        if channel not in buses:
            unknown.update({} if given else {key: n for key, n in counts.items() if key[0] not in expected})
            continue
        best = buses[channel]
        for key, n in counts.items():
            heard |= {(best, key)}
            of_device += n if key in from_dut[best] else 0
            if key not in to_dut[best] and key not in from_dut[best] and (key[0] not in expected or key[1]):
                unknown[key] += n
    wanted = [(bus, key) for bus, keys in enumerate(to_dut) for key in sorted(keys)]
    if not any(item in heard for item in wanted):
        if 2 * of_device > found.n_frames:
            raise ScenarioError(
                f"{found.path}: {of_device} of its {found.n_frames} frames are of the device itself, none is of the rest of "
                f"the bus; expected {_shown([key for _, key in wanted])}: record the whole bus"
            )
        raise ScenarioError(_stranger(found, net, [key for _, key in wanted]))
    names = {(int(s[BUS]), (int(s[CAN_ID]), int(s[FLAGS]) & EXTENDED)): name.partition("[")[0]
             for s, name in zip(net.to_dut.slots, net.to_dut.slot_names, strict=True)}  # fmt: skip
    missing = tuple(names[item] for item in wanted if item not in heard)
    end_ns = max(t_ns for (channel, key), t_ns in found.ends.items() if channel in buses and key in to_dut[buses[channel]])
    return Fit(buses, dict(unknown), missing, of_device, end_ns)


def _ids(net: Network, slots: list[list[int]]) -> list[set[Key]]:
    found: list[set[Key]] = [set() for _ in range(net.n_buses)]
    for slot in slots:
        found[slot[BUS]].add((slot[CAN_ID], slot[FLAGS] & EXTENDED))
    return found


def _stranger(found: Survey, net: Network, wanted: Sequence[Key]) -> str:
    """A log with nothing for the device in it, and which shipped network would have something."""
    seen: Counter[Key] = sum(found.frames.values(), Counter())
    text = (
        f'{found.path}: none of its {found.n_frames} frames is one that network "{net.name}" sends to the device; '
        f"found {_shown(sorted(seen))}, expected {_shown(wanted)}"
    )
    best, most = "", 0
    for name in files.shipped("network"):
        if name in ("bench", net.name):
            continue
        try:
            other = network.load(name, *_LARGEST, 10 * MS_NS)
        except NabenchError:
            continue
        keys = set().union(*_ids(other, other.to_dut.slots.tolist()))
        n = sum(count for key, count in seen.items() if key in keys)
        best, most = (name, n) if n > most else (best, most)
    if best:
        return f"{text}; did you mean --network {best}?"
    close = min(seen, key=lambda key: min(abs(key[0] - w[0]) for w in wanted))
    near = min(wanted, key=lambda w: abs(w[0] - close[0]))
    return f"{text}; the nearest are {_shown([close])} and {_shown([near])}; give the network or the DBC of this log"


def _shown(keys: Sequence[Key]) -> str:
    text = ", ".join(f"0x{can_id:X}{'x' if extended else ''}" for can_id, extended in keys[:6])
    return text + (f" and {len(keys) - 6} more" if len(keys) > 6 else "")


def uses_supply(net: Network) -> bool:
    """True when the id of the bench's supply frame belongs to a message of the network itself."""
    can_id = Supply().can_id
    messages = (m for m in net.database.messages if BENCH_NODE not in m.senders)
    return any(m.frame_id == can_id and not m.is_extended_frame for m in messages)
