"""Where a network's gradient is lost: the layer that is worst off, and from which step on next to nothing is left."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradlab.analyses.batch import of_batch
from gradlab.analyses.diagnosis import Diagnosis, diagnose
from gradlab.analyses.propagation import first_of_the_rest
from gradlab.analyses.traces import ALL, GradientTrace
from gradlab.settings.meant import knows_its_options
from gradlab.words.languages import says

LOST = 3.0  # decades: a thousandth is left, or a thousand times as much is there
BADNESS = {"zero": 3, "undefined": 2, "exploding": 1, "vanishing": 1, "steady": 0}


class Worst(NamedTuple):
    """The layer in which the last loss's gradient fares worst."""

    diagnosis: Diagnosis
    lag: int | None  # steps back from the last loss from which on it is a thousandth, or a thousand times as large
    step: int | None  # the same, counted from the beginning of the longest sequence


@says
@knows_its_options
def worst(trace: GradientTrace) -> Worst:
    """The layer that is worst off: whose gradient is zero or undefined, or else loses or gains most on its way back."""
    found = [diagnose(trace, layer=layer) for layer in range(trace.stack.depth)]
    diagnosis = max(found, key=_badness)
    way = trace.way_back(ALL, diagnosis.layer)
    injected = trace.log10_cotangent_last
    with np.errstate(invalid="ignore"):
        relative = of_batch(np.where(way.within, way.norms - injected, np.nan)).mean
    length = np.array([int(way.length.max(initial=-1))])
    gone = np.abs(relative) >= LOST
    lag = int(first_of_the_rest(gone[:, None], length)[0])
    if length[0] < 0 or lag > length[0]:
        return Worst(diagnosis, None, None)
    return Worst(diagnosis, lag, int(trace.last_loss.max()) - lag)


def _badness(diagnosis: Diagnosis) -> tuple[int, float]:
    change = abs(diagnosis.decades_per_100_steps)
    return BADNESS[diagnosis.verdict], change if np.isfinite(change) else 0.0
