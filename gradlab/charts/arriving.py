"""A chart whose rows arrive by an event in the browser, so that a page can change them without being run.

Vega takes a window's event as a signal, Vega-Lite does not, so this is the compiled chart. All of it lies in a group,
for Streamlit takes data at the top away. Each dataset and each domain is a signal of its own: what an event leaves as
it was is not drawn anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

import pandas as pd
import vl_convert

from gradlab.charts import zooming
from gradlab.charts.picture import Picture
from gradlab.words.languages import speaking

COMPILER = f"vl-convert {version('vl-convert-python')}"
OF_THE_VIEW = ("width", "height")  # signals that stay at the top


def vega_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """The Vega specification of a Vega-Lite document."""
    return vl_convert.vegalite_to_vega(dict(document))


def arriving(
    picture: Picture, event: str, compiled: Callable[[Mapping[str, Any]], dict[str, Any]] = vega_of
) -> dict[str, Any]:
    """The picture's Vega specification without its rows.

    They arrive as the detail of the `event` of the window: `rows`, lists by dataset and column, and `domains`, both by
    name. `with_first` says what stands there before the first event.
    """
    domains, columns = {name: f"domain_{name}" for name in picture.domains}, picture.columns
    shown = {**domains, **zooming.SHOWN} if picture.zooms else domains
    document = picture.without_rows(shown).to_dict(validate=False)
    document["params"] = [{"name": name, "value": None} for name in shown.values()] + document.get("params", [])
    vega = compiled(document)
    signals = [found for found in vega.pop("signals", []) if found["name"] not in shown.values()]
    fed = [_signal(domains[name], f"domains[{name!r}]", event) for name in domains]
    fed += [_signal(f"rows_{n}", f"rows[{name!r}]", event) for n, name in enumerate(columns)]
    vega["signals"] = [*fed, *(found for found in signals if found["name"] in OF_THE_VIEW)]
    if picture.zooms:
        vega["signals"] += zooming.signals(domains)
        with speaking(picture.language):
            vega["marks"] = [zooming.within(vega["marks"]), *zooming.marks(picture.dark)]
    if picture.of_window:
        vega.pop("height")
        resized = [{"events": {"source": "window", "type": "resize"}, "update": picture.of_window}]
        vega["signals"].append({"name": "height", "update": picture.of_window, "on": resized})
    inside: dict[str, Any] = {"signals": [found for found in signals if found["name"] not in OF_THE_VIEW]}
    inside["data"] = [_fed(source, columns) for source in vega.pop("data")]
    for part in ("scales", "axes", "legends", "layout", "title", "projections"):
        if part in vega:
            inside[part] = vega.pop(part)
    vega.pop("padding", None)  # Streamlit draws Vega-Lite to the edge of its frame, and this has to stand there too
    size = {name: {"signal": name} for name in OF_THE_VIEW}
    vega["marks"] = [{"type": "group", "encode": {"update": size}, **inside, "marks": vega["marks"]}]
    return vega


def _signal(name: str, place: str, event: str) -> dict[str, Any]:
    """A signal that holds a place of the last event's detail."""
    on = [{"events": {"source": "window", "type": event}, "update": f"event.detail.{place}"}]
    return {"name": name, "value": None, "on": on}


def _fed(source: dict[str, Any], columns: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """A named dataset that reads its signal; what the chart holds or derives itself stays."""
    name = source["name"]
    if name not in columns:
        return source
    signal = f"rows_{list(columns).index(name)}"
    lists = [{"type": "formula", "as": column, "expr": f"{signal}[{column!r}]"} for column in columns[name]]
    flat = {"type": "flatten", "fields": [_field(column) for column in columns[name]]}
    flat["as"] = list(columns[name])
    return {"name": name, "values": [{}], "transform": [*lists, flat, *source.get("transform", [])]}


def _field(column: str) -> str:
    """A column's name where Vega would read dots and brackets as a path."""
    return "".join(f"\\{letter}" if letter in ".[]" else letter for letter in column)


def with_first(vega: Mapping[str, Any], first: Mapping[str, Any]) -> dict[str, Any]:
    """The specification with the rows and domains that its signals hold at first."""
    values = [*first["domains"].values(), *first["rows"].values()]
    fed = [{**signal, "value": value} for signal, value in zip(vega["signals"], values, strict=False)]
    return {**vega, "signals": [*fed, *vega["signals"][len(fed) :]]}


def by_column(rows: pd.DataFrame) -> dict[str, list[Any]]:
    """Rows as lists, as JSON has them: what is not finite is null."""
    return {str(name): _plain(rows[name]) for name in rows.columns}


def _plain(column: pd.Series) -> list[Any]:
    values = column.tolist()
    if column.dtype.kind not in "fO":
        return values
    return [None if isinstance(value, float) and not math.isfinite(value) else value for value in values]
