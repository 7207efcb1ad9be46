"""Gates over all units, and one sequence unit by unit, against the forward pass and the trace they come from."""

import importlib
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from gradlab import Experiment, Stack, trace
from gradlab.analyses.memory import dense_bytes, values_bytes
from gradlab.analyses.paths import Microscope, gate_statistics, letters, microscope, unit_values
from gradlab.analyses.paths.gates import STATISTICS_COLUMNS, UNITS_COLUMNS, drawn_gates
from gradlab.analyses.problem import problem_of, work_of
from gradlab.cells import CELLS
from gradlab.cells.activations import sigmoids, tanh
from gradlab.cells.contract import additive_name, additive_state
from gradlab.cells.states import Hidden
from gradlab.engine import Sweep, TooLarge, autograd, plan
from gradlab.settings.drawing import inputs_of
from tests.analyses.memory import peak_bytes
from tests.networks import drawn_case

SMALL = Experiment(hidden_size=12, steps=30, batch_size=4, depth=2, input_size=3)


def at_rest(cell, **settings):
    """Zero weights and inputs: every gate stands at the σ of its bias."""
    return Experiment(cell=cell, initialization="zeros", inputs="zero", hidden_size=6, steps=20, **settings)


@pytest.mark.parametrize(("bias", "low", "high"), [(-3.0, 1, 0), (0.0, 0, 0), (3.0, 0, 1)])
def test_a_gates_mean_quantiles_and_saturation_are_those_of_its_bias(bias, low, high):
    table = gate_statistics(at_rest("lstm", forget_bias=bias))
    forget = table[table["gate"] == "forget"]
    value = 1 / (1 + np.exp(-bias))
    for column in ("mean", "q05", "q25", "median", "q75", "q95"):
        assert forget[column].to_numpy() == pytest.approx(value, rel=1e-12)
    assert (forget["saturated_low"] == low).all()
    assert (forget["saturated_high"] == high).all()


def test_statistics_are_over_units_and_sequences_of_the_layer_and_step():
    T, B, H = 3, 2, 40
    case = drawn_case("gru", depth=2, T=T, B=B, H=H, gain=8.0, initial=False)
    case = case._replace(inputs=12 * case.inputs)  # gates at every height
    table = gate_statistics(case.stack, case.inputs)
    assert tuple(table.columns) == STATISTICS_COLUMNS
    W, _, b_W, b_U = case.stack.layers[0]
    first = 1 / (1 + np.exp(-(case.inputs[0] @ W[:H].T + b_W[:H] + b_U[:H])))  # reset, from h = 0
    row = table[(table["layer"] == 0) & (table["step"] == 0) & (table["gate"] == "reset")].iloc[0]
    assert row["mean"] == pytest.approx(first.mean(), rel=1e-12)
    for column, share in {"q05": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95}.items():
        assert row[column] == pytest.approx(np.quantile(first, share), rel=1e-12)
    assert (table["lag"] == T - 1 - table["step"]).all()
    assert ((first > 0.9) & (first < 0.95)).any()
    assert row["saturated_low"] == (first < 0.1).mean()
    assert row["saturated_high"] == (first > 0.9).mean()
    assert table[table["gate"] == "candidate"][["saturated_low", "saturated_high"]].isna().all(axis=None)
    assert len(table) == 2 * 3 * T


def test_statistics_are_the_same_however_many_steps_are_taken_at_once_and_each_block_is_reported(monkeypatch):
    whole, counts, numbers = gate_statistics(SMALL), [], SMALL.batch_size * SMALL.hidden_size
    for block in (1, 3 * numbers, 30 * numbers):
        monkeypatch.setattr(importlib.import_module("gradlab.analyses.paths.gates"), "BLOCK_NUMBERS", block)
        heard = []
        pd.testing.assert_frame_equal(gate_statistics(SMALL, progress=heard.append), whole, check_exact=True)
        counts.append(len(heard))
        assert heard == sorted(heard)
        assert heard[-1] < 1
    of_gates = SMALL.depth * len(drawn_gates("lstm"))
    assert np.diff(counts).tolist() == [(10 - 30) * of_gates, (1 - 10) * of_gates]


def test_a_sequence_of_one_step_has_the_statistics_of_the_first_step_of_a_longer_one():
    stack, inputs = SMALL.network(), SMALL.sequence()
    first = gate_statistics(stack, inputs).query("step == 0").reset_index(drop=True)
    pd.testing.assert_frame_equal(gate_statistics(stack, inputs[:1]), first.assign(lag=0), rtol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_has_statistics_of_its_gates_or_no_rows(cell):
    table = gate_statistics(SMALL.replace(cell=cell))
    assert tuple(table.columns) == STATISTICS_COLUMNS
    gated = table[table["saturated_low"].notna()]
    assert set(gated["gate"]) == set(CELLS[cell].gates)
    assert set(table["gate"]) - set(gated["gate"]) == ({"candidate"} & set(CELLS[cell].saved))


class Remembering(NamedTuple):
    """A toy cell whose gate has a name that no other cell has."""

    title = "toy"
    pre_activations = ("memory", "news")
    gates = ("memory",)
    record = Hidden
    states = record._fields
    saved = ("memory", "news")

    @staticmethod
    def step(a_x, a_h, state):
        (m, _), (n, _) = sigmoids(a_x[0] + a_h[0]), tanh(a_x[1] + a_h[1])
        return Hidden(m * state.h + (1 - m) * n), (m, n)

    @staticmethod
    def adjoint(saved, state, new, new_bar):
        m, n = saved
        bars = (new_bar.h * (state.h - n) * m * (1 - m), new_bar.h * (1 - m) * (1 - n * n))
        return bars, bars, Hidden(new_bar.h * m), new_bar

    @staticmethod
    def keep(saved, new):
        return saved[0]


def test_a_new_cells_gates_are_seen_whatever_they_are_called(monkeypatch):
    monkeypatch.setitem(CELLS, "toy", Remembering)
    experiment = SMALL.model_copy(update={"cell": "toy"})
    case = drawn_case("toy", depth=2, T=9)
    assert set(gate_statistics(case.stack, case.inputs)["gate"]) == {"memory", "news"}
    scope = microscope(case.stack, case.inputs, case.cotangents, case.initial_state)
    assert (scope.values["direct factor"] == scope.values["memory"]).all()
    assert "memory_saturated" in scope.units
    assert "news_saturated" not in scope.units
    assert drawn_gates(experiment.cell) == ("memory", "news")


@pytest.mark.parametrize("cell", CELLS)
def test_the_microscope_shows_autograds_gradient_of_every_unit(cell):
    experiment = SMALL.replace(cell=cell)
    stack, inputs = Stack.from_experiment(experiment), inputs_of(experiment)
    exact = autograd(stack, inputs, problem_of(experiment).cotangents)
    for layer in range(2):
        found = microscope(experiment, layer=layer, sequence=2).values["log10 gradient"]
        with np.errstate(divide="ignore"):
            expected = np.log10(np.abs(exact[layer, :, 2, additive_state(CELLS[cell])]))
        assert found == pytest.approx(expected, abs=1e-6)  # single units cancel to some digits
    state = additive_name(CELLS[cell])
    with np.errstate(divide="ignore"):
        norms = 0.5 * np.log10((10 ** (2 * found)).sum(axis=1))
    assert norms == pytest.approx(trace(experiment).log10_norm(state)[1, :, 2], abs=1e-9)


def test_the_direct_factor_is_the_gate_that_keeps():
    lstm = microscope(SMALL.replace(cell="lstm")).values
    assert (lstm["direct factor"] == lstm["forget"]).all()
    gru = microscope(SMALL.replace(cell="gru")).values
    assert (gru["direct factor"] == gru["update"]).all()
    squashed = microscope(SMALL.replace(cell="lstm_squashed")).values
    assert squashed["direct factor"] == pytest.approx(squashed["forget"] * (1 - squashed["c"] ** 2), rel=1e-12)
    assert not microscope(SMALL.replace(cell="rnn")).values["direct factor"].any()


def test_the_direct_factor_of_peepholes_has_their_terms_too():
    experiment = SMALL.replace(cell="lstm_peephole")
    scope = microscope(experiment).values
    p = Stack.from_experiment(experiment).layers[0].b_W.reshape(7, -1)[4:]
    i, f, g, c = scope["input"][1:], scope["forget"][1:], scope["candidate"][1:], scope["c"][:-1]
    expected = f + c * f * (1 - f) * p[1] + g * i * (1 - i) * p[0]
    assert scope["direct factor"][1:] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("bias", [0.0, 1.0, 3.0, 5.0])
def test_half_life_is_that_of_the_forget_gate(bias):
    units = microscope(at_rest("lstm", forget_bias=bias)).units
    keep = 1 / (1 + np.exp(-bias))
    assert units["half_life"].to_numpy() == pytest.approx(np.log(2) / -np.log(keep), rel=1e-12)


def test_units_come_by_memory_the_longest_first():
    scope = microscope(SMALL.replace(cell="lstm"))
    units = scope.units
    assert sorted(units["unit"]) == list(range(12))
    assert (np.diff(units["half_life"]) <= 0).all()
    assert units["half_life"].iloc[0] > 1.05 * units["half_life"].iloc[-1]
    outside = (scope.values["output"] < 0.1) | (scope.values["output"] > 0.9)
    assert (units["output_saturated"] == outside.mean(axis=0)[units["unit"]]).all()
    endless = microscope(SMALL.replace(cell="lstm_1997")).units
    assert (endless["half_life"] == np.inf).all()
    assert (microscope(SMALL.replace(cell="rnn")).units["half_life"] == 0).all()


def test_half_life_is_the_geometric_mean_over_the_steps_also_where_factors_differ_or_are_negative():
    values = {"direct factor": np.array([[0.5, -0.5, 2.0], [0.125, 0.5, 2.0]]), "input": np.zeros((2, 3))}
    scope = Microscope("lstm", 0, 0, values)
    assert scope.half_life == pytest.approx([0.5, 1.0, -1.0])
    assert scope.units["unit"].tolist() == [2, 1, 0], "what grows keeps longest"
    assert scope.units["rank"].tolist() == [0, 1, 2]


def test_a_gate_at_a_bound_exactly_is_not_beyond_it(monkeypatch):
    monkeypatch.setattr(importlib.import_module("gradlab.analyses.paths.gates"), "SATURATED", (0.5, 0.5))
    e = at_rest("lstm", forget_bias=0.0)
    forget = gate_statistics(e).query("gate == 'forget'")
    assert not forget[["saturated_low", "saturated_high"]].any(axis=None)
    assert not microscope(e).units["forget_saturated"].any()


@pytest.mark.parametrize(("bias", "share"), [(-3.0, 1), (0.0, 0), (3.0, 1)])
def test_a_unit_s_gate_is_saturated_beyond_either_bound(bias, share):
    assert (microscope(at_rest("lstm", forget_bias=bias)).units["forget_saturated"] == share).all()


def test_gates_means_stand_beside_their_own_unit():
    scope = microscope(SMALL.replace(cell="lstm"))
    for name in ("input", "forget", "output"):
        assert (scope.units[f"{name}_mean"] == scope.values[name].mean(axis=0)[scope.units["unit"]]).all()


def test_the_microscope_begins_at_the_initial_state():
    case = drawn_case("lstm", depth=2, T=7, B=2)
    scope = microscope(*case, layer=1, sequence=1)
    W, U, b_W, b_U = case.stack.layers[1]
    below = microscope(*case, layer=0, sequence=1).values["h"]
    a = W @ below[0] + b_W + U @ case.initial_state[0][1, 1] + b_U
    forget = 1 / (1 + np.exp(-a.reshape(4, -1)[1]))
    assert scope.values["forget"][0] == pytest.approx(forget, rel=1e-12)
    experiment = SMALL.replace(cell="lstm_peephole", depth=1)
    stack, c = Stack.from_experiment(experiment), np.random.default_rng(0).standard_normal(12)
    start = (np.zeros((1, 4, 12)), np.tile(c, (1, 4, 1)))
    scope = microscope(stack, inputs_of(experiment), np.zeros((30, 4, 12)), start)
    i, f, g = (scope.values[name][0] for name in ("input", "forget", "candidate"))
    p = stack.layers[0].b_W.reshape(7, -1)[4:]
    expected = f + c * f * (1 - f) * p[1] + g * i * (1 - i) * p[0]
    assert scope.values["direct factor"][0] == pytest.approx(expected, rel=1e-9)


def test_all_states_and_gates_of_a_long_sequence_are_refused_by_size():
    long = Experiment(cell="gru", steps=1_000_000, hidden_size=256, batch_size=1, input_size=1)
    with pytest.raises(TooLarge, match=r"all states and gates of steps = 1000000, .* lower steps"):
        gate_statistics(long)


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_the_memory_stated_has_room_for_all_states_and_gates(cell):
    problem = problem_of(SMALL.replace(cell=cell, dtype="float32"))
    run = Sweep(problem.stack, problem.inputs)
    run.forward()
    held = sum(values.nbytes for values in run.values())
    assert values_bytes(problem.size) == held
    assert gate_statistics.needs(problem).bytes > held
    assert microscope.needs(problem).bytes > 2 * held / SMALL.batch_size
    alone = problem_of(SMALL.replace(cell=cell, dtype="float32", batch_size=1))
    drawn = dense_bytes(problem.size) - dense_bytes(alone.size)  # of the sequences that are not looked at
    assert microscope.needs(problem).bytes == microscope.needs(alone).bytes + drawn


def test_the_table_holds_every_value_under_its_unit_and_step():
    scope = microscope(SMALL.replace(cell="gru"), layer=1, sequence=3)
    table = scope.table
    assert tuple(table.columns) == UNITS_COLUMNS
    assert (table["lag"] == 29 - table["step"]).all()
    for quantity in ("h", "update", "log10 gradient"):
        rows = table[table["quantity"] == quantity].pivot_table(index="step", columns="unit", values="value")
        assert (rows.to_numpy() == scope.values[quantity]).all()


@pytest.mark.parametrize(("wrong", "most"), [({"layer": 2}, 1), ({"sequence": 4}, 3), ({"layer": -1}, 1)])
def test_a_layer_or_sequence_that_is_not_there_is_refused(wrong, most):
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=f"{name} = {value} is not allowed: use a whole number from 0 to {most}"):
        microscope(SMALL, **wrong)


@pytest.mark.parametrize("unit", [None, 0, 5, 11])
def test_values_of_some_quantities_are_rows_of_the_whole_table(unit):
    scope = microscope(SMALL, layer=1, sequence=2)
    chosen = scope.table.query("quantity in ['c', 'forget']" + ("" if unit is None else f" and unit == {unit}"))
    assert unit_values(scope, ["c", "forget"], unit).equals(chosen.reset_index(drop=True))
    with pytest.raises(ValueError, match="quantity 'keep' is not there: use h, c"):
        unit_values(scope, ["keep"])
    with pytest.raises(ValueError, match="unit = 12"):
        unit_values(scope, ["c"], 12)


def test_every_quantity_is_in_one_panel():
    scope = microscope(SMALL)
    assert (scope.layer, scope.sequence) == (0, 0)
    assert scope.panels["state"] == ("h", "c")
    assert [name for panel in scope.panels.values() for name in panel] == list(scope.values)
    assert scope.by_memory == tuple(np.argsort(-scope.half_life, kind="stable"))
    assert scope.longest == scope.by_memory[0]


def test_letters_are_the_text_from_where_the_sequence_begins():
    text = SMALL.replace(inputs="text", text="abcdefgh ", batch_size=3, steps=10)
    assert "".join(letters(text, sequence=0)) == "abcdefgh a"
    assert "".join(letters(text, sequence=1)) == "defgh abcd"  # a third of the text later
    assert "".join(letters(text, sequence=2)) == "gh abcdefg"
    assert letters(text).equals(letters(text, sequence=0))
    assert "".join(letters(text.replace(loss="one_to_many"))) == "a         ", "where nothing is read"
    assert letters(SMALL) is None
    with pytest.raises(ValueError, match="sequence = 3"):
        letters(text, sequence=3)


def test_work_beside_the_passes_is_as_much_for_each_number_whatever_the_shape():
    shapes = [SMALL.replace(**{name: 5}) for name in ("steps", "hidden_size", "batch_size", "depth")]
    of_statistics, of_units = set(), set()
    for e in (SMALL, *shapes):
        numbers = e.depth * len(drawn_gates(e.cell)) * e.steps * e.batch_size * e.hidden_size
        of_statistics.add((gate_statistics.needs(problem_of(e)).work - work_of(plan(e.size))) / numbers)
        alone = work_of(plan(e.replace(batch_size=1).size))
        of_units.add((microscope.needs(problem_of(e)).work - alone) / (e.steps * e.hidden_size))
    assert len(of_statistics) == len(of_units) == 1
    assert min(of_statistics | of_units) > 0


def test_the_memory_stated_of_letters_is_that_of_the_input_that_they_are_read_from(monkeypatch):
    text = SMALL.replace(inputs="text", text="abcdefghijkl", batch_size=8, steps=2000)
    peak, need = peak_bytes(lambda: letters(text), monkeypatch), letters.needs(problem_of(text))
    assert 0.9 * peak < need.bytes < 1.3 * peak
    assert need.work == problem_of(text).inputs.size


@pytest.mark.parametrize("cell", CELLS)
def test_the_microscope_of_a_sequence_is_that_of_the_sequence_alone_with_its_own_initial_state(cell):
    case = drawn_case(cell, depth=2, T=6, B=3, seed=8)
    alone = [value[:, 2:] for value in (*case[1:3],)], [state[:, 2:] for state in case.initial_state]
    both = (
        microscope(*case, layer=1, sequence=2),
        microscope(case.stack, *alone[0], alone[1], layer=1, sequence=0),
    )
    for name, values in both[0].values.items():
        assert values == pytest.approx(both[1].values[name], rel=1e-9, abs=1e-9), name
