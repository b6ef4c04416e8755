"""Checks by the columns of a slot: published check values, frames of real cars, other libraries, a second computation."""

from __future__ import annotations

from dataclasses import replace

import e2e
import numpy as np
import pytest
from crccheck.crc import Crc
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.types import I64
from firmware_sim.wire import layout as w
from firmware_sim.wire.check import check_of, is_right, read_counter
from firmware_sim.wire.crc import crc_is_right, protect
from hil.observe.network import _with_check
from hil.protection import columns
from hil.protection.scheme import NAMED, PROFILES, Bits, Scheme, big, little

FD_LENGTHS = (12, 16, 20, 24, 32, 48, 64)
LIST = tuple(range(1, 17))


def slot(scheme: Scheme, data_id: int, length: int, crc_at: Bits = (), counter_at: Bits = ()) -> I64:
    """A slot table with one slot."""
    said = columns.of(scheme, data_id, length, scheme.crc_at or crc_at, scheme.counter_at or counter_at)
    said |= {w.LENGTH: length, w.N_WORDS: 1 if length <= 8 else 8}
    return np.array([[said.get(column, 0) for column in range(w.N_SLOT_COLUMNS)]], np.int64)


def words_of(frame: bytes) -> I64:
    """Payload as words."""
    return np.frombuffer(frame.ljust(64, b"\0"), "<i8").astype(np.int64).reshape(1, 8)


def protected(slots: I64, payload: bytes, counter: int) -> bytes:
    """The frame as its sender sends it; its own bits of the payload are blank."""
    words = words_of(payload)
    words[0, 0] |= slots[0, w.FIXED]
    protect(words, 0, slots, 0, counter)
    assert crc_is_right(words, 0, slots, 0)
    return words.astype("<i8").tobytes()[: len(payload)]


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("turned", [False, True])
def test_named_crcs_have_their_check_values(name: str, turned: bool) -> None:
    """Over "123456789", the CRC behind it, in either byte order."""
    scheme, value = NAMED[name]
    at = little(96, scheme.width) if not turned else tuple(bit for bit in big(12, 4))[: scheme.width]
    slots = slot(replace(scheme, data=(0, 8)), 0, 16, at)
    assert value == check_of(words_of(b"123456789"), 0, slots, 0)
    frame = protected(slots, b"123456789".ljust(16, b"\0"), 0)
    found = int.from_bytes(frame[12:], "big" if turned else "little")
    assert value == found


@pytest.mark.compiled_only
@given(st.integers(3, 32), st.data())
@settings(max_examples=60)
def test_any_crc_is_that_of_another_library(width: int, data: st.DataObject) -> None:
    """Width, polynomial, start, final inversion and reflection are free."""
    number = st.integers(0, (1 << width) - 1)
    poly, init, xor_out, reflect = data.draw(number) | 1, data.draw(number), data.draw(number), data.draw(st.booleans())
    payload = data.draw(st.binary(min_size=4, max_size=4))
    theirs = Crc(width, poly, init, reflect, reflect, xor_out).process(payload).final()
    made = Scheme(kind=w.CRC_HIGH, poly=poly, init=init, xor_out=xor_out, reflect=reflect, data=(0, 3))
    assert theirs == check_of(words_of(payload), 0, slot(made, 0, 8, little(32, width)), 0)


VECTORS = {
    "P01 both": ("P01", "both", 0x0123, 0, "CC00000000000000"),
    "P01 low": ("P01", "low", 0x0123, 0, "CE00000000000000"),
    "P01 nibble": ("P01", "nibble", 0x0123, 0, "2A10000000000000"),
    "P02, first of the list": ("P02", "", 0, 0, "0E00000000000000"),
    "P02, second of the list": ("P02", "", 0, 1, "1B01000000000000"),
    "P04": ("P04", "", 0x0A0B0C0D, 0, "001000000A0B0C0D862B055600000000"),
    "P05": ("P05", "", 0x1234, 0, "1CCA000000000000"),
    "P22, second of the list": ("P22", "", 0, 1, "1B01000000000000"),
}


@pytest.mark.parametrize("what", VECTORS)
def test_profiles_give_the_published_frames(what: str) -> None:
    """All-zero payloads of the protocol specification's examples."""
    name, mode, data_id, counter, frame = VECTORS[what]
    scheme = PROFILES[name][mode]
    scheme = replace(scheme, listed=LIST) if scheme.list_at and not scheme.listed else scheme
    size = len(frame) // 2
    assert bytes.fromhex(frame) == protected(slot(scheme, data_id, size), bytes(size), counter)


def _theirs(name: str, mode: str, frame: bytearray, data_id: int) -> bool:
    """Whether another library takes the frame."""
    modes = {"both": 0, "alternating": 1, "low": 2, "nibble": 3}
    if name == "P01":
        return bool(e2e.p01.e2e_p01_check(frame, data_id, data_id_mode=modes[mode]))
    if name == "P11":
        kind = e2e.p11.E2E_P11_DATAID_BOTH if mode == "both" else e2e.p11.E2E_P11_DATAID_NIBBLE
        return bool(e2e.p11.e2e_p11_check(frame, data_id, data_id_mode=kind))
    if name in ("P02", "P22"):
        return bool(e2e.p02.e2e_p02_check(frame, bytes(LIST)))
    return bool(
        {"P04": e2e.p04.e2e_p04_check, "P05": e2e.p05.e2e_p05_check, "P06": e2e.p06.e2e_p06_check}[name](frame, data_id)
    )


@pytest.mark.compiled_only
@pytest.mark.parametrize(
    ("name", "mode"), [(name, mode) for name, modes in PROFILES.items() for mode in modes if name != "None"]
)
@given(data=st.data())
@settings(max_examples=25)
def test_frames_of_a_profile_are_right_for_another_library(name: str, mode: str, data: st.DataObject) -> None:
    """Any data id, counter, length and payload; and a frame of another data id is refused by both, or by none."""
    scheme = PROFILES[name][mode]
    scheme = replace(scheme, listed=LIST) if scheme.list_at and not scheme.listed else scheme
    lengths = [n for n in (*range(3, 9), *FD_LENGTHS) if n >= scheme.shortest + 1]
    length, most = data.draw(st.sampled_from(lengths)), 0xFFF if mode == "nibble" else (1 << scheme.id_bits) - 1
    data_id, other = data.draw(st.integers(0, most)), data.draw(st.integers(0, most))
    own = {*scheme.crc_at, *scheme.counter_at, *scheme.fixed_at}
    payload = bytearray(data.draw(st.binary(min_size=length, max_size=length)))
    for bit in own:
        payload[bit // 8] &= ~(1 << bit % 8)
    counter = data.draw(st.integers(0, scheme.last or 0))
    frame = bytearray(protected(slot(scheme, data_id, length), bytes(payload), counter))
    assert counter == read_counter(words_of(bytes(frame)), 0, slot(scheme, data_id, length), 0)
    assert _theirs(name, mode, frame, data_id)
    assert _theirs(name, mode, frame, other) == bool(crc_is_right(words_of(bytes(frame)), 0, slot(scheme, other, length), 0))


@given(st.sampled_from(("P11", "P05")), st.integers(0, 0xFFFF), st.binary(min_size=8, max_size=8), st.integers(0, 14))
@settings(max_examples=50)
def test_the_fast_ways_are_what_their_columns_say(name: str, data_id: int, payload: bytes, counter: int) -> None:
    """Profiles 11 and 5 have tables of their own; the general computation gives the same frame."""
    scheme = next(iter(PROFILES[name].values()))
    blank = bytes(3) + payload[3:]
    fast, slow = slot(scheme, data_id, 8), slot(replace(scheme, way=w.OTHER), data_id, 8)
    frame = protected(fast, blank, counter)
    assert frame == protected(slow, blank, counter)
    assert is_right(words_of(frame), 0, fast, 0)


def car(scheme: Scheme, frames: tuple[str, ...], crc_at: Bits, counter_at: Bits = ()) -> None:
    """Frames that a car sent are right, and with one bit inverted they are not."""
    for text in frames:
        data = bytes.fromhex(text)
        slots = slot(scheme, 0, len(data), crc_at, counter_at)
        words = words_of(data)
        assert is_right(words, 0, slots, 0), text
        words[0, 0] ^= 1 << 20
        assert not is_right(words, 0, slots, 0), text


def test_a_toyota_sums_bytes_id_and_length() -> None:
    """0x1C4, recorded in a car: the sum of id, length and the bytes before it, in the last byte."""
    car(Scheme(kind=w.SUM, before=(0x01, 0xC4, 8)), ("05EA1B080000C09F",), little(56, 8))


def test_a_honda_takes_nibbles_off_8() -> None:
    """0x1DC and 0x324, recorded in a car: the sum of all half bytes and those of the id, taken off 8, in four bits."""
    car(Scheme(kind=w.HALF_SUM, minus=True, init=8, before=(0x01, 0xDC)), ("0202CB12",), little(24, 4))
    car(Scheme(kind=w.HALF_SUM, minus=True, init=8, before=(0x03, 0x24)), ("7D65146F00000015",), little(56, 4))


def test_an_alfa_has_a_crc_of_its_own_for_each_message() -> None:
    """EPS_1 and ABS_2, recorded in a car: CRC-8 of 0x1D with another final inversion each."""
    for last, frames in (
        (0x10, ("175197CC00DF", "175197C901A3", "175197CC02E5")),
        (0x0A, ("7E38007D10318032", "7E38007D1031812F")),
    ):
        size = len(frames[0]) // 2
        car(Scheme(kind=w.CRC_HIGH, poly=0x1D, xor_out=last), frames, little(8 * size - 8, 8))


def test_a_volkswagen_picks_a_byte_by_the_counter() -> None:
    """LWI_01 and Getriebe_11, recorded in a car: CRC-8H2F with a list of 16 bytes, which is profile 2 and 22."""
    car(
        replace(PROFILES["P22"][""], listed=(0x86,) * 16),
        ("6B00BD0000000000", "EE010A0000000000", "0303BEA212000000", "600F62C000000000"),
        (),
    )
    magic = bytes.fromhex("3F6939DC94F91464D86A34CEA255B52C")
    car(
        replace(PROFILES["P02"][""], listed=tuple(magic)),
        (
            "F8E0BFFF5F202020",
            "B0E1BFFFC6982180",
            "D2E2BFFF5F202020",
            "00E3BFFFAA202010",
            "FEECBFFFAD202010",
            "36EFBFFFAA202010",
        ),
        (),
    )


SCHEMES = st.builds(
    Scheme,
    kind=st.sampled_from((w.CRC_HIGH, w.SUM, w.HALF_SUM, w.XOR, w.HALF_XOR)),
    poly=st.integers(1, 15), init=st.integers(0, 15), xor_out=st.integers(0, 15), reflect=st.booleans(), minus=st.booleans(),
    over_crc=st.booleans(), before=st.tuples(st.integers(0, 255), st.just("low")), after=st.tuples(st.just("high")),
    listed=st.just(LIST), list_at=st.sampled_from((w.NOT_LISTED, w.LISTED_BEFORE, w.LISTED_AFTER, w.LISTED_ONTO)),
    data=st.sampled_from((None, (0, 5), (3, 7))),
)  # fmt: skip
PLACES = ((little(0, 8), little(8, 4)), (big(6, 2), little(3, 5)), (little(60, 4), little(56, 4)), (big(2, 2), big(0, 2)))


@given(SCHEMES, st.sampled_from(PLACES), st.integers(0, 0xFFFF), st.binary(min_size=8, max_size=8))
@settings(max_examples=120)
def test_what_the_bench_reads_back_is_computed_twice(
    scheme: Scheme, at: tuple[Bits, Bits], data_id: int, payload: bytes
) -> None:
    """The observers' own computation, by whole columns of frames, agrees with the wire's on any scheme."""
    slots = slot(scheme, data_id, 8, *at)
    words = words_of(payload)
    protect(words, 0, slots, 0, 3)
    theirs = _with_check(words.copy().view(np.uint8), slots[0])
    assert theirs.tobytes() == words.tobytes()
    assert 3 == read_counter(words, 0, slots, 0)
