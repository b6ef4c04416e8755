"""What runs in the firmware's process: load the library, call it, tell the bench. Started by path, imports nothing of ours.

    python -I -S child.py LIBRARY REQUESTS REPLIES NVM TICK_NS N_BUSES T_NS

REQUESTS, REPLIES, NVM are open files: two pipes, and the memory that survives this process. Numbers are little-endian.

    request   operation (u32), count (u32), time (i64), then count frames of 80 bytes
    reply     status (u32), count (u32), then count frames, or for DONE and REFUSED count bytes of text

The first reply, REFUSED or DONE, comes without a request, once the firmware is initialised.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import mmap
import os
import signal
import struct
import sys

ABI = 1
POP_MAX = 256
NVM_SIZE = 65536
ERASED = 0xFF
STEP, TEAR = range(2)
FRAMES, DONE, REFUSED = range(3)
REQUEST = struct.Struct("<IIq")
REPLY = struct.Struct("<II")
FRAME = struct.Struct("<qIBBBx64s")
NEEDED = ("nab_abi", "nab_init", "nab_push", "nab_step", "nab_pop")
_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG

_Copy = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint32)


class _Frame(ctypes.Structure):
    _fields_ = (
        ("t_ns", ctypes.c_int64),
        ("id", ctypes.c_uint32),
        ("bus", ctypes.c_uint8),
        ("flags", ctypes.c_uint8),
        ("len", ctypes.c_uint8),
        ("reserved", ctypes.c_uint8),
        ("data", ctypes.c_uint8 * 64),
    )


class _Host(ctypes.Structure):
    _fields_ = (
        ("abi", ctypes.c_uint32),
        ("size", ctypes.c_uint32),
        ("tick_ns", ctypes.c_int64),
        ("n_buses", ctypes.c_uint32),
        ("nvm_size", ctypes.c_uint32),
        ("nvm_read", _Copy),
        ("nvm_write", _Copy),
    )


HOST_SIZE = ctypes.sizeof(_Host)


class _Memory:
    """Non-volatile memory. written: (offset, before, after) of the writes since it was emptied."""

    def __init__(self, file: int) -> None:
        self.bytes = mmap.mmap(file, NVM_SIZE)
        self.written: list[tuple[int, bytes, bytes]] = []
        self.read_ref, self.write_ref = _Copy(self.read), _Copy(self.write)

    def read(self, offset: int, to: int | None, length: int) -> int:
        """nab_host.read: length bytes from an offset to an address; 0, or -1 where there are not so many or is no address."""
        if offset + length > NVM_SIZE or to is None:
            return -1
        ctypes.memmove(to, self.bytes[offset : offset + length], length)
        return 0

    def write(self, offset: int, source: int | None, length: int) -> int:
        """nab_host.write: bytes from an address to an offset, noted so that they can be torn; 0 or -1 as for read."""
        if offset + length > NVM_SIZE or source is None:
            return -1
        after = ctypes.string_at(source, length)
        self.written.append((offset, self.bytes[offset : offset + length], after))
        self.bytes[offset : offset + length] = after
        return 0

    def tear(self, which: int) -> bool:
        """Undo the writes behind the one that is torn, whose second half is erased. False when there is none."""
        if not self.written:
            return False
        torn = which % len(self.written)
        for offset, before, _ in reversed(self.written[torn:]):
            self.bytes[offset : offset + len(before)] = before
        offset, _, after = self.written[torn]
        half = len(after) // 2
        self.bytes[offset : offset + len(after)] = after[:half] + bytes([ERASED]) * (len(after) - half)
        return True


class _Firmware:
    def __init__(self, path: str, memory: _Memory, tick_ns: int, n_buses: int) -> None:
        self.library = ctypes.CDLL(path, mode=os.RTLD_NOW | os.RTLD_LOCAL)
        missing = [name for name in NEEDED if not hasattr(self.library, name)]
        if missing:
            raise ValueError(f"it exports no {', '.join(missing)}; expected those of nabench_firmware.h")
        self.library.nab_abi.restype = ctypes.c_uint32
        abi = self.library.nab_abi()
        if abi != ABI:
            raise ValueError(f"it was built for version {abi} of nabench_firmware.h; this nabench has version {ABI}")
        self.memory = memory
        self.host = _Host(ABI, HOST_SIZE, tick_ns, n_buses, NVM_SIZE, memory.read_ref, memory.write_ref)
        self.frame = _Frame()

    def start(self, t_ns: int) -> None:
        """Power up. Raises ValueError when nab_init refuses."""
        code = self.library.nab_init(ctypes.byref(self.host), ctypes.c_int64(t_ns))
        if code != 0:
            raise ValueError(f"nab_init returned {code}; expected 0")

    def step(self, t_ns: int, frames: bytearray, count: int) -> tuple[int, bytes]:
        """Number of frames that it had no room for, and the frames that it sent, one more than allowed at most."""
        self.memory.written.clear()
        push, pop, frame = self.library.nab_push, self.library.nab_pop, self.frame
        refused = 0
        for n in range(count):
            refused += push(ctypes.byref(_Frame.from_buffer(frames, n * FRAME.size))) != 0
        self.library.nab_step(ctypes.c_int64(t_ns))
        sent = bytearray()
        for _ in range(POP_MAX + 1):
            if pop(ctypes.byref(frame)) == 0:
                break
            sent += bytes(frame)
        return refused, bytes(sent)

    def tear(self, which: int) -> bool:
        """Let it save, where it can, and cut one of the writes in two."""
        if hasattr(self.library, "nab_save"):
            self.memory.written.clear()
            self.library.nab_save()
        return self.memory.tear(which)


def _read(file: int, length: int) -> bytearray:
    data = bytearray()
    while len(data) < length:
        part = os.read(file, length - len(data))
        if not part:
            sys.exit(0)  # the bench is gone, or done
        data += part
    return data


def _send(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


def _answer(file: int, status: int, text: str = "") -> None:
    raw = text.encode()
    _send(file, REPLY.pack(status, len(raw)) + raw)


def _harness() -> None:
    """Die with the bench, leave no core files, and do not fill the disk with what the firmware prints."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL)
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (16 << 20, 16 << 20))
    gc.disable()


def main(arguments: list[str]) -> None:
    """Serve the bench until it closes its pipe."""
    path, (requests, replies, nvm, tick_ns, n_buses, t_ns) = arguments[0], map(int, arguments[1:])
    _harness()
    try:
        firmware = _Firmware(path, _Memory(nvm), tick_ns, n_buses)
        firmware.start(t_ns)
    except (OSError, ValueError) as error:
        _answer(replies, REFUSED, str(error))
        return
    _answer(replies, DONE)
    while True:
        operation, count, t_ns = REQUEST.unpack(_read(requests, REQUEST.size))
        frames = _read(requests, count * FRAME.size)
        if operation == STEP:
            refused, sent = firmware.step(t_ns, frames, count)
            _send(replies, REPLY.pack(FRAMES + (refused << 8), len(sent) // FRAME.size) + sent)
        else:
            _answer(replies, DONE, "torn" if firmware.tear(t_ns) else "")


if __name__ == "__main__":
    main(sys.argv[1:])
