"""Results in a notebook: a chart of a trace or a Diagnosis, and what Jupyter shows of it, the verdict above a picture.

The picture in HTML is still and complete in itself: it is drawn here, loads nothing, and stays in the notebook's file.
`chart()` gives the one that answers the pointer.
"""

from __future__ import annotations

from base64 import b64encode
from html import escape
from typing import Any

from gradlab import exports
from gradlab.analyses.diagnosis import Diagnosis
from gradlab.analyses.thinning import Lines
from gradlab.cells import KNOWN
from gradlab.charts import diagnosis as of_diagnosis
from gradlab.charts import traces
from gradlab.watching.flow import Trace, badness, diagnoses_of
from gradlab.words.numbers import counted, signed

WIDTH = 640  # pixels
PIXELS_PER_INCH = 96  # of a page
POINTS = 2000  # of all lines: a chart with more than 5000 rows is refused by altair's own limit


def chart(
    result: Trace | Diagnosis,
    *,
    direction: str = "forward",
    title: str | None = None,
    subtitle: str | None = None,
    width: int | str = WIDTH,
    height: int | None = None,
    dark: bool = False,
) -> Any:
    """The chart of a trace, every layer and state by step; or of a Diagnosis, its way back and the line through it.

    direction    of a bidirectional trace, "forward" or "reverse"
    """
    said = worst(result)
    looks: dict[str, Any] = {"width": width, "dark": dark} | ({} if height is None else {"height": height})
    looks["title"] = title_of(said) if title is None else title
    looks["subtitle"] = rate_of(said) if subtitle is None else subtitle
    if isinstance(result, Diagnosis):
        rows = Lines(("log10_norm",), ("line",), "lag", POINTS).on_screen(result.table)
        return of_diagnosis.way_back(rows, **looks)
    table = result.table
    if "direction" in table:
        table = table[table["direction"] == direction]
    return traces.lines(Lines(points=POINTS).on_screen(table), **looks)


def html(result: Trace | Diagnosis) -> str:
    """The verdict, its sentence and a picture."""
    said = worst(result)
    if said.verdict == "undefined" and said.length < 1:
        return f"<p>{escape(said.sentence)}</p>"
    layout = exports.Layout(WIDTH / PIXELS_PER_INCH)
    drawing = exports.svg(chart(result, title="", subtitle="", width="container"), layout=layout)
    source = f"data:image/svg+xml;base64,{b64encode(drawing).decode()}"
    sentence = escape(said.sentence)
    picture = f'<img src="{source}" alt="{sentence}" style="width: {WIDTH}px; max-width: 100%">'
    bold = sentence.replace(f": {said.verdict}.", f": <strong>{said.verdict}</strong>.", 1)
    return f"<div><p>{bold}</p>{picture}</div>"


def worst(result: Trace | Diagnosis) -> Diagnosis:
    """A Diagnosis itself; of a trace that of its worst layer."""
    return result if isinstance(result, Diagnosis) else max(diagnoses_of(result, ""), key=badness)


def title_of(said: Diagnosis) -> str:
    """ "LSTM, layer 0: vanishing"."""
    name = KNOWN[said.cell].title if said.cell in KNOWN else said.cell
    return f"{name}, layer {said.layer}: {said.verdict}"


def rate_of(said: Diagnosis) -> str:
    """The rate, and over how many steps it was seen."""
    return f"{signed(said.decades_per_100_steps)} decades per 100 steps, over {counted(said.length, 'step')}"
