"""The numbers that sentences say, each computed again by torch's autograd over an unrolled loop.

The oracle shares the cells' `step` with the engine. A route that is cut is detached in the loop, passes of U are
counted by a factor on U, and Jacobians are torch's.
"""

import math
import re

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gradlab import CELLS, Experiment, paths, trace
from gradlab.analyses.itemised import pairs, state_of
from gradlab.analyses.jacobians import farthest, singular_values_by_lag
from gradlab.analyses.truncation import Schedule, departure
from gradlab.cells.contract import additive_state
from gradlab.settings.losses import LOSSES
from gradlab.words import flow, jacobians, sequences
from gradlab.words import paths as sentences
from gradlab.words.numbers import plain
from tests.analyses.paths.routes_by_autograd import gradients
from tests.networks import Case, over_finite

NUMBER = r"(exactly 0|not finite|[\d.,]+(?:e[+-]\d+)?)"
EASY = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@st.composite
def experiments(draw):
    """Small experiments whose slopes keep their digits in torch too: no gate or candidate far in saturation."""
    cells = [cell for cell in CELLS if cell not in ("rnn_linear", "rnn_relu")]
    losses = [name for name, loss in LOSSES.items() if not loss.needs_states]
    return Experiment(
        cell=draw(st.sampled_from(cells)),
        depth=draw(st.integers(1, 2)),
        hidden_size=draw(st.integers(2, 5)),
        input_size=draw(st.integers(1, 3)),
        steps=draw(st.integers(5, 16)),
        batch_size=draw(st.integers(1, 3)),
        gain=draw(st.sampled_from([0.3, 1.0, 1.5])),
        forget_bias=draw(st.sampled_from([None, -1.0, 0.0, 2.0])),
        loss=draw(st.sampled_from(losses)),
        loss_steps="1,3",
        reads=2,
        loss_step=3,
        seed=draw(st.integers(0, 500)),
    )


def case_of(e, dense):
    """The experiment's network and inputs with these cotangents [T, B, H], from zero states."""
    zeros = tuple(np.zeros((e.depth, e.batch_size, e.hidden_size)) for _ in CELLS[e.cell].states)
    return Case(e.network(), e.sequence(), dense, zeros)


def last_loss_of(e):
    """(a Case with each sequence's last loss alone, the step of it, [B] injected norms), all of them at one step."""
    stack, inputs = e.network(), e.sequence()
    loss = e.injected(stack, inputs)
    at = int(loss.steps.max())
    dense = np.zeros((e.steps, e.batch_size, e.hidden_size))
    chosen = loss.steps == at
    dense[at, loss.at[chosen]] = loss.values[chosen]
    return case_of(e, dense), at, np.linalg.norm(dense[at], axis=-1)


def same(written, log10_value, digits=0.03):
    """Whether a number as it is written has this log10."""
    if written == "exactly 0":
        return log10_value < -290
    value = float(written.replace(",", "").rstrip("."))
    return value > 0 and abs(math.log10(value) - log10_value) < digits


def mean_log10(vectors):
    """Mean over the batch of the log10 norms of vectors [B, H]."""
    with np.errstate(divide="ignore"):
        return float(over_finite(np.log10(np.linalg.norm(vectors, axis=-1))))


@pytest.mark.slow
@EASY
@given(experiments())
def test_parts_cuts_and_claims(e):
    case, at, injected = last_loss_of(e)
    kind = additive_state(CELLS[e.cell])
    cut = ((), ("recurrent",), ("direct",))
    whole, direct, uncut = (gradients(case, without=names)[0, 0, :, kind] for names in cut)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = float(over_finite((direct * whole).sum(-1) / (whole * whole).sum(-1)))
    summary = paths.summary(paths.lowest(paths.decompose(e, orders=3, losses="last")))
    assert summary.lag == at
    said = plain(sentences.of_parts(summary))
    if at == 0 or mean_log10(whole) == -np.inf:
        return
    norms = re.search(rf"its norm is {NUMBER}, that of the total {NUMBER}\)", said)
    assert same(norms[1], mean_log10(direct)), said
    assert same(norms[2], mean_log10(whole)), said
    written = re.search(r"makes up \*\*(−?[\d.e-]+)(%?)\*\*", said)
    value = float(written[1].replace("−", "-")) / (100 if written[2] else 1)
    assert value == pytest.approx(share, abs=6e-4 if written[2] else 0.06 * abs(share))
    left = pd.concat([paths.lowest(paths.cut(e, without=names, losses="last")) for names in cut])
    cuts = plain(sentences.of_cuts(left, e.cell, at))
    relative = [mean_log10(vectors / injected[:, None]) for vectors in (whole, direct, uncut)]
    for written, expected in zip(re.findall(rf"\*\*{NUMBER}\*\*", cuts), relative, strict=True):
        assert same(written, expected), (cuts, relative)


@pytest.mark.slow
@EASY
@given(experiments())
def test_passes_of_u(e):
    case, at, _ = last_loss_of(e)
    kind = additive_state(CELLS[e.cell])
    whole = gradients(case)[0, 0, :, kind]
    more, less = (gradients(case, through_U=factor)[0, 0, :, kind] for factor in (1 + 1e-4, 1 - 1e-4))
    with np.errstate(invalid="ignore", divide="ignore"):
        each = ((more - less) / 2e-4 * whole).sum(-1) / (whole * whole).sum(-1)
    said = sentences.of_passes([paths.passes_at(paths.mean_passes(e, losses="last"), lag=at)])
    assert f"over {at} step" in said
    if (times := re.search(r"\*\*(−?[\d.]+)\*\* times through U, \*\*([\d.]+)\*\*", said)) is not None:
        assert float(times[1]) == pytest.approx(over_finite(each), abs=0.06)
        assert float(times[1]) + float(times[2]) == pytest.approx(at, abs=0.11)
    elif "parts of opposite sign cancel" in said:
        assert each.min() < 1e-6 or each.max() > at - 1e-6
    elif "at every step" in said:
        assert over_finite(each) == pytest.approx(at, abs=0.06)
    else:
        assert "nothing arrives" in said
        assert at == 0 or not np.isfinite(each).any()


@pytest.mark.slow
@EASY
@given(experiments())
def test_many_losses_and_their_sum(e):
    e = e.replace(loss="every")
    stack, inputs = e.network(), e.sequence()
    loss = e.injected(stack, inputs)
    dense = np.zeros((e.steps, e.batch_size, e.hidden_size))
    dense[loss.steps, loss.at] = loss.values
    of_all = gradients(case_of(e, dense))[0, 0, :, 0]
    alone = [np.where(np.arange(e.steps)[:, None, None] == t, dense, 0) for t in range(e.steps)]
    each = [mean_log10(gradients(case_of(e, one))[0, 0, :, 0]) for one in alone]
    found, norms = pairs(e), trace(e)
    said = plain(sequences.hiding([found], [norms], 0, "h"))
    written = re.search(rf"{re.escape(CELLS[e.cell].title)} {NUMBER} and {NUMBER}\.", said)
    assert same(written[1], each[-1])
    assert same(written[2], mean_log10(of_all))
    typical = 0.5 * math.log10(np.mean(10.0 ** (2 * np.array(each))))
    assert ("next to nothing" in said) == (each[-1] < typical - 1)
    assert state_of(e.cell, "h") == "h"
    arriving = mean_log10(of_all / np.sqrt((dense**2).sum(axis=(0, 2)))[:, None])
    assert same(re.search(rf"injected gradient: {NUMBER}\.$", plain(sequences.type_sentence(e, norms)))[1], arriving)
    title = re.escape(CELLS[e.cell].title)
    both = re.findall(rf"{title} {NUMBER}", plain(flow.opening([norms])))
    assert same(both[1], arriving)
    assert same(both[0], each[-1] - float(np.log10(np.linalg.norm(dense[-1], axis=-1)).mean()))


@pytest.mark.slow
@EASY
@given(experiments())
def test_what_the_parameters_lose_by_a_window(e):
    """The truncated gradient of U and W as a loop of detached windows gives it."""
    e = e.replace(loss="every", depth=1)
    schedule = Schedule("windows", 2, 4)
    said = sequences.statement(schedule, [e], [departure(e, schedule=schedule)])
    full, cut = (of_parameters(e, windows) for windows in ([(0, 0, e.steps)], spans(e.steps, 2, 4)))
    error = float(np.linalg.norm(cut - full) / np.linalg.norm(full))
    cosine = float(cut @ full / np.linalg.norm(cut) / np.linalg.norm(full))
    written = re.search(rf"that is {NUMBER}% off the full one \(cosine (−?[\d.]+)\)", plain(said))
    if written is None:
        assert error < 1e-9 or (cosine > 0.999 and "(cosine above 0.999)" in said)
        return
    assert same(written[1], 2 + math.log10(error))
    assert float(written[2].replace("−", "-")) == pytest.approx(cosine, abs=0.0051)


def spans(steps, k1, k2):
    """(first state, first loss, end) of windows that end every k1 steps and at the last one."""
    ends = sorted({*range(k1, steps, k1), steps})
    return [(max(0, end - k2), begin, end) for begin, end in zip([0, *ends[:-1]], ends, strict=True)]


def of_parameters(e, windows):
    """∂L/∂(W, U, b_W, b_U) as one vector; within a window the state before its first step is a constant."""
    stack, cell, H = e.network(), CELLS[e.cell], e.hidden_size
    inputs = torch.from_numpy(e.sequence())
    loss = e.injected(stack, e.sequence())
    dense = np.zeros((e.steps, e.batch_size, H))
    dense[loss.steps, loss.at] = loss.values
    weights = [torch.from_numpy(part.copy()).requires_grad_() for part in stack.layers[0]]
    W, U, b_W, b_U = weights

    def step(x, state):
        a_x, a_h = (x @ W.T + b_W).split(H, dim=1), (state.h @ U.T + b_U).split(H, dim=1)
        return cell.step(a_x, a_h, state)[0]

    for first, begin, end in windows:
        state = cell.record(*(torch.zeros(e.batch_size, H, dtype=torch.float64) for _ in cell.states))
        with torch.no_grad():
            for t in range(first):
                state = step(inputs[t], state)
        for t in range(first, end):
            state = step(inputs[t], state)
            if t >= begin:
                (state.h * torch.from_numpy(dense[t])).sum().backward(retain_graph=True)
    return torch.cat(
        [(torch.zeros_like(part) if part.grad is None else part.grad).reshape(-1) for part in weights]
    ).numpy()


@pytest.mark.slow
@EASY
@given(experiments())
def test_singular_values_of_the_product_jacobian(e):
    e = e.replace(depth=1)
    stack, cell, H = e.network(), CELLS[e.cell], e.hidden_size
    W, U, b_W, b_U = (torch.from_numpy(part) for part in stack.layers[0])
    inputs, kinds = torch.from_numpy(e.sequence()), len(cell.states)

    def whole(flat):
        state = cell.record(*flat.reshape(kinds, 1, H))
        for t in range(1, e.steps):
            a_x, a_h = (inputs[t, :1] @ W.T + b_W).split(H, dim=1), (state.h @ U.T + b_U).split(H, dim=1)
            state = cell.step(a_x, a_h, state)[0]
        return torch.cat([value.reshape(-1) for value in state])

    zero = cell.record(*(torch.zeros(1, H, dtype=torch.float64) for _ in cell.states))
    a_x, a_h = (inputs[0, :1] @ W.T + b_W).split(H, dim=1), (zero.h @ U.T + b_U).split(H, dim=1)
    first = torch.cat([value.reshape(-1) for value in cell.step(a_x, a_h, zero)[0]]).detach()
    values = np.linalg.svd(torch.autograd.functional.jacobian(whole, first).numpy(), compute_uv=False)
    said = plain(jacobians.of_singular_values(e, "full state", farthest(singular_values_by_lag(e))))
    written = re.search(rf"run from \*\*{NUMBER}\*\* down to {NUMBER}", said)
    resolved = values[values > len(values) * np.finfo(float).eps * values[0]]
    assert same(written[1], math.log10(values[0]))
    assert same(written[2], math.log10(resolved[-1]), 0.05)
    assert f"more than half their norm: **{int((values > 0.5).sum())} of {len(values)}**" in said
