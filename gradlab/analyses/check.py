"""The engine beside autograd and finite differences, on any subject.

Two right computations of a gradient differ by rounding, and a chaotic network multiplies that at every step until
nothing is left to compare; a saturated one keeps few digits of its slopes. So autograd is also run on weights changed
in their last digit and with σ and tanh rounded in another way. What that changes, the `rounding` of a gradient, decides
which gradients, and over how many steps, are compared, and how closely.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab.analyses.arguments import sparse
from gradlab.analyses.memory import dense_bytes, weights_bytes
from gradlab.analyses.problem import SIZES_TO_LOWER, Need, Problem, analysis, problem_of, sizes
from gradlab.cells import CELLS
from gradlab.engine import (
    DIFFERENCE_RUNS,
    NEVER,
    Nudge,
    Progress,
    Size,
    Swept,
    autograd,
    finite_difference,
    sweep,
    times_power,
)
from gradlab.network.arrays import ArrayLike, StatesLike
from gradlab.network.stack import Layer, Stack
from gradlab.settings.subject import Subject
from gradlab.words.languages import N_, _, says

CHECK_COLUMNS = ("check", "quantity", "largest_error", "allowed", "passed", "compared")
STEPS, SEQUENCES = 200, 2  # autograd and finite differences are slow: longer settings are checked on their first steps
FEWEST_STEPS = 8
AUTOGRAD_WORK = 10**6  # multiply-adds: what a step of a layer takes in autograd
ALLOWED = {"float64": 1e-10, "float32": 1e-3}  # relative to the gradient's norm at the same layer, step and sequence
ROUNDINGS = 100  # that many times what one change of the last digits does
TOO_MUCH = {"float64": 1e-6, "float32": 1e-2}  # where more than that would have to be allowed, nothing is compared
MOST = 0.5  # of the gradients; where fewer can be compared, fewer steps are
ALLOWED_DIFFERENCE = 1e-6  # finite differences are taken in float64
LAGS = (0, 1, 2, 5)
SMALLEST = 1e-290  # autograd in float64 cannot hold much less


class Checked(NamedTuple):
    """The result of `check`: errors, and the excerpt compared."""

    table: pd.DataFrame  # columns CHECK_COLUMNS
    size: Size  # of the excerpt that was run against autograd
    sentence: str

    @property
    def passed(self) -> bool:
        return bool(self.table.passed.all())


class _Work:
    """Counts the steps run, and reports them as a fraction of the check."""

    def __init__(self, size: Size, progress: Progress | None) -> None:
        self.progress = progress
        self.done = self.planned = 0
        runs = 2 * len(LAGS) * size.depth * DIFFERENCE_RUNS
        self.differences = runs * min(FEWEST_STEPS, size.steps)

    def plan(self, steps: int) -> None:
        """Two runs of autograd over so many steps, there and back, come next, and then the finite differences."""
        self.planned = self.done + 4 * steps + self.differences

    def __call__(self) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress(self.done / self.planned)


class _Run(NamedTuple):
    """An excerpt of a problem with the engine's results on it."""

    problem: Problem
    swept: Swept

    @property
    def arrays(self) -> tuple[ndarray, ndarray]:
        """Inputs and cotangents."""
        return self.problem.inputs, self.problem.cotangents


def _need(problem: Problem) -> Need:
    """A trace of the excerpt; autograd keeps a dozen arrays of every step beside it, and copies of the weights."""
    short = problem.excerpt(STEPS, SEQUENCES)
    peak = 2 * short.trace_bytes + 3.5 * weights_bytes(short.size) + 15 * short.size.depth * dense_bytes(short.size)
    work = AUTOGRAD_WORK * (4 * short.size.steps + 8 * len(LAGS) * DIFFERENCE_RUNS) * short.size.depth
    return Need(int(peak), sizes(short.size), SIZES_TO_LOWER, work)


@says
@analysis(_need)
def check(
    subject: Subject | Stack | Problem,
    inputs: ArrayLike | None = None,
    cotangents: ArrayLike | None = None,
    initial_state: StatesLike | None = None,
    *,
    progress: Progress | None = None,
) -> Checked:
    """Compares the engine's ∂L/∂s_t with autograd's and with finite differences, on the first steps.

    Errors are relative: ‖difference‖ / ‖gradient‖ for each layer, step and sequence, the largest of them. What is
    exactly zero must be exactly zero here. Gradients of which rounding alone leaves too little are left out: `compared`
    counts the others. Finite differences are taken on the first 8 steps, in float64, which they need; only those that
    are good enough themselves are compared, or all of them beside their own error where none is.

    Arguments as in `gradlab.trace`. progress is called after every step of every run.
    """
    problem = problem_of(subject, inputs, cotangents, initial_state)
    work = _Work(problem.size, progress)
    run, totals, exact, rounding = _comparable(problem, work)
    dtype = run.problem.stack.dtype.name
    rows = []
    for kind, state in enumerate(CELLS[problem.cell].states):
        whole = _whole(rounding[..., kind], dtype)
        allowed = max(ALLOWED[dtype], ROUNDINGS * rounding[..., kind].max(where=whole, initial=0))
        errors = _errors(totals[..., kind, :], exact[..., kind, :])[whole]
        rows.append(_row("autograd", f"∂L/∂{state}", errors, allowed))
    few = problem.excerpt(FEWEST_STEPS, SEQUENCES, "float64")
    rows += _against_differences(_run(few), work)
    table = pd.DataFrame(rows, columns=list(CHECK_COLUMNS))
    compared = int(table.compared[: rounding.shape[-1]].sum())  # of all states
    sentence = _sentence(problem.size, run.problem.size, compared, rounding.size)
    return Checked(table, run.problem.size, sentence)


def _sentence(asked: Size, run: Size, compared: int, of: int) -> str:
    layers = _("one layer") if run.depth == 1 else _("all {count} layers").format(count=run.depth)
    text = _("Compared on the first {steps} steps of {sequences} sequences, {layers}, in {dtype}.")
    sentences = [text.format(steps=run.steps, sequences=run.sequences, layers=layers, dtype=run.dtype)]
    if run.steps < min(asked.steps, STEPS):
        sentences.append(
            _("Over more steps rounding alone would change the gradients of these settings, or they overflow.")
        )
    if compared < of:
        text = _("Of {few} of {all} gradients rounding leaves too few digits: they are left out.")
        sentences.append(text.format(few=of - compared, all=of))
    return " ".join(sentences)


def _run(problem: Problem) -> _Run:
    loss, keep = sparse(problem.cotangents), ("totals", "a_x_bar")
    return _Run(problem, sweep(problem.stack, problem.inputs, loss, problem.initial_state, keep=keep))


def _comparable(problem: Problem, work: _Work) -> tuple[_Run, ndarray, ndarray, ndarray]:
    """(the longest run of which most can be compared, the engine's totals, autograd's, what rounding alone changes)."""
    steps = min(STEPS, problem.size.steps)
    while True:
        work.plan(steps)
        run = _run(problem.excerpt(steps, SEQUENCES))
        stack, start = run.problem.stack, run.problem.initial_state
        dtype = stack.dtype.name
        with np.errstate(all="ignore"):  # an overflowing network is tried too
            exact = autograd(stack, *run.arrays, start, after_step=work)
            again = autograd(_nudged(stack), *run.arrays, start, rounded=dtype, after_step=work)
            totals = np.stack(
                [times_power(part.totals.astype(np.float64), part.exponents) for part in run.swept.adjoints]
            )
            rounding = _errors(again, exact)
        finite = (run.swept.non_finite == NEVER).all() and all(np.isfinite(g).all() for g in (exact, again, totals))
        if steps <= FEWEST_STEPS or (finite and _whole(rounding, dtype).mean() > MOST):
            return run, totals, exact, rounding
        steps = max(steps // 2, FEWEST_STEPS)


def _whole(rounding: ndarray, dtype: str) -> ndarray:
    """Which gradients have enough digits left to be compared; those that are no numbers are compared too, and fail."""
    return ~(rounding * ROUNDINGS > TOO_MUCH[dtype])


def _nudged(stack: Stack) -> Stack:
    """The stack in float64 with every weight moved to a neighbour in its dtype, up or down; zeros stay."""
    random = np.random.default_rng(0)

    def moved(part: ndarray) -> ndarray:
        towards = part * random.choice(np.array([0.5, 2], part.dtype), part.shape)
        return np.nextafter(part, towards).astype(np.float64)

    return Stack(stack.cell, tuple(Layer(*map(moved, layer)) for layer in stack.layers))


def _errors(computed: ndarray, exact: ndarray) -> ndarray:
    """Relative distances of vectors along the last axis; those that autograd cannot hold are compared beside 1e-290."""
    scale = np.maximum(np.abs(exact).max(axis=-1, keepdims=True), SMALLEST)  # squares of 1e200 leave the range
    return np.linalg.norm((computed - exact) / scale, axis=-1) / np.maximum(np.linalg.norm(exact / scale, axis=-1), 1)


def _against_differences(run: _Run, work: _Work) -> list[tuple]:
    random = np.random.default_rng(0)
    cotangents = run.problem.cotangents
    entered = np.flatnonzero(cotangents.reshape(len(cotangents), -1).any(axis=1))
    last = int(entered[-1]) if len(entered) else 0
    compared: dict[str, list[tuple]] = {"h": [], "a_x": []}
    for layer, adjoints in enumerate(run.swept.adjoints):
        for t in (last - lag for lag in LAGS if lag <= last):
            for into, values in (("h", adjoints.totals[t, :, 0]), ("a_x", adjoints.a_x_bar[t])):
                vectors = times_power(values.astype(np.float64), adjoints.exponents[t]).reshape(len(values), -1)
                direction = random.standard_normal(vectors.shape)
                direction /= np.linalg.norm(direction)
                along = float((vectors * direction).sum())
                nudge = Nudge(layer, t, into, direction)
                start = run.problem.initial_state
                exact = finite_difference(run.problem.stack, *run.arrays, nudge, initial_state=start, after_step=work)
                size = max(float(np.linalg.norm(vectors)), SMALLEST)
                off = abs(along - exact.value)
                compared[into].append((exact.error / size, off / size, max(off - exact.error, 0) / size))
    rows = []
    for into, name in (("h", "∂L/∂h"), ("a_x", "∂L/∂a (pre-activations)")):
        uncertain, off, beyond = np.array(compared[into]).T
        good = uncertain <= ALLOWED_DIFFERENCE
        errors = off[good] if good.any() else beyond  # none is good where gradients are lost beside the loss
        rows.append(_row(N_("finite differences"), name, errors, 2 * ALLOWED_DIFFERENCE))
    return rows


def _row(name: str, quantity: str, errors: ndarray, allowed: float) -> tuple:
    largest = float(errors.max()) if errors.size else 0.0
    return name, quantity, largest, allowed, bool(largest <= allowed), int(errors.size)
