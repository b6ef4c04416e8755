"""nabench new firmware: C that compiles, passes, and can be broken."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import compiled
import pytest
from command import nabench

from hil.dut.native import child, headers

TABLES = compiled.EXAMPLE / "tables"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.compiled_only
def test_a_new_firmware_passes_and_a_defect_of_it_fails(here: Path) -> None:
    """For the pack that it was made for, with its coverage counted; a debounce that takes three times as long is found."""
    ran = nabench("new", "firmware", "mine", "--pack", "nfm-16s")
    assert (0, "") == (ran.code, ran.err)
    assert "next: make -C mine; nabench run SCENARIO --dut native:mine/bms.so" in ran.out
    source = here / "mine" / "diag.c"
    for old, new, code in (("", "", 0), ("timer_ms >= l->debounce_ms", "timer_ms >= 3u * l->debounce_ms", 1)):
        source.write_text(source.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
        subprocess.run(["make", "-s", "-C", "mine", "CFLAGS=-O0 --coverage"], check=True)
        judged = nabench("run", "hvil-open", "--dut", "native:mine/bms.so")
        assert code == judged.code, judged.out
    told = subprocess.run(["gcov", "-n", "bms.so-mode.gcda"], cwd=here / "mine", capture_output=True, text=True, check=True)
    assert re.search(r"File 'mode.c'\nLines executed:[5-9]\d\.", told.stdout), told.stdout
    assert "FAIL SR-HVIL, detection (FDTI)" in judged.out


@pytest.mark.parametrize("pack", ["nfm-16s", "ess-1p", "ev-192s"])
def test_the_tables_compile_for_packs_of_any_size(here: Path, pack: str) -> None:
    """With the sources of the example, without a warning."""
    assert 0 == nabench("new", "headers", "tables", "--pack", pack).code
    for source in ("tables/network.c", "tables/calibration.c", "bms.c", "wire.c", "memory.c"):
        path = here / source if source.startswith("tables") else compiled.EXAMPLE / source
        words = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-fsyntax-only")
        compiled.gcc(here / "x", *words, f"-I{here / 'tables'}", f"-I{compiled.EXAMPLE}", str(path))


def test_the_tables_of_the_example_are_up_to_date(here: Path) -> None:
    """A change of a DBC or of the calibration shows here until `make tables` was run; nothing else lies in that folder."""
    assert 0 == nabench("new", "headers", "tables", "--pack", "nfm-16s").code
    written = {path.name: path.read_text(encoding="utf-8") for path in (here / "tables").iterdir()}
    assert written == {path.name: path.read_text(encoding="utf-8") for path in TABLES.iterdir()}
    assert written == headers.texts("nfm-16s", "classic")


def test_header_and_process_agree(here: Path) -> None:
    """Sizes and numbers of nabench_firmware.h as C has them."""
    (here / "x.c").write_text(
        '#include <stddef.h>\n#include <stdio.h>\n#include "nabench_firmware.h"\nint main(void){'
        'printf("%u %d %u %u %zu %zu %zu",'
        "NAB_ABI,NAB_POP_MAX,NAB_NVM_SIZE,NAB_NVM_ERASED,sizeof(struct nab_frame),offsetof(struct nab_frame,data),"
        "sizeof(struct nab_host));return 0;}",
        encoding="utf-8",
    )
    text = subprocess.run([compiled.gcc(here / "x", "x.c")], capture_output=True, text=True, check=True).stdout
    size, data, host = child.FRAME.size, child.FRAME.size - 64, child.HOST_SIZE
    assert f"{child.ABI} {child.POP_MAX} {child.NVM_SIZE} {child.ERASED} {size} {data} {host}" == text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("firmware", "x"), "new firmware needs --pack"),
        (("headers", "x", "--pack", "nfm-16"), 'did you mean "nfm-16s"?'),
        (
            ("headers", "x", "--pack", "nfm-16s", "--network", "fd"),
            "is a CAN FD frame; C tables are written for classic frames",
        ),
        (("headers", "x", "--pack", "ab-na-lfp-16s"), "of another kind of cells; C tables are written for one"),
        (("firmware", "x", "--pack", "nfm-16s", "--series", "4"), "--series belongs to new pack, not to new firmware"),
        (("scenario", "x", "--network", "fd"), "--network belongs to new firmware and new headers, not to new scenario"),
    ],
)
def test_what_cannot_be_written_is_refused(here: Path, words: tuple[str, ...], said: str) -> None:
    """With a sentence, and nothing is written."""
    ran = nabench("new", *words)
    assert 2 == ran.code
    assert any(said in problem for problem in ran.problems)
    assert [] == list(here.iterdir())
