"""The product of gates is the direct path, to rounding; and which cells have none."""

import numpy as np
import pytest

from gradlab import Experiment
from gradlab.analyses.paths import decompose, gate_product
from gradlab.analyses.paths.cuts import cut
from gradlab.analyses.problem import problem_of
from gradlab.cells import CELLS
from gradlab.cells.contract import keep_of, peepholes_of
from tests.analyses.memory import peak_bytes
from tests.networks import drawn_case

WITH_PRODUCT = [cell for cell in CELLS if keep_of(CELLS[cell])]


def direct_of(*arguments):
    table = decompose(*arguments, orders=0)
    return table[table["path"] == "direct"]["log10_norm"].to_numpy()


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("cell", WITH_PRODUCT)
def test_the_product_of_gates_is_the_direct_path(cell, depth):
    case = drawn_case(cell, depth=depth, T=60, B=3, gain=1.5, losses=4)
    product = gate_product(*case)["log10_norm"].to_numpy()
    assert product == pytest.approx(direct_of(*case), rel=0, abs=1e-12 / np.log(10))


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_also_where_the_product_has_left_the_floating_point_range(cell):
    experiment = Experiment(cell=cell, hidden_size=8, steps=3000, batch_size=2)
    product = gate_product(experiment)["log10_norm"].to_numpy()
    direct = direct_of(experiment)
    assert product[np.isfinite(product)].min() < -500
    # log10 values near -1000 hold 1e-13 of themselves; relative errors of 3000 factors add up to no more than theirs
    assert product == pytest.approx(direct, rel=1e-13, abs=3000 * 2.0**-52)


def test_a_constant_gate_gives_its_power():
    stack = Experiment(cell="lstm", hidden_size=4, steps=51, initialization="zeros", inputs="zero", forget_bias=1.0)
    table = gate_product(stack)
    c = table[table["state"] == "c"].set_index("lag")["log10_norm"]
    assert 10 ** (c[50] - c[0]) == pytest.approx(1.576192e-7, rel=1e-6)  # σ(1)^50


def test_of_a_loss_that_gives_one_unit_nothing_and_another_a_negative_gradient_all_powers_are_there():
    """Far beyond the range: σ(1)^3000 is 10^-408."""
    e = Experiment(cell="lstm", hidden_size=2, steps=3001, batch_size=1, initialization="zeros", inputs="zero")
    cotangents = np.zeros((3001, 1, 2))
    cotangents[-1, 0, 0] = -1
    table = gate_product(e.replace(forget_bias=1.0).network(), e.sequence(), cotangents)
    c = table[table["state"] == "c"].set_index("lag")["log10_norm"]
    assert (c - c[0]).to_numpy() == pytest.approx(c.index * np.log10(1 / (1 + np.exp(-1.0))), rel=1e-12)


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell not in WITH_PRODUCT])
def test_cells_whose_direct_path_is_no_product_of_gates_say_so(cell):
    with pytest.raises(ValueError, match=f"cell = '{cell}' has no gate whose product is the direct path"):
        gate_product(Experiment(cell=cell, steps=5))


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell not in WITH_PRODUCT])
def test_a_cell_without_a_product_has_no_direct_path_or_one_that_a_peephole_bends(cell):
    direct = cut(Experiment(cell=cell, steps=5, hidden_size=3), without=["recurrent"])
    arrives = direct[direct["lag"] > 0]["log10_norm"] > -np.inf
    assert arrives.any() == bool(peepholes_of(CELLS[cell]))


@pytest.mark.slow
def test_the_memory_stated_has_room_for_the_rows_of_its_table(monkeypatch):
    e = Experiment(cell="lstm", hidden_size=1, steps=6000, batch_size=1, input_size=1, depth=2)
    peak = peak_bytes(lambda: gate_product(e), monkeypatch)
    assert 0.8 * peak < gate_product.needs(problem_of(e)).bytes < 1.5 * peak
