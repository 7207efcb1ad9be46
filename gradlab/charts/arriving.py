"""A chart whose rows arrive by an event in the browser, so that a page can change them without being run.

Vega takes a window's event as a signal, Vega-Lite does not, so this is the compiled chart. All of it lies in a group,
for Streamlit takes data at the top away.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd
import vl_convert

OF_THE_VIEW = ("width", "height")  # signals that stay at the top


def arriving(chart: alt.LayerChart, signal: str, event: str, columns: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The chart's Vega specification; `signal` holds the detail of the last `event` of the window.

    The chart's named datasets are lists by column in `signal.rows`; its domains may be expressions of the signal.
    `with_first` says what the signal holds before the first event.
    """
    document = chart.to_dict(validate=False)
    document["params"] = [{"name": signal, "value": None}, *document.get("params", [])]
    vega = vl_convert.vegalite_to_vega(document)
    detail = {"events": {"source": "window", "type": event}, "update": "event.detail"}
    signals = [found for found in vega.pop("signals", []) if found["name"] != signal]
    vega["signals"] = [{"name": signal, "value": None, "on": [detail]}]
    vega["signals"] += [found for found in signals if found["name"] in OF_THE_VIEW]
    inside: dict[str, Any] = {"signals": [found for found in signals if found["name"] not in OF_THE_VIEW]}
    inside["data"] = [_fed(source, signal, columns) for source in vega.pop("data")]
    for part in ("scales", "axes", "legends", "layout", "title", "projections"):
        if part in vega:
            inside[part] = vega.pop(part)
    vega.pop("padding", None)  # Streamlit draws Vega-Lite to the edge of its frame, and this has to stand there too
    size = {name: {"signal": name} for name in OF_THE_VIEW}
    vega["marks"] = [{"type": "group", "encode": {"update": size}, **inside, "marks": vega["marks"]}]
    return vega


def _fed(source: dict[str, Any], signal: str, columns: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """A named dataset that reads the signal; what the chart holds or derives itself stays."""
    name = source["name"]
    if name not in columns:
        return source
    lists = [
        {"type": "formula", "as": column, "expr": f"{signal}.rows[{name!r}][{column!r}]"} for column in columns[name]
    ]
    flat = {"type": "flatten", "fields": [_field(column) for column in columns[name]]}
    flat["as"] = list(columns[name])
    return {"name": name, "values": [{}], "transform": [*lists, flat, *source.get("transform", [])]}


def _field(column: str) -> str:
    """A column's name where Vega would read dots and brackets as a path."""
    return "".join(f"\\{letter}" if letter in ".[]" else letter for letter in column)


def with_first(vega: Mapping[str, Any], first: Any) -> dict[str, Any]:
    """The specification with what the signal holds at first."""
    fed, *others = vega["signals"]
    return {**vega, "signals": [{**fed, "value": first}, *others]}


def by_column(rows: pd.DataFrame) -> dict[str, list[Any]]:
    """Rows as lists, as JSON has them: what is not finite is null."""
    return {str(name): _plain(rows[name]) for name in rows.columns}


def _plain(column: pd.Series) -> list[Any]:
    values = column.tolist()
    if column.dtype.kind != "f":
        return values
    return [value if math.isfinite(value) else None for value in values]
