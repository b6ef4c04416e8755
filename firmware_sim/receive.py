"""Frames in: E2E check, decoding, freshness. A held value counts until its age limit; then it is stale."""

from __future__ import annotations

from firmware_sim import e2e
from firmware_sim import settings as cfg
from firmware_sim import state as st
from firmware_sim.jit import kernel
from firmware_sim.types import F64, I64, U8
from firmware_sim.wire.codec import decode_slot
from firmware_sim.wire.event import is_for, unpack
from firmware_sim.wire.layout import (
    EVENT_LEN,
    EVENT_T_NS,
    LEN,
    LENGTH,
    SENT,
    T_NS,
)

_LATE_NS = 1 << 62


@kernel
def _take(
    words: I64, p: int, s: int, length: int, link: I64, value: F64, valid: U8, whole: I64, settings: I64, signals: I64,
    scales: F64, slots: I64,
) -> None:  # fmt: skip
    """Check one frame of slot s and, when its stream is trusted, decode it."""
    result = e2e.check(words, p, slots, s, link, settings[cfg.MAX_DELTA]) if length == slots[s, LENGTH] else e2e.ERROR
    window, min_ok, most = settings[cfg.E2E_WINDOW], settings[cfg.E2E_MIN_OK], settings[cfg.E2E_MAX_ERRORS]
    if e2e.track(result, link, p, s, window, min_ok, most) == 1:
        decode_slot(words, p, s, signals, scales, slots, value, valid)
        link[st.SAMPLE_NS, p, s] = whole[st.UP_NS, p] - link[st.HEARD_NS, p, s]
        link[st.HEARD_NS, p, s] = whole[st.UP_NS, p]
        link[st.FRESH, p, s] = 1


@kernel
def _take_events(
    events: I64, n_events: int, from_ns: int, until_ns: int, p: int, s: int, spare: I64, link: I64, value: F64, valid: U8,
    whole: I64, settings: I64, signals: I64, scales: F64, slots: I64, blank: I64,
) -> None:  # fmt: skip
    """Take the events of slot s that arrived in [from, until)."""
    for e in range(n_events):
        t_ns = events[e, EVENT_T_NS]
        if from_ns <= t_ns < until_ns and is_for(events, e, slots, blank, p, s):
            unpack(events, e, slots, p, s, spare)
            _take(spare, p, s, events[e, EVENT_LEN], link, value, valid, whole, settings, signals, scales, slots)


@kernel
def receive(
    words: I64, meta: I64, events: I64, n_events: int, spare: I64, link: I64, value: F64, valid: U8, whole: I64,
    settings: I64, signals: I64, scales: F64, slots: I64, blank: I64,
) -> None:  # fmt: skip
    """Take the frames of a tick: those in slots and those that no slot held, each stream in order of arrival.

    spare: (n_packs, n_words) scratch for frames outside slots.  An event whose id and page no slot has is not for us.
    """
    for p in range(words.shape[0]):
        for s in range(slots.shape[0]):
            link[st.FRESH, p, s] = 0
            sent = meta[p, SENT, s] == 1
            own_ns = meta[p, T_NS, s] if sent else _LATE_NS
            for late in range(2 if n_events > 0 else 1):
                if n_events > 0:
                    _take_events(
                        events, n_events, 0 if late == 0 else own_ns, own_ns if late == 0 else _LATE_NS, p, s, spare, link,
                        value, valid, whole, settings, signals, scales, slots, blank,
                    )  # fmt: skip
                if sent and late == 0:
                    _take(words, p, s, meta[p, LEN, s], link, value, valid, whole, settings, signals, scales, slots)
