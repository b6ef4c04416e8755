"""What the kernel says of a CAN interface: its driver, where the controller sits, and who can stamp its frames."""

from __future__ import annotations

import array
import contextlib
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

_SIOCETHTOOL, _SIOCSHWTSTAMP = 0x8946, 0x89B0
_GET_DRIVER, _GET_STAMPING = 0x03, 0x41
_DRIVER_SIZE = 196  # struct ethtool_drvinfo
_STAMPING = struct.Struct("=IIiI3II3I")  # struct ethtool_ts_info
_RX_HARDWARE, _RAW_HARDWARE = 1 << 2, 1 << 6
_TX_ON, _FILTER_ALL = 1, 1
_NAME_SIZE, _REQUEST_SIZE = 16, 40
FAR_NS, NEAR_NS = 1_000_000, 100_000


@dataclass(frozen=True)
class About:
    """driver: its name, empty when the kernel does not say.  seat: what it sits on (usb, spi, pci, platform ...), empty for
    one without a device.  hardware: the controller stamps what arrives.
    """

    driver: str
    seat: str
    hardware: bool

    @property
    def stamp_ns(self) -> int:
        """How long after the frame the kernel may stamp it: behind USB or a serial line, frames wait for a transfer."""
        return FAR_NS if self.seat == "usb" or self.driver == "slcan" else NEAR_NS

    def __str__(self) -> str:
        who = "hardware" if self.hardware else "the kernel"
        named = f"driver {self.driver}" if self.driver else "unknown driver"
        return f"{named}{f' on {self.seat}' if self.seat else ''}, time stamps by {who}, known to {self.stamp_ns / 1e6:g} ms"


def about(name: str, root: Path = Path("/sys/class/net")) -> About:
    """What is known of an interface; nothing of one that is not there."""
    driver, hardware = "", False
    with contextlib.suppress(OSError, AttributeError), socket.socket(socket.AF_CAN, socket.SOCK_RAW, socket.CAN_RAW) as any_:
        with contextlib.suppress(OSError):
            found = _ask(any_, name, _SIOCETHTOOL, struct.pack("=I", _GET_DRIVER).ljust(_DRIVER_SIZE, b"\0"))
            driver = found[4:36].split(b"\0")[0].decode("ascii", "replace")
        with contextlib.suppress(OSError):
            raw = _ask(any_, name, _SIOCETHTOOL, struct.pack("=I", _GET_STAMPING).ljust(_STAMPING.size, b"\0"))
            can = _STAMPING.unpack(raw)[1]
            hardware = can & (_RX_HARDWARE | _RAW_HARDWARE) == _RX_HARDWARE | _RAW_HARDWARE
    seat = ""
    with contextlib.suppress(OSError):
        seat = (root / name / "device" / "subsystem").resolve(strict=True).name
    return About(driver, seat, hardware)


def stamp_all(held: socket.socket, name: str) -> None:
    """Ask the controller to stamp every frame. Needs CAP_NET_ADMIN; CAN controllers that can, do so unasked."""
    with contextlib.suppress(OSError):
        _ask(held, name, _SIOCSHWTSTAMP, struct.pack("=iii", 0, _TX_ON, _FILTER_ALL))


def _ask(held: socket.socket, name: str, request: int, data: bytes) -> bytes:
    """A request about an interface with a buffer, and the buffer afterwards. Raises OSError."""
    import fcntl

    buffer = array.array("B", data)
    where, _ = buffer.buffer_info()
    head = name.encode()[: _NAME_SIZE - 1].ljust(_NAME_SIZE, b"\0") + struct.pack("@P", where)
    fcntl.ioctl(held, request, head.ljust(_REQUEST_SIZE, b"\0"))
    return buffer.tobytes()
