"""Pages of sequences: what they say is what the library computes, and what is chosen is what is drawn."""

import re

import numpy as np
import pyarrow as pa
import pytest

import gradlab
from gradlab.analyses.itemised import itemised, pairs
from gradlab.analyses.truncation import Schedule, cost, departure, gradient, kept_by
from gradlab.words.numbers import number, plain
from gradlab.words.sequences import KINDS, hiding, percent, statement
from tests.ui.conftest import SMALL, sent

PAGES = ("sequence_types", "itemised", "truncation")


def words(app):
    return " ".join([part.value for part in (*app.markdown, *app.header, *app.caption)])


def drawn(app, column):
    """Every row of the charts' data sets that have a column."""
    sets = [data for chart in app.get("vega_lite_chart") for data in chart.proto.datasets]
    tables = [pa.ipc.open_stream(data.data.data).read_all() for data in sets]
    rows = [row for table in tables if column in table.column_names for row in table.to_pylist()]
    if not any("following" in element.proto.id for element in app.get("bidi_component")):
        return rows
    sets = [
        lists for picture in sent(app)["frame"]["pictures"] for lists in picture["rows"].values() if column in lists
    ]
    return rows + [dict(zip(lists, row, strict=True)) for lists in sets for row in zip(*lists.values(), strict=True)]


@pytest.mark.slow
def test_every_type_can_be_shown_and_names_its_task(open_app):
    app = open_app("sequence_types", **SMALL, cells="RNN")
    for kind in KINDS:
        button = app.button(key=f"show {kind.loss}")
        if not button.disabled:  # the default loss is many-to-one by another name
            button.click().run()
            assert app.session_state["settings"].one.loss == kind.loss
        assert not app.exception
        assert app.markdown[0].value.startswith(f"{kind.name} ({kind.task})")


def test_the_share_of_the_first_step_is_the_traces(open_app):
    app = open_app("sequence_types", **SMALL, loss="many_to_many_delayed", reads="20")
    one = app.session_state["settings"].one
    assert (one.reads, one.loss) == (20, "many_to_many_delayed")
    left = gradlab.trace(one).table.query("state == 'h' and step == 0").log10_relative.item()
    remaining = f"Remaining in h at step 0 of the bottom layer, relative to the injected gradient: {number(left)}."
    assert f"a loss at 10 steps of 30. {remaining}" in words(app)


def test_the_statement_about_a_window_is_computed(open_app):
    app = open_app("truncation", **SMALL, truncation="windows", k1="3", k2="6", loss="every", forget_bias="3.0")
    for one in app.session_state["settings"].subjects:
        title, states = gradlab.CELLS[one.cell].title, gradlab.CELLS[one.cell].states
        flat = [
            np.concatenate([array.reshape(-1) for layer in gradient(one, schedule=schedule) for array in layer])
            for schedule in (Schedule("windows", 3, 6), Schedule("full"))
        ]
        error = np.linalg.norm(flat[0] - flat[1]) / np.linalg.norm(flat[1])
        cosine = flat[0] @ flat[1] / (np.linalg.norm(flat[0]) * np.linalg.norm(flat[1]))
        said = plain(app.header[0].value)
        written = re.search(rf"([\d.e-]+)% off the full one \(cosine ([^)]+)\) for this {re.escape(title)}", said)
        assert float(written[1]) == pytest.approx(100 * error, rel=0.06)
        if written[2] == "above 0.999":
            assert 0.999 < cosine < 1
        else:
            assert float(written[2].replace("−", "-")) == pytest.approx(cosine, abs=0.0051)
        for state in states:
            share = kept_by(pairs(one), Schedule("windows", 3, 6), 0, state).mean()
            assert f"{percent(share)} at {state}" in words(app)
    assert "A window of 6, every 3 steps" in app.header[0].value


def test_a_window_longer_than_the_sequence_is_named_and_left_out(open_app):
    app = open_app("truncation", **SMALL, truncation="chunks", k2="400")
    assert any("k2 = 400 is a window longer than the sequence of steps = 30" in text.value for text in app.text)


def test_a_loss_that_enters_once_is_replaced_and_said_to_be(open_app):
    assert "The chosen loss, last step, enters once; here it enters at every step" in words(
        open_app("itemised", **SMALL)
    )
    assert "enters once" not in words(open_app("itemised", **SMALL, loss="every"))


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("objective", ["cross_entropy", "squared_error"])
def test_pages_draw_a_readouts_gradient_too(open_app, name, objective):
    app = open_app(name, **SMALL, objective=objective, loss="many_to_many", cells=["RNN", "LSTM"])
    assert app.get("vega_lite_chart")


@pytest.mark.parametrize(
    ("share", "told"),
    [(1.0, "all of it"), (0.99995, "more than 99.99%"), (0.9987, "99.87%"), (0.41, "41%"), (0.012, "1.2%")],
)
def test_a_share_is_told_with_the_digits_it_needs(share, told):
    assert percent(share) == told


@pytest.mark.parametrize("page", ["itemised", "truncation"])
def test_the_layer_and_the_state_that_are_shown_can_be_chosen(open_app, page):
    query = SMALL | {"depth": "2", "cells": ["LSTM", "RNN"], "state": "c", "steps": "20"}
    app = open_app(page, **query)
    assert any("of layer 0" in caption.value for caption in app.caption)
    app.number_input(key="layer").set_value(1).run()
    assert not app.exception, app.exception
    assert any("of layer 1" in caption.value for caption in app.caption)
    one = app.session_state["settings"].one.replace(loss="every")
    expected = itemised(one).query("layer == 1 and state == 'c' and loss_step == 19 and step == 0")["log10_norm"].item()
    shown = [row["log10_norm"] for row in drawn(app, "loss_step") if (row["loss_step"], row.get("step")) == (19, 0)]
    assert any(value == pytest.approx(expected) for value in shown)


def test_the_window_is_one_click_away_where_truncation_is_full(open_app):
    app = open_app("truncation", **SMALL)
    app.button(key="choose window").click().run()
    assert not app.exception, app.exception
    app.select_slider(key="k2").set_value("6").run()
    assert app.session_state["settings"].one.k2 == 6


def test_the_sentence_compares_the_last_loss_alone_with_the_sum(open_app):
    app = open_app("itemised", **SMALL, depth="2", cells=["LSTM", "GRU"], state="c", layer="1")
    for one in (subject.replace(loss="every") for subject in app.session_state["settings"].subjects):
        at = f"layer == 1 and step == 0 and state == '{gradlab.CELLS[one.cell].states[-1]}'"
        alone = itemised(one, loss_steps=[29]).query(at)["log10_norm"].item()
        total = gradlab.trace(one).table.query(at)["log10_norm"].item()
        assert f"{gradlab.CELLS[one.cell].title} {number(alone)} and {number(total)}" in app.markdown[0].value


def test_the_gallery_draws_the_five_types_on_one_scale_and_the_chosen_one_over_its_own_steps(open_app):
    app = open_app("sequence_types", **SMALL, loss="many_to_many_delayed", reads="20")
    *small, chosen = sent(app)["frame"]["pictures"][:6]
    domains = [picture["domains"]["colours"] for picture in small]
    assert len(domains) == 5
    assert all(domain == domains[0] for domain in domains)
    assert chosen["domains"]["colours"] != domains[0]
    assert {20, 29} <= {*chosen["rows"]["loss"]["step"]}


def test_what_a_schedule_saves_is_counted_for_it_alone(open_app):
    app = open_app("truncation", **SMALL, truncation="windows", k1="3", k2="6", loss="every")
    row = cost(app.session_state["settings"].one, schedules=[Schedule("windows", 3, 6)]).iloc[0]
    assert f"{row.share_of_bytes:.1%} of the memory for states" in words(app)
    assert f"{row.share_of_multiply_adds:.2f} times as many multiply-adds" in words(app)


def test_a_truncation_that_keeps_all_of_h_may_lose_most_of_the_parameters_gradient():
    e = gradlab.Experiment(cell="lstm", gain=0.0, forget_bias=5.0, loss="every", truncation="windows", k1=10, k2=20)
    found = departure(e, schedule=Schedule.of(e))
    said = statement(Schedule.of(e), [e], [found])
    assert found.relative_error > 0.8
    assert 0.78 < found.cosine < 0.8
    assert said == (
        "A window of 20, every 10 steps, gives a parameter gradient that is 81% off the full one (cosine 0.79) for "
        "this LSTM."
    )


@pytest.mark.parametrize(
    ("settings", "hides"),
    [
        ({"cell": "rnn"}, True),
        ({"cell": "rnn", "gain": 3.0, "initialization": "gaussian"}, False),
        ({"cell": "rnn_linear", "initialization": "orthogonal"}, False),  # all of 200 losses have the same part
    ],
)
def test_a_sum_is_said_to_hide_the_last_loss_only_where_it_does(settings, hides):
    e = gradlab.Experiment(loss="every").replace(**settings)
    found = gradlab.trace(e)
    each = itemised(e).query("step == 0")["log10_norm"].to_numpy()
    typical = np.sqrt(np.mean(10.0 ** (2 * each)))
    assert bool(10.0 ** each[-1] < 0.1 * typical) is hides
    said = hiding([pairs(e)], [found], 0, "h")
    assert ("The sum says next to nothing about the last loss" in said) is hides
    assert ("In the sum the last loss has its part" in said) is not hides


def test_the_explorer_draws_what_arrives_beside_what_propagates_where_they_differ(open_app):
    queries = ({}, {"loss": "every"})
    once, several = (len(open_app("gradient_flow", **SMALL, **query).get("vega_lite_chart")) for query in queries)
    assert several == once + 1
