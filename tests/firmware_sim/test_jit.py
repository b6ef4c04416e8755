"""How kernels are compiled: what they may use, when the cache is stale, and the one transcendental they have."""

from __future__ import annotations

import ast
import json
import math
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numba
import numpy as np
import pytest
from rigs import ROOT

from firmware_sim import jit
from firmware_sim.types import F64

ALLOWED_MATH = {"sqrt", "floor", "fabs", "ldexp", "isnan"}
FORBIDDEN = (
    ast.ListComp, ast.DictComp, ast.SetComp, ast.GeneratorExp, ast.List, ast.Dict, ast.Set, ast.JoinedStr, ast.Raise, ast.Try,
    ast.With, ast.Lambda, ast.Global, ast.Nonlocal, ast.Import, ast.ImportFrom, ast.Pow, ast.In, ast.NotIn, ast.MatMult,
)  # fmt: skip


def kernels() -> Iterator[tuple[Path, ast.FunctionDef]]:
    """Every function marked @kernel or @inlined."""
    for root in ("firmware_sim", "hil"):
        for path in sorted((ROOT / root).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef):
                    marks = {mark.id for mark in node.decorator_list if isinstance(mark, ast.Name)}
                    if marks & {"kernel", "inlined"}:
                        yield path, node


def faults_of(function: ast.FunctionDef) -> list[str]:
    """What a kernel uses that it must not."""
    found = []
    for statement in function.body:
        for node in ast.walk(statement):
            if isinstance(node, FORBIDDEN):
                found.append(f"line {getattr(node, 'lineno', function.lineno)}: {type(node).__name__}")
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                if node.value.id == "math" and node.attr not in ALLOWED_MATH and node.attr != "nan":
                    found.append(f"line {node.lineno}: math.{node.attr}")
                if node.value.id in ("np", "numpy"):
                    found.append(f"line {node.lineno}: {node.value.id}.{node.attr}")
            if isinstance(node, ast.Name) and node.id in ("pow", "sum", "sorted", "list", "dict", "set", "round", "print"):
                found.append(f"line {node.lineno}: {node.id}")
    return found


def test_kernels_use_no_library_function_but_five() -> None:
    """No power, no logarithm, no NumPy, nothing that allocates: so that bits do not depend on the machine."""
    seen = 0
    for path, function in kernels():
        seen += 1
        assert [] == faults_of(function), f"{path.relative_to(ROOT)}: {function.name}"
    assert seen > 40


@pytest.mark.parametrize(
    "body", ["return x ** 2", "return math.exp(x)", "return np.zeros(3)", "y = [x]", "return round(x)", "return x in (1, 2)"]
)
def test_the_check_of_kernels_finds_what_it_looks_for(body: str) -> None:
    """The rule above is not blind."""
    (function,) = ast.parse(f"def f(x):\n    {body}\n").body
    assert isinstance(function, ast.FunctionDef)
    assert faults_of(function)


@jit.kernel
def _allocates(n: int) -> F64:
    """Tries what no kernel can."""
    return np.zeros(n)


@jit.kernel
def _divides(a: float, b: float) -> float:
    """A division."""
    return a / b


@pytest.mark.compiled_only
def test_a_kernel_that_allocates_does_not_compile() -> None:
    """Without Numba's run-time library there is nothing to allocate with."""
    with pytest.raises(numba.core.errors.TypingError, match="zeros"):
        _allocates(3)


@pytest.mark.compiled_only
def test_division_by_zero_gives_infinity() -> None:
    """NumPy's rule, not Python's exception."""
    assert math.inf == _divides(1.0, 0.0)
    assert math.isnan(_divides(0.0, 0.0))


POINTS = np.concatenate([
    np.linspace(-699.9, 700.0, 4001),
    np.linspace(-1.0, 1.0, 2001),
    np.array([0.0, -0.0, 1e-300, -1e-300, 1e-17, 0.5 * math.log(2.0)])
])  # fmt: skip


def test_exp_is_accurate() -> None:
    """Within two units in the last place of the library's, above -700 to 700."""
    for x in POINTS.tolist():
        true = math.exp(x)
        assert abs(jit.exp(x) - true) <= 2.0 * math.ulp(true)


def test_exp_stays_in_range_outside() -> None:
    """Below -700 it is 0, above 700 it stays at e^700; not-a-number gives 0, because what is not greater is small."""
    assert 0.0 == jit.exp(-700.0) == jit.exp(-1e308) == jit.exp(-math.inf) == jit.exp(math.nan)
    assert jit.exp(700.0) == jit.exp(1e9) == jit.exp(math.inf)
    assert math.isclose(math.exp(700.0), jit.exp(700.0), rel_tol=1e-15)


def test_exp_never_falls() -> None:
    """Monotone over the whole range, to a unit in the last place."""
    values = [jit.exp(x) for x in sorted(POINTS.tolist())]
    assert all(b >= a for a, b in zip(values, values[1:], strict=False))


@pytest.mark.compiled_only
def test_exp_has_the_same_bits_compiled_and_interpreted() -> None:
    """No contraction, no library: the same function."""
    interpreted = jit.exp.py_func  # type: ignore[attr-defined]
    assert all(interpreted(x) == jit.exp(x) for x in POINTS.tolist())


def copied(folder: Path) -> dict[str, Path]:
    """Both packages, copied."""
    for name in ("firmware_sim", "hil"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.csv", "*.gz"))
    return {name: folder / name for name in ("firmware_sim", "hil")}


def edit(path: Path, old: str, new: str) -> None:
    """Replace text that stands in a file once."""
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_the_cache_key_follows_every_source_of_a_kernel(tmp_path: Path) -> None:
    """A kernel's file and what it imports move the key; the command line does not; a copy elsewhere shares it."""
    roots = copied(tmp_path)
    first = jit.cache_key(roots)
    assert first == jit.cache_key({name: ROOT / name for name in roots})
    edit(roots["hil"] / "cli" / "check.py", "def check(", "def  check(")
    assert first == jit.cache_key(roots)
    edit(roots["firmware_sim"] / "types.py", "MS_NS = 1_000_000\n", "MS_NS = 1_000_001\n")
    second = jit.cache_key(roots)
    assert first != second
    edit(roots["hil"] / "plant" / "contactor.py", "NEVER_NS = 1 << 62", "NEVER_NS = 1 << 61")
    assert jit.cache_key(roots) not in (first, second)


@pytest.mark.parametrize(
    "line", ["from hil.plant import numbers", "from hil.plant import (\n    numbers,\n)", "import hil.plant.numbers"],
    ids=["one line", "in brackets", "whole module"],
)  # fmt: skip
def test_the_cache_key_sees_imports_in_any_form(tmp_path: Path, line: str) -> None:
    """A module of constants alone counts, however a kernel's file imports it."""
    roots = copied(tmp_path)
    constants = roots["hil"] / "plant" / "numbers.py"
    constants.write_text("N = 1\n")
    edit(
        roots["hil"] / "plant" / "thermal.py",
        "from firmware_sim.jit import kernel\n",
        f"from firmware_sim.jit import kernel\n{line}\n",
    )
    before = jit.cache_key(roots)
    constants.write_text("N = 2\n")
    assert before != jit.cache_key(roots)


_RUN = """
import numpy as np
from hil.plant import contactor, pack
assert pack.__file__.startswith({root!r})
block = np.zeros((contactor.N_CONTACTOR_ROWS, 1, 3), np.int64)
block[contactor.CLOSED, 0, 1] = block[contactor.CLOSED, 0, 2] = 1
par = np.ones((pack.N_PACK_PARAMETERS, 1))
print(pack.path_ohm(block, par, 0))
"""


def run(root: Path) -> float:
    """The resistance of the path with the second and third contact closed, computed by the packages under root."""
    environment = {**os.environ, "PYTHONPATH": str(root), "NABENCH_CACHE_DIR": str(root / "cache")}
    code = _RUN.format(root=str(root))
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, cwd=root)
    return float(done.stdout)


@pytest.mark.compiled_only
def test_an_edited_constant_of_another_module_takes_effect(tmp_path: Path) -> None:
    """Numba would go on with the old number; here the next process computes with the new one."""
    roots = copied(tmp_path)
    assert 2.0 == run(tmp_path)
    files = sorted((tmp_path / "cache").rglob("*.nbc"))
    assert 2.0 == run(tmp_path)
    assert files == sorted((tmp_path / "cache").rglob("*.nbc"))
    edit(
        roots["hil"] / "plant" / "contactor.py",
        "MAIN_PLUS, MAIN_MINUS, PRECHARGE = range(3)",
        "MAIN_MINUS, MAIN_PLUS, PRECHARGE = range(3)",
    )
    assert 1e12 == run(tmp_path)


IMPORT = [sys.executable, "-c", "import firmware_sim.jit"]


def old_caches(root: Path, n: int, age_s: float) -> None:
    """Cache folders of other versions, each with something in it."""
    then = time.time() - age_s
    for k in range(n):
        (root / f"{k:016x}" / "deep").mkdir(parents=True)
        (root / f"{k:016x}" / "deep" / "x.nbc").write_text("x")
        os.utime(root / f"{k:016x}", (then + k, then + k))


def in_cache(root: Path) -> dict[str, str]:
    """Environment of a process that keeps its kernels there."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "NABENCH_CACHE_DIR": str(root)}


@pytest.mark.parametrize(("age_s", "left"), [(1e6, {4, 5}), (3600.0, set(range(6)))])
def test_only_few_old_caches_are_kept(tmp_path: Path, age_s: float, left: set[int]) -> None:
    """Folders without a note are removed, the oldest first, but none of this day: somebody may be at work in it.

    What others keep in the same folder stays.
    """
    old_caches(tmp_path, 6, age_s)
    (tmp_path / "dbc").mkdir()
    os.utime(tmp_path / "dbc", (1, 1))
    subprocess.run(IMPORT, check=True, env=in_cache(tmp_path))
    assert {"dbc", *(f"{k:016x}" for k in left), jit.cache_key()} == {path.name for path in tmp_path.iterdir()}


def test_a_folder_of_somebody_else_stays_whatever_its_name(tmp_path: Path) -> None:
    """Sixteen hex digits may name other things too: without compiled code or a lock in it, it is none of ours."""
    foreign = [tmp_path / f"{k:016x}" for k in range(3)]
    for folder in foreign:
        (folder / "deep").mkdir(parents=True)
        (folder / "deep" / "thesis.txt").write_text("mine")
        os.utime(folder, (1, 1))
    ours = [tmp_path / f"{k:016x}" for k in range(3, 6)]
    for age_s, name in enumerate(("x.nbi", "x.nbc", "in-use"), 2):
        folder = ours[age_s - 2]
        folder.mkdir()
        (folder / name).touch()
        for path in (folder / name, folder):
            os.utime(path, (age_s, age_s))
    subprocess.run(IMPORT, check=True, env=in_cache(tmp_path))
    assert {path.name for path in (*foreign, *ours[1:])} | {jit.cache_key()} == {path.name for path in tmp_path.iterdir()}


def test_processes_that_start_together_may_all_clear_up(tmp_path: Path) -> None:
    """What one has removed already is no trouble for the others."""
    old_caches(tmp_path, 300, 1e6)
    started = [subprocess.Popen(IMPORT, env=in_cache(tmp_path), stderr=subprocess.PIPE, text=True) for _ in range(4)]
    told = [process.communicate()[1] for process in started]
    assert [""] * 4 == told
    assert {f"{298:016x}", f"{299:016x}", jit.cache_key()} == {path.name for path in tmp_path.iterdir()}


def started(root: Path, cache: Path, number: int | None = None) -> tuple[str, subprocess.Popen[str]]:
    """Key of a process of packages under root, and the process, which waits; number: a constant that is edited before."""
    path = root / "firmware_sim" / "types.py"
    if number is not None:
        path.write_text(re.sub(r"MS_NS = [\d_]+\n", f"MS_NS = {number}\n", path.read_text(encoding="utf-8"), count=1))
    code = "from firmware_sim import jit; print(jit.CACHE_FOLDER.name, flush=True); input()"
    child = subprocess.Popen(
        [sys.executable, "-P", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root,
        env={**in_cache(cache), "PYTHONPATH": str(root), "NUMBA_DISABLE_JIT": "1"},
    )  # fmt: skip
    assert child.stdout is not None
    return child.stdout.readline().strip(), child


def key_of(root: Path, cache: Path, number: int | None = None) -> str:
    """The same of a process that has ended."""
    key, child = started(root, cache, number)
    child.communicate("\n", timeout=20)
    return key


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Two copies of the packages, and a folder for caches."""
    for name in ("mine", "another"):
        copied(tmp_path / name)
    return tmp_path / "mine", tmp_path / "another", tmp_path / "cache"


def test_caches_of_sources_that_are_gone_are_removed_but_the_newest_two(places: tuple[Path, Path, Path]) -> None:
    """Edited or deleted ones; those of another copy stay while that is as it was, however old they are."""
    mine, another, cache = places
    kept = key_of(another, cache)
    first, second, third, fourth = (key_of(mine, cache, number) for number in range(4))
    assert {kept, second, third, fourth} == {path.name for path in cache.iterdir()}
    assert first not in (kept, second)
    shutil.rmtree(another)
    last = key_of(mine, cache, 5)
    assert {third, fourth, last} == {path.name for path in cache.iterdir()}


def test_a_cache_in_use_stays_until_its_process_has_ended(places: tuple[Path, Path, Path]) -> None:
    """Its sources were edited under it, as happens while one develops; and a run may take longer than a day."""
    mine, _, cache = places
    used, child = started(mine, cache, 0)
    for path in (cache / used / "in-use", cache / used):
        os.utime(path, (1e9, 1e9))
    for number in (1, 2, 3):
        key_of(mine, cache, number)
    there = {path.name for path in cache.iterdir()}
    child.communicate("\n", timeout=20)
    key_of(mine, cache, 4)
    assert used in there
    assert used not in {path.name for path in cache.iterdir()}


def test_a_cache_of_versions_that_are_gone_is_removed(places: tuple[Path, Path, Path]) -> None:
    """An upgrade of Numba: the notes speak of this environment with a version that it has no longer; the newest two stay."""
    mine, another, cache = places
    key = key_of(mine, cache)
    (note,) = (cache / key).glob("used-by-*.json")
    said = json.loads(note.read_text())
    said["versions"][1] = "0.1.0"
    dead = [cache / f"{n:016x}" for n in range(3)]
    for folder in dead:
        folder.mkdir()
        (folder / note.name).write_text(json.dumps(said))
        (folder / "in-use").touch()
    last = key_of(another, cache, 1)
    assert {key, last, dead[1].name, dead[2].name} == {path.name for path in cache.iterdir()}


def test_a_cache_folder_that_cannot_be_made_is_told_with_its_variable(tmp_path: Path) -> None:
    """The sentence names the folder and what to set."""
    (tmp_path / "file").write_text("x")
    done = subprocess.run(IMPORT, env=in_cache(tmp_path / "file"), capture_output=True, text=True, check=False)
    assert "set NABENCH_CACHE_DIR to a folder of yours" in done.stderr


def test_an_installation_is_its_files(tmp_path: Path) -> None:
    """A copy elsewhere, or the same file written anew, has a mark of its own: Numba compiles it again."""
    code = "from firmware_sim import jit; print(jit.installation())"

    def mark(root: Path) -> str:
        env = {**in_cache(tmp_path / "cache"), "PYTHONPATH": str(root), "NUMBA_DISABLE_JIT": "1"}
        return subprocess.run(
            [sys.executable, "-P", "-c", code], env=env, capture_output=True, text=True, check=True, cwd=tmp_path
        ).stdout

    for name in ("one", "two"):
        for package in ("firmware_sim", "hil"):
            shutil.copytree(ROOT / package, tmp_path / name / package, ignore=shutil.ignore_patterns("__pycache__"))
    first = mark(tmp_path / "one")
    assert first == mark(tmp_path / "one")
    assert first != mark(tmp_path / "two")
    os.utime(tmp_path / "one" / "firmware_sim" / "sop.py", (1, 1))
    assert first != mark(tmp_path / "one")


def test_the_cache_folder_stays_when_the_environment_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numba reads its settings again when any variable has changed, as pytest's own do; kernels must not move elsewhere."""
    monkeypatch.setenv("NABENCH_OF_A_TEST", "1")
    numba.config.reload_config()
    assert str(jit.CACHE_FOLDER) == numba.config.CACHE_DIR  # type: ignore[attr-defined]
