"""A stranger's DBC becomes a cantools database within bounds: 8 MiB of text, 10 s, 512 MiB, or a sentence.

What is wrong with single messages is found before any parser sees the file (hil.dbcfile.faults). Small and shipped files
are parsed here, since with those bounds they cannot take long; others in a process of their own. A file that once came
through is remembered by its hash, for this process as parsed, for later ones as harmless.
"""

from __future__ import annotations

import contextlib
import hashlib
import pickle
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware_sim.jit import cache_root
from hil import files
from hil.dbcfile import faults
from hil.dbcfile.scan import Scan, scan
from hil.errors import ScenarioError

MOST_BYTES = 512 << 20
MOST_S = 10
_LONGEST = 8 << 20
_SMALL_BYTES = 32 << 10
_MOST_KEPT = 64
# A file that was cut short ends inside a statement, and the parser forgives that; it does not forgive another one there.
_END = '\nCM_ "end of file";\n'
_Kept = tuple[bytes, dict[str, list[str]], list[str]]
_KEPT: dict[str, _Kept] = {}


@dataclass(frozen=True)
class Read:
    """A file that was read.

    database: cantools' of the messages that are sound, a copy of the caller's own.  left_out: message to what is wrong with
    it.  notes: what does no harm.
    """

    path: Path
    database: Any
    left_out: dict[str, list[str]]
    notes: list[str]

    def sentences(self) -> list[str]:
        """All that is wrong with it, one sentence each."""
        return [f"{self.path}: {text}" for texts in self.left_out.values() for text in texts]


def text_of(path: Path) -> str:
    """The text of a DBC. Raises ScenarioError when there is none, or too much."""
    return files.read(path, _LONGEST).decode("cp1252", errors="replace")


def read(path: Path) -> Read:
    """A DBC that may be broken or hostile. Raises ScenarioError when no message of it can be used."""
    text = text_of(path)
    digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
    if digest not in _KEPT:
        kept = _read(path, text)
        if len(_KEPT) >= _MOST_KEPT:
            _KEPT.pop(next(iter(_KEPT)))
        _KEPT[digest] = kept
    data, left_out, notes = _KEPT[digest]
    return Read(path, pickle.loads(data), left_out, notes)  # noqa: S301 - what we pickled ourselves, here or in our worker


def _read(path: Path, text: str) -> _Kept:
    """A pickled database, what was left out of it, and notes."""
    if path.parent == files.dbc_folder():
        return pickle.dumps(_parsed_here(path, text)), {}, []  # ours are held against all this in the tests
    found = scan(text)
    report = faults.report(found)
    if not report.kept:
        if report.left_out:
            raise ScenarioError(*(f"{path}: {said}" for said in report.sentences()))
        raise ScenarioError(f"{path}: {_no_message(text)}")
    digest = hashlib.sha256(report.text.encode("utf-8", "replace")).hexdigest()
    if len(report.text) <= _SMALL_BYTES or _is_known(digest):
        database = _parsed_here(path, report.text)
    else:
        database = pickle.loads(_apart(path, report.text + _END))  # noqa: S301 - pickled by our own worker
        _remember(digest)
    _agree(path, database, report)
    _tie(path, database)
    return pickle.dumps(database), report.left_out, report.notes


def _parsed_here(path: Path, text: str) -> Any:
    """A cantools database, parsed in this process. Raises ScenarioError."""
    from hil.dbcfile import worker

    try:
        return worker.parse(text + _END)
    except Exception as error:  # noqa: BLE001 - the parser raises many types on broken files; all mean the same to the user
        raise ScenarioError(f"{path}: {_sentence(str(error) or type(error).__name__)}") from None


def _no_message(text: str) -> str:
    """Why a file without messages is none; the parser knows best where it went wrong."""
    from hil.dbcfile import worker

    try:
        worker.parse(text[:_SMALL_BYTES] if len(text) > _SMALL_BYTES else text + _END)
    except Exception as error:  # noqa: BLE001 - the parser raises many types on broken files; all mean the same to the user
        return _sentence(str(error) or type(error).__name__)
    return "not a CAN database: it holds no message"


def _sentence(what: str) -> str:
    what = " ".join(what.split())
    if _END.strip()[:12] in what:
        what = "it ends in the middle of a statement; was it cut short?"
    return f"not a usable DBC file: {what[:300]}"


def _apart(path: Path, text: str) -> bytes:
    """The pickled database, from a process that may take neither for ever nor all memory. Raises ScenarioError."""
    from hil.dbcfile import worker

    command = [sys.executable, "-m", worker.__name__, str(MOST_BYTES), str(max(MOST_S, 1))]
    try:
        done = subprocess.run(command, input=text.encode("utf-8", "replace"), capture_output=True, timeout=MOST_S)
    except subprocess.TimeoutExpired:
        raise ScenarioError(f"{path}: the parser takes more than {MOST_S} s for this file; expected less") from None
    if done.stdout[:1] == worker.RIGHT:
        return done.stdout[1:]
    if done.stdout[:1] == worker.WRONG:
        raise ScenarioError(f"{path}: {_sentence(done.stdout[1:].decode('utf-8', 'replace'))}")
    raise ScenarioError(f"{path}: the parser gave up on this file (it may take {MOST_S} s and {MOST_BYTES >> 20} MiB)")


def _mark(digest: str) -> Path:
    import cantools

    return cache_root() / "dbc" / f"{digest}-{cantools.__version__}"


def _is_known(digest: str) -> bool:
    return _mark(digest).is_file()


def _remember(digest: str) -> None:
    with contextlib.suppress(OSError):
        mark = _mark(digest)
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()


def _agree(path: Path, database: Any, report: faults.Report) -> None:
    """Refuse a file of which the parser read anything else than we looked at."""
    import cantools

    if not isinstance(database, cantools.database.Database) or not database.messages:
        raise ScenarioError(f"{path}: not a CAN database: it holds no message")
    read = {m.frame_id | m.is_extended_frame << 31: m for m in database.messages}
    if len(read) != len(database.messages) or set(read) != set(report.kept):
        strange = sorted(set(read) ^ set(report.kept))
        name = read[strange[0]].name if strange and strange[0] in read else ""
        name = report.kept[strange[0]].name if strange and strange[0] in report.kept else name
        raise ScenarioError(f'{path}: message "{name}" is written in a way that is read differently by different programs')
    for number, message in read.items():
        text = report.kept[number]
        if len(message.signals) != len(text.signals) or message.length != text.length:
            raise ScenarioError(
                f'{path}: line {text.line}: message "{text.name}" has {len(text.signals)} signals by its text, and '
                f"{len(message.signals)} by the parser; one of them is not written as a DBC wants it"
            )


def _tie(path: Path, database: Any) -> None:
    """Name multiplexers as their signals are named: where a file has long names the parser gives the short one here.

    It then finds no signal on any page, and says nothing.
    """
    for message in database.messages:
        switches = [signal for signal in message.signals if signal.is_multiplexer]
        tied = False
        for signal in message.signals:
            above = signal.multiplexer_signal
            if above is None or any(above == switch.name for switch in switches):
                continue
            meant = [switch for switch in switches if switch.name.startswith(above[:30])] if len(switches) > 1 else switches
            if len(meant) != 1:
                raise ScenarioError(
                    f'{path}: message "{message.name}" signal "{signal.name}" depends on the multiplexer "{above}", '
                    "which is not among its long names"
                )
            signal.multiplexer_signal, tied = meant[0].name, True
        if tied:
            message.refresh()


def scanned(path: Path) -> Scan:
    """The messages of a file as its text says them. Raises ScenarioError when it cannot be read."""
    return scan(text_of(path))
