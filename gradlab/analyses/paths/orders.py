"""The gradient by order of its paths, exactly: one adjoint in which what passes U goes to the next order's rows."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab.analyses.arguments import whole_number
from gradlab.analyses.batch import of_batch
from gradlab.analyses.memory import TABLE_ROW, copies, keeping, kept_bytes, result_bytes, states_of
from gradlab.analyses.paths.run import forward, loss_of, over_slices, table
from gradlab.analyses.problem import Need, Problem, analysis, problem_of, sizes, work_of
from gradlab.analyses.traces import ALL
from gradlab.engine import Cotangents, Progress, Swept, checkpoint, cotangents_of_slice, plan, times_power
from gradlab.engine.progress import part_of
from gradlab.network.arrays import ArrayLike, StatesLike
from gradlab.network.stack import Stack
from gradlab.settings.subject import Subject
from gradlab.words.languages import N_, _

SHARE_COLUMNS = ("share", "share_min", "share_max")  # mean, min and max over the sequences that have a share
MOST_ORDERS = 64
STEPS_AT_ONCE = 256  # while shares are formed


class Split(NamedTuple):
    """The parts of ∂L/∂s_t, P = orders + 2 of them, and the total by a separate adjoint."""

    names: tuple[str, ...]  # of the parts, P
    total: Swept  # rows B
    parts: Swept  # rows P·B, part p of sequence b at p·B + b

    def shares(self, layer: int) -> ndarray:
        """⟨part, total⟩ / ⟨total, total⟩, [P, T, B, S]; NaN where the total is zero or not finite."""
        total, parts = self.total.adjoints[layer], self.parts.adjoints[layer]
        T, B, S = total.totals.shape[:3]
        shares = np.empty((len(self.names), T, B, S))
        for begin in range(0, T, STEPS_AT_ONCE):
            checkpoint()
            some = slice(begin, begin + STEPS_AT_ONCE)
            apart = parts.exponents[some].reshape(-1, len(self.names), B) - total.exponents[some, None]
            shares[:, some] = projections(parts.totals[some], total.totals[some], np.moveaxis(apart, 1, 0))
        return shares


def projections(parts: ndarray, total: ndarray, exponents: ndarray) -> ndarray:
    """⟨part, total⟩ / ⟨total, total⟩ · 2^exponents, [P, T, B, S]; parts [T, P·B, S, H], total [T, B, S, H]."""
    whole = total.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        # states of a step may be many orders of magnitude apart, and squares leave the range before they do
        largest = np.abs(whole).max(axis=-1, keepdims=True)
        unit = whole / largest
        part = parts.reshape(len(whole), -1, *whole.shape[1:])
        along = np.einsum("tpbsh,tbsh->ptbs", part, unit) / np.einsum("tbsh,tbsh->tbs", unit, unit)
        return times_power(along / largest[..., 0], exponents)


def _need(problem: Problem, orders: int = 8, losses: str = ALL) -> Need:
    size, parts = problem.size, orders + 2
    grouped, S = size._replace(rows=parts * size.sequences), states_of(size)
    shares = 8 * parts * size.steps * size.sequences * S * size.depth
    tables = shares + size.depth * S * size.steps * (parts + 1) * TABLE_ROW
    total = copies(grouped) * kept_bytes(size, S) + result_bytes(size)
    what = _("{count} parts of {sizes}").format(count=parts, sizes=sizes(size))
    work = work_of(plan(size)) + work_of(plan(grouped))
    to_lower = N_("orders, steps, batch_size, hidden_size or depth")
    return Need(keeping(grouped, S, tables) + total, what, to_lower, work)


@analysis(_need)
def decompose(
    subject: Subject | Stack | Problem,
    inputs: ArrayLike | None = None,
    cotangents: ArrayLike | None = None,
    initial_state: StatesLike | None = None,
    *,
    orders: int = 8,
    losses: str = "all",
    progress: Progress | None = None,
) -> pd.DataFrame:
    """log10 norms and shares of the direct path, orders 1 … `orders`, the rest and the total.

    losses    "all": what a loss injects at a step counts as that step's direct path; or "last": each sequence's last
              loss alone, of the steps up to it, with lags from it: how one injection comes back
    Columns of a trace and `SHARE_COLUMNS`; NaN where the total is exactly zero or not finite in every sequence.
    Arguments, units and errors as in `gradlab.trace`; ValueError also for `orders` outside 0 … 64.
    """
    problem = problem_of(subject, inputs, cotangents, initial_state)
    orders = whole_number("orders", orders, 0, MOST_ORDERS)
    problem.refuse(_need(problem, orders))
    loss = loss_of(problem, losses)
    split = split_by_order(problem, orders, progress, loss)
    T, B = problem.size.steps, problem.size.sequences
    parts = split.parts.log10_norms.reshape(problem.size.depth, T, -1, B, split.parts.log10_norms.shape[-1])
    kept = T if losses == ALL or not len(loss.steps) else int(loss.steps.max()) + 1
    shares = [split.shares(layer)[:, :kept] for layer in range(problem.size.depth)]
    tables = [
        _with_shares(table(problem, loss, parts[:, :, number], name), [share[number] for share in shares])
        for number, name in enumerate(split.names)
    ]
    of_all = [np.where(np.isnan(share[0]), np.nan, 1.0) for share in shares]
    tables.append(_with_shares(table(problem, loss, split.total.log10_norms, "total"), of_all))
    return pd.concat(tables, ignore_index=True)


def _with_shares(norms: pd.DataFrame, shares: list[ndarray]) -> pd.DataFrame:
    """A trace's table with `SHARE_COLUMNS`; shares [T, B, S], one per layer."""
    by_state = np.concatenate([share[..., kind] for share in shares for kind in range(share.shape[-1])])
    return norms.assign(**dict(zip(SHARE_COLUMNS, of_batch(by_state)[:3], strict=True)))


def split_by_order(
    problem: Problem, orders: int, progress: Progress | None = None, loss: Cotangents | None = None
) -> Split:
    """The same as vectors: every ∂L/∂s_t of every part, of the whole loss if None. One forward pass, two adjoints."""
    orders = whole_number("orders", orders, 0, MOST_ORDERS)
    names = ("direct", *(f"order {k}" for k in range(1, orders + 1)), "rest")
    problem.refuse(_need(problem, orders))
    B, whole = problem.size.sequences, loss or problem.loss
    in_groups = whole._replace(rows=len(names) * B)

    def run(sequences: slice, progress: Progress) -> tuple[Swept, Swept]:
        whole_part, parts = (cotangents_of_slice(c, sequences, B) for c in (whole, in_groups))
        sweep = forward(problem, sequences, parts.rows, part_of(progress, 0.0, 0.2))
        total = sweep.adjoint(whole_part, keep=("totals",), progress=part_of(progress, 0.2, 0.3))
        split = sweep.adjoint(parts, keep=("totals",), orders=True, progress=part_of(progress, 0.3, 1.0))
        return total, split

    work = plan(problem.size._replace(rows=in_groups.rows)).multiply_adds
    return Split(names, *over_slices(run, work, B, progress))
