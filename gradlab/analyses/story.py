"""What each step of the guided story shows: one network, one control, a tidy table of lines and the numbers it says.

Every network has the settings of `WEIGHTS`, its cell and what the control changes apart: the same seed draws the same
weights, and the same input is read. A step gives a `Step`: its table has one row per line and step, columns
`STORY_COLUMNS`, log10 norms relative to the injected gradient, means over the batch, of the additive state (c where
there is one, else h); -inf is exactly zero.

    weight          one weight, multiplied again and again
    product         many weights: the RNN, the same matrix at every step, and a fresh one at every step
    matrix          two units, whose gradient neither the spectral radius nor the determinant decides
    clipping        an exploding and a vanishing gradient, clipped by norm; what float32 shows of the latter
    gates           one gate of the LSTM held open after another
    routes          the LSTM with a route blocked in the backward pass, and how often the gradient took which
    addition        the LSTM, the same without addition, and the product of its forget gates
    merged          the GRU, whose one state is memory and output, beside the LSTM
    window          what truncation keeps
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab.analyses import itemised
from gradlab.analyses.paths import cut, decompose, gate_statistics, lowest, mean_passes, one_unit, passes_at
from gradlab.analyses.problem import problem_of
from gradlab.analyses.thinning import line_ends
from gradlab.analyses.traces import LAST, trace
from gradlab.analyses.truncation import Schedule, gradient, kept_by, receives, share_by_lag
from gradlab.cells import CELLS
from gradlab.network.stack import Stack, gate_rows
from gradlab.settings.drawing import drawn_stack
from gradlab.settings.experiment import Experiment

STORY_COLUMNS = ("path", "step", "lag", "log10_relative")
WEIGHTS = Experiment(cell="lstm", hidden_size=32, input_size=8, steps=101, batch_size=4)
DRAWS = 64  # of U, over which the same matrix and fresh ones are compared
APART = 1.1  # ratio of mean squares from which the two count as apart
OPEN = 3.0  # bias of a gate that is held open: σ(3) = 0.95
NOTHING, RECURRENT, ADDITION = ROUTES = ("nothing", "U", "addition")
BLOCKED = {RECURRENT: "recurrent", ADDITION: "direct"}  # as `gradlab.paths.cut` calls them
MOST = 0.99  # of the gradient, for which a window is looked for


class Step(NamedTuple):
    """What one step of the story shows."""

    table: pd.DataFrame  # STORY_COLUMNS
    numbers: Mapping[str, float]  # which the sentence says; named in the step's docstring


def weight(w: float, steps: int = WEIGHTS.steps) -> Step:
    """A unit h' = w h. Numbers: lag; left, log10 of the gradient at the first step."""
    units = one_unit(w, 0.5, steps)
    alone = units[units["cell"] == "rnn_linear"].rename(columns={"log10_norm": "log10_relative"})
    table = alone.assign(path="weight")[list(STORY_COLUMNS)].reset_index(drop=True)
    return Step(table, {"lag": steps - 1, "left": _left(table, "weight")})


def product(subject: Experiment) -> Step:
    """The RNN; without tanh, the same U at every step; and a fresh U at every step: root mean squares over draws of U.

    Numbers: lag; left of the RNN, left_same and left_fresh; apart, the lag from which the mean squares of the last two
    are 10 % apart, NaN where they never are; root, √H.
    """
    same, fresh = _same_and_fresh(subject)
    lag = np.arange(len(same))
    lines = [_line("same", lag, same), _line("fresh", lag, fresh)]
    table = _together(_traced(subject.replace(cell="rnn"), "rnn"), *lines)
    beyond = np.flatnonzero(2 * (same - fresh) > math.log10(APART))
    numbers = {"lag": len(same) - 1, "apart": float(beyond[0]) if len(beyond) else math.nan}
    numbers |= {"left": _left(table, "rnn"), "left_same": _left(table, "same"), "left_fresh": _left(table, "fresh")}
    return Step(table, numbers | {"root": math.sqrt(subject.hidden_size)})


def _same_and_fresh(subject: Experiment) -> tuple[ndarray, ndarray]:
    """log10 of the root of E‖Uᵏv‖² over random unit v and draws of U, and of independent U; by lag k."""
    unit, excess = _growth(subject.replace(cell="rnn", gain=1.0))  # pyright: ignore[reportArgumentType]
    fresh = _powers(unit * subject.gain, np.arange(subject.steps))
    return fresh + excess, fresh


@lru_cache(maxsize=8)
def _growth(subject: Experiment) -> tuple[float, ndarray]:
    """What a draw of U does to a random v, root mean square; and log10 of how much more Uᵏ does than its power."""
    draws = [drawn_stack(subject.replace(seed=seed)).layers[0].U for seed in range(DRAWS)]
    U, H = np.stack(draws).astype(np.float64), subject.hidden_size
    unit = math.sqrt((U**2).sum(axis=(1, 2)).mean() / H)
    power, squares = np.broadcast_to(np.eye(H), U.shape), []
    for _ in range(subject.steps):
        squares.append((power**2).sum(axis=(1, 2)).mean() / H)
        power = power @ (U / unit)
    return unit, np.log10(squares) / 2


MATRICES = {  # of two units with ReLU, by what a slider writes
    "0.9 0; 0 0.9": ((0.9, 0.0), (0.0, 0.9)),
    "1 0; 0 1": ((1.0, 0.0), (0.0, 1.0)),
    "1.1 0; 0 1.1": ((1.1, 0.0), (0.0, 1.1)),
    "2 0; 0 0.4": ((2.0, 0.0), (0.0, 0.4)),
    "8 8; -8 -8": ((8.0, 8.0), (-8.0, -8.0)),
}


def matrix(U: Sequence[Sequence[float]], steps: int = WEIGHTS.steps) -> Step:
    """Two units h' = ReLU(U h) from h = (1, 1), no input; with radius^lag and |determinant|^lag beside the gradient.

    Numbers: lag; left; radius and determinant of U.
    """
    recurrent = np.array(U, float)
    layer = drawn_stack(WEIGHTS.replace(cell="rnn_relu", hidden_size=2, input_size=1)).layers[0]
    none = np.zeros_like(layer.b_W)
    stack = Stack("rnn_relu", (layer._replace(U=recurrent, b_W=none, b_U=none),))
    cotangents = np.zeros((steps, 1, 2))
    cotangents[-1] = math.sqrt(0.5)
    computed = trace(stack, np.zeros((steps, 1, 1)), cotangents, np.ones((1, 1, 2))).log10_norm("h")[0, :, 0]
    lag = np.arange(steps)
    radius, determinant = radius_and_determinant(U)
    table = _together(
        _line("gradient", lag, computed[::-1]),
        _line("radius", lag, _powers(radius, lag)),
        _line("determinant", lag, _powers(abs(determinant), lag)),
    )
    numbers = {"lag": steps - 1, "left": _left(table, "gradient"), "radius": radius, "determinant": determinant}
    return Step(table, numbers)


def radius_and_determinant(U: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Spectral radius and determinant of a 2 × 2 matrix, by their formulas: exact where they are 0."""
    (a, b), (c, d) = U
    determinant, half = a * d - b * c, (a + d) / 2
    inside = half * half - determinant
    return (abs(half) + math.sqrt(inside) if inside >= 0 else math.sqrt(determinant)), determinant


THRESHOLDS = {text: float(text) for text in ("0.01", "0.1", "1", "10", "100", *(f"1e{n}" for n in range(3, 8)))}
THRESHOLDS |= {"off": math.inf}


def clipping(subject: Experiment, threshold: float) -> Step:
    """The RNN at gain 4, which explodes, and as it is drawn, each before and after clipping by norm.

    Numbers: factor and factor_vanishing, log10 of what clipping multiplies each gradient by; norm, log10 of the
    exploding parameter gradient; dead, steps at which a float32 norm is 0; zero, those of them whose gradient is 0
    in float32; steps.
    """
    drawn, tables, factors, norm = subject.replace(cell="rnn"), [], {}, math.nan
    for name, rnn in (("exploding", drawn.replace(gain=4.0)), ("vanishing", drawn)):
        of_weights = math.log10(_norm(rnn))
        norm = of_weights if name == "exploding" else norm
        factors[name] = min(0.0, math.log10(threshold) - of_weights)
        before = _traced(rnn, name)
        after = before.assign(path=f"{name} clipped", log10_relative=before["log10_relative"] + factors[name])
        tables += [before, after]
    dead, zero = _dead_in_float32(drawn)
    numbers = {
        "factor": factors["exploding"],
        "factor_vanishing": factors["vanishing"],
        "norm": norm,
        "threshold": threshold,
    }
    return Step(_together(*tables), numbers | {"dead": dead, "zero": zero, "steps": drawn.steps})


def _norm(subject: Experiment) -> float:
    """The norm of the gradient of all parameters together."""
    return math.sqrt(sum(float((part.astype(np.float64) ** 2).sum()) for layer in gradient(subject) for part in layer))


def _dead_in_float32(subject: Experiment) -> tuple[int, int]:
    """At how many steps of the first sequence ‖∂L/∂h_t‖ is 0 in float32, and at how many ∂L/∂h_t is."""
    bars = itemised.vectors(subject.replace(dtype="float32")).states_bar[0, -1, :, 0, 0]
    return int((np.sqrt((bars * bars).sum(axis=-1)) == 0).sum()), int((~bars.any(axis=-1)).sum())


def gates(subject: Experiment, held: str) -> Step:
    """The LSTM as drawn, and with one gate's bias, or the candidate's, at `OPEN`; "none": no gate is held.

    Numbers: lag; left, left_drawn; bias, and open, the gate's σ(bias).
    """
    table = _together(_traced(subject, "drawn"), _held(subject, held))
    numbers = {"lag": subject.steps - 1, "left": _left(table, "held"), "left_drawn": _left(table, "drawn")}
    return Step(table, numbers | {"bias": OPEN, "open": 1 / (1 + math.exp(-OPEN))})


HELD = ("none", *CELLS["lstm"].pre_activations)


def best_held(subject: Experiment) -> dict[str, float]:
    """log10 of what is left, by the gate that is held."""
    return {held: gates(subject, held).numbers["left"] for held in HELD if held != "none"}


def _held(subject: Experiment, held: str) -> pd.DataFrame:
    if held not in HELD:
        raise ValueError(f"held = {held!r} is not allowed: use one of {', '.join(HELD)}")
    problem, stack = problem_of(subject), drawn_stack(subject)
    if held != "none":
        (layer,), rows = stack.layers, gate_rows(stack.cell, held, stack.hidden_size)
        b_W, b_U = layer.b_W.copy(), layer.b_U.copy()
        b_W[rows], b_U[rows] = OPEN, 0.0
        stack = Stack(stack.cell, (layer._replace(b_W=b_W, b_U=b_U),))
    return _of_table(trace(stack, problem.inputs, problem.cotangents).table, "held")


def routes(subject: Experiment, blocked: str) -> Step:
    """The LSTM's gradient by all routes, and with one blocked in the backward pass; "nothing": by all routes too.

    Numbers: lag; left, left_all; through, passes of U on average over all paths; added, the other steps.
    """
    if blocked not in ROUTES:
        raise ValueError(f"blocked = {blocked!r} is not allowed: use one of {', '.join(ROUTES)}")
    without = (BLOCKED[blocked],) if blocked in BLOCKED else ()
    rest = _of_table(cut(subject, without=without, losses=LAST), "blocked")
    table = _together(_traced(subject, "all"), rest)
    passes = passes_at(mean_passes(subject, losses=LAST), subject.steps - 1)
    numbers = {"lag": subject.steps - 1, "left": _left(table, "blocked"), "left_all": _left(table, "all")}
    return Step(table, numbers | {"through": passes.through, "added": passes.additions})


def addition(subject: Experiment) -> Step:
    """The LSTM, the LSTM whose update is squashed, and the product of the LSTM's forget gates: the direct path.

    Numbers: lag; left, left_squashed, left_product; share, of the product in the gradient at the first step.
    """
    parts = lowest(decompose(subject, orders=0, losses=LAST))
    direct = parts[parts["path"] == "direct"]
    squashed = _traced(subject.replace(cell="lstm_squashed"), "squashed")
    table = _together(_traced(subject, "lstm"), squashed, _of_table(direct, "product"))
    numbers = {"lag": subject.steps - 1, "left": _left(table, "lstm"), "left_squashed": _left(table, "squashed")}
    numbers |= {
        "left_product": _left(table, "product"),
        "share": float(direct.loc[direct["step"] == 0, "share"].iloc[0]),
    }
    return Step(table, numbers)


def merged(subject: Experiment) -> Step:
    """The GRU and the LSTM with the same bias of the gate that keeps.

    Numbers: lag; left of the GRU, left_lstm; keeps, the GRU's mean update gate; takes, what is left for new content.
    """
    gru = subject.replace(cell="gru")
    table = _together(_traced(gru, "gru"), _traced(subject.replace(cell="lstm"), "lstm"))
    statistics = gate_statistics(gru)
    keeps = float(statistics.loc[statistics["gate"] == "update", "mean"].mean())
    numbers = {"lag": subject.steps - 1, "left": _left(table, "gru"), "left_lstm": _left(table, "lstm")}
    return Step(table, numbers | {"keeps": keeps, "takes": 1 - keeps})


def window(subject: Experiment, length: int) -> Step:
    """The gradient of the last loss, and what a window of so many steps keeps of it.

    Numbers: steps; kept, the share of all gradient that is inside; needed, the shortest window that keeps 99 %.
    """
    schedule = Schedule("windows", 1, length)
    pairs, whole = itemised.pairs(subject), _traced(subject, "all")
    state = CELLS[subject.cell].states[-1]
    inside = receives(schedule, subject.steps)[-1]
    kept_steps = np.where(inside[whole["step"]], whole["log10_relative"], -np.inf)
    table = _together(whole, whole.assign(path="window", log10_relative=kept_steps))
    shares = share_by_lag(pairs, 0, state)["kept"].to_numpy()
    needed = float(np.flatnonzero(shares >= MOST)[0] + 1)
    kept = float(np.nanmean(kept_by(pairs, schedule, 0, state)))
    return Step(table, {"steps": subject.steps, "kept": kept, "needed": needed})


def named_ends(table: pd.DataFrame, span: Sequence[float], gap: float = 0.09) -> pd.DataFrame:
    """Where the lines end at the first step, as `line_ends`, with labels at least `gap` of the decades in view apart.

    span    decades that are always in view
    """
    values = table.loc[np.isfinite(table["log10_relative"]), "log10_relative"]
    in_view = max(span[1], values.max()) - min(span[0], values.min())
    ends = line_ends(table, gap=gap * in_view / max(float(np.ptp(values)), 2.0))
    return ends[ends["step"] == table["step"].min()].reset_index(drop=True)


def _traced(subject: Experiment, path: str) -> pd.DataFrame:
    return _of_table(trace(subject).table, path)


def _of_table(table: pd.DataFrame, path: str) -> pd.DataFrame:
    """The additive state's rows of a trace's table as a line."""
    return lowest(table).assign(path=path)[list(STORY_COLUMNS)]


def _line(path: str, lag: ndarray, log10: ndarray) -> pd.DataFrame:
    """A line by lag, in the order of the steps."""
    back = lag[::-1]
    return pd.DataFrame({"path": path, "step": lag.max() - back, "lag": back, "log10_relative": log10[::-1]})


def _together(*lines: pd.DataFrame) -> pd.DataFrame:
    return pd.concat(lines, ignore_index=True)


def _powers(factor: float, lag: ndarray) -> ndarray:
    """log10 factor^lag."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(lag == 0, 0.0, lag * np.log10(factor))


def _left(table: pd.DataFrame, path: str) -> float:
    """log10 of what a line has at the first step."""
    return float(table.loc[(table["path"] == path) & (table["step"] == 0), "log10_relative"].iloc[0])
