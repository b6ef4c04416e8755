"""Plots in the document format that BokehJS reads, written without importing Bokeh.

Bokeh's Python side takes half a second to import and a millisecond a model, more than a whole run; a report needs neither
its server nor its widgets. Only the format is spoken here: an object stands in full where it occurs first and as
{"id": ...} afterwards, a map as entries. Ids count from 0, so equal plots give equal bytes. Arrays are the one exception,
because Bokeh packs them differently from version to version: {"float32": base64}, which the page turns into numbers before
BokehJS sees them. A test reads documents back with Bokeh itself, which checks each name and value.
"""

from __future__ import annotations

import base64
import json
from functools import lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from hil.errors import BenchError


class Model:
    """One object of BokehJS: its class and its attributes (Models, Fields, Values, arrays, or what JSON holds)."""

    def __init__(self, kind: str, **attributes: Any) -> None:
        self.kind, self.attributes = kind, attributes


class Field:
    """An attribute that comes from a column of the data, one value for each item."""

    def __init__(self, column: str) -> None:
        self.column = column


class Value:
    """An attribute that could come from a column, but is the same for all items."""

    def __init__(self, value: Any) -> None:
        self.value = value


def table(**columns: Any) -> Model:
    """Columns of data; arrays are sent as float32."""
    return Model("ColumnDataSource", data=columns)


def drawn(source: Model, glyph: Model, **attributes: Any) -> Model:
    """A glyph for each row of a table."""
    view = Model("CDSView", filter=Model("AllIndices"))
    return Model("GlyphRenderer", data_source=source, view=view, glyph=glyph, **attributes)


def document(roots: list[Model]) -> tuple[str, list[str]]:
    """A document as JSON, and the ids of its roots."""
    ids: dict[Model, str] = {}
    encoded = [_encoded(root, ids) for root in roots]
    whole = {"version": version("bokeh"), "title": "nabench", "roots": encoded}
    return json.dumps(whole, separators=(",", ":"), allow_nan=False), [ids[root] for root in roots]


def _encoded(x: Any, ids: dict[Model, str]) -> Any:
    if isinstance(x, Model):
        if x in ids:
            return {"id": ids[x]}
        ids[x] = f"m{len(ids)}"
        attributes = {name: _encoded(value, ids) for name, value in x.attributes.items()}
        return {"type": "object", "name": x.kind, "id": ids[x], "attributes": attributes}
    if isinstance(x, Field):
        return {"type": "field", "field": x.column}
    if isinstance(x, Value):
        return {"type": "value", "value": _encoded(x.value, ids)}
    if isinstance(x, np.ndarray):
        return {"float32": base64.b64encode(x.astype("<f4").tobytes()).decode()}
    if isinstance(x, dict):
        return {"type": "map", "entries": [[name, _encoded(value, ids)] for name, value in x.items()]}
    if isinstance(x, list | tuple):
        return [_encoded(item, ids) for item in x]
    return x


@lru_cache(maxsize=1)
def script() -> str:
    """BokehJS without its extensions, to stand inside a page. Raises BenchError when the installed Bokeh lacks it."""
    spec = find_spec("bokeh")
    path = Path(spec.origin).parent / "server/static/js/bokeh.min.js" if spec is not None and spec.origin else None
    if path is None or not path.is_file():
        raise BenchError(f"BokehJS is missing (looked at {path}); install bokeh again")
    return path.read_text(encoding="utf-8")
