"""Lines of a text log that may be hostile: bounded in length and count, plain or gzip, with their numbers."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from hil import files
from hil.errors import ScenarioError
from hil.record.frame import MOST_FRAMES, About

_LONGEST = 4_096
_MOST_LINES = 4 * MOST_FRAMES


def lines(path: Path, about: About) -> Iterator[tuple[int, str]]:
    """(number from 1, text without its end) of each line. A last line without an end is cut: it is said, not given.

    Raises ScenarioError: no such file, a line without end, bytes that are no text, a damaged archive.
    """
    why = files.why_not(path)
    if why:
        raise ScenarioError(f"{path}: {why}")
    n = 0
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            while raw := file.readline(_LONGEST):
                n += 1
                if n > _MOST_LINES:
                    raise ScenarioError(f"{path}: line {n}: more than {_MOST_LINES} lines; split the log")
                if not raw.endswith(b"\n"):
                    if len(raw) >= _LONGEST:
                        raise ScenarioError(f"{path}: line {n}: more than {_LONGEST} bytes in a line; is this a text log?")
                    about.cut = f"line {n} has no end"
                    return
                if b"\0" in raw:
                    raise ScenarioError(f"{path}: line {n}: a byte of 0; is this a text log?")
                yield n, raw.decode("latin-1").strip()
    except EOFError:
        about.cut = f"the archive ends after line {n}"
    except (gzip.BadGzipFile, zlib.error) as error:
        raise ScenarioError(f"{path}: after line {n}: not a readable gzip file: {error}") from None
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read: {error.strerror}") from None
