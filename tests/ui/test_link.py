"""The address bar: what a link says is what is drawn, and what it says wrongly is named."""

from urllib.parse import parse_qs

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gradlab.settings.catalogue import CHOICES, title
from gradlab.settings.experiment import Experiment
from gradlab.settings.links import read_query, to_query
from gradlab.ui.frame.link import full_query
from gradlab.ui.frame.settings import EXPANDERS, OF_THE_TASK
from tests.ui.conftest import SMALL


def told(app):
    return [text.value for text in app.text]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"steps": "1"}, "steps = '1' is not allowed"),
        ({"hidden_size": "abc"}, "hidden_size = 'abc' is not allowed"),
        ({"gain": "nan"}, "gain = 'nan' is not allowed"),
        ({"initialization": "magic"}, "initialization = 'magic' is not allowed"),
        ({"cells": "perceptron"}, "cells = 'perceptron' is not a cell: use any of RNN, LSTM, GRU"),
        ({"cells": "LTSM"}, "cells = 'LTSM' is not a cell: did you mean LSTM? Use any of RNN, LSTM, GRU"),
        ({"initialization": "ortogonal"}, "did you mean orthogonal? Use one of"),
        ({"state": "z"}, "state = 'z' is not allowed"),
        ({"relative": "maybe"}, "relative = 'maybe' is not allowed"),
        ({"hiden_size": "8"}, "did you mean hidden_size?"),
        ({"version": "99"}, "version = '99' of the link is not known"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_a_bad_value_falls_back_to_its_default_with_a_message_that_names_it(open_app, query, words):
    app = open_app(**(SMALL | query))
    assert any(words in sentence for sentence in told(app)), told(app)
    used = app.session_state["settings"].subjects[0]
    for name in query.keys() & Experiment.model_fields.keys():
        assert getattr(used, name) == Experiment.model_fields[name].default


def test_the_message_about_a_bad_value_goes_when_a_setting_changes(open_app):
    app = open_app(gain="abc")
    assert told(app)
    app.run()
    assert told(app)
    app.select_slider(key="gain").set_value(0.5).run()
    assert not told(app)


def test_what_a_visitor_typed_is_shown_as_text_and_never_as_markdown(open_app):
    app = open_app(cells="![x](http://example.com/x.png)")
    assert any("http://example.com" in sentence for sentence in told(app))
    assert not any("example.com" in markdown.value for markdown in app.markdown)


def test_a_good_link_says_nothing(open_app):
    assert not told(open_app(**SMALL, cells=["RNN", "LSTM"], forget_bias="3.0"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("query", "name", "value"),
    [
        ({"steps": "137"}, "steps", 137),
        ({"steps": "200.0"}, "steps", 200),
        ({"gain": "1.2345"}, "gain", 1.2345),
        ({"gain": "2"}, "gain", 2.0),
        ({"forget_bias": "-3.25"}, "forget_bias", -3.25),
        ({"forget_bias": ""}, "forget_bias", None),
        ({"hidden_size": "77"}, "hidden_size", 77),
        ({"seed": "4294967295"}, "seed", 2**32 - 1),
        ({"loss": "step", "loss_step": "3"}, "loss_step", 3),
        ({"inputs": "text", "text": "한글 abc"}, "text", "한글 abc"),
    ],
    ids=lambda value: str(value),
)
def test_every_value_that_is_allowed_is_used_whether_or_not_a_slider_stops_there(open_app, query, name, value):
    app = open_app(**query)
    assert getattr(app.session_state["settings"].subjects[0], name) == value
    assert not told(app)


def test_a_link_made_by_the_library_opens_that_cell(open_app):
    experiment = Experiment(cell="gru", steps=50, hidden_size=16, gain=0.9)
    app = open_app(**to_query(experiment))
    assert app.session_state["settings"].subjects == (experiment,)


numbers = {
    "depth": st.integers(1, 3),
    "hidden_size": st.integers(1, 20),
    "steps": st.integers(2, 60),
    "batch_size": st.integers(1, 4),
    "gain": st.floats(0, 10),
    "keep_bias": st.none() | st.floats(-20, 20),
    "initialization": st.sampled_from(["pytorch", "orthogonal", "zeros"]),
    "inputs": st.sampled_from(["noise", "sines", "zero"]),
    "loss": st.sampled_from(["last", "every"]),
    "seed": st.integers(0, 2**32 - 1),
    "dtype": st.sampled_from(["float64", "float32"]),
}


@pytest.mark.slow
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(
    values=st.fixed_dictionaries(numbers),
    cells=st.lists(st.sampled_from(["RNN", "LSTM", "GRU", "RNN (linear)"]), min_size=1, unique=True),
    display=st.fixed_dictionaries(
        {
            "state": st.sampled_from(["h", "c", "all"]),
            "relative": st.sampled_from(["true", "false"]),
            "one_cell": st.sampled_from(["RNN", "LSTM", "GRU"]),
        }
    ),
)
def test_a_copied_link_restores_every_setting_on_a_new_visit(open_app, values, cells, display):
    query = {name: "" if value is None else str(value) for name, value in values.items()}
    first = open_app("gradient_flow", **query, cells=cells, **display).session_state["settings"]
    link = parse_qs(full_query(first), keep_blank_values=True)
    assert link.keys() >= {"version", "cells", "state", "relative"} | (Experiment.model_fields.keys() - {"cell"})
    again = open_app("gradient_flow", **link).session_state["settings"]
    assert again == first
    assert again.subjects[0].model_dump(exclude={"cell"}) == Experiment(**values).model_dump(exclude={"cell"})


def test_a_link_with_a_forget_bias_means_what_it_meant_and_shows_it(open_app):
    app = open_app("home", **SMALL, forget_bias="3.0", cells=["LSTM", "GRU"])
    lstm, gru = app.session_state["settings"].subjects
    assert lstm.network().layers[0].b_W[8:16] + lstm.network().layers[0].b_U[8:16] == pytest.approx(3.0)
    assert equal_layers(gru, gru.replace(forget_bias=None))
    assert app.select_slider(key="forget_bias").value == 3.0
    plain = open_app("home", **SMALL)
    assert not [slider for slider in plain.select_slider if slider.key == "forget_bias"], "a new visit has one bias"
    both = open_app("home", **SMALL, keep_bias="1.0", cells=["LSTM", "GRU"]).session_state["settings"].subjects
    assert not any(equal_layers(one, one.replace(keep_bias=None)) for one in both)


def equal_layers(one, other):
    first, second = (subject.network().layers[0] for subject in (one, other))
    return all((a == b).all() for a, b in zip(first, second, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "query", "reason"),
    [
        ("gates", {"one_cell": "leaky RNN"}, "leaky RNN has no gate that keeps the old state."),
        ("weights", {"one_cell": "RNN"}, "RNN has no gate that keeps the old state."),
        ("home", {"cells": ["RNN", "leaky RNN"]}, "RNN and leaky RNN have no gate that keeps the old state."),
        ("gates", {"one_cell": "GRU"}, ""),
        ("home", {"cells": ["RNN", "GRU"]}, ""),
        ("why_addition", {"one_cell": "RNN"}, ""),
    ],
)
def test_the_keep_gate_bias_is_inactive_with_the_reason_where_no_cell_has_such_a_gate(open_app, page, query, reason):
    app = open_app(page, **SMALL, **query)
    slider = app.select_slider(key="keep_bias")
    assert slider.disabled == bool(reason)
    assert not reason or reason in [caption.value for caption in app.caption]


def test_every_setting_stands_in_one_expander_and_the_task_decides_sequence_and_loss():
    drawn = [name for names in EXPANDERS.values() for name in names]
    assert len(set(drawn)) == len(drawn)
    assert set(drawn) == {*Experiment.model_fields, "cells", "state", "relative", "one_cell"} - {"cell"}
    assert EXPANDERS["Network"] == (
        "cells", "depth", "hidden_size", "initialization", "gain", "keep_bias", "forget_bias", "seed", "dtype",
    )  # fmt: skip
    assert EXPANDERS["Sequence"] == ("steps", "batch_size", "inputs", "input_size", "text")
    assert OF_THE_TASK.isdisjoint({"truncation", "k1", "k2", "seed", "hidden_size"})
    assert {"steps", "input_size", "text", "loss", "objective", "output_size"} <= OF_THE_TASK


def test_widgets_are_called_by_the_words_of_the_field(open_app):
    app = open_app("truncation", **SMALL, truncation="windows")
    labels = {widget.label for widget in (*app.selectbox, *app.number_input, *app.select_slider)}
    assert {"Loss placement", "k1: steps between updates", "k2: truncation length"} <= labels
    assert "Relative to the injected gradient" in {widget.label for widget in open_app(**SMALL).toggle}


@pytest.mark.parametrize(("name", "choice"), [(n, choice) for n in CHOICES if n != "cell" for choice in CHOICES[n]])
def test_a_link_may_name_a_choice_as_code_or_as_the_screen_does(name, choice):
    asked, read = {name: choice}, read_query({name: title(choice).upper()})
    assert read == read_query(asked)
    assert getattr(read[0], name) == choice
    assert len({title(other) for other in CHOICES[name]}) == len(CHOICES[name])


def test_select_boxes_and_the_address_have_the_titles_of_choices_and_a_copied_link_their_names(open_app):
    app = open_app("gradient_flow", **SMALL, loss="half_square", initialization="irnn")
    box = app.selectbox(key="loss")
    assert (box.value, box.options[0]) == ("half_square", "last step")
    assert app.query_params["loss"] == "½‖h‖² at the last step"
    assert "loss=half_square" in full_query(app.session_state["settings"])
    app.selectbox(key="initialization").set_value("orthogonal").run()
    assert app.session_state["settings"].one.initialization == "orthogonal"
