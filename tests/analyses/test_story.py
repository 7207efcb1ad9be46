"""What the steps of the guided story show, each by another way to the same numbers."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

from gradlab import Stack, trace
from gradlab.analyses import story
from gradlab.analyses.paths import gate_product, lowest, microscope
from gradlab.analyses.problem import problem_of
from gradlab.analyses.story import WEIGHTS
from gradlab.network.stack import Stack as Network

SMALL = WEIGHTS.replace(hidden_size=6, input_size=3, steps=21, batch_size=2)


def line(step: story.Step, path: str) -> np.ndarray:
    """log10 of a line, by lag."""
    rows = step.table[step.table["path"] == path]
    assert (rows["step"].to_numpy() + rows["lag"].to_numpy() == rows["step"].max()).all()
    return rows.sort_values("lag")["log10_relative"].to_numpy()


def traced(subject, cell=None) -> np.ndarray:
    """log10 of the additive state's gradient, by lag, mean over the batch."""
    result = trace(subject if cell is None else subject.replace(cell=cell))
    return result.log10_relative(result.states[-1])[0].mean(axis=1)[::-1]


@pytest.mark.parametrize(
    "make",
    [lambda: story.weight(0.9), lambda: story.product(SMALL), lambda: story.matrix(story.MATRICES["2 0; 0 0.4"]),
     lambda: story.clipping(SMALL, 1.0), lambda: story.gates(SMALL, "input"), lambda: story.routes(SMALL, "U"),
     lambda: story.addition(SMALL), lambda: story.merged(SMALL), lambda: story.window(SMALL, 4)],
)  # fmt: skip
def test_every_step_gives_the_columns_that_are_stated_and_a_row_per_line_and_step(make):
    step = make()
    assert tuple(step.table.columns) == story.STORY_COLUMNS
    assert not step.table.duplicated(["path", "step"]).any()
    assert step.table.groupby("path")["step"].nunique().nunique() == 1


@pytest.mark.parametrize("w", [0.5, 0.9, 1.0, 1.2])
def test_one_weight_leaves_its_power(w):
    step = story.weight(w)
    assert line(step, "weight") == pytest.approx(np.arange(101) * math.log10(w), abs=1e-11)
    assert step.numbers["left"] == pytest.approx(100 * math.log10(w), abs=1e-11)


def test_the_same_and_fresh_weights_are_root_mean_squares_over_draws():
    step = story.product(SMALL.replace(gain=2.0))
    draws = [Stack.from_experiment(SMALL.replace(cell="rnn", gain=2.0, seed=s)).layers[0].U for s in range(story.DRAWS)]
    for lag in (1, 7, 20):
        powers = [np.linalg.matrix_power(U, lag) for U in draws]
        # over v on the unit sphere the mean of ‖A v‖² is ‖A‖² / H, ‖A‖ being Frobenius' norm
        same = np.mean([np.linalg.norm(power) ** 2 / 6 for power in powers])
        assert 10 ** line(step, "same")[lag] == pytest.approx(math.sqrt(same), rel=1e-9)
        alone = np.mean([np.linalg.norm(U) ** 2 / 6 for U in draws])
        assert 10 ** line(step, "fresh")[lag] == pytest.approx(alone ** (lag / 2), rel=1e-9)
    assert line(step, "rnn") == pytest.approx(traced(SMALL.replace(gain=2.0), "rnn"))


@pytest.mark.parametrize("units", [16, 32, 64])
def test_shared_weights_depart_from_fresh_ones_at_about_the_root_of_the_units(units):
    numbers = story.product(WEIGHTS.replace(hidden_size=units, steps=41, initialization="gaussian")).numbers
    assert numbers["root"] == math.sqrt(units)
    assert 0.8 <= numbers["apart"] / math.sqrt(units) <= 1.6


def test_fresh_weights_are_as_if_drawn_anew_at_every_step():
    stacks = [Stack.from_experiment(SMALL.replace(cell="rnn", seed=seed)).layers[0].U for seed in range(4000)]
    products = [a @ b @ c @ d for a, b, c, d in zip(*[iter(stacks)] * 4, strict=True)]
    drawn = math.sqrt(np.mean([np.linalg.norm(product) ** 2 / 6 for product in products]))
    assert 10 ** line(story.product(SMALL), "fresh")[4] == pytest.approx(drawn, rel=0.1)


@pytest.mark.parametrize("name", story.MATRICES)
def test_two_units_by_autograd_and_numpy(name):
    U, steps = np.array(story.MATRICES[name]), 12
    h, kept = torch.ones(2, dtype=torch.float64, requires_grad=True), []
    for _ in range(steps):
        h = torch.relu(torch.tensor(U) @ h)
        h.retain_grad()
        kept.append(h)
    (h.sum() * math.sqrt(0.5)).backward()
    by_autograd = np.array([float(state.grad.norm()) for state in kept])[::-1]
    step = story.matrix(story.MATRICES[name], steps)
    assert 10 ** line(step, "gradient") == pytest.approx(by_autograd, rel=1e-12)
    assert step.numbers["radius"] == pytest.approx(np.abs(np.linalg.eigvals(U)).max(), abs=1e-6)
    assert step.numbers["determinant"] == pytest.approx(np.linalg.det(U))
    with np.errstate(divide="ignore"):
        assert line(step, "radius")[1:] == pytest.approx(np.arange(1, steps) * np.log10(step.numbers["radius"]))


def test_the_counter_examples_are_exact():
    step = story.matrix(story.MATRICES["8 8; -8 -8"])
    assert step.numbers["radius"] == step.numbers["determinant"] == 0
    assert line(step, "gradient") == pytest.approx(np.arange(101) * math.log10(8), rel=1e-12)
    shrinks = story.matrix(story.MATRICES["2 0; 0 0.4"])
    assert shrinks.numbers["determinant"] == pytest.approx(0.8)
    assert shrinks.numbers["left"] > 29
    for U in ([[0.0, -2.0], [2.0, 0.0]], [[0.3, 0.7], [-0.2, 0.9]]):
        radius, determinant = story.radius_and_determinant(U)
        assert radius == pytest.approx(np.abs(np.linalg.eigvals(np.array(U))).max())
        assert determinant == pytest.approx(np.linalg.det(np.array(U)))


def rnn_of(subject, dtype=torch.float64):
    """torch's own cell with a subject's weights, its inputs and cotangents."""
    problem = problem_of(subject)
    cell = torch.nn.RNNCell(subject.input_size, subject.hidden_size).to(dtype)
    layer = problem.stack.layers[0]
    with torch.no_grad():
        for parameter, values in zip((cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh), layer, strict=True):
            parameter.copy_(torch.from_numpy(values))
    return cell, torch.tensor(problem.inputs, dtype=dtype), torch.tensor(problem.cotangents, dtype=dtype)


def test_clipping_is_torch_s():
    vanishing = SMALL.replace(cell="rnn")
    exploding = vanishing.replace(gain=4.0)
    for threshold in (1e-3, 1.0, 1e30):
        step = story.clipping(SMALL, threshold)
        for name, subject, factor in (("exploding", exploding, "factor"), ("vanishing", vanishing, "factor_vanishing")):
            cell, inputs, cotangents = rnn_of(subject)
            h, loss = torch.zeros(2, 6, dtype=torch.float64), 0.0
            for x, bar in zip(inputs, cotangents, strict=True):
                h = cell(x, h)
                loss = loss + (bar * h).sum()
            loss.backward()
            before = float(torch.nn.utils.get_total_norm([p.grad for p in cell.parameters()]))
            torch.nn.utils.clip_grad_norm_(cell.parameters(), threshold)
            after = float(torch.nn.utils.get_total_norm([p.grad for p in cell.parameters()]))
            assert 10 ** step.numbers[factor] == pytest.approx(after / before, rel=1e-5)
            assert line(step, name) == pytest.approx(traced(subject))
            assert line(step, f"{name} clipped") - line(step, name) == pytest.approx(step.numbers[factor])
    assert 10 ** step.numbers["norm"] == pytest.approx(_norm(exploding), rel=1e-9)


def _norm(subject) -> float:
    cell, inputs, cotangents = rnn_of(subject)
    h, loss = torch.zeros(subject.batch_size, subject.hidden_size, dtype=torch.float64), 0.0
    for x, bar in zip(inputs, cotangents, strict=True):
        h = cell(x, h)
        loss = loss + (bar * h).sum()
    loss.backward()
    return float(torch.nn.utils.get_total_norm([parameter.grad for parameter in cell.parameters()]))


@pytest.mark.parametrize("gain", [0.5, 1.0])
def test_dead_steps_of_float32_are_those_of_torch(gain):
    subject = WEIGHTS.replace(cell="rnn", gain=gain)
    cell, inputs, cotangents = rnn_of(subject, torch.float32)
    h, kept = torch.zeros(1, 32), []
    for x in inputs[:, :1]:
        h = cell(x, h)
        h.retain_grad()
        kept.append(h)
    (cotangents[-1, :1] * h).sum().backward()
    dead = sum(float(state.grad.norm()) == 0 for state in kept)
    zero = sum(not state.grad.any() for state in kept)
    numbers = story.clipping(WEIGHTS.replace(gain=gain), 1.0).numbers
    assert dead > 5
    assert abs(numbers["dead"] - dead) <= 1  # at which entry a square underflows hangs on its last digit
    assert abs(numbers["zero"] - zero) <= 1


@pytest.mark.parametrize("held", story.HELD)
def test_a_held_gate_is_the_lstm_of_torch_with_that_bias(held):
    module = Network.from_experiment(SMALL)
    layer, problem = module.layers[0], problem_of(SMALL)
    lstm = torch.nn.LSTM(3, 6).double()
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    with torch.no_grad():
        for name, values in zip(names, layer, strict=True):
            getattr(lstm, name).copy_(torch.from_numpy(values))
        if held != "none":
            place = {"input": 0, "forget": 6, "candidate": 12, "output": 18}[held]
            lstm.bias_ih_l0[place : place + 6] = 3.0
            lstm.bias_hh_l0[place : place + 6] = 0.0
    result = trace(Stack.from_torch(lstm), problem.inputs, problem.cotangents)
    step = story.gates(SMALL, held)
    assert line(step, "held") == pytest.approx(result.log10_relative("c")[0].mean(axis=1)[::-1])
    assert line(step, "drawn") == pytest.approx(traced(SMALL))
    assert step.numbers["open"] == pytest.approx(0.9526, abs=1e-4)


def test_the_best_gate_is_found_by_holding_each():
    left = story.best_held(SMALL)
    assert left == {
        gate: story.gates(SMALL, gate).numbers["left"] for gate in ("input", "forget", "candidate", "output")
    }
    with pytest.raises(ValueError, match="held = 'reset' is not allowed: use one of none, input"):
        story.gates(SMALL, "reset")


def test_what_a_block_leaves_and_how_the_gradient_came():
    open_gate = SMALL.replace(keep_bias=3.0)
    nothing, through, added = (story.routes(open_gate, name) for name in story.ROUTES)
    assert line(nothing, "blocked") == pytest.approx(line(nothing, "all"))
    assert line(nothing, "all") == pytest.approx(traced(open_gate))
    # without U what is left is the product of the forget gates
    assert line(through, "blocked") == pytest.approx(product_of_gates(open_gate))
    assert line(added, "blocked")[20] < line(through, "blocked")[20] - 5
    for step in (nothing, through, added):
        assert step.numbers["through"] + step.numbers["added"] == pytest.approx(20)
    with pytest.raises(ValueError, match="blocked = 'forget' is not allowed: use one of nothing, U, addition"):
        story.routes(open_gate, "forget")


def product_of_gates(subject) -> np.ndarray:
    rows = lowest(gate_product(subject))
    return rows.sort_values("lag")["log10_relative"].to_numpy()


def test_the_control_and_the_product_of_the_forget_gates():
    subject = SMALL.replace(keep_bias=2.0)
    step = story.addition(subject)
    assert line(step, "lstm") == pytest.approx(traced(subject))
    assert line(step, "squashed") == pytest.approx(traced(subject, "lstm_squashed"))
    assert line(step, "product") == pytest.approx(product_of_gates(subject))
    assert abs(step.numbers["share"]) <= 10 ** (step.numbers["left_product"] - step.numbers["left"] + 0.5)


def test_the_merged_state_is_the_gru_s_h_and_its_gate_keeps_what_it_does_not_take():
    subject = SMALL.replace(keep_bias=2.0)
    step = story.merged(subject)
    assert line(step, "gru") == pytest.approx(traced(subject, "gru"))
    assert line(step, "lstm") == pytest.approx(traced(subject))
    values = [microscope(subject.replace(cell="gru"), sequence=number).values["update"].mean() for number in range(2)]
    assert step.numbers["keeps"] == pytest.approx(np.mean(values))
    assert step.numbers["takes"] == pytest.approx(1 - np.mean(values))


@pytest.mark.parametrize("length", [1, 5, 21])
def test_a_window_keeps_exactly_its_steps(length):
    subject = SMALL.replace(keep_bias=3.0)
    step, norms = story.window(subject, length), 10 ** trace(subject).log10_relative("c")[0][::-1]  # [lag, B]
    inside = line(step, "window")
    assert inside[:length] == pytest.approx(line(step, "all")[:length])
    assert np.isneginf(inside[length:]).all()
    assert step.numbers["kept"] == pytest.approx((norms[:length].sum(axis=0) / norms.sum(axis=0)).mean())
    shares = (norms.cumsum(axis=0) / norms.sum(axis=0)).mean(axis=1)
    needed = int(step.numbers["needed"])
    assert shares[needed - 1] >= 0.99
    assert needed == 1 or shares[needed - 2] < 0.99


def test_names_stand_apart_at_the_first_step_and_a_line_of_zeros_has_none():
    table = story.window(SMALL, 4).table
    assert set(story.named_ends(table, (-3.0, 0.0))["path"]) == {"all"}
    rows = pd.DataFrame({"path": ["a", "b"], "step": 0, "lag": 5, "log10_relative": [-1.0, -1.1]})
    places = story.named_ends(rows, (-50.0, 0.0), gap=0.1).set_index("path")["label_at"]
    assert places["a"] - places["b"] == pytest.approx(5.0)
