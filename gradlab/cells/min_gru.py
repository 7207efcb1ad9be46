"""minGRU (Feng et al. 2024, arXiv 2410.01201): gate and candidate see the input alone, nothing recurrent but the sum.

(1)  z  = σ(a_z)                      gate, a = W x + b_W; z near 1 *replaces*
     n  = a_n                         candidate, linear
(2)  h' = (1 - z) h + z n             hidden state: the additive update

There is no U, so the direct path is the whole gradient: ∂h_T/∂h_0 is the diagonal matrix Π (1 - z_t), exactly.
"""

from typing import NamedTuple

from gradlab.cells.activations import sigmoids
from gradlab.cells.states import Hidden


class MinGRU(NamedTuple):
    """The GRU without recurrent weights."""

    title = "minGRU"
    pre_activations = ("update", "candidate")
    without_U = pre_activations
    gates = ("update",)
    keep_gate = ("update", -1)
    record = Hidden
    states = record._fields
    saved = ("update", "candidate", "not_update")

    @staticmethod
    def step(a_x, a_h, state):
        z, not_z = sigmoids(a_x[0])  # (1)
        n = a_x[1]
        h = not_z * state.h + z * n  # (2)
        return Hidden(h), (z, n, not_z)

    @staticmethod
    def adjoint(saved, state, new, new_bar):
        z, n, not_z = saved
        n_bar = new_bar.h * z  # (2)
        z_bar = new_bar.h * (n - state.h)
        a_bar = (z_bar * z * not_z, n_bar)  # (1)
        return a_bar, (0 * new_bar.h, 0 * new_bar.h), Hidden(new_bar.h * not_z), new_bar

    @staticmethod
    def keep(saved, new):
        return saved[2]
