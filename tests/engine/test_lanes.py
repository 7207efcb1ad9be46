"""`Lanes`, the vector of units that kernels compute with, beside numpy on every lane."""

import numba
import numpy as np
import pytest
from numba.core.errors import TypingError

from gradlab.cells import CELLS
from gradlab.engine.lanes import (
    broadcast,
    lane_sum,
    lanes_in,
    lanes_of,
    larger_magnitude,
    largest_lane,
    load,
    load_pre_activations,
    load_saved,
    load_states,
    polynomial,
    power_of_two,
    store,
    store_rows,
    where_greater,
)

DTYPES = [np.dtype("float64"), np.dtype("float32")]
COEFFICIENTS = [0.5, -1.25, 3.0, 0.125]
_polynomial = polynomial(COEFFICIENTS)


@numba.njit
def _arithmetic(a, b, out):
    x, y = load(a, (0,)), load(b, (0,))
    sums = (x + y, x - y, 1 - x, x - 1, 1 + x, -x, larger_magnitude(x, y))
    products = (x * y, x / y, 2 * x, x * 2, 3.0 / x, x / 4)
    for row, result in enumerate(sums + products):
        store(out, (row, 0), result)


@numba.njit
def _select(a, b, out):
    x, y = load(a, (0,)), load(b, (0,))
    store(out, (0, 0), where_greater(x, y, x, y))
    store(out, (1, 0), where_greater(x, 0.0, 1.0, y))
    store(out, (2, 0), where_greater(x, 0.5, y, -2.0))


@numba.njit
def _power(n, out):
    for j in range(0, n.size, lanes_in(n)):
        store(out, (j,), power_of_two(load(n, (j,))))


@numba.njit
def _reduce(a):
    x = load(a, (0,))
    return lane_sum(x), largest_lane(x)


@numba.njit
def _evaluate(a, out):
    store(out, (0,), _polynomial(load(a, (0,))))


@numba.njit
def _spread(out, value):
    store(out, (0,), broadcast(out, value))


@numba.njit
def _rows_of(cell, array, t, b, out):
    """Loads gates, saved values and states of [t, b], and writes them to three places of `out`."""
    for j in range(0, array.shape[3], lanes_in(array)):
        store_rows(out, (t, b, j), load_pre_activations(cell, array, (t, b, j)))
        store_rows(out, (0, 0, j), load_saved(cell, array, (t, b, j)))
        store_rows(out, (1, 0, j), load_states(cell, array, (t, b, j)))


def drawn(dtype, seed=0, low=0.5):
    """One `Lanes` of values with magnitudes in [low, 3]."""
    random = np.random.default_rng(seed)
    count = lanes_of(dtype)
    return (random.uniform(low, 3, count) * random.choice([-1, 1], count)).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_arithmetic_is_numpys_on_every_lane_with_numbers_on_either_side(dtype):
    x, y = drawn(dtype), drawn(dtype, 1)
    out = np.full((13, len(x)), np.nan, dtype)
    _arithmetic(x, y, out)
    expected = [
        x + y,
        x - y,
        1 - x,
        x - 1,
        1 + x,
        -x,
        np.maximum(abs(x), abs(y)),
        x * y,
        x / y,
        2 * x,
        x * 2,
        3 / x,
        x / 4,
    ]
    for number, (found, exact) in enumerate(zip(out, expected, strict=True)):
        assert np.array_equal(found, exact.astype(dtype)), number


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_lane_is_chosen_where_it_is_greater_and_not_where_it_is_equal_or_nan(dtype):
    x, y = drawn(dtype), drawn(dtype, 1)
    x[1], x[2], y[2], x[4] = np.nan, 0.0, 0.0, 0.5
    out = np.empty((3, len(x)), dtype)
    _select(x, y, out)
    assert np.array_equal(out[0], np.where(x > y, x, y))
    assert np.array_equal(out[1], np.where(x > 0, 1, y))
    assert np.array_equal(out[2], np.where(x > 0.5, y, -2))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_power_of_two_among_the_normal_numbers_is_exact(dtype):
    limits = np.finfo(dtype)
    n = np.arange(limits.minexp, limits.maxexp)
    whole = np.zeros(-(-len(n) // lanes_of(dtype)) * lanes_of(dtype), dtype)
    whole[: len(n)] = n
    out = np.empty_like(whole)
    _power(whole, out)
    assert np.array_equal(out[: len(n)], np.ldexp(dtype.type(1), n))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_sums_and_largest_lanes_see_every_lane(dtype):
    for lane in range(lanes_of(dtype)):
        x = np.zeros(lanes_of(dtype), dtype)
        x[lane] = 3
        assert _reduce(x) == (3, 3)
        x[lane] = np.nan
        assert np.isnan(_reduce(x)).all()
    x = drawn(dtype)
    total, largest = _reduce(np.abs(x))
    assert abs(total - np.abs(x).astype(float).sum()) < 10 * np.finfo(dtype).eps * total
    assert largest == np.abs(x).max()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_the_larger_magnitude_orders_subnormals_infinities_and_nan(dtype):
    tiny, most = np.finfo(dtype).smallest_subnormal, np.finfo(dtype).max
    pairs = [(0, -0.0), (-tiny, 0), (tiny, -2 * tiny), (most, -np.inf), (-np.inf, 1), (np.nan, 1), (1, np.nan)]
    pairs += [(np.nan, np.inf), (-np.inf, -np.nan)]
    x, y = (np.resize(np.array(values, dtype), 2 * lanes_of(dtype)) for values in zip(*pairs, strict=True))
    for start in (0, lanes_of(dtype)):
        part = slice(start, start + lanes_of(dtype))
        out = np.empty((13, lanes_of(dtype)), dtype)
        _arithmetic(x[part], y[part], out)
        assert np.array_equal(out[6], np.maximum(np.abs(x[part]), np.abs(y[part])), equal_nan=True)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_polynomial_is_evaluated_with_every_coefficient_at_its_power(dtype):
    x = drawn(dtype)
    out = np.empty_like(x)
    _evaluate(x, out)
    exact = np.polynomial.polynomial.polyval(x.astype(float), COEFFICIENTS)
    assert np.abs(out - exact).max() < 50 * np.finfo(dtype).eps


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_number_is_spread_over_every_lane(dtype):
    out = np.zeros(lanes_of(dtype), dtype)
    _spread(out, 1.5)
    assert (out == 1.5).all()


@pytest.mark.parametrize("dtype", [DTYPES[0], pytest.param(DTYPES[1], marks=pytest.mark.slow)], ids=str)
@pytest.mark.parametrize("name", CELLS)
def test_rows_of_gates_states_and_saved_values_are_those_at_the_index(name, dtype):
    cell = CELLS[name]
    units = 2 * lanes_of(dtype)
    rows = 1 + max(len(names) for names in (cell.pre_activations, cell.saved, cell.states))
    array = np.arange(3 * 2 * rows * units).reshape(3, 2, rows, units).astype(dtype)
    out = np.full_like(array, -1)
    _rows_of(cell(), array, 2, 1, out)
    expected = np.full_like(array, -1)
    gates, saved, states = len(cell.pre_activations), len(cell.saved), len(cell.states)
    expected[2, 1, :gates] = array[2, 1, :gates]
    expected[0, 0, :saved] = array[2, 1, :saved]
    expected[1, 0, :states] = array[2, 1, :states]
    assert np.array_equal(out, expected)


def test_arrays_that_are_not_contiguous_and_indices_that_do_not_fit_are_refused():
    @numba.njit
    def first(array, index):
        return lane_sum(load(array, index))

    assert first(np.ones((2, 8)), (0, 0)) == 8
    with pytest.raises(TypingError, match="C-contiguous"):
        first(np.ones((8, 16))[:, ::2], (0, 0))
    with pytest.raises(TypingError, match="2 indices are needed, not 1"):
        first(np.ones((2, 8)), (0,))
