"""Theory beside measurement: `python -m benchmarks.theory [--seeds 10]` prints a table in markdown.

A line a law: the cell and its initialization, what `gradlab.theory` predicts, what networks of several seeds measure
(mean ± standard deviation over seeds) and whether both agree: the prediction lies within twice the seeds' standard
error, or within that and .01, which is what networks of 512 units are apart from infinitely large ones.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from gradlab.jacobians import lyapunov_exponents, step_jacobians

from gradlab import theory
from gradlab.analyses.remembering import curse_of_memory, normalised_memory
from gradlab.cells import CELLS
from gradlab.network.stack import Layer, Stack, gate_rows
from gradlab.settings.experiment import Experiment

FINITE = 0.01
H, STEPS = 512, 600


class Line(NamedTuple):
    """One law: its quantity, the predictions (one for all seeds, or one a seed) and what was measured, one a seed."""

    network: str
    quantity: str
    predicted: Sequence[float]
    measured: Sequence[float]
    finite: float = 0.0  # how far apart a network of this size may be

    @property
    def text(self) -> str:
        apart = np.mean(self.measured) - np.mean(self.predicted)
        spread = np.std(np.subtract(self.measured, self.predicted), ddof=1)  # of each seed from its own prediction
        error = spread / np.sqrt(len(self.measured))
        verdict = (
            "yes" if abs(apart) <= 2 * error + self.finite else f"no: {apart:+.2g}, {abs(apart) / error:.0f} errors"
        )
        measured = f"{np.mean(self.measured):.4g} ± {np.std(self.measured, ddof=1):.2g}"
        return f"| {self.network} | {self.quantity} | {np.mean(self.predicted):.4g} | {measured} | {verdict} |"


def random_tanh(seeds: int) -> Iterator[Line]:
    """λ₁ of the random tanh network, without and with input, large and small."""
    for size, gain, strength in (
        (H, 0.8, 0.0), (H, 1.1, 0.0), (H, 1.5, 0.0), (H, 3.0, 0.0), (H, 5.0, 0.0), (64, 1.5, 0.0), (H, 1.5, 1.0),
    ):  # fmt: skip
        found = theory.band(gain, strength, hidden_size=size, steps=STEPS, seeds=seeds)["exponent"]
        entering = f", white input of strength {strength:g}" if strength else ""
        predicted = [theory.mean_field(gain, strength).exponent] * seeds
        if gain < 1:  # the state dies, and what is left is that very matrix, which `band` draws first
            drawn = (np.random.default_rng(seed).standard_normal((size, size)) for seed in range(seeds))
            predicted = [theory.log_spectral_radius(gain / np.sqrt(size) * U) for U in drawn]
        yield Line(f"tanh RNN, Gaussian g = {gain:g}, H = {size}{entering}", "λ₁", predicted, [*found], FINITE)


def drawn(seeds: int) -> Iterator[Line]:
    """λ₁ of networks as frameworks draw them, driven by noise, beside mean-field theory at their own weights' size."""
    for name, gain in (("pytorch", 1.0), ("keras", 1.0), ("gaussian", 1.5), ("orthogonal", 1.5)):
        base = Experiment(cell="rnn", initialization=name, gain=gain, hidden_size=256, steps=STEPS, batch_size=1)
        experiments = [base.replace(seed=seed) for seed in range(seeds)]
        predicted = [theory.mean_field_of(one).exponent for one in experiments]
        measured = [lyapunov_exponents(one, count=1, discard=STEPS // 3)[0] for one in experiments]
        yield Line(f"tanh RNN, {name} × {gain:g}, H = 256, driven", "λ₁", predicted, measured, FINITE)


def near_the_origin(seeds: int) -> Iterator[Line]:
    """Gated networks at the gain at which theory has their origin lose its stability: a spectral radius of 1."""
    laws = (("lstm", "forget", theory.critical_gain_lstm), ("gru", "reset", theory.critical_gain_gru))
    for cell, gate, critical in laws:
        for bias in (0.0, 1.0, 3.0):
            radii = [_origin_radius(cell, critical(bias), {gate: bias}, seed) for seed in range(seeds)]
            network = f"{CELLS[cell].title}, Gaussian, {gate} bias {bias:g}, H = {H}, gain {critical(bias):.3f}"
            yield Line(network, "spectral radius at h = c = 0", [1.0] * seeds, radii, 0.05)


def _origin_radius(cell: str, gain: float, biases: dict[str, float], seed: int) -> float:
    random, gates = np.random.default_rng(seed), CELLS[cell].pre_activations
    blocks = [random.standard_normal((H, H)) / np.sqrt(H) * (gain if gate == "candidate" else 1) for gate in gates]
    bias = np.repeat([biases.get(gate, 0.0) for gate in gates], H)
    stack = Stack(cell, (Layer(np.zeros((len(bias), 1)), np.concatenate(blocks), bias, 0 * bias),))
    return float(np.abs(np.linalg.eigvals(step_jacobians(stack, np.zeros((1, 1, 1)))[0])).max())


def gates(seeds: int) -> Iterator[Line]:
    """Gates at rest: half-lives, and the mean power of drawn gates."""
    for bias in (1.0, 3.0, 5.0):
        base = Experiment(cell="lstm", initialization="zeros", keep_bias=bias, hidden_size=8, steps=200, batch_size=1)
        for driven in (False, True):  # the law is of gates at rest
            halves = [_half_life(base.replace(seed=seed), driven) for seed in range(seeds)]
            name = f"LSTM, zeros, forget bias {bias:g}, {'driven by noise' if driven else 'at rest'}"
            yield Line(name, "half-life, steps", [theory.half_life(bias)] * seeds, halves, 1e-6)
    laws: tuple[tuple[str, Callable[[int], float]], ...] = (
        ("chrono", partial(theory.chrono_moment, steps=200)),
        ("uniform_gate", partial(theory.uniform_gate_moment, hidden_size=H)),
    )
    for name, law in laws:
        base = Experiment(cell="lstm", initialization=name, hidden_size=H, steps=200, batch_size=1)
        for lag in (10, 100):
            kept = [(_at_rest(base.replace(seed=seed)) ** lag).mean() for seed in range(seeds)]
            yield Line(f"LSTM, {name}, H = {H}, T = 200", f"mean f to the {lag}", [law(lag)] * seeds, kept)
    ring = Experiment(cell="rnn", initialization="ring", hidden_size=H, batch_size=1)
    for lag in (10, 100):
        moduli = [np.abs(np.linalg.eigvals(ring.replace(seed=seed).network().layers[0].U)) for seed in range(seeds)]
        kept = [(found**lag).mean() for found in moduli]
        yield Line(f"RNN, ring, H = {H}", f"mean |λ| to the {lag}", [theory.ring_moment(lag)] * seeds, kept)


def _half_life(experiment: Experiment, driven: bool) -> float:
    stack, steps = experiment.network(), experiment.steps
    noise = np.random.default_rng(experiment.seed).standard_normal((steps, 1, stack.input_size))
    return -np.log(2) / lyapunov_exponents(stack, driven * noise, count=1)[0]


def _at_rest(experiment: Experiment) -> np.ndarray:
    layer = experiment.network().layers[0]
    return 1 / (1 + np.exp(-(layer.b_W + layer.b_U)[gate_rows("lstm", "forget", experiment.hidden_size)]))


def shared(seeds: int) -> Iterator[Line]:
    """Where one matrix again and again leaves fresh ones: the mean square of what it makes of a vector has doubled."""
    for size, draws in ((64, 400), (256, 60)):
        steps = [_doubled(size, range(draws * seed, draws * (seed + 1))) for seed in range(seeds)]
        yield Line(f"linear, one shared Gaussian U, H = {size}", "steps until it leaves fresh ones, about √H",
                   [theory.shared_steps(size)] * seeds, steps, theory.shared_steps(size))  # fmt: skip


def _doubled(size: int, draws: range) -> float:
    squares = np.zeros(8 * size)
    for seed in draws:
        U = np.random.default_rng(seed).standard_normal((size, size)) / np.sqrt(size)
        v, growth = np.eye(size)[0], []
        for _ in squares[: 4 * int(np.sqrt(size))]:
            v = U @ v
            growth.append(v @ v)
        squares[: len(growth)] += growth
    return float(np.argmax(squares > 2 * len(draws)) + 1)


def memory(seeds: int) -> Iterator[Line]:
    """The curse of memory and its remedy, by the engine."""
    for measure in (curse_of_memory, normalised_memory):
        tables = [measure([0.9, 0.99], seed=seed) for seed in range(seeds)]
        for row in tables[0].index:
            eigenvalue, quantity, predicted = (
                tables[0].loc[row, name] for name in ("eigenvalue", "quantity", "predicted")
            )
            measured = [table.loc[row, "measured"] for table in tables]
            name = "h′ = λh + x" if measure is curse_of_memory else "h′ = λh + √(1 − λ²) x"
            yield Line(f"{name}, λ = {eigenvalue:g}", quantity, [predicted] * seeds, measured)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    seeds = parser.parse_args().seeds
    print("| cell, initialization | quantity | predicted | measured ± over seeds | agree |\n|---|---|---|---|---|")
    for part in (random_tanh, drawn, near_the_origin, gates, shared, memory):
        for line in part(seeds):
            print(line.text, flush=True)


if __name__ == "__main__":
    main()
