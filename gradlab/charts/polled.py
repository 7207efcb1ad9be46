"""A chart whose browser asks for its data again and again, so that the page need not be run for every new point."""

from __future__ import annotations

from typing import Any

import altair as alt
import vl_convert

FETCHED, TICK = "fetched", "tick"


def polled(chart: alt.LayerChart, address: str, every: float) -> dict[str, Any]:
    """The chart's Vega specification; its named datasets are rows fetched from an address every so many seconds.

    The address answers with a list of rows that name theirs as `dataset`. What the chart holds itself stays.

    Vega can fetch when a signal changes, Vega-Lite cannot, so this is the compiled chart. Its data lie in a group
    around all marks, for Streamlit takes data at the top away; so no scale or axis may depend on them.
    """
    vega = vl_convert.vegalite_to_vega(chart.to_dict(validate=False))
    again = {"events": {"type": "timer", "throttle": round(1000 * every)}, "update": f"{TICK} + 1"}
    vega["signals"] = [*vega.get("signals", []), {"name": TICK, "value": 0, "on": [again]}]
    url = {"signal": f"'{address}?' + {TICK}"}  # a new address each time: no browser has it in its cache
    sources = [{"name": FETCHED, "url": url, "format": {"type": "json"}}]
    for source in vega.pop("data"):
        if source.keys() <= {"name", "format", "transform"}:
            own = {"type": "filter", "expr": f"datum.dataset == '{source['name']}'"}
            source = {"name": source["name"], "source": FETCHED, "transform": [own, *source.get("transform", [])]}
        sources.append(source)
    vega.pop("padding", None)  # Streamlit draws Vega-Lite to the edge of its frame, and this has to stand there too
    size = {"width": {"signal": "width"}, "height": {"signal": "height"}}
    vega["marks"] = [{"type": "group", "encode": {"update": size}, "data": sources, "marks": vega["marks"]}]
    return vega
