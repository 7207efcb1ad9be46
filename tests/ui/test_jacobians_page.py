"""The page of product Jacobians: its sentence is what the library computes, its choice is in the link."""

import json

import numpy as np
import pytest

from gradlab import Experiment
from gradlab.analyses.jacobians import product_jacobians
from gradlab.words.numbers import number
from tests.ui.conftest import SMALL, sent


def one_of(app) -> Experiment:
    return app.session_state["settings"].one


def said(app) -> str:
    return "\n".join(element.value for element in (*app.markdown, *app.caption))


@pytest.mark.parametrize(
    ("query", "block"), [({}, slice(None)), ({"jacobians_of": "h alone"}, slice(0, 8))], ids=["full state", "h alone"]
)
def test_the_sentence_holds_the_singular_values_of_the_farthest_lag(open_app, query, block):
    app = open_app("jacobians", **SMALL, **query, forget_bias="3.0")
    values = np.linalg.svd(product_jacobians(one_of(app)).at(0)[block, block], compute_uv=False)
    resolved = values[values > len(values) * np.finfo(float).eps * values[0]]
    assert f"run from **{number(np.log10(values[0]))}** down to {number(np.log10(resolved[-1]))}" in said(app)
    assert f"keep more than half their norm: **{(values > 0.5).sum()} of {len(values)}**" in said(app)
    assert f"{len(values)} × {len(values)} numbers" in said(app)
    assert "No bound is drawn: a power of the spectral norm of U does not bound the LSTM." in said(app)


def test_the_choice_of_the_block_is_kept_in_the_link_and_draws_its_lines(open_app):
    app = open_app("jacobians", **SMALL)
    app.button_group(key="jacobians_of").set_value("h alone").run()
    assert not app.exception
    assert app.session_state["jacobians_of"] == "h alone"
    assert "jacobians_of=h+alone" in json.loads(app.get("bidi_component")[-1].proto.json)["query"]
    assert "8 × 8 numbers" in said(app)
    assert "∂h_T/∂h_t" in said(app)


def test_the_bound_of_an_rnn_is_its_spectral_norm_to_the_power_of_the_lag(open_app):
    app = open_app("jacobians", **SMALL, one_cell="RNN")
    sigma = np.linalg.svd(one_of(app).network().layers[0].U, compute_uv=False)[0]
    assert f"bounds them all by {number(29 * np.log10(sigma))}." in said(app)
    (picture,) = sent(app)["frame"]["pictures"]
    assert {"singular value", "random cotangent", "spectral-norm bound"} < picture["rows"].keys()
    bound = picture["rows"]["spectral-norm bound"]
    assert bound["log10_value"] == pytest.approx([lag * np.log10(sigma) for lag in bound["lag"]])


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"one_cell": "RNN", "depth": "2"}, "bounds one layer, not a stack"),
        ({"one_cell": "RNN", "initialization": "zeros"}, "is exactly 0: no direction arrives"),
        ({"one_cell": "RNN (ReLU)", "gain": "5.0", "steps": "2000"}, "is undefined, since the forward pass overflows"),
        ({"dtype": "float32"}, "are lost to rounding"),
        ({"steps": "2"}, "1 step back"),
    ],
    ids=["stack", "zeros", "overflow", "float32", "two steps"],
)
def test_unusual_settings_are_said_in_words(open_app, query, words):
    assert words in said(open_app("jacobians", **(SMALL | query)))
