"""How often what arrives has passed the recurrent weight U, on average.

Scale U by a factor ε in the adjoint alone: the gradient becomes g(ε) = Σ_k ε^k g_k, where g_k is what passed U k times
(`orders`). The shares ⟨g_k, g⟩ / ⟨g, g⟩ sum to 1, and with them as weights the mean number of passes is

    Σ_k k ⟨g_k, g⟩ / ⟨g, g⟩  =  ⟨g'(1), g(1)⟩ / ⟨g(1), g(1)⟩

One adjoint carries g and its derivative side by side, so that no order is left out, at any length. At the other steps
the path took the additive update. Shares may be negative, so parts that cancel can make the mean leave 0 … lag; by no
more than rounding it does not leave it: each of the steps rounds once, relative to no more passes than steps.
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab.analyses.batch import of_batch
from gradlab.analyses.memory import TABLE_ROW, keeping, states_of
from gradlab.analyses.paths.orders import projections
from gradlab.analyses.paths.run import forward, loss_of, over_slices
from gradlab.analyses.paths.summary import LAG, lowest
from gradlab.analyses.problem import SIZES_TO_LOWER, Need, Problem, analysis, problem_of, sizes, work_of
from gradlab.analyses.traces import ALL
from gradlab.cells import CELLS
from gradlab.engine import Progress, Swept, checkpoint, cotangents_of_slice, plan
from gradlab.engine.progress import part_of
from gradlab.network.arrays import ArrayLike, StatesLike
from gradlab.network.stack import Stack
from gradlab.settings.subject import Subject
from gradlab.words.languages import N_

THROUGH, BY_ADDITION = N_("through U"), N_("by addition")
WAY_COLUMNS = ("cell", "state", "lag", "way", "steps")
PASSES_COLUMNS = ("cell", "layer", "step", "lag", "state", "passes", "passes_min", "passes_max", "left_out")


def _need(problem: Problem, losses: str = ALL) -> Need:
    size, S = problem.size, states_of(problem.size)
    paired = size._replace(rows=2 * size.sequences)
    projected = 3 * 8 * size.steps * size.sequences * S * size.hidden_size
    table = size.depth * S * size.steps * TABLE_ROW
    return Need(keeping(paired, S, projected) + table, sizes(size), SIZES_TO_LOWER, work_of(plan(paired)))


@analysis(_need)
def mean_passes(
    subject: Subject | Stack | Problem,
    inputs: ArrayLike | None = None,
    cotangents: ArrayLike | None = None,
    initial_state: StatesLike | None = None,
    *,
    losses: str = ALL,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """The mean number of passes of U of ∂L/∂s_t: one row per layer, state and step, columns `PASSES_COLUMNS`.

    passes                    mean over the sequences of the batch in which something arrives and passes are finite, a
                              pure number; NaN where there is none
    passes_min, passes_max    over the same
    left_out                  how many the others are
    losses                    "all", or "last": each sequence's last loss alone, of the steps up to it, with lags from
                              it; what a loss injects at a step has not passed U

    In a stack the recurrent weights of all layers count. Arguments and errors as in `gradlab.trace`.
    """
    problem = problem_of(subject, inputs, cotangents, initial_state)
    problem.refuse(_need(problem))
    B, whole = problem.size.sequences, loss_of(problem, losses)
    in_groups = whole._replace(rows=2 * B)

    def run(sequences: slice, progress: Progress) -> tuple[Swept]:
        both = cotangents_of_slice(in_groups, sequences, B)
        sweep = forward(problem, sequences, both.rows, part_of(progress, 0.0, 0.3))
        return (sweep.adjoint(both, keep=("totals",), passes=True, progress=part_of(progress, 0.3, 1.0)),)

    work = plan(problem.size._replace(rows=in_groups.rows)).multiply_adds
    (swept,) = over_slices(run, work, B, progress)
    T, states = problem.size.steps, CELLS[problem.cell].states
    kept = T if losses == ALL or not len(whole.steps) else int(whole.steps.max()) + 1
    tables = []
    for layer, adjoints in enumerate(swept.adjoints):
        checkpoint()
        pair = adjoints.totals.reshape(T, 2, B, *adjoints.totals.shape[2:])
        apart = adjoints.exponents.reshape(T, 2, B)
        passes = projections(pair[:, 1], pair[:, 0], (apart[:, 1] - apart[:, 0])[None])[0][:kept]  # [T, B, S]
        passes = _without_rounding(passes, kept, np.finfo(pair.dtype).eps)
        for kind, state in enumerate(states):
            found = of_batch(passes[..., kind])
            columns: dict[str, Any] = {"cell": problem.cell, "layer": layer, "state": state}
            columns |= {"step": np.arange(kept), "lag": np.arange(kept)[::-1]}
            columns |= dict(zip(PASSES_COLUMNS[-4:], found, strict=True))
            tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)[list(PASSES_COLUMNS)]


def _without_rounding(passes: ndarray, kept: int, eps: float) -> ndarray:
    """Numbers of passes [T, B, S] that leave 0 … lag by no more than rounding, put on the bound that they left."""
    lag = np.arange(kept, dtype=np.float64)[::-1, None, None]
    rounding = eps * (lag + 1) ** 2
    within = np.clip(passes, 0, lag)
    return np.where(np.abs(passes - within) <= rounding, within, passes)


class Passes(NamedTuple):
    """How the gradient of the lowest layer's additive state came back over a lag, on average."""

    cell: str
    state: str
    lag: int  # steps gone back
    through: float  # of them through U, mean over sequences; NaN where nothing arrives
    least: float  # the same of the sequence with the fewest
    most: float
    left_out: int  # sequences in which nothing arrives, or a pass is not finite

    @property
    def additions(self) -> float:
        """The other steps, by the additive update."""
        return self.lag - self.through

    @property
    def cancels(self) -> bool:
        """Whether in some sequence parts cancel so far that its mean is no number of steps."""
        return self.least < 0 or self.most > self.lag


def passes_at(table: pd.DataFrame, lag: int = LAG) -> Passes:
    """Reads `mean_passes` at a lag, or at the farthest there is."""
    rows = lowest(table)
    lag = min(lag, int(rows["lag"].max()))
    row = rows[rows["lag"] == lag].iloc[0]
    return Passes(
        row["cell"], row["state"], lag, row["passes"], row["passes_min"], row["passes_max"], int(row["left_out"])
    )


def steps_by_way(table: pd.DataFrame, lag: int = LAG) -> pd.DataFrame:
    """The same as a table: columns `WAY_COLUMNS`, a row for the steps through U and one for the additions."""
    at = passes_at(table, lag)
    ways = {THROUGH: at.through, BY_ADDITION: at.additions}
    return pd.DataFrame([(at.cell, at.state, at.lag, *way) for way in ways.items()], columns=list(WAY_COLUMNS))
