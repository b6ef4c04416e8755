"""The bus in time: every mailbox of every node contends, one frame is on the wire, and it ends well or in an error frame.

The state is exact between ticks: a frame that is under way when a tick ends goes on in the next. What a frame comes to
(good, destroyed, by whom) is settled when it starts, with the faults that are on then, and takes effect when it ends.

    free --a frame is released, and its node may send--> under way --its end, or that of the error frame--> free

Error frames: six bits of flag, six more where one node alone saw the error first and the others answer, eight bits of
delimiter, then the intermission. An error that a node sees in a frame lies in the middle of it.
Two nodes that send the same id collide: both see it, unless the frames are the same to the last bit.
A node that is cut off sends to nobody on its own piece of wire, until it is error-passive; from then on nothing changes.
"""

from __future__ import annotations

from firmware_sim.jit import inlined, kernel
from firmware_sim.types import F64, I64
from firmware_sim.wire.layout import EXTENDED
from hil.bus import confine as cf
from hil.bus import table as tb
from hil.bus.length import INTERMISSION_BITS, arbitration_key, duration_ns, frame_bits
from hil.fault import bus as fb
from hil.fault.table import BUS, EXTRA, KEPT, MASK, PACK, PRIMITIVE, SEAM, START_NS, TARGET, A, C, is_on

_NEVER_NS = 1 << 62
_FLAG_BITS, _DELIMITER_BITS, _SUSPEND_BITS = 6, 8, 8
_AFTER_ACK_BITS = 8  # of a frame: acknowledge delimiter and end of frame


@inlined
def _bits_ns(n: int, bitrate: int) -> int:
    return n * 1_000_000_000 // bitrate


@kernel
def babble_id(extra: int) -> tuple[int, int]:
    """Id and flags of a babbling node's frames: a number above 11 bits is an extended id."""
    return (extra, EXTENDED) if extra > 0x7FF else (extra, 0)


@kernel
def _of_bus(rows: I64, r: int, p: int) -> bool:
    return bool(rows[r, SEAM] == BUS and (rows[r, PACK] < 0 or rows[r, PACK] == p))


@kernel
def connect(now_ns: int, p: int, nodes: I64, rows: I64, records: I64, count: I64) -> None:
    """See which nodes are connected, and note a change."""
    for n in range(nodes.shape[1]):
        cut = 0
        for r in range(rows.shape[0]):
            if _of_bus(rows, r, p) and rows[r, PRIMITIVE] == fb.CUT and rows[r, TARGET] == n and is_on(rows, r, now_ns):
                cut = 1
        if cut != nodes[p, n, tb.CUT]:
            nodes[p, n, tb.CUT] = cut
            cf.note(records, count, p, now_ns, tb.LINK_IS, nodes[p, n, tb.ON_BUS], n, 1 - cut, 0, 0)


@kernel
def _may_send(nodes: I64, p: int, n: int) -> bool:
    return bool(nodes[p, n, tb.STATE] != tb.BUS_OFF and nodes[p, n, tb.CUT] == 0)


@kernel
def _babbles_ns(now_ns: int, until_ns: int, p: int, b: int, r: int, nodes: I64, rows: I64, memory: F64) -> int:
    """When the next frame of a babbling node may start, as far as it is known; never when this row is no such node's."""
    if not _of_bus(rows, r, p) or rows[r, PRIMITIVE] != fb.BABBLE or nodes[p, rows[r, TARGET], tb.ON_BUS] != b:
        return _NEVER_NS
    at_ns = max(now_ns, rows[r, START_NS], int(memory[KEPT, p, r]), nodes[p, rows[r, TARGET], tb.READY_NS])
    return at_ns if at_ns < until_ns and is_on(rows, r, at_ns) and _may_send(nodes, p, rows[r, TARGET]) else _NEVER_NS


@kernel
def _node_of(sender: int, mails: I64, rows: I64) -> int:
    return int(mails[sender, tb.NODE] if sender < mails.shape[0] else rows[sender - mails.shape[0], TARGET])


@kernel
def _id_of(sender: int, mails: I64, rows: I64) -> int:
    return int(mails[sender, tb.CAN_ID] if sender < mails.shape[0] else rows[sender - mails.shape[0], EXTRA])


@kernel
def _next_start(
    now_ns: int, until_ns: int, p: int, b: int, wire: I64, nodes: I64, mails: I64, boxes: I64, rows: I64, memory: F64
) -> int:
    """When the next frame starts, if nothing else happens; never when nothing waits."""
    first_ns = _NEVER_NS
    for m in range(mails.shape[0]):
        n = mails[m, tb.NODE]
        if mails[m, tb.BUS] == b and boxes[p, m, tb.FULL] == 1 and _may_send(nodes, p, n):
            first_ns = min(first_ns, max(boxes[p, m, tb.RELEASE_NS], nodes[p, n, tb.READY_NS]))
    for r in range(rows.shape[0]):
        first_ns = min(first_ns, _babbles_ns(now_ns, until_ns, p, b, r, nodes, rows, memory))
    return max(first_ns, now_ns, wire[p, b, tb.FREE_NS]) if first_ns < _NEVER_NS else _NEVER_NS


@kernel
def _arbitrate(
    t_ns: int, until_ns: int, p: int, b: int, wire: I64, nodes: I64, mails: I64, boxes: I64, rows: I64, memory: F64
) -> None:
    """Choose who sends at t, and who sends the same id at the same time."""
    best, rival, least = -1, -1, _NEVER_NS
    for m in range(mails.shape[0]):
        n = mails[m, tb.NODE]
        if mails[m, tb.BUS] != b or boxes[p, m, tb.FULL] == 0 or not _may_send(nodes, p, n):
            continue
        if max(boxes[p, m, tb.RELEASE_NS], nodes[p, n, tb.READY_NS]) > t_ns:
            continue
        if mails[m, tb.KEY] < least:
            best, rival, least = m, -1, mails[m, tb.KEY]
        elif mails[m, tb.KEY] == least and rival < 0 and n != _node_of(best, mails, rows):
            rival = m
    for r in range(rows.shape[0]):
        if _babbles_ns(t_ns, until_ns, p, b, r, nodes, rows, memory) > t_ns:
            continue
        can_id, flags = babble_id(rows[r, EXTRA])
        key = arbitration_key(can_id, flags)
        if key < least:
            best, rival, least = mails.shape[0] + r, -1, key
        elif key == least and rival < 0 and rows[r, TARGET] != _node_of(best, mails, rows):
            rival = mails.shape[0] + r
    wire[p, b, tb.SENDER], wire[p, b, tb.RIVAL] = best, rival


@kernel
def _load(
    p: int, b: int, wire: I64, mails: I64, boxes: I64, incoming: I64, outgoing: I64, flight: I64, rows: I64, numbers: F64
) -> None:
    """Take the payload of the frame that starts, so that its mailbox can be filled anew."""
    sender = wire[p, b, tb.SENDER]
    for w in range(8):
        flight[p, b, w] = 0
    if sender >= mails.shape[0]:
        r = sender - mails.shape[0]
        wire[p, b, tb.BYTES] = rows[r, MASK]
        for w in range(8):
            for byte in range(8):
                flight[p, b, w] |= int(numbers[r, C]) << (8 * byte)
        return
    wire[p, b, tb.BYTES] = boxes[p, sender, tb.LENGTH]
    for w in range(mails[sender, tb.N_WORDS]):
        at = mails[sender, tb.WORD_0] + w
        flight[p, b, w] = incoming[p, at] if mails[sender, tb.DIRECTION] == tb.INCOMING else outgoing[p, at]


@kernel
def _is_same(p: int, b: int, wire: I64, mails: I64, boxes: I64, incoming: I64, outgoing: I64, flight: I64) -> bool:
    """Whether the rival's frame is the one under way, to the last bit. A babbling node's frame never is."""
    rival = wire[p, b, tb.RIVAL]
    if max(rival, wire[p, b, tb.SENDER]) >= mails.shape[0] or boxes[p, rival, tb.LENGTH] != wire[p, b, tb.BYTES]:
        return False
    for w in range(mails[rival, tb.N_WORDS]):
        at = mails[rival, tb.WORD_0] + w
        if flight[p, b, w] != (incoming[p, at] if mails[rival, tb.DIRECTION] == tb.INCOMING else outgoing[p, at]):
            return False
    return True


@kernel
def _foresee(t_ns: int, p: int, b: int, wire: I64, nodes: I64, mails: I64, rows: I64, numbers: F64, memory: F64) -> None:
    """Settle what the frame that starts at t comes to, whose fault it is, and count it for the faults."""
    sender = _node_of(wire[p, b, tb.SENDER], mails, rows)
    outcome, culprit = tb.ACK_ERROR, sender
    for n in range(nodes.shape[1]):
        if nodes[p, n, tb.ON_BUS] == b and n != sender and _may_send(nodes, p, n):
            outcome, culprit = tb.GOOD, -1
    for r in range(rows.shape[0]):
        if not _of_bus(rows, r, p) or not is_on(rows, r, t_ns):
            continue
        primitive, target = rows[r, PRIMITIVE], rows[r, TARGET]
        listens = primitive == fb.HEAR_ERRORS and target != sender and nodes[p, target, tb.ON_BUS] == b
        listens = listens and _may_send(nodes, p, target)
        if (
            not listens
            and not (primitive == fb.BIT_ERRORS and target == sender)
            and not (primitive == fb.NOISE and target == b)
        ):
            continue
        memory[KEPT, p, r] += 1.0
        if int(memory[KEPT, p, r]) % int(numbers[r, A]) != 0 or (outcome != tb.GOOD and outcome != tb.ACK_ERROR):
            continue
        if primitive == fb.NOISE:
            outcome, culprit = tb.NOISE_ERROR, -1
        elif primitive == fb.BIT_ERRORS:
            outcome, culprit = tb.BIT_ERROR, sender
        elif nodes[p, target, tb.STATE] == tb.ACTIVE:
            outcome, culprit = tb.HEAR_ERROR, target
        else:
            culprit = target
    wire[p, b, tb.OUTCOME], wire[p, b, tb.CULPRIT] = outcome, culprit


@kernel
def _start(
    t_ns: int, p: int, b: int, buses: I64, wire: I64, nodes: I64, mails: I64, boxes: I64, incoming: I64, outgoing: I64,
    flight: I64, rows: I64, numbers: F64, memory: F64,
) -> None:  # fmt: skip
    """Put the chosen frame on the wire at t and see when it ends."""
    bitrate = buses[b, tb.BITRATE]
    sender = wire[p, b, tb.SENDER]
    node = _node_of(sender, mails, rows)
    for n in range(nodes.shape[1]):
        if nodes[p, n, tb.ON_BUS] == b and nodes[p, n, tb.STATE] == tb.BUS_OFF:
            cf.wait_off(nodes, p, n, wire[p, b, tb.RECESSIVE_NS], t_ns, bitrate)
    _load(p, b, wire, mails, boxes, incoming, outgoing, flight, rows, numbers)
    _foresee(t_ns, p, b, wire, nodes, mails, rows, numbers, memory)
    if wire[p, b, tb.RIVAL] >= 0 and not _is_same(p, b, wire, mails, boxes, incoming, outgoing, flight):
        wire[p, b, tb.OUTCOME], wire[p, b, tb.CULPRIT] = tb.COLLISION, node
    if sender < mails.shape[0]:
        can_id, flags = mails[sender, tb.CAN_ID], mails[sender, tb.FLAGS]
        wire[p, b, tb.RELEASED_NS] = boxes[p, sender, tb.RELEASE_NS]
    else:
        can_id, flags = babble_id(rows[sender - mails.shape[0], EXTRA])
        wire[p, b, tb.RELEASED_NS] = t_ns
    passive = 1 if nodes[p, node, tb.STATE] == tb.PASSIVE else 0
    nominal, data = frame_bits(flight[p], b, 0, can_id, flags, wire[p, b, tb.BYTES], passive)
    whole_ns = duration_ns(nominal, data, bitrate, buses[b, tb.DATA_BITRATE])
    outcome, flag = wire[p, b, tb.OUTCOME], _FLAG_BITS
    if outcome == tb.GOOD:
        end_ns = t_ns + whole_ns
    elif outcome == tb.ACK_ERROR:
        end_ns = t_ns + whole_ns + _bits_ns(flag + _DELIMITER_BITS - _AFTER_ACK_BITS, bitrate)
    else:
        if outcome != tb.NOISE_ERROR:
            for n in range(nodes.shape[1]):
                others = n != wire[p, b, tb.CULPRIT] and nodes[p, n, tb.ON_BUS] == b and _may_send(nodes, p, n)
                if others and nodes[p, n, tb.STATE] == tb.ACTIVE:
                    flag = 2 * _FLAG_BITS
        end_ns = t_ns + whole_ns // 2 + _bits_ns(flag + _DELIMITER_BITS, bitrate)
    wire[p, b, tb.START_NS], wire[p, b, tb.END_NS] = t_ns, end_ns
    wire[p, b, tb.FREE_NS] = end_ns + _bits_ns(INTERMISSION_BITS, bitrate)
    # delimiters, end of frame and intermission are eleven recessive bits, after either end
    wire[p, b, tb.RECESSIVE_NS] = wire[p, b, tb.FREE_NS] - _bits_ns(cf.SEQUENCE_BITS, bitrate)


@kernel
def _count_errors(p: int, b: int, wire: I64, nodes: I64, mails: I64, rows: I64) -> None:
    """Move the counters of all nodes by the frame that ends."""
    outcome, culprit, rival = wire[p, b, tb.OUTCOME], wire[p, b, tb.CULPRIT], wire[p, b, tb.RIVAL]
    sender = _node_of(wire[p, b, tb.SENDER], mails, rows)
    second = _node_of(rival, mails, rows) if rival >= 0 else -1
    for n in range(nodes.shape[1]):
        if nodes[p, n, tb.ON_BUS] != b or not _may_send(nodes, p, n):
            continue
        if n == sender or n == second:
            if outcome == tb.GOOD:
                cf.sent_well(nodes, p, n)
            elif outcome != tb.ACK_ERROR or nodes[p, n, tb.STATE] == tb.ACTIVE:
                nodes[p, n, tb.TEC] += cf.SENDER_STEP
        elif outcome == tb.GOOD and n != culprit:
            cf.heard_well(nodes, p, n)
        else:
            nodes[p, n, tb.REC] += 1 + (cf.FIRST_STEP if outcome == tb.HEAR_ERROR and n == culprit else 0)


@kernel
def _hears(nodes: I64, p: int, n: int, culprit: int) -> bool:
    """Whether a node received the good frame that ends; one that is not in the network always does."""
    return n < 0 or (_may_send(nodes, p, n) and n != culprit)


@kernel
def _finish(
    from_ns: int, p: int, b: int, buses: I64, wire: I64, nodes: I64, mails: I64, boxes: I64, flight: I64, rows: I64,
    memory: F64, numbers: F64, came: I64, n_came: I64, records: I64, count: I64,
) -> None:  # fmt: skip
    """End the frame that is under way: counters, states, mailbox, and its entry among those that came."""
    sender, rival, outcome = wire[p, b, tb.SENDER], wire[p, b, tb.RIVAL], wire[p, b, tb.OUTCOME]
    end_ns, free_ns, node = wire[p, b, tb.END_NS], wire[p, b, tb.FREE_NS], _node_of(sender, mails, rows)
    wire[p, b, tb.BUSY_NS] += free_ns - max(wire[p, b, tb.START_NS], from_ns)
    _count_errors(p, b, wire, nodes, mails, rows)
    slot = mails[sender, tb.SLOT] if sender < mails.shape[0] else -1
    cf.note(
        records, count, p, end_ns, tb.FRAME_IS, b, node, outcome, _id_of(sender, mails, rows), wire[p, b, tb.CULPRIT],
        wire[p, b, tb.START_NS], slot,
    )  # fmt: skip
    for n in range(nodes.shape[1]):
        if nodes[p, n, tb.ON_BUS] == b:
            cf.settle(nodes, p, n, b, end_ns, records, count)
    for who in (sender, rival):
        if who < 0:
            continue
        n = _node_of(who, mails, rows)
        if nodes[p, n, tb.STATE] == tb.PASSIVE:
            nodes[p, n, tb.READY_NS] = free_ns + _bits_ns(_SUSPEND_BITS, buses[b, tb.BITRATE])
        if who >= mails.shape[0]:
            r = who - mails.shape[0]
            if outcome == tb.GOOD:
                memory[KEPT, p, r] = free_ns + int(numbers[r, A])
        else:
            is_old = boxes[p, who, tb.RELEASE_NS] == wire[p, b, tb.RELEASED_NS] or who == rival
            if outcome == tb.GOOD:
                boxes[p, who, tb.N_SENT] += 1
                boxes[p, who, tb.WORST_NS] = max(boxes[p, who, tb.WORST_NS], free_ns - wire[p, b, tb.RELEASED_NS])
                if is_old:
                    boxes[p, who, tb.FULL] = 0
            elif not is_old:
                boxes[p, who, tb.N_REPLACED] += 1
                cf.note(
                    records, count, p, end_ns, tb.REPLACED, b, n, mails[who, tb.CAN_ID], mails[who, tb.SLOT],
                    wire[p, b, tb.RELEASED_NS],
                )  # fmt: skip
    if outcome == tb.GOOD:
        k = n_came[0]
        if k >= came.shape[0]:
            n_came[1] += 1
        else:
            n_came[0] = k + 1
            came[k, tb.CAME_NS], came[k, tb.CAME_PACK], came[k, tb.CAME_BUS], came[k, tb.CAME_SENDER] = end_ns, p, b, sender
            came[k, tb.CAME_BYTES] = wire[p, b, tb.BYTES]
            came[k, tb.CAME_DUT] = 1 if _hears(nodes, p, buses[b, tb.DUT], wire[p, b, tb.CULPRIT]) else 0
            came[k, tb.CAME_COILS] = 1 if _hears(nodes, p, buses[b, tb.COILS], wire[p, b, tb.CULPRIT]) else 0
            for w in range(8):
                came[k, tb.CAME_WORD + w] = flight[p, b, w]
    wire[p, b, tb.SENDER] = wire[p, b, tb.RIVAL] = -1


@kernel
def _come_back(
    until_ns: int, start_ns: int, p: int, b: int, buses: I64, wire: I64, nodes: I64, records: I64, count: I64
) -> bool:
    """Bring back the first node whose bus-off ends before the next frame starts; False when none does."""
    first, at_ns = -1, min(until_ns, start_ns + 1)
    for n in range(nodes.shape[1]):
        if nodes[p, n, tb.ON_BUS] == b and nodes[p, n, tb.STATE] == tb.BUS_OFF:
            back_ns = cf.recovers_ns(nodes, p, n, wire[p, b, tb.RECESSIVE_NS], buses[b, tb.BITRATE])
            if back_ns < at_ns:
                first, at_ns = n, back_ns
    if first >= 0:
        cf.come_back(nodes, p, first, b, at_ns, records, count)
    return first >= 0


@kernel
def _alone(
    now_ns: int, until_ns: int, p: int, n: int, buses: I64, nodes: I64, mails: I64, boxes: I64, incoming: I64, outgoing: I64,
    records: I64, count: I64,
) -> None:  # fmt: skip
    """A node that is cut off: its tries end without acknowledge, until it is error-passive."""
    b = nodes[p, n, tb.ON_BUS]
    best = -1
    for m in range(mails.shape[0]):
        if mails[m, tb.NODE] == n and boxes[p, m, tb.FULL] == 1 and (best < 0 or mails[m, tb.KEY] < mails[best, tb.KEY]):
            best = m
    if best < 0:
        return
    words = incoming if mails[best, tb.DIRECTION] == tb.INCOMING else outgoing
    nominal, data = frame_bits(
        words, p, mails[best, tb.WORD_0], mails[best, tb.CAN_ID], mails[best, tb.FLAGS], boxes[p, best, tb.LENGTH], 0
    )
    whole_ns = duration_ns(nominal, data, buses[b, tb.BITRATE], buses[b, tb.DATA_BITRATE])
    at_ns = max(now_ns, nodes[p, n, tb.READY_NS])
    while nodes[p, n, tb.STATE] == tb.ACTIVE:
        end_ns = at_ns + whole_ns + _bits_ns(_FLAG_BITS + _DELIMITER_BITS - _AFTER_ACK_BITS, buses[b, tb.BITRATE])
        if end_ns >= until_ns:
            return
        nodes[p, n, tb.TEC] += cf.SENDER_STEP
        can_id, slot = mails[best, tb.CAN_ID], mails[best, tb.SLOT]
        cf.note(records, count, p, end_ns, tb.FRAME_IS, b, n, tb.ACK_ERROR, can_id, n, at_ns, slot)
        cf.settle(nodes, p, n, b, end_ns, records, count)
        at_ns = nodes[p, n, tb.READY_NS] = end_ns + _bits_ns(INTERMISSION_BITS, buses[b, tb.BITRATE])


@kernel
def run(
    now_ns: int, until_ns: int, buses: I64, wire: I64, nodes: I64, mails: I64, boxes: I64, incoming: I64, outgoing: I64,
    flight: I64, rows: I64, numbers: F64, memory: F64, came: I64, n_came: I64, records: I64, count: I64,
) -> None:  # fmt: skip
    """Move every arbitrated bus from now to until.

    incoming, outgoing: (n_packs, n_words) payloads of the mailboxes.  flight: (n_packs, n_buses, 8) payload under way.
    rows, numbers, memory: the fault table.  came, n_came: good frames that ended, added to.  records, count: added to.
    A frame that is released at until contends in the next call; one that ends at until ends there.
    """
    for p in range(wire.shape[0]):
        connect(now_ns, p, nodes, rows, records, count)
        for b in range(buses.shape[0]):
            if buses[b, tb.ON] == 0:
                continue
            wire[p, b, tb.BUSY_NS] = 0
            at_ns = now_ns
            while True:
                if wire[p, b, tb.SENDER] >= 0:
                    if wire[p, b, tb.END_NS] >= until_ns:
                        break
                    _finish(
                        now_ns, p, b, buses, wire, nodes, mails, boxes, flight, rows, memory, numbers, came, n_came, records,
                        count,
                    )  # fmt: skip
                    at_ns = max(at_ns, wire[p, b, tb.FREE_NS])
                start_ns = _next_start(at_ns, until_ns, p, b, wire, nodes, mails, boxes, rows, memory)
                if _come_back(until_ns, start_ns, p, b, buses, wire, nodes, records, count):
                    continue
                if start_ns >= until_ns:
                    break
                _arbitrate(start_ns, until_ns, p, b, wire, nodes, mails, boxes, rows, memory)
                _start(start_ns, p, b, buses, wire, nodes, mails, boxes, incoming, outgoing, flight, rows, numbers, memory)
            if wire[p, b, tb.SENDER] >= 0:
                wire[p, b, tb.BUSY_NS] += until_ns - max(wire[p, b, tb.START_NS], now_ns)
            wire[p, b, tb.ALL_BUSY_NS] += wire[p, b, tb.BUSY_NS]
        for n in range(nodes.shape[1]):
            if nodes[p, n, tb.CUT] == 1:
                _alone(now_ns, until_ns, p, n, buses, nodes, mails, boxes, incoming, outgoing, records, count)
        _tell(until_ns, p, buses, wire, nodes, records, count)


@kernel
def _tell(t_ns: int, p: int, buses: I64, wire: I64, nodes: I64, records: I64, count: I64) -> None:
    """Note what the tick that ends at t came to."""
    for b in range(buses.shape[0]):
        if buses[b, tb.ON] == 1:
            cf.note(records, count, p, t_ns, tb.LOAD_IS, b, -1, wire[p, b, tb.BUSY_NS], 0, 0)
    for n in range(nodes.shape[1]):
        cf.tell(nodes, p, n, nodes[p, n, tb.ON_BUS], t_ns, records, count)
