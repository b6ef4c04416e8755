"""nabench judge and plot: from the run folder alone, whatever became of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import nabench, tree

Arrays = dict[str, Any]


@pytest.mark.parametrize(("name", "code"), [("pass", 0), ("fail", 1)])
def test_the_judgement_is_that_of_the_run_byte_for_byte(finished: dict[str, Path], name: str, code: int) -> None:
    """With its exit code; --json prints the very file."""
    ran = nabench("judge", finished[name])
    assert (code, "") == (ran.code, ran.err)
    assert ran.out.endswith("result.json: identical, byte for byte\n")
    printed = nabench("judge", finished[name], "--json")
    assert (code, (finished[name] / "result.json").read_text(encoding="utf-8")) == (printed.code, printed.out)


def test_a_folder_that_was_moved_is_judged_and_drawn_as_before(finished: dict[str, Path], place: Path) -> None:
    """It needs nothing but itself, and is not changed."""
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    assert 0 == nabench("judge", place).code
    (place / "report.html").unlink()
    ran = nabench("plot", place)
    assert (0, f"{place / 'report.html'}\n", "") == ran
    assert before == {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}


def test_a_result_that_was_edited_is_found_out(place: Path) -> None:
    """Exit code 2, whatever the verdict; the true judgement is shown."""
    for raw in ((place / "result.json").read_bytes().replace(b"PASS", b"FAIL"), b"\xff\xfe", b""):
        (place / "result.json").write_bytes(raw)
        ran = nabench("judge", place)
        sentence = f"{place / 'result.json'} is not what this trace gives; the folder was changed or judged by another version"
        assert (2, [sentence]) == (ran.code, ran.problems)
        assert "PASS pass" in ran.out


def test_inputs_that_were_changed_or_are_gone_are_all_named(place: Path) -> None:
    """The judgement would be another one, so there is none."""
    inputs = place / "inputs"
    for name in ("calibration.toml", "requirements.toml", "scenario.scenario.toml"):
        (inputs / name).write_text((inputs / name).read_text() + "\n# touched\n")
    for name in ("cell.toml", "bms.dbc"):
        (inputs / name).unlink()
    expected = "expected the file that the run was made from"
    said = {
        f"{inputs / name}: was changed after the run; {expected}"
        for name in ("calibration.toml", "requirements.toml", "scenario.scenario.toml")
    }
    said |= {f"{inputs / name}: does not exist; {expected}" for name in ("cell.toml", "bms.dbc")}
    for command in ("judge", "plot"):
        ran = nabench(command, place)
        assert (2, "", said) == (ran.code, ran.out, set(ran.problems))


def test_a_folder_that_is_no_run_folder_is_refused(tmp_path: Path) -> None:
    """An empty folder, a file, nothing at all; nothing is written."""
    (tmp_path / "file").write_text("")
    for command in ("judge", "plot"):
        for place in (tmp_path, tmp_path / "file", tmp_path / "nothing"):
            index = place / "inputs" / "inputs.json"
            ran = nabench(command, place)
            assert (2, [f"{place}: not a run folder (there is no {index}); expected one written by nabench run"]) == (
                ran.code,
                ran.problems,
            )
    assert {"file"} == tree(tmp_path)


def rewritten(place: Path, change: Callable[[Arrays, Arrays], object]) -> None:
    """Change the arrays and the head of a trace."""
    with np.load(place / "trace.npz") as file:
        arrays = {name: file[name] for name in file.files}
    head = json.loads(arrays["head"].tobytes())
    change(arrays, head)
    arrays["head"] = np.frombuffer(json.dumps(head, sort_keys=True).encode(), np.uint8)
    np.savez(place / "trace.npz", **arrays)


def cut(place: Path) -> None:
    """Half of the trace, as a copy that was interrupted."""
    raw = (place / "trace.npz").read_bytes()
    (place / "trace.npz").write_bytes(raw[: len(raw) // 2])


def flip(place: Path) -> None:
    """A hundred wrong bytes in the middle of the trace."""
    raw = bytearray((place / "trace.npz").read_bytes())
    raw[5000:5100] = bytes(x ^ 0xFF for x in raw[5000:5100])
    (place / "trace.npz").write_bytes(raw)


def packed(place: Path) -> None:
    """The arrays packed, as a bomb would be."""
    with np.load(place / "trace.npz") as file:
        np.savez_compressed(place / "packed.npz", **{name: file[name] for name in file.files})
    (place / "packed.npz").replace(place / "trace.npz")


def folder_for_file(place: Path) -> None:
    """A folder in the place of the trace."""
    (place / "trace.npz").unlink()
    (place / "trace.npz").mkdir()


VERSION, SCENARIO = "not a trace of this version: ", "not a trace of this scenario: it differs in "
SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
    "no trace": (
        lambda place: (place / "trace.npz").unlink(),
        "there is no trace; expected a run folder written by nabench run",
    ),
    "half a trace": (cut, "not a readable trace: "),
    "an empty trace": (lambda place: (place / "trace.npz").write_bytes(b""), "not a readable trace: "),
    "wrong bytes": (flip, "not a readable trace: Bad CRC-32"),
    "a bomb": (packed, "not a readable trace: its arrays are packed"),
    "a folder": (folder_for_file, "not a readable trace: "),
}
TAMPERED: dict[str, tuple[Callable[[Arrays, Arrays], object], str]] = {
    "another format": (lambda _, head: head.update(format=99), VERSION + "expected format 1"),
    "no head": (lambda _, head: head.clear(), VERSION + "expected format 1"),
    "no truth": (lambda arrays, _: arrays.pop("truth"), "not a readable trace: "),
    "short truth": (lambda arrays, _: arrays.update(truth=arrays["truth"][:100]), VERSION + "array cells is "),
    "narrow truth": (lambda arrays, _: arrays.update(truth=arrays["truth"][:, :5]), VERSION + "array truth is "),
    "flat truth": (lambda arrays, _: arrays.update(truth=arrays["truth"][:, 0]), VERSION + "expected array truth"),
    "words for truth": (lambda arrays, _: arrays.update(truth=arrays["truth"].astype(str)), VERSION + "expected array truth"),
    "fewer cells": (lambda arrays, _: arrays.update(cells=arrays["cells"][:, :, :3]), SCENARIO + "the number of cells"),
    "narrow frames": (lambda arrays, _: arrays.update(journal=arrays["journal"][:, :4]), SCENARIO + "the width of a frame"),
    "no tick": (lambda _, head: head.update(dt_ns=0), VERSION + "expected a tick"),
    "a word for a tick": (lambda _, head: head.update(dt_ns="x"), VERSION + "expected dt_ns in its head, of type int"),
    "another tick": (lambda _, head: head.update(dt_ns=1_000_000), SCENARIO + "the tick"),
    "other signals": (lambda _, head: head.update(touched=["x"]), SCENARIO + "the signals that faults touch"),
    "no notes": (lambda _, head: head.update(info=None), VERSION + "expected info in its head, of type dict"),
    "a word for a seed": (lambda _, head: head["info"].update(seed="x"), VERSION + "expected a seed in its head"),
}


@pytest.mark.parametrize("what", [*SPOILT, *TAMPERED])
def test_a_trace_that_was_spoilt_is_refused(place: Path, what: str) -> None:
    """One sentence from judge and from plot, and the folder stays as it is."""
    if what in SPOILT:
        spoil, sentence = SPOILT[what]
        spoil(place)
    else:
        change, sentence = TAMPERED[what]
        rewritten(place, change)
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    for command in ("judge", "plot"):
        ran = nabench(command, place)
        assert (2, "") == (ran.code, ran.out)
        (problem,) = ran.problems
        assert problem.startswith(f"{place / 'trace.npz'}: {sentence}")
    assert before == {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}


@pytest.mark.parametrize("change", ["values", "frames", "seed"])
def test_a_trace_that_tells_another_story_gives_another_result(place: Path, change: str) -> None:
    """What still looks like a trace is judged, and does not give what was filed."""
    stories: dict[str, Callable[[Arrays, Arrays], object]] = {
        "values": lambda arrays, _: arrays["sides"].fill(np.nan),
        "frames": lambda arrays, _: arrays.update(journal=arrays["journal"][:0]),
        "seed": lambda _, head: head["info"].update(seed=99),
    }
    rewritten(place, stories[change])
    ran = nabench("judge", place)
    assert 2 == ran.code
    assert "is not what this trace gives" in ran.problems[0]


@pytest.mark.parametrize(
    ("index", "sentence"),
    [
        (b"{", "not valid JSON; expected the index that nabench run wrote"),
        (b"\xff", "not valid JSON; expected the index that nabench run wrote"),
        (b"[]", "expected the name of a file in this folder for every input"),
        (b'{"scenario:": 5}', "expected the name of a file in this folder for every input"),
        (b'{"scenario:": "../../../etc/passwd"}', "expected the name of a file in this folder for every input"),
        (b"{}", "lists other files than those that the trace was recorded with"),
    ],
)
def test_an_index_that_was_changed_leads_nowhere(place: Path, index: bytes, sentence: str) -> None:
    """Least of all out of the run folder."""
    (place / "inputs" / "inputs.json").write_bytes(index)
    ran = nabench("judge", place)
    assert (2, [f"{place / 'inputs' / 'inputs.json'}: {sentence}"]) == (ran.code, ran.problems)


def test_a_report_that_cannot_be_written_leaves_nothing_of_itself(place: Path) -> None:
    """A folder in its place."""
    (place / "report.html").unlink()
    (place / "report.html").mkdir()
    before = tree(place)
    ran = nabench("plot", place)
    assert (2, [f"{place / 'report.html'}: the report cannot be written: Is a directory"]) == (ran.code, ran.problems)
    assert before == tree(place)


def test_a_result_that_is_gone_is_missed(place: Path) -> None:
    """Without it there is nothing to compare with."""
    (place / "result.json").unlink()
    sentence = f"{place / 'result.json'}: does not exist; expected the result that the run was filed with"
    assert (2, [sentence]) == (nabench("judge", place).code, nabench("judge", place).problems)
    shutil.rmtree(place)
