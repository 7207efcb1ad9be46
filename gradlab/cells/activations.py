"""The elementwise functions in which cells are written.

A cell's `step` and `adjoint` are plain formulas in ``+ - *`` and the four functions below. They run on anything that
has the methods: torch tensors (the autograd reference) do; the compiled kernels put their own versions in place
(`gradlab.engine.elementary`), which work on a vector of units at a time.
"""


def sigmoid(x):
    """1 / (1 + e^-x)."""
    return x.sigmoid()


def tanh(x):
    """Hyperbolic tangent."""
    return x.tanh()


def relu(x):
    """max(x, 0)."""
    return x.relu()


def is_positive(x):
    """1 where x > 0, else 0: the derivative of `relu`, at 0 taken as 0, as in PyTorch; NaN where x overflowed."""
    return (x > 0) * 1 + 0 * x
