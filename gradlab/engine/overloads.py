"""A cell's step and adjoint, called from a kernel.

numba compiles a kernel for the *type* of the cell that it is called with. An `overload` is a function that numba calls
with the types of the arguments, at compile time, for the code to substitute for the call: here the cell's `step`
and `adjoint`, and what builds its record of states, of any number.
"""

from numba import types
from numba.core.errors import TypingError

import gradlab.engine.elementary  # noqa: F401  puts sigmoid and tanh on Lanes in place
from gradlab.engine.inner import overload, register_jitable


def cell_step(cell, a_x, a_h, state):
    """`Cell.step`."""
    return cell.step(a_x, a_h, state)


def cell_adjoint(cell, saved, state, new, new_bar):
    """`Cell.adjoint`."""
    return cell.adjoint(saved, state, new, new_bar)


def as_state(cell, values):
    """The cell's record of a tuple of its states."""
    return cell.record(*values)


def arriving(cell, values, scale, entering):
    """The record of a row's adjoints, scaled; what enters from above is added to h."""
    return cell.record(scale * values[0] + entering, *scaled(values[1:], scale))


def scaled(values, scale):
    """A tuple times a number."""
    return tuple(scale * value for value in values)


def corrected(values, wanted, reached):
    """values + wanted - reached, of three tuples."""
    return tuple(v + w - r for v, w, r in zip(values, wanted, reached, strict=True))


def without_h_to_c(cell, saved, state, new, new_bar, total):
    """`new_bar` without the within-step h → c term: the adjoint of it leaves out what h passes to later states.

    The later states keep what they pass to each other. total: the adjoint's, of `new_bar`.

    The adjoint's totals are linear in new_bar, and a state passes to later ones of the record only. The totals without
    h → c are h as it is, and what the adjoint gives the later states where h is 0. To find the new_bar that has these
    totals, it is corrected by what its totals are off: after each round one state more is exact.
    """
    wanted = new_bar
    if len(new_bar) > 2:
        h, later = new_bar[0], new_bar[1:]
        wanted = (h, *cell.adjoint(saved, state, new, cell.record(0 * h, *later))[3][1:])
    for _ in new_bar[1:]:
        new_bar = cell.record(new_bar[0], *corrected(new_bar[1:], wanted[1:], total[1:]))
        total = cell.adjoint(saved, state, new, new_bar)[3]
    return new_bar


def _class_of(cell):
    if not isinstance(cell, types.NamedTuple | types.NamedUniTuple):
        raise TypingError(f"a cell is a NamedTuple, not {cell}")
    return cell.instance_class


@overload(cell_step)
def _(cell, a_x, a_h, state):
    step = register_jitable(_class_of(cell).step)  # a plain function may be called from compiled code only if told so
    return lambda cell, a_x, a_h, state: step(a_x, a_h, state)


@overload(cell_adjoint)
def _(cell, saved, state, new, new_bar):
    adjoint = register_jitable(_class_of(cell).adjoint)
    return lambda cell, saved, state, new, new_bar: adjoint(saved, state, new, new_bar)


@overload(as_state)
def _(cell, values):
    record = _class_of(cell).record
    return lambda cell, values: record(*values)


@overload(arriving)
def _(cell, values, scale, entering):
    record = _class_of(cell).record
    if len(values) == 1:  # numba cannot type an empty tuple of Lanes
        return lambda cell, values, scale, entering: record(scale * values[0] + entering)
    return lambda cell, values, scale, entering: record(scale * values[0] + entering, *scaled(values[1:], scale))


# numba has no loop that builds a tuple: the first entry, and the same function for the others, of another type
@overload(scaled)
def _(values, scale):
    if len(values) == 1:
        return lambda values, scale: (scale * values[0],)
    return lambda values, scale: (scale * values[0], *scaled(values[1:], scale))


@overload(corrected)
def _(values, wanted, reached):
    if len(values) == 1:
        return lambda values, wanted, reached: (values[0] + wanted[0] - reached[0],)
    return lambda values, wanted, reached: (
        values[0] + wanted[0] - reached[0],
        *corrected(values[1:], wanted[1:], reached[1:]),
    )


@overload(without_h_to_c)
def _(cell, saved, state, new, new_bar, total):
    record, later = _class_of(cell).record, len(new_bar) - 1
    if later == 0:
        return lambda cell, saved, state, new, new_bar, total: new_bar
    if later == 1:
        return lambda cell, saved, state, new, new_bar, total: record(
            new_bar[0], *corrected(new_bar[1:], new_bar[1:], total[1:])
        )

    def without(cell, saved, state, new, new_bar, total):
        alone = record(0 * new_bar[0], *new_bar[1:])
        wanted = cell_adjoint(cell, saved, state, new, alone)[3]
        for _ in range(later):
            new_bar = record(new_bar[0], *corrected(new_bar[1:], wanted[1:], total[1:]))
            total = cell_adjoint(cell, saved, state, new, new_bar)[3]
        return new_bar

    return without
