"""What is said of many seeds: ranges and pairs of numbers that are known."""

import numpy as np

from gradlab.analyses.seeds import OverSeeds, over_seeds
from gradlab.settings.experiment import Experiment
from gradlab.words import seeds
from gradlab.words.numbers import number


def of(cell: str, *arriving: float, first: int = 0) -> OverSeeds:
    nothing = np.zeros((1, 1, len(arriving), 1))
    return OverSeeds(cell, tuple(range(first, first + len(arriving))), nothing, nothing, np.array(arriving))


def test_the_spread_is_from_the_least_to_the_most_of_every_cell():
    assert seeds.spread([of("rnn", -3.0, -20.0, -4.0), of("lstm", -1.0, -1.0, -1.0)]) == (
        f"Over 3 seeds (0 to 2), h at step 0 keeps: RNN {number(-20)} to {number(-3)}, LSTM 0.1."
    )
    assert "RNN exactly 0 to 0.1" in seeds.spread([of("rnn", -np.inf, -1.0)])


def test_pairs_are_of_the_same_place_and_counted_where_more_is_kept():
    now, then = of("lstm", -1.0, -5.0, -3.0), of("lstm", -4.0, -4.0, -4.0)
    said = f"LSTM keeps 0.1 to {number(3)} times as much, more in 2 of 3."
    assert seeds.paired("A", [now], [then]) == f"Paired with **A** over 3 seeds (0 to 2): {said}"
    assert "LSTM keeps the same." in seeds.paired("A", [now], [now])
    assert "over 3 seeds (0 to 2, there 7 to 9): " in seeds.paired("A", [now], [of("lstm", 0, 0, 0, first=7)])


def test_pairs_without_a_factor_are_left_out_and_counted():
    now, then = of("rnn", -np.inf, -2.0, np.nan), of("rnn", -1.0, -3.0, -1.0)
    assert "RNN keeps 10 times as much, more in 1 of 1 (2 of 3 pairs left out: " in seeds.paired("A", [now], [then])
    assert "RNN no pair has a factor" in seeds.paired("A", [of("rnn", -np.inf)], [of("rnn", -np.inf)])


def test_only_cells_of_both_are_paired():
    now, then = [of("rnn", -1.0), of("gru", -1.0)], [of("gru", -2.0), of("lstm", -1.0)]
    assert seeds.paired("A", now, then).endswith(": GRU keeps 10 times as much, more in 1 of 1.")
    assert "none of its cells" in seeds.paired("A", now[:1], then)


def test_an_orthogonal_linear_network_is_as_many_times_better_at_every_seed_as_its_gain_says():
    e = Experiment(cell="rnn_linear", initialization="orthogonal", steps=40, hidden_size=6, batch_size=2)
    said = seeds.paired("A", [over_seeds(e, 3)], [over_seeds(e.replace(gain=0.9), 3)])
    assert f"keeps {number(-39 * np.log10(0.9))} times as much, more in 3 of 3." in said
