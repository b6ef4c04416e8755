"""E2E protection of frames: published vectors, another library, a bitwise CRC, and exactly what it cannot see."""

from __future__ import annotations

import itertools

import e2e
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import crc as oracle

from firmware_sim.types import I64
from firmware_sim.wire import layout as w
from firmware_sim.wire.crc import crc16, crc_is_right, crc_many, protect, read_counter
from hil.protection import columns
from hil.protection.scheme import PROFILES

FD_LENGTHS = (12, 16, 20, 24, 32, 48, 64)
ids = st.integers(0, 0xFFFF)


def slot(profile: int, data_id: int, length: int) -> I64:
    """A slot table with one slot."""
    scheme = next(iter(PROFILES[{w.NO_E2E: "None", w.P11: "P11", w.P05: "P05"}[profile]].values()))
    said = columns.of(scheme, data_id, length, scheme.crc_at, scheme.counter_at)
    said |= {w.LENGTH: length, w.N_WORDS: 1 if length <= 8 else 8}
    return np.array([[said.get(column, 0) for column in range(w.N_SLOT_COLUMNS)]], np.int64)


def words_of(frame: bytes) -> I64:
    """Payload as words."""
    return np.frombuffer(frame.ljust(64, b"\0"), "<i8").astype(np.int64).reshape(1, 8)


def bytes_of(words: I64, length: int) -> bytes:
    """Words as payload."""
    return words.astype("<i8").tobytes()[:length]


def protected(profile: int, data_id: int, payload: bytes, counter: int) -> bytes:
    """A frame from the kernel under test; the header bytes of the payload are blank."""
    words, slots = words_of(payload), slot(profile, data_id, len(payload))
    protect(words, 0, slots, 0, counter)
    assert crc_is_right(words, 0, slots, 0)
    assert counter == read_counter(words, 0, slots, 0)
    return bytes_of(words, len(payload))


def blank(payload: bytes, profile: int) -> bytes:
    """A payload whose header bits are 0."""
    if profile == w.P11:
        return bytes([0, payload[1] & 0xF0]) + payload[2:]
    return bytes(3) + payload[3:]


def test_oracle_gives_the_check_values_of_the_specifications() -> None:
    """The bitwise CRC that judges here gives the published values for "123456789"."""
    data = b"123456789"
    assert 0x37 == oracle.bitwise(data, 8, 0x1D, 0x00)
    assert 0x4B == oracle.bitwise(data, 8, 0x1D, 0xFF, 0xFF)
    assert 0x29B1 == oracle.bitwise(data, 16, 0x1021, 0xFFFF)


def test_profile_5_crc_has_its_check_value() -> None:
    """CRC-16 over two header bytes, "1234567" and "89" as data id: the check value of CRC-16/CCITT-FALSE."""
    assert 0x29B1 == crc16(words_of(b"\0\0" + b"1234567"), 0, 0, 9, 0x3938)


def test_published_vectors() -> None:
    """All-zero payloads of the specification's examples."""
    assert bytes.fromhex("CC00000000000000") == protected(w.P11, 0x0123, bytes(8), 0)
    assert bytes.fromhex("1CCA000000000000") == protected(w.P05, 0x1234, bytes(8), 0)


@pytest.mark.compiled_only
@given(ids, st.integers(0, 14), st.binary(min_size=3, max_size=8))
def test_profile_11_agrees_with_another_library(data_id: int, counter: int, payload: bytes) -> None:
    """Frames of 3 to 8 bytes, any data id and counter, against autosar-e2e in mode "both"."""
    payload = blank(payload, w.P11)
    theirs = bytearray(payload[:1] + bytes([payload[1] | counter]) + payload[2:])
    e2e.p11.e2e_p11_protect(theirs, data_id, data_id_mode=e2e.p11.E2E_P11_DATAID_BOTH, increment_counter=False)
    ours = protected(w.P11, data_id, payload, counter)
    assert bytes(theirs) == ours
    assert oracle.profile_11(data_id, ours) == ours[0]


@pytest.mark.compiled_only
@given(ids, st.integers(0, 255), st.sampled_from((*range(4, 9), *FD_LENGTHS)), st.data())
def test_profile_5_agrees_with_another_library(data_id: int, counter: int, length: int, data: st.DataObject) -> None:
    """Frames of 4 to 64 bytes, any data id and counter, against autosar-e2e."""
    payload = blank(data.draw(st.binary(min_size=length, max_size=length)), w.P05)
    theirs = bytearray(payload[:2] + bytes([counter]) + payload[3:])
    e2e.p05.e2e_p05_protect(theirs, data_id, increment_counter=False)
    ours = protected(w.P05, data_id, payload, counter)
    assert bytes(theirs) == ours
    assert oracle.profile_5(data_id, ours) == int.from_bytes(ours[:2], "little")


@pytest.mark.parametrize(("profile", "top"), [(w.P11, 14), (w.P05, 255), (w.NO_E2E, 0)])
def test_counter_rolls_over_at_its_top(profile: int, top: int) -> None:
    """Profile 11 counts 0 to 14, profile 5 counts 0 to 255; an unprotected frame stays as it is."""
    counter = 0
    seen = []
    for _ in range(2 * top + 3):
        words = np.zeros((1, 8), np.int64)
        seen.append(counter)
        counter = protect(words, 0, slot(profile, 1, 8), 0, counter)
    assert [n % (top + 1) for n in range(2 * top + 3)] == seen


@given(ids, ids, st.binary(min_size=8, max_size=8))
@settings(max_examples=50)
def test_a_frame_of_another_stream_is_refused(own: int, other: int, payload: bytes) -> None:
    """A masquerading frame with another data id fails, unless both ids give the same CRC-8."""
    frame = protected(w.P11, other, blank(payload, w.P11), 3)
    same = oracle.profile_11(own, frame) == oracle.profile_11(other, frame)
    assert same == bool(crc_is_right(words_of(frame), 0, slot(w.P11, own, 8), 0))


def residual(patterns: I64, length: int = 8) -> int:
    """How many error patterns pass the check of a frame. patterns: (n,) words to flip in a right frame."""
    slots = slot(w.P11, 0x1234, length)
    words = words_of(protected(w.P11, 0x1234, bytes([0, 0x50, 1, 2, 3, 4, 5, 6]), 7))
    payloads = np.zeros((len(patterns), 8), np.int64)
    payloads[:, 0] = words[0, 0] ^ patterns
    right = np.zeros(len(patterns), np.uint8)
    crc_many(payloads, slots, 0, right)
    return int(right.sum())


def flips(n_bits: int) -> I64:
    """All patterns of n inverted bits in 64."""
    at = np.array(list(itertools.combinations(range(64), n_bits)), np.int64)
    return np.bitwise_or.reduce(np.int64(1) << at, axis=1)


def bursts(length: int) -> I64:
    """All bursts of exactly this length, first and last bit wrong, in the order of bits on the wire."""
    inner = np.arange(1 << (length - 2), dtype=np.int64)
    shapes = [1 | (int(x) << 1) | (1 << (length - 1)) for x in inner]
    found = []
    for start in range(64 - length + 1):
        for shape in shapes:
            word = 0
            for n in range(length):
                if shape >> n & 1:
                    at = start + n  # n-th bit on the wire: bytes in order, each from its highest bit
                    word |= 1 << (8 * (at // 8) + 7 - at % 8)
            found.append(word - (1 << 64) if word >> 63 else word)
    return np.array(found, np.int64)


@pytest.mark.parametrize(("n_bits", "patterns", "missed"), [(1, 64, 0), (2, 2016, 0)])
def test_one_and_two_inverted_bits_are_always_found(n_bits: int, patterns: int, missed: int) -> None:
    """Exhaustive over an 8-byte frame with its CRC in byte 0."""
    found = flips(n_bits)
    assert patterns == len(found)
    assert missed == residual(found)


@pytest.mark.compiled_only
@pytest.mark.parametrize(("n_bits", "patterns", "missed"), [(3, 41_664, 198), (4, 635_376, 2_453)])
def test_residuals_of_three_and_four_bits_are_those_of_the_polynomial(n_bits: int, patterns: int, missed: int) -> None:
    """An implementation that finds more than these counts is wrong too."""
    found = flips(n_bits)
    assert patterns == len(found)
    assert missed == residual(found)


@pytest.mark.compiled_only
@pytest.mark.parametrize(("length", "patterns", "missed"), [(8, 3_648, 5), (9, 7_168, 54), (10, 14_080, 56)])
def test_residuals_of_bursts_are_those_of_the_polynomial(length: int, patterns: int, missed: int) -> None:
    """With the CRC in front, a burst over the border of byte 0 can pass although it is no longer than the CRC."""
    found = bursts(length)
    assert patterns == len(found)
    assert missed == residual(found)
