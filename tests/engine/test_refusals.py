"""Whatever does not fit is refused before the kernels, by name, shape, dtype or first offending index."""

import numpy as np
import pytest

from gradlab.engine import Cotangents, Sweep, sweep
from gradlab.network.stack import Layer, Stack
from tests.networks import drawn_case

T, B, H, X = 6, 4, 5, 3


@pytest.fixture(params=[1, 2], ids=["one slice", "two slices"])
def case(request, monkeypatch):
    import importlib

    slices = importlib.import_module("gradlab.engine.slices")
    halves = [slice(0, B)] if request.param == 1 else [slice(0, B // 2), slice(B // 2, B)]
    monkeypatch.setattr(slices, "slices_of", lambda work, sequences: halves)
    return drawn_case("lstm", depth=2, H=H, X=X, T=T, B=B)


def entries(steps=(1, 4), at=(3, 0), values=None, rows=B, final=None):
    values = np.ones((len(steps), H)) if values is None else values
    return Cotangents(np.array(steps), np.array(at), values, rows, final)


def bad(array, *index, value=np.nan):
    changed = array.copy()
    changed[index] = value
    return changed


def wrong_calls(case):
    """(what the message says, the sweep's arguments)"""
    x, start = case.inputs, case.initial_state
    values = np.ones((2, H))
    yield r"inputs has shape \(6, 4\): \[T, B, X\] = \(any, any, 3\)", (x[..., 0], entries(), start)
    yield r"inputs has shape \(6, 4, 2\)", (x[..., :2], entries(), start)
    yield r"inputs has shape \(0, 4, 3\): at least one step", (x[:0], entries(), start)
    yield "inputs has dtype float32: the stack's, float64", (x.astype("float32"), entries(), start)
    yield r"inputs is nan at \[5, 3, 2\]", (bad(x, 5, 3, 2), entries(), start)
    yield r"inputs is -inf at \[0, 2, 1\]", (bad(x, 0, 2, 1, value=-np.inf), entries(), start)
    yield "inputs is a list", (x.tolist(), entries(), start)
    yield "initial_state has 1 parts: 2 are needed, h, c", (x, entries(), start[:1])
    yield (
        r"initial_state c has shape \(2, 4, 4\): \[L, B, H\] = \(2, 4, 5\)",
        (x, entries(), (start[0], start[1][..., :4])),
    )
    yield "initial_state h has dtype float32", (x, entries(), (start[0].astype("float32"), start[1]))
    yield "rows = 6: a multiple of the 4", (x, entries(rows=6), start)
    yield "rows = 0", (x, entries(rows=0), start)
    yield r"cotangents.values has shape \(2, 4\): \[m, H\] = \(any, 5\)", (x, entries(values=values[:, :4]), start)
    yield "cotangents.values has dtype float32", (x, entries(values=values.astype("float32")), start)
    yield r"cotangents.steps has shape \(3,\)", (x, entries(steps=(1, 2, 3), values=values), start)
    yield "cotangents.at has shape .* dtype float64: whole numbers", (x, entries(at=(0.0, 1.0)), start)
    yield r"cotangents.steps is 6 at \[1\]: use 0 to 5", (x, entries(steps=(1, 6)), start)
    yield r"cotangents.steps is -1 at \[0\]", (x, entries(steps=(-1, 2)), start)
    yield r"cotangents.at is 4 at \[0\]: use 0 to 3", (x, entries(at=(4, 0)), start)
    yield r"cotangents.steps is 1 at \[1\] after 4: steps must not fall", (x, entries(steps=(4, 1)), start)
    yield r"step 4, row 0 twice, again at \[1\]", (x, entries(steps=(4, 4), at=(0, 0)), start)
    yield r"cotangents.final has shape \(2, 4, 5\)", (x, entries(final=np.ones((2, B, H))), start)


def test_arrays_that_do_not_fit_are_refused_by_name(case):
    for message, (inputs, cotangents, start) in wrong_calls(case):
        with pytest.raises(ValueError, match=message):
            sweep(case.stack, inputs, cotangents, start)
    assert np.isfinite(sweep(case.stack, case.inputs, entries(), case.initial_state).last_states).all()


def test_cotangents_that_are_not_finite_are_refused(case):
    wrong = bad(np.ones((2, H)), 1, 2, value=np.inf)
    with pytest.raises(ValueError, match=r"cotangents.values is inf at \["):
        sweep(case.stack, case.inputs, entries(values=wrong))
    final = np.ones((2, B, 2, H))
    with pytest.raises(ValueError, match=r"cotangents.final is nan at \["):
        sweep(case.stack, case.inputs, entries(final=bad(final, 1, 3, 0, 0)))


def test_a_cotangent_of_a_sequence_that_overflowed_may_be_what_it_is_and_gives_nan_there_alone():
    growth = Stack("rnn_relu", (Layer(np.ones((H, X)), 1e200 * np.eye(H), np.zeros(H), np.zeros(H)),))
    inputs = np.zeros((T, 2, X))
    inputs[0, 1] = 1
    last = np.full((2, H), np.nan)
    last[0] = 1
    for start in ((), (np.zeros((1, 2, H)),), (np.array([[[0.0] * H, [np.inf] * H]]),)):
        swept = sweep(growth, inputs, Cotangents(np.full(2, T - 1), np.arange(2), last, 2), start)
        assert np.isnan(swept.log10_norms[0, :, 1, 0]).all()
        assert not np.isnan(swept.log10_norms[0, :, 0, 0]).any()


def test_options_an_adjoint_does_not_have_are_refused():
    case = drawn_case("gru", depth=1, H=H, X=X, T=T, B=B)
    run = Sweep(case.stack, case.inputs)
    run.forward()
    with pytest.raises(ValueError, match="keep = 'total' is not kept"):
        run.adjoint(entries(), keep=("total",))
    with pytest.raises(ValueError, match="one cotangent a sequence: rows = 8 of 4 sequences"):
        run.adjoint(entries(rows=2 * B), with_parameters=True)
    with pytest.raises(ValueError, match=r"routes has shape .*: none, or 13 factors"):
        run.adjoint(entries(), routes=np.ones(5))


def test_indices_of_any_whole_type_and_values_in_any_order_of_memory_are_the_same_cotangents():
    case = drawn_case("lstm", depth=2, H=H, X=X, T=T, B=B)
    values = np.random.default_rng(0).standard_normal((2, H))
    expected = sweep(case.stack, case.inputs, entries(values=values)).log10_norms
    small = Cotangents(np.array([1, 4], np.uint8), np.array([3, 0], np.int32), np.asfortranarray(values), B)
    assert np.array_equal(sweep(case.stack, case.inputs, small).log10_norms, expected)
