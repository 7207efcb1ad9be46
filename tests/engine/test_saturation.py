"""Saturated units against 60 digits: slopes come from the pre-activation and keep their digits where values lose them.

One unit, so that the gradient is a product of slopes along one path (LSTM, GRU: of a few). The derivative is carried
forward beside the states, by the cells' equations, which share nothing with the engine's adjoint.
"""

import mpmath
import numpy as np
import pytest

from gradlab import Stack, trace
from gradlab.cells import CELLS
from gradlab.network.stack import Layer

pytestmark = pytest.mark.slow

T = 200
BOUND = 1e-11  # decades over 200 steps: a pre-activation of 20 rounded to 2^-52 moves a slope by 9e-15 of itself


def sigma(x):
    return 1 / (1 + mpmath.exp(-x))


def sech2(x):
    return mpmath.sech(x) ** 2


def rnn(a, h, dh, u):
    """(h', dh') of h' = tanh a."""
    return mpmath.tanh(a[0]), sech2(a[0]) * u[0] * dh


def lstm(a, state, d, u):
    """((h', c'), (dh', dc')), a slope of σ being σ(a) σ(-a)."""
    (_, c), (dh, dc) = state, d
    i, f, o, g = sigma(a[0]), sigma(a[1]), sigma(a[3]), mpmath.tanh(a[2])
    di, df, do = (sigma(a[k]) * sigma(-a[k]) * u[k] * dh for k in (0, 1, 3))
    dg = sech2(a[2]) * u[2] * dh
    new = f * c + i * g
    dnew = df * c + f * dc + di * g + i * dg
    return (o * mpmath.tanh(new), new), (do * mpmath.tanh(new) + o * sech2(new) * dnew, dnew)


def gru(a_x, a_h, h, dh, u):
    """(h', dh') with the reset after the product."""
    r, z = sigma(a_x[0] + a_h[0]), sigma(a_x[1] + a_h[1])
    dr, dz = (s * (1 - s) * u[k] * dh for k, s in ((0, r), (1, z)))
    a = a_x[2] + r * a_h[2]
    n, dn = mpmath.tanh(a), sech2(a) * (dr * a_h[2] + r * u[2] * dh)
    return (1 - z) * n + z * h, -dz * n + (1 - z) * dn + dz * h + z * dh


def exact(cell, layer, x):
    """log10 |∂h_T/∂h_0|, and |∂h_T/∂c_0| where there is c, with 60 digits."""
    with mpmath.workdps(60):
        W, U = ([mpmath.mpf(float(v)) for v in part[:, 0]] for part in (layer.W, layer.U))
        b_W, b_U = ([mpmath.mpf(float(v)) for v in part] for part in (layer.b_W, layer.b_U))
        zero, one = mpmath.mpf(0), mpmath.mpf(1)
        state, found = ((zero, zero) if cell == "lstm" else zero), []
        starts = [(one, zero), None] if cell == "lstm" else [one]
        tangents = []
        for t, value in enumerate(x):
            a_x = [w * mpmath.mpf(float(value)) + b for w, b in zip(W, b_W, strict=True)]
            h = state[0] if cell == "lstm" else state
            a_h = [u * h + b for u, b in zip(U, b_U, strict=True)]
            a = [p + q for p, q in zip(a_x, a_h, strict=True)]
            step = {
                "rnn": lambda s, d, a=a: rnn(a, s, d, U),
                "lstm": lambda s, d, a=a: lstm(a, s, d, U),
                "gru": lambda s, d, a_x=a_x, a_h=a_h: gru(a_x, a_h, s, d, U),
            }[cell]
            nothing = (zero, zero) if cell == "lstm" else zero
            after = step(state, nothing)[0]
            if t == 0:
                tangents = starts
                if cell == "lstm":  # c of a step reaches the loss also through h of the step
                    tangents[1] = (sigma(a[3]) * sech2(after[1]), one)
            else:
                tangents = [step(state, tangent)[1] for tangent in tangents]
            state = after
        for tangent in tangents:
            found.append(float(mpmath.log10(abs(tangent[0] if cell == "lstm" else tangent))))
        return found


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_sixty_saturated_units_agree_with_sixty_digits(cell):
    worst = 0.0
    for seed in range(60 if cell == "rnn" else 20):
        random = np.random.default_rng(seed)
        gates = len(CELLS[cell].pre_activations)
        size = random.uniform(1, 20 if cell == "rnn" else 8)
        W, U = (size * random.uniform(0.5, 1.5, (gates, 1)) * random.choice([-1, 1], (gates, 1)) for _ in range(2))
        layer = Layer(W, U, random.uniform(-2, 2, gates), np.zeros(gates))
        x = random.standard_normal((T, 1, 1))
        cotangents = np.zeros((T, 1, 1))
        cotangents[-1] = 1
        found = trace(Stack(cell, (layer,)), x, cotangents).log10_norms[0, 0, 0]
        worst = max(worst, *np.abs(found - exact(cell, layer, x[:, 0, 0])))
    assert worst < BOUND
