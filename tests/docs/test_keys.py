"""What can be written is written down: every key, name and call of the code occurs on its page.

The code is read as text, not imported, so that a page is held against what a reader of the file would find.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BASES = {"FileModel", "Document", "Sourced"}


def modules(pattern: str) -> list[ast.Module]:
    """The modules that match a pattern."""
    found = [ast.parse(path.read_text(encoding="utf-8")) for path in sorted(ROOT.glob(pattern))]
    assert found, pattern
    return found


def classes(pattern: str) -> dict[str, ast.ClassDef]:
    """All classes of some modules, by name."""
    return {node.name: node for module in modules(pattern) for node in module.body if isinstance(node, ast.ClassDef)}


def models(pattern: str) -> dict[str, ast.ClassDef]:
    """Classes of some modules that are decoded from files."""
    found = classes(pattern)

    def is_model(node: ast.ClassDef) -> bool:
        names = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
        return bool(names & BASES) or any(is_model(found[name]) for name in names if name in found)

    return {name: node for name, node in found.items() if is_model(node)}


def keys(node: ast.ClassDef) -> Iterator[str]:
    """Keys of a model as they stand in a file, and the words that a key may have."""
    for field in node.body:
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name) or field.target.id.isupper():
            continue
        text = ast.unparse(field)
        alias = re.search(r"alias='(\w+)'", text)
        yield alias[1] if alias else field.target.id
        for words in re.findall(r"Literal\[([^\]]*)\]", ast.unparse(field.annotation)):
            yield from re.findall(r"'(\w+)'", words)


def public(node: ast.ClassDef) -> Iterator[str]:
    """Public methods and properties of a class."""
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and not item.name.startswith("_"):
            yield item.name


def code(page: str) -> set[str]:
    """Words that stand in the code spans and blocks of a page."""
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```\w*.*?\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    return {word for part in (*blocks, *spans) for word in re.findall(r"[\w-]+", part)}


def missing(page: str, words: Iterator[str] | list[str]) -> list[str]:
    """Words that do not stand in the code of a page."""
    known = code(page)
    return sorted({word for word in words if word not in known})


FILES = {
    "docs/scenarios.md": ("hil/scenario.py",),
    "docs/fit.md": ("hil/fit/datamap.py",),
    "docs/mapping.md": ("hil/mapping.py", "hil/network.py"),
    "docs/packs.md": ("hil/plant/packfile.py", "hil/plant/cellfile.py", "hil/tables.py"),
    "docs/cells/index.md": ("hil/datasheet/sheet.py",),
    "docs/verdicts.md": ("hil/requirement.py",),
    "docs/bench.md": ("hil/benchfile.py",),
}


@pytest.mark.parametrize("page", FILES)
def test_every_key_of_a_file_is_explained(page: str) -> None:
    """Keys and their words, of every model of the file's format."""
    found = [key for pattern in FILES[page] for node in models(pattern).values() for key in keys(node)]
    assert len(found) > 10
    assert [] == missing(page, found)


@pytest.mark.parametrize("page", ["docs/scenarios.md", "docs/faults.md"])
def test_every_key_of_a_fault_is_explained(page: str) -> None:
    """A fault looks the same wherever it is written."""
    assert [] == missing(page, list(keys(models("hil/fault/*.py")["FaultSpec"])))


def test_every_key_of_a_calibration_and_every_quantity_is_explained() -> None:
    """What decides stands on the page of the BMS, what estimates on that of the estimator."""
    found = models("hil/calibration*.py")
    estimates = [key for name in ("Filter", "Sodium", "Model") for key in keys(found[name])]
    assert [] == missing("docs/estimation.md", estimates)
    decides = [
        key for name, node in found.items() if name not in ("Filter", "Sodium", "Model", "Calibration") for key in keys(node)
    ]
    (soa,) = modules("firmware_sim/soa.py")
    tables = [n.value for n in soa.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "QUANTITIES"]
    decides += ast.literal_eval(tables[0])
    assert len(decides) > 80
    assert [] == missing("docs/protection.md", decides)


def test_every_call_of_a_bench_is_explained() -> None:
    """Session, its ports, and what they give back."""
    session, ports = classes("hil/session/session.py"), classes("hil/session/ports.py")
    found = [*public(session["Session"]), *(name for node in ports.values() for name in public(node))]
    found += public(classes("hil/session/tape.py")["Capture"])
    assert len(found) > 40
    assert [] == missing("docs/pytest.md", found)


def test_every_setting_and_marker_of_the_plugin_is_explained() -> None:
    """As option, as variable and as ini value; and what the markers take."""
    (plugin,) = modules("hil/pytest_plugin/settings.py")
    tables = {ast.unparse(n.targets[0]): n.value for n in plugin.body if isinstance(n, ast.Assign)}
    settings = tables["SETTINGS"]
    assert isinstance(settings, ast.Dict)
    names = [ast.literal_eval(key) for key in settings.keys if key is not None]
    lasting = [name for name in names if name not in ast.literal_eval(tables["NOT_LASTING"])]
    found = [form for name in names for form in (f"--nabench-{name}", f"NABENCH_{name.upper()}")]
    found += [f"nabench_{name}" for name in lasting]
    found += ast.literal_eval(tables["MARKER_KEYS"])
    found += ["requirement", "nabench", "nabench_leaves_faults"]
    assert [] == missing("docs/pytest.md", found)


def test_the_house_names_what_is_there() -> None:
    """Every module that the page on the house names exists, and every folder of the bench is named."""
    words = set(
        re.findall(r"`((?:hil|firmware_sim)(?:[./]\w+)*)`", (ROOT / "docs/architecture.md").read_text(encoding="utf-8"))
    )
    paths = {word: ROOT / word.removesuffix(".py").replace(".", "/") for word in words}
    assert [] == sorted(word for word, path in paths.items() if not (path.is_dir() or path.with_suffix(".py").is_file()))
    named = {path for path in paths.values() if path.is_dir()}
    folders = {path for path in (ROOT / "hil").iterdir() if path.is_dir() and not path.name.startswith(("_", "."))}
    assert [] == sorted(path.name for path in folders - named)


def test_every_key_of_the_speed_figures_is_explained() -> None:
    """What nabench bench --json prints at its top level; and the figures stand between their marks."""
    text = (ROOT / "hil/speed/measure.py").read_text(encoding="utf-8") + (ROOT / "hil/cli/bench.py").read_text(encoding="utf-8")
    found = re.findall(r'^        "(\w+)": ', text.partition("def measure")[2].partition("for n_cells")[0], re.MULTILINE)
    found += re.findall(r'(?:out|found)\["(\w+)"\] =', text)
    assert len(found) > 15
    assert [] == missing("docs/speed.md", found)
    page = (ROOT / "docs/speed.md").read_text(encoding="utf-8")
    assert (1, 1) == (page.count("<!-- figures -->"), page.count("<!-- /figures -->"))


def test_every_figure_and_condition_of_the_score_is_explained() -> None:
    """Keys of nabench score --json, and every condition of the table."""
    found = ["rmse", "mae", "max", "bias", "band_coverage", "band_half_width"]
    for name in ("figures", "floors", "starts", "score"):
        text = (ROOT / f"hil/score/{name}.py").read_text(encoding="utf-8")
        found += re.findall(r'"(\w+)": ', text.partition("def as_json")[2])
    for name in ("power", "health"):
        text = (ROOT / f"hil/score/{name}.py").read_text(encoding="utf-8").partition("Row:")[2].partition("def ")[0]
        found += re.findall(r"^    (\w+): \w+$", text, re.MULTILINE)
    found += re.findall(r'^    "([\w-]+)": ', (ROOT / "hil/score/conditions.py").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(found) > 40
    assert [] == missing("docs/score.md", found)
