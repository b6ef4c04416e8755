"""The blocks of the bus: who is on it, what waits, what happened. Rows and columns only; the kernels move them."""

from __future__ import annotations

# Columns of `buses`, (n_buses, 5). ON: 1 for an arbitrated bus.  DUT, COILS: nodes of the device and of the pack's I/O unit
# there, -1: none.
BITRATE, DATA_BITRATE, ON, DUT, COILS = range(5)
N_BUS_COLUMNS = 5

# Columns of `wire`, (n_packs, n_buses, 12), the state of a bus.
# FREE_NS: when the next frame may start.  RECESSIVE_NS: since when the bus is recessive, while it is free.
# SENDER: of the frame under way, a mailbox, or n_mail + row of the fault table, or -1.  RIVAL: a second one, of the same id.
# START_NS, END_NS: of that frame, with its error frame.  RELEASED_NS, BYTES: of it.  OUTCOME: see below.
# CULPRIT: the node that an error began with; of a good frame the one that did not hear it, or -1.
# BUSY_NS, ALL_BUSY_NS: time taken in this tick, and in all, by frames and error frames.
(
    FREE_NS, RECESSIVE_NS, SENDER, RIVAL, START_NS, END_NS, RELEASED_NS, BYTES, OUTCOME, CULPRIT, BUSY_NS, ALL_BUSY_NS,
) = range(12)  # fmt: skip
N_WIRE_COLUMNS = 12
# OUTCOME, and the kind of an error record.
GOOD, BIT_ERROR, NOISE_ERROR, HEAR_ERROR, ACK_ERROR, COLLISION = range(6)

# Columns of `nodes`, (n_packs, n_nodes, 13). ON_BUS: its bus; a node on two buses is two.  STATE: see below.  READY_NS: how
# long an error-passive sender waits.  OFF_NS, OFF_COUNT: since when, and how many of the 128 sequences, a node in bus-off
# waits.  N_OFF: times in bus-off.  CUT: 1 while it is not connected.  TOLD_*: as last recorded.  MOST_*: largest so far.
(
    ON_BUS, TEC, REC, STATE, READY_NS, OFF_NS, OFF_COUNT, N_OFF, CUT, TOLD_TEC, TOLD_REC, MOST_TEC, MOST_REC,
) = range(13)  # fmt: skip
N_NODE_COLUMNS = 13
# STATE.
ACTIVE, PASSIVE, BUS_OFF = range(3)

# Columns of `mails`, (n_mail, 9): one mailbox for each slot of both directions on an arbitrated bus. A page of a message has
# its own, and those of one id are sent in the order of this table. WORD_0, N_WORDS: payload, in the image of its direction.
BUS, KEY, NODE, DIRECTION, SLOT, CAN_ID, FLAGS, WORD_0, N_WORDS = range(9)
N_MAIL_COLUMNS = 9
# DIRECTION: to the device, from the device.
INCOMING, OUTGOING = range(2)

# Columns of `boxes`, (n_packs, n_mail, 6), the state of a mailbox. FULL: a frame waits.  RELEASE_NS: since when.
# N_SENT, N_REPLACED: frames sent, and overwritten by a newer one before they could be.  WORST_NS: longest time from a release
# to the end of the intermission.
FULL, RELEASE_NS, LENGTH, N_SENT, N_REPLACED, WORST_NS = range(6)
N_BOX_COLUMNS = 6

# Columns of `came`, frames that ended well. SENDER: as in `wire`.  DUT, COILS: 1 when the device, and the pack's I/O unit,
# heard it.
CAME_NS, CAME_PACK, CAME_BUS, CAME_SENDER, CAME_BYTES, CAME_DUT, CAME_COILS, CAME_WORD = range(8)
N_CAME_COLUMNS = CAME_WORD + 8

# Columns of a record, of pack 0. KIND: see below.  NODE: of the network, -1 for the bus.
(
    RECORD_NS, RECORD_KIND, RECORD_BUS, RECORD_NODE, RECORD_A, RECORD_B, RECORD_C, RECORD_D, RECORD_E,
) = range(9)  # fmt: skip
N_RECORD_COLUMNS = 9
# RECORD_KIND, with its A to E.
# FRAME_IS  a frame of the node ended, well or not: OUTCOME, id, CULPRIT, when it started, its slot (-1: of a babbling node)
# STATE_IS  the node went over: new state, TEC, REC
# COUNT_IS  counters at the end of a tick in which they changed: state, TEC, REC
# LINK_IS   the node was connected (A = 1) or cut off (0)
# LOAD_IS   at the end of a tick: time that the bus was taken in it [ns]
# REPLACED  a waiting frame was overwritten by a newer one: id, slot, since when it waited [ns]
FRAME_IS, STATE_IS, COUNT_IS, LINK_IS, LOAD_IS, REPLACED = range(6)
