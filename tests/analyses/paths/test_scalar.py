"""One unit: what the engine computes is the power that one works out by hand."""

import numpy as np
import pytest

from gradlab.analyses.paths import one_unit


@pytest.mark.parametrize("weight", [0.9, 1.0, 1.1, -0.7, 2.0])
@pytest.mark.parametrize("gate", [0.05, 0.5, 0.99])
def test_the_computed_gradient_is_the_power_of_the_factor(weight, gate):
    table = one_unit(weight, gate, 300)
    assert table["log10_norm"].to_numpy() == pytest.approx(table["log10_formula"].to_numpy(), rel=1e-12, abs=1e-11)


def test_known_powers():
    alone = one_unit(0.9, 0.5, 101).query("cell == 'rnn_linear' and lag == 100")["log10_norm"].item()
    assert 10**alone == pytest.approx(2.656e-5, rel=1e-3)
    assert 10 ** one_unit(1.1, 0.5, 101)["log10_norm"].iloc[0] == pytest.approx(13780.6, rel=1e-5)


def test_a_weight_of_zero_leaves_exactly_nothing_without_the_gate_and_its_power_with_it():
    table = one_unit(0.0, 0.9, 50).set_index(["cell", "lag"])["log10_norm"]
    assert (table["rnn_linear"].drop(0) == -np.inf).all()
    assert table["gru"][49] == pytest.approx(49 * np.log10(0.9))


@pytest.mark.parametrize("gate", [0.0, 1.0])
def test_a_gate_that_is_no_sigmoids_value_is_refused(gate):
    with pytest.raises(ValueError, match=f"gate = {gate} is not allowed"):
        one_unit(0.9, gate, 10)


@pytest.mark.parametrize("name", ["weight", "gate"])
@pytest.mark.parametrize("value", [np.nan, np.inf, "0.9", None])
def test_what_is_no_finite_number_is_refused_by_its_name(name, value):
    with pytest.raises(ValueError, match=f"{name} = {value!r} is not allowed: use a finite number"):
        one_unit(**{"weight": 0.9, "gate": 0.5, name: value}, steps=10)


def test_a_single_step_has_the_gradient_that_is_injected():
    assert one_unit(0.9, 0.5, 1)[["lag", "log10_norm", "log10_formula"]].to_numpy().tolist() == [[0, 0, 0], [0, 0, 0]]
    with pytest.raises(ValueError, match="steps = 0 is not allowed: use a whole number of 1 or more"):
        one_unit(0.9, 0.5, 0)
