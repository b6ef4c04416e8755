"""From what a model found wrong with a file to sentences: key path as it stands in the file, expected, found, nearest.

Pydantic speaks of Python and of its own unions; this speaks of the file. The tag of a union is no key and is left out; the
several complaints of an untagged union about one value become one; a required key that was misspelt is one problem, not
two; and of thousands of problems the first are shown and the rest counted.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, time
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ValidationError, ValidationInfo

from hil.errors import closest, nearest

_MOST, _MOST_ALIKE = 50, 3  # sentences on one file; entries of one list that are said one by one
_TYPES = {
    "float_type": "a number", "int_type": "a whole number", "int_from_float": "a whole number", "string_type": "text in quotes",
    "bool_type": "true or false", "list_type": "a list", "dict_type": "a table", "model_type": "a table",
    "model_attributes_type": "a table", "finite_number": "a finite number", "int_parsing_size": "a smaller number",
}  # fmt: skip
_BOUNDS = {
    "greater_than": ("more than {}", "gt"),
    "greater_than_equal": ("{} or more", "ge"),
    "less_than": ("less than {}", "lt"),
    "less_than_equal": ("{} or less", "le"),
    "too_short": ("{} or more entries", "min_length"),
    "too_long": ("{} or fewer entries", "max_length"),
    "string_too_short": ("{} or more characters", "min_length"),
    "string_too_long": ("{} or fewer characters", "max_length"),
    "string_pattern_mismatch": ("text that matches {}", "pattern"),
}
# What lies in range instead of what does not, from the bound.
_INSTEAD: dict[str, Callable[[dict[str, Any]], Any]] = {
    "greater_than": lambda c: c["gt"] + 1e6,
    "greater_than_equal": lambda c: c["ge"],
    "less_than": lambda c: c["lt"] - 1,
    "less_than_equal": lambda c: c["le"],
    "string_too_short": lambda c: "x" * c["min_length"],
    "string_too_long": lambda _c: "x",
    "string_pattern_mismatch": lambda _c: "x",
}
_NUMBERED = re.compile(r"\s*[-+]?\.?\d")


class Misfits(ValueError):
    """Several things wrong within one model; each a sentence that begins with a key of it, or ": " for all of it."""

    def __init__(self, *found: str) -> None:
        super().__init__("; ".join(found))
        self.found = found


def settle(found: list[str]) -> None:
    """Raise Misfits when anything was found; for validators of models."""
    if found:
        raise Misfits(*found)


def refuse(found: list[str], model: BaseModel, info: ValidationInfo) -> None:
    """Raise Misfits when anything was found, unless it was said already and the model is wanted all the same."""
    if not (info.context and type(model) in info.context.get("waived", ())):
        settle(found)


def key_path(loc: Sequence[int | str]) -> str:
    """("fault", 0, "target") as fault[0].target."""
    text = ""
    for part in loc:
        plain = isinstance(part, int) or re.fullmatch(r"[A-Za-z0-9_-]+", part)
        key = part if plain else json.dumps(part, ensure_ascii=False)
        text += f"[{part}]" if isinstance(part, int) else f".{key}" if text else str(key)
    return text


def shown(value: Any) -> str:
    """A value as it would stand in the file, short."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, date | time):
        return value.isoformat()
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _options(annotation: Any) -> list[Any]:
    """The alternatives of an annotation: members of a union, without what Annotated adds."""
    if get_origin(annotation) is Annotated:
        return _options(get_args(annotation)[0])
    if get_args(annotation) and get_origin(annotation) not in (list, dict):
        return [option for arg in get_args(annotation) for option in _options(arg)]
    return [annotation]


def _models(options: list[Any]) -> list[type[BaseModel]]:
    return [option for option in options if isinstance(option, type) and issubclass(option, BaseModel)]


def _tags(model: type[BaseModel]) -> set[str]:
    kind = model.model_fields.get("kind")
    return {str(tag) for tag in get_args(kind.annotation)} if kind is not None else set()


class _Place:
    """Where a problem lies.

    path: its keys in the file.  siblings: keys that would be right in its last place.  models: what the value may be.
    """

    def __init__(self, model: type[BaseModel], loc: Sequence[int | str]) -> None:
        self.path: list[int | str] = []
        self.siblings: set[str] = set()
        options: list[Any] = [model]
        for part in loc:
            models = _models(options)
            tagged = [option for option in models if part in _tags(option)]
            if isinstance(part, int):
                options = [x for option in options if get_origin(option) is list for x in _options(get_args(option)[0])]
            elif len(models) > 1 and tagged:
                options = list(tagged)  # the tag of a union
                continue
            elif models:
                fields = {field.alias or name: field for option in models for name, field in option.model_fields.items()}
                self.siblings = set(fields)
                options = _options(fields[part].annotation) if part in fields else []
            elif any(get_origin(option) is dict for option in options):
                options = [x for option in options if get_origin(option) is dict for x in _options(get_args(option)[1])]
            elif options:  # the name of a type in an untagged union
                continue
            self.path.append(part)
        self.models = _models(options)

    def meant(self) -> str:
        """Path of the key that an unknown one was probably meant to be."""
        close = closest(str(self.path[-1]), self.siblings)
        return key_path([*self.path[:-1], close]) if close is not None else ""

    def tags(self) -> list[str]:
        """Values of `kind` that the union here knows, in its order."""
        return [str(tag) for model in self.models for tag in get_args(model.model_fields["kind"].annotation)]


def problems(path: Path, model: type[BaseModel], error: ValidationError) -> list[str]:
    """One sentence for each thing wrong: file, key path, expected, found, nearest."""
    items = error.errors(include_url=False)
    alike = Counter(kin for item in items if (kin := _kin(item)) is not None)
    items = [item for item, first in zip(items, _firsts(items, alike), strict=True) if first]
    rows = [(item, _Place(model, item["loc"])) for item in items[: 2 * _MOST]]
    meant = {place.meant() for item, place in rows if item["type"] == "extra_forbidden"}
    said: list[str] = []
    done: set[str] = set()
    for item, place in rows:
        key = key_path(place.path)
        if item["type"] == "value_error":
            said += _own(path, place, item["ctx"]["error"])
        elif key not in done and not (item["type"] == "missing" and key in meant):
            kinds = [_TYPES[i["type"]] for i, other in rows if i["type"] in _TYPES and other.path == place.path]
            kin = _kin(item)
            others = alike[kin] - 1 if kin is not None else 0
            more = f", and so in {others} entries more" if others >= _MOST_ALIKE else ""
            said.append(f"{path}: {_sentence(item, place, key, kinds)}{more}")
            done.add(key)
    rest = len(said) - _MOST + len(items) - len(rows)
    return said[:_MOST] + ([f"{path}: and {rest} problems more"] if rest > 0 else [])


def _kin(item: Any) -> tuple[Any, ...] | None:
    """The list and the bound of an entry that is out of range; None for anything else."""
    is_entry = item["type"] in _BOUNDS and item["loc"] and isinstance(item["loc"][-1], int)
    return (*item["loc"][:-1], item["type"]) if is_entry else None


def _firsts(items: Sequence[Any], alike: Counter[Any]) -> list[bool]:
    """Which problems are said: of many entries of one list beyond one bound, the first."""
    seen: set[Any] = set()
    out = []
    for item in items:
        kin = _kin(item)
        out.append(kin is None or alike[kin] <= _MOST_ALIKE or kin not in seen)
        seen.add(kin)
    return out


def mend(
    data: dict[str, Any], model: type[BaseModel], error: ValidationError, waived: set[type[BaseModel]]
) -> frozenset[str] | None:
    """Bring values into their range, in place; returns their key paths, or None when the shape is wrong.

    waived: models that refuse themselves as a whole are added; see refuse.
    """
    items = error.errors(include_url=False)
    if any(item["type"] not in (*_INSTEAD, "value_error") for item in items):
        return None
    mended = set()
    for item in items:
        place = _Place(model, item["loc"])
        if place.models:
            waived.update(place.models)
            continue
        *above, last = place.path
        holder: Any = data
        for part in above:
            holder = holder[part]
        value = holder[last]
        if item["type"] != "value_error":
            holder[last] = _INSTEAD[item["type"]](item.get("ctx", {}))
        elif isinstance(value, list) and all(isinstance(x, int | float) for x in value):
            holder[last] = sorted(value)  # a window that runs backwards
        else:
            return None
        mended.add(key_path(place.path))
    return frozenset(mended)


def is_mended(info: ValidationInfo, *keys: str) -> bool:
    """True when a value at the top was brought into its range, so that nothing should be measured by it."""
    return bool(info.context and set(keys) & info.context.get("mended", frozenset()))


def is_any_mended(info: ValidationInfo) -> bool:
    """True when anything in the file was brought into its range, so that figures should not be held against each other."""
    return bool(info.context and info.context.get("mended"))


def _own(path: Path, place: _Place, error: Exception) -> list[str]:
    """What a validator of ours found."""
    where = key_path(place.path)
    if isinstance(error, Misfits):
        joint = "." if where else ""
        return [f"{path}: " + f"{where}{'' if text[0] in ':[' else joint}{text}".removeprefix(": ") for text in error.found]
    return [f"{path}: {where}: {error}" if where else f"{path}: {error}"]


def _sentence(item: Any, place: _Place, key: str, kinds: list[str]) -> str:
    """What pydantic found. kinds: types of which the value is none."""
    kind, found, context = item["type"], item.get("input"), item.get("ctx", {})
    if kind == "extra_forbidden":
        return f"{key}: unknown key{nearest(str(place.path[-1]), place.siblings)}"
    if kind == "missing":
        return f"{key}: this key is missing"
    if kind == "union_tag_not_found":
        return f"{key}.kind: this key is missing; expected one of {_listed(place.tags())}"
    if kind == "union_tag_invalid":
        return f"{key}.kind: {_choice(context['tag'], place.tags())}"
    if kind == "literal_error" and (names := re.findall(r"'([^']*)'", context["expected"])):
        return f"{key}: {_choice(found, names)}"
    if kind in _TYPES:
        is_quantity = kind in ("float_type", "int_type") and isinstance(found, str) and _NUMBERED.match(found)
        hint = "; write the number alone, in the unit that its key names" if is_quantity else ""
        return f"{key}: expected {' or '.join(kinds)}, found {shown(found)}{hint}"
    if kind in _BOUNDS:
        text, name = _BOUNDS[kind]
        bound = context[name]
        return f"{key}: expected {text.format(f'{bound:g}' if isinstance(bound, float) else bound)}, found {shown(found)}"
    expected = context["expected"] if kind == "literal_error" else str(item["msg"]).removeprefix("Input should be ")
    return f"{key}: expected {expected}, found {shown(found)}"


def _choice(found: Any, valid: Sequence[str]) -> str:
    close = closest(found, valid) if isinstance(found, str) else None
    hint = f'; did you mean "{close}"?' if close is not None else ""
    return f"found {shown(found)}; expected one of {_listed(valid)}{hint}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
