"""A drag along the steps of a picture that follows zooms into them; a double click shows all steps again.

Vega's own signals, in the compiled chart alone: what leaves the page is drawn by Vega-Lite, which knows nothing of it.
The wheel is left to the page, and touch to its scrolling.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from gradlab.charts import colours, theme
from gradlab.words.languages import N_, _

SHOWN = {"steps": "shown_steps", "lags": "shown_lags"}  # signals of what the axes span, by domain
HINT = N_("double-click: all steps")
LEAST = 6  # pixels: a shorter drag is a click
LINES = ("line", "area")
ZOOMED = "zoomed"
OUTSIDE = f"{ZOOMED} && (datum.step < {ZOOMED}[0] || datum.step > {ZOOMED}[1])"

_DOWN = {"source": "view", "type": "mousedown", "filter": ["event.button === 0"]}
_UP = {"source": "window", "type": "mouseup"}
_MOVE = {"source": "window", "type": "mousemove", "between": [_DOWN, _UP]}
_INSIDE = "x() >= 0 && x() <= width && y() >= 0 && y() <= height"
_TO = "clamp(x(), 0, width)"


def signals(domains: Mapping[str, str]) -> list[dict[str, Any]]:
    """The drag in pixels; the steps that it chose, of which sequence; those that are zoomed into (null: all), which
    holds as long as the sequence has these ends; and what both axes span: from step to step, for between two there is
    nothing to say.

    domains    names of the signals that hold the domains of all steps and lags
    """
    steps, lags = domains["steps"], domains["lags"]
    at = "drag.of[0] + {pixel} / width * (drag.of[1] - drag.of[0])"
    ends = ", ".join(at.format(pixel=f"{of}(drag.from, drag.to)") for of in ("min", "max"))
    same, last = f"zoom.of[0] === {steps}[0] && zoom.of[1] === {steps}[1]", f"{lags}[1] + {steps}[0]"  # lag 0's step
    return [
        {
            "name": "drag",
            "value": None,
            "on": [
                {"events": _DOWN, "update": f"{_INSIDE} ? {{from: x(), to: x(), of: shown_steps, down: true}} : null"},
                {"events": _MOVE, "update": f"drag && {{from: drag.from, to: {_TO}, of: drag.of, down: drag.down}}"},
                {"events": _UP, "update": "drag && drag.down ? {from: drag.from, to: drag.to, of: drag.of} : null"},
            ],
        },
        {
            "name": "zoom",
            "value": None,
            "on": [
                {
                    "events": {"signal": "drag"},
                    "update": f"drag && !drag.down && abs(drag.to - drag.from) > {LEAST}"
                    f" ? {{steps: [{ends}], of: [{steps}[0], {steps}[1]]}} : zoom",
                },
                {"events": {"source": "view", "type": "dblclick"}, "update": f"{_INSIDE} ? null : zoom"},
            ],
        },
        {"name": ZOOMED, "update": f"zoom && {same} ? [floor(zoom.steps[0]), ceil(zoom.steps[1])] : null"},
        {"name": SHOWN["steps"], "update": f"{ZOOMED} || {steps}"},
        {"name": SHOWN["lags"], "update": f"{ZOOMED} ? [{last} - {ZOOMED}[1], {last} - {ZOOMED}[0]] : {lags}"},
    ]


def within(drawn: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The marks in a group that cuts them at the axes where these do not span all steps. It has no other extent than
    the axes': what lies beyond them would be taken for a margin of the picture when the window changes its width."""
    size: dict[str, Any] = {name: {"signal": name} for name in ("width", "height")}
    look = {"update": size | {"clip": {"signal": f"!!{ZOOMED}"}}}
    return {"type": "group", "encode": look, "marks": [*map(_inside, drawn)]}


def _inside(mark: dict[str, Any]) -> dict[str, Any]:
    """A mark that is not seen where its step is not: a text reaches over the axes' ends, and lines are cut there."""
    look = mark.get("encode", {}).get("update", {})
    place = look.get("x", look.get("xc"))  # a tick's centre
    if mark["type"] in LINES or not isinstance(place, dict) or place.get("field") != "step":
        return mark
    seen = look.get("opacity", {"value": 1})
    seen = [{"test": OUTSIDE, "value": 0}, *(seen if isinstance(seen, list) else [seen])]
    return {**mark, "encode": {**mark["encode"], "update": {**look, "opacity": seen}}}


def marks(dark: bool) -> list[dict[str, Any]]:
    """What is being dragged over, and how all steps are shown again."""
    ink = colours.INKS[dark]
    over = {"y": {"value": 0}, "y2": {"signal": "height"}, "fill": {"value": ink.muted}, "fillOpacity": {"value": 0.2}}
    over |= {"x": {"signal": "drag ? drag.from : 0"}, "x2": {"signal": "drag ? drag.to : 0"}}
    over["opacity"] = {"signal": "drag && drag.down ? 1 : 0"}
    said = f"{ZOOMED} ? {json.dumps(_(HINT), ensure_ascii=False)} : ''"
    hint = {"x": {"signal": "width - 4"}, "y": {"signal": "height - 5"}, "align": {"value": "right"}}
    hint |= {"text": {"signal": said}, "font": {"value": theme.FONT}, "fontSize": {"value": 11}}
    hint["fill"] = {"value": ink.muted}
    unseen = {"interactive": False, "aria": False}
    return [{"type": name, "encode": {"update": look}, **unseen} for name, look in (("rect", over), ("text", hint))]
