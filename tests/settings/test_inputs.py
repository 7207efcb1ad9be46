"""What the network reads."""

from pydoc_data.topics import topics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradlab.settings import inputs
from gradlab.settings.experiment import Experiment
from gradlab.settings.inputs import INPUTS, default_text, text, vocabulary

T, B, X = 300, 4, 5
WITHOUT_TEXT = [name for name in INPUTS if name != "text"]


def drawn(name, steps=T, batch_size=B, input_size=X, seed=3, **own):
    return INPUTS[name](steps, batch_size, input_size, np.random.default_rng(seed), **own)


def read_back(one_hot, symbols):
    """The characters of one sequence [T, X]."""
    return "".join(symbols[code] for code in one_hot.argmax(axis=-1))


@pytest.mark.parametrize("name", INPUTS)
def test_inputs_are_steps_by_sequences_by_channels_in_float64(name):
    signal = drawn(name)
    assert signal.shape == (T, B, len(vocabulary(None)) if name == "text" else X)
    assert signal.dtype == np.float64
    assert np.array_equal(signal, drawn(name))


@pytest.mark.parametrize("name", INPUTS)
def test_a_longer_sequence_begins_with_the_shorter_one(name):
    assert np.array_equal(drawn(name, steps=2 * T)[:T], drawn(name))


@pytest.mark.parametrize("name", ["noise", "sines", "impulse"])
def test_another_seed_gives_another_input(name):
    assert not np.allclose(drawn(name), drawn(name, seed=4))


def test_noise_is_standard_normal():
    x = drawn("noise", steps=2000)
    standard_error = 1 / np.sqrt(x.size)
    for moment, expected, spread in [(1, 0, 1), (2, 1, np.sqrt(2)), (3, 0, np.sqrt(15)), (4, 3, np.sqrt(96))]:
        assert np.mean(x**moment) == pytest.approx(expected, abs=5 * spread * standard_error)
    assert np.mean(x[1:] * x[:-1]) == pytest.approx(0, abs=5 * standard_error)


def test_a_sine_mixture_has_mean_square_one_and_three_lines_in_its_spectrum():
    x = drawn("sines", steps=2**14, batch_size=2, input_size=8)
    assert np.mean(x**2) == pytest.approx(1, rel=0.03)
    window = np.hanning(len(x))[:, None, None]
    spectrum = np.abs(np.fft.rfft(x * window, axis=0)) ** 2
    frequency = np.fft.rfftfreq(len(x))
    inside = (frequency > 1 / 260) & (frequency < 1 / 3.9)  # periods of 4 to 256 steps
    assert spectrum[inside].sum() / spectrum.sum() == pytest.approx(1, abs=1e-6)
    inner = spectrum[1:-1]
    peaks = (inner > spectrum[:-2]) & (inner >= spectrum[2:]) & (inner > 0.02 * spectrum.max(axis=0))
    assert peaks.sum(axis=0).max() == 3  # two lines may fall together
    assert np.median(peaks.sum(axis=0)) == 3


class Between:
    """Draws everything at one share of the way from the lowest to the highest value."""

    def __init__(self, share):
        self.share = share

    def uniform(self, low, high, shape):
        return np.full(shape, low + self.share * (high - low))


@pytest.mark.parametrize(("share", "period", "quarter_turns"), [(0, 4, 0), (0.25, 4 * 64**0.25, 1), (1, 256, 4)])
def test_a_sine_has_any_period_from_4_to_256_steps_evenly_in_its_logarithm_and_begins_anywhere(
    share, period, quarter_turns
):
    x = INPUTS["sines"](600, 1, 1, Between(share))[:, 0, 0]
    turns = np.arange(600) / period + quarter_turns / 4
    assert x == pytest.approx(np.sqrt(6) * np.sin(2 * np.pi * turns), abs=1e-9)  # three waves that fall together


def test_an_impulse_is_one_direction_of_norm_one_at_step_0():
    x = drawn("impulse")
    assert np.linalg.norm(x[0], axis=-1) == pytest.approx(np.ones(B), rel=1e-15)
    assert not x[1:].any()
    assert not np.allclose(x[0, 0], x[0, 1])


def test_zero_is_zero():
    assert not drawn("zero").any()


@settings(deadline=None)  # the machine may be busy
@given(st.text(min_size=1, max_size=60), st.integers(1, 9), st.integers(2, 130))
def test_text_is_read_one_character_a_step_from_evenly_spaced_starts_and_wraps_around(written, sequences, steps):
    x = drawn("text", steps=steps, batch_size=sequences, text=written)
    symbols = vocabulary(written)
    assert set(np.unique(x)) <= {0, 1}
    assert (x.sum(axis=-1) == 1).all()
    for b in range(sequences):
        start = b * len(written) // sequences
        repeated = written * (1 + (start + steps) // len(written))
        assert read_back(x[:, b], symbols) == repeated[start : start + steps]


def test_korean_is_read_a_syllable_a_step():
    written = "나는 학교에 갔다. 학교는 멀다."
    x = drawn("text", steps=len(written), batch_size=1, text=written)
    assert x.shape == (len(written), 1, len(set(written)))
    assert read_back(x[:, 0], vocabulary(written)) == written
    assert list(vocabulary(written)) == sorted(set(written))


def test_a_network_that_reads_text_has_an_input_and_an_output_for_every_character():
    written = "나는 학교에 갔다."
    e = Experiment(inputs="text", text=written, input_size=40, output_size=50, hidden_size=3)
    characters = len(set(written))
    assert e.size.input_size == e.network().layers[0].W.shape[1] == characters
    assert e.readout().V.shape == (characters, 3)


def test_text_ignores_the_size_and_the_generator():
    assert np.array_equal(text(9, 2, 1, None, text="gradient"), drawn("text", 9, 2, 400, seed=8, text="gradient"))


def test_the_default_text_is_the_beginning_of_pythons_own_reference(monkeypatch):
    everything = " ".join(topics[name] for name in sorted(topics)).split()
    words = default_text().split(" ")
    assert len(default_text()) == 5000
    assert words[:-1] == everything[: len(words) - 1]
    assert np.array_equal(drawn("text"), drawn("text", text=default_text()))
    assert vocabulary(None) == vocabulary(default_text())
    monkeypatch.setattr(inputs, "topics", dict(reversed(topics.items())))
    assert default_text.__wrapped__() == default_text()
