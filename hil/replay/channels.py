"""Which channel of a log is which bus of a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hil.errors import ScenarioError, nearest
from hil.link.frame import hex_id

if TYPE_CHECKING:
    from hil.replay.survey import Key, Survey


def assigned(found: Survey, names: Sequence[str], known: Sequence[set[Key]], given: Sequence[str]) -> dict[int, int]:
    """Bus of each channel that has one. names, known: of each bus, and the ids of its messages.  given: BUS=CHANNEL.

    Without any given, a channel is the bus of whose ids it carries most, whatever its number. Raises ScenarioError when
    that could be two buses, or when two channels carry the same messages of one: a device that gets each frame twice is
    another test.
    """
    buses = _given(found, names, given) if given else _guessed(found, names, known)
    for channel, bus in sorted(buses.items()):
        for other in sorted(c for c, b in buses.items() if b == bus and c < channel):
            both = sorted(known[bus] & found.frames[channel].keys() & found.frames[other].keys())
            if both:
                first = {names[b]: min(c for c, a in buses.items() if a == b) for b in sorted(set(buses.values()))}
                said = " ".join(f"--channel {name}={found.about.channels.get(c, c)}" for name, c in first.items())
                raise ScenarioError(
                    f"{found.path}: channels {other} and {channel} both carry {hex_id(both[0][0], bool(both[0][1]))} of bus "
                    f'"{names[bus]}", so it would be fed twice; say which is which, as in {said}'
                )
    return buses


def _guessed(found: Survey, names: Sequence[str], known: Sequence[set[Key]]) -> dict[int, int]:
    best: dict[int, list[int]] = {}
    for channel, counts in sorted(found.frames.items()):
        score = [sum(n for key, n in counts.items() if key in keys) for keys in known]
        best[channel] = [bus for bus, n in enumerate(score) if n and n == max(score)]
    for channel, buses in best.items():
        if len(buses) > 1:
            either = " or ".join(f'"{names[bus]}"' for bus in buses)
            raise ScenarioError(
                f"{found.path}: channel {channel} may be bus {either}: it carries as many of their ids; "
                f"say which: {_example(found, names, best)}"
            )
    return {channel: buses[0] for channel, buses in best.items() if buses}


def _example(found: Survey, names: Sequence[str], best: dict[int, list[int]]) -> str:
    """What might be typed for all channels that could be a bus: each bus once."""
    said: dict[int, int] = {}
    for channel, buses in sorted(best.items(), key=lambda item: len(item[1])):
        free = [bus for bus in buses if bus not in said]
        if free:
            said[channel if channel in free else free[0]] = channel
    return " ".join(
        f"--channel {names[bus]}={found.about.channels.get(channel, channel)}" for bus, channel in sorted(said.items())
    )


def _given(found: Survey, names: Sequence[str], given: Sequence[str]) -> dict[int, int]:
    """What was typed; frames of other channels are left out, and counted as such."""
    buses: dict[int, int] = {}
    for text in given:
        name, equals, where = text.partition("=")
        if not equals or name not in names:
            raise ScenarioError(f'--channel "{text}": expected BUS=CHANNEL with a bus of the network{nearest(name, names)}')
        channel = next((number for number, known in found.about.channels.items() if known == where), None)
        if channel is None and where.isdecimal() and len(where) <= 3:
            channel = int(where)
        if channel not in found.frames:
            there = ", ".join(found.about.channels.get(number, str(number)) for number in sorted(found.frames))
            raise ScenarioError(f'--channel "{text}": {found.path} has no such channel; it has {there}')
        if channel in buses or names.index(name) in buses.values():
            raise ScenarioError(f'--channel "{text}": bus and channel belong together once')
        buses[channel] = names.index(name)
    for channel, counts in found.frames.items():
        if channel not in buses:
            found.left_out[f"frames of channel {found.about.channels.get(channel, channel)}"] = sum(counts.values())
    return buses
