"""The matrix product of the sweeps: out[n, :] += Σ_k a[n, k] M[k, :], for a few rows n and one M, step after step.

M is packed once (`pack`) into panels of up to four `Lanes` of columns, each panel contiguous, so that it streams
through the cache in order whatever its width. A tile of rows × one panel is accumulated in registers: four rows by four
`Lanes`, so that each loaded piece of M serves four sequences; for a single row the sum over k is split into several
independent chains, which hides the latency of the multiply-add.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, register_jitable

from gradlab.engine.lanes import Lanes, fused_multiply_add, lanes_of, pointer, splat

PANEL = 4  # Lanes
CHAINS = 8  # independent multiply-adds in flight: two units, four cycles each


def padded(size, dtype):
    """`size` rounded up to whole `Lanes` (a multiple of 8)."""
    lanes = lanes_of(np.dtype(dtype))
    return -(-size // lanes) * lanes


def pack(matrix):
    """A matrix [K, N], K and N already padded, panel by panel: flat, panel p holding [K, its width]."""
    width = PANEL * lanes_of(matrix.dtype)
    panels = [np.ravel(matrix[:, start : start + width]) for start in range(0, matrix.shape[1], width)]
    return np.ascontiguousarray(np.concatenate(panels)) if panels else np.empty(0, matrix.dtype)


def _tile(rows, columns):
    """The intrinsic for `rows` rows and one panel of `columns` Lanes."""
    chains = max(1, CHAINS // (rows * columns))
    chains = 2 ** (chains.bit_length() - 1)  # divides the padded depth

    @intrinsic
    def tile(typing, out, at, out_stride, a, a_at, a_stride, panels, start, depth):
        lanes = Lanes(out.dtype)
        scalar = lanes.ir.element
        align = out.dtype.bitwidth // 8

        def generate(context, builder, signature, arguments):
            out_, at_, out_stride_, a_, a_at_, a_stride_, panels_, start_, depth_ = arguments

            def number(value):
                return ir.Constant(ir.IntType(64), value)

            def entry(array_type, array, index, vector):
                one = context.make_tuple(builder, types.UniTuple(types.intp, 1), [index])
                return pointer(context, builder, array_type, array, types.UniTuple(types.intp, 1), one, vector)

            def first(array_type, array, index, step, last, width):
                """The address of `index` as one of scalars; `last` steps on is checked too, where numba checks."""
                end = builder.add(index, builder.mul(step, last))
                if context.enable_boundscheck:
                    entry(array_type, array, builder.add(end, number(width - lanes.count)), lanes)
                return builder.bitcast(entry(array_type, array, index, lanes), scalar.as_pointer())

            def vector(place):
                return builder.load(builder.bitcast(place, lanes.ir.as_pointer()), align=align)

            width = columns * lanes.count
            out_first = first(out, out_, at_, out_stride_, number(rows - 1), width)
            a_first = first(a, a_, a_at_, a_stride_, number(rows - 1), lanes.count)
            panel = first(panels, panels_, start_, number(width), builder.sub(depth_, number(1)), width)
            out_rows = [builder.gep(out_first, [builder.mul(out_stride_, number(row))]) for row in range(rows)]
            a_rows = [builder.gep(a_first, [builder.mul(a_stride_, number(row))]) for row in range(rows)]
            places = {
                (row, column): builder.gep(out_rows[row], [number(column * lanes.count)])
                for row in range(rows)
                for column in range(columns)
            }
            sums = {
                (*place, chain): cgutils.alloca_once(builder, lanes.ir) for place in places for chain in range(chains)
            }
            for (row, column, chain), total in sums.items():
                builder.store(ir.Constant(lanes.ir, None) if chain else vector(places[row, column]), total)
            with cgutils.for_range(builder, builder.udiv(depth_, number(chains))) as loop:
                for chain in range(chains):
                    k = builder.add(builder.mul(loop.index, number(chains)), number(chain))
                    line = builder.gep(panel, [builder.mul(k, number(width))])
                    pieces = [vector(builder.gep(line, [number(column * lanes.count)])) for column in range(columns)]
                    for row in range(rows):
                        factor = splat(builder, builder.load(builder.gep(a_rows[row], [k]), align=align), lanes)
                        for column, piece in enumerate(pieces):
                            total = sums[row, column, chain]
                            builder.store(fused_multiply_add(builder, factor, piece, builder.load(total)), total)
            for (row, column), place in places.items():
                total = builder.load(sums[row, column, 0])
                for chain in range(1, chains):
                    total = builder.fadd(total, builder.load(sums[row, column, chain]))
                builder.store(total, builder.bitcast(place, lanes.ir.as_pointer()), align=align)
            return number(0)

        return types.intp(out, at, out_stride, a, a_at, a_stride, panels, start, depth), generate

    return tile


_one_1, _one_2, _one_3, _one_4 = (_tile(1, columns) for columns in (1, 2, 3, 4))
_four_1, _four_2, _four_3, _four_4 = (_tile(4, columns) for columns in (1, 2, 3, 4))


@register_jitable
def multiply_add(out, at, out_stride, a, a_at, a_stride, rows, panels, depth, width, lanes):
    """out[row] += a[row] @ M for `rows` rows of two flat arrays.

    at, a_at                where the first row starts in `out` and in `a`
    out_stride, a_stride    units from one row to the next
    panels                  M [depth, width] as packed; both padded
    lanes                   units in one `Lanes`
    """
    for start in range(0, width, PANEL * lanes):
        columns = min(PANEL, (width - start) // lanes)
        begin = start * depth
        row = 0
        while row < rows:
            o = at + row * out_stride + start
            i = a_at + row * a_stride
            if rows - row >= 4:
                if columns == 4:
                    _four_4(out, o, out_stride, a, i, a_stride, panels, begin, depth)
                elif columns == 3:
                    _four_3(out, o, out_stride, a, i, a_stride, panels, begin, depth)
                elif columns == 2:
                    _four_2(out, o, out_stride, a, i, a_stride, panels, begin, depth)
                else:
                    _four_1(out, o, out_stride, a, i, a_stride, panels, begin, depth)
                row += 4
            else:
                if columns == 4:
                    _one_4(out, o, out_stride, a, i, a_stride, panels, begin, depth)
                elif columns == 3:
                    _one_3(out, o, out_stride, a, i, a_stride, panels, begin, depth)
                elif columns == 2:
                    _one_2(out, o, out_stride, a, i, a_stride, panels, begin, depth)
                else:
                    _one_1(out, o, out_stride, a, i, a_stride, panels, begin, depth)
                row += 1
