"""What a preset's sentence claims is what its settings give."""

import numpy as np
import pytest

import gradlab
from gradlab.ui.frame.presets import PRESETS
from gradlab.ui.frame.shown import DEFAULT_CELLS


def found(name: str) -> dict[str, gradlab.Diagnosis]:
    """The diagnosis of every cell that a preset compares."""
    settings = dict(PRESETS[name].settings)
    cells = settings.pop("cells", DEFAULT_CELLS)
    return {cell: gradlab.diagnose(gradlab.trace(gradlab.Experiment(cell=cell, **settings))) for cell in cells}


def test_with_pytorchs_defaults_all_three_cells_vanish_and_the_gated_ones_slower():
    rates = {cell: diagnosis.decades_per_100_steps for cell, diagnosis in found("PyTorch defaults").items()}
    assert {diagnosis.verdict for diagnosis in found("PyTorch defaults").values()} == {"vanishing"}
    assert rates["rnn"] < min(rates["lstm"], rates["gru"])


def test_open_keep_gates_keep_the_lstms_gradient_and_far_more_of_the_grus_than_the_default():
    verdicts = {cell: diagnosis.verdict for cell, diagnosis in found("Open the keep gate").items()}
    assert verdicts == {"rnn": "vanishing", "lstm": "steady", "gru": "vanishing"}
    opened, default = found("Open the keep gate")["gru"], found("PyTorch defaults")["gru"]
    assert opened.log10_left > default.log10_left + 30


def test_an_orthogonal_linear_rnn_neither_grows_nor_shrinks_and_tanh_shrinks():
    diagnoses = found("Orthogonal")
    assert diagnoses["rnn_linear"].decades_per_100_steps == pytest.approx(0, abs=1e-9)
    assert diagnoses["rnn"].verdict == "vanishing"
    assert diagnoses["lstm"].log10_left < diagnoses["rnn"].log10_left < diagnoses["rnn_linear"].log10_left


def test_an_orthogonal_lstm_loses_more_by_its_gates_near_a_half_than_by_its_recurrent_weights():
    settings = {name: value for name, value in PRESETS["Orthogonal"].settings.items() if name != "cells"}
    lstm = gradlab.Experiment(cell="lstm", **settings)
    forget = gradlab.paths.gate_statistics(lstm).query("gate == 'forget'")["mean"].mean()
    assert forget == pytest.approx(0.5, abs=0.05)
    gates, weights = lstm.replace(keep_bias=3.0), lstm.replace(initialization="pytorch")
    left = {e: gradlab.diagnose(gradlab.trace(e)).log10_left for e in (lstm, gates, weights)}
    assert left[gates] - left[lstm] > abs(left[weights] - left[lstm]), "opened gates change more than other weights"


def test_the_exploding_preset_explodes_where_nothing_saturates():
    diagnoses = found("Exploding")
    assert diagnoses["rnn_linear"].verdict == "exploding"
    assert diagnoses["rnn"].decades_per_100_steps < diagnoses["rnn_linear"].decades_per_100_steps / 2


def test_a_relu_unit_with_identity_weight_passes_the_gradient_unchanged_while_it_is_on():
    settings = {name: value for name, value in PRESETS["IRNN"].settings.items() if name != "cells"}
    trace = gradlab.trace(gradlab.Experiment(cell="rnn_relu", **settings))
    steps = np.diff(trace.log10_norm("h")[0], axis=0)  # [T-1, B]: what each step takes away going back
    assert (steps >= -1e-12).all(), "no step makes it larger"
    assert (np.abs(steps) < 1e-12).any(), "some steps leave it unchanged"


def test_a_loss_at_every_step_hides_the_vanishing():
    for diagnosis in found("A loss at every step").values():
        assert diagnosis.verdict == "vanishing"
        assert diagnosis.log10_arrives > -2
        assert diagnosis.log10_left < -30
    assert all(diagnosis.verdict == "vanishing" for diagnosis in found("PyTorch defaults").values())
