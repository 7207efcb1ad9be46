"""A file of weights on the page of one's own network: what was found, what is asked, and what every page then shows."""

import io
import sys

import numpy as np
import pytest
import torch
from torch import nn

import gradlab
from gradlab.analyses.worst import worst
from gradlab.checkpoints import load
from gradlab.words import your_network as words
from tests.ui.conftest import SMALL
from tests.ui.test_your_network import PAGES, page, said

X, H, T, B = 3, 6, 30, 2


def weights(**modules):
    file = io.BytesIO()
    torch.save({name: module.state_dict() for name, module in modules.items()}, file)
    return file.getvalue()


@pytest.fixture
def lstm():
    torch.manual_seed(0)
    return weights(encoder=nn.LSTM(X, H, 2), head=nn.Linear(H, 2))


def data(batch_first=False):
    array = 5 + np.random.default_rng(0).standard_normal((T, B, X))
    file = io.BytesIO()
    np.save(file, array.transpose(1, 0, 2) if batch_first else array)
    return array, file.getvalue()


def uploaded(app, name, content):
    return app.file_uploader(key="logs uploaded").upload(name, content).run()


def refused(app):
    return " ".join(str(text.value) for text in (*app.error, *app.text))


@pytest.mark.slow
def test_the_page_is_about_the_network_of_the_file(open_app, lstm):
    app = uploaded(open_app("your_network", **SMALL), "model.pt", lstm)
    assert not app.exception, app.exception
    (one,) = app.session_state["settings"].subjects
    expected = load(lstm, file_name="model.pt").subject("encoder")
    assert one.recorded == expected.recorded
    assert any("model.pt" in text and "1 recurrent part" in text for text in said(app))
    assert any(words.where(worst(gradlab.trace(one)), 2) in text for text in said(app))
    assert not any("An example" in text for text in said(app))
    listed = app.dataframe[0].value
    assert listed["Part"].tolist() == ["encoder", "head"]
    assert "no recurrent" in listed["Left out"][1]
    app.button(key="open yours").click().run()
    for name in PAGES:
        page(app, name)
        assert not app.exception, (name, app.exception)
        assert app.get("vega_lite_chart") or name == "phase_map", name  # which is measured while it is looked at
    another = open_app("your_network", **SMALL)
    assert "yours" not in another.session_state, "another visitor's"


def test_data_are_read_as_the_visitor_says(open_app, lstm):
    array, content = data(batch_first=True)
    app = uploaded(open_app("your_network", **SMALL), "model.pt", lstm)
    app.file_uploader(key="data uploaded").upload("x.npy", content).run()
    app.toggle(key="batch first uploaded").set_value(True).run()
    (one,) = app.session_state["settings"].subjects
    assert np.abs(one.recorded.inputs - array).max() < 1e-5
    assert any("read as [sequences, steps, inputs]" in text.value for text in app.text)
    app.selectbox(key="scaling uploaded").set_value("standard").run()
    (one,) = app.session_state["settings"].subjects
    assert np.abs(one.recorded.inputs.mean((0, 1))).max() < 1e-5
    assert app.dataframe[1].value["Lowest"].tolist() == [f"{low:.4g}" for low in array.min((0, 1))]
    assert (one.settings.steps, one.settings.batch_size) == (T, B)


def test_a_question_is_asked_and_answered(open_app):
    torch.manual_seed(0)
    app = uploaded(open_app("your_network", **SMALL), "model.pt", weights(a=nn.RNN(X, H, nonlinearity="relu")))
    assert "several ways" in refused(app)
    assert any("An example" in text for text in said(app))
    app.selectbox(key="cell of a").set_value("rnn_relu").run()
    assert not app.exception, app.exception
    assert app.session_state["settings"].subjects[0].settings.cell == "rnn_relu"
    assert "several ways" not in refused(app)


def test_one_of_several_parts_and_arrays_is_chosen(open_app):
    torch.manual_seed(0)
    app = uploaded(open_app("your_network", **SMALL), "m.pt", weights(a=nn.LSTM(X, H), b=nn.GRU(X, H)))
    assert app.session_state["settings"].subjects[0].recorded.part == "a"
    app.selectbox(key="part uploaded").set_value("b").run()
    assert app.session_state["settings"].subjects[0].settings.cell == "gru"
    file, array = io.BytesIO(), data()[0]
    np.savez(file, x=array, y=np.ones(3))
    app.file_uploader(key="data uploaded").upload("x.npz", file.getvalue()).run()
    app.selectbox(key="array uploaded").set_value("x").run()
    assert not app.exception, app.exception
    assert np.abs(app.session_state["settings"].subjects[0].recorded.inputs - array).max() < 1e-5


@pytest.mark.parametrize(("name", "content", "says"), [
    ("model.pt", b"hello", "format of this file is not known"),
    ("model.pt", weights(a=nn.LSTM(X, H, bidirectional=True)), "trace it in Python"),
    ("model.pt", weights(a=nn.LSTM(X, 2000)), "hidden_size"),
    ("model.npz", b"PK\x03\x04", "truncated"),
])  # fmt: skip
def test_what_cannot_be_shown_is_refused_with_a_sentence(open_app, name, content, says):
    app = uploaded(open_app("your_network", **SMALL), name, content)
    assert not app.exception, app.exception
    assert says in refused(app)


def test_data_that_do_not_fit_are_refused_and_the_weights_stay(open_app, lstm):
    app = uploaded(open_app("your_network", **SMALL), "model.pt", lstm)
    app.file_uploader(key="data uploaded").upload("x.csv", b"1,2\n3,4\n").run()
    assert not app.exception, app.exception
    assert "do not fit a network of 3 inputs" in refused(app)
    app.file_uploader(key="data uploaded").upload("x.csv", b"1,2,3\n4,,6\n").run()
    assert "row 1 (counted from 0), column '1' is missing" in refused(app)
    assert app.session_state["settings"].subjects[0].recorded.part == "encoder"


def test_a_missing_library_is_named_with_the_command_that_installs_it(open_app, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    app = uploaded(open_app("your_network", **SMALL), "m.h5", b"\x89HDF\r\n\x1a\n" + bytes(64))
    assert not app.exception, app.exception
    assert "pip install --group keras" in refused(app)
