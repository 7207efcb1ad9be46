"""The unrolled network as boxes and links: what is read and judged at each step, and the gradient on every link.

Positions are in columns (a step each, or a gap in place of steps left out) and levels (0 the input, 1 … L the layers,
L+1 the output). `BOX_COLUMNS`, `LINK_COLUMNS` and `GAP_COLUMNS` name the tables, which the charts read.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd

from gradlab.analyses.paths import edges
from gradlab.settings.drawing import inputs_of, loss_steps_of, read_steps_of
from gradlab.settings.experiment import Experiment
from gradlab.settings.inputs import vocabulary

BOX_COLUMNS = ("kind", "step", "level", "active", "label", "x", "x2", "y", "y2", "middle", "centre")
LINK_COLUMNS = ("kind", "state", "step", "layer", "x", "y", "x2", "y2", "log10_relative", "flows", "points")
GAP_COLUMNS = ("x", "y", "label")
HALF_WIDTH, HALF_HEIGHT = 0.32, 0.24  # of a box
RAIL = 0.11  # how far the additive update and U run beside the middle of a step


class Diagram(NamedTuple):
    """An unrolled network, drawn from its Experiment."""

    boxes: pd.DataFrame
    links: pd.DataFrame
    gaps: pd.DataFrame
    columns: int
    levels: int


def diagram(experiment: Experiment, most: int = 14) -> Diagram:
    """The network over its steps, `most` of them at most: the first, the last, and those where input or loss changes.

    Links carry log10 of the gradient that flows back over them, relative to what the loss put in, mean over the batch;
    `flows` is False where it is exactly zero. Of one-to-one only the first step is drawn, since the others are idle.
    """
    e = experiment
    pieces = segments(e, most)
    place, count, gaps = _columns(pieces)
    found = pd.concat([edges(e, first=max(first - 1, 0), last=last) for first, last in pieces], ignore_index=True)
    found = found.drop_duplicates(["edge", "layer", "step", "state"])
    levels = e.depth + 2
    links = [_link(row, place, e.depth) for row in found.itertuples()]
    table = pd.DataFrame([link for link in links if link], columns=list(LINK_COLUMNS))
    gap_rows = [(x, 1 + (e.depth - 1) / 2 + 0.5 * (e.depth > 1), f"{left} steps") for x, left in gaps]
    return Diagram(_boxes(e, place), table, pd.DataFrame(gap_rows, columns=list(GAP_COLUMNS)), count, levels)


def segments(e: Experiment, most: int) -> list[tuple[int, int]]:
    """Runs of steps (first, last) that are drawn, `most` steps in all at most, where that leaves two for each run."""
    losses = loss_steps_of(e)
    T = int(losses[-1]) + 1  # behind the last loss no gradient is
    if most >= T:
        return [(0, T - 1)]
    turns = {0, T - 1} | ({int(losses[0])} if 0 < losses[0] < T - 1 else set())
    each = max(most // len(turns), 2)
    runs: list[list[int]] = []
    for turn in sorted(turns):
        first = 0 if turn == 0 else T - each if turn == T - 1 else max(turn - each // 2, 0)
        last = min(first + each, T) - 1
        if runs and first <= runs[-1][1] + 2:
            runs[-1][1] = max(last, runs[-1][1])
        else:
            runs.append([first, last])
    return [(first, last) for first, last in runs]


def _columns(pieces: list[tuple[int, int]]) -> tuple[dict[int, int], int, list[tuple[int, int]]]:
    """The column of every step drawn, how many columns, and each gap's column and how many steps it leaves out."""
    place, column, gaps = {}, 0, []
    for (first, last), following in pairwise([*pieces, None]):
        for t in range(first, last + 1):
            place[t] = column
            column += 1
        if following:
            gaps.append((column, following[0] - last - 1))
            column += 1
    return place, column, gaps


def _boxes(e: Experiment, place: dict[int, int]) -> pd.DataFrame:
    reads, losses = read_steps_of(e), set(loss_steps_of(e).tolist())
    letters = _letters(e)
    rows = []
    for t, x in place.items():
        own = [("input", 0, t < reads, letters[t] if t < reads else "0")]
        own += [("hidden", level, True, "") for level in range(1, e.depth + 1)]
        own += [("loss", e.depth + 1, True, "ℓ")] if t in losses else []
        for kind, level, active, label in own:
            corners = (x - HALF_WIDTH, x + HALF_WIDTH, level - HALF_HEIGHT, level + HALF_HEIGHT)
            rows.append((kind, t, level, active, label, *corners, x, level))
    return pd.DataFrame(rows, columns=list(BOX_COLUMNS))


def _letters(e: Experiment) -> list[str]:
    """What is written into the inputs: of a text the first sequence's characters."""
    if e.inputs != "text":
        return ["x"] * e.steps
    symbols = vocabulary(e.text)
    return [symbols[i].replace(" ", "␣") for i in inputs_of(e)[:, 0].argmax(axis=1)]


def _link(row, place: dict[int, int], depth: int) -> tuple | None:
    """One link from where the gradient comes to where it arrives; None where neither end is drawn."""
    along = row.edge in ("recurrent", "direct")
    x = place.get(row.step)
    if along and x is None:
        x = place[row.step + 1] - 1 if row.step + 1 in place else None
    if x is None or (not along and row.step not in place) or (along and row.step == max(place)):
        return None
    flows = bool(np.isfinite(row.log10_relative))
    if along:
        if row.edge == "direct" and not flows:  # the cell has no such update, or nothing comes back
            return None
        y = row.layer + 1 + (RAIL if row.edge == "direct" else -RAIL)
        line = (x + 1 - HALF_WIDTH, y, x + HALF_WIDTH, y)
    else:
        arrives = {"loss": depth, "vertical": row.layer + 1, "input": 0}[row.edge]
        line = (x, arrives + 1 - HALF_HEIGHT, x, arrives + HALF_HEIGHT)
    value = row.log10_relative if flows else np.nan
    return (row.edge, row.state, row.step, row.layer, *line, value, flows, "left" if along else "down")
