"""Initial weights: spectra of the recurrent weight, gates' biases and parameter counts, as tidy tables.

Columns, `layer` counted from 0 at the bottom and `gate` named as the cell names it:

    singular_values    cell, layer, gate, index, singular_value     of the gate's block of U [H, H], largest first
    eigenvalues        cell, layer, gate, real, imaginary, modulus  of the same block
    gate_biases        cell, layer, gate, unit, effective_bias      b_W + b_U
    parameter_counts   cell, layer, parameter, count                entries of W, U, b_W and b_U

All values are pure numbers. Spectra are computed in float64 whatever the stack's precision; progress is called before
each gate's, and an exception it raises aborts.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab.analyses.memory import weights_bytes
from gradlab.analyses.problem import Need, Problem, analysis, stack_of
from gradlab.cells import CELLS
from gradlab.engine import Progress
from gradlab.engine.progress import silent
from gradlab.network.stack import Layer, Stack, gate_rows
from gradlab.settings.subject import Subject
from gradlab.words.languages import N_

SPECTRUM_WORK = 60  # multiply-adds, times hidden_size³: what a spectrum takes at the pace of a sweep
READS = ("network", "inputs", "input_size", "text", "numerics")  # a text's vocabulary decides how many inputs there are


def _need(problem: Problem) -> Need:
    """The weights, drawn and in float64, and the spectra of one gate after the other."""
    size = problem.size
    gates = len(CELLS[size.cell].pre_activations)
    peak = 2 * weights_bytes(size) + 6 * 8 * size.hidden_size**2
    work = SPECTRUM_WORK * size.depth * gates * size.hidden_size**3
    return Need(peak, f"hidden_size = {size.hidden_size}, depth = {size.depth}", N_("hidden_size or depth"), work)


@analysis(_need, reads=READS)
def singular_values(subject: Subject | Stack | Problem, *, progress: Progress | None = None) -> pd.DataFrame:
    """Singular values of U, per layer and gate; the largest is the spectral norm."""

    def of(layer: Layer, rows: slice) -> dict[str, ndarray]:
        values = np.linalg.svd(layer.U[rows].astype(np.float64), compute_uv=False)
        return {"index": np.arange(len(values)), "singular_value": values}

    return _by_gate(stack_of(subject), of, progress)


@analysis(_need, reads=READS)
def eigenvalues(subject: Subject | Stack | Problem, *, progress: Progress | None = None) -> pd.DataFrame:
    """Eigenvalues of U, per layer and gate; the largest modulus is the spectral radius."""

    def of(layer: Layer, rows: slice) -> dict[str, ndarray]:
        values = np.linalg.eigvals(layer.U[rows].astype(np.float64))
        return {"real": values.real, "imaginary": values.imag, "modulus": np.abs(values)}

    return _by_gate(stack_of(subject), of, progress)


@analysis(reads=READS)
def gate_biases(subject: Subject | Stack | Problem) -> pd.DataFrame:
    """Effective bias of every unit: the sum of PyTorch's two.

    In the GRU's candidate the reset gate r multiplies b_U, so the sum holds where r = 1.
    """

    def of(layer: Layer, rows: slice) -> dict[str, ndarray]:
        sums = layer.b_W[rows].astype(np.float64) + layer.b_U[rows]
        return {"unit": np.arange(len(sums)), "effective_bias": sums}

    return _by_gate(stack_of(subject), of)


@analysis(reads=READS)
def parameter_counts(subject: Subject | Stack | Problem) -> pd.DataFrame:
    """How many parameters each array of each layer holds; they sum to `stack.parameter_count`."""
    stack = stack_of(subject)
    rows = [
        (stack.cell, number, name, size) for number in range(stack.depth) for name, size in stack.sizes(number).items()
    ]
    return pd.DataFrame(rows, columns=["cell", "layer", "parameter", "count"])


def _by_gate(
    stack: Stack, of: Callable[[Layer, slice], dict[str, ndarray]], progress: Progress | None = None
) -> pd.DataFrame:
    """One table of `of(layer, rows of the gate)` over layers and gates."""
    gates = CELLS[stack.cell].pre_activations
    parts = []
    for number, layer in enumerate(stack.layers):
        for gate in gates:
            (progress or silent)(len(parts) / (stack.depth * len(gates)))
            found = of(layer, gate_rows(stack.cell, gate, stack.hidden_size))
            parts.append(pd.DataFrame({"cell": stack.cell, "layer": number, "gate": gate} | found))
    return pd.concat(parts, ignore_index=True)
