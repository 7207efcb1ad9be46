"""What a sweep measures: functions of an Experiment that give one number. Options by `functools.partial`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from gradlab.analyses.diagnosis import diagnose
from gradlab.analyses.jacobians import lyapunov_exponents
from gradlab.analyses.paths import gate_statistics
from gradlab.analyses.traces import LAST, trace
from gradlab.settings.experiment import Experiment
from gradlab.settings.tasks import TASKS
from gradlab.training import Recipe, Run, history, solved_at

Measure = Callable[[Experiment], float]


def rate(experiment: Experiment) -> float:
    """Decades per 100 steps by which one injected gradient grows on its way back; negative where it vanishes."""
    return diagnose(trace(experiment)).decades_per_100_steps


def half_life(experiment: Experiment) -> float:
    """Steps in which it halves; negative: doubles; inf where it keeps."""
    return diagnose(trace(experiment)).half_life


def decades_left(experiment: Experiment, lag: int | None = None) -> float:
    """log10 of what is left of the last loss's gradient so many steps back, at step 0 if None: of the bottom layer's
    whole state, relative to the injected, mean over the batch. ValueError for a lag beyond the sequence."""
    found = trace(experiment)
    if lag is None:
        return diagnose(found).log10_left
    last = int(experiment.injection_steps[-1])
    if not 0 <= lag <= last:
        raise ValueError(f"lag = {lag} lies beyond the {last} steps before the last loss: use 0 to {last}")
    norms = np.stack([found.log10_norm(state, LAST) for state in found.states])  # [S, L, T, B]
    whole = np.logaddexp.reduce(2 * np.log(10) * norms, axis=0) / (2 * np.log(10))
    return float((whole[0, last - lag] - norms[0, -1, last]).mean())  # h of the top layer there: the injected


def lyapunov(experiment: Experiment) -> float:
    """λ_1 of the first sequence, nats a step; the first fifth of the steps settles the state."""
    return float(lyapunov_exponents(experiment, None, None, 1, experiment.steps // 5)[0])


def saturation(experiment: Experiment) -> float:
    """Share of the gates below .1 or above .9, over gates, layers, steps, units and sequences; NaN without gates."""
    table = gate_statistics(experiment)
    return float((table["saturated_low"] + table["saturated_high"]).mean())


def updates_to_solve(experiment: Experiment, task: str = "adding", updates: int = 500) -> float:
    """Updates until the task counts as solved (`training.solved_at`); inf where it is not after so many."""
    run = Run(experiment, task, Recipe(updates=updates, trace_every=None))
    at = solved_at(history(run.records(), experiment.cell), TASKS[task].solved(run.experiment.steps))
    return np.inf if at is None else float(at)


MEASURES: dict[str, Measure] = {
    measure.__name__: measure for measure in (rate, half_life, decades_left, lyapunov, saturation, updates_to_solve)
}


def named(measure: str | Measure) -> tuple[str, Measure]:
    """A measure with the name by which records know it: of its module, with its options.

    Raises ValueError for an unknown name, and for a function that other processes cannot import.
    """
    if isinstance(measure, str):
        if measure not in MEASURES:
            raise ValueError(f"measure = {measure!r} is not known: use one of {', '.join(MEASURES)}, or a function")
        measure = MEASURES[measure]
    function = measure.func if isinstance(measure, partial) else measure
    name = f"{getattr(function, '__module__', None)}.{getattr(function, '__qualname__', '<none>')}"
    if "<" in name or not callable(function):
        raise ValueError(f"measure = {measure!r} cannot be sent to other processes: define it at the top of a module")
    if isinstance(measure, partial):
        options = [*map(repr, measure.args), *(f"{key}={value!r}" for key, value in sorted(measure.keywords.items()))]
        name += f"({', '.join(options)})"
    return name, measure
