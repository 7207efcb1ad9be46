"""The matrix product of the sweeps: out[n, :] += Σ_k a[n, k] M[k, :], for a few rows n and one M, step after step.

A tile of rows × up to four `Lanes` of columns is accumulated in registers: four rows by four `Lanes`, so that each
loaded piece of M serves four sequences; for a single row the sum over k is split into several independent chains, which
hides the latency of the multiply-add.

Weights are packed once (`pack`) into panels of four `Lanes` of columns, each panel contiguous, so that they stream
through the cache in order whatever their width. What is used once (`outer_products`) is read where it lies.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, register_jitable

from gradlab.engine.lanes import Lanes, fused_multiply_add, lanes_in, lanes_of, splat

PANEL = 4  # Lanes
CHAINS = 8  # independent multiply-adds in flight: two units, four cycles each
ROWS = 4  # of a tile


def padded(size, dtype):
    """`size` rounded up to whole `Lanes` (a multiple of 8)."""
    lanes = lanes_of(np.dtype(dtype))
    return -(-size // lanes) * lanes


def pack(matrix):
    """A matrix [K, N], K and N already padded, panel by panel: flat, panel p holding [K, its width]."""
    width = PANEL * lanes_of(matrix.dtype)
    panels = [np.ravel(matrix[:, start : start + width]) for start in range(0, matrix.shape[1], width)]
    return np.concatenate(panels)


def _tile(rows):
    """The intrinsic that adds up a tile of `rows` rows and `columns` Lanes.

    out[at + row · out_stride + j] += Σ_k a[a_at + row · a_stride + k · a_step] m[start + k · line + j],    k < depth
    """

    @intrinsic
    def tile(typing, out, at, out_stride, a, a_at, a_stride, a_step, m, start, line, depth, columns):
        lanes = Lanes(out.dtype)
        align = out.dtype.bitwidth // 8

        def generate(context, builder, signature, arguments):
            out_, at_, out_stride_, a_, a_at_, a_stride_, a_step_, m_, start_, line_, depth_, columns_ = arguments

            def number(value):
                return ir.Constant(ir.IntType(64), value)

            def start_of(array_type, array, place):
                return builder.gep(context.make_array(array_type)(context, builder, value=array).data, [place])

            def vectors(place):
                return builder.bitcast(place, lanes.ir.as_pointer())

            def check(array_type, array, first, *spans):
                """Where numba checks bounds: the last entry that is touched."""
                if context.enable_boundscheck:
                    for stride, count in spans:
                        first = builder.add(first, builder.mul(stride, builder.sub(count, number(1))))
                    proxy = context.make_array(array_type)(context, builder, value=array)
                    cgutils.get_item_pointer(context, builder, array_type, proxy, [first], boundscheck=True)

            def body(columns):
                chains = max(1, CHAINS // (rows * columns))
                one, wide = number(1), number(columns * lanes.count)
                check(out, out_, at_, (out_stride_, number(rows)), (one, wide))
                check(a, a_, a_at_, (a_stride_, number(rows)), (a_step_, depth_))
                check(m, m_, start_, (line_, depth_), (one, wide))
                out_first, a_first, m_first = start_of(out, out_, at_), start_of(a, a_, a_at_), start_of(m, m_, start_)
                places = {
                    (row, column): builder.gep(
                        out_first, [builder.add(builder.mul(out_stride_, number(row)), number(column * lanes.count))]
                    )
                    for row in range(rows)
                    for column in range(columns)
                }
                a_rows = [builder.gep(a_first, [builder.mul(a_stride_, number(row))]) for row in range(rows)]
                sums = {
                    (*place, chain): cgutils.alloca_once(builder, lanes.ir)
                    for place in places
                    for chain in range(chains)
                }
                for (row, column, chain), total in sums.items():
                    first = builder.load(vectors(places[row, column]), align=align)
                    builder.store(ir.Constant(lanes.ir, None) if chain else first, total)

                def add(k, chain):
                    begin = builder.gep(m_first, [builder.mul(k, line_)])
                    pieces = [
                        builder.load(vectors(builder.gep(begin, [number(column * lanes.count)])), align=align)
                        for column in range(columns)
                    ]
                    for row in range(rows):
                        place = builder.gep(a_rows[row], [builder.mul(k, a_step_)])
                        factor = splat(builder, builder.load(place, align=align), lanes)
                        for column, piece in enumerate(pieces):
                            total = sums[row, column, chain]
                            builder.store(fused_multiply_add(builder, factor, piece, builder.load(total)), total)

                blocks = builder.udiv(depth_, number(chains))
                with cgutils.for_range(builder, blocks) as loop:
                    for chain in range(chains):
                        add(builder.add(builder.mul(loop.index, number(chains)), number(chain)), chain)
                if chains > 1:
                    done = builder.mul(blocks, number(chains))
                    with cgutils.for_range(builder, builder.sub(depth_, done)) as loop:
                        add(builder.add(done, loop.index), 0)
                for (row, column), place in places.items():
                    total = builder.load(sums[row, column, 0])
                    for chain in range(1, chains):
                        total = builder.fadd(total, builder.load(sums[row, column, chain]))
                    builder.store(total, vectors(place), align=align)

            for count in range(1, PANEL + 1):
                with builder.if_then(builder.icmp_signed("==", columns_, number(count))):
                    body(count)
            return context.get_dummy_value()

        signature = types.void(out, at, out_stride, a, a_at, a_stride, a_step, m, start, line, depth, columns)
        return signature, generate

    return tile


_several = _tile(ROWS)
_single = _tile(1)


@register_jitable
def _panel(out, at, out_stride, a, a_at, a_stride, a_step, rows, m, start, line, depth, columns):
    """All rows of one panel of columns, several rows at a time."""
    row = 0
    while row + ROWS <= rows:
        o, i = at + row * out_stride, a_at + row * a_stride
        _several(out, o, out_stride, a, i, a_stride, a_step, m, start, line, depth, columns)
        row += ROWS
    while row < rows:
        o, i = at + row * out_stride, a_at + row * a_stride
        _single(out, o, out_stride, a, i, a_stride, a_step, m, start, line, depth, columns)
        row += 1


@register_jitable
def multiply_add(out, at, out_stride, a, a_at, a_stride, rows, panels, depth, width):
    """out[row] += a[row] @ M for `rows` rows of two flat arrays.

    at, a_at                where the first row starts in `out` and in `a`
    out_stride, a_stride    units from one row to the next
    panels                  M [depth, width] as packed; both padded
    """
    lanes = lanes_in(out)
    for start in range(0, width, PANEL * lanes):
        columns = min(PANEL, (width - start) // lanes)
        line = columns * lanes
        _panel(out, at + start, out_stride, a, a_at, a_stride, 1, rows, panels, start * depth, line, depth, columns)


@register_jitable
def outer_products(out, left, width_left, right, right_at, right_stride, width, count):
    """out[i, j] += Σ_r left[r, i] right[r, j], r < count: flat arrays, `right` with a stride of its own."""
    lanes = lanes_in(out)
    for start in range(0, width, PANEL * lanes):
        columns = min(PANEL, (width - start) // lanes)
        at = right_at + start
        _panel(out, start, width, left, 0, 1, width_left, width_left, right, at, right_stride, count, columns)
