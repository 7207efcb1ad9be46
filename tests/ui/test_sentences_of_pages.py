"""All sentences of the pages at thirty settings spread over the space, each claim against the arrays."""

import math
import re

import numpy as np
import pytest

from gradlab import CELLS, Experiment, diagnose, trace
from gradlab.words.numbers import plain
from tests.ui.test_programs import PAGES

OTHERS = [page for page in PAGES if page not in ("home", "gradient_flow", "training", "character_model", "one_unit")]
SETTINGS = {
    "two steps": {"steps": 2},
    "three steps": {"steps": 3, "loss": "every"},
    "default": {},
    "loss at two steps": {"loss": "steps", "loss_steps": "10,50"},
    "loss at quarters": {"loss": "steps"},
    "loss everywhere": {"loss": "every"},
    "one step": {"loss": "step", "loss_step": 7},
    "half square": {"loss": "half_square"},
    "one to one": {"loss": "one_to_one"},
    "one to many": {"loss": "one_to_many"},
    "delayed": {"loss": "many_to_many_delayed", "reads": 20},
    "readout": {"loss": "every", "objective": "squared_error"},
    "classes": {"objective": "cross_entropy", "output_size": 5},
    "no loss": {"objective": "cross_entropy", "output_size": 1},
    "gain 0": {"gain": 0.0},
    "gain 3, chaotic": {"gain": 3.0, "initialization": "gaussian"},
    "gain 3, loss everywhere": {"gain": 3.0, "initialization": "gaussian", "loss": "every"},
    "orthogonal": {"initialization": "orthogonal", "gain": 0.98, "steps": 2000, "hidden_size": 4},
    "closed gates": {"forget_bias": -10.0},
    "bias 3": {"forget_bias": 3.0},
    "open gates": {"forget_bias": 20.0},
    "additive alone": {"forget_bias": 20.0, "gain": 0.0},
    "saturated": {"gain": 8.0, "initialization": "kaiming", "steps": 100},
    "dead units": {"cell": "rnn_relu", "hidden_size": 4},
    "overflow": {"cell": "rnn_relu", "gain": 10.0, "initialization": "gaussian", "steps": 600},
    "deep": {"depth": 4, "steps": 80},
    "text": {"inputs": "text", "text": "abcabcab", "loss": "every", "objective": "cross_entropy"},
    "float32": {"dtype": "float32", "steps": 300},
    "no input": {"inputs": "zero", "initialization": "identity"},
    "long": {"steps": 100_000, "hidden_size": 2, "batch_size": 1},
}
SMALL = {"hidden_size": 8, "input_size": 3, "batch_size": 3, "steps": 120}


def query_of(chosen):
    """The settings as a link, with the cell examined and compared where there is a special one."""
    query = {name: str(value) for name, value in chosen.items() if name != "cell"}
    title = CELLS[chosen.get("cell", "lstm")].title
    return query | {"one_cell": title, "cells": ["RNN", title] if title != "RNN" else ["RNN"]}


def texts(app):
    parts = [*app.markdown, *app.caption, *app.info, *app.warning, *app.success, *app.header]
    return [part.value for part in parts] + [f"{card.label} {card.value} {card.delta}" for card in app.metric]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "name"), list(enumerate(SETTINGS)))
def test_what_pages_say_is_what_the_arrays_hold(open_app, number, name):
    chosen = SMALL | SETTINGS[name]
    assert len(SETTINGS) == 30
    long = chosen["steps"] > 10_000
    pages = ["home"] if long else ["home", "gradient_flow", *np.roll(OTHERS, -2 * number)[:3]]
    for page in pages:
        app = open_app(page, **query_of(chosen))
        assert not app.exception, (page, app.exception)
        said = " ".join(texts(app))
        assert not re.search(r"\bnan\b|\bNone\b|\binf\b|\bNaN\b", said), (page, said)
        assert not re.search(r"(?<![\d.])1 (steps|sequences|layers|losses)\b", said), (page, said)
        if page in ("home", "gradient_flow"):
            subjects = app.session_state["settings"].subjects
            holds_verdicts([card for card in app.metric if ": " in card.label], subjects)
            holds_opening(plain(app.markdown[0].value if page == "home" else said), subjects)


def holds_verdicts(cards, subjects):
    """Every card has the verdict and the rate of its cell."""
    assert len(cards) == len(subjects)
    for card, subject in zip(cards, subjects, strict=True):
        found = diagnose(trace(subject))
        assert card.label.startswith(f"{subject.title} ")
        assert card.label.endswith(found.verdict)
        if found.verdict in ("vanishing", "exploding"):
            rate = float(re.search(r"[-+−]?[\d.]+(e[+−-]?\d+)?", card.value)[0].replace("−", "-"))
            assert rate == pytest.approx(found.decades_per_100_steps, rel=0.06)


def holds_opening(said, subjects):
    """What is left at the first step, of a single loss, for each cell in which something is."""
    for subject in subjects:
        norms, e = trace(subject), subject.settings
        if norms.non_finite or len(norms.loss_steps) == 0 or len(set(norms.loss_steps.tolist())) > 1:
            continue
        left = norms.log10_relative("h")[0, 0]
        if not np.isfinite(left).all():
            continue
        rest = said.split(f"{subject.title} ")
        numbers = [re.match(r"[\d.,]+(e[+-]\d+)?", part) for part in rest[1:]]
        written = [number[0].rstrip(".,") for number in numbers if number]
        assert any(_log10(value) == pytest.approx(left.mean(), abs=0.03) for value in written), (
            e,
            left.mean(),
            written,
        )


def _log10(text):
    """log10 of a number as it is written, at any size."""
    mantissa, _, exponent = text.replace(",", "").partition("e")
    value = float(mantissa)
    return (math.log10(value) if value > 0 else -math.inf) + int(exponent or 0)


def test_the_settings_of_this_test_are_settings():
    for chosen in SETTINGS.values():
        Experiment(**({"cell": "lstm"} | SMALL | chosen))
