"""The matrix product of the sweeps: out[n, :] += Σ_k a[n, k] M[k, :], for a few rows n and one M, step after step.

A tile of rows × `Lanes` of columns is accumulated in registers: eight rows by two, so that each loaded piece of M
serves eight sequences, or four by four; for a single row the sum over k is split into several independent chains, which
hides the latency of the multiply-add.

Weights are packed once (`pack`) into panels of four `Lanes` of columns, each panel contiguous, so that they stream
through the cache in order whatever their width. So do the two sides of `outer_products`, some rows at a time.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numpy import ndarray

from gradlab.engine.buffers import aligned
from gradlab.engine.inner import register_jitable
from gradlab.engine.lanes import Lanes, fused_multiply_add, intrinsic, lanes_in, lanes_of, load, splat, store

PANEL = 4  # Lanes
BLOCK = 256  # terms of a product after which the next rows are due: half a panel of them fits the first-level cache
CHAINS = 8  # independent multiply-adds in flight: two units, four cycles each


def padded(size: int, dtype: str | np.dtype) -> int:
    """`size` rounded up to whole `Lanes` (a multiple of 8)."""
    lanes = lanes_of(np.dtype(dtype))
    return -(-size // lanes) * lanes


def pack(matrix: ndarray) -> ndarray:
    """A matrix [K, N], K and N already padded, panel by panel: flat, panel p holding [K, its width]."""
    depth, width = matrix.shape
    panel = PANEL * lanes_of(matrix.dtype)
    out = aligned((depth * width,), matrix.dtype)
    for start in range(0, width, panel):
        columns = matrix[:, start : start + panel]
        out[depth * start : depth * start + columns.size].reshape(columns.shape)[...] = columns
    return out


def _tile(rows, most):
    """The intrinsic that adds up a tile of `rows` rows and `columns` Lanes, at most `most`.

    out[at + row · out_stride + j] = begin[begin_at + row · begin_stride + j]
                                     + Σ_k a[a_at + row · a_stride + k · a_step] m[start + k · line + j],    k < depth
    """

    @intrinsic
    def tile(
        typing,
        out,
        at,
        out_stride,
        begin,
        begin_at,
        begin_stride,
        a,
        a_at,
        a_stride,
        a_step,
        m,
        start,
        line,
        depth,
        columns,
    ):
        lanes = Lanes(out.dtype)
        align = out.dtype.bitwidth // 8

        def generate(context, builder, signature, arguments):
            out_, at_, out_stride_, begin_, begin_at_, begin_stride_, *factors = arguments
            a_, a_at_, a_stride_, a_step_, m_, start_, line_, depth_, columns_ = factors

            def number(value):
                return ir.Constant(ir.IntType(64), value)

            def start_of(array_type, array, place):
                return builder.gep(context.make_array(array_type)(context, builder, value=array).data, [place])

            def vectors(place):
                return builder.bitcast(place, lanes.ir.as_pointer())

            def check(array_type, array, first, *spans):
                """Where numba checks bounds: all corners of what is touched (a stride may be negative)."""
                if context.enable_boundscheck:
                    corners = [first]
                    for stride, count in spans:
                        far = builder.mul(stride, builder.sub(count, number(1)))
                        corners += [builder.add(corner, far) for corner in corners]
                    proxy = context.make_array(array_type)(context, builder, value=array)
                    for corner in corners:
                        cgutils.get_item_pointer(context, builder, array_type, proxy, [corner], boundscheck=True)

            def body(columns):
                chains = max(1, CHAINS // (rows * columns))
                one, wide = number(1), number(columns * lanes.count)
                check(out, out_, at_, (out_stride_, number(rows)), (one, wide))
                check(begin, begin_, begin_at_, (begin_stride_, number(rows)), (one, wide))
                check(a, a_, a_at_, (a_stride_, number(rows)), (a_step_, depth_))
                check(m, m_, start_, (line_, depth_), (one, wide))
                out_first, a_first, m_first = start_of(out, out_, at_), start_of(a, a_, a_at_), start_of(m, m_, start_)
                begin_first = start_of(begin, begin_, begin_at_)

                def place(first, stride, row, column):
                    index = builder.add(builder.mul(stride, number(row)), number(column * lanes.count))
                    return vectors(builder.gep(first, [index]))

                places = [(row, column) for row in range(rows) for column in range(columns)]
                a_rows = [builder.gep(a_first, [builder.mul(a_stride_, number(row))]) for row in range(rows)]
                sums = {
                    (*place, chain): cgutils.alloca_once(builder, lanes.ir)
                    for place in places
                    for chain in range(chains)
                }
                for (row, column, chain), total in sums.items():
                    first = builder.load(place(begin_first, begin_stride_, row, column), align=align)
                    builder.store(ir.Constant(lanes.ir, None) if chain else first, total)

                def add(k, chain):
                    piece_first = builder.gep(m_first, [builder.mul(k, line_)])
                    pieces = [
                        builder.load(vectors(builder.gep(piece_first, [number(column * lanes.count)])), align=align)
                        for column in range(columns)
                    ]
                    for row in range(rows):
                        entry = builder.gep(a_rows[row], [builder.mul(k, a_step_)])
                        factor = splat(builder, builder.load(entry, align=align), lanes)
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
                for row, column in places:
                    total = builder.load(sums[row, column, 0])
                    for chain in range(1, chains):
                        total = builder.fadd(total, builder.load(sums[row, column, chain]))
                    builder.store(total, place(out_first, out_stride_, row, column), align=align)

            for count in range(1, most + 1):
                with builder.if_then(builder.icmp_signed("==", columns_, number(count))):
                    body(count)
            return context.get_dummy_value()

        signature = types.void(
            out,
            at,
            out_stride,
            begin,
            begin_at,
            begin_stride,
            a,
            a_at,
            a_stride,
            a_step,
            m,
            start,
            line,
            depth,
            columns,
        )
        return signature, generate

    return tile


_eight = _tile(8, 2)
_four = _tile(4, PANEL)
_one = _tile(1, PANEL)


@register_jitable
def _panel(out, at, out_stride, begin, begin_at, begin_stride, a, a_at, a_stride, a_step, rows, m, start, line, depth,
           columns):  # fmt: skip
    """All rows of one panel of columns, several rows at a time; half a panel serves all eights, then the other."""
    lanes = lanes_in(out)
    eights = rows - rows % 8
    for c in range(0, columns, 2):
        j = c * lanes
        for row in range(0, eights, 8):
            _eight(
                out, at + row * out_stride + j, out_stride, begin, begin_at + row * begin_stride + j, begin_stride,
                a, a_at + row * a_stride, a_stride, a_step, m, start + j, line, depth, min(2, columns - c),
            )  # fmt: skip
    row = eights
    while row < rows:
        o, b, i = at + row * out_stride, begin_at + row * begin_stride, a_at + row * a_stride
        if row + 4 <= rows:
            _four(
                out, o, out_stride, begin, b, begin_stride, a, i, a_stride, a_step, m, start, line, depth, columns
            )  # fmt: skip
            row += 4
        else:
            _one(
                out, o, out_stride, begin, b, begin_stride, a, i, a_stride, a_step, m, start, line, depth, columns
            )  # fmt: skip
            row += 1


@register_jitable
def multiply(out, at, out_stride, begin, begin_at, begin_stride, a, a_at, a_stride, rows, panels, depth, width,
             from_the_end=False):  # fmt: skip
    """out[row] = begin[row] + a[row] @ M for `rows` rows of flat arrays.

    at, begin_at, a_at      where the first row starts
    …_stride                units from one row to the next; 0 for a `begin` that all rows share
    panels                  M [depth, width] as packed; both padded
    from_the_end            reads M backwards: after another product with it, its end is still in the cache
    """
    lanes = lanes_in(out)
    wide = PANEL * lanes
    count = (width + wide - 1) // wide
    block = BLOCK if rows >= 8 else depth
    for i in range(count):
        j = (count - 1 - i if from_the_end else i) * wide
        columns = min(PANEL, (width - j) // lanes)
        line = columns * lanes
        so_far, so_far_at, so_far_stride = begin, begin_at + j, begin_stride
        for k in range(0, depth, block):
            terms = min(block, depth - k)
            first, step = (k + terms - 1, -1) if from_the_end else (k, 1)
            _panel(
                out, at + j, out_stride, so_far, so_far_at, so_far_stride, a, a_at + first, a_stride, step, rows,
                panels, j * depth + first * line, step * line, terms, columns,
            )  # fmt: skip
            so_far, so_far_at, so_far_stride = out, at + j, out_stride


@register_jitable
def pack_rows(rows, at, stride, count, width, out):
    """`count` rows of a flat array as `pack` has them."""
    lanes = lanes_in(rows)
    wide = PANEL * lanes
    for start in range(0, width, wide):
        columns = min(wide, width - start)
        for row in range(count):
            for j in range(0, columns, lanes):
                store(out, (start * count + row * columns + j,), load(rows, (at + row * stride + start + j,)))


@register_jitable
def outer_products(out, left, width_left, right, width, count):
    """out[i, j] += Σ_r left[r, i] right[r, j], r < count: both packed."""
    lanes = lanes_in(out)
    wide = PANEL * lanes
    for j in range(0, width, wide):
        columns = min(wide, width - j)
        for i in range(0, width_left, wide):
            across, at = min(wide, width_left - i), i * width + j
            _panel(
                out, at, width, out, at, width, left, i * count, 1, across, across, right, j * count, columns, count,
                columns // lanes,
            )  # fmt: skip
