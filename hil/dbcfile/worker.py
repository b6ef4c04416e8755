"""The process in which a stranger's DBC is parsed: text in on stdin, the pickled database or one sentence out on stdout.

Whoever started it says how much memory and time it may take, and ends it when it takes longer.
"""

from __future__ import annotations

import logging
import pickle
import sys

import cantools

RIGHT, WRONG = b"+", b"-"


def parse(text: str) -> object:
    """A cantools database. Raises whatever the parser raises."""
    logging.getLogger("cantools").setLevel(logging.ERROR)  # of names that stand twice we speak ourselves
    return cantools.database.load_string(text, database_format="dbc")


def main() -> None:
    """Parse stdin. Arguments: bytes of memory and seconds that it may take."""
    most_bytes, most_s = (int(text) for text in sys.argv[1:3])
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (most_bytes, most_bytes))
        resource.setrlimit(resource.RLIMIT_CPU, (most_s, most_s + 1))
    except ImportError:  # Windows has no such limits; the time is kept outside
        pass
    try:
        out = RIGHT + pickle.dumps(parse(sys.stdin.buffer.read().decode("utf-8")))
    except MemoryError:
        out = WRONG + f"it needs more than {most_bytes >> 20} MiB".encode()
    except Exception as error:  # noqa: BLE001 - the parser raises many types on broken files; all mean the same to the user
        out = WRONG + (str(error) or type(error).__name__).encode("utf-8", "replace")[:2000]
    sys.stdout.buffer.write(out)


if __name__ == "__main__":
    main()
