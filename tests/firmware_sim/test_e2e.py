"""The E2E receiver: what each frame is, and when a stream can be trusted; a plain model and the rules one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as hyp
from oracles.e2e import Receiver

from firmware_sim import e2e
from firmware_sim import state as st
from firmware_sim.wire import layout as w
from firmware_sim.wire.crc import protect
from hil.protection import columns
from hil.protection.scheme import PROFILES

NAMES = {
    e2e.OK: "OK",
    e2e.INITIAL: "INITIAL",
    e2e.REPEATED: "REPEATED",
    e2e.WRONG_SEQUENCE: "WRONG_SEQUENCE",
    e2e.ERROR: "ERROR",
}
STATES = {e2e.NODATA: "NODATA", e2e.INIT: "INIT", e2e.VALID: "VALID", e2e.INVALID: "INVALID"}
TOP = {w.P11: 14, w.P05: 255}


class Stream:
    """The receiver under test, fed with counters."""

    def __init__(self, profile: int, max_delta: int = 3, window: int = 5, min_ok: int = 2, max_errors: int = 2) -> None:
        scheme = next(iter(PROFILES[{w.P11: "P11", w.P05: "P05"}[profile]].values()))
        said = columns.of(scheme, 0x0123, 8, scheme.crc_at, scheme.counter_at) | {w.LENGTH: 8, w.N_WORDS: 1}
        self.slots = np.array([[said.get(column, 0) for column in range(w.N_SLOT_COLUMNS)]], np.int64)
        self.link = np.zeros((st.N_LINK, 1, 1), np.int64)
        self.max_delta, self.rule = max_delta, (window, min_ok, max_errors)

    def take(self, counter: int, crc_right: bool = True) -> tuple[str, str, bool]:
        """(result, state, whether the data may be used)."""
        words = np.zeros((1, 1), np.int64)
        protect(words, 0, self.slots, 0, counter)
        if not crc_right:
            words[0, 0] ^= 1 << 40
        result = e2e.check(words, 0, self.slots, 0, self.link, self.max_delta)
        use = e2e.track(result, self.link, 0, 0, *self.rule)
        return NAMES[result], STATES[int(self.link[st.E2E_STATE, 0, 0])], bool(use)

    def valid(self) -> Stream:
        """Until the stream is trusted; the last counter is 2."""
        assert [(True, "VALID")] == [(use, state) for _, state, use in [self.take(n) for n in range(3)]][-1:]
        return self


@pytest.mark.parametrize("profile", [w.P11, w.P05])
@given(
    frames=hyp.lists(hyp.tuples(hyp.integers(-2, 18), hyp.sampled_from((True, True, True, False))), max_size=60),
    rule=hyp.tuples(hyp.integers(1, 14), hyp.integers(1, 32), hyp.integers(1, 8), hyp.integers(0, 8)),
)
@settings(max_examples=150)
def test_any_sequence_gives_what_the_specification_says(
    profile: int, frames: list[tuple[int, bool]], rule: tuple[int, int, int, int]
) -> None:
    """Random steps of the counter, wrong CRCs and receiver settings against a model in plain words."""
    max_delta, window, min_ok, max_errors = rule
    ours = Stream(profile, max_delta, window, min_ok, max_errors)
    model = Receiver(TOP[profile], max_delta, window, min_ok, max_errors)
    # profile 11 has four bits for its counter: 15 can arrive
    counter, span = 0, 16 if profile == w.P11 else 256
    for step, crc_right in frames:
        counter = (counter + step) % span
        assert model.take(counter, crc_right) == ours.take(counter, crc_right)


def test_the_first_frame_is_initial_and_not_yet_trusted() -> None:
    """NODATA becomes INIT with the first right frame; its data waits until enough frames were good."""
    stream = Stream(w.P11)
    assert ("INITIAL", "INIT", False) == stream.take(9)
    assert ("OK", "VALID", True) == stream.take(10)


def test_wrong_frames_alone_never_start_a_stream() -> None:
    """Without one right CRC the stream stays without data."""
    stream = Stream(w.P11)
    for n in range(20):
        assert ("ERROR", "NODATA", False) == stream.take(n % 15, crc_right=False)


@pytest.mark.parametrize(
    ("step", "result"), [(0, "REPEATED"), (1, "OK"), (2, "OK"), (3, "OK"), (4, "WRONG_SEQUENCE"), (7, "WRONG_SEQUENCE")]
)
@pytest.mark.parametrize("profile", [w.P11, w.P05])
def test_the_step_of_the_counter_decides(profile: int, step: int, result: str) -> None:
    """0 is a repetition, 1 is right, up to the tolerated step some were lost, beyond it the sequence is wrong."""
    assert result == Stream(profile).valid().take(2 + step)[0]


@pytest.mark.parametrize(("profile", "top"), [(w.P11, 14), (w.P05, 255)])
@pytest.mark.parametrize("lost", [0, 1, 2])
def test_the_counter_rolls_over(profile: int, top: int, lost: int) -> None:
    """From its top the counter goes to 0: one step, or more when frames were lost across the roll-over."""
    stream = Stream(profile).valid()
    stream.take(top)
    assert "OK" == stream.take(lost)[0]


def test_counter_15_of_profile_11_is_invalid_and_no_reference() -> None:
    """15 is never sent: the frame is a wrong sequence, and the reference stays where it was."""
    stream = Stream(w.P11).valid()
    assert "WRONG_SEQUENCE" == stream.take(15)[0]
    assert "OK" == stream.take(3)[0]


def test_a_wrong_sequence_becomes_the_reference() -> None:
    """After a jump the next frame is measured from where the counter jumped to."""
    stream = Stream(w.P11).valid()
    assert "WRONG_SEQUENCE" == stream.take(9)[0]
    assert "OK" == stream.take(10)[0]


def test_a_wrong_crc_moves_no_reference() -> None:
    """The counter of a broken frame is not believed."""
    stream = Stream(w.P11).valid()
    assert "ERROR" == stream.take(9, crc_right=False)[0]
    assert "OK" == stream.take(3)[0]


def test_too_many_errors_make_a_stream_invalid_until_they_leave_the_window() -> None:
    """With two errors tolerated in five frames the third makes it INVALID; it is VALID again when one has left."""
    stream = Stream(w.P11).valid()
    states = [stream.take(3 + n, crc_right=False)[1] for n in range(3)]
    assert ["VALID", "VALID", "INVALID"] == states
    again = [stream.take(3 + n)[1:] for n in range(4)]
    assert [("INVALID", False), ("INVALID", False), ("VALID", True), ("VALID", True)] == again


def test_a_frozen_counter_ends_trust() -> None:
    """Repetitions carry no data and count as errors."""
    stream = Stream(w.P11).valid()
    results = [stream.take(2) for _ in range(4)]
    assert {"REPEATED"} == {result for result, _, _ in results}
    assert not any(use for _, _, use in results)
    assert "INVALID" == results[-1][1]
