"""Forms of other frameworks: hard-sigmoid gates and ONNX's peepholes, as their documents have them, unrolled
in torch and differentiated by autograd."""

import numpy as np
import pytest
import torch

from gradlab import Stack, diagnose, itemised, trace
from gradlab.analyses.nets import in_halves
from gradlab.cells import CELLS, KNOWN
from gradlab.cells.contract import peepholes_of
from gradlab.engine import outputs
from gradlab.network.stack import Net
from tests.networks import drawn_case, log10_norms

T, B, X, H = 15, 3, 4, 6


def keras_hard(a):
    return torch.clamp(0.2 * a + 0.5, 0, 1)


def torchs_hard(a):
    """`torch.nn.functional.hardsigmoid`, whose own sixth is one of float32 even in float64."""
    return torch.clamp(a / 6 + 0.5, 0, 1)


def lstm(a_x, a_h, h, c, gate):
    i, f, g, o = (a_x + a_h).chunk(4, dim=1)
    c = gate(f) * c + gate(i) * g.tanh()
    return gate(o) * c.tanh(), c


def gru(a_x, a_h, h, gate):
    r, z, _ = (a_x + a_h).chunk(3, dim=1)
    n = (a_x[:, 2 * H :] + gate(r) * a_h[:, 2 * H :]).tanh()
    return ((1 - gate(z)) * n + gate(z) * h,)


def unrolled(stack, case, step):
    """log10 norms of every state's gradient, and the outputs, of a stack of one layer."""
    W, U, b_W, b_U = (torch.from_numpy(part) for part in stack.layers[0])
    state = [torch.from_numpy(part[0]) for part in case.initial_state]
    history, loss = [], 0.0
    for x, injected in zip(torch.from_numpy(case.inputs), torch.from_numpy(case.cotangents), strict=True):
        state = [value.requires_grad_() if value.is_leaf else value for value in state]
        state = list(step(x @ W.T + b_W, state[0] @ U.T + b_U, *state))
        for value in state:
            value.retain_grad()
        history.append(state)
        loss = loss + (injected * state[0]).sum()
    loss.backward()
    grads = [[np.zeros((B, H)) if v.grad is None else v.grad.numpy() for v in state] for state in history]
    return log10_norms(np.array(grads)), np.stack([state[0].detach().numpy() for state in history])


def agree(stack, case, step):
    found = trace(stack, case.inputs, case.cotangents, case.initial_state)
    exact, h = unrolled(stack, case, step)
    for number, state in enumerate(found.states):
        norms = found.log10_norm(state)[0]
        assert np.array_equal(np.isneginf(norms), np.isneginf(exact[:, number]))
        finite = np.isfinite(norms)
        assert np.abs(norms[finite] - exact[:, number][finite]).max() < 1e-11
    assert np.abs(outputs(stack, case.inputs, case.initial_state)[0] - h).max() < 1e-12


@pytest.mark.parametrize("gain", [1.0, 8.0])
@pytest.mark.parametrize(("cell", "step"), [("lstm_hard", lstm), ("gru_hard", gru)])
def test_hard_gates_are_kerass_also_where_they_are_shut(cell, step, gain):
    case = drawn_case(cell, 1, H, X, T, B, gain=gain)
    agree(case.stack, case, lambda *values: step(*values, keras_hard))


@pytest.mark.parametrize(("cell", "step", "gates"), [("lstm_hard", lstm, (0, 1, 3)), ("gru_hard", gru, (0, 1))])
def test_torchs_hardsigmoid_is_the_same_cell_with_the_gates_rows_times_five_sixths(cell, step, gates):
    case = drawn_case(cell, 1, H, X, T, B, gain=3.0)
    scale = np.ones(len(case.stack.layers[0].U))
    for gate in gates:
        scale[gate * H : (gate + 1) * H] = 5 / 6
    scaled = Stack(cell, tuple(type(layer)(*((part.T * scale).T for part in layer)) for layer in case.stack.layers))
    found = trace(scaled, case.inputs, case.cotangents, case.initial_state)
    exact, _ = unrolled(case.stack, case, lambda *values: step(*values, torchs_hard))
    finite = np.isfinite(exact[:, 0])
    assert np.abs(found.log10_norm("h")[0][finite] - exact[:, 0][finite]).max() < 1e-11


def test_peepholes_are_onnxs():
    """i and f see C_{t-1}, o sees C_t; P is [i, o, f] there, elementwise."""
    case = drawn_case("lstm_peephole", 1, H, X, T, B)
    names = ("input", "forget", "candidate", "output")
    cell = CELLS["lstm_peephole"]
    rows = {name: slice(k * H, (k + 1) * H) for k, name in enumerate(cell.pre_activations)}
    sees = {
        gate: torch.from_numpy(case.stack.layers[0].b_W[rows[weight]]) for gate, weight in peepholes_of(cell).items()
    }
    layer = case.stack.layers[0]
    W, U, b_U = (part.copy() for part in (layer.W, layer.U, layer.b_U))
    for weight in peepholes_of(cell).values():
        W[rows[weight]] = U[rows[weight]] = 0
        b_U[rows[weight]] = 0
    stack = Stack("lstm_peephole", (type(layer)(W, U, layer.b_W, b_U),))

    def step(a_x, a_h, h, c):
        i, f, g, o = ((a_x + a_h)[:, rows[name]] for name in names)
        new = (f + sees["forget"] * c).sigmoid() * c + (i + sees["input"] * c).sigmoid() * g.tanh()
        return (o + sees["output"] * new).sigmoid() * new.tanh(), new

    agree(stack, case, step)


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("lengths", [None, [15, 4, 9]])
def test_the_gru_that_resets_before_the_product_is_chos(depth, lengths):
    """The equations of ONNX's linear_before_reset = 0 over torch's autograd, one sequence after the other."""
    random = np.random.default_rng(depth)

    def drawn(*shape):
        return torch.from_numpy(random.standard_normal(shape) / 2)

    layers = [[drawn(3 * H, H if k else X), drawn(3 * H, H), drawn(3 * H), drawn(3 * H)] for k in range(depth)]
    x, injected = drawn(T, B, X).requires_grad_(), drawn(T, B, H)
    start, final = drawn(depth, B, H).requires_grad_(), drawn(depth, B, H)
    resets = random.random((T, B)) < 0.15
    ends = lengths or [T] * B
    injected = injected * (torch.arange(T)[:, None] < torch.tensor(ends))[..., None]
    found, loss = {}, 0.0
    for b, end in enumerate(ends):
        h = [start[k, b] for k in range(depth)]
        for t in range(end):
            h = [torch.zeros(H, dtype=torch.float64)] * depth if resets[t, b] else h
            below, new = x[t, b], []
            for k, (W, U, b_W, b_U) in enumerate(layers):
                a_x, (U_r, U_z, U_n), (b_r, b_z, b_n) = (W @ below + b_W).split(H), U.split(H), b_U.split(H)
                r, z = (a_x[0] + U_r @ h[k] + b_r).sigmoid(), (a_x[1] + U_z @ h[k] + b_z).sigmoid()
                n = (a_x[2] + U_n @ (r * h[k]) + b_n).tanh()
                below = (1 - z) * n + z * h[k]
                below.retain_grad()
                found[k, t, b] = below
                new.append(below)
            h = new
            loss = loss + (injected[t, b] * h[-1]).sum()
        loss = loss + sum((final[k, b] * h[k]).sum() for k in range(depth))
    loss.backward()
    stack = Stack("gru_reset_before", tuple(tuple(part.numpy() for part in layer) for layer in layers))
    ours = trace(stack, x, injected, start, final, resets, lengths)
    exact = np.full((depth, T, B), np.nan)
    for place, value in found.items():
        exact[place] = log10_norms(np.zeros(1) if value.grad is None else value.grad.numpy())
    norms, exists = ours.log10_norm("h"), ~np.isnan(exact)
    assert np.array_equal(np.isnan(norms), ~exists)
    assert np.abs(norms[exists] - exact[exists]).max() < 1e-11
    assert np.abs(ours.inputs_bar - x.grad.numpy()).max() < 1e-13
    assert np.abs(ours.initial_bar[0] - start.grad.numpy()).max() < 1e-13
    assert ours.states == ("h",)
    assert diagnose(ours).sentence.startswith("GRU (reset before), layer 0, h")
    with pytest.raises(TypeError, match="is run in two halves: only gradlab"):
        itemised.itemised(stack, x, injected)


def test_the_forward_pass_in_halves_is_chos():
    random = np.random.default_rng(7)
    W, U, b_W, b_U = (random.standard_normal(shape) for shape in ((3 * H, X), (3 * H, H), (3 * H,), (3 * H,)))
    x, h = random.standard_normal((T, 1, X)), random.standard_normal(H)
    part = Net.of_stacks([Stack("gru_reset_before", ((W, U, b_W, b_U),))]).levels[0][0]
    twice, states, _ = in_halves(x, (h[None, None],), None)
    ours = outputs(part.stack, twice, states)[0][1::2, 0]
    for t in range(T):
        a_x, a_h = W @ x[t, 0] + b_W, U[: 2 * H] @ h + b_U[: 2 * H]
        r, z = (1 / (1 + np.exp(-(a_x[k * H : (k + 1) * H] + a_h[k * H : (k + 1) * H]))) for k in range(2))
        h = (1 - z) * np.tanh(a_x[2 * H :] + U[2 * H :] @ (r * h) + b_U[2 * H :]) + z * h
        assert np.abs(ours[t] - h).max() < 1e-12


def test_a_half_has_the_adjoint_that_autograd_gives_its_step():
    """In either half; which half it is has no derivative."""
    cell = KNOWN["gru_half"]
    for half in (0.0, 1.0):
        values = [torch.randn(50, dtype=torch.float64).requires_grad_() for _ in range(3 + 4 + 4)]
        a_x, a_h, state = values[:3], values[3:7], cell.record(*values[7:])
        p = torch.full((50,), half, dtype=torch.float64)
        new, saved = cell.step((*a_x, p), tuple(a_h), state)
        bars = cell.record(*(torch.randn(50, dtype=torch.float64) for _ in new))
        sum((bar * value).sum() for bar, value in zip(bars, new, strict=True)).backward()
        with torch.no_grad():
            x_bar, h_bar, state_bar, _ = cell.adjoint(saved, state, new, bars)
        for ours, value in zip((*x_bar[:3], *h_bar[:3], *state_bar), (*a_x, *a_h[:3], *state), strict=True):
            exact = torch.zeros(50, dtype=torch.float64) if value.grad is None else value.grad
            assert (ours - exact).abs().max() < 1e-14


@pytest.mark.parametrize("cell", ["lstm_hard", "gru_hard"])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_gate_of_an_infinite_line_is_open_or_closed_and_passes_nothing(cell, sign):
    """As torch's and Keras's clamps have it: 0 · inf must not come into it."""
    kind, infinite, nothing = CELLS[cell], torch.tensor([sign * torch.inf]), torch.tensor([0.0])
    for gate in kind.gates:
        a = [infinite if name == gate else nothing for name in kind.pre_activations]
        state = kind.record(*(torch.tensor([0.5]) for _ in kind.states))
        new, saved = kind.step(a, [nothing for _ in a], state)
        kept = dict(zip(kind.saved, saved, strict=True))
        assert kept[gate].item() == (sign > 0)
        assert kept[f"{gate}_slope"].item() == 0
        assert all(value.isfinite() for value in new)
