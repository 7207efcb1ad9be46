"""GradientTrace: the norms of ∂L/∂h_t and ∂L/∂c_t of every layer and step, and tables of them.

Norms are given as log10 ‖·‖₂ of one sequence's gradient, a pure number; the states are those *after* step t, and the
derivatives are total: over all later steps and higher layers, and for c_t also through h_t.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab.analyses.problem import Problem, analysis, problem_of
from gradlab.cells import CELLS
from gradlab.engine import NEVER, Cotangents, Progress, Swept, sweep
from gradlab.network.arrays import ArrayLike, StatesLike
from gradlab.network.stack import Stack
from gradlab.settings.experiment import Experiment
from gradlab.settings.subject import Subject

TABLE_COLUMNS = (
    "cell", "layer", "step", "lag", "state", "path",
    "log10_norm", "log10_norm_min", "log10_norm_max",
    "log10_relative", "log10_relative_min", "log10_relative_max",
)  # fmt: skip
RATE_COLUMNS = ("cell", "layer", "state", "decades_per_step", "intercept", "lag_from", "lag_to", "rms_residual")
FITTED_FROM = 0.25  # in the first quarter of the lags, directions have not settled yet


@dataclass(frozen=True)
class NonFinite:
    """Where a number first left the floating-point range."""

    pass_: str  # "forward" | "adjoint"
    layer: int
    step: int
    sequence: int

    @property
    def sentence(self) -> str:
        where = f"step {self.step} of layer {self.layer} (sequence {self.sequence})"
        if self.pass_ == "forward":
            return (
                f"The forward pass overflows: the first state that is not finite is at {where}. "
                "Gradients that depend on such states are undefined and left out of the lines."
            )
        return (
            f"The gradient is not finite at {where} and, going back, at all earlier ones: "
            "one step multiplied it beyond the floating-point range."
        )


@dataclass(frozen=True, eq=False, repr=False)
class GradientTrace:
    """The result of `trace`."""

    stack: Stack
    experiment: Experiment | None
    log10_norms: ndarray  # [L, T, B, S]
    log10_cotangent: ndarray  # [B] log10 of the injected gradient: the root of the sum over steps of ‖cotangent_t‖²
    loss_steps: ndarray  # the steps at which the loss enters
    non_finite: NonFinite | None

    def __repr__(self) -> str:
        depth, steps, sequences, _ = self.log10_norms.shape
        return f"GradientTrace({self.cell}, {depth} layers, {steps} steps, {sequences} sequences)"

    @property
    def cell(self) -> str:
        return self.stack.cell

    @property
    def states(self) -> tuple[str, ...]:
        return CELLS[self.cell].states

    @property
    def steps(self) -> int:
        return self.log10_norms.shape[1]

    def log10_norm(self, state: str = "h") -> ndarray:
        """log10 ‖∂L/∂s_t‖₂ per layer, step and sequence, [L, T, B].

        -inf only where the gradient is exactly zero as computed; NaN where it is undefined because a pass was not
        finite. Zero are then also what a saturated σ or tanh rounds to zero, as in autograd, and entries some 10^300
        (float32: 10^37) below the largest of the same layer, sequence and step, h and c together.
        Raises ValueError for a state the cell does not have.
        """
        return self.log10_norms[..., self._kind(state)]

    def log10_relative(self, state: str = "h") -> ndarray:
        """`log10_norm` minus log10 of the gradient injected into the sequence, [L, T, B]; -inf where there is none."""
        return relative(self.log10_norm(state), self.log10_cotangent)

    def _kind(self, state: str) -> int:
        if state not in self.states:
            raise ValueError(f"state = {state!r} is not a state of {self.cell}: use {' or '.join(self.states)}")
        return self.states.index(state)

    @cached_property
    def table(self) -> pd.DataFrame:
        """Tidy: one row per layer, state and step, columns `TABLE_COLUMNS`; mean, min and max are over the batch."""
        depth, steps = self.log10_norms.shape[:2]
        step = np.arange(steps)
        parts = []
        for layer in range(depth):
            for state in self.states:
                columns: dict[str, Any] = {"cell": self.cell, "layer": layer, "step": step, "lag": steps - 1 - step}
                columns |= {"state": state, "path": "total"}
                for name, values in (("norm", self.log10_norm(state)), ("relative", self.log10_relative(state))):
                    columns[f"log10_{name}"] = mean(values[layer])
                    columns[f"log10_{name}_min"] = values[layer].min(axis=-1)
                    columns[f"log10_{name}_max"] = values[layer].max(axis=-1)
                parts.append(pd.DataFrame(columns))
        return pd.concat(parts, ignore_index=True)[list(TABLE_COLUMNS)]

    def rate(self) -> pd.DataFrame:
        """How fast the norm changes going back: one row per layer and state, columns `RATE_COLUMNS`.

        decades_per_step   least-squares slope of the batch's mean log10 norm against lag, decades per step; negative
                           where the gradient shrinks on its way back
        intercept          the line at lag 0
        lag_from, lag_to   the lags fitted: the last three quarters of those behind the last loss step, where finite;
                           all of them where that leaves fewer than two
        rms_residual       root mean square distance from the line, decades

        NaN where there are fewer than two finite points.
        """
        last_loss = int(self.loss_steps.max(initial=0))
        lags = np.arange(self.steps)[::-1]
        rows = []
        for layer in range(self.log10_norms.shape[0]):
            for state in self.states:
                values = mean(self.log10_norm(state)[layer])
                first = self.steps - 1 - last_loss
                finite = (lags >= first) & np.isfinite(values)
                settled = finite & (lags >= first + FITTED_FROM * last_loss)
                chosen = settled if settled.sum() > 1 else finite
                rows.append((self.cell, layer, state, *_line(lags[chosen], values[chosen])))
        return pd.DataFrame(rows, columns=list(RATE_COLUMNS))


def _line(x: ndarray, y: ndarray) -> tuple[float, ...]:
    if len(x) < 2:
        return (np.nan, np.nan, *((int(x[0]), int(x[0])) if len(x) else (-1, -1)), np.nan)
    centred = x - x.mean()
    slope = (centred * (y - y.mean())).sum() / (centred * centred).sum()
    if abs(slope) * np.ptp(x) < 1e-12 * max(1.0, np.abs(y).max()):  # only the rounding of a constant norm
        slope = 0.0
    intercept = y.mean() - slope * x.mean()
    residual = float(np.sqrt(np.mean((y - slope * x - intercept) ** 2)))
    return float(slope), float(intercept), int(x.min()), int(x.max()), residual


def mean(values: ndarray) -> ndarray:
    """Mean over the batch (the last axis) of log10 norms: -inf if any sequence's gradient is exactly zero."""
    return values.mean(axis=-1)


@analysis()
def trace(
    subject: Subject | Stack | Problem,
    inputs: ArrayLike | None = None,
    cotangents: ArrayLike | None = None,
    initial_state: StatesLike | None = None,
    *,
    progress: Progress | None = None,
) -> GradientTrace:
    """Back-propagates through time and measures the gradient at every layer and step.

    trace(experiment)                      draws the stack, its inputs and its loss; any other subject has its own
    trace(stack, inputs, cotangents)       inputs [T, B, X]; cotangents [T, B, H] = ∂L/∂(top layer's h_t) by the loss
                                           alone; numpy arrays or torch tensors, computed in the stack's dtype
    initial_state                          h or (h, c), each [L, B, H]; zeros if None
    progress                               called with the fraction done; an exception it raises aborts

    Raises ValueError for shapes that do not fit, for values that are not finite, and where more memory would be needed
    than there is. A forward pass that overflows is no error: see `GradientTrace.non_finite`.
    """
    problem = problem_of(subject, inputs, cotangents, initial_state)
    swept = sweep(problem.stack, problem.inputs, problem.loss, problem.initial_state, progress=progress)
    entered = log10_entered(problem.loss, problem.size.sequences)
    return GradientTrace(
        problem.stack, problem.settings, swept.log10_norms, entered, problem.loss.steps, _first_non_finite(swept)
    )


def log10_entered(cotangents: Cotangents, sequences: int) -> ndarray:
    """log10 of the gradient injected into each sequence, [B]: the root of the sum over steps of ‖cotangent_t‖².

    NaN where the loss is that of a state that overflowed.
    """
    values, at = cotangents.values, cotangents.at
    range_ = np.finfo(values.dtype)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        of_entries = np.vecdot(values, values)
    if not ((of_entries > range_.tiny * 1e8) & (of_entries < range_.max * 1e-8)).all():  # zeros too
        return _log10_entered_scaled(cotangents, sequences)
    with np.errstate(divide="ignore"):  # a sequence without loss
        return 0.5 * np.log10(np.bincount(at, of_entries, sequences))


def _log10_entered_scaled(cotangents: Cotangents, sequences: int) -> ndarray:
    """The same, each sequence's largest entry brought to 1 first."""
    largest, squares = np.zeros(sequences), np.zeros(sequences)
    blocks = [slice(i, i + 2**14) for i in range(0, len(cotangents.at), 2**14)]  # many steps' values fit in no copy
    with np.errstate(divide="ignore", invalid="ignore"):  # zeros, and NaN where the forward pass overflowed
        for block in blocks:
            np.maximum.at(largest, cotangents.at[block], np.abs(cotangents.values[block]).max(axis=1, initial=0))
        scale = np.where(largest == 0, 1, largest)
        for block in blocks:
            at = cotangents.at[block]
            np.add.at(squares, at, np.square(cotangents.values[block].astype(np.float64) / scale[at, None]).sum(axis=1))
        return 0.5 * np.log10(squares) + np.log10(scale)


def relative(log10_norms: ndarray, log10_entered: ndarray) -> ndarray:
    """Log norms minus the gradient injected into each sequence (the last axis); exact zeros stay -inf."""
    return np.where(
        np.isneginf(log10_norms), -np.inf, log10_norms - np.where(np.isneginf(log10_entered), 0, log10_entered)
    )


def _first_non_finite(swept: Swept) -> NonFinite | None:
    """Where the first non-finite number arose: forward the earliest step, in the adjoint the latest."""
    if (earliest := swept.non_finite.min()) != NEVER:
        layer, sequence = (int(i) for i in np.argwhere(swept.non_finite == earliest)[0])
        return NonFinite("forward", layer, int(earliest), sequence)
    undefined = np.logical_or.reduce(np.isnan(swept.log10_norms), axis=3)  # [L, T, B]
    if not undefined.any():
        return None
    step = int(np.flatnonzero(undefined.any(axis=(0, 2)))[-1])
    layer, sequence = (int(i) for i in np.argwhere(undefined[:, step])[-1])
    return NonFinite("adjoint", layer, step, sequence)
