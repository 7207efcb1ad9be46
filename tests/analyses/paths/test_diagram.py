"""The unrolled network over a few of its steps: every step, edge and number that is drawn."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradlab.analyses.paths import diagram, edges
from gradlab.analyses.paths.diagram import STEP_COLUMNS, segments
from gradlab.analyses.paths.edges import EDGE_COLUMNS
from gradlab.analyses.traces import trace
from gradlab.settings.drawing import loss_steps_of
from gradlab.settings.experiment import Experiment

SMALL = {"hidden_size": 6, "input_size": 3, "batch_size": 2, "steps": 5}

KNOWN = {  # sequence type: steps that read, steps that are judged, steps that are drawn
    "one_to_one": ([0], [0], 1),
    "one_to_many": ([0], [0, 1, 2, 3, 4], 5),
    "many_to_one": ([0, 1, 2, 3, 4], [4], 5),
    "many_to_many": ([0, 1, 2, 3, 4], [0, 1, 2, 3, 4], 5),
    "many_to_many_delayed": ([0, 1], [2, 3, 4], 5),
}


@pytest.mark.parametrize("loss", KNOWN)
def test_each_type_has_the_inputs_and_losses_of_the_well_known_diagram(loss):
    reads, judged, drawn = KNOWN[loss]
    found = diagram(Experiment(loss=loss, depth=2, **SMALL))
    assert tuple(found.steps.columns) == STEP_COLUMNS
    assert tuple(found.edges.columns) == EDGE_COLUMNS
    assert found.steps[found.steps.reads].step.tolist() == reads
    assert found.steps[found.steps.has_loss].step.tolist() == judged
    assert found.steps.step.tolist() == list(range(drawn))
    assert sorted(found.edges[found.edges.edge == "loss"].step) == judged
    assert sorted(found.edges[found.edges.edge == "input"].step) == list(range(drawn))


@pytest.mark.parametrize("cell", ["rnn", "rnn_linear", "lstm"])
def test_the_one_edge_into_a_state_carries_its_whole_gradient(cell):
    e = Experiment(cell=cell, loss="last", depth=1, **SMALL)
    recurrent = diagram(e).edges.query("step == 3 and edge == 'recurrent'")
    total = trace(e).table.query("step == 3 and state == 'h'").log10_relative.item()
    assert recurrent.log10_relative.item() == pytest.approx(total, abs=1e-9)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_its_edges_are_those_of_the_whole_network_to_the_bit(cell):
    e = Experiment(cell=cell, depth=2, loss="every", **SMALL | {"steps": 40})
    found = diagram(e, most=6).edges
    whole = edges(e).merge(found[["layer", "step", "edge", "state"]])
    columns = ["layer", "step", "edge"]
    pd.testing.assert_frame_equal(
        found.sort_values(columns, ignore_index=True), whole.sort_values(columns, ignore_index=True), check_exact=True
    )


def test_cells_with_an_additive_update_have_an_edge_for_it_and_others_have_none():
    kinds = {cell: set(diagram(Experiment(cell=cell, **SMALL)).edges.edge) for cell in ("rnn", "gru", "lstm")}
    assert "direct" not in kinds["rnn"]
    assert "direct" in kinds["gru"] & kinds["lstm"]


def test_behind_the_last_loss_nothing_is_drawn_and_before_it_nothing_is_still():
    found = diagram(Experiment(cell="rnn", loss="step", loss_step=2, **SMALL))
    assert found.steps.step.max() == 2
    assert found.edges.step.max() == 2
    assert np.isfinite(found.edges.log10_relative).all()


def test_a_network_of_its_own_arrays_reads_at_every_step_and_without_a_loss_every_step_is_drawn():
    e = Experiment(cell="gru", **SMALL)
    found = diagram(e.network(), e.sequence(), np.zeros((5, 2, 6)))
    assert found.steps["step"].tolist() == list(range(5))
    assert found.steps["reads"].all()
    assert not found.steps["has_loss"].any()


def test_what_comes_from_a_step_behind_a_gap_is_drawn_to_the_gap():
    e = Experiment(cell="rnn", **SMALL | {"steps": 60})
    assert segments(loss_steps_of(e), 6) == [(0, 2), (57, 59)]
    assert segments(loss_steps_of(e), 2) == [(0, 1), (58, 59)]
    assert diagram(e, most=2).steps.step.tolist() == [0, 1, 58, 59]
    found = diagram(e, most=6)
    assert found.steps.step.tolist() == [0, 1, 2, 57, 58, 59]
    assert sorted(found.edges[found.edges.edge == "recurrent"].step) == [0, 1, 2, 56, 57, 58]
    assert sorted(found.edges[found.edges.edge == "input"].step) == [0, 1, 2, 57, 58, 59]


@settings(max_examples=300, derandomize=True)
@given(st.integers(1, 60), st.integers(2, 60), st.data())
def test_runs_of_steps_hold_the_turns_leave_gaps_of_two_at_least_and_are_no_more_than_was_asked_for(T, most, data):
    first_loss = data.draw(st.integers(0, T - 1))
    runs = segments(np.arange(first_loss, T), most)
    drawn = {t for first, last in runs for t in range(first, last + 1)}
    turns = {0, first_loss, T - 1}
    assert turns <= drawn <= set(range(T))
    assert all(after[0] - before[1] > 2 for before, after in pairwise(runs))
    assert all(last > first for first, last in runs) or T == 1
    assert len(drawn) <= max(most, 2 * len(turns)) + len(turns) - 1
    assert most < T or drawn == set(range(T))


@pytest.mark.parametrize(
    ("first_loss", "most", "runs"),
    [
        (30, 12, [(0, 3), (28, 31), (56, 59)]),  # two steps before the first loss, and two from it on
        (30, 18, [(0, 5), (27, 32), (54, 59)]),
        (58, 12, [(0, 3), (56, 59)]),
        (1, 12, [(0, 3), (56, 59)]),
        (6, 12, [(0, 7), (56, 59)]),  # the runs touch
    ],
)
def test_as_many_steps_are_drawn_on_either_side_of_the_first_loss(first_loss, most, runs):
    assert segments(np.arange(first_loss, 60), most) == runs


def test_edges_come_in_the_order_of_their_steps():
    found = diagram(Experiment(cell="rnn", **SMALL | {"steps": 100}), most=6).edges
    assert found[found["edge"] == "recurrent"]["step"].tolist() == [0, 1, 2, 96, 97, 98]


def test_a_long_delayed_sequence_shows_where_reading_ends():
    found = diagram(Experiment(loss="many_to_many_delayed", reads=150, **SMALL | {"steps": 200}), most=12)
    assert {0, 149, 150, 199} <= set(found.steps.step)
    assert len(found.steps) == 12


def test_the_inputs_of_a_text_are_its_characters():
    e = Experiment(inputs="text", text="né há", loss="every", **SMALL | {"batch_size": 1})
    assert "".join(diagram(e).steps.label) == "né␣há"
    one = diagram(e.replace(loss="one_to_many")).steps
    assert "".join(one.label) == "n0000"
