"""What every initialization leaves of the gradient: one cell drawn by each law, at the same few seeds.

`every_initialization` judges each network as `diagnose` does: by the last loss's gradient in the whole state of the
bottom layer. Laws are ranked by what arrives at step 0, the median over the seeds: what arrives most first, what is
exactly zero after that, what is undefined last.

    table      initialization, rank, step, lag, log10_relative, log10_relative_min, log10_relative_max
               one row per law and step: mean and range over the seeds, relative to the injected gradient
    summary    initialization, title, is_default, rank, verdict, seeds, of_seeds, log10_left, log10_left_min,
               log10_left_max, decades_per_100_steps
               one row per law: what it is called, whether a framework draws so by default, the verdict of most seeds
               and of how many of all, the median and the range of what arrives at step 0, and the median rate, decades
               per 100 steps, over the seeds in which it is defined
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab.analyses.arguments import whole_number
from gradlab.analyses.batch import of_batch
from gradlab.analyses.diagnosis import diagnose
from gradlab.analyses.problem import Need, Problem, analysis
from gradlab.analyses.seeds import MOST_SEEDS, SEEDS
from gradlab.analyses.traces import ALL, relative, trace
from gradlab.engine import Progress
from gradlab.engine.progress import part_of, silent
from gradlab.settings.catalogue import GROUPS, title
from gradlab.settings.initializations import DEFAULTS, INITIALIZATIONS
from gradlab.settings.subject import Subject

TABLE_COLUMNS = (
    "initialization", "rank", "step", "lag", "log10_relative", "log10_relative_min", "log10_relative_max",
)  # fmt: skip
SUMMARY_COLUMNS = (
    "initialization", "title", "is_default", "rank", "verdict", "seeds", "of_seeds", "log10_left", "log10_left_min",
    "log10_left_max", "decades_per_100_steps",
)  # fmt: skip
READS = (*(name for name in GROUPS["network"] if name != "initialization"), "sequence", "loss", "numerics")


@dataclass(frozen=True, eq=False)
class OfLaw:
    """One initialization at every seed."""

    initialization: str
    verdicts: tuple[str, ...]
    log10_left: ndarray  # [seeds] at step 0, relative to the injected; -inf exactly zero, NaN undefined
    rates: ndarray  # [seeds] decades per 100 steps; NaN without one
    log10_relative: ndarray  # [K+1, seeds] by steps back from the last loss


@dataclass(frozen=True, eq=False, repr=False)
class Survival:
    """Every initialization of one cell, ranked."""

    cell: str
    seeds: tuple[int, ...]
    laws: tuple[OfLaw, ...]

    def __repr__(self) -> str:
        return f"Survival({self.cell}, {len(self.laws)} initializations, seeds {self.seeds[0]} to {self.seeds[-1]})"

    @property
    def length(self) -> int:
        """Steps from the last loss back to step 0."""
        return len(self.laws[0].log10_relative) - 1

    @property
    def table(self) -> pd.DataFrame:
        """Tidy, columns `TABLE_COLUMNS`."""
        return pd.concat([self._rows(rank, law) for rank, law in enumerate(self.laws, 1)], ignore_index=True)

    def _rows(self, rank: int, law: OfLaw) -> pd.DataFrame:
        found, lags = of_batch(law.log10_relative), np.arange(self.length, -1, -1)
        columns = (law.initialization, rank, lags[::-1], lags, found.mean[::-1], found.least[::-1], found.most[::-1])
        return pd.DataFrame(dict(zip(TABLE_COLUMNS, columns, strict=True)))

    @cached_property
    def summary(self) -> pd.DataFrame:
        """Tidy, columns `SUMMARY_COLUMNS`."""
        rows = [
            (law.initialization, title(law.initialization), law.initialization in DEFAULTS, rank, *_said(law))
            for rank, law in enumerate(self.laws, 1)
        ]
        return pd.DataFrame(rows, columns=list(SUMMARY_COLUMNS))


def _need(problem: Problem, seeds: int = 5) -> Need:
    one, steps = problem.trace_need, problem.size.steps
    kept = 8 * seeds * steps * len(INITIALIZATIONS)
    return one._replace(bytes=one.bytes + kept, work=seeds * len(INITIALIZATIONS) * one.work, kept=kept)


@analysis(_need, READS)
def every_initialization(subject: Subject, seeds: int = 5, *, progress: Progress | None = None) -> Survival:
    """Traces the network that a subject's settings describe, drawn by each initialization at its seed and those after.

    Every initialization is drawn at the same seeds, and two subjects with the same seed are paired. Raises ValueError
    for fewer than 1 or more than 100 seeds, and where more memory would be needed than there is.
    """
    whole_number("seeds", seeds, 1, MOST_SEEDS)
    problem = Problem(subject.size, subject)
    problem.refuse(_need(problem, seeds))
    drawn = [(subject.settings.seed + number) % SEEDS for number in range(seeds)]
    report, laws = progress or silent, []
    for number, name in enumerate(INITIALIZATIONS):
        part = part_of(report, number / len(INITIALIZATIONS), (number + 1) / len(INITIALIZATIONS))
        laws.append(_of_law(subject, name, drawn, part))
    return Survival(subject.settings.cell, tuple(drawn), tuple(sorted(laws, key=_place)))


def _of_law(subject: Subject, name: str, seeds: Sequence[int], progress: Progress) -> OfLaw:
    verdicts, left, rates, ways = [], [], [], []
    for number, seed in enumerate(seeds):
        part = part_of(progress, number / len(seeds), (number + 1) / len(seeds))
        found = trace(subject.settings.replace(initialization=name, seed=seed), progress=part)
        diagnosis, way = diagnose(found), found.way_back(ALL)
        verdicts.append(diagnosis.verdict)
        left.append(float(of_batch(found.at_start(ALL, "last")).mean))
        rates.append(diagnosis.decades_per_100_steps)
        ways.append(replace(way, norms=relative(way.norms, found.log10_cotangent_last)).mean)
    return OfLaw(name, tuple(verdicts), np.array(left), np.array(rates), np.stack(ways, axis=1))


def _place(law: OfLaw) -> tuple[bool, float]:
    """What arrives most comes first, what is undefined last."""
    median = _quantile(law.log10_left, 0.5)
    return bool(np.isnan(median)), -median


def _said(law: OfLaw) -> tuple[str, int, int, float, float, float, float]:
    verdict, count = Counter(law.verdicts).most_common(1)[0]
    median, least, most = (_quantile(law.log10_left, q) for q in (0.5, 0.0, 1.0))
    return verdict, count, len(law.verdicts), median, least, most, _quantile(law.rates, 0.5)


def _quantile(values: ndarray, q: float) -> float:
    """Of the values that are defined; one of them, so that exact zeros stay what they are; NaN where none is."""
    defined = values[~np.isnan(values)]
    return float(np.quantile(defined, q, method="inverted_cdf")) if len(defined) else float("nan")
