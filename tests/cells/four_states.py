"""A cell of four states for tests: the sLSTM (Beck et al. 2024, arXiv 2405.04517), without its block structure.

(1)  i, f = e^{a_i}, e^{a_f}                      gates without a bound, a = (W x + b_W) + (U h + b_U)
     z    = tanh(a_z),  o = σ(a_o)                candidate, output gate
(2)  m'   = max(a_f + m, a_i)                     stabilizer: i and f are kept times e^-m'
(3)  i'   = e^{a_i - m'},  f' = e^{a_f + m - m'}  both at most 1
(4)  c'   = f' c + i' z                           cell state
(5)  n'   = f' n + i'                             normalizer
(6)  h'   = o c' / n'                             hidden state

(c, n, m) and (c / s, n / s, m + ln s) are the same state for any s, so ∂L/∂m = c ∂L/∂c + n ∂L/∂n exactly, of states
taken as independent; and the total at m', which has what c' and n' pass on to it, is zero.
"""

from typing import Any, NamedTuple

from gradlab.cells.activations import is_positive, relu, sigmoids, tanh


class Stabilized(NamedTuple):
    """Hidden state, cell state, normalizer and stabilizer: each passes to later ones within the step."""

    h: Any
    c: Any
    n: Any
    m: Any


class SLSTM(NamedTuple):
    """The LSTM with exponential gates."""

    title = "sLSTM"
    pre_activations = ("input", "forget", "candidate", "output")
    gates = ("output",)
    record = Stabilized
    states = record._fields
    saved = ("input", "forget", "candidate", "output", "ratio", "is_kept")

    @staticmethod
    def step(a_x, a_h, state):
        z, _ = tanh(a_x[2] + a_h[2])  # (1)
        o, _ = sigmoids(a_x[3] + a_h[3])
        log_i = a_x[0] + a_h[0]
        log_f = a_x[1] + a_h[1] + state.m
        above = log_f - log_i
        m = log_i + relu(above)  # (2)
        i, not_i = sigmoids(log_i - m)  # (3)  e^x = σ(x) / σ(-x)
        f, not_f = sigmoids(log_f - m)
        i, f = i / not_i, f / not_f
        c = f * state.c + i * z  # (4)
        n = f * state.n + i  # (5)
        h = o * (c / n)  # (6)
        return Stabilized(h, c, n, m), (i, f, z, o, c / n, is_positive(above))

    @staticmethod
    def adjoint(saved, state, new, new_bar):
        i, f, z, o, ratio, is_kept = saved
        o_bar = new_bar.h * ratio  # (6)
        c_bar = new_bar.c + new_bar.h * o / new.n
        n_bar = new_bar.n - new_bar.h * o * ratio / new.n
        log_i_bar = (c_bar * z + n_bar) * i  # (5) (4) (3)
        log_f_bar = (c_bar * state.c + n_bar * state.n) * f
        m_bar = new_bar.m - log_i_bar - log_f_bar
        a_i_bar = log_i_bar + m_bar * (1 - is_kept)  # (2)
        a_f_bar = log_f_bar + m_bar * is_kept
        a_bar = (a_i_bar, a_f_bar, c_bar * i * (1 - z * z), o_bar * o * (1 - o))  # (1)
        state_bar = Stabilized(0 * new_bar.h, c_bar * f, n_bar * f, a_f_bar)
        return a_bar, a_bar, state_bar, Stabilized(new_bar.h, c_bar, n_bar, m_bar)


class WithoutHToC(NamedTuple):
    """The sLSTM whose h passes nothing on to c and n: for autograd alone."""

    title = "sLSTM without h to c"
    pre_activations, gates, record, states, saved = SLSTM.pre_activations, (), Stabilized, SLSTM.states, SLSTM.saved
    adjoint = SLSTM.adjoint

    @staticmethod
    def step(a_x, a_h, state):
        new, saved = SLSTM.step(a_x, a_h, state)
        return new._replace(h=saved[3] * (new.c / new.n).detach()), saved
