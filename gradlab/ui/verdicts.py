"""What came out, in words and on cards: every number is read off a Flow."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st

from gradlab.cells import CELLS
from gradlab.charts.theme import power_of_ten
from gradlab.settings.experiment import Experiment
from gradlab.ui.cached import Flow, Spectra

COLOURS = {
    "rnn": "orange",
    "lstm": "blue",
    "gru": "green",
    "rnn_relu": "violet",
    "rnn_linear": "gray",
}  # config.toml's names


def title(flow: Flow) -> str:
    return CELLS[flow.experiment.cell].title


def opening_sentence(flows: Sequence[Flow]) -> str:
    """How much of what the loss put in reaches the first step of the lowest layer, for every cell."""
    first = flows[0]
    settings = first.experiment
    left = ", ".join(f"{title(flow)} {power_of_ten(_first(flow))}" for flow in flows)
    left = left.replace("e-", "e−")  # at a hyphen a line may break
    where = " in the lowest layer" if settings.depth > 1 else ""
    if first.losses != 1:
        entering = f"The loss enters at {first.losses} of {settings.steps} steps"
        return f"{entering}. Left{where} at step 0, relative to all that it puts in: {left}."
    at = "the last step" if first.last_loss == settings.steps - 1 else f"step {first.last_loss}"
    back = f"{first.last_loss} steps earlier"
    return f"Of the gradient that the loss puts in at {at}, this much is left{where} {back}: {left}."


def names(flows: Sequence[Flow]) -> str:
    """The cells compared, as a phrase."""
    *first, last = map(title, flows)
    return f"{', '.join(first)} and {last}" if first else last


def alternative(flows: Sequence[Flow]) -> str:
    """What the picture shows, for those who cannot see it."""
    return " ".join(flow.diagnosis.sentence for flow in flows)


def cards(flows: Sequence[Flow], places: Sequence[Any]) -> None:
    """One card a cell: its verdict, decades per 100 steps, half-life and a small drawing of the curve."""
    for flow, place in zip(flows, places, strict=True):
        diagnosis = flow.diagnosis
        colour = COLOURS.get(diagnosis.cell, "gray")
        place.metric(
            f":{colour}[**{title(flow)}**] {diagnosis.verdict}",
            _rate(diagnosis.decades_per_100_steps),
            _half_life(diagnosis.half_life),
            delta_color=colour,
            delta_arrow="off",
            border=True,
            help=f"{diagnosis.sentence}\n\n{diagnosis.rule}",
            chart_data=_sparkline(flow),
        )


def non_finite(flows: Sequence[Flow]) -> None:
    """Says where a pass overflowed; nothing is dropped in silence."""
    for flow in flows:
        if flow.non_finite:
            st.warning(f"{title(flow)}: {flow.non_finite.sentence}")


def _rate(decades: float) -> str:
    return "no rate" if math.isnan(decades) else f"{decades:+.2g} :small[decades per 100 steps]".replace("-", "−")


def _half_life(steps: float) -> str:
    if not math.isfinite(steps):
        return "keeps its size"
    return f"{'halves' if steps > 0 else 'doubles'} every {abs(steps):.3g} steps"


def _lowest_h(flow: Flow):
    return flow.lines[(flow.lines.layer == 0) & (flow.lines.state == "h")]


def _first(flow: Flow) -> float:
    return float(_lowest_h(flow).log10_relative.iloc[0])


def _sparkline(flow: Flow) -> list[float]:
    values = _lowest_h(flow).log10_relative
    return values[np.isfinite(values)].tolist()


def state_shown(flows: Sequence[Flow], state: str) -> str:
    """The state to draw: h, with a word about it, where no cell has the one asked for."""
    if state in ("h", "both") or any(state in CELLS[flow.experiment.cell].states for flow in flows):
        return state
    st.info("None of the cells compared has a cell state c, so h is shown: add the LSTM under Network.")
    return "h"


def weights_sentence(experiment: Experiment, spectra: Spectra) -> str:
    """The size of what was built, its largest singular value and its spectral radius."""
    layers = f"{experiment.depth} layer{'s' if experiment.depth > 1 else ''} of {experiment.hidden_size} units"
    return (
        f"{CELLS[experiment.cell].title}, {layers}, {spectra.counts['count'].sum():,} parameters. Over its gates' "
        f"recurrent weights, the largest spectral norm is {spectra.singular.singular_value.max():.3g} and the largest "
        f"spectral radius {spectra.eigen.modulus.max():.3g}."
    )
