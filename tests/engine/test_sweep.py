"""The compiled sweep against autograd and torch's own modules; and what must not change its result."""

import importlib
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from gradlab.analyses.arguments import sparse
from gradlab.analyses.traces import trace
from gradlab.cells import CELLS
from gradlab.cells.states import HiddenAndCell
from gradlab.engine import NEVER, Cotangents, Sweep, autograd, plan, sweep, times_power
from gradlab.engine.reference import unroll
from gradlab.engine.scaling import NOTHING
from gradlab.network.stack import Layer, Stack
from gradlab.settings.experiment import Experiment
from tests.networks import drawn_case, drawn_stack, log10_norms, relative_error, totals_of

PLAN = importlib.import_module("gradlab.engine.plan")  # the package's own `plan` is the function
SLICES = importlib.import_module("gradlab.engine.slices")
ALLOWED = 1e-10
SHAPES = [(1, 1), (3, 3), (8, 5), (11, 9), (17, 3), (33, 5)]  # (H, B): one side and the other of whole vectors
MAIN = ("rnn", "lstm", "gru")  # the others' kernels are compiled in float32 by slow tests alone
IN_FLOAT32 = [cell if cell in MAIN else pytest.param(cell, marks=pytest.mark.slow) for cell in CELLS]
TORCH = {
    "rnn": nn.RNN,
    "rnn_relu": lambda *a, **k: nn.RNN(*a, nonlinearity="relu", **k),
    "lstm": nn.LSTM,
    "gru": nn.GRU,
}


def run(case, **wanted):
    return sweep(case.stack, case.inputs, sparse(case.cotangents), case.initial_state, **wanted)


def exact(case):
    return autograd(case.stack, case.inputs, case.cotangents, case.initial_state)


def same_norms(found, expected):
    """Whether log10 norms agree to 1e-10 relative, with -inf in the same places."""
    zero = np.isneginf(expected)
    return np.array_equal(zero, np.isneginf(found)) and np.allclose(
        found[~zero], expected[~zero], rtol=0, atol=ALLOWED / np.log(10)
    )


@pytest.fixture
def short_chunks(monkeypatch):
    """Makes every sweep work in chunks of a few steps and keep the forward values of the last one alone."""

    def shorten(case, chunk):
        cell, L = case.stack.cell, case.stack.depth
        T, B, X = case.inputs.shape
        size = PLAN.Size(cell, L, case.stack.hidden_size, X, T, B, B, case.stack.dtype.name)
        monkeypatch.setattr(PLAN, "STORE_BYTES", 0)
        monkeypatch.setattr(PLAN, "CHUNK_WORK", 10**15)
        a_step = plan(size._replace(steps=1)).multiply_adds
        monkeypatch.setattr(PLAN, "CHUNK_WORK", chunk * a_step)
        cut = plan(size)
        assert cut.stored == 1
        assert abs(cut.chunk - min(chunk, T)) <= chunk / 2, "chunks are of one length"

    return shorten


@pytest.mark.parametrize("depth", [1, 2, *(pytest.param(depth, marks=pytest.mark.slow) for depth in (3, 4))])
@pytest.mark.parametrize("cell", CELLS)
def test_every_state_gradient_of_every_layer_and_step_is_autograds(cell, depth):
    for number, (H, B) in enumerate(SHAPES):
        T, X = (2, 9, 24, 31, 18, 40)[number], (1, 5, 3, 8, 2, 4)[number]
        case = drawn_case(cell, depth, H, X, T, B, seed=100 * depth + number, initial=bool(number % 2))
        swept, expected = run(case, keep=("totals",)), exact(case)
        for kind, state in enumerate(CELLS[cell].states):
            error = relative_error(totals_of(swept)[..., kind, :], expected[..., kind, :])
            assert error < ALLOWED, (state, H, B)
        assert same_norms(swept.log10_norms, log10_norms(expected))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.sampled_from(list(CELLS)), st.integers(1, 3), st.integers(1, 40), st.integers(1, 20), st.integers(2, 30),
    st.integers(1, 10), st.integers(0, 2**20), st.just(0) | st.floats(0.01, 1.5), st.booleans(), st.integers(0, 6),
)  # fmt: skip
def test_any_shape_gain_and_placement_of_losses_gives_autograds_gradients(
    cell, depth, H, X, T, B, seed, gain, initial, losses
):
    case = drawn_case(cell, depth, H, X, T, B, seed, gain=gain, initial=initial, losses=losses)
    swept, expected = run(case, keep=("totals",)), exact(case)
    assert relative_error(totals_of(swept), expected) < ALLOWED
    assert same_norms(swept.log10_norms, log10_norms(expected))


@pytest.mark.parametrize("chunk", [3, *(pytest.param(chunk, marks=pytest.mark.slow) for chunk in (1, 7))])
@pytest.mark.parametrize("cell", CELLS)
def test_chunks_that_are_computed_again_on_the_way_back_change_nothing(cell, chunk, short_chunks):
    case = drawn_case(cell, depth=3, H=11, X=5, T=23, B=5, seed=chunk)
    short_chunks(case, chunk)
    swept = run(case, keep=("totals", "a_x_bar", "a_h_bar"))
    assert relative_error(totals_of(swept), exact(case)) < ALLOWED
    assert same_norms(run(case).log10_norms, log10_norms(exact(case)))  # also where nothing but norms is kept


@pytest.mark.parametrize("cell", CELLS)
def test_slices_of_the_batch_in_threads_change_nothing(cell, monkeypatch):
    case = drawn_case(cell, depth=2, H=9, X=3, T=20, B=7, seed=3)
    whole = run(case)
    monkeypatch.setattr(SLICES, "SLICE_WORK", 1)
    monkeypatch.setenv("GRADLAB_THREADS", "3")
    assert len(SLICES.slices_of(100, 7)) == 3
    swept = run(case, keep=("totals",))
    assert relative_error(totals_of(swept), exact(case)) < ALLOWED
    assert same_norms(swept.log10_norms, whole.log10_norms)
    assert np.allclose(swept.last_states, whole.last_states, rtol=0, atol=1e-14)
    assert np.array_equal(swept.non_finite, whole.non_finite)


def test_a_sweep_without_any_loss_has_no_gradient_also_in_slices(monkeypatch):
    case = drawn_case("lstm", depth=2, H=9, T=6, B=4)
    nothing = sparse(np.zeros_like(case.cotangents))
    for slice_work in (SLICES.SLICE_WORK, 1):
        monkeypatch.setattr(SLICES, "SLICE_WORK", slice_work)
        swept = sweep(case.stack, case.inputs, nothing, case.initial_state)
        assert np.isneginf(swept.log10_norms).all()
        assert np.isfinite(swept.last_states).all()


@pytest.mark.parametrize("depth", [1, 4])
@pytest.mark.parametrize("cell", TORCH)
def test_the_forward_pass_is_that_of_torchs_own_module(cell, depth):
    torch.manual_seed(depth)
    H, X, T, B = 13, 6, 30, 3
    module = TORCH[cell](X, H, num_layers=depth).double()
    inputs = torch.randn(T, B, X, dtype=torch.float64)
    state = [torch.randn(depth, B, H, dtype=torch.float64) for _ in CELLS[cell].states]
    with torch.no_grad():
        outputs, last = module(inputs, tuple(state) if len(state) > 1 else state[0])
    run = Sweep(Stack.from_torch(module), inputs.numpy(), tuple(value.numpy() for value in state))
    run.forward()
    states, _ = run.values()
    assert np.abs(states[-1, :, :, 0] - outputs.numpy()).max() < 1e-12
    for kind, value in enumerate(last if isinstance(last, tuple) else (last,)):
        assert np.abs(run.last_states[:, :, kind] - value.numpy()).max() < 1e-12
        assert np.abs(states[:, -1, :, kind] - value.numpy()).max() < 1e-12


@pytest.mark.parametrize("cell", CELLS)
def test_several_cotangents_over_one_forward_pass_give_what_each_gives_alone(cell):
    case = drawn_case(cell, depth=2, H=9, T=15, B=3, seed=5)
    others = [drawn_case(cell, depth=2, H=9, T=15, B=3, seed=seed, losses=seed).cotangents for seed in (6, 7, 8)]
    together = sweep(
        case.stack, case.inputs, sparse(np.concatenate(others, axis=1)), case.initial_state, keep=("totals",)
    )
    for number, cotangents in enumerate(others):
        expected = exact(case._replace(cotangents=cotangents))
        own = slice(3 * number, 3 * number + 3)
        assert relative_error(totals_of(together)[:, :, own], expected) < ALLOWED
        assert same_norms(together.log10_norms[:, :, own], log10_norms(expected))


@pytest.mark.parametrize("cell", CELLS)
def test_sequences_and_layers_of_very_different_gradients_do_not_disturb_each_other(cell):
    """Cotangents of 1e-300, 1 and 1e+300 in one batch: each sequence's norms are those of 1, moved by 300 decades."""
    case = drawn_case(cell, depth=2, H=9, T=20, B=3, seed=1)
    alone = [run(case._replace(cotangents=case.cotangents * np.eye(3)[b][:, None])) for b in range(3)]
    scaled = run(case._replace(cotangents=case.cotangents * np.array([1e-300, 1, 1e300])[:, None]))
    for b, decades in enumerate((-300, 0, 300)):
        found, expected = scaled.log10_norms[:, :, b], alone[b].log10_norms[:, :, b] + decades
        assert np.array_equal(np.isneginf(found), np.isneginf(expected))
        shown = np.isfinite(expected)
        assert np.abs(found[shown] - expected[shown]).max() < 1e-12 * 300


@pytest.mark.parametrize(
    ("cell", "dtype"),
    [
        pytest.param(cell, dtype, marks=[pytest.mark.slow] if dtype == "float32" and cell not in MAIN else [])
        for dtype in ("float64", "float32")
        for cell in CELLS
    ],
)
def test_weights_of_any_magnitude_give_finite_norms_or_say_where_they_do_not(cell, dtype):
    """Zeros, subnormals, the smallest and the largest numbers as weights: autograd in float64 agrees where it can."""
    limits = np.finfo(dtype)
    random = np.random.default_rng(2)
    for magnitude in (0, limits.smallest_subnormal, limits.tiny, limits.eps, 1e-3, 1e5, np.sqrt(limits.max)):
        case = drawn_case(cell, depth=2, H=5, T=6, B=2, seed=2, dtype=dtype)
        layers = [
            Layer(layer.W, (magnitude * random.standard_normal(layer.U.shape)).astype(dtype), layer.b_W, layer.b_U)
            for layer in case.stack.layers
        ]
        case = case._replace(stack=Stack(cell, tuple(layers)))
        swept = run(case)
        if (swept.non_finite != NEVER).any():
            assert magnitude > 1e5  # linear units overflow float64 after 3 steps of 1e154
            continue
        assert not np.isnan(swept.log10_norms).any()
        if magnitude > 1e-3:
            continue  # saturated or exploding: rounding alone decides the digits
        with np.errstate(all="ignore"):
            expected = log10_norms(exact(case))
        shown = (expected > np.log10(limits.tiny)) & np.isfinite(swept.log10_norms)
        assert np.abs(swept.log10_norms[shown] - expected[shown]).max() < (1e-10 if dtype == "float64" else 1e-4)
        lost = np.isneginf(swept.log10_norms) & (expected > np.log10(limits.smallest_subnormal) + 30)
        assert not lost.any(), magnitude


@pytest.mark.parametrize("cell", CELLS)
def test_one_overflowing_sequence_is_reported_as_torch_sees_it_and_leaves_the_others_bits_alone(cell):
    case = drawn_case(cell, depth=2, H=9, T=12, B=4, seed=4)
    huge = case.inputs.copy()
    huge[5, 2] = 1e308
    layers = [layer._replace(W=np.full_like(layer.W, 4)) for layer in case.stack.layers]
    case = case._replace(stack=Stack(cell, tuple(layers)))
    calm, wild = run(case), run(case._replace(inputs=huge))
    others = [0, 1, 3]
    assert np.isfinite(calm.log10_norms).any()
    assert np.array_equal(wild.log10_norms[:, :, others], calm.log10_norms[:, :, others], equal_nan=True)
    first = np.full((2, 4), NEVER)
    for t, states in enumerate(unroll(case.stack, huge, case.initial_state)):
        for layer, state in enumerate(states):
            finite = torch.stack(state).isfinite().all(dim=2).all(dim=0).numpy()
            first[layer] = np.where(~finite & (first[layer] == NEVER), t, first[layer])
    assert np.array_equal(wild.non_finite, first)
    assert (first[:, 2] == 5).all() == (
        cell in ("rnn_relu", "rnn_linear", "min_gru", "min_lstm")
    )  # the others saturate


@pytest.mark.parametrize("cell", ["rnn_relu", "rnn_linear"])
@pytest.mark.parametrize("chunk", [None, 4])
def test_the_first_non_finite_step_of_each_layer_and_sequence_is_found_whatever_the_chunks(cell, chunk, short_chunks):
    H, T, B = 8, 40, 3
    eye, zero = np.eye(H), np.zeros(H)
    growth = 2.0**80
    layers = (Layer(eye, growth * eye, zero, zero), Layer(eye, growth * eye, zero, zero))
    inputs = np.zeros((T, B, H))
    starts = (0, 7, 20)
    for b, start in enumerate(starts):
        inputs[start, b] = 1.0
    case = drawn_case(cell, 2, H, H, T, B)._replace(stack=Stack(cell, layers), inputs=inputs, initial_state=())
    if chunk:
        short_chunks(case, chunk)
    swept = run(case)
    below, above = np.ones(B), np.ones(B)
    first = np.full((2, B), NEVER)
    for t in range(1, T):  # numpy's own loop, counted from each sequence's impulse
        with np.errstate(over="ignore"):
            below = below * growth
            above = above * growth + below
        for layer, value in enumerate((below, above)):
            first[layer] = np.where(~np.isfinite(value) & (first[layer] == NEVER), t, first[layer])
    expected = first + np.array(starts)
    assert np.array_equal(swept.non_finite, np.where(expected < T, expected, NEVER))


def test_progress_rises_to_the_end_and_what_it_raises_stops_the_work(monkeypatch, short_chunks):
    class Stop(BaseException):
        """As Streamlit's own: no Exception."""

    case = drawn_case("gru", depth=2, H=9, T=1000, B=4)
    short_chunks(case, 2)
    for slice_work in (SLICES.SLICE_WORK, 1):
        monkeypatch.setattr(SLICES, "SLICE_WORK", slice_work)
        monkeypatch.setattr(SLICES, "POLL_SECONDS", 0.0001)
        heard = []
        run(case, progress=heard.append)
        assert heard == sorted(heard)
        assert all(0 <= fraction <= 1 for fraction in heard)
        assert slice_work == 1 or (len(heard) > 30 and heard[-1] == 1)

        def stop(fraction):
            raise Stop(fraction)

        with pytest.raises(Stop) as stopped:
            run(case, progress=stop)
        assert stopped.value.args[0] < 0.5
    assert np.isfinite(run(case).last_states).all()  # the pool still works


def test_what_progress_raises_stops_every_thread():
    began, ended, given_up = set(), [threading.Event() for _ in range(3)], threading.Event()

    def run(number, done):
        began.add(number)
        try:
            while not given_up.wait(0.001):
                done(0.5)
        finally:
            ended[number].set()

    def stop(fraction):
        raise KeyboardInterrupt

    try:
        with pytest.raises(KeyboardInterrupt):
            SLICES.in_threads(run, 3, stop)
        assert began, "on a machine with few cores the last ones never begin"
        assert all(ended[number].wait(10) for number in began)
    finally:
        given_up.set()
    assert SLICES.in_threads(lambda number, done: number, 3) == [0, 1, 2], "the pool still works"


def test_threads_that_trace_different_things_at_once_get_the_bits_of_a_serial_run(monkeypatch):
    monkeypatch.setattr(SLICES, "SLICE_WORK", 10**5)  # each trace also uses the shared pool
    experiments = [
        Experiment(cell=cell, depth=depth, hidden_size=H, steps=120, batch_size=5, loss=loss, dtype=dtype, seed=depth)
        for cell, depth, H, loss, dtype in [
            ("lstm", 1, 17, "last", "float64"), ("lstm", 2, 17, "every", "float32"), ("gru", 3, 9, "step", "float64"),
            ("gru", 1, 33, "half_square", "float32"), ("rnn", 2, 24, "every", "float64"),
            ("rnn", 1, 16, "last", "float32"), ("rnn_relu", 2, 8, "last", "float64"),
            ("rnn_linear", 1, 40, "half_square", "float64"),
        ]
    ]  # fmt: skip
    serial = [trace(e).log10_norms for e in experiments]
    together = threading.Barrier(len(experiments))

    def run(e):
        together.wait()
        return [trace(e).log10_norms for _ in range(3)]

    with ThreadPoolExecutor(len(experiments)) as pool:
        for expected, found in zip(serial, pool.map(run, experiments), strict=True):
            assert all(np.array_equal(expected, again, equal_nan=True) for again in found)


@pytest.mark.parametrize("cell", IN_FLOAT32)
def test_float32_stays_within_a_thousandth_of_a_decade_of_float64_over_1000_steps(cell):
    e = Experiment(cell=cell, depth=2, hidden_size=32, steps=1000, batch_size=2)
    double, single = (trace(e.replace(dtype=dtype)) for dtype in ("float64", "float32"))
    # the LSTM of 1997 never forgets: its c grows until float32 rounds tanh c to 1, and digits of its slope are lost
    allowed = 0.2 if cell == "lstm_1997" else 1e-3
    assert np.abs(single.log10_norms - double.log10_norms).max() < allowed


@pytest.mark.parametrize("cell", CELLS)
def test_parameter_input_and_initial_state_gradients_are_autograds(cell):
    case = drawn_case(cell, depth=3, H=11, X=5, T=18, B=5, seed=9)
    swept = run(case, with_parameters=True, with_inputs=True)
    layers = [[torch.tensor(array, requires_grad=True) for array in layer] for layer in case.stack.layers]
    inputs = torch.tensor(case.inputs, requires_grad=True)
    start = [torch.tensor(value, requires_grad=True) for value in case.initial_state]
    h = states_by_torch(cell, layers, inputs, start)
    (torch.from_numpy(case.cotangents) * h).sum().backward()
    for found, exact in zip(swept.parameters_bar, layers, strict=True):
        for array, leaf in zip(found, exact, strict=True):
            right = np.zeros_like(array) if leaf.grad is None else leaf.grad.numpy()  # some cells leave U unread
            assert np.linalg.norm(array - right) <= ALLOWED * np.linalg.norm(right)
    assert relative_error(swept.inputs_bar, inputs.grad.numpy()) < ALLOWED
    for kind, leaf in enumerate(start):
        found = swept.initial_bar[:, :, kind]
        assert np.linalg.norm(found - leaf.grad.numpy()) < ALLOWED * np.linalg.norm(leaf.grad.numpy())


@pytest.mark.parametrize("gain", [0.2, 4.0])
def test_parameter_gradients_gathered_over_chunks_of_very_different_size_are_autograds(gain, short_chunks):
    """Going back over 90 steps the adjoint shrinks or grows by some 40 decades, chunk by chunk."""
    case = drawn_case("rnn_linear", depth=2, H=9, X=3, T=90, B=3, seed=2, gain=gain, initial=False)
    short_chunks(case, 7)
    swept = run(case, with_parameters=True)
    layers = [[torch.tensor(array, requires_grad=True) for array in layer] for layer in case.stack.layers]
    start = [torch.zeros(2, 3, 9, dtype=torch.float64)]
    h = states_by_torch("rnn_linear", layers, torch.tensor(case.inputs), start)
    (torch.from_numpy(case.cotangents) * h).sum().backward()
    for found, exact in zip(swept.parameters_bar, layers, strict=True):
        for array, leaf in zip(found, exact, strict=True):
            assert np.linalg.norm(array - leaf.grad.numpy()) < ALLOWED * np.linalg.norm(leaf.grad.numpy())


def states_by_torch(cell, layers, inputs, start):
    """The top layer's h at every step [T, B, H] by the cell's own step on torch tensors."""
    record, H = CELLS[cell].record, layers[0][1].shape[1]
    outputs = inputs
    for number, (W, U, b_W, b_U) in enumerate(layers):
        state, steps = record(*(value[number] for value in start)), []
        for x in outputs:
            a_x, a_h = x @ W.T + b_W, state.h @ U.T + b_U
            state, _ = CELLS[cell].step(a_x.split(H, dim=1), a_h.split(H, dim=1), state)
            steps.append(state.h)
        outputs = torch.stack(steps)
    return outputs


def test_cotangents_of_final_states_are_taken_as_independent_of_each_other():
    """Rows of the Jacobian ∂s_T/∂(initial states) of an LSTM, both states, against autograd's own Jacobian."""
    H, T = 4, 6
    random = np.random.default_rng(3)
    stack = drawn_stack("lstm", 1, H, 3, random)
    inputs = random.standard_normal((T, 1, 3))
    rows = 2 * H
    final = np.eye(rows).reshape(1, rows, 2, H)
    nothing = Cotangents(np.array([], int), np.array([], int), np.empty((0, H)), rows, final)
    swept = sweep(stack, inputs, nothing, independent=True)
    W, U, b_W, b_U = map(torch.from_numpy, stack.layers[0])

    def last(start):
        state = HiddenAndCell(start[None, :H], start[None, H:])
        for x in torch.from_numpy(inputs):
            a_x, a_h = x @ W.T + b_W, state.h @ U.T + b_U
            state, _ = CELLS["lstm"].step(a_x.split(H, dim=1), a_h.split(H, dim=1), state)
        return torch.cat(state, dim=1)[0]

    jacobian = torch.autograd.functional.jacobian(last, torch.zeros(rows, dtype=torch.float64)).numpy()
    assert np.abs(swept.initial_bar[0].reshape(rows, rows) - jacobian).max() < 1e-14


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_numbers_times_any_power_of_two_are_exact_or_zero_or_infinite_and_never_nan(dtype):
    limits = np.finfo(dtype)
    values = np.array([[0.0, 1.5, -(2.0**20), 2.0**-20]] * 9, dtype)
    exponents = np.array([NOTHING, -5000, limits.minexp - 60, -7, 0, 7, limits.maxexp - 30, 3000, 2**40])
    found = times_power(values, exponents)
    with np.errstate(over="ignore", under="ignore"):
        exact = np.ldexp(values, exponents.clip(-9000, 9000)[:, None])
    assert np.array_equal(found, exact)
    assert np.array_equal(found[[1, -1]], np.where(values[:2] == 0, 0, [[0], [np.inf]]) * np.sign(values[:2]))


def test_parameter_gradients_beyond_any_number_are_infinite_and_unread_weights_keep_a_gradient_of_zero():
    case = drawn_case("rnn_linear", H=5, T=60, initial=False)
    layer = case.stack.layers[0]
    case.inputs[:] = 0
    stack = Stack("rnn_linear", (layer._replace(U=2.0**200 * np.eye(5), b_W=0 * layer.b_W, b_U=0 * layer.b_U),))
    swept = run(case._replace(stack=stack), with_parameters=True)
    assert np.isinf(swept.parameters_bar[0].b_W).all()
    assert (swept.parameters_bar[0].W == 0).all()
    assert (swept.parameters_bar[0].U == 0).all()


def with_final(case, final, scale=1.0):
    """The sweep of a case whose cotangents, scaled, arrive besides at the last states."""
    run = Sweep(case.stack, case.inputs, case.initial_state)
    run.forward()
    loss = sparse(scale * case.cotangents)
    return run.adjoint(loss._replace(final=final), keep=("totals",))


@pytest.mark.parametrize("size", [1.0, 1e-280, 1e300])
@pytest.mark.parametrize("sign", [1, -1])
def test_what_arrives_at_the_last_states_may_have_any_size_and_sign(size, sign):
    case = drawn_case("lstm", depth=2, T=12, B=3, gain=3.0)
    final = sign * np.abs(np.random.default_rng(0).standard_normal((2, 3, 2, case.stack.hidden_size)))
    norms = []
    for factor in (1.0, size):
        arriving = factor * final
        arriving[..., 0] = 1e-300  # the only positive entry says nothing about the size of the others
        norms.append(with_final(case, arriving, 0.0).log10_norms)
    usual, other = norms
    assert other == pytest.approx(usual + np.log10(size), abs=1e-11)


def test_nothing_at_the_last_states_hides_no_cotangent_however_small():
    case = drawn_case("gru", depth=1, T=12, B=3)
    final = np.zeros((1, 3, 1, case.stack.hidden_size))
    one = np.zeros_like(case.cotangents)
    one[-1, :, 0] = 1
    case = case._replace(cotangents=one)
    usual, small = (with_final(case, final, scale).log10_norms for scale in (1.0, 2.0**-1060))
    assert small == pytest.approx(usual - 1060 * np.log10(2), abs=1e-11)


def test_a_norm_next_to_the_largest_number_is_a_number():
    one, none = np.ones((1, 1)), np.zeros(1)
    stack = Stack("rnn_linear", (Layer(one, 3 * one, none, none),))
    cotangents = np.zeros((3, 1, 1))
    cotangents[-1] = 1.5e308
    found = trace(stack, np.zeros((3, 1, 1)), cotangents).log10_norm("h")[0, :, 0]
    assert found == pytest.approx(np.log10(1.5) + 308 + np.log10(3) * np.array([2, 1, 0]), abs=1e-12)


def test_a_parameters_gradient_follows_the_largest_adjoint_from_chunk_to_chunk(short_chunks):
    """Where the base followed late, 2^50 times an input of 1e300 would leave the range that the gradient is within."""
    T, none = 51, np.zeros(1)
    stack = Stack("rnn_linear", (Layer(np.full((1, 1), 1e-300), np.full((1, 1), 2.0), none, none),))
    inputs = np.zeros((T, 1, 1))
    inputs[0] = 1e300
    short_chunks(SimpleNamespace(stack=stack, inputs=inputs), 5)
    run = Sweep(stack, inputs)
    run.forward()
    cotangents = np.zeros((T, 1, 1))
    cotangents[-1] = 2.0**-200
    found = run.adjoint(sparse(cotangents), with_parameters=True).parameters_bar[0]
    assert found.W.item() == pytest.approx(1e300 * 2.0**-150, rel=1e-12)
