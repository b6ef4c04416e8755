"""The command as a user calls it, in this process: its real entry point, its exit code, and what it said."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

from hil import cli


class Ran(NamedTuple):
    """What a call gave."""

    code: int
    out: str
    err: str

    @property
    def problems(self) -> list[str]:
        """What it complained about, a sentence each."""
        return [line.removeprefix("error: ") for line in self.err.splitlines() if line.startswith("error: ")]


def nabench(*words: object) -> Ran:
    """Call the command; an exception that would be a traceback on the terminal comes through."""
    out, err = io.StringIO(), io.StringIO()
    before, sys.argv = sys.argv, ["nabench", *(str(word) for word in words)]
    code = 0
    try:
        with redirect_stdout(out), redirect_stderr(err):
            cli.main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    finally:
        sys.argv = before
    return Ran(code, out.getvalue(), err.getvalue())


def changed(text: str, *pairs: tuple[str, str]) -> str:
    """A text in which each first string, which must be there, stands replaced by the second."""
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def tree(folder: Path) -> set[str]:
    """Every file and folder below, hidden ones too."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def told(path: Path, sentences: list[str]) -> list[str]:
    """Sentences with their file, in the order of the alphabet."""
    return sorted(f"{path}: {sentence.replace('{folder}', str(path.parent))}" for sentence in sentences)
