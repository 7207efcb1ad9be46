"""Trained networks opened in every page: the pages then show the numbers of the runs' own stacks."""

import numpy as np
import pyarrow as pa
import pytest

import gradlab
from gradlab.analyses import paths
from gradlab.analyses.problem import problem_of
from gradlab.analyses.weights import singular_values
from gradlab.settings.drawing import inputs_of
from gradlab.settings.experiment import Experiment
from gradlab.training import Recipe, Run, checkpoints
from tests.ui.conftest import ROOT
from tests.ui.jobs import train
from tests.ui.test_training_pages import TINY

pytestmark = pytest.mark.slow  # each starts a process that trains, which loads torch
PAGES = sorted(path.stem for path in (ROOT / "pages").glob("*.py"))


def page(app, name):
    app.switch_page(str(ROOT / "pages" / f"{name}.py")).run()
    assert not app.exception, app.exception
    return app


@pytest.fixture
def trained(open_app):
    """(the app at the gradient flow page with the training page's runs open, the runs)"""
    app = open_app("training", **TINY)
    app.button(key="start training").click().run()
    _, job = app.session_state["job training"]
    train(job)
    app.run()
    app.button(key="show training").click().run()
    assert not app.exception, app.exception
    return page(app, "gradient_flow"), job.runs


def on_its_own_arrays(run, settings):
    """What `gradlab.trace` takes for the stack that a run holds now, on the batch and loss of a page's settings."""
    stack = run.network.recurrent.stack
    inputs = inputs_of(settings)
    return stack, inputs, problem_of(settings).cotangents


def drawn(app, kind):
    """Every row of the charts' data sets that have a column."""
    sets = [data for chart in app.get("vega_lite_chart") for data in chart.proto.datasets]
    tables = [pa.ipc.open_stream(data.data.data).read_all() for data in sets]
    return [row for table in tables if kind in table.column_names for row in table.to_pylist()]


def test_the_gradient_flow_page_draws_the_trace_of_the_runs_own_stacks(trained):
    app, runs = trained
    shared = app.session_state["settings"]
    assert [one.settings.cell for one in shared.subjects] == ["rnn", "gru"]
    settings = shared.one.settings
    assert (settings.steps, settings.loss, settings.objective) == (10, "last", "squared_error")
    for run, one in zip(runs, shared.subjects, strict=True):
        assert one.weights.updates == 20
        expected = gradlab.trace(*on_its_own_arrays(run, one)).table.query("state == 'h'")
        rows = [
            row for row in drawn(app, "log10_relative") if row["cell"] == one.settings.cell and row.get("state") == "h"
        ]
        found = {row["step"]: row["log10_relative"] for row in rows if "lag" in row}
        np.testing.assert_allclose([found[step] for step in expected["step"]], expected["log10_relative"], atol=1e-6)
        assert not np.allclose(
            expected["log10_norm"], gradlab.trace(one.settings).table.query("state == 'h'").log10_norm
        )


def test_the_weights_page_shows_the_spectra_of_the_runs_stack(trained):
    app, runs = trained
    app.session_state["one_cell"] = "GRU"
    page(app, "weights")
    expected = singular_values(runs[1].network.recurrent.stack)["singular_value"]
    shown = sorted(row["singular_value"] for row in drawn(app, "singular_value") if row.get("gate"))
    np.testing.assert_allclose(shown, sorted(expected), rtol=1e-6)


def test_why_addition_splits_the_gradient_of_the_runs_stack_and_cells_not_trained_begin(trained):
    app, runs = trained
    app.session_state["one_cell"] = "GRU"
    app.session_state["why_addition_orders"] = True
    page(app, "why_addition")
    one = app.session_state["settings"].one
    table = paths.decompose(*on_its_own_arrays(runs[1], one)).query("state == 'h' and step == 0").set_index("path")
    rows = [row for row in drawn(app, "share") if row["step"] == 0]
    found = {row["path"]: row["share"] for row in rows}
    assert found["direct"] == pytest.approx(table["share"]["direct"], abs=1e-6)
    lstm = app.session_state["settings"].of("lstm")
    assert lstm.weights.updates == 0
    np.testing.assert_array_equal(inputs_of(lstm), inputs_of(one))


@pytest.mark.parametrize("name", PAGES)
def test_every_page_opens_and_says_what_is_open(trained, name):
    app = page(trained[0], name)
    assert "the opened RNN and GRU**: trained on “Adding problem” for 20 updates" in " ".join(
        m.value for m in app.markdown
    )
    assert app.get("vega_lite_chart")


def test_the_sidebar_asks_for_what_the_weights_leave_open_and_the_steps_can_be_moved(trained):
    app, _ = trained
    keys = {widget.key for kind in ("select_slider", "selectbox", "multiselect") for widget in app.get(kind)}
    assert {"steps", "loss"} <= keys
    assert not {"hidden_size", "cells", "initialization", "forget_bias", "inputs", "objective"} & keys
    app.select_slider(key="steps").set_value(40).run()
    assert app.session_state["settings"].one.settings.steps == 40
    app.selectbox(key="loss").set_value("half_square").run()
    assert not app.exception, app.exception


def test_the_way_back_restores_the_settings_and_leaves_the_training_as_it_was(trained):
    app, runs = trained
    app.button(key="close opened").click().run()
    assert "opened" not in app.session_state
    one = app.session_state["settings"].one
    assert (one.settings.steps, one.settings.input_size) == (200, 16)
    assert type(one) is Experiment
    page(app, "training")
    assert app.session_state["job training"][1].runs == runs


def test_the_training_page_trains_on_while_its_runs_are_open(trained):
    app, runs = trained
    page(app, "training")
    assert app.session_state["job training"][1].runs == runs


@pytest.mark.parametrize("done", [5, 9])
def test_an_uploaded_checkpoint_can_be_opened_too(open_app, done):
    run = Run(
        Experiment(cell="lstm", hidden_size=4, steps=10, batch_size=2, depth=2),
        "delayed_recall",
        Recipe(updates=9, trace_every=4),
    )
    for _ in range(done):
        run.update()
    app = open_app("training", **TINY)
    app.file_uploader(key="open training").upload("run.safetensors", checkpoints.save(run)).run()
    app.button(key="opened training").click().run()
    app.button(key="show training").click().run()
    page(app, "gradient_flow")
    (one,) = app.session_state["settings"].subjects
    assert one == run.trained, "opening changes nothing"
