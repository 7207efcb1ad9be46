"""What an analysis says that it reads: no other setting changes its result, and every one of these changes its key."""

import dataclasses
import inspect
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch

from gradlab.analyses.call import Call
from gradlab.analyses.problem import Problem, problem_of
from gradlab.analyses.traces import trace
from gradlab.analyses.truncation import Schedule
from gradlab.analyses.weights import gate_biases
from gradlab.cells import CELLS
from gradlab.cells.contract import keep_gate_of
from gradlab.network.stack import Stack
from gradlab.settings.catalogue import GROUPS, SETTINGS
from gradlab.settings.drawing import read_steps_of, reads_length
from gradlab.settings.experiment import Experiment, SettingsError
from gradlab.settings.initializations import INITIALIZATIONS, length_law, orthogonal, with_biases
from gradlab.settings.links import read_query
from gradlab.settings.losses import LOSSES, Loss, Placement
from gradlab.settings.subject import is_subject
from tests.analyses.registry import ANALYSES

SIZES = {"depth": 2, "hidden_size": 3, "input_size": 3, "steps": 12, "batch_size": 2}
EXPERIMENTS = {  # in each, other settings are used
    "a readout": Experiment(
        loss="many_to_many_delayed", reads=5, objective="squared_error", output_size=3,
        truncation="windows", k1=2, k2=4, forget_bias=1.0, **SIZES,
    ),
    "a text": Experiment(inputs="text", text="abcab", loss="steps", loss_steps="3, 7", **SIZES),
    "a step": Experiment(cell="gru", keep_bias=1.5, loss="step", loss_step=4, truncation="chunks", k2=5, **SIZES),
    "a delay": Experiment(cell="min_gru", loss="many_to_many_delayed", writes=4, **SIZES),
}  # fmt: skip
OTHERWISE = {
    "cell": ["lstm_coupled"], "depth": [1], "hidden_size": [4], "initialization": ["gaussian", "irnn"], "gain": [1.5],
    "keep_bias": [0.5], "forget_bias": [0.5], "steps": [13], "batch_size": [3], "inputs": ["sines", "impulse"],
    "input_size": [4],
    "text": ["abca"], "loss": ["every", "last", "one_to_many", "half_square"], "loss_step": [2], "loss_steps": ["2"],
    "reads": [6], "writes": [3], "objective": ["direction", "cross_entropy"], "output_size": [4],
    "truncation": ["full", "chunks"], "k1": [1], "k2": [3], "seed": [9], "dtype": ["float32"],
}  # fmt: skip
WINDOWS = (Schedule("windows", 2, 4), Schedule("full"))
OF_SUBJECTS = {
    name: function for name, function in ANALYSES.items() if "subject" in inspect.signature(function).parameters
}


def changed(e):
    """(setting, the experiment with another value of it alone), for every value that fits the others."""
    for name, values in OTHERWISE.items():
        for value in values:
            if value == getattr(e, name):
                continue
            try:
                yield name, e.replace(**{name: value})
            except SettingsError:
                continue


def call_of(function, e):
    required = inspect.signature(function).parameters
    given = {"schedules": WINDOWS, "schedule": WINDOWS[0], "factors": (0.5, 1.0)}
    given["seeds"] = 2  # which follow the subject's, each as the one before
    return Call.of(function, e, **{name: value for name, value in given.items() if name in required})


def same(one, other):
    """Whether two results are equal to the bit, but for the subjects that they carry along."""
    if is_subject(one) or isinstance(one, Problem | partial):  # what a problem is drawn from again
        return True
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other, check_exact=True)
        return True
    if isinstance(one, pd.Series):
        pd.testing.assert_series_equal(one, other, check_exact=True)
        return True
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    if isinstance(one, Stack):
        return one.cell == other.cell and same(one.layers, other.layers)
    if isinstance(one, dict):
        return list(one) == list(other) and same(tuple(one.values()), tuple(other.values()))
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(same, one, other))
    if dataclasses.is_dataclass(one):
        fields = [field.name for field in dataclasses.fields(one)]
        return all(same(getattr(one, name), getattr(other, name)) for name in fields)
    assert isinstance(one, str | int | float | bool | type | np.dtype | None), type(one)
    return one == other or (one != one and other != other)  # NaN


def test_every_setting_is_changed_and_every_setting_is_used_somewhere():
    assert set(OTHERWISE) == set(SETTINGS)
    used = {name for e in EXPERIMENTS.values() for name, _ in changed(e) if name not in e.unused()}
    assert used == set(SETTINGS)


LONG = ("check", "every_initialization", "direct_at_biases", "decompose")  # analyses that take a tenth of a second
CASES = [
    pytest.param(function, e, id=f"{name}-{of}", marks=pytest.mark.slow if name in LONG else ())
    for name, function in OF_SUBJECTS.items()
    for of, e in EXPERIMENTS.items()
    if name != "direct_at_biases" or keep_gate_of(CELLS[e.cell])  # which compares keep-gate biases
]


@pytest.mark.parametrize(("function", "e"), CASES)
def test_a_setting_changes_the_key_of_an_analysis_exactly_if_it_may_change_the_result(function, e):
    call = call_of(function, e)
    result = call.result()
    for name, other in changed(e):
        moved = call_of(function, other)
        reads_steps = set(GROUPS["sequence"]) <= function.reads
        leaves_inputs = read_steps_of(other) == read_steps_of(e) or not reads_steps
        if name in e.unused() or (name not in function.reads and leaves_inputs):
            assert moved.key == call.key, name
        elif name in function.reads:
            assert moved.key != call.key, name
        if moved.key == call.key:
            assert same(result, moved.result()), (name, other)


def test_two_results_that_differ_in_the_last_bit_are_told_apart():
    table = gate_biases(EXPERIMENTS["a step"])
    assert same(table, table.copy())
    with pytest.raises(AssertionError):
        same(table, table.assign(effective_bias=np.nextafter(table.effective_bias, 9)))
    stack = EXPERIMENTS["a step"].network()
    assert not same(stack, EXPERIMENTS["a step"].replace(seed=1).network())


def test_a_loss_that_leaves_steps_without_an_input_is_kept_as_far_as_it_does_so():
    names = frozenset((*GROUPS["network"], *GROUPS["sequence"], *GROUPS["numerics"]))
    e = Experiment(steps=12, loss="one_to_many")
    assert e.reading(names).loss == e.replace(loss="one_to_one").reading(names).loss == "one_to_one"
    delayed = Experiment(steps=12, loss="many_to_many_delayed", writes=4).reading(names)
    assert (delayed.loss, delayed.reads, delayed.writes) == ("many_to_many_delayed", 8, None)
    assert Experiment(steps=12, loss="every").reading(names) == Experiment(steps=12)


def chrono(shape, random):
    """Biases that prepare a length (Tallec & Ollivier 2018)."""
    layer = orthogonal(shape, random)
    bias = torch.empty(shape.hidden_size, dtype=torch.float64)
    bias = bias.uniform_(1, shape.steps - 1, generator=random.weights).log().numpy()
    return with_biases(layer, shape, {"forget": bias, "input": -bias})


@pytest.fixture
def with_chrono(monkeypatch):
    monkeypatch.setitem(INITIALIZATIONS, "chrono", length_law(chrono))
    return Experiment(initialization="chrono", **SIZES)


def test_weights_depend_on_the_length_exactly_where_their_law_says_so(with_chrono):
    for name in INITIALIZATIONS:
        e = with_chrono.replace(initialization=name)
        longer = e.replace(steps=50)
        assert (Call.of(gate_biases, e).key == Call.of(gate_biases, longer).key) == (not reads_length(e)), name
        assert gate_biases(e).equals(gate_biases(longer)) == (not reads_length(e)), name
    assert Call.of(gate_biases, with_chrono).key == Call.of(gate_biases, with_chrono.replace(batch_size=5)).key


def test_a_law_that_reads_the_length_without_saying_so_is_refused_and_one_that_unpacks_gets_none(monkeypatch):
    def unpacking(shape, random):
        _, _, _, length, *_ = shape
        seen.append(length)
        return orthogonal(shape, random)

    seen = []
    monkeypatch.setitem(INITIALIZATIONS, "hidden", lambda shape, random: chrono(shape, random))
    monkeypatch.setitem(INITIALIZATIONS, "unpacking", unpacking)
    with pytest.raises(ValueError, match="mark its function with @length_law"):
        Experiment(initialization="hidden", **SIZES).network()
    Experiment(initialization="unpacking", **SIZES).network()
    assert set(seen) == {None}


def test_an_excerpt_has_the_weights_of_the_whole_where_these_depend_on_the_length(with_chrono):
    whole = problem_of(with_chrono.replace(steps=50))
    short = whole.excerpt(8, 1)
    assert short.size.steps == 8
    assert same(short.stack, whole.stack)
    assert not same(short.stack, with_chrono.replace(steps=8).network())
    assert same(short.excerpt(4, 1).stack, whole.stack)
    other = whole.excerpt(8, 1, "float32").stack
    assert all(
        np.array_equal(a, b.astype(np.float32)) for a, b in zip(other.layers[0], whole.stack.layers[0], strict=True)
    )


@pytest.mark.parametrize("declared", [frozenset({"loss_step"}), frozenset()])
def test_what_places_a_loss_of_any_name_is_read_and_nothing_else_reaches_it(monkeypatch, declared):
    def two_steps(steps, placement):
        return [placement.loss_step or 0, steps - 1]

    monkeypatch.setitem(LOSSES, "ends", Loss(two_steps, "Two steps.", placed_by=declared))
    early, late = (Experiment(loss="ends", loss_step=at, **SIZES) for at in (2, 7))
    assert ("loss_step" in early.unused()) == (not declared)
    assert (Call.of(trace, early).key == Call.of(trace, late).key) == (not declared)
    assert same(trace(early).log10_norms, trace(late).log10_norms) == (not declared)
    assert {"loss_steps", "reads", "writes"} <= early.unused()


def test_every_loss_names_exactly_the_settings_that_move_it():
    others = Placement(loss_step=3, loss_steps="1, 4", reads=5, writes=7)
    for name, loss in LOSSES.items():
        usual = loss.steps(12, Placement()), loss.reads(12, Placement())
        for setting, value in others._asdict().items():
            placement = Placement(**{setting: value})
            moved = (list(loss.steps(12, placement)), loss.reads(12, placement)) != (list(usual[0]), usual[1])
            assert moved == (setting in loss.placed_by), (name, setting)


def test_a_link_of_another_placement_setting_is_read_under_any_loss(monkeypatch):
    monkeypatch.setitem(LOSSES, "ends", Loss(lambda steps, placement: [0, steps - 1], "Two steps.", needs_states=True))
    experiment, sentences = read_query({"loss": "ends", "objective": "squared_error", "steps": "12"})
    assert experiment.objective == "direction"
    assert "loss = ends is a loss of its own" in sentences[0]
