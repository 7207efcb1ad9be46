"""The unrolled network as a diagram: every box, link and number in its place."""

import numpy as np
import pytest

from gradlab.analyses.sequences import diagram, segments
from gradlab.analyses.traces import trace
from gradlab.settings.experiment import Experiment

SMALL = {"hidden_size": 6, "input_size": 3, "batch_size": 2, "steps": 5}

KNOWN = {  # sequence type: steps that read, steps that are judged, columns
    "one_to_one": ([0], [0], 1),
    "one_to_many": ([0], [0, 1, 2, 3, 4], 5),
    "many_to_one": ([0, 1, 2, 3, 4], [4], 5),
    "many_to_many": ([0, 1, 2, 3, 4], [0, 1, 2, 3, 4], 5),
    "many_to_many_delayed": ([0, 1], [2, 3, 4], 5),
}


@pytest.mark.parametrize("loss", KNOWN)
def test_each_type_has_the_inputs_and_losses_of_the_well_known_diagram(loss):
    reads, judged, columns = KNOWN[loss]
    found = diagram(Experiment(loss=loss, depth=2, **SMALL))
    inputs = found.boxes[found.boxes.kind == "input"]
    assert inputs[inputs.active].step.tolist() == reads
    assert found.boxes[found.boxes.kind == "loss"].step.tolist() == judged
    assert found.columns == len(inputs) == columns
    assert (found.boxes.kind == "hidden").sum() == 2 * columns
    assert sorted(found.links[found.links.kind == "loss"].step) == judged


@pytest.mark.parametrize("cell", ["rnn", "rnn_linear", "lstm"])
def test_the_one_link_into_a_state_carries_its_whole_gradient(cell):
    e = Experiment(cell=cell, loss="last", depth=1, **SMALL)
    links = diagram(e).links.query("step == 3 and kind == 'recurrent'")
    total = trace(e).table.query("step == 3 and state == 'h'").log10_relative.item()
    assert links.log10_relative.item() == pytest.approx(total, abs=1e-9)


def test_cells_with_an_additive_update_have_a_rail_for_it_and_others_have_none():
    rails = {cell: set(diagram(Experiment(cell=cell, **SMALL)).links.kind) for cell in ("rnn", "gru", "lstm")}
    assert "direct" not in rails["rnn"]
    assert "direct" in rails["gru"] & rails["lstm"]


def test_behind_the_last_loss_nothing_is_drawn_and_before_it_nothing_is_still():
    found = diagram(Experiment(cell="rnn", loss="step", loss_step=2, **SMALL))
    assert found.boxes.step.max() == 2
    assert found.links.flows.all()
    assert np.isfinite(found.links.log10_relative).all()


def test_what_comes_from_a_step_behind_a_gap_is_drawn_to_the_gap():
    found = diagram(Experiment(cell="rnn", **SMALL | {"steps": 60}), most=6)
    assert segments(Experiment(**SMALL | {"steps": 60}), 6) == [(0, 2), (57, 59)]
    assert found.gaps.label.tolist() == ["54 steps"]
    recurrent = found.links[found.links.kind == "recurrent"]
    assert sorted(recurrent.step) == [0, 1, 2, 56, 57, 58]
    assert sorted(recurrent.x.round(2)) == [0.68, 1.68, 2.68, 3.68, 4.68, 5.68]


def test_a_long_delayed_sequence_shows_where_reading_ends():
    e = Experiment(loss="many_to_many_delayed", reads=150, **SMALL | {"steps": 200})
    drawn = {t for first, last in segments(e, 12) for t in range(first, last + 1)}
    assert {0, 149, 150, 199} <= drawn
    assert len(drawn) == 12


def test_the_inputs_of_a_text_are_its_characters():
    e = Experiment(inputs="text", text="né há", loss="every", **SMALL | {"batch_size": 1})
    boxes = diagram(e).boxes
    assert "".join(boxes[boxes.kind == "input"].label) == "né␣há"
