"""Where files lie and how a file of the user's becomes a model, or one clear list of what is wrong with it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from hil.errors import ScenarioError, nearest

_ROOT = Path(__file__).parent
_MAX_BYTES = 1 << 20
_MAX_DEPTH = 20

_FOLDERS = {
    "scenario": _ROOT / "scenarios",
    "requirements": _ROOT / "requirements",
    "cell": _ROOT / "plant" / "cells",
    "pack": _ROOT / "plant" / "packs",
    "network": _ROOT / "networks",
    "calibration": _ROOT.parent / "firmware_sim" / "calibration",
}
SUFFIXES = {"scenario": ".scenario.toml"}


class FileModel(BaseModel):
    """Base of everything decoded from a file: unknown keys, NaN and infinities are refused, types are not bent."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)


class Document(FileModel):
    """Base of whole files."""

    format: Literal[1]


M = TypeVar("M", bound=FileModel)


def folder(kind: str) -> Path:
    """Folder of the shipped files of a kind: scenario, requirements, cell, pack, network, calibration."""
    return _FOLDERS[kind]


def dbc_folder() -> Path:
    """Folder of the shipped databases: inside the package when installed, beside it in a checkout."""
    inside = _ROOT / "dbc"
    return inside if inside.is_dir() else _ROOT.parent / "dbc"


def shipped(kind: str) -> dict[str, Path]:
    """Name to path of every shipped file of a kind, in name order."""
    suffix = SUFFIXES.get(kind, ".toml")
    found = {path.name.removesuffix(suffix): path for path in folder(kind).rglob(f"*{suffix}")}
    return dict(sorted(found.items()))


INDEX = "inputs.json"


def _copied(kind: str, name: str, near: Path | None) -> Path | None:
    """The copy of a file that a run folder keeps, when `near` stands in one."""
    if near is None or not (near.parent / INDEX).is_file():
        return None
    index = json.loads((near.parent / INDEX).read_text(encoding="utf-8"))
    copy = index.get(f"{kind}:{name}", index.get(f"{kind}:{Path(name).name}"))
    return near.parent / copy if copy is not None else None


def data_file(name: str, near: Path, key: str, also: Path | None = None) -> Path:
    """Path of a data file (recording, profile, DBC) that the file `near` names under `key`.

    Relative names count from `near`, then from the folder `also`. Raises ScenarioError when there is no such file.
    """
    copied = _copied("data", name, near)
    looked = [near.parent / name] + ([also / name] if also is not None else [])
    for path in [copied] if copied is not None else looked:
        if path.is_file():
            return path
    raise ScenarioError(f'{near}: {key} "{name}" does not exist (looked at {" and ".join(str(p) for p in looked)})')


def resolve(kind: str, name: str, near: Path | None = None) -> Path:
    """Path of a file given by shipped name or by path (relative paths count from the file that names it, `near`).

    Raises ScenarioError when there is no such file.
    """
    copied = _copied(kind, name, near)
    if copied is not None:
        return copied
    if name.endswith(".toml") or "/" in name or "\\" in name:
        path = Path(name)
        if near is not None and not path.is_absolute():
            path = near.parent / path
        if path.is_file():
            return path
        where = f"{near}: " if near else ""
        raise ScenarioError(f'{where}{kind} file "{name}" does not exist (looked at {path})')
    names = shipped(kind)
    if name in names:
        return names[name]
    where = f"{near}: " if near else ""
    raise ScenarioError(f'{where}{kind} "{name}" is neither shipped nor a path{nearest(name, names)}')


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
        size = path.stat().st_size
        if size > _MAX_BYTES:
            raise ScenarioError(f"{path}: the file has {size} bytes; expected at most {_MAX_BYTES}")
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8") from None
    if _depth(text) > _MAX_DEPTH:
        raise ScenarioError(f"{path}: brackets are nested deeper than {_MAX_DEPTH}")
    if any(line.split("=")[0].count(".") > _MAX_DEPTH for line in text.splitlines()):
        raise ScenarioError(f"{path}: a key has more than {_MAX_DEPTH} parts")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{path}: not valid TOML: {error}") from None
    except RecursionError:
        raise ScenarioError(f"{path}: nested too deeply") from None


def key_path(loc: Sequence[int | str]) -> str:
    """("fault", 0, "target") as fault[0].target."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "(top level)"


def _submodels(annotation: Any) -> list[type[BaseModel]]:
    """Every model class named anywhere in a field's annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for arg in get_args(annotation) for model in _submodels(arg)]


def _valid_keys(model: type[BaseModel], loc: Sequence[int | str]) -> set[str]:
    """Field names that would be right beside the one at `loc`."""
    models = [model]
    for part in loc[:-1]:
        if isinstance(part, str):
            fields = [m.model_fields[part] for m in models if part in m.model_fields]
            if fields:
                models = [sub for field in fields for sub in _submodels(field.annotation)]
            else:  # the tag of a discriminated union
                models = [m for m in models if part in _tags(m)] or models
    return {name for m in models for name in m.model_fields}


def _tags(model: type[BaseModel]) -> set[str]:
    kind = model.model_fields.get("kind")
    return set(get_args(kind.annotation)) if kind is not None else set()


def problems(path: Path, model: type[BaseModel], error: ValidationError) -> list[str]:
    """One sentence for each thing wrong: file, key path, expected, found, nearest."""
    out = []
    for item in error.errors(include_url=False):
        where = f"{path}: {key_path(item['loc'])}"
        kind, found = item["type"], item.get("input")
        if kind == "extra_forbidden":
            key = str(item["loc"][-1])
            out.append(f"{where}: unknown key{nearest(key, _valid_keys(model, item['loc']))}")
        elif kind == "missing":
            out.append(f"{where}: this key is missing")
        elif kind == "value_error":
            out.append(f"{where}: {item['ctx']['error']!s}")
        elif kind in ("literal_error", "union_tag_invalid"):
            context = item["ctx"]
            valid = str(context.get("expected") or context.get("expected_tags"))
            names = [part.strip(" '\"") for part in valid.replace(" or ", ", ").split(",")]
            shown = context.get("tag", found)
            hint = nearest(shown, names) if isinstance(shown, str) else ""
            out.append(f"{where}: found {shown!r}; expected one of {valid}{hint}")
        else:
            shown = repr(found)
            shown = shown if len(shown) <= 60 else shown[:57] + "..."
            message = item["msg"]
            out.append(f"{where}: {message[0].lower()}{message[1:]}, found {shown}")
    return out


def decode(path: Path, data: dict[str, Any], model: type[M]) -> M:
    """Check data against a model. Raises ScenarioError with every problem of shape at once."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ScenarioError(*problems(path, model, error)) from None


def load(path: Path, model: type[M]) -> M:
    """Read and check a TOML file. Raises ScenarioError."""
    return decode(path, read_toml(path), model)
