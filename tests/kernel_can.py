"""What tests on a real kernel's CAN share: the two virtual buses that NABENCH_VCAN names, and candump as a recorder."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BUS, OTHER = os.environ["NABENCH_VCAN"].split(",")


@contextmanager
def candump(bus: str, into: Path) -> Iterator[None]:
    """An independent recorder."""
    with into.open("w") as out:
        dump = subprocess.Popen(["candump", "-L", "-r", "4194304", bus], stdout=out)
        time.sleep(0.3)
        try:
            yield
        finally:
            time.sleep(0.3)
            dump.terminate()
            dump.wait(timeout=10)
