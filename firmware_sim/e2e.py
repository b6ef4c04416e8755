"""E2E receiver: whether a frame is the one that should come now, and whether its stream can be trusted.

Two layers, after the AUTOSAR E2E protocol specification (counters and state machine are the same in its profiles).

Check of one frame: CRC wrong -> ERROR. Otherwise the counter's step since the last good CRC decides: 0 -> REPEATED,
1 -> OK, 2 to max_delta -> OK (some lost), more or a value that is never sent -> WRONG_SEQUENCE. After a wrong sequence
the new value is the reference. The first frame ever has no step: INITIAL. A scheme without counter has no sequence, one
without CRC no ERROR.

State of the stream over the last `window` frames: NODATA -> INIT on the first good CRC; INIT -> VALID with at least
min_ok good and at most max_errors bad frames in the window; VALID -> INVALID when that no longer holds; INVALID -> VALID
when it holds again. Only frames that are OK in a VALID stream carry data. Silence is not seen here but by age.
"""

from __future__ import annotations

from firmware_sim import state as st
from firmware_sim.jit import inlined
from firmware_sim.types import I64
from firmware_sim.wire.crc import crc_is_right, read_counter
from firmware_sim.wire.layout import COUNTER_FIRST, COUNTER_MASK, COUNTER_MAX, COUNTER_STEP, COUNTS_WITH, E2E, NO_E2E

NODATA, INIT, VALID, INVALID = range(4)
OK, INITIAL, REPEATED, WRONG_SEQUENCE, ERROR = range(5)


@inlined
def check(words: I64, p: int, slots: I64, s: int, link: I64, max_delta: int) -> int:
    """Result for one frame of slot s; moves the counter reference. words: payload with the slot's layout."""
    result = OK
    if slots[s, E2E] != NO_E2E:
        if not crc_is_right(words, p, slots, s):
            result = ERROR
        elif slots[s, COUNTER_MASK] != 0:
            counter, step = read_counter(words, p, slots, s) - slots[s, COUNTER_FIRST], slots[s, COUNTER_STEP]
            off = 0
            if step != 1:
                counter, off = counter // step, counter % step
            last, top = link[st.LAST_COUNTER, p, slots[s, COUNTS_WITH]], slots[s, COUNTER_MAX]
            delta = counter - last if counter >= last else counter - last + top + 1
            if counter < 0 or counter > top or off != 0:
                result = WRONG_SEQUENCE
            else:
                link[st.LAST_COUNTER, p, slots[s, COUNTS_WITH]] = counter
                if link[st.E2E_STATE, p, s] == NODATA:
                    result = INITIAL
                elif delta == 0:
                    result = REPEATED
                elif delta > max_delta:
                    result = WRONG_SEQUENCE
    return result


@inlined
def track(result: int, link: I64, p: int, s: int, window: int, min_ok: int, max_errors: int) -> int:
    """Enter a result into the window and move the state. Returns 1 when this frame's data may be used."""
    good = result == OK or result == INITIAL
    link[st.LAST_RESULT, p, s] = result
    link[st.N_ERRORS, p, s] += 0 if good else 1
    state = link[st.E2E_STATE, p, s]
    use = 0
    if state != NODATA or good or result == REPEATED:
        bits = ((link[st.WINDOW, p, s] << 1) | (0 if good else 1)) & ((1 << window) - 1)
        seen = min(link[st.N_SEEN, p, s] + 1, window)
        link[st.WINDOW, p, s] = bits
        link[st.N_SEEN, p, s] = seen
        bad = 0
        while bits != 0:
            bits &= bits - 1
            bad += 1
        if seen - bad >= min_ok and bad <= max_errors:
            state = VALID
        elif state == VALID:
            state = INVALID
        elif state == NODATA:
            state = INIT
        link[st.E2E_STATE, p, s] = state
        use = 1 if good and state == VALID else 0
    return use
