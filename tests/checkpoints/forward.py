"""The outputs of a stack or a net by the engine, beside which tests put those of the framework that wrote the file."""

import numpy as np

from gradlab.analyses.nets import in_halves
from gradlab.engine import outputs
from gradlab.network.stack import Net, Stack


def forward(network, inputs):
    """h of the top level, [T, B, outputs], of inputs [T, B, X] in the network's dtype."""
    x = np.ascontiguousarray(inputs, network.dtype)
    if isinstance(network, Stack):
        return outputs(network, x)[0]
    assert isinstance(network, Net)
    for level in network.levels:
        x = np.ascontiguousarray(np.concatenate([of_part(part, x) for part in level], axis=2))
    return x


def of_part(part, x):
    x = x[::-1] if part.reverse else x
    if part.projection is not None:
        x = np.concatenate([x, np.zeros((*x.shape[:2], part.output_size), x.dtype)], axis=2)
    if part.in_halves:
        x, _, _ = in_halves(np.ascontiguousarray(x), (), None)
        h = outputs(part.stack, x)[0][1::2]
    else:
        h = outputs(part.stack, np.ascontiguousarray(x))[0]
    h = h if part.projection is None else h @ part.projection.T
    return h[::-1] if part.reverse else h
