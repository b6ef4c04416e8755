"""Where files lie and how a file of the user's becomes a model, or one clear list of what is wrong with it."""

from __future__ import annotations

import copy
import json
import stat
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from hil import shape
from hil.errors import ScenarioError, closest, nearest

_ROOT = Path(__file__).parent
_MAX_BYTES = 1 << 20
_MAX_DEPTH = 20
_MOST_PASSES = 6  # a value may leave its range at one end and then at the other, a model refuse itself and then its parent

_FOLDERS = {
    "scenario": _ROOT / "scenarios",
    "requirements": _ROOT / "requirements",
    "cell": _ROOT / "plant" / "cells",
    "pack": _ROOT / "plant" / "packs",
    "network": _ROOT / "networks",
    "calibration": _ROOT.parent / "firmware_sim" / "calibration",
}
SUFFIXES = {"scenario": ".scenario.toml"}
# Keys by which a file is recognised: each stands in files of one kind only, at the top.
_MARKS = {
    "bench": ("buses", "feeds"),
    "scenario": ("duration_s", "request", "expect"),
    "requirements": ("requirement",),
    "network": ("bus",),
    "mapping": ("signal", "dut"),
    "pack": ("series", "ntc_cells"),
    "calibration": ("limit", "e2e"),
    "data sheet": ("charge_max_V", "discharge_min_V"),
    "cell": ("chemistry", "ocv"),
    "map": ("borrow", "columns"),
}


class FileModel(BaseModel):
    """Base of everything decoded from a file: unknown keys, NaN and infinities are refused, types are not bent."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)


class Document(FileModel):
    """Base of whole files. KIND: what kind of file it is, for those that a user writes."""

    KIND: ClassVar[str] = ""
    format: Literal[1]


M = TypeVar("M", bound=FileModel)


def folder(kind: str) -> Path:
    """Folder of the shipped files of a kind: scenario, requirements, cell, pack, network, calibration."""
    return _FOLDERS[kind]


def dbc_folder() -> Path:
    """Folder of the shipped databases: inside the package when installed, beside it in a checkout."""
    inside = _ROOT / "dbc"
    return inside if inside.is_dir() else _ROOT.parent / "dbc"


def example_folder(name: str) -> Path:
    """Folder of an example that ships with the package: inside it when installed, beside it in a checkout."""
    inside = _ROOT / "examples" / name
    return inside if inside.is_dir() else _ROOT.parent / "examples" / name


def shipped(kind: str) -> dict[str, Path]:
    """Name to path of every shipped file of a kind, in name order."""
    suffix = SUFFIXES.get(kind, ".toml")
    found = {path.name.removesuffix(suffix): path for path in folder(kind).rglob(f"*{suffix}")}
    return dict(sorted(found.items()))


INDEX = "inputs.json"


def copies(folder: Path) -> dict[str, str]:
    """What the index of a run folder's inputs says: "kind:name as written" to the name of the copy beside it.

    Raises ScenarioError when the index is damaged.
    """
    path = folder / INDEX
    try:
        index = json.loads(read(path, _MAX_BYTES))
    except (ValueError, RecursionError):
        raise ScenarioError(f"{path}: not valid JSON; expected the index that nabench run wrote") from None
    right = isinstance(index, dict) and all(isinstance(name, str) and Path(name).name == name for name in index.values())
    if not right:
        raise ScenarioError(f"{path}: expected the name of a file in this folder for every input")
    return dict(index)


def _copied(kind: str, name: str, near: Path | None) -> Path | None:
    """The copy of a file that a run folder keeps, when `near` stands in one."""
    if near is None or not (near.parent / INDEX).is_file():
        return None
    index = copies(near.parent)
    copy = index.get(f"{kind}:{name}", index.get(f"{kind}:{Path(name).name}"))
    return near.parent / copy if copy is not None else None


def why_not(path: Path) -> str:
    """Why a path is no file that can be read, with the nearest name in its folder; empty when it is one."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            return "is a folder; expected a file"
        return "" if stat.S_ISREG(mode) else "is not a regular file"
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            return "is a link to a file that does not exist"
        beside = [other.name for other in path.parent.iterdir() if other.suffix == path.suffix] if path.parent.is_dir() else []
        close = closest(path.name, beside)
        return "does not exist" + (f'; did you mean "{close}"?' if close is not None else "")
    except (OSError, ValueError) as error:
        return f"cannot be read: {getattr(error, 'strerror', None) or error}"


def data_file(name: str, near: Path, key: str, also: Path | None = None) -> Path:
    """Path of a data file (recording, profile, DBC) that the file `near` names under `key`.

    Relative names count from `near`, then from the folder `also`. Raises ScenarioError when there is no such file.
    """
    copied = _copied("data", name, near)
    looked = [copied] if copied is not None else [folder / name for folder in (near.parent, also) if folder is not None]
    why = [why_not(path) for path in looked]
    if "" in why:
        return looked[why.index("")]
    places = " and ".join(str(path) for path in looked)
    raise ScenarioError(f'{near}: {key} "{name}" {why[0]} (looked at {places})')


def resolve(kind: str, name: str, near: Path | None = None) -> Path:
    """Path of a file given by shipped name or by path (relative paths count from the file that names it, `near`).

    Raises ScenarioError when there is no such file.
    """
    copied = _copied(kind, name, near)
    if copied is not None:
        return copied
    where = f"{near}: " if near else ""
    if name.lower().endswith(".toml") or "/" in name or "\\" in name:
        path = Path(name) if near is None else near.parent / name
        why = why_not(path)
        if why:
            raise ScenarioError(f'{where}{kind} file "{name}" {why} (looked at {path})')
        return path
    names = shipped(kind)
    if name in names:
        return names[name]
    raise ScenarioError(f'{where}{kind} "{name}" is neither shipped nor a path{nearest(name, names)}')


def read(path: Path, most: int) -> bytes:
    """All bytes of a file that may be hostile. Raises ScenarioError when there are more than `most`."""
    why = why_not(path)
    if why:
        raise ScenarioError(f"{path}: {why}")
    try:
        with path.open("rb") as file:
            raw = file.read(most + 1)
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read: {error.strerror}") from None
    if len(raw) > most:
        raise ScenarioError(f"{path}: the file has more than {most >> 20} MiB; expected at most that")
    return raw


def _part(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


def try_write(path: Path) -> None:
    """Begin what write() does, and take it back. Raises OSError. Permissions alone do not tell: root has them all."""
    part = _part(path)
    try:
        part.touch(exist_ok=False)
    except FileExistsError:
        return  # another is at it, or was killed
    part.unlink(missing_ok=True)


def write(path: Path, text: str) -> None:
    """Write a file wholly or not at all. Raises OSError."""
    part = _part(path)
    try:
        part.write_text(text, encoding="utf-8", errors="replace", newline="\n")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _depth(text: str) -> int:
    """Deepest nesting of brackets outside strings and comments; enough to refuse a bomb before it is parsed."""
    depth = deepest = 0
    quote = ""
    skip = comment = False
    for c in text:
        if comment:
            comment = c != "\n"
        elif skip:
            skip = False
        elif quote:
            skip = c == "\\" and quote == '"'
            quote = "" if c == quote or c == "\n" else quote
        elif c in "\"'":
            quote = c
        elif c == "#":
            comment = True
        elif c in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif c in "]}":
            depth = max(depth - 1, 0)
    return deepest


def read_toml(path: Path) -> dict[str, Any]:
    """Parse a TOML file that may be hostile. Raises ScenarioError with the line."""
    try:
        text = read(path, _MAX_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8") from None
    if not text.strip():
        raise ScenarioError(f"{path}: the file is empty")
    if _depth(text) > _MAX_DEPTH:
        raise ScenarioError(f"{path}: brackets are nested deeper than {_MAX_DEPTH}")
    if any(line.split("=")[0].count(".") > _MAX_DEPTH for line in text.splitlines()):
        raise ScenarioError(f"{path}: a key has more than {_MAX_DEPTH} parts")
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ScenarioError(f"{path}: not valid TOML: {error}") from None
    except ValueError:
        raise ScenarioError(f"{path}: not valid TOML: a number has too many digits") from None


def _has_mark(kind: str, data: dict[str, Any]) -> bool:
    return any(mark in data for mark in _MARKS[kind])


def kind_of(path: Path, data: dict[str, Any]) -> str:
    """Kind of a TOML file, by the keys it has. Raises ScenarioError when it has no mark of any kind."""
    kind = next((kind for kind in _MARKS if _has_mark(kind, data)), None)
    if kind is not None:
        return kind
    marks = ", ".join(f'"{marks[0]}" ({kind})' for kind, marks in _MARKS.items())
    raise ScenarioError(f"{path}: not a file of a known kind; expected one of these keys: {marks}")


class Far(NamedTuple, Generic[M]):
    """As much of a file as can be had.

    model: None when the shape is wrong.  problems: all that is wrong with it.  mended: key paths of values that lay out of
    range and were brought into it, so that one may go on to what the file refers to and say that too.
    """

    model: M | None
    problems: list[str]
    mended: frozenset[str]

    def besides(self, path: Path, problems: Sequence[str]) -> list[str]:
        """Problems without those of values that we put there ourselves, and those that are known."""
        news = [text for text in problems if text not in self.problems]
        keys = [f"{path}: {key}{end}" for key in self.mended for end in " :"]
        return [text for text in news if not text.startswith(tuple(keys))]

    def whole(self) -> M:
        """The model, when nothing at all is wrong. Raises ScenarioError."""
        if self.model is None or self.problems:
            raise ScenarioError(*self.problems)
        return self.model


def decode(path: Path, data: dict[str, Any], model: type[M]) -> M:
    """Check data against a model. Raises ScenarioError with every problem of shape at once, else of range and order."""
    return decode_far(path, data, model).whole()


def decode_far(path: Path, data: dict[str, Any], model: type[M]) -> Far[M]:
    """As much of a model as data gives, and all that is wrong with it."""
    far: Far[M] = Far(None, [], frozenset())
    waived: set[type[BaseModel]] = set()
    data = copy.deepcopy(data)
    for _ in range(_MOST_PASSES):
        try:
            decoded = model.model_validate(data, context={"waived": waived, "mended": far.mended})
        except ValidationError as error:
            far = Far(None, far.problems + far.besides(path, shape.problems(path, model, error)), far.mended)
            mended = shape.mend(data, model, error, waived)
            if mended is None:
                break
            far = far._replace(mended=far.mended | mended)
        else:
            return far._replace(model=decoded)
    return far


def load(path: Path, model: type[M]) -> M:
    """Read and check a TOML file. Raises ScenarioError; of a file of another kind only that it is one."""
    return load_far(path, model).whole()


def load_far(path: Path, model: type[M]) -> Far[M]:
    """As much of a TOML file as can be had. Raises ScenarioError when it is no TOML, or a file of another kind."""
    data = read_toml(path)
    kind = model.KIND if issubclass(model, Document) else ""
    if kind and not _has_mark(kind, data) and any(_has_mark(other, data) for other in _MARKS):
        raise ScenarioError(f"{path}: this is a {kind_of(path, data)} file; expected a {kind} file")
    return decode_far(path, data, model)
