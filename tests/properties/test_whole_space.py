"""Over the whole space of settings: traces, verdicts and sentences against a second, plain route."""

import math
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gradlab import diagnose, paths, trace
from gradlab.analyses.truncation import Schedule
from gradlab.cells import CELLS
from gradlab.settings.catalogue import CHOICES
from gradlab.settings.experiment import Experiment, SettingsError
from gradlab.settings.initializations import INITIALIZATIONS
from gradlab.settings.losses import LOSSES
from gradlab.words import flow, sequences
from gradlab.words import paths as sentences
from gradlab.words.numbers import plain
from tests.analyses.registry import ANALYSES
from tests.properties.plain import of_experiment

REFUSED = re.compile("has no gate whose product|has no keep_bias|not text|needs? .* GB|is allowed: use|no text")


@st.composite
def experiments(draw, longest=40):
    """Any experiment of a small size: every cell, law, input, loss and objective, gains of 0 to 4, biases -10 to 20."""
    steps = draw(st.integers(2, longest))
    chosen = {
        "cell": draw(st.sampled_from(list(CELLS))),
        "depth": draw(st.integers(1, 3)),
        "hidden_size": draw(st.integers(1, 6)),
        "input_size": draw(st.integers(1, 3)),
        "steps": steps,
        "batch_size": draw(st.integers(1, 3)),
        "initialization": draw(st.sampled_from(list(INITIALIZATIONS))),
        "gain": draw(st.sampled_from([0.0, 0.3, 1.0, 1.5, 4.0])),
        "forget_bias": draw(st.sampled_from([None, -10.0, 0.0, 3.0, 20.0])),
        "inputs": draw(st.sampled_from(list(CHOICES["inputs"]))),
        "loss": draw(st.sampled_from(list(LOSSES))),
        "objective": draw(st.sampled_from(list(CHOICES["objective"]))),
        "seed": draw(st.integers(0, 1000)),
    }
    if chosen["inputs"] == "text":
        chosen["text"] = draw(st.sampled_from(["abcab", "aaaa", "hello world"]))
    if LOSSES[chosen["loss"]].needs_states:
        chosen["objective"] = "direction"
    try:
        return Experiment(**chosen)
    except SettingsError:
        return Experiment(**(chosen | {"loss": "every", "steps": max(steps, 4)}))


def usable(e):
    """The trace, where both passes stay finite."""
    found = trace(e)
    return found if found.non_finite is None else None


@pytest.mark.slow
@settings(max_examples=250, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(experiments())
def test_traces_are_those_of_the_plain_route_of_all_losses_and_of_the_last_alone(e):
    found = usable(e)
    if found is None:
        return
    every, last, _ = of_experiment(e)
    for ours, plainly in ((found.log10_norms, every), (found.log10_norms_last, last)):
        alive = plainly > -280  # the plain route ends where a step's own numbers do
        assert np.isneginf(ours[np.isneginf(plainly)]).all() or e.gain in (0.0, 4.0)
        assert ours[alive] == pytest.approx(plainly[alive], abs=1e-5)


@pytest.mark.slow
@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(experiments())
def test_the_opening_sentence_and_the_diagnosis_hold_the_plain_routes_numbers(e):
    found = usable(e)
    if found is None:
        return
    every, last, dense = of_experiment(e)
    said, diagnosis = plain(flow.opening([found])), diagnose(found)
    assert "nan" not in diagnosis.sentence
    if not dense.any():
        assert said == flow.NOTHING_INJECTED
        return
    if not dense.any(axis=(0, 2)).all():  # a sequence without any loss
        return
    steps = np.flatnonzero(dense.any(axis=(1, 2)))
    injected = np.log10(np.sqrt((dense**2).sum(axis=(0, 2))))
    left = every[0, 0, :, 0] - injected
    if len(steps) == 1 and steps[0] > 0 and (left > -280).all():
        number = re.match(r"[\d.,]+(e[+-]\d+)?", said.rpartition(f"{CELLS[e.cell].title} ")[2])[0]
        assert math.log10(float(number.rstrip(".,").replace(",", ""))) == pytest.approx(left.mean(), abs=0.03)
    whole = last[0, 0]  # [B, S]
    if diagnosis.verdict in ("vanishing", "exploding", "steady") and (whole.max(axis=1) > -130).all():
        size = 0.5 * np.log10((10.0 ** (2 * np.maximum(whole, -150))).sum(axis=1))
        of_last = [dense[np.flatnonzero(dense[:, b].any(axis=1))[-1], b] for b in range(e.batch_size)]
        left = size - np.log10(np.linalg.norm(of_last, axis=1))
        assert diagnosis.log10_left == pytest.approx(left.mean(), abs=1e-4)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(experiments(longest=16))
def test_every_analysis_gives_a_result_or_a_sentence(e):
    windows = Schedule("windows", 1, 2)
    options = {"bias": {"schedules": (windows,)}, "cost": {"schedules": (windows,)}, "departure": {"schedule": windows}}
    options["window_for"] = {"schedule": windows}
    options |= {"every_initialization": {"seeds": 1}, "newton_by_factor": {"factors": (0.25, 1.0, 8.0)}}
    for name, function in ANALYSES.items():
        if name == "check":
            continue  # which runs autograd over and over: tests/analyses/test_check.py
        said = ""
        try:
            function(e, **options.get(name, {}))
        except ValueError as refusal:
            said = str(refusal)
        assert not said or REFUSED.search(said), (name, said)


@pytest.mark.slow
@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(experiments(longest=24))
def test_sentences_of_paths_and_sequences_have_no_number_that_is_none(e):
    found, rnn = trace(e), trace(e.replace(cell="rnn"))
    summary = paths.summary(paths.lowest(paths.decompose(e, orders=3, losses="last")))
    passes = paths.passes_at(paths.mean_passes(e, losses="last"))
    texts = [flow.opening([found]), diagnose(found).sentence, sequences.type_sentence(e, found)]
    texts += [sentences.of_parts(summary), sentences.resting_gate(e, summary), sentences.of_passes([passes])]
    texts += sentences.textbook(e, summary, paths.textbook(summary, found, rnn))
    for text in texts:
        assert not re.search(r"\bnan\b|\bNone\b|\binf\b", text), text
