"""The pages of spectra and of the curse of memory: their sentences are what the library computes."""

import numpy as np
import pytest

from gradlab import Experiment
from gradlab.analyses import spectra
from gradlab.analyses.jacobians import log_determinants, lyapunov_exponents
from gradlab.analyses.theory import memory_sensitivity
from gradlab.ui.parts.spectrum import SCENES
from gradlab.words import spectra as words
from gradlab.words.numbers import number, signed
from tests.ui.conftest import SMALL, sent


def one_of(app) -> Experiment:
    return app.session_state["settings"].one


def said(app) -> str:
    return "\n".join(element.value for element in (*app.markdown, *app.caption))


CLOSED = {"spectrum_claims": "false", "spectrum_newton": "false", "spectrum_lags": "false"}


@pytest.mark.parametrize("cell", ["RNN", "LSTM"])
def test_the_sentence_has_the_largest_exponent_and_the_law_holds_by_the_page_s_words(open_app, cell):
    app = open_app("spectrum", **SMALL, **CLOSED, one_cell=cell, gain="4.0")
    e = one_of(app)
    exponents = lyapunov_exponents(e, discard=3)
    assert f"λ₁ = **{signed(exponents[0])}** nats a step" in said(app)
    assert f"**{(exponents > 1e-9).sum()} of {len(exponents)}** directions grow" in said(app)
    mean = log_determinants(e)[3:].mean()
    assert f"sum to {signed(exponents.sum())}, and ln |det ∂s_t/∂s_{{t−1}}| is {signed(mean)} on average" in said(app)
    drawn = sent(app)["frame"]["pictures"][0]["rows"]["measured"]["exponent"]
    assert drawn == pytest.approx(exponents.tolist())
    radius = np.log(np.abs(np.linalg.eigvals(e.network().layers[0].U)).max()) if cell == "RNN" else None
    assert (radius is None) == ("spectral radius alone" not in said(app))
    if radius is not None:
        assert f"U's spectral radius alone would give {signed(radius)}; mean-field theory gives" in said(app)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"one_cell": "RNN", "initialization": "zeros"}, "every direction is mapped to exactly 0"),
        ({"one_cell": "RNN (ReLU)", "gain": "8.0", "steps": "2000"}, "the exponents are undefined, since the forward"),
        ({"gain": "0.0"}, "every sum is −∞, for the step Jacobian is singular and 8 of 16 exponents are −∞"),
        ({"steps": "2"}, "over 2 steps"),
        ({"dtype": "float32", "depth": "2"}, "of 32** directions grow"),
    ],
    ids=["zeros", "overflow", "no U", "two steps", "float32"],
)
def test_unusual_settings_are_said_in_words(open_app, query, sentence):
    assert sentence in said(open_app("spectrum", **(SMALL | CLOSED | query)))


@pytest.mark.slow
def test_each_demonstration_says_what_it_computes(open_app):
    left = number(100 * np.log10(2) - np.log10(2) / 2)  # of (1, 1)/√2, whose first entry doubles at each step
    for name, claim in {
        "Determinant 0.8 explodes": f"determinant 0.8: after 100 steps **it has become {left}**",
        "Spectral radius 0 explodes": "Spectral radius 0, determinant 0",
        "Input calms chaos": "Random tanh networks of 64 units and gain 2",
    }.items():
        app = open_app("spectrum", **SMALL | CLOSED | {"spectrum_claims": "true"}, spectrum_shows=name)
        assert app.session_state["spectrum_shows"] == name
        assert claim in said(app), name
    assert set(SCENES) < set(words.DEMONSTRATIONS)


def test_newton_s_sentence_says_what_the_network_itself_needs(open_app):
    app = open_app("spectrum", **SMALL | CLOSED | {"spectrum_newton": "true"}, one_cell="RNN")
    rows = spectra.newton_by_factor(one_of(app)).set_index("factor")
    assert f"needs **{rows.loc[1.0, 'iterations']:.0f} iterations** for 30 steps" in said(app)
    grows = rows[rows["exponent"] > 0]
    assert f"λ₁ is above 0 at a factor of {grows.index[0]:g}, where it takes {grows['iterations'].iloc[0]:.0f}" in said(
        app
    )


@pytest.mark.parametrize("eigenvalue", ["0.5", "0.9"])
def test_the_curse_is_said_beside_its_formula_and_drawn_at_the_slider_s_stop(open_app, eigenvalue, monkeypatch):
    monkeypatch.setattr("gradlab.ui.parts.memory.EIGENVALUES", (0.5, 0.9, 0.99))  # the others take seconds
    app = open_app("memory", memory_eigenvalue=eigenvalue)
    formula = number(np.log10(memory_sensitivity(float(eigenvalue))))
    assert f"λ = {eigenvalue} remembers for about {1 / (1 - float(eigenvalue)):.0f} steps" in said(app)
    assert f"(formula: {formula}): moving λ by 0.001" in said(app)
    rows = sent(app)["frame"]["pictures"][0]["rows"]
    assert rows["at"]["length"] == pytest.approx([1 / (1 - float(eigenvalue))])
    assert set(rows["here"]["eigenvalue"]) == {float(eigenvalue)}
