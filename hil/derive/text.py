"""TOML text of a file that is written for a person to go on with: comments, wrapped columns, a row of a table on each line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_WIDTH = 120


def document(data: Mapping[str, Any], comments: Mapping[str, str], head: str) -> str:
    """A whole file. comments: what stands above a table, by its dotted name, and above an entry of a list of tables."""
    lines = [f"# {line}".rstrip() for line in head.splitlines()]
    _table(lines, "", data, comments)
    return "\n".join(lines) + "\n"


def _table(lines: list[str], name: str, data: Mapping[str, Any], comments: Mapping[str, str]) -> None:
    """A table's own keys first, then the tables in it."""
    inside = {key: value for key, value in data.items() if isinstance(value, dict) and not _is_inline(value)}
    lists = {key: value for key, value in data.items() if isinstance(value, list) and value and isinstance(value[0], dict)}
    for key, value in data.items():
        if key not in inside and key not in lists:
            lines.append(f"{key} = {_value(value)}")
    for key, table in inside.items():
        dotted = f"{name}.{key}".lstrip(".")
        lines += ["", *_comment(comments, dotted), f"[{dotted}]"]
        _table(lines, dotted, table, comments)
    for key, tables in lists.items():
        for table in tables:
            lines += ["", *_comment(comments, f"{key}:{next(iter(table.values()))}"), f"[[{key}]]"]
            _table(lines, key, table, comments)


def _comment(comments: Mapping[str, str], name: str) -> list[str]:
    return [f"# {line}" for line in comments[name].splitlines()] if name in comments else []


def _is_inline(table: Mapping[str, Any]) -> bool:
    """A small table of numbers alone stands on one line."""
    return all(isinstance(value, float) for value in table.values())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        return _array(value)
    if isinstance(value, float):
        text = f"{value:.10g}"
        return text if set(text) & set(".e") else f"{text}.0"
    return json.dumps(value, ensure_ascii=False)


def _array(values: list[Any]) -> str:
    if values and isinstance(values[0], list):
        return "[\n" + "".join(f"  {_array(row)},\n" for row in values) + "]"
    words = [_value(value) for value in values]
    line = "[" + ", ".join(words) + "]"
    if len(line) <= _WIDTH - 16:
        return line
    lines = [""]
    for word in words:
        if len(lines[-1]) + len(word) + 4 > _WIDTH - 20:
            lines.append("")
        lines[-1] += f" {word},"
    return "[\n" + "".join(f" {each}\n" for each in lines) + "]"
