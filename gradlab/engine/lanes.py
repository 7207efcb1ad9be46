"""`Lanes`: a vector of units as one number inside a compiled kernel.

numba's own loops vectorise only when LLVM can prove a great deal about them. Here the kernels say it instead: a
`Lanes` value holds 64 bytes of neighbouring units (16 in float32, 8 in float64), ``+ - * /`` and unary minus on it are
one machine instruction (or a few, on a processor with narrower registers), and a plain number beside it counts for
every lane. So a cell's formulas, written once, run on a vector of units.

`load`, `store` and the row forms `load_states` … address C-contiguous arrays by a tuple of indices whose last is the
unit. With numba's bounds checking on, both ends of every access are checked.
"""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic as numba_intrinsic
from numba.extending import models, register_model

from gradlab.engine.inner import overload

LANE_BYTES = 64
CONTRACT = ("contract",)  # a product and a sum may become one fused instruction; nothing else is relaxed


def intrinsic(generator: Callable[..., Any]) -> Callable[..., Any]:
    """numba's: a function that a kernel calls, of which `generator` writes the instructions.

    The generator's first argument, numba's typing context, is no argument of the call; here the type says so.
    """
    return numba_intrinsic(generator)


def lanes_of(dtype: np.dtype) -> int:
    """How many units of a numpy dtype one `Lanes` holds."""
    return LANE_BYTES // dtype.itemsize


class Lanes(types.Type):
    """The numba type: `count` lanes of `scalar` (float32 or float64)."""

    def __init__(self, scalar):
        self.scalar = scalar
        self.count = LANE_BYTES * 8 // scalar.bitwidth
        super().__init__(name=f"Lanes({scalar})")

    @property
    def ir(self):
        return ir.VectorType(ir.FloatType() if self.scalar.bitwidth == 32 else ir.DoubleType(), self.count)

    @property
    def bits(self):
        return ir.VectorType(ir.IntType(self.scalar.bitwidth), self.count)


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager, lanes):
        super().__init__(manager, lanes, lanes.ir)


def splat(builder, scalar, lanes):
    """One scalar in every lane."""
    single = builder.insert_element(ir.Constant(lanes.ir, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(
        single, ir.Constant(lanes.ir, ir.Undefined), ir.Constant(ir.VectorType(ir.IntType(32), lanes.count), None)
    )


def _as_lanes(context, builder, value, ty, lanes):
    """`value`, a Lanes or a plain number, as a vector."""
    if isinstance(ty, Lanes):
        return value
    return splat(builder, context.cast(builder, value, ty, lanes.scalar), lanes)


def _arithmetic(name):
    """The intrinsic for one of llvmlite's vector instructions `fadd`, `fsub`, `fmul`, `fdiv`."""

    @intrinsic
    def instruction(typing, a, b):
        lanes = a if isinstance(a, Lanes) else b

        def generate(context, builder, signature, arguments):
            left, right = (
                _as_lanes(context, builder, value, ty, lanes)
                for value, ty in zip(arguments, signature.args, strict=True)
            )
            return getattr(builder, name)(left, right, flags=CONTRACT)

        return lanes(a, b), generate

    return instruction


def _give_arithmetic(function, name):
    instruction = _arithmetic(name)

    @overload(function)
    def _(a, b):
        plain = (types.Integer, types.Float)
        one = isinstance(a, Lanes) and isinstance(b, (Lanes, *plain))
        other = isinstance(b, Lanes) and isinstance(a, plain)
        if one or other:
            return lambda a, b: instruction(a, b)
        return None


for _function, _name in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _give_arithmetic(_function, _name)


@overload(operator.neg)
def _(a):
    if isinstance(a, Lanes):
        return lambda a: 0.0 - a
    return None


@intrinsic
def where_greater(typing, x, bound, above, otherwise):
    """`above` in the lanes where x > bound, `otherwise` elsewhere, also where x is NaN; plain numbers are spread."""

    def generate(context, builder, signature, arguments):
        x_, bound_, above_, otherwise_ = (
            _as_lanes(context, builder, value, ty, x) for value, ty in zip(arguments, signature.args, strict=True)
        )
        return builder.select(builder.fcmp_ordered(">", x_, bound_), above_, otherwise_)

    return x(x, bound, above, otherwise), generate


@intrinsic
def power_of_two(typing, n):
    """2^n for whole-numbered n within the exponents of normal numbers: the exponent field is written directly."""
    fraction, bias = {32: (23, 127), 64: (52, 1023)}[n.scalar.bitwidth]

    def generate(context, builder, signature, arguments):
        # 1.5 · 2^fraction + bias + n has n + bias in its lowest bits; shifted up they are the exponent
        shifter = ir.Constant(n.ir.element, 1.5 * 2.0**fraction + bias)
        shifted = builder.fadd(arguments[0], splat(builder, shifter, n))
        up = ir.Constant(n.bits, [fraction] * n.count)
        return builder.bitcast(builder.shl(builder.bitcast(shifted, n.bits), up), n.ir)

    return n(n), generate


def _call(builder, name, returns, *arguments):
    """Calls an LLVM intrinsic by its full name."""
    kind = ir.FunctionType(returns, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


def _vector_name(vector):
    """As LLVM writes it in the names of intrinsics: v16f32."""
    return f"v{vector.count}f{32 if isinstance(vector.element, ir.FloatType) else 64}"


def fused_multiply_add(builder, a, b, c):
    """a · b + c, rounded once."""
    return _call(builder, f"llvm.fma.{_vector_name(a.type)}", a.type, a, b, c)


@intrinsic
def larger_magnitude(typing, a, b):
    """max(|a|, |b|) in each lane, NaN if either is.

    The bits of floating-point numbers without their sign, read as integers, are in the order of the numbers, with
    infinity and then NaN above all others: one integer maximum does it.
    """

    def generate(context, builder, signature, arguments):
        mask = ir.Constant(a.bits, [2 ** (a.scalar.bitwidth - 1) - 1] * a.count)
        one, other = (builder.and_(builder.bitcast(value, a.bits), mask) for value in arguments)
        return builder.bitcast(builder.select(builder.icmp_unsigned(">", one, other), one, other), a.ir)

    return a(a, b), generate


@intrinsic
def lane_sum(typing, x):
    """The sum over the lanes as a float64, added pairwise in x's precision."""

    def generate(context, builder, signature, arguments):
        # reassociation lets the lanes be added pairwise instead of one after the other
        kind = ir.FunctionType(x.ir.element, [x.ir.element, x.ir])
        reduce_add = cgutils.get_or_insert_function(
            builder.module, kind, f"llvm.vector.reduce.fadd.{_vector_name(x.ir)}"
        )
        total = builder.call(reduce_add, [ir.Constant(x.ir.element, 0.0), arguments[0]], fastmath=("reassoc",))
        return context.cast(builder, total, x.scalar, types.float64)

    return types.float64(x), generate


@intrinsic
def largest_lane(typing, x):
    """The largest lane of magnitudes as a float64; NaN if any lane is NaN."""

    def generate(context, builder, signature, arguments):
        bits = builder.bitcast(arguments[0], x.bits)
        largest = _call(builder, f"llvm.vector.reduce.umax.v{x.count}i{x.scalar.bitwidth}", x.bits.element, bits)
        return context.cast(builder, builder.bitcast(largest, x.ir.element), x.scalar, types.float64)

    return types.float64(x), generate


@intrinsic
def broadcast(typing, like, scalar):
    """`scalar` in every lane of the type that the array `like` has."""
    lanes = Lanes(like.dtype)

    def generate(context, builder, signature, arguments):
        return _as_lanes(context, builder, arguments[1], scalar, lanes)

    return lanes(like, scalar), generate


@intrinsic
def lanes_in(typing, array):
    """How many units of the array one `Lanes` holds."""
    count = Lanes(array.dtype).count
    return types.intp(array), lambda context, builder, *_: ir.Constant(ir.IntType(64), count)


def polynomial(coefficients):
    """The intrinsic (x) -> Σ_k coefficients[k] x^k.

    Pairs of terms are joined by powers x, x², x⁴, … (Estrin's scheme), so that a processor finds work to do at once.
    """

    @intrinsic
    def evaluate(typing, x):
        def generate(context, builder, signature, arguments):
            terms = [ir.Constant(x.ir, [coefficient] * x.count) for coefficient in coefficients]
            power = arguments[0]
            while len(terms) > 1:
                pairs = [terms[i : i + 2] for i in range(0, len(terms), 2)]
                terms = [
                    fused_multiply_add(builder, pair[1], power, pair[0]) if len(pair) == 2 else pair[0]
                    for pair in pairs
                ]
                power = builder.fmul(power, power)
            return terms[0]

        return x(x), generate

    return evaluate


def pointer(context, builder, array_type, array, index_type, index, lanes):
    """The address of `lanes` units of a C-contiguous array, from the index tuple on (checked where numba checks)."""
    proxy = context.make_array(array_type)(context, builder, value=array)
    indices = [
        context.cast(builder, i, ty, types.intp)
        for i, ty in zip(cgutils.unpack_tuple(builder, index, len(index_type)), index_type.types, strict=True)
    ]
    if context.enable_boundscheck:
        end = builder.add(indices[-1], ir.Constant(indices[-1].type, lanes.count - 1))
        cgutils.get_item_pointer(context, builder, array_type, proxy, [*indices[:-1], end], boundscheck=True)
    address = cgutils.get_item_pointer(
        context, builder, array_type, proxy, indices, boundscheck=context.enable_boundscheck
    )
    return builder.bitcast(address, lanes.ir.as_pointer())


def _check(array, index):
    if not (isinstance(array, types.Array) and array.layout == "C" and isinstance(index, types.BaseTuple)):
        raise TypingError(f"a C-contiguous array and a tuple of indices are needed, not {array} and {index}")
    if len(index) != array.ndim:
        raise TypingError(f"{array.ndim} indices are needed, not {len(index)}")


@intrinsic
def load(typing, array, index):
    """The lanes of `array` from `index` on."""
    _check(array, index)
    lanes = Lanes(array.dtype)

    def generate(context, builder, signature, arguments):
        address = pointer(context, builder, array, arguments[0], index, arguments[1], lanes)
        return builder.load(address, align=array.dtype.bitwidth // 8)

    return lanes(array, index), generate


@intrinsic
def store(typing, array, index, value):
    """Writes lanes to `array` from `index` on."""
    _check(array, index)
    lanes = Lanes(array.dtype)

    def generate(context, builder, signature, arguments):
        address = pointer(context, builder, array, arguments[0], index, arguments[1], lanes)
        builder.store(_as_lanes(context, builder, arguments[2], value, lanes), address, align=array.dtype.bitwidth // 8)

    return types.void(array, index, value), generate


def _rows(builder, index, place, row):
    """The index tuple with `row` inserted before the last index."""
    return [*index[:place], ir.Constant(ir.IntType(64), row), index[place]]


def _load_rows(attribute):
    """The intrinsic that loads one `Lanes` for each name in the cell's `attribute`: array[..., row, unit]."""

    @intrinsic
    def load_rows(typing, cell, array, index):
        count = len(getattr(cell.instance_class, attribute))
        lanes = Lanes(array.dtype)
        full = types.UniTuple(types.intp, array.ndim)

        def generate(context, builder, signature, arguments):
            outer = cgutils.unpack_tuple(builder, arguments[2], array.ndim - 1)
            values = []
            for row in range(count):
                at = context.make_tuple(builder, full, _rows(builder, outer, array.ndim - 2, row))
                address = pointer(context, builder, array, arguments[1], full, at, lanes)
                values.append(builder.load(address, align=array.dtype.bitwidth // 8))
            return context.make_tuple(builder, returns, values)

        returns = types.UniTuple(lanes, count) if count else types.Tuple(())
        return returns(cell, array, index), generate

    return load_rows


@intrinsic
def store_rows(typing, array, index, values):
    """Writes a tuple of `Lanes` to array[..., row, unit], one per row; index holds the others."""
    lanes = Lanes(array.dtype)
    full = types.UniTuple(types.intp, array.ndim)

    def generate(context, builder, signature, arguments):
        outer = cgutils.unpack_tuple(builder, arguments[1], array.ndim - 1)
        for row, value in enumerate(cgutils.unpack_tuple(builder, arguments[2], len(values))):
            at = context.make_tuple(builder, full, _rows(builder, outer, array.ndim - 2, row))
            address = pointer(context, builder, array, arguments[0], full, at, lanes)
            builder.store(
                _as_lanes(context, builder, value, values.types[row], lanes), address, align=array.dtype.bitwidth // 8
            )

    return types.void(array, index, values), generate


load_pre_activations = _load_rows("pre_activations")
load_states = _load_rows("states")
load_saved = _load_rows("saved")
