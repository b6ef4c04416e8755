"""The real end of the wire: python-can buses and serial lines as frames of ours. Only here and in hil.record is python-can.

spec       "slcan:/dev/ttyACM0?bitrate=500000" as a bus description
can_bus    one bus: open, send, receive with times of arrival
link       the buses of a network as one
match      frames <-> Images and Events, by id, page and bus
supply     the frame that switches a served device on and off
served     the emulator as a device of its own, in wall time
pty_pair   two serial ports, wired to each other
stop       Ctrl-C and a request to terminate, which end a run safely
survey     which interfaces and ports this machine has
"""
