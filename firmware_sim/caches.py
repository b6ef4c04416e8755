"""Folders of compiled kernels beside each other: which of them nobody can use any more, and who is at work in which.

Each is named after a key over sources, versions and processor. In it lies a note for each installation that used it: where its
packages are and with what versions. A cache is dead when for none of its notes the key of today's sources is still its name,
or when those versions are gone. The newest two of the dead are kept, for who goes back and forth between two states; the others
are removed, unless a process is at work in them, which holds a lock as long as it lives. Folders without notes are of
earlier versions, when compiled code lies in them; they are removed when they are a day old, and so are all where nothing can
be locked. Whatever else has such a name is somebody else's, and stays.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

KEPT = 2
_DAY_S = 86_400.0
_GOING = ".going-"
_NAME = re.compile(r"[0-9a-f]{16}")
_LOCK = "in-use"
_NOTE = "used-by-"
_COMPILED = (".nbi", ".nbc")  # Numba's
_TRIES = 5
Key = Callable[[dict[str, Path], Sequence[str]], str]


def occupy(folder: Path, roots: dict[str, Path], versions: Sequence[str]) -> BinaryIO | None:
    """Make a folder, leave a note in it, and lock it against removal while the file lives; None where nothing can be locked.

    Raises OSError when the folder cannot be made.
    """
    for _ in range(_TRIES):
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError):
            _leave_note(folder, roots, versions)
        held = _locked(folder, alone=False)
        if held is None:
            return None
        with contextlib.suppress(OSError):
            if (folder / _LOCK).stat().st_ino == os.fstat(held.fileno()).st_ino:
                os.utime(folder / _LOCK)
                return held
        held.close()  # somebody removed it just then
    return None


def _leave_note(folder: Path, roots: dict[str, Path], versions: Sequence[str]) -> None:
    text = json.dumps({"roots": {name: str(path) for name, path in roots.items()}, "prefix": sys.prefix, "versions": versions})
    path = folder / f"{_NOTE}{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
    if not path.exists():
        path.write_text(text, encoding="utf-8")


def _locked(folder: Path, *, alone: bool) -> BinaryIO | None:
    """The lock of a folder, shared or alone; None when somebody else has it, or where there are no locks."""
    if sys.platform == "win32":
        return None
    import fcntl

    try:
        file = (folder / _LOCK).open("ab")
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB if alone else fcntl.LOCK_SH)
    except OSError:
        file.close()
        return None
    return file


def forget(root: Path, ours: Path, versions: Sequence[str], key: Key) -> None:
    """Remove dead caches. key: of packages with versions.

    Others forget at the same time, so a folder is first renamed, as its removal would make it look new to them.
    """
    dead = []
    for path in builds(root):
        with contextlib.suppress(OSError):
            notes = [_note(note) for note in path.glob(f"{_NOTE}*.json")]
            if path != ours and not any(_lives(note, path.name, versions, key) for note in notes):
                if notes or _is_cache(path):
                    dead.append((_last_used_s(path), path, bool(notes)))
    now_s = _last_used_s(ours)
    for then_s, path, is_noted in sorted(dead)[:-KEPT]:
        held = _locked(path, alone=True) if is_noted else None
        if held is not None or ((not is_noted or sys.platform == "win32") and now_s - then_s > _DAY_S):
            with contextlib.suppress(OSError):
                path.rename(root / f"{_GOING}{path.name}")
        if held is not None:
            held.close()
    for path in root.glob(f"{_GOING}*"):
        shutil.rmtree(path, ignore_errors=True)


def builds(root: Path) -> list[Path]:
    """The caches of all keys; others have their folders beside them."""
    return [path for path in root.iterdir() if _NAME.fullmatch(path.name) and path.is_dir()]


def _is_cache(folder: Path) -> bool:
    """True for a folder without notes in which kernels were compiled, or are to be."""
    return (folder / _LOCK).exists() or any(path.suffix in _COMPILED for path in folder.rglob("*"))


def _last_used_s(folder: Path) -> float:
    lock = folder / _LOCK
    return max(folder.stat().st_mtime, lock.stat().st_mtime if lock.exists() else 0.0)


def _note(path: Path) -> dict[str, Any]:
    """What a note says; nothing when it is not whole."""
    try:
        text = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return text if isinstance(text, dict) else {}


def _lives(note: dict[str, Any], name: str, ours: Sequence[str], key: Key) -> bool:
    """True when the packages of a note still have the key that the folder is named after, and its versions are still there.

    ours: versions of this process; the first three are of Python, Numba and NumPy.
    """
    try:
        roots = {str(package): Path(place) for package, place in note["roots"].items()}
        versions, prefix = [str(word) for word in note["versions"]], Path(note["prefix"])
    except (KeyError, TypeError, AttributeError):
        return False
    if not prefix.exists() or not all(root.is_dir() for root in roots.values()):
        return False
    if prefix == Path(sys.prefix) and versions[:3] != list(ours[:3]):
        return False
    with contextlib.suppress(OSError):
        return key(roots, versions) == name
    return False
