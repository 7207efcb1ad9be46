"""One network at many seeds: the spread of its gradient's norms over draws of weights, inputs and loss.

Two networks over the same seeds are paired: what one seed draws is drawn for both, so that their difference is that of
their settings, seed by seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab.analyses.arguments import whole_number
from gradlab.analyses.batch import OfBatch, of_batch
from gradlab.analyses.parts import Part, together
from gradlab.analyses.problem import Need, Problem, analysis
from gradlab.analyses.traces import LAST, TABLE_COLUMNS, relative, trace
from gradlab.cells import KNOWN
from gradlab.engine import Progress
from gradlab.engine.progress import part_of, silent
from gradlab.settings.catalogue import bounds
from gradlab.settings.subject import Subject

MOST_SEEDS = 100
SEEDS = int(bounds("seed")[1]) + 1  # after the last one comes 0


@dataclass(frozen=True, eq=False, repr=False)
class OverSeeds:
    """Norms at every seed, each the mean over its batch as a trace's table has it: -inf for exactly zero, NaN where
    undefined."""

    cell: str
    seeds: tuple[int, ...]
    log10_norms: ndarray  # [L, T, seeds, S]
    log10_relative: ndarray  # the same, relative to the injected gradient
    arriving: ndarray  # [seeds] of the last loss in h at step 0 of the bottom layer, relative to what it injects

    def __repr__(self) -> str:
        return f"OverSeeds({self.cell}, seeds {self.seeds[0]} to {self.seeds[-1]})"

    @property
    def table(self) -> pd.DataFrame:
        """Tidy, columns as of a trace's table: mean and range over the seeds; left_out counts those without a value."""
        return together(self.table_parts)

    @property
    def table_parts(self) -> list[Part]:
        """`table`, one part per layer and state."""
        depth, steps, _, _ = self.log10_norms.shape
        return [
            Part(
                TABLE_COLUMNS,
                {"cell": self.cell, "layer": layer, "state": state, "path": "total"},
                steps,
                (0, steps - 1),
                partial(self._rows, layer, kind),
            )
            for layer in range(depth)
            for kind, state in enumerate(KNOWN[self.cell].states)
        ]

    def _rows(self, layer: int, kind: int) -> pd.DataFrame:
        steps = self.log10_norms.shape[1]
        columns: dict[str, Any] = {"step": np.arange(steps), "lag": np.arange(steps)[::-1]}
        for name, values in (("norm", self.log10_norms), ("relative", self.log10_relative)):
            found: OfBatch = of_batch(values[layer, ..., kind])
            columns |= {f"log10_{name}": found.mean, f"log10_{name}_min": found.least}
            columns |= {f"log10_{name}_max": found.most, "left_out": found.left_out}
        return pd.DataFrame(columns)[[name for name in TABLE_COLUMNS if name in columns]]


def _need(problem: Problem, seeds: int = 10) -> Need:
    one, size = problem.trace_need, problem.size
    kept = 16 * seeds * size.depth * size.steps * len(KNOWN[size.cell].states)
    return one._replace(bytes=one.bytes + kept, work=seeds * one.work, kept=kept)


@analysis(_need)
def over_seeds(subject: Subject, seeds: int = 10, *, progress: Progress | None = None) -> OverSeeds:
    """Traces a subject at its seed and the ones after it, `seeds` in all.

    Raises ValueError for fewer than 1 or more than 100, and where more memory would be needed than there is.
    """
    whole_number("seeds", seeds, 1, MOST_SEEDS)
    problem = Problem(subject.size, subject)
    problem.refuse(_need(problem, seeds))
    drawn = [(subject.settings.seed + number) % SEEDS for number in range(seeds)]
    size = problem.size
    norms, relatives = np.empty((2, size.depth, size.steps, seeds, len(KNOWN[size.cell].states)))
    arriving = np.empty(seeds)
    for number, seed in enumerate(drawn):
        part = part_of(progress or silent, number / seeds, (number + 1) / seeds)
        found = trace(subject.replace(seed=seed), progress=part)
        entered = found.spans.of_steps(found.log10_cotangent)
        for kind in range(len(found.states)):
            values = found.log10_norms[..., kind]
            norms[:, :, number, kind] = of_batch(values).mean
            relatives[:, :, number, kind] = of_batch(relative(values, entered)).mean
        arriving[number] = of_batch(found.at_start("h", LAST)).mean
        del found, values  # before the next one is made
    return OverSeeds(size.cell, tuple(drawn), norms, relatives, arriving)
