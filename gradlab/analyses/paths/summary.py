"""What a gradient's parts come to: the direct path's half-life, where it changes over, and textbook claims about it.

All of it is read off the rows of the lowest layer's additive state (`lowest`).
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from gradlab.analyses.batch import of_batch
from gradlab.analyses.diagnosis import Diagnosis, diagnose
from gradlab.analyses.paths.orders import _need, decompose
from gradlab.analyses.problem import ALL_GROUPS, Need, Problem, analysis
from gradlab.analyses.propagation import least_squares, way_back
from gradlab.analyses.traces import ALL, LAST, GradientTrace
from gradlab.cells import CELLS
from gradlab.cells.contract import additive_name, keep_of
from gradlab.engine import Progress
from gradlab.engine.progress import part_of, silent
from gradlab.settings.catalogue import GROUPS
from gradlab.settings.subject import Subject

LAG = 100  # at which parts are compared, where the sequence is long enough
CARRIES = 0.95  # share from which the direct path may pass for the whole gradient
BIASES = (0.0, 1.0, 3.0)
BIASED = ("keep_bias", "forget_bias")  # settings of the gate that keeps
EVERYTHING_ELSE = [name for group in ALL_GROUPS for name in GROUPS[group] if name not in BIASED]
BIASES_COLUMNS = ("bias", "lag", "log10_direct", "log10_total", "share")


def lowest(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the lowest layer's additive state: c where there is one, else h."""
    state = additive_name(CELLS[str(table["cell"].iloc[0])])
    return table[(table["layer"] == 0) & (table["state"] == state)].reset_index(drop=True)


class ChangeOver(NamedTuple):
    """At how many lags the direct path carries at least half of the gradient, and from which lag on it never does."""

    around: int  # lags at which it has
    known: int  # lags at which a share is defined, without lag 0
    lags: int  # all lags, without lag 0
    lag: int | None  # from which on it has less at every lag; None where it has at the farthest, or nothing is known


class Summary(NamedTuple):
    """The parts of a gradient at one lag, and what becomes of its direct path."""

    cell: str
    lag: int
    share: pd.Series  # by path, at that lag
    log10_norm: pd.Series  # likewise
    log10_relative: pd.Series
    half_life: float | None  # of the direct path, as `half_life`
    change_over: ChangeOver

    @property
    def largest(self) -> str | None:
        """The order, or the rest, of the largest share in size; None where no share is defined."""
        sizes = self.share.drop(index=["total", "direct"]).abs()
        return str(sizes.idxmax()) if sizes.notna().any() else None

    @property
    def carries(self) -> bool:
        """Whether the direct path's share is so large that it may pass for the whole; so too where nothing arrives."""
        return not self.share["direct"] < CARRIES

    @property
    def norm_ratio(self) -> float:
        """The direct path's norm as a multiple of the whole's; NaN where the whole is exactly zero or not finite."""
        if not math.isfinite(self.log10_norm["total"]):
            return math.nan
        return 10 ** (self.log10_norm["direct"] - self.log10_norm["total"])


def summary(parts: pd.DataFrame, lag: int = LAG) -> Summary:
    """Reads `lowest(decompose(…, losses="last"))` at a lag, or at the farthest there is."""
    lag = min(lag, int(parts["lag"].max()))
    at = parts[parts["lag"] == lag].set_index("path")
    direct = parts[parts["path"] == "direct"]
    cell = str(parts["cell"].iloc[0])
    norms = (at["share"], at["log10_norm"], at["log10_relative"])
    return Summary(cell, lag, *norms, half_life(direct, lag), change_over(direct))


def half_life(direct: pd.DataFrame, lag: int) -> float | None:
    """Steps of lag in which a path halves, by a line through its log10 norms up to a lag; columns lag, log10_norm.

    Infinite where nothing is lost, negative where it grows; None where the path is not there at all.
    """
    some = direct[(direct["lag"] <= lag) & np.isfinite(direct["log10_norm"])]
    if len(some) < 2:
        return None
    slope, _ = least_squares(some["lag"].to_numpy(float), some[["log10_norm"]].to_numpy())
    return math.inf if slope[0] == 0 else float(-math.log10(2) / slope[0])


def change_over(direct: pd.DataFrame) -> ChangeOver:
    """Reads the direct path's share; columns lag and share."""
    back = direct[direct["lag"] > 0]
    known = back[back["share"].notna()]
    around = known.loc[known["share"] >= 0.5, "lag"]
    counts = (len(around), len(known), len(back))
    if known.empty or around.max() == known["lag"].max():
        return ChangeOver(*counts, None)
    return ChangeOver(*counts, 1 if around.empty else int(around.max()) + 1)


def _need_of_biases(problem: Problem, biases: Sequence[float] = BIASES) -> Need:
    one = _need(problem, orders=0)
    return one._replace(work=len(biases) * one.work)


@analysis(_need_of_biases, reads=EVERYTHING_ELSE)
def direct_at_biases(
    subject: Subject, biases: Sequence[float] = BIASES, *, progress: Progress | None = None
) -> pd.DataFrame:
    """How much of the last loss's gradient is direct at several biases of the gate that keeps the old state, at lag 100
    or the farthest there is.

    Columns `BIASES_COLUMNS`. Raises ValueError for cells without such a gate and for weights that were learned.
    """
    if "keep_bias" in subject.unused():
        use = "use a cell with a gate that keeps its state, and drawn weights"
        raise ValueError(f"{subject.title} has no keep_bias to set: {use}")
    rows = []
    for number, bias in enumerate(biases):
        part = part_of(progress or silent, number / len(biases), (number + 1) / len(biases))
        biased = subject.replace(keep_bias=bias, forget_bias=None)
        parts = summary(lowest(decompose(biased, orders=0, losses=LAST, progress=part)))
        norms, share = parts.log10_norm, parts.share
        rows.append((bias, parts.lag, norms["direct"], norms["total"], share["direct"]))
    return pd.DataFrame(rows, columns=list(BIASES_COLUMNS))


class Textbook(NamedTuple):
    """Whether textbook claims about such a cell hold; None where a claim is not made, or cannot be judged."""

    product: bool | None  # the gradient is the product of the gates that keep the state
    keeps: bool | None  # the gradient does not vanish
    more: bool | None  # it keeps more than the RNN
    diagnosis: Diagnosis  # of the cell's whole state
    log10_left: float  # of the last loss's gradient in the whole state, at the summary's lag, relative to its injection
    log10_left_rnn: float


def textbook(parts: Summary, own: GradientTrace, rnn: GradientTrace) -> Textbook:
    """Judges three textbook claims by the gradient of the last loss alone.

    parts    the `summary` of the cell's parts, of the last loss
    own      the cell's trace
    rnn      the RNN's: like is compared with like, the whole state of both at the same lag
    """
    share, ratio = parts.share["direct"], parts.norm_ratio
    is_whole = CARRIES <= share <= 1 / CARRIES and CARRIES <= ratio <= 1 / CARRIES
    diagnosis = diagnose(own)
    left, left_rnn = _left(own, parts.lag), _left(rnn, parts.lag)
    injected = len(own.loss_steps) > 0
    known = parts.lag > 0 and injected and len(rnn.loss_steps) and not (math.isnan(left) or math.isnan(left_rnn))
    speaks_of_product = keep_of(CELLS[parts.cell]) is not None and not math.isnan(share) and parts.lag > 0
    return Textbook(
        product=bool(is_whole) if speaks_of_product else None,
        keeps=diagnosis.verdict in ("steady", "exploding") if injected and diagnosis.verdict != "undefined" else None,
        more=None if parts.cell == "rnn" or not known else left > left_rnn,
        diagnosis=diagnosis,
        log10_left=left,
        log10_left_rnn=left_rnn,
    )


def _left(trace: GradientTrace, lag: int) -> float:
    """log10 of the last loss's gradient in the whole state of the lowest layer, `lag` steps back, relative to its
    injection; mean over the batch's sequences in which it is neither exactly zero nor undefined."""
    way = way_back(trace.log10_relative(ALL, LAST)[0], trace.last_loss)
    if lag >= len(way.norms):
        return -math.inf  # no loss enters so far from the first step, or none at all
    return float(of_batch(way.norms[lag][way.length >= lag]).mean)
