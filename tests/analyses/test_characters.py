"""What a character model expects, writes and looks back at, against torch and against its own probabilities."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from gradlab.analyses.characters import CharacterModel, activity, in_numbers, predictions, reach, sample, softmax
from gradlab.settings.experiment import Experiment
from gradlab.settings.tasks import characters
from gradlab.training import Recipe, Run
from tests.training.loops import copied

TEXT = "to be or not to be"


@pytest.fixture(scope="module")
def run():
    return Run(Experiment(cell="lstm", depth=2, hidden_size=5, steps=10, batch_size=2), characters(TEXT), Recipe())


@pytest.fixture(scope="module")
def model(run):
    return CharacterModel.of(run)


def torch_scores(run, model, text, inputs=None):
    module, readout = copied(run)
    given = torch.from_numpy(model.one_hot(text)) if inputs is None else inputs
    return readout(module(given)[0])[:, 0]


def test_the_probabilities_are_the_softmax_of_torchs_scores(run, model):
    table = predictions(model, "not", temperature=0.7)
    wanted = torch.softmax(torch_scores(run, model, "not") / 0.7, dim=-1).detach().numpy()
    assert np.allclose(table.probability.to_numpy().reshape(3, -1), wanted, rtol=1e-12)
    assert table.groupby("step").probability.sum().to_numpy() == pytest.approx(1)
    assert table[table["rank"] == 0].symbol.tolist() == [model.symbols[i] for i in wanted.argmax(axis=1)]
    assert table.drop_duplicates("step").following.tolist() == ["o", "t", ""]


def test_samples_have_the_distribution_of_the_probabilities_at_that_temperature(model):
    wanted = predictions(model, "t", temperature=0.5).set_index("symbol").probability
    drawn = [sample(model, 1, 0.5, seed, start="t")[-1] for seed in range(3000)]
    counts = {symbol: drawn.count(symbol) for symbol in model.symbols}
    chi_squared = sum((counts[s] - 3000 * p) ** 2 / (3000 * p) for s, p in wanted.items())
    assert chi_squared < 27.9, "of 9 degrees of freedom, exceeded once in a thousand"


def test_a_sample_goes_on_from_its_own_characters():
    """At temperature 0 each character is the likeliest after all that came before it, in a model that remembers."""
    remembering = Run(Experiment(cell="rnn", hidden_size=12, gain=3.0, seed=2), characters(TEXT), Recipe())
    model = CharacterModel.of(remembering)
    model = model._replace(readout=model.readout._replace(b_V=0 * model.readout.b_V))
    written = sample(model, 12, 0, start="be")
    assert len(written) == 14
    for end in range(2, 14):
        table = predictions(model, written[:end])
        assert written[end] == table[(table.step == end - 1) & (table["rank"] == 0)].symbol.item()


def test_a_sample_is_the_same_for_the_same_seed(model):
    assert sample(model, 20, seed=1) == sample(model, 20, seed=1)
    assert len(sample(model, 20, seed=1)) == 20
    assert sample(model, 200, seed=1) == sample(model, 200, 1.0, seed=1), "drawn from the probabilities themselves"
    assert sample(model, 20, seed=1) != sample(model, 20, seed=2)
    assert sample(model, 20) == sample(model, 20, seed=0)


def test_a_sample_without_a_start_begins_with_any_symbol(model):
    firsts = [sample(model, 1, seed=seed) for seed in range(400)]
    counts = np.array([firsts.count(symbol) for symbol in model.symbols])
    assert counts.min() > 400 / len(model.symbols) / 3


def test_temperature_flattens_and_zero_takes_the_largest():
    values = np.array([1.0, 3.0, 2.0])
    assert softmax(values) == pytest.approx(torch.softmax(torch.from_numpy(values), dim=0).numpy())
    assert softmax(values, 0).tolist() == [0, 1, 0]
    assert softmax(values, 1e6) == pytest.approx([1 / 3] * 3, abs=1e-5)
    assert softmax(values, 1e-300).tolist() == [0, 1, 0]
    with pytest.raises(ValueError, match="temperature = -1"):
        softmax(values, -1)


@pytest.mark.parametrize("at", [0, 3, 16])
def test_the_reach_of_a_prediction_is_autograds_gradient_at_every_character(run, model, at):
    inputs = torch.from_numpy(model.one_hot(TEXT)).requires_grad_()
    target = torch.tensor(model.symbols.index(TEXT[at + 1]))
    loss = functional.cross_entropy(torch_scores(run, model, TEXT, inputs)[at], target)
    wanted = torch.autograd.grad(loss, inputs)[0][:, 0].norm(dim=1).numpy()
    found = reach(model, TEXT, at)
    assert 10 ** found.log10_gradient.to_numpy() == pytest.approx(wanted[: at + 1], rel=1e-9)
    assert (wanted[at + 1 :] == 0).all()
    assert found.lag.tolist() == list(range(at, -1, -1))
    assert "".join(found.character) == TEXT[: at + 1]


def test_the_reach_goes_on_where_float64_would_print_zero():
    run = Run(Experiment(cell="rnn", hidden_size=4, gain=0.001, steps=300), characters(TEXT), Recipe())
    found = reach(CharacterModel.of(run), TEXT * 12, 12 * len(TEXT) - 2)
    assert np.isfinite(found.log10_gradient).all()
    assert found.log10_gradient.iloc[0] < -400


def test_the_activity_of_a_unit_is_its_state_after_every_character(run, model):
    module, _ = copied(run)
    _, (_, c) = module(torch.from_numpy(model.one_hot("not")))
    assert activity(model, "not", 2, layer=1, state="c").value.iloc[-1] == pytest.approx(
        float(c[1, 0, 2].detach()), rel=1e-12
    )
    lowest = activity(model, "not", 2)
    assert lowest.equals(activity(model, "not", 2, layer=0, state="h"))
    h, _ = module(torch.from_numpy(model.one_hot("not")))
    assert activity(model, "not", 4, layer=1).value.to_numpy() == pytest.approx(h[:, 0, 4].tolist(), rel=1e-12)


def test_a_word_in_numbers_is_torchs_own_forward_pass(run, model):
    module, readout = copied(run)
    h = module(torch.from_numpy(model.one_hot("no")))[0]
    scores = readout(h)[:, 0].detach()
    table = in_numbers(model, "not")
    assert table["reads"].tolist() == ["n", "o"]
    assert table["must say"].tolist() == ["o", "t"]
    assert np.allclose(np.array(table["h"].tolist()), h[:, 0].detach().numpy(), rtol=1e-12)
    assert np.allclose(table[[f"score {symbol}" for symbol in model.symbols]], scores.numpy(), rtol=1e-12)
    p = torch.softmax(scores, dim=1)
    assert np.allclose(table[[f"p({symbol})" for symbol in model.symbols]], p.numpy(), rtol=1e-12)
    targets = torch.tensor([model.symbols.index(symbol) for symbol in "ot"])
    assert np.allclose(table["−ln p(right)"], functional.cross_entropy(scores, targets, reduction="none"), rtol=1e-12)
    hot = table[f"x ({' '.join(model.symbols)})"].str.split(" ")
    assert [dict(zip(row, model.symbols, strict=True))["1"] for row in hot] == ["n", "o"]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m: predictions(m, "xyz"), "'x' at 0 is not in the vocabulary"),
        (lambda m: predictions(m, ""), "the text is empty"),
        (lambda m: activity(m, "to", 5), "unit = 5 is not allowed: use a whole number from 0 to 4"),
        (lambda m: activity(m, "to", 0, layer=2), "layer = 2 is not allowed: use a whole number from 0 to 1"),
        (lambda m: activity(m, "to", 0, state="z"), "use h or c"),
        (lambda m: reach(m, "to", 1), "at = 1 is not allowed: use a whole number from 0 to 0"),
        (lambda m: reach(m, "t", 0), "too short"),
        (lambda m: activity(m, "to", 1.5), "unit = 1.5 is not allowed"),
        (lambda m: sample(m, 0), "length = 0 is not allowed: use a whole number of 1 or more"),
        (lambda m: sample(m, 3, seed=-1), "seed = -1 is not allowed"),
        (lambda m: sample(m, 3, "hot"), "temperature = 'hot' is not allowed: use 0 or more"),
    ],
)
def test_what_cannot_be_asked_is_named(model, call, words):
    with pytest.raises(ValueError, match=words):
        call(model)
