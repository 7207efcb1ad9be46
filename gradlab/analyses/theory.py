"""What theory predicts of growth, memory and gates, to draw beside what is measured.

    log_spectral_radius, log_spectral_norm     of one U: growth of a linear or dying network, and a bound
    mean_field, critical_gain                  the random tanh network, without and with input
    mean_field_of, band                        the same for a network's own weights; what networks of its size scatter
    critical_gain_lstm, critical_gain_gru      gated networks near the origin
    half_life, chrono_moment, uniform_gate_moment, ring_moment        how long gates and rings keep
    shared_steps                               how long one shared matrix goes as fresh ones do
    memory_variance, memory_sensitivity, normalised_sensitivity       the curse of memory (measured: `remembering`)

Each function says where it holds and where it comes from: `LAWS[name].holds` and `.source`. Exponents are in nats a
step. Integrals over a normal number are sums over a fine grid, exact to some 10 digits.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple, ParamSpec, TypeVar

import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab.analyses.arguments import whole_number
from gradlab.analyses.jacobians.lyapunov import lyapunov_exponents
from gradlab.analyses.problem import Problem, without_loss
from gradlab.engine import Progress
from gradlab.engine.progress import part_of, silent
from gradlab.network.arrays import ArrayLike
from gradlab.network.stack import Layer, Stack
from gradlab.settings.subject import Subject
from gradlab.words.languages import N_

P = ParamSpec("P")
R = TypeVar("R")

BAND_COLUMNS = ("seed", "exponent")
HIGHEST_GAIN = 100.0
_GRID = np.linspace(-20, 20, 20_001)
_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(400)


class Law(NamedTuple):
    """Where a prediction holds, and where it comes from."""

    holds: str
    source: str


LAWS: dict[str, Law] = {}


def _law(holds: str, source: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    def register(function: Callable[P, R]) -> Callable[P, R]:
        LAWS[function.__name__] = Law(holds, source)
        return function

    return register


# One matrix


@_law(
    "exact for a linear RNN as T grows, and for a tanh RNN without input or bias whose state dies",
    "∂h_T/∂h_t = U^(T-t), whose growth is Gelfand's formula",
)
def log_spectral_radius(U: ndarray) -> float:
    """ln ρ(U) of a square matrix: the largest exponent; -inf for a nilpotent one."""
    with np.errstate(divide="ignore"):
        return float(np.log(np.abs(np.linalg.eigvals(_square(U))).max()))


@_law("a bound, at any time and input, of h' = φ(W x + U h + b) with |φ'| ≤ 1", "Pascanu et al. 2013, eq. 6 and 7")
def log_spectral_norm(U: ndarray) -> float:
    """ln σ_max(U) of a square matrix, which no exponent exceeds."""
    with np.errstate(divide="ignore"):
        return float(np.log(np.linalg.norm(_square(U), 2)))


@_law(
    "the number of steps, not its factor: U of independent N(0, g²/H) entries",
    "moments of powers of one Ginibre matrix against products of independent ones (Akemann & Burda 2012)",
)
def shared_steps(hidden_size: int) -> float:
    """√H: after about so many steps E‖U^k v‖² of one shared matrix leaves the g^2k of fresh ones."""
    return float(np.sqrt(whole_number("hidden_size", hidden_size, 1)))


# The random tanh network


class MeanField(NamedTuple):
    """The stationary random tanh network of infinite size."""

    variance: float  # q, of a pre-activation
    exponent: float  # λ_1, nats a step


@_law(
    "H → ∞, U of independent entries of variance g²/H; networks of finite size are calmer, most of all at g near 1: "
    "see `band`. Without input below g = 1 the state dies and λ_1 is ln ρ(U) of that very matrix",
    "Molgedey et al. 1992; Sompolinsky et al. 1988 in continuous time",
)
def mean_field(gain: float, strength: float = 0.0) -> MeanField:
    """q = g² E tanh²(√q z) + s² and λ_1 = ½ ln(g² E sech⁴(√q z)), z ~ N(0, 1).

    gain        g: U has independent entries of mean 0 and variance g²/H
    strength    s: standard deviation of W x + b, of each unit independent

    Raises ValueError for a gain or strength below 0 or not finite.
    """
    _not_negative("gain", gain)
    _not_negative("strength", strength)
    return _mean_field(float(gain), float(strength))


@lru_cache(maxsize=4096)
def _mean_field(gain: float, strength: float) -> MeanField:
    if gain <= 1 and strength == 0:
        return MeanField(0.0, float(np.log(gain)) if gain else -np.inf)

    def excess(q: float) -> float:
        return gain**2 * _mean_square_of_tanh(q) + strength**2 - q

    # the right side over q falls: one root beside 0, between any q at which it is above and the bound
    high = gain**2 + strength**2
    q = _bisected(excess, strength**2 or _first_above(excess, high), high)
    with np.errstate(divide="ignore"):
        return MeanField(q, float(0.5 * np.log(gain**2 * _mean_power_of_sech(q, 4))))


def _mean_square_of_tanh(q: float) -> float:
    """E tanh²(√q z), z ~ N(0, 1)."""
    if q > 1:
        return 1 - _mean_power_of_sech(q, 2)
    return float((_normal(_GRID) * np.tanh(np.sqrt(q) * _GRID) ** 2).sum())


def _mean_power_of_sech(q: float, power: int) -> float:
    """E sech^power(√q z), z ~ N(0, 1): on a grid as narrow as the integrand."""
    scale = max(np.sqrt(q), 1.0)
    u = np.sqrt(q) / scale * _GRID
    sech = np.exp(np.log(2) - np.logaddexp(u, -u))
    return float((_normal(_GRID / scale) / scale * sech**power).sum())


def _normal(z: ndarray) -> ndarray:
    """The density of a standard normal number, times the distance of the grid's points."""
    return np.exp(-(z**2) / 2) * ((_GRID[1] - _GRID[0]) / np.sqrt(2 * np.pi))


def _first_above(excess: Callable[[float], float], high: float) -> float:
    """A q below the root, at which the excess is above 0."""
    low = high
    while excess(low) <= 0:
        low /= 2
    return low


@_law(N_("as `mean_field`; without input it is 1"), N_("Molgedey et al. 1992: input suppresses chaos"))
def critical_gain(strength: float = 0.0) -> float:
    """The gain at which λ_1 of `mean_field` is 0, for a strength of what enters; ValueError beyond a gain of 100."""
    _not_negative("strength", strength)
    if strength == 0:
        return 1.0
    if mean_field(HIGHEST_GAIN, strength).exponent < 0:
        raise ValueError(f"strength = {strength} keeps a network of any gain to {HIGHEST_GAIN:g} calm: lower it")
    return _bisected(lambda gain: -mean_field(gain, strength).exponent, 1.0, HIGHEST_GAIN)


def mean_field_of(
    subject: Subject | Stack | Problem, inputs: ArrayLike | None = None, *, sequence: int = 0
) -> MeanField:
    """`mean_field` at the gain and strength of a one-layer tanh RNN's own weights, inputs and biases.

    g² = Σ U_ij² / H, s² the mean square of W x_t + b over units and steps. Raises ValueError for another network.
    """
    problem = without_loss(subject, inputs)
    stack, sequence = problem.stack, whole_number("sequence", sequence, 0, problem.size.sequences - 1)
    if stack.cell != "rnn" or stack.depth > 1:
        raise ValueError(f"{stack!r}: mean-field theory is of one layer of the tanh RNN; measure other networks")
    W, U, b_W, b_U = (part.astype(np.float64) for part in stack.layers[0])
    entering = problem.inputs[:, sequence] @ W.T + (b_W + b_U)
    return mean_field(float(np.sqrt((U**2).sum() / len(U))), float(np.sqrt((entering**2).mean())))


def band(
    gain: float,
    strength: float = 0.0,
    *,
    hidden_size: int = 64,
    steps: int = 600,
    seeds: int = 20,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """λ_1 of random tanh networks of the present size, measured: one row per seed, columns `BAND_COLUMNS`.

    The first third of the steps settles the state. What a finite network does is drawn by the quantiles of this, never
    by the asymptote of `mean_field` alone. Raises ValueError for sizes below 1.
    """
    _not_negative("gain", gain)
    _not_negative("strength", strength)
    H, T = whole_number("hidden_size", hidden_size, 1), whole_number("steps", steps, 3)
    rows, report = [], progress or silent
    for seed in range(whole_number("seeds", seeds, 1)):
        random = np.random.default_rng(seed)
        U = gain / np.sqrt(H) * random.standard_normal((H, H))
        W = strength * np.eye(H) if strength else np.zeros((H, 1))
        stack = Stack("rnn", (Layer(W, U, np.zeros(H), np.zeros(H)),))
        inputs, start = random.standard_normal((T, 1, W.shape[1])), random.standard_normal((1, 1, H))
        part = part_of(report, seed / seeds, (seed + 1) / seeds)
        rows.append((seed, lyapunov_exponents(stack, inputs, start, 1, T // 3, progress=part)[0]))
    return pd.DataFrame(rows, columns=list(BAND_COLUMNS))


# Gated networks near the origin


@_law(
    N_("H → ∞, no input, h = c = 0, biases the same for all units: beyond it the origin is unstable"),
    N_("linearization: c' = (σ(b_f) + σ(b_i) σ(b_o) U_g) c; Can et al. 2020"),
)
def critical_gain_lstm(forget_bias: float, input_bias: float = 0.0, output_bias: float = 0.0) -> float:
    """Gain of the candidate's U at which an LSTM's origin loses its stability: 4 (1 - σ(b_f)) at other biases of 0."""
    return float(_sigmoid(-forget_bias) / (_sigmoid(input_bias) * _sigmoid(output_bias)))


@_law(
    N_("H → ∞, no input, h = 0, biases the same for all units: beyond it the origin is unstable, whatever keeps"),
    N_("linearization: h' = (z + (1 - z) σ(b_r) U_n) h; Can et al. 2020"),
)
def critical_gain_gru(reset_bias: float = 0.0) -> float:
    """Gain of the candidate's U at which the origin of a GRU loses its stability, 1/σ(b_r): 2 at a bias of 0."""
    return float(1 / _sigmoid(reset_bias))


# How long gates and rings keep


@_law("the direct path of a gate at rest, recurrent weights and input 0", "c_T = σ(b)^T c_0")
def half_life(bias: float) -> float:
    """Steps after which a gate with this bias has kept half: ln 2 / -ln σ(b); inf where σ(b) is 1."""
    decay = float(np.logaddexp(0, -bias))  # -ln σ(b)
    return float(np.log(2) / decay) if decay else np.inf


@_law("gates at rest, biases b_f = ln U(1, T - 1)", "Tallec & Ollivier 2018, section 2")
def chrono_moment(lag: int, steps: int) -> float:
    """E f^lag of chrono gates for sequences of so many steps T, from 3: f = u/(1 + u), u uniform on 1 to T - 1."""
    lag, steps = whole_number("lag", lag, 0), whole_number("steps", steps, 3)
    top = np.log(steps - 1)
    v = top * (_NODES + 1) / 2  # u = exp v
    kept = np.exp(v - lag * np.logaddexp(0, -v))
    return float(top / 2 * (_NODE_WEIGHTS * kept).sum() / (steps - 2))


@_law("gates at rest; about 1/(lag + 1) where lag is far below H: a power law and not an exponential", "Gu et al. 2020")
def uniform_gate_moment(lag: int, hidden_size: int) -> float:
    """E f^lag of gates that are uniform on 1/H to 1 - 1/H, H from 3."""
    lag, H = whole_number("lag", lag, 0), whole_number("hidden_size", hidden_size, 3)
    return float(((1 - 1 / H) ** (lag + 1) - (1 / H) ** (lag + 1)) / ((lag + 1) * (1 - 2 / H)))


@_law("eigenvalues spread evenly over the area of the ring", "Orvieto et al. 2023, lemma 3.2")
def ring_moment(lag: int, low: float = 0.9, high: float = 0.999) -> float:
    """E |λ|^lag of eigenvalues on a ring, 0 ≤ low < high."""
    lag = whole_number("lag", lag, 0)
    if not 0 <= low < high < np.inf:
        raise ValueError(f"low = {low} and high = {high} are no ring: use 0 ≤ low < high")
    return float(2 / (lag + 2) * (high ** (lag + 2) - low ** (lag + 2)) / (high**2 - low**2))


# The curse of memory: h' = λ h + x, x white of variance 1


_CURSE = "Zucchet & Orvieto 2024, arXiv 2405.21064"


@_law("stationary, |λ| < 1, white input of variance 1", _CURSE)
def memory_variance(eigenvalue: float) -> float:
    """E h² = 1/(1 - λ²) of h' = λ h + x."""
    return 1 / _room(eigenvalue)


@_law("stationary, |λ| < 1, white input of variance 1", _CURSE)
def memory_sensitivity(eigenvalue: float) -> float:
    """E (dh/dλ)² = (1 + λ²)/(1 - λ²)³ of h' = λ h + x: it explodes as λ nears 1, though nothing explodes in h."""
    return (1 + eigenvalue**2) / _room(eigenvalue) ** 3


@_law("stationary, 0 < λ < 1, white input of variance 1; tends to ½ as λ nears 1", _CURSE)
def normalised_sensitivity(eigenvalue: float) -> float:
    """E (dh/dν)² of h' = λ h + γ x with γ = √(1 - λ²), which is held, and λ = exp(-exp ν): what the remedies leave."""
    if not 0 < eigenvalue < 1:
        raise ValueError(f"eigenvalue = {eigenvalue} is not allowed: use a number between 0 and 1, without these two")
    slope = eigenvalue * np.log(eigenvalue)  # dλ/dν
    return float(slope**2 * _room(eigenvalue) * memory_sensitivity(eigenvalue))


def _room(eigenvalue: float) -> float:
    """1 - λ². Raises ValueError where nothing is stationary."""
    if not abs(eigenvalue) < 1:
        raise ValueError(f"eigenvalue = {eigenvalue} is not allowed: use a number between -1 and 1, without these two")
    return (1 - eigenvalue) * (1 + eigenvalue)


def _square(U: ndarray) -> ndarray:
    values = np.asarray(U, np.float64)
    if values.ndim != 2 or values.shape[0] != values.shape[1] or not values.size or not np.isfinite(values).all():
        raise ValueError(f"U has shape {values.shape}: use a square matrix of finite numbers")
    return values


def _not_negative(name: str, value: float) -> None:
    if not 0 <= value < np.inf:
        raise ValueError(f"{name} = {value} is not allowed: use a finite number from 0")


def _sigmoid(a: float) -> float:
    return float(np.exp(-np.logaddexp(0, -a)))


def _bisected(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function that is above 0 at `low` and not at `high` passes 0."""
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) > 0 else (low, middle)
    return (low + high) / 2
