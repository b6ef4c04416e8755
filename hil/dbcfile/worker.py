"""The process in which a stranger's DBC is parsed: text in on stdin, the pickled database or one sentence out on stdout.

It may take 512 MiB and 10 s of processor; whoever started it ends it when it takes longer.
"""

from __future__ import annotations

import pickle
import sys

MOST_BYTES = 512 << 20
MOST_S = 10
RIGHT, WRONG = b"+", b"-"


def parse(text: str) -> object:
    """A cantools database. Raises whatever the parser raises."""
    import logging

    import cantools

    logging.getLogger("cantools").setLevel(logging.ERROR)  # of names that stand twice we speak ourselves
    return cantools.database.load_string(text, database_format="dbc")


def main() -> None:
    """Parse stdin."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
        resource.setrlimit(resource.RLIMIT_CPU, (MOST_S, MOST_S))
    except ImportError:  # Windows has no such limits; the time is kept outside
        pass
    try:
        out = RIGHT + pickle.dumps(parse(sys.stdin.buffer.read().decode("utf-8")))
    except MemoryError:
        out = WRONG + b"it needs more than 512 MiB"
    except Exception as error:  # noqa: BLE001 - the parser raises many types on broken files; all mean the same to the user
        out = WRONG + (str(error) or type(error).__name__).encode("utf-8", "replace")[:2000]
    sys.stdout.buffer.write(out)


if __name__ == "__main__":
    main()
