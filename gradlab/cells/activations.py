"""The elementwise functions in which cells are written.

A cell's `step` and `adjoint` are plain formulas in ``+ - *`` and the four functions below. They run on anything that
has the methods: torch tensors (the autograd reference) do; the compiled kernels put their own versions in place
(`gradlab.engine.elementary`), which work on a vector of units at a time.

Slopes come from the pre-activation, not from the value: where σ or tanh is near 1, its value has lost the digits that
1 - σ and 1 - tanh² are made of. 1 - tanh² = sech² of the pre-activation keeps all of them.
"""


def sigmoids(x):
    """(σ(x), σ(-x)) with σ(x) = 1 / (1 + e^-x): they sum to 1, and σ(x) σ(-x) is the slope."""
    return x.sigmoid(), (-x).sigmoid()


def tanh(x):
    """(tanh x, sech² x): the value and its slope, 1 - tanh²."""
    return x.tanh(), 4 * (2 * x).sigmoid() * (-2 * x).sigmoid()


def relu(x):
    """max(x, 0)."""
    return x.relu()


def is_positive(x):
    """1 where x > 0, else 0: the derivative of `relu`, at 0 taken as 0, as in PyTorch; NaN where x overflowed."""
    return (x > 0) * 1 + 0 * x
