"""A weight of 0: the formula is 1 at lag 0 and exactly 0 from there on, and the engine agrees."""

import numpy as np
from gradlab.paths import one_unit


def test_a_weight_of_zero_keeps_the_gradient_at_lag_0_alone():
    table = one_unit(0.0, 0.5, 4)
    alone = table[table["cell"] == "rnn_linear"].sort_values("lag")
    for column in ("log10_norm", "log10_formula"):
        assert alone[column].to_list() == [0.0, -np.inf, -np.inf, -np.inf]
