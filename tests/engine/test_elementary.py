"""σ, tanh and max(·, 0) of the kernels, over their whole range, against many digits."""

import mpmath
import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradlab.cells import activations
from gradlab.engine.elementary import MAXIMAL_ERROR
from gradlab.engine.lanes import lanes_in, lanes_of, load, store

DTYPES = ["float64", "float32"]


@numba.njit
def _sigmoid(x, out):
    for j in range(0, x.size, lanes_in(x)):
        store(out, (j,), activations.sigmoids(load(x, (j,)))[0])


@numba.njit
def _complement(x, out):
    for j in range(0, x.size, lanes_in(x)):
        store(out, (j,), activations.sigmoids(load(x, (j,)))[1])


@numba.njit
def _tanh(x, out):
    for j in range(0, x.size, lanes_in(x)):
        store(out, (j,), activations.tanh(load(x, (j,)))[0])


@numba.njit
def _slope(x, out):
    for j in range(0, x.size, lanes_in(x)):
        store(out, (j,), activations.tanh(load(x, (j,)))[1])


@numba.njit
def _relu(x, out):
    for j in range(0, x.size, lanes_in(x)):
        store(out, (j,), activations.relu(load(x, (j,))))


@numba.njit
def _is_positive(x, out):
    for j in range(0, x.size, lanes_in(x)):
        store(out, (j,), activations.is_positive(load(x, (j,))))


KERNELS = {"sigmoid": _sigmoid, "its complement": _complement, "tanh": _tanh, "its slope": _slope}


def applied(kernel, x):
    """A kernel on every entry of a vector."""
    padded = np.zeros(-(-x.size // lanes_of(x.dtype)) * lanes_of(x.dtype), x.dtype)
    padded[: x.size] = x
    out = np.full_like(padded, np.nan)
    kernel(padded, out)
    return out[: x.size]


def many_digits(name, values):
    """σ(x), σ(-x), tanh x or sech² x with 50 digits, as mpmath numbers."""
    function = {
        "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
        "its complement": lambda x: 1 / (1 + mpmath.exp(x)),
        "tanh": mpmath.tanh,
        "its slope": lambda x: mpmath.sech(x) ** 2,
    }[name]
    with mpmath.workdps(50):
        return [function(mpmath.mpf(float(x))) for x in values]


def errors(found, exact, dtype):
    """Relative errors in units of the precision, where the exact value is a normal number."""
    tiny, eps = float(np.finfo(dtype).tiny), float(np.finfo(dtype).eps)
    with mpmath.workdps(50):
        return np.array(
            [
                float(abs(mpmath.mpf(float(f)) - e) / abs(e)) / eps
                for f, e in zip(found, exact, strict=True)
                if abs(e) >= tiny
            ]
        )


def arguments(dtype, count, seed=0):
    """Both signs over every order of magnitude, the whole range where the functions vary, and what borders on it."""
    random, limits = np.random.default_rng(seed), np.finfo(dtype)
    lowest = np.log10(float(limits.smallest_subnormal))
    spread = 10.0 ** random.uniform(lowest, 3.2, count)
    within = np.concatenate([random.uniform(0, edge, count) for edge in (0.4, 1, 5, 25, 110, 760)])
    halves = np.arange(1, 1100) * np.log(2) / 2  # where the reduced argument changes sides
    edges = [
        0,
        limits.smallest_subnormal,
        limits.tiny,
        limits.eps,
        20,
        40,
        87.3,
        88.72,
        103.9,
        104,
        709.7,
        745,
        limits.max,
    ]
    values = np.concatenate([spread, within, halves, np.array(edges, np.float64)]).astype(dtype)
    values = np.concatenate([values, np.nextafter(values, limits.max), np.nextafter(values, np.array(0, dtype))])
    return np.concatenate([values, -values])


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", KERNELS)
def test_the_stated_error_holds_over_the_whole_range_against_50_digits(name, dtype):
    x = arguments(dtype, 400)
    found = applied(KERNELS[name], x)
    worst = errors(found, many_digits(name, x), dtype)
    assert worst.max() <= MAXIMAL_ERROR[name], x[np.argmax(worst)]
    assert len(worst) > 0.55 * len(x)  # the slope of tanh is subnormal in float32 from |x| = 44 on


@pytest.mark.parametrize("name", KERNELS)
def test_the_stated_error_holds_in_float32_at_a_million_arguments(name):
    """Every 2000th float32; float64's own σ and tanh are exact beside them."""
    x = np.arange(0, 2**32, 2003, dtype=np.uint64).astype(np.uint32).view(np.float32)
    x = x[np.isfinite(x)]
    with np.errstate(over="ignore"):
        wide = x.astype(np.float64)
        exact = {
            "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
            "its complement": lambda x: 1 / (1 + np.exp(x)),
            "tanh": np.tanh,
            "its slope": lambda x: 1 / np.cosh(x) ** 2,
        }[name](wide)
    found = applied(KERNELS[name], x).astype(np.float64)
    normal = np.abs(exact) >= float(np.finfo(np.float32).tiny)
    worst = (np.abs(found - exact)[normal] / np.abs(exact)[normal]).max() / np.finfo(np.float32).eps
    assert worst <= MAXIMAL_ERROR[name]
    assert np.abs(found - exact)[~normal].max() <= np.finfo(np.float32).tiny


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_float64_has_the_stated_error(x):
    x = np.array([x])
    for name, kernel in KERNELS.items():
        assert all(errors(applied(kernel, x), many_digits(name, x), "float64") <= MAXIMAL_ERROR[name])


@pytest.mark.parametrize("dtype", DTYPES)
def test_values_at_the_ends_are_those_of_the_mathematics(dtype):
    x = np.array([np.inf, -np.inf, 0.0, -0.0, np.nan, 1e30, -1e30], dtype)
    sigmoid, tanh = applied(_sigmoid, x), applied(_tanh, x)
    assert sigmoid.tolist()[:4] == [1, 0, 0.5, 0.5]
    assert tanh.tolist()[:4] == [1, -1, 0, 0]
    assert np.isnan([sigmoid[4], tanh[4]]).all()
    assert [*sigmoid[5:], *tanh[5:]] == [1, 0, 1, -1]


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_bad_neighbour_does_not_spoil_a_lane(dtype):
    """Lanes are computed together, yet each for itself."""
    x = np.linspace(-3, 3, lanes_of(np.dtype(dtype))).astype(dtype)
    for kernel in (_sigmoid, _tanh, _relu, _is_positive):
        alone = applied(kernel, x)
        for spoiler in (np.nan, np.inf, -np.inf):
            spoilt = x.copy()
            spoilt[3] = spoiler
            assert np.array_equal(np.delete(applied(kernel, spoilt), 3), np.delete(alone, 3))


@pytest.mark.parametrize("dtype", DTYPES)
def test_values_never_leave_their_range(dtype):
    x = arguments(dtype, 2000, seed=2)
    assert np.abs(applied(_tanh, x)).max() == 1
    sigmoid = applied(_sigmoid, x)
    assert (sigmoid.min(), sigmoid.max()) == (0, 1)


@pytest.mark.parametrize("dtype", DTYPES)
def test_relu_and_its_derivative_are_torchs_also_for_what_is_not_finite(dtype):
    tiny = np.finfo(dtype).smallest_subnormal
    x = np.array([-np.inf, -1, -tiny, -0.0, 0.0, tiny, 1, np.inf, np.nan], dtype)
    assert np.array_equal(applied(_relu, x), np.array([0, 0, 0, 0, 0, tiny, 1, np.inf, np.nan], dtype), equal_nan=True)
    slope = applied(_is_positive, x)
    assert slope[1:7].tolist() == [0, 0, 0, 0, 1, 1]
    assert np.isnan(slope[8])
    assert np.isnan(slope[7])  # a unit that overflowed has no slope to speak of
