"""Last states' cotangents, episodes, ragged batches, gradients at inputs and initial states: against torch's own cells
in a loop, differentiated by autograd."""

import importlib
import math

import numpy as np
import pytest
import torch
from torch import nn

from gradlab import Stack, diagnose, trace
from gradlab.analyses.problem import problem_of
from gradlab.engine import TooLarge
from tests.networks import log10_norms

PARTS = {"rnn": (nn.RNN, nn.RNNCell), "lstm": (nn.LSTM, nn.LSTMCell), "gru": (nn.GRU, nn.GRUCell)}
T, B, X, H, L = 12, 4, 3, 5, 2


def drawn(kind, seed=0, T=T, B=B, **options):
    """A module in float64, and everything that a trace takes."""
    torch.manual_seed(seed)
    module = PARTS[kind][0](X, H, num_layers=L, **options).double()
    states = 2 if kind == "lstm" else 1
    x = torch.randn(T, B, X, dtype=torch.float64)
    injected = torch.randn(T, B, H, dtype=torch.float64) * (torch.rand(T, B, 1) < 0.5)
    start, final = ([torch.randn(L, B, H, dtype=torch.float64) for _ in range(states)] for _ in range(2))
    return module, x, injected, start, final


def unrolled(kind, module, x, injected, start, final, resets=None, lengths=None):
    """Gradients by autograd over torch's own cells: states {(layer, step, sequence, state): grad}, inputs, start."""
    cells = []
    for layer in range(L):
        cell = PARTS[kind][1](X if layer == 0 else H, H).double()
        cell.load_state_dict({name: getattr(module, f"{name}_l{layer}") for name, _ in cell.named_parameters()})
        cells.append(cell)
    T, B, _ = x.shape
    x = x.clone().requires_grad_()
    start = [part.clone().requires_grad_() for part in start]
    found, loss = {}, torch.zeros((), dtype=torch.float64)
    for b in range(B):  # one sequence at a time: nothing can mix
        states = [[part[layer, b : b + 1] for part in start] for layer in range(L)]
        length = T if lengths is None else lengths[b]
        for t in range(length):
            if resets is not None and resets[t, b]:
                states = [[torch.zeros(1, H, dtype=torch.float64) for _ in start] for _ in range(L)]
            below = x[t, b : b + 1]
            for layer, cell in enumerate(cells):
                given = tuple(states[layer]) if kind == "lstm" else states[layer][0]
                new = cell(below, given)
                states[layer] = list(new) if kind == "lstm" else [new]
                for number, state in enumerate(states[layer]):
                    state.retain_grad()
                    found[layer, t, b, number] = state
                below = states[layer][0]
            loss = loss + (injected[t, b] * below[0]).sum()
        for layer in range(L):
            for number, state in enumerate(states[layer]):
                loss = loss + (final[number][layer, b] * state[0]).sum()
    loss.backward()
    gradients = np.full((L, T, B, len(start), H), np.nan)
    for (layer, t, b, number), state in found.items():
        gradients[layer, t, b, number] = 0 if state.grad is None else state.grad[0].numpy()
    return gradients, x.grad.numpy(), [np.zeros((L, B, H)) if p.grad is None else p.grad.numpy() for p in start]


def agree(kind, found, exact):
    gradients, at_inputs, at_start = exact
    for number, state in enumerate("hc"[: gradients.shape[3]]):
        assert close(found.log10_norm(state), log10_norms(gradients[..., number, :]))
        assert close(found.log10_initial(state), log10_norms(at_start[number]))
        assert np.abs(found.initial_bar[number] - at_start[number]).max() < 1e-13
    assert np.abs(found.inputs_bar - at_inputs).max() < 1e-13
    exists = ~np.isnan(gradients[0, :, :, 0, 0])
    assert close(found.log10_norm("x"), np.where(exists, log10_norms(at_inputs), np.nan))


def close(found, exact):
    assert found.shape == exact.shape
    assert np.array_equal(np.isnan(found), np.isnan(exact))
    assert np.array_equal(np.isneginf(found), np.isneginf(exact))
    finite = np.isfinite(exact)
    return np.abs(found[finite] - exact[finite]).max(initial=0) < 1e-11


RESETS = np.random.default_rng(5).random((T, B)) < 0.2
RESETS[0, 1] = True
LENGTHS = [12, 5, 1, 9]


@pytest.mark.parametrize("kind", PARTS)
@pytest.mark.parametrize("of", ["final", "resets", "lengths", "both"])
def test_every_gradient_is_autograds_over_torchs_own_cells(kind, of):
    module, x, injected, start, final = drawn(kind)
    resets = RESETS if of in ("resets", "both") else None
    lengths = LENGTHS if of in ("lengths", "both") else None
    if lengths:
        injected = injected * (torch.arange(T)[:, None] < torch.tensor(lengths))[..., None]
    found = trace(Stack.from_torch(module), x, injected, start, final, resets, lengths)
    agree(kind, found, unrolled(kind, module, x, injected, start, final, resets, lengths))


def test_chunks_of_a_step_threads_and_recomputed_states_change_nothing(monkeypatch):
    plan, slices = (importlib.import_module(f"gradlab.engine.{name}") for name in ("plan", "slices"))
    module, x, injected, start, final = drawn("lstm", seed=3)
    injected = injected * (torch.arange(T)[:, None] < torch.tensor(LENGTHS))[..., None]
    whole = trace(Stack.from_torch(module), x, injected, start, final, RESETS, LENGTHS)
    monkeypatch.setattr(plan, "STORE_BYTES", 0)
    monkeypatch.setattr(plan, "CHUNK_WORK", 1)
    monkeypatch.setattr(slices, "SLICE_WORK", 1)
    monkeypatch.setenv("GRADLAB_THREADS", "3")
    cut = trace(Stack.from_torch(module), x, injected, start, final, RESETS, LENGTHS)
    for state in ("h", "c", "x", "all"):
        for losses in ("all", "last"):
            assert close(cut.log10_norm(state, losses), whole.log10_norm(state, losses))
    assert np.allclose(cut.inputs_bar, whole.inputs_bar, rtol=1e-12)
    assert np.allclose(cut.initial_bar, whole.initial_bar, rtol=1e-12)


def test_an_encoder_whose_states_start_a_decoder_has_the_gradient_that_autograd_gives_it():
    torch.manual_seed(1)
    encoder, decoder = (nn.LSTM(X, H, num_layers=L).double() for _ in range(2))
    x, y = torch.randn(9, B, X).double(), torch.randn(7, B, X).double()
    start = [torch.zeros(L, B, H, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    x.requires_grad_()
    _, states = encoder(x, tuple(start))
    out, _ = decoder(y, states)
    direction = torch.randn_like(out)
    (out * direction).sum().backward()
    above = trace(Stack.from_torch(decoder), y, direction, states)
    below = trace(Stack.from_torch(encoder), x, None, start, above.initial_bar)
    assert np.abs(below.inputs_bar - x.grad.numpy()).max() < 1e-14
    assert all(np.abs(a - s.grad.numpy()).max() < 1e-14 for a, s in zip(below.initial_bar, start, strict=True))
    verdict = diagnose(below)
    assert verdict.losses == 1
    assert verdict.length == 8


@pytest.mark.parametrize("lengths", [None, [12, 5, 7, 9]])
def test_where_last_states_are_read_they_are_the_last_loss_with_what_enters_at_that_step_alone(lengths):
    module, x, injected, start, final = drawn("lstm", seed=2)
    final[0][:, 2], final[1][:, 2] = 0, 0  # of one sequence nobody reads them
    ends = lengths or [T] * B
    injected = injected * (torch.arange(T)[:, None] < torch.tensor(ends))[..., None]
    injected[3, 2], injected[4:, 2] = 1.0, 0.0
    for b, end in enumerate(ends):
        if b != 2:
            injected[end - 1, b] = b % 2  # one of them with a loss at its last step too
    alone = torch.zeros_like(injected)
    alone[3, 2] = injected[3, 2]
    for b, end in enumerate(ends):
        if b != 2:
            alone[end - 1, b] = injected[end - 1, b]
    stack = Stack.from_torch(module)
    found = trace(stack, x, injected, start, final, lengths=lengths)
    other = trace(stack, x, alone, start, final, lengths=lengths)
    assert found.last_loss.tolist() == [3 if b == 2 else end - 1 for b, end in enumerate(ends)]
    for state in ("h", "c", "x"):
        assert close(found.log10_norm(state, "last"), other.log10_norm(state))
    assert close(found.log10_initial("c", "last"), other.log10_initial("c"))
    assert close(found.log10_cotangent_last, other.log10_cotangent)
    assert not np.allclose(found.log10_norm("h")[0, 0], other.log10_norm("h")[0, 0])


def test_stacks_chained_by_hand_are_the_stack_of_both():
    module, x, injected, start, _ = drawn("gru")
    whole = Stack.from_torch(module)
    upper, lower = (Stack("gru", (whole.layers[number],)) for number in (1, 0))
    between = torch.from_numpy(np.zeros((T, B, H)))
    half = nn.GRU(X, H).double()
    half.load_state_dict({name: value for name, value in module.state_dict().items() if name.endswith("l0")})
    between = half(x, start[0][:1])[0]
    above = trace(upper, between, injected, start[0][1:])
    below = trace(lower, x, above.inputs_bar, start[0][:1])
    both = trace(whole, x, injected, start)
    assert close(below.log10_norm("h")[0], both.log10_norm("h")[0])
    assert close(below.log10_norm("x"), both.log10_norm("x"))


def test_gradients_at_inputs_and_initial_states_are_exact_where_arrays_underflow():
    n = 4000
    U = np.diag([0.5, 0.25])
    stack = Stack("rnn_linear", ((np.eye(2), U, np.zeros(2), np.zeros(2)),))
    cotangents = np.zeros((n, 1, 2))
    cotangents[-1, 0, 0] = 1.0
    found = trace(stack, np.zeros((n, 1, 2)), cotangents)
    assert found.log10_norm("x")[0, 0] == pytest.approx((n - 1) * math.log10(0.5), rel=1e-12)
    assert found.log10_initial("h")[0, 0] == pytest.approx(n * math.log10(0.5), rel=1e-12)
    assert found.inputs_bar[0].max() == 0


def test_the_last_loss_of_every_episode_is_followed_to_where_the_episode_begins():
    module, x, _, start, _ = drawn("gru", T=40, B=2)
    injected = torch.randn(40, 2, H).double()
    resets = np.zeros((40, 2))
    resets[[10, 25], 0] = 1
    stack = Stack.from_torch(module)
    found = trace(stack, x, injected, start, None, resets)
    way = found.way_back("h", 1)
    assert way.length.tolist() == [9, 14, 14, 39]
    for column, (b, begin, end) in enumerate([(0, 0, 10), (0, 10, 25), (0, 25, 40), (1, 0, 40)]):
        alone = np.zeros((end - begin, 1, H))
        alone[-1] = injected[end - 1, b]
        states = [np.zeros((L, 1, H)) if begin else part[:, b : b + 1] for part in start]
        part = trace(stack, x[begin:end, b : b + 1], alone, states)
        assert close(way.norms[: end - begin, column], part.log10_norm("h")[1, ::-1, 0])
        assert np.isnan(way.norms[end - begin :, column]).all()
        assert found.at_start("h", "last", 1)[column] == pytest.approx(part.at_start("h", "last", 1)[0], abs=1e-11)
    assert len(diagnose(found).sequences) == 4
    assert "left at the first step of each of 4 episodes, 9 to 39 steps earlier" in diagnose(found).sentence


def test_a_mean_rate_of_a_ragged_batch_is_that_of_its_sequences_each_of_its_length():
    """Beside one that has no loss, and no part in it."""
    n, lengths = 120, [120, 60, 30, 10]
    module, x, _, start, _ = drawn("lstm", T=n, B=4)
    injected = torch.zeros(n, 4, H).double()
    for b, length in enumerate(lengths[:3]):
        injected[length - 1, b] = torch.randn(H)
    stack = Stack.from_torch(module)
    rates = trace(stack, x, injected, start, lengths=lengths).rate()
    alone = [
        trace(stack, x[:length, b : b + 1], injected[:length, b : b + 1], [s[:, b : b + 1] for s in start]).rate()
        for b, length in enumerate(lengths[:3])
    ]
    expected = np.mean([part.decades_per_step for part in alone], axis=0)
    assert rates.decades_per_step.to_numpy() == pytest.approx(expected, rel=1e-10)
    found = trace(stack, x, injected, start, lengths=lengths)
    assert "is left at step 0, 29 to 119 steps earlier; of all 3 losses" in diagnose(found).sentence


def test_what_stands_behind_a_sequences_end_is_never_read():
    stack = Stack("rnn_linear", ((np.eye(2), 100 * np.eye(2), np.zeros(2), np.zeros(2)),))  # overflows in 155 steps
    n, lengths = 400, [400, 3]
    x, injected = np.zeros((n, 2, 2)), np.zeros((n, 2, 2))
    x[:3, 1], injected[2, 1] = 1.0, 1.0
    x[3:, 1] = np.nan
    found = trace(stack, x, injected, lengths=torch.tensor(lengths))
    assert found.non_finite is None
    assert found.log10_norm("h")[0, :3, 1] == pytest.approx([4.1505, 2.1505, 0.1505], abs=1e-4)
    assert np.isnan(found.log10_norm("h")[0, 3:, 1]).all()
    assert np.isneginf(found.log10_norm("h")[0, :, 0]).all()
    table = found.table
    assert np.isneginf(table.log10_norm[table.step == 50]).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lengths": [3, 0, 1, 1]}, r"lengths is 0 at \[1\]: use a whole number from 1 to 12"),
        ({"lengths": [3, 2.5, 1, 1]}, r"lengths is 2\.5 at \[1\]"),
        ({"lengths": [3, 13, 1, 1]}, r"lengths is 13 at \[1\]"),
        ({"lengths": [12] * 3}, r"lengths has shape \(3,\): \[B\] = \(4\)"),
        ({"lengths": [12, 5, 12, 12]}, r"cotangents is not zero at \[5, 1\], but sequence 1 has lengths = 5: mask"),
        (
            {"resets": np.eye(T, B) + 0.5 * np.eye(T, B, -5)},
            r"resets is 0\.5 at \[5, 0\]: use 1 where an episode begins, else 0",
        ),
        (
            {"resets": np.zeros((B, T))},
            r"resets has shape \(4, 12\): \[T, B\] = \(12, 4\) is needed: its first",
        ),
        ({"final_cotangents": [np.zeros((L, B, H))]}, "final_cotangents has 1 parts: lstm needs 2"),
        ({"final_cotangents": [np.zeros((B, H))] * 2}, r"final_cotangents h has shape \(4, 5\): \[L, B, H\]"),
        ({"final_cotangents": [np.full((L, B, H), np.nan)] * 2}, r"final_cotangents h is nan at \[0, 0, 0\]"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_to_do(options, message):
    module, x, _, start, _ = drawn("lstm")
    with pytest.raises(ValueError, match=message):
        trace(Stack.from_torch(module), x, torch.ones(T, B, H), start, **options)


def test_a_batch_first_stack_reads_resets_and_gives_inputs_gradients_as_its_module_lies():
    module, x, injected, start, final = drawn("lstm", batch_first=True)
    usual = nn.LSTM(X, H, num_layers=L).double()
    usual.load_state_dict(module.state_dict())
    turned = x.transpose(0, 1), injected.transpose(0, 1)
    found = trace(Stack.from_torch(module), *turned, start, final, RESETS.T)
    other = trace(Stack.from_torch(usual), x, injected, start, final, RESETS)
    assert close(found.log10_norm("c"), other.log10_norm("c"))
    assert np.array_equal(found.inputs_bar, other.inputs_bar.swapaxes(0, 1))
    assert np.array_equal(found.log10_norm("x"), other.log10_norm("x"))
    lengths = [12, 9, 6, 3]
    padded = turned[0].clone()
    for b, length in enumerate(lengths):
        padded[b, length:] = torch.nan
    none = turned[1] * (torch.arange(T)[None] < torch.tensor(lengths)[:, None])[..., None]
    unread = trace(Stack.from_torch(module), padded, none, start, lengths=lengths)
    assert close(
        unread.log10_norm("h"), trace(Stack.from_torch(module), turned[0], none, start, lengths=lengths).log10_norm("h")
    )
    behind = torch.zeros(B, T, H)
    behind[2, 7] = 1
    with pytest.raises(ValueError, match=r"cotangents is not zero at \[2, 7\], but sequence 2 has lengths = 6: mask"):
        trace(Stack.from_torch(module), turned[0], behind, start, lengths=lengths)
    with pytest.raises(ValueError, match=r"inputs has shape \(4, 12, 9\): \[B, T, X\] = \(any, any, 3\) is needed"):
        trace(Stack.from_torch(module), np.zeros((B, T, 9)), turned[1])


@pytest.mark.parametrize("state", [0, 1])
def test_the_last_loss_is_that_of_any_of_the_last_states_where_one_has_a_cotangent(state):
    """One number of one state of the last of three sequences, which has the first loss there is as well."""
    module, x, _, start, final = drawn("lstm", B=3)
    final, injected = [torch.zeros_like(part) for part in final], torch.zeros(T, 3, H).double()
    final[state][0, 2, 1] = injected[2, 1, 0] = injected[1, 2, 0] = 1.0
    found = trace(Stack.from_torch(module), x, injected, start, final)
    assert found.loss_steps.tolist() == [1, 2, T - 1]
    assert found.last_loss.tolist() == [-1, 2, T - 1]
    alone = trace(Stack.from_torch(module), x, None, start, final)
    assert close(found.log10_norm("h", "last")[:, :, 2], alone.log10_norm("h")[:, :, 2])


def test_the_memory_of_all_that_is_asked_for_is_stated_before_it_is_taken(monkeypatch):
    stack = Stack.from_torch(nn.GRU(200, H))
    x, injected = np.zeros((T, B, 200)), np.ones((T, B, H))
    plain = problem_of(stack, x, injected)
    assert plain.trace_need.bytes > plain.size.steps * B * 2 * 200 * 4  # inputs' gradients of both kinds of rows
    final = problem_of(stack, x, injected, None, np.ones((1, B, H)))
    assert final.trace_need.bytes >= plain.trace_need.bytes + final.loss.final.nbytes
    broken = problem_of(stack, x, injected, None, None, np.eye(T, B))
    assert broken.trace_need.bytes > plain.trace_need.bytes
    monkeypatch.setattr(importlib.import_module("gradlab.engine.plan"), "MOST_BYTES", 10_000)
    with pytest.raises(TooLarge, match="steps = 12, batch_size = 4"):
        trace(stack, x, injected)


def test_one_reset_too_many_or_one_step_too_long_is_seen_by_these_tests():
    """The oracle tells apart what differs in one place."""
    module, x, injected, start, final = drawn("gru")
    exact = unrolled("gru", module, x, injected, start, final, RESETS)
    wrong = RESETS.copy()
    wrong[7, 3] ^= True
    found = trace(Stack.from_torch(module), x, injected, start, final, wrong)
    with pytest.raises(AssertionError):
        agree("gru", found, exact)
