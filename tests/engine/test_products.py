"""The matrix products of the sweeps against numpy's, for every shape of tile."""

import numba
import numpy as np
import pytest

from gradlab.engine.lanes import lanes_of
from gradlab.engine.products import BLOCK, PANEL, multiply, outer_products, pack, pack_rows, padded

DTYPES = [np.dtype("float64"), np.dtype("float32")]
GUARD = 7.0


@numba.njit
def _multiply(out, at, out_stride, begin, begin_at, begin_stride, a, a_at, a_stride, rows, panels, depth, width,
              from_the_end=False):  # fmt: skip
    multiply(
        out, at, out_stride, begin, begin_at, begin_stride, a, a_at, a_stride, rows, panels, depth, width, from_the_end
    )


@numba.njit
def _outer_products(out, left, width_left, right, width, count):
    outer_products(out, left, width_left, right, width, count)


@numba.njit
def _pack_rows(rows, at, stride, count, width, out):
    pack_rows(rows, at, stride, count, width, out)


def close(found, exact, terms, dtype):
    return np.abs(found - exact).max() <= 20 * terms * np.finfo(dtype).eps


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("columns", range(1, 2 * PANEL + 2))
def test_rows_times_a_packed_matrix_are_right_for_every_tile_and_nothing_beside_them_is_touched(columns, dtype):
    random = np.random.default_rng(columns)
    lanes = lanes_of(dtype)
    width = columns * lanes
    for rows in (*range(1, 18), 23):  # tiles of eight, four and one row, and all of them together
        depth = lanes * (1 + rows % 4) + rows % 3  # any number of terms, also where sums run in several chains
        M = random.standard_normal((depth, width)).astype(dtype)
        left = random.standard_normal((rows, depth)).astype(dtype)
        own = random.standard_normal((rows, width)).astype(dtype)
        at, out_stride, a_at, a_stride, begin_at, begin_stride = 3, width + 5, 2, depth + 1, 4, width + 2
        out = np.full(at + rows * out_stride + 4, GUARD, dtype)
        a = np.full(a_at + rows * a_stride, np.nan, dtype)  # what is between the rows must not be read
        begin = np.full(begin_at + rows * begin_stride, np.nan, dtype)
        for row in range(rows):
            a[a_at + row * a_stride :][:depth] = left[row]
            begin[begin_at + row * begin_stride :][:width] = own[row]
        product = left.astype(float) @ M.astype(float)
        for stride in (begin_stride, 0):  # a `begin` for each row, and one that all rows share
            _multiply(out, at, out_stride, begin, begin_at, stride, a, a_at, a_stride, rows, pack(M), depth, width)
            for row in range(rows):
                found = out[at + row * out_stride :][:width]
                assert close(found, (own[row] if stride else own[0]) + product[row], depth, dtype), (rows, depth, row)
                found[:] = GUARD
            assert (out == GUARD).all(), (rows, depth)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_product_can_be_added_to_the_array_it_is_written_to(dtype):
    random = np.random.default_rng(0)
    lanes = lanes_of(dtype)
    for rows in (1, 5, 13):
        M = random.standard_normal((lanes, 6 * lanes)).astype(dtype)
        a = random.standard_normal((rows, lanes)).astype(dtype)
        out = random.standard_normal((rows, 6 * lanes)).astype(dtype)
        exact = out + a.astype(float) @ M
        flat = out.reshape(-1)
        _multiply(flat, 0, 6 * lanes, flat, 0, 6 * lanes, a.reshape(-1), 0, lanes, rows, pack(M), lanes, 6 * lanes)
        assert close(out, exact, lanes, dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 9, 20])
def test_outer_products_are_summed_over_every_row(count, dtype):
    """The count is that of steps and sequences, and no multiple of anything."""
    random = np.random.default_rng(count)
    lanes = lanes_of(dtype)
    for width_left, columns in ((lanes, 1), (3 * lanes, 5), (2 * lanes, 4), (6 * lanes, 2)):
        left, right = (random.standard_normal((count, width)).astype(dtype) for width in (width_left, columns * lanes))
        out = random.standard_normal((width_left, columns * lanes)).astype(dtype)
        exact = out.astype(float) + left.astype(float).T @ right.astype(float)
        _outer_products(out.reshape(-1), pack(left), width_left, pack(right), columns * lanes, count)
        assert close(out, exact, count + 1, dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("from_the_end", [False, True])
@pytest.mark.parametrize("rows", [1, 5, 8, 11])
def test_a_product_of_many_terms_is_right_in_either_order(rows, from_the_end, dtype):
    random = np.random.default_rng(rows)
    lanes = lanes_of(dtype)
    depth, width = 2 * BLOCK + lanes, (PANEL + 1) * lanes
    M, a = (random.standard_normal(shape).astype(dtype) for shape in ((depth, width), (rows, depth)))
    out, begin = np.empty(rows * width, dtype), random.standard_normal(width).astype(dtype)
    _multiply(out, 0, width, begin, 0, 0, a.reshape(-1), 0, depth, rows, pack(M), depth, width, from_the_end)
    assert close(out.reshape(rows, width), begin + a.astype(float) @ M.astype(float), depth, dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("columns", range(1, 2 * PANEL + 2))
def test_rows_that_lie_apart_are_packed_as_a_matrix_is(columns, dtype):
    width = columns * lanes_of(dtype)
    rows = np.arange(7 * (width + 3)).astype(dtype)
    matrix = np.stack([rows[2 + row * (width + 3) :][:width] for row in range(6)])
    out = np.empty(6 * width, dtype)
    _pack_rows(rows, 2, width + 3, 6, width, out)
    assert np.array_equal(out, pack(matrix))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_row_of_zeros_adds_exactly_nothing(dtype):
    lanes = lanes_of(dtype)
    M = np.full((lanes, lanes), np.finfo(dtype).max, dtype)
    out = np.linspace(-1, 1, lanes).astype(dtype)
    before = out.copy()
    _multiply(out, 0, lanes, out, 0, lanes, np.zeros(lanes, dtype), 0, lanes, 1, pack(M), lanes, lanes)
    assert np.array_equal(out, before)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("columns", range(1, 2 * PANEL + 2))
def test_packing_keeps_every_entry_panel_by_panel(columns, dtype):
    lanes = lanes_of(dtype)
    M = np.arange(3 * columns * lanes).reshape(3, -1).astype(dtype)
    flat = pack(M)
    panel = PANEL * lanes
    for start in range(0, M.shape[1], panel):
        part = M[:, start : start + panel]
        assert np.array_equal(flat[3 * start :][: part.size].reshape(part.shape), part)
    assert flat.size == M.size
    assert flat.flags.c_contiguous
    assert flat.ctypes.data % 64 == 0, "a load across two cache lines takes twice as long"


def test_sizes_are_rounded_up_to_whole_lanes():
    assert [padded(size, "float64") for size in (1, 7, 8, 9, 16, 17)] == [8, 8, 8, 16, 16, 24]
    assert [padded(size, "float32") for size in (1, 15, 16, 17)] == [16, 16, 16, 32]
