"""The engine against other means, on given settings: autograd and finite differences."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab.cells import CELLS
from gradlab.engine import Nudge, Swept, autograd, finite_difference, sweep, times_power
from gradlab.experiment import Experiment
from gradlab.feeds import inputs_of
from gradlab.stack import Stack
from gradlab.traces import entering, sparse

CHECK_COLUMNS = ("check", "quantity", "largest_error", "allowed", "passed", "compared")
STEPS, SEQUENCES = 200, 2  # autograd and finite differences are slow: longer settings are checked on their first steps
ALLOWED = {"float64": 1e-10, "float32": 1e-3}  # relative to the gradient's norm at the same layer, step and sequence
ALLOWED_DIFFERENCE = {"float64": 1e-6, "float32": 1e-3}
LAGS = (0, 1, 2, 5)  # finite differences see only what is not lost beside the loss itself


class Checked(NamedTuple):
    """What `check` found, and on what."""

    table: pd.DataFrame  # columns CHECK_COLUMNS
    experiment: Experiment  # the settings that were run
    sentence: str

    @property
    def passed(self) -> bool:
        return bool(self.table.passed.all())


def check(experiment: Experiment) -> Checked:
    """Compares the engine's ∂L/∂s_t with autograd's and with finite differences, on an Experiment's first steps.

    Errors are relative: ‖difference‖ / ‖gradient‖ for each layer, step and sequence, the largest of them; where
    autograd's own gradient is below 1e-290 it is left out, since float64 cannot hold it.
    """
    e = _small(experiment)
    stack, inputs = Stack.from_experiment(e), inputs_of(e)
    cotangents = entering(e, stack, inputs)
    swept = sweep(stack, inputs, sparse(cotangents), keep=("totals", "a_x_bar"))
    rows = [
        *_against_autograd(stack, inputs, cotangents, swept),
        *_against_differences(stack, inputs, cotangents, swept),
    ]
    table = pd.DataFrame(rows, columns=list(CHECK_COLUMNS))
    sentence = f"Compared on {e.steps} steps of {e.batch_size} sequences, all {e.depth} layers, in {e.dtype}."
    return Checked(table, e, sentence)


def _small(experiment: Experiment) -> Experiment:
    short = experiment.shortened(STEPS)
    return short.replace(batch_size=min(experiment.batch_size, SEQUENCES))


def _against_autograd(stack: Stack, inputs: ndarray, cotangents: ndarray, swept: Swept) -> list[tuple]:
    with np.errstate(all="ignore"):  # an overflowing network is compared too: both must then be undefined
        expected = autograd(stack, inputs, cotangents)
    rows = []
    for kind, state in enumerate(CELLS[stack.cell].states):
        found = np.stack(
            [times_power(part.totals[:, :, kind].astype(np.float64), part.exponents) for part in swept.adjoints]
        )
        exact = expected[:, :, :, kind]
        size = np.linalg.norm(exact, axis=-1)
        seen = size > 1e-290
        difference = np.linalg.norm(found - exact, axis=-1)[seen] / size[seen]
        rows.append(_row("autograd", f"∂L/∂{state}", difference, ALLOWED[stack.dtype.name]))
    return rows


def _against_differences(stack: Stack, inputs: ndarray, cotangents: ndarray, swept: Swept) -> list[tuple]:
    random = np.random.default_rng(0)
    last = int(np.flatnonzero(cotangents.reshape(len(cotangents), -1).any(axis=1))[-1])
    errors: dict[str, list[float]] = {"h": [], "a_x": []}
    for layer, adjoints in enumerate(swept.adjoints):
        for lag in (lag for lag in LAGS if lag <= last):
            t = last - lag
            for into, values in (("h", adjoints.totals[t, :, 0]), ("a_x", adjoints.a_x_bar[t])):
                vectors = times_power(values.astype(np.float64), adjoints.exponents[t]).reshape(len(values), -1)
                direction = random.standard_normal(vectors.shape)
                direction /= np.linalg.norm(direction)
                found = float((vectors * direction).sum())
                expected = finite_difference(stack, inputs, cotangents, Nudge(layer, t, into, direction))
                errors[into].append(abs(found - expected) / max(float(np.linalg.norm(vectors)), 1e-300))
    allowed = ALLOWED_DIFFERENCE[stack.dtype.name]
    names = {"h": "∂L/∂h", "a_x": "∂L/∂a (pre-activations)"}
    return [_row("finite differences", names[into], np.array(found), allowed) for into, found in errors.items()]


def _row(name: str, quantity: str, errors: ndarray, allowed: float) -> tuple:
    largest = float(errors.max()) if errors.size else np.nan
    return name, quantity, largest, allowed, bool(largest <= allowed), int(errors.size)
