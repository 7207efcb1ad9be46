"""Remedies are what they say: their lines, run on a module of PyTorch, give the gradient that was promised."""

import math

import numpy as np
import pytest
import torch
from torch import nn

import gradlab
from gradlab import Experiment, Stack, diagnose, remedies, trace
from gradlab.analyses.diagnosis import DECADES

T, B, X, H, L = 40, 3, 2, 6, 2
MODULES = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
STEPS = {"LSTM": torch.lstm_cell, "GRU": torch.gru_cell, "RNN": torch.rnn_tanh_cell}
OF_WEIGHTS = ("bias", "chrono", "orthogonal", "orthogonal and bias", "scale", "cell")


class Unrolled:
    """A module of PyTorch as a loop over its cells, whose states keep their gradients: no part of gradlab."""

    def __init__(self, rnn):
        self.rnn, self.states = rnn, []

    def parameters(self):
        return self.rnn.parameters()

    def __call__(self, x, state=None):
        rnn = self.rnn
        x = x.transpose(0, 1) if rnn.batch_first else x
        count = 2 if isinstance(rnn, nn.LSTM) else 1
        if state is None:
            state = [torch.zeros(L, x.shape[1], H, dtype=x.dtype)] * count
        state = [state] if isinstance(state, torch.Tensor) else list(state)
        now = [[part[layer] for part in state] for layer in range(L)]
        outputs = []
        for x_t in x:
            for layer in range(L):
                weights = [
                    getattr(rnn, f"{name}_l{layer}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
                ]
                before = now[layer] if count > 1 else now[layer][0]
                new = STEPS[type(rnn).__name__](x_t, before, *weights)
                now[layer] = list(new) if count > 1 else [new]
                for part in now[layer]:
                    if part.requires_grad:
                        part.retain_grad()
                x_t = now[layer][0]
            self.states.append([list(of_layer) for of_layer in now])
            outputs.append(x_t)
        last = tuple(torch.stack([of_layer[n] for of_layer in now]) for n in range(count))
        y = torch.stack(outputs, dim=1 if rnn.batch_first else 0)
        return y, last if count > 1 else last[0]

    def log10_at(self, step, layer):
        """log10 of ∂L/∂(all states of a layer after a step), [B]."""
        parts = [part.grad for part in self.states[step][layer]]
        if all(part is None for part in parts):
            return np.full(B, -np.inf)
        parts = [torch.zeros(B, H) if part is None else part for part in parts]
        with np.errstate(divide="ignore"):
            return torch.cat(parts, dim=1).norm(dim=1).log10().numpy()


def problem(cell, batch_first=False, gain=1.0, dtype=torch.float64, losses="last"):
    """A module, its inputs and what a loss injects, as a user has them."""
    torch.manual_seed(1)
    rnn = MODULES[cell](X, H, num_layers=L, batch_first=batch_first, dtype=dtype)
    with torch.no_grad():
        for name, weight in rnn.named_parameters():
            if name.startswith("weight_hh"):
                weight.mul_(gain)
    x, cotangents = torch.randn(T, B, X, dtype=dtype), torch.zeros(T, B, H, dtype=dtype)
    steps = slice(T - 1, T) if losses == "last" else slice(0, T)
    cotangents[steps] = torch.randn(cotangents[steps].shape, dtype=dtype)
    if batch_first:
        x, cotangents = x.transpose(0, 1), cotangents.transpose(0, 1)
    return rnn, x, cotangents


def traced(rnn, x, cotangents, **more):
    return trace(Stack.from_torch(rnn), x, cotangents, **more)


def of(found, kind):
    return [remedy for remedy in found if remedy.kind == kind]


def run(remedy, **names):
    """The lines of a remedy, executed."""
    names |= {"torch": torch}
    exec(remedy.code, names)
    return names


def injected(cotangents, batch_first):
    last = cotangents[:, -1] if batch_first else cotangents[-1]
    return last.norm(dim=1).log10().numpy()


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("cell", MODULES)
def test_the_lines_of_each_change_of_weights_give_the_gradient_that_autograd_has_in_an_unrolled_loop(cell, batch_first):
    rnn, x, cotangents = problem(cell, batch_first)
    before = {name: value.clone() for name, value in rnn.state_dict().items()}
    found = remedies(traced(rnn, x, cotangents), layer=1, lag=25)
    seen = set()
    for remedy in found:
        if remedy.kind not in OF_WEIGHTS:
            continue
        rnn.load_state_dict(before)
        changed = run(remedy, rnn=rnn)["rnn"]
        assert diagnose_at(traced(changed, x, cotangents), 1, 25) == pytest.approx(remedy.after, abs=1e-12)
        loop = Unrolled(changed)
        y, _ = loop(x)
        (y * cotangents).sum().backward()
        oracle = loop.log10_at(T - 1 - 25, 1) - injected(cotangents, batch_first)
        assert remedy.after == pytest.approx(oracle.mean(), abs=1e-9), remedy.title
        seen.add(remedy.kind)
        rnn.zero_grad()
    gated = {"bias", "chrono", "orthogonal and bias"} if cell != "rnn" else {"cell"}
    assert seen == {"orthogonal", "scale"} | gated


def diagnose_at(found, layer, lag):
    way = found.way_back("all", layer)
    return (way.norms[lag] - found.log10_cotangent_last).mean()


def test_every_remedy_has_the_same_before_and_it_is_autograds():
    rnn, x, cotangents = problem("lstm")
    loop = Unrolled(rnn)
    y, _ = loop(x)
    (y * cotangents).sum().backward()
    oracle = (loop.log10_at(0, 0) - injected(cotangents, False)).mean()
    for remedy in remedies(traced(rnn, x, cotangents)):
        assert remedy.before == pytest.approx(oracle, abs=1e-9)
        assert remedy.lag == T - 1


@pytest.mark.parametrize("cell", MODULES)
def test_an_initial_state_is_the_one_that_the_lines_begin_in(cell):
    rnn, x, cotangents = problem(cell)
    (remedy,) = of(remedies(traced(rnn, x, cotangents)), "state")
    loop = Unrolled(rnn)
    names = run(remedy, rnn=loop, x=x)
    (names["y"] * cotangents).sum().backward()
    oracle = (loop.log10_at(T, 0) - injected(cotangents, False)).mean()
    assert remedy.after == pytest.approx(oracle, abs=1e-9)
    assert remedy.after != remedy.before


@pytest.mark.parametrize("losses", ["last", "every"])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("cell", MODULES)
def test_a_window_keeps_the_stated_share_and_one_step_less_does_not(cell, batch_first, losses):
    rnn, x, cotangents = problem(cell, batch_first, losses=losses)
    found = traced(rnn, x, cotangents)
    (remedy,) = of(remedies(found, lag=3), "window")
    full = parameter_gradient(rnn, x, cotangents)
    loop = Unrolled(rnn)
    names = run(remedy, rnn=loop, x=x)
    if losses == "last":
        y = names["y"]
        part = cotangents[:, -y.shape[1] :] if batch_first else cotangents[-len(y) :]
    else:
        y, part = torch.cat(names["ys"], dim=int(batch_first)), cotangents
    rnn.zero_grad()
    (y * part).sum().backward()
    kept = torch.cat([weight.grad.reshape(-1) for weight in rnn.parameters()])
    assert (kept - full).norm() / full.norm() <= 0.1
    oracle = loop.log10_at(T - 1 - 3, 0) - injected(cotangents, batch_first)
    if np.isneginf(oracle).all():
        assert remedy.after == -math.inf
    elif losses == "last":
        assert remedy.after == pytest.approx(oracle.mean(), abs=1e-9)
    if losses == "last":
        length = int(remedy.title.split()[-2])
        assert (short_gradient(rnn, x, cotangents, length - 1) - full).norm() / full.norm() > 0.1
    assert str(int(remedy.title.split()[-2])) in remedy.code


def parameter_gradient(rnn, x, cotangents):
    rnn.zero_grad()
    (rnn(x)[0] * cotangents).sum().backward()
    return torch.cat([weight.grad.reshape(-1) for weight in rnn.parameters()]).clone()


def short_gradient(rnn, x, cotangents, length):
    """Of the last steps alone, by nn's own module."""
    if length == 0:
        return torch.zeros(sum(weight.numel() for weight in rnn.parameters()), dtype=x.dtype)
    if rnn.batch_first:
        x, cotangents = x.transpose(0, 1), cotangents.transpose(0, 1)
    first, second = x[: T - length], x[T - length :]
    turned = (lambda a: a.transpose(0, 1)) if rnn.batch_first else (lambda a: a)
    with torch.no_grad():
        _, state = rnn(turned(first)) if len(first) else (None, None)
    rnn.zero_grad()
    y, _ = rnn(turned(second), state)
    (y * turned(cotangents[T - length :])).sum().backward()
    return torch.cat([weight.grad.reshape(-1) for weight in rnn.parameters()]).clone()


def exploding():
    """One sequence explodes, the others rest in saturation: what they read keeps their units at the ends of tanh."""
    rnn, x, cotangents = problem("rnn", gain=4.0)
    with torch.no_grad():
        for name, bias in rnn.named_parameters():
            if name.startswith("bias"):
                bias.zero_()
    return rnn, 0.01 * x + torch.tensor([0.0, 60.0, 60.0], dtype=x.dtype)[:, None], cotangents


def test_a_threshold_clips_what_the_lines_clip_and_is_of_observed_norms():
    rnn, x, cotangents = exploding()
    found = traced(rnn, x, cotangents)
    (remedy,) = of(remedies(found, lag=20), "clip")
    assert remedy.helps
    norms = []
    for b in range(B):
        rnn.zero_grad()
        (rnn(x)[0] * cotangents)[:, b].sum().backward()
        norms.append(math.sqrt(sum(float(weight.grad.square().sum()) for weight in rnn.parameters())))
    full = float(parameter_gradient(rnn, x, cotangents).norm())
    threshold = math.sqrt(B) * float(np.median(norms))
    rnn.zero_grad()
    run(remedy, rnn=rnn, loss=(rnn(x)[0] * cotangents).sum(), optimizer=torch.optim.SGD(rnn.parameters(), lr=0.0))
    clipped = math.sqrt(sum(float(weight.grad.square().sum()) for weight in rnn.parameters()))
    assert clipped == pytest.approx(min(full, threshold), rel=5e-3), "it is written with three digits"
    assert 10 ** (remedy.after - remedy.before) == pytest.approx(clipped / full, rel=1e-6)


def test_a_threshold_does_not_help_where_the_gradient_vanishes_or_where_all_sequences_explode_alike():
    e = Experiment(cell="rnn", hidden_size=16, steps=200, batch_size=8, gain=1.6, initialization="gaussian")
    (remedy,) = of(remedies(trace(e.replace(gain=0.8))), "clip")
    assert not remedy.helps
    assert "does not explode" in remedy.reason
    (remedy,) = of(remedies(trace(Experiment(cell="rnn_linear", hidden_size=8, steps=60, gain=1.5,
                                             initialization="orthogonal"))), "clip")  # fmt: skip
    assert not remedy.helps
    assert "alike" in remedy.reason


def test_subnormal_numbers_begin_where_torch_has_them_and_flushing_makes_them_zero():
    rnn, x, cotangents = problem("rnn", gain=0.05, dtype=torch.float32)
    steps = int(diagnose(traced(rnn, x, cotangents)).steps_to_float32_subnormal)
    assert 5 < steps < T - 5
    (remedy,) = of(remedies(traced(rnn, x, cotangents), lag=steps + 3), "flush")
    assert remedy.helps
    assert f"from {steps} steps back on" in remedy.reason
    loop = Unrolled(rnn)
    y, _ = loop(x)
    (y * cotangents).sum().backward()
    entries = [torch.cat([part.grad for part in loop.states[t][0]]).abs().max() for t in range(T)]
    assert 0 < entries[T - 1 - steps - 1] < torch.finfo(torch.float32).tiny
    assert entries[T - 1 - steps + 3] > torch.finfo(torch.float32).tiny
    try:
        run(remedy)
        loop = Unrolled(rnn)
        y, _ = loop(x)
        (y * cotangents).sum().backward()
        assert all(not part.grad.any() for part in loop.states[T - 1 - steps - 3][0])
        assert remedy.after == -math.inf
    finally:
        torch.set_flush_denormal(False)
    (remedy,) = of(remedies(traced(*problem("lstm"))), "flush")
    assert not remedy.helps
    assert remedy.after == remedy.before


def test_a_remedy_helps_where_it_gains_a_decade_and_says_why_it_does_not_elsewhere():
    found = remedies(traced(*problem("lstm")))
    helping = [remedy for remedy in found if remedy.helps and remedy.kind in OF_WEIGHTS]
    assert helping
    for remedy in found:
        if remedy.kind in (*OF_WEIGHTS, "state"):
            assert remedy.helps == (abs(remedy.before) - abs(remedy.after) >= DECADES)
        assert remedy.reason.startswith("It helps" if remedy.helps else "It does not help")
    assert [remedy.helps for remedy in found] == sorted([remedy.helps for remedy in found], reverse=True)


def test_nothing_is_needed_where_the_gradient_keeps_its_size():
    e = Experiment(cell="rnn_linear", initialization="orthogonal", hidden_size=8, steps=50, batch_size=2)
    found = remedies(trace(e))
    assert found
    assert not any(remedy.helps for remedy in found if remedy.kind in OF_WEIGHTS)
    assert any("not needed" in remedy.reason for remedy in found)


@pytest.mark.parametrize("cell", MODULES)
def test_what_is_kept_and_lost_is_what_the_lines_leave(cell):
    rnn, x, cotangents = problem(cell)
    with torch.no_grad():
        for name, bias in rnn.named_parameters():
            if name.startswith("bias"):
                bias.add_(0.123)
    before = {name: value.clone() for name, value in rnn.state_dict().items()}
    for remedy in remedies(traced(rnn, x, cotangents)):
        if remedy.kind not in OF_WEIGHTS:
            assert (remedy.lost, remedy.kept) == (0, sum(value.numel() for value in before.values()))
            continue
        rnn.load_state_dict(before)
        changed = run(remedy, rnn=rnn)["rnn"]
        if remedy.restart:
            assert remedy.kind == "cell"
            assert remedy.kept == 0
            assert "restart" in remedy.cost
            continue
        moved = sum(int((changed.state_dict()[name] != value).sum()) for name, value in before.items())
        assert (remedy.lost, remedy.kept) == (moved, sum(value.numel() for value in before.values()) - moved)


def test_float32_weights_are_repaired_in_float32():
    rnn, x, cotangents = problem("gru", dtype=torch.float32)
    before = {name: value.clone() for name, value in rnn.state_dict().items()}
    for remedy in remedies(traced(rnn, x, cotangents)):
        if remedy.kind in OF_WEIGHTS:
            rnn.load_state_dict(before)
            changed = run(remedy, rnn=rnn)["rnn"]
            again = traced(changed, x, cotangents)
            assert float(again.at_start("all", "last").mean()) == pytest.approx(remedy.after, abs=1e-12)


def test_no_draw_moves_the_callers_random_state():
    found = traced(*problem("rnn"))
    state = torch.get_rng_state()
    remedies(found)
    assert torch.equal(torch.get_rng_state(), state)


def test_final_cotangents_initial_states_and_lengths_are_those_of_the_trace():
    rnn, x, cotangents = problem("rnn")
    h = 0.1 * torch.randn(L, B, H, dtype=torch.float64)
    lengths = [T, T - 5, T - 9]
    masked = cotangents.clone()
    masked[:] = 0
    found = traced(rnn, x, masked, initial_state=h, final_cotangents=h, lengths=lengths)
    for remedy in remedies(found):
        if remedy.kind in ("orthogonal", "scale"):
            module, _, _ = problem("rnn")
            run(remedy, rnn=module)
            again = traced(module, x, masked, initial_state=h, final_cotangents=h, lengths=lengths)
            assert float(again.at_start("all", "last").mean()) == pytest.approx(remedy.after, abs=1e-12)
    (window,) = of(remedies(found), "window")
    assert not window.helps
    assert "not computed" in window.reason


def test_a_subject_or_its_trace_may_be_asked_and_another_lag_or_layer_than_there_is_is_refused():
    e = Experiment(cell="gru", hidden_size=6, steps=30, batch_size=2)
    by_trace, by_subject = remedies(trace(e)), remedies(e)
    assert [(r.title, r.after) for r in by_trace] == [(r.title, r.after) for r in by_subject]
    with pytest.raises(ValueError, match="layer = 1 is not allowed: use a whole number from 0 to 0"):
        remedies(trace(e), layer=1)
    with pytest.raises(ValueError, match="lag = 30 is not allowed: use a whole number from 0 to 29"):
        remedies(trace(e), lag=30)
    with pytest.raises(TypeError, match="int is neither a trace nor a flow"):
        remedies(3)


def test_a_trace_of_a_training_keeps_no_inputs_and_says_what_to_do():
    from gradlab.training import Run

    run = Run(Experiment(cell="lstm", hidden_size=4, steps=8, batch_size=2), "parity")
    with pytest.raises(ValueError, match=r"trace the network again, as run\.trained"):
        remedies(run.trace())
    assert remedies(run.trained)


def test_it_is_the_function_at_the_packages_top_and_its_module_stays_reachable():
    from gradlab.analyses import remedies as module

    assert gradlab.remedies is module.remedies
    assert callable(gradlab.remedies)
    assert isinstance(gradlab.remedies(Experiment(steps=20, hidden_size=4))[0], gradlab.Remedy)


def test_of_a_flow_it_is_the_worst_part_and_the_threshold_is_of_all_its_passes():
    rnn, x, cotangents = problem("rnn")
    passes, norms = 4, []
    with gradlab.watch(rnn) as flow:
        for number in range(passes):
            rnn.zero_grad()
            (rnn(x)[0] * cotangents * 2**number).sum().backward()
            norms.append(math.sqrt(sum(float(weight.grad.square().sum()) for weight in rnn.parameters())))
    found = remedies(flow)
    (clip,) = of(found, "clip")
    assert clip.title == f"Clip the gradient's norm at {float(np.median(norms)):.3g}"
    assert [r.after for r in of(found, "scale")] == pytest.approx(
        [r.after for r in of(remedies(flow.trace()), "scale")]
    )


def test_a_network_of_two_directions_is_refused_with_what_to_do():
    stack = Stack.from_torch(nn.LSTM(X, H, bidirectional=True))
    found = trace(stack, np.zeros((T, B, X)), np.ones((T, B, 2 * H)))
    with pytest.raises(ValueError, match="layers that are alike and read one way"):
        remedies(found)


def test_an_interrupted_search_ends_at_once():
    class Enough(Exception):
        pass

    def stop(fraction):
        if fraction > 0.3:
            raise Enough

    with pytest.raises(Enough):
        remedies(trace(Experiment(cell="lstm", steps=30, hidden_size=4)), progress=stop)


CELL_KINDS = {"bias", "chrono", "orthogonal", "orthogonal and bias", "scale"}


def normed(module):
    return nn.utils.parametrizations.spectral_norm(module, "weight_hh_l0")


def tied(module):
    module.weight_hh_l1 = module.weight_hh_l0
    return module


@pytest.mark.parametrize(
    ("module", "kinds", "why"),
    [
        (lambda: nn.LSTM(X, H, bias=False), {"bias", "chrono", "orthogonal and bias"}, "bias=True"),
        (lambda: normed(nn.LSTM(X, H)).eval(), {"orthogonal", "orthogonal and bias", "scale"}, "parametrization"),
        (lambda: tied(nn.GRU(X, H, num_layers=2)), CELL_KINDS, "share parameters"),
        (lambda: nn.ModuleList([nn.GRUCell(X, H)]), CELL_KINDS | {"state", "window"}, "list of modules"),
        (lambda: nn.RNNCell(X, H), {"cell", "state", "window"}, "one step a call"),
    ],
    ids=["no bias", "parametrized", "tied", "list", "cell"],
)
def test_what_cannot_be_done_to_a_module_is_said_and_promised_nothing(module, kinds, why):
    torch.manual_seed(1)
    cotangents = torch.zeros(T, B, H)
    cotangents[-1] = 1.0
    found = remedies(trace(Stack.from_torch(module()), torch.randn(T, B, X), cotangents))
    seen = set()
    for remedy in found:
        if remedy.kind in kinds:
            seen.add(remedy.kind)
            assert not remedy.helps, remedy.title
            assert why in remedy.reason
            assert why in remedy.code
            assert remedy.after == remedy.before
            exec(remedy.code, {})
        else:
            assert why not in remedy.reason
    assert seen == kinds
