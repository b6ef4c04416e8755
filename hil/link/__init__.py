"""The real end of the wire: python-can buses and serial lines as frames of ours. Only here and in hil.record is python-can.

spec       "slcan:/dev/ttyACM0?bitrate=500000" as a bus description
can_bus    one bus: open, send, receive with times of arrival
frame      a frame that arrived, and what every kind of wire can do
slcan      slcan from either end, over a port; slcan_lines: its lines
serial_frames  python-can's serial framing, over a port
port       a serial port, or a TCP connection to one
socketcan  the kernel's CAN, by its raw socket; ethtool: what the kernel says of an interface
stamps     times of arrival by a controller's clock, the kernel's, or ours
python_can everything else
pacing     frames that leave at their times, and how well they kept them
link       the buses of a network as one
match      frames <-> Images and Events, by id, page and bus
supply     the frame that switches a served device on and off
served     the emulator as a device of its own, in wall time
pty_pair   two serial ports, wired to each other
stop       Ctrl-C and a request to terminate, which end a run safely
survey     which interfaces and ports this machine has
"""
