"""The gradient in expectation over random detaching of h, against every draw there is, and a sample of them."""

from itertools import product

import numpy as np
import pytest
import torch

from gradlab import Experiment, trace
from gradlab.analyses.paths import cut, detached
from gradlab.analyses.paths.orders import split_by_order
from gradlab.analyses.problem import problem_of
from gradlab.cells import CELLS
from gradlab.engine import times_power
from tests.networks import drawn_case


def gradients(case, detach):
    """∂L/∂s_t by autograd, [L, T, B, S, H], where h enters U detached at the steps that are so marked."""
    stack, cell = case.stack, CELLS[case.stack.cell]
    H, record = stack.hidden_size, cell.record
    layers = [[torch.from_numpy(part) for part in layer] for layer in stack.layers]
    start = [torch.from_numpy(value) for value in case.initial_state]
    states = [record(*(value[layer].clone().requires_grad_() for value in start)) for layer in range(stack.depth)]
    history, loss = [], 0.0
    for x, weight, marked in zip(torch.from_numpy(case.inputs), torch.from_numpy(case.cotangents), detach, strict=True):
        for number, (W, U, b_W, b_U) in enumerate(layers):
            old = states[number]
            h = old.h.detach() if marked else old.h
            a_x, a_h = (x @ W.T + b_W).split(H, dim=1), (h @ U.T + b_U).split(H, dim=1)
            new = cell.step(a_x, a_h, old)[0]
            states[number] = record(*(v if v.requires_grad else v.clone().requires_grad_() for v in new))
            for value in states[number]:
                value.retain_grad()
            x = states[number].h
        history.append(list(states))
        loss = loss + (weight * x).sum()
    loss.backward()
    return np.array(
        [
            [
                np.stack([(0 * v if v.grad is None else v.grad).detach().numpy() for v in step[layer]], 1)
                for step in history
            ]
            for layer in range(stack.depth)
        ]
    )


def norms_of(gradient):
    """Mean log10 norms over the batch as a table has them, layer by layer, state by state."""
    norms = np.log10(np.linalg.norm(gradient, axis=-1))  # [L, T, B, S]
    return norms.mean(axis=2).transpose(0, 2, 1).ravel()


@pytest.mark.parametrize("p", [0.25, 0.7])
@pytest.mark.parametrize(("cell", "depth"), [("lstm", 1), ("lstm", 2), ("gru", 2), ("rnn", 1)])
def test_it_is_the_mean_over_every_draw_by_its_probability(cell, depth, p):
    T = 6
    case = drawn_case(cell, depth, H=4, T=T, B=2, seed=3, gain=2)
    case = case._replace(cotangents=np.where(np.arange(T)[:, None, None] == T - 1, 1.0, 0.3) + 0 * case.cotangents)
    mean = sum(
        p ** sum(draw) * (1 - p) ** (T - sum(draw)) * gradients(case, draw) for draw in product((0, 1), repeat=T)
    )
    table = detached(*case, p=p)
    assert table["log10_norm"].to_numpy() == pytest.approx(norms_of(mean), abs=1e-10)
    assert set(table["path"]) == {f"detached {p:g}"}


@pytest.mark.slow
def test_a_sample_of_draws_agrees_within_its_standard_error():
    T, p, draws = 20, 0.3, 500
    case = drawn_case("lstm", 1, H=3, T=T, B=1, seed=5, gain=2)
    random = np.random.default_rng(0)
    sample = np.array([gradients(case, random.random(T) < p)[0, 0, 0] for _ in range(draws)])  # ∂L/∂s_0, [N, S, H]
    whole = problem_of(*case)
    split = split_by_order(whole, T)
    parts = times_power(split.parts.adjoints[0].totals[0], split.parts.adjoints[0].exponents[0])  # direct, orders 1 … T
    expected = sum((1 - p) ** k * part for k, part in enumerate(parts[: T + 1]))
    error = sample.std(axis=0, ddof=1) / np.sqrt(draws)
    assert np.abs((sample.mean(axis=0) - expected) / error).max() < 4
    assert np.log10(np.linalg.norm(expected, axis=-1)) == pytest.approx(
        detached(*case, p=p).query("step == 0")["log10_norm"].to_numpy(), abs=1e-10
    )


def test_its_ends_are_the_whole_gradient_and_the_one_without_u():
    e = Experiment(cell="lstm", depth=2, hidden_size=6, steps=30, loss="every")
    assert detached(e, p=0)["log10_norm"].equals(trace(e).table["log10_norm"])
    assert detached(e, p=1)["log10_norm"].equals(cut(e, without="recurrent")["log10_norm"])
    last = detached(e, p=0.5, losses="last")
    assert last["lag"].min() == 0
    assert not last["log10_norm"].equals(detached(e, p=0.5)["log10_norm"])


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan"), "half", None])
def test_what_is_no_probability_is_refused(p):
    with pytest.raises(ValueError, match="use a probability, from 0 to 1"):
        detached(Experiment(steps=5), p=p)
