"""A cell file as TOML text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

_ORDER = ("capacity", "limits", "ocv", "hysteresis", "resistance", "reach", "entropy", "thermal")
_ROW = 10


def cell(data: dict[str, Any], head: Sequence[str]) -> str:
    """TOML of a cell file, its tables in the usual order. head: lines of comment on top."""
    tables = [name for name, value in data.items() if isinstance(value, dict)]
    lines = [f"# {line}" for line in head]
    lines += [f"{name} = {_value(value)}" for name, value in data.items() if name not in tables]
    for name in [*(n for n in _ORDER if n in tables), *(n for n in tables if n not in _ORDER)]:
        lines += ["", f"[{name}]", *(f"{key} = {_value(value)}" for key, value in data[name].items())]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    if not isinstance(value, list):
        return repr(value)
    if value and isinstance(value[0], list):
        return "[\n" + "".join(f"  {_value(row)},\n" for row in value) + "]"
    words = [_value(item) for item in value]
    if len(words) <= 2 * _ROW:
        return f"[{', '.join(words)}]"
    return "[\n" + "".join(f"  {', '.join(words[n : n + _ROW])},\n" for n in range(0, len(words), _ROW)) + "]"
