"""Gated recurrent unit that resets before the product (Cho et al. 2014, arXiv 1406.1078; Keras's `reset_after=False`,
ONNX's `linear_before_reset = 0`).

(1)  r, z = σ(a_r), σ(a_z)                            gates, a = (W x + b_W) + (U h + b_U)
(2)  n    = tanh((W_n x + b_Wn) + (U_n (r h) + b_Un)) candidate
(3)  h'   = (1 - z) n + z h                           hidden state: the additive update

Two products with U follow each other in a step: the second needs r, which the first gives. So a step is made in two
halves, each of which is a cell as any other: an affine map, then an elementwise map. p is the half, 0 or 1, a further
input; what a half does not make is multiplied by 0.

(a)  h = r h,  kept = h,  keep = z,  replace = 1 - z      p = 0
(b)  h = replace n + keep kept                            p = 1
"""

from typing import Any, NamedTuple

from gradlab.cells.activations import sigmoids, tanh
from gradlab.cells.states import Hidden


class ResetBeforeGRU(NamedTuple):
    """The GRU of (1) to (3), as weights have it; its halves are run."""

    title = "GRU (reset before)"
    pre_activations = ("reset", "update", "candidate")
    gates = ("reset", "update")
    keep_gate = ("update", 1)
    record = Hidden
    states = record._fields
    saved = ()

    @staticmethod
    def step(a_x, a_h, state):
        raise TypeError("a GRU that resets before the product is run in two halves: gradlab.trace does so")

    @staticmethod
    def adjoint(saved, state, new, new_bar):
        raise TypeError("a GRU that resets before the product is run in two halves: gradlab.trace does so")


class Halfway(NamedTuple):
    """The states between two halves."""

    h: Any
    kept: Any
    keep: Any
    replace: Any


class GRUHalf(NamedTuple):
    """One half of a step."""

    title = "half a step of a GRU"
    pre_activations = ("reset", "update", "candidate", "half")
    without_U = ("half",)
    gates = ("reset", "update")
    record = Halfway
    states = record._fields
    saved = ("reset", "update", "candidate", "half", "not_reset", "not_update", "candidate_slope")

    @staticmethod
    def step(a_x, a_h, state):
        p = a_x[3]
        r, not_r = sigmoids(a_x[0] + a_h[0])  # (1)
        z, not_z = sigmoids(a_x[1] + a_h[1])
        n, n_slope = tanh(a_x[2] + a_h[2])  # (2)
        before = (1 - p) * (r * state.h)  # (a)
        after = p * (state.replace * n + state.keep * state.kept)  # (b), (3)
        new = Halfway(before + after, (1 - p) * state.h, (1 - p) * z, (1 - p) * not_z)
        return new, (r, z, n, p, not_r, not_z, n_slope)

    @staticmethod
    def adjoint(saved, state, new, new_bar):
        r, z, n, p, not_r, not_z, n_slope = saved
        after_bar = p * new_bar.h  # (b)
        before_bar = (1 - p) * new_bar.h  # (a)
        n_bar = after_bar * state.replace
        r_bar = before_bar * state.h
        z_bar = (1 - p) * (new_bar.keep - new_bar.replace)
        a_bar = (r_bar * r * not_r, z_bar * z * not_z, n_bar * n_slope)  # (2) (1)
        h_bar = before_bar * r + (1 - p) * new_bar.kept
        direct = Halfway(h_bar, after_bar * state.keep, after_bar * state.kept, after_bar * n)
        nothing = 0 * new_bar.h  # which half it is, is no quantity
        return (*a_bar, nothing), (*a_bar, nothing), direct, new_bar
