"""The numbers of a Diagnosis that are worth a line over a training."""

import math

from gradlab.analyses.diagnosis import Diagnosis


def figures_of(diagnosis: Diagnosis) -> dict[str, float]:
    """decades_per_100_steps, log10_left and half_life, where they are finite."""
    values = {name: getattr(diagnosis, name) for name in ("decades_per_100_steps", "log10_left", "half_life")}
    return {name: float(value) for name, value in values.items() if math.isfinite(value)}
