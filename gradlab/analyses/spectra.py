"""The spectrum of one network, and what decides it: exponents, eigenvalues, determinants, gain, input.

    spectrum           Lyapunov exponents beside what U alone, or each unit alone, would have; the determinant law
    newton_by_factor   Newton iterations for a whole trajectory, and the largest exponent, as U is scaled
    calming            the largest exponent of random tanh networks against the strength of their input

The laws are those of `gradlab.jacobians` and `gradlab.theory`; here they stand beside each other for one subject.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab.analyses import theory
from gradlab.analyses.arguments import whole_number
from gradlab.analyses.jacobians.lyapunov import (
    kaplan_yorke_dimension,
    lyapunov_exponents,
    step_logarithms,
    unstable_directions,
)
from gradlab.analyses.jacobians.products import STEEPEST, numbers_of
from gradlab.analyses.parallel import TOLERANCE, parallel
from gradlab.analyses.problem import Need, Problem, analysis, without_loss, work_of
from gradlab.analyses.weights import SPECTRUM_WORK
from gradlab.cells import CELLS
from gradlab.cells.contract import additive_state
from gradlab.engine import Progress, plan
from gradlab.engine.progress import part_of, silent
from gradlab.network.arrays import ArrayLike, StatesLike
from gradlab.network.stack import Stack
from gradlab.settings.subject import Subject

SPECTRUM_COLUMNS = ("cell", "quantity", "index", "exponent")
NEWTON_COLUMNS = ("cell", "factor", "iterations", "steps", "exponent")
CALMING_COLUMNS = ("quantity", "strength", "seed", "exponent")
MEASURED, LINEAR, UNITS, MEAN_FIELD = "measured", "eigenvalues of U", "each unit alone", "mean field"
SETTLING = 0.1  # of the steps, which only let the state settle
FACTORS = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 8.0)
NEWTON_STEPS = 64  # at most: an iteration computes a step Jacobian for each
USUAL = 8  # iterations, of most networks on average over the factors; where all is chaos it is `NEWTON_STEPS`
STRENGTHS = tuple(n / 4 for n in range(13))


@dataclass(frozen=True, eq=False, repr=False)
class Spectrum:
    """All Lyapunov exponents of one network on one sequence, in nats a step, and what stands beside them."""

    cell: str
    steps: int  # over which they are measured
    exponents: ndarray  # [n], descending; -inf of directions mapped to zero, NaN where the forward pass overflows
    predicted: ndarray  # [m], descending
    prediction: str  # LINEAR: ln |eigenvalues of U|; UNITS: mean of ln |∂s_t[k]/∂s_{t-1}[k]| of the additive state
    mean_field: float  # λ_1 of random tanh networks of its gain, input and infinite size; NaN for other networks
    determinants: float  # the mean of ln |det A_t|

    def __repr__(self) -> str:
        return f"Spectrum({self.cell}, {len(self.exponents)} exponents over {self.steps} steps)"

    @property
    def is_defined(self) -> bool:
        return not bool(np.isnan(self.exponents).any())

    @property
    def total(self) -> float:
        """The sum of all exponents."""
        return float(self.exponents.sum())

    @property
    def dimension(self) -> float:
        """`kaplan_yorke_dimension`; NaN where undefined."""
        return kaplan_yorke_dimension(self.exponents) if self.is_defined else np.nan

    @property
    def unstable(self) -> int:
        """Directions that grow."""
        return unstable_directions(self.exponents) if self.is_defined else 0

    @property
    def table(self) -> pd.DataFrame:
        """One row per exponent and prediction, columns `SPECTRUM_COLUMNS`; index 1 for the largest, of each quantity.

        quantity    MEASURED; LINEAR or UNITS; MEAN_FIELD, index 1 alone, where there is one
        """
        values = {MEASURED: self.exponents, self.prediction: self.predicted}
        if np.isfinite(self.mean_field):
            values[MEAN_FIELD] = np.array([self.mean_field])
        parts = [
            pd.DataFrame({"cell": self.cell, "quantity": name, "index": np.arange(1, len(of) + 1), "exponent": of})
            for name, of in values.items()
        ]
        return pd.concat(parts, ignore_index=True)[list(SPECTRUM_COLUMNS)]


def _need(problem: Problem, sequence: int = 0) -> Need:
    size, n = problem.size._replace(sequences=1, rows=1), numbers_of(problem.size)
    found = lyapunov_exponents.needs(problem, sequence)  # pyright: ignore[reportFunctionMemberAccess]
    steps = step_logarithms.needs(problem, sequence)  # pyright: ignore[reportFunctionMemberAccess]
    work = found.work + steps.work + SPECTRUM_WORK * n**3
    return found._replace(bytes=max(found.bytes, steps.bytes) + 16 * size.steps, work=work)


@analysis(_need, reads=("network", "sequence", "numerics"))
def spectrum(
    subject: Subject | Stack | Problem,
    inputs: ArrayLike | None = None,
    initial_state: StatesLike | None = None,
    *,
    sequence: int = 0,
    progress: Progress | None = None,
) -> Spectrum:
    """All Lyapunov exponents of one sequence of inputs [T, B, X], beside their prediction and the determinant law.

    The first tenth of the steps settles the state. Two predictions cost no simulation of directions: of one layer
    h' = φ(W x + U h + b) the ln |eigenvalues of U|, which are exact for a linear φ as T grows; of other cells the
    exponents that every unit would have alone, through its own old state, which are exact where no unit reads another.
    Arguments and errors as `jacobians.lyapunov_exponents`.
    """
    problem, report = without_loss(subject, inputs, None, initial_state), progress or silent
    problem.refuse(_need(problem, sequence))
    discard = int(SETTLING * problem.size.steps)
    exponents = lyapunov_exponents(
        problem, None, None, None, discard, sequence=sequence, progress=part_of(report, 0, 0.8)
    )
    of_steps = step_logarithms(problem, sequence=sequence)
    stack = problem.stack
    if stack.cell in STEEPEST and stack.depth == 1:
        with np.errstate(divide="ignore"):
            predicted = np.log(np.abs(np.linalg.eigvals(stack.layers[0].U.astype(np.float64))))
        prediction = LINEAR
    else:
        alone = of_steps.diagonals[discard:].reshape(-1, stack.depth, len(CELLS[stack.cell].states), stack.hidden_size)
        predicted, prediction = alone[:, :, additive_state(CELLS[stack.cell])].mean(axis=0).reshape(-1), UNITS
    is_random_tanh = stack.cell == "rnn" and stack.depth == 1
    mean_field = theory.mean_field_of(problem, sequence=sequence).exponent if is_random_tanh else np.nan
    return Spectrum(
        stack.cell,
        problem.size.steps - discard,
        exponents,
        np.sort(predicted)[::-1],
        prediction,
        mean_field,
        float(of_steps.determinants[discard:].mean()),
    )


def _need_of_newton(problem: Problem, factors: Sequence[float] = FACTORS, sequence: int = 0) -> Need:
    n, steps = numbers_of(problem.size), min(problem.size.steps, NEWTON_STEPS)
    few = Problem(problem.size._replace(steps=steps), problem.source)
    newton = parallel.needs(few, most=USUAL, sequence=sequence)  # pyright: ignore[reportFunctionMemberAccess]
    largest = lyapunov_exponents.needs(problem, sequence, 1)  # pyright: ignore[reportFunctionMemberAccess]
    weights = 3 * 8 * problem.size.depth * n**2
    drawn = 8 * problem.size.steps * problem.size.sequences * problem.size.input_size
    work = len(factors) * (newton.work + largest.work + work_of(plan(problem.size)))
    return newton._replace(bytes=max(newton.bytes, largest.bytes) + weights + drawn, work=work)


@analysis(_need_of_newton, reads=("network", "sequence", "numerics"))
def newton_by_factor(
    subject: Subject | Stack | Problem,
    inputs: ArrayLike | None = None,
    initial_state: StatesLike | None = None,
    *,
    factors: Sequence[float] = FACTORS,
    sequence: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Newton iterations for the first steps at once, and λ_1, of the network with U scaled: columns `NEWTON_COLUMNS`.

    factor        on U of every layer and gate; 1 is the network as it is
    iterations    until every state of the first `NEWTON_STEPS` steps is right (`gradlab.parallel`), to 1e-8, in float32
                  to 1e-5; NaN where that many as there are steps do not do, since the states overflow
    steps         of the trajectory: as many iterations as that save nothing
    exponent      the largest Lyapunov exponent over the whole sequence, nats a step
    Other arguments and errors as `jacobians.lyapunov_exponents`; ValueError also for factors that are not finite.
    """
    problem, report = without_loss(subject, inputs, None, initial_state), progress or silent
    if not len(factors) or not np.isfinite(factors).all():
        raise ValueError(f"factors = {factors!r} is not allowed: use finite numbers")
    problem.refuse(_need_of_newton(problem, factors, sequence))
    sequence = whole_number("sequence", sequence, 0, problem.size.sequences - 1)
    x = np.ascontiguousarray(problem.inputs[:, sequence : sequence + 1])
    state = tuple(np.ascontiguousarray(part[:, sequence : sequence + 1]) for part in problem.initial_state) or None
    steps, stack, rows = min(len(x), NEWTON_STEPS), problem.stack, []
    tolerance = TOLERANCE if stack.dtype == np.float64 else 1e-5
    for number, factor in enumerate(factors):
        part = part_of(report, number / len(factors), (number + 1) / len(factors))
        scaled = Stack(
            stack.cell, tuple(layer._replace(U=stack.dtype.type(factor) * layer.U) for layer in stack.layers)
        )
        found = parallel(scaled, x[:steps], state, tolerance=tolerance, progress=part)
        largest = lyapunov_exponents(scaled, x, state, 1, int(SETTLING * len(x)))[0]
        rows.append((stack.cell, factor, np.nan if found.iterations is None else found.iterations, steps, largest))
    return pd.DataFrame(rows, columns=list(NEWTON_COLUMNS))


def calming(
    gain: float = 2.0,
    strengths: Sequence[float] = STRENGTHS,
    *,
    hidden_size: int = 64,
    steps: int = 400,
    seeds: int = 6,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """λ_1 of random tanh networks of one gain against the strength of their input: columns `CALMING_COLUMNS`.

    quantity    MEASURED: networks of `hidden_size` units, one row per seed (`theory.band`)
                MEAN_FIELD: `theory.mean_field` of infinite size, seed -1
    Arguments, units and errors as `theory.band`; ValueError also where no strength is given.
    """
    if not len(strengths):
        raise ValueError("strengths is empty: use one number from 0 at least")
    tables, report = [], progress or silent
    for number, strength in enumerate(strengths):
        part = part_of(report, number / len(strengths), (number + 1) / len(strengths))
        rows = theory.band(gain, strength, hidden_size=hidden_size, steps=steps, seeds=seeds, progress=part)
        tables.append(rows.assign(quantity=MEASURED, strength=strength))
    theirs = [theory.mean_field(gain, strength).exponent for strength in strengths]
    field = pd.DataFrame({"quantity": MEAN_FIELD, "strength": strengths, "seed": -1, "exponent": theirs})
    return pd.concat([*tables, field], ignore_index=True)[list(CALMING_COLUMNS)]
