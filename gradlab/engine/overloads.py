"""What a cell's author wrote, called from a kernel.

numba compiles a kernel for the *type* of the cell that it is given; these overloads put the author's `step` and
`adjoint` in place then, and build the records of states that they read.
"""

from numba import types
from numba.core.errors import TypingError
from numba.extending import overload, register_jitable

import gradlab.engine.elementary  # noqa: F401  puts sigmoid and tanh on Lanes in place
from gradlab.cells.states import STATES, Hidden, HiddenAndCell


def cell_step(cell, a_x, a_h, state):
    """The step of the cell, as its author wrote it."""
    return cell.step(a_x, a_h, state)


def cell_adjoint(cell, saved, state, new, new_bar):
    """The adjoint of the cell, as its author wrote it."""
    return cell.adjoint(saved, state, new, new_bar)


def arriving(cell, values, scale, entering):
    """The tuple of a row's adjoints under the states' names, scaled; what enters from above is added to h."""
    scaled = [scale * value for value in values]
    return STATES[cell.states](scaled[0] + entering, *scaled[1:])


def as_state(cell, values):
    """A tuple of the cell's states under their names."""
    return STATES[cell.states](*values)


def apart(cell, new_bar, total):
    """`new_bar` less what its parts pass on to each other, so that the adjoint then gives what comes without that."""
    return new_bar._replace(**{name: 2 * getattr(new_bar, name) - getattr(total, name) for name in cell.states[1:]})


def _author(cell):
    if not isinstance(cell, types.BaseNamedTuple):
        raise TypingError(f"a cell is a NamedTuple, not {cell}")
    return cell.instance_class


@overload(cell_step)
def _(cell, a_x, a_h, state):
    step = register_jitable(_author(cell).step)
    return lambda cell, a_x, a_h, state: step(a_x, a_h, state)


@overload(cell_adjoint)
def _(cell, saved, state, new, new_bar):
    adjoint = register_jitable(_author(cell).adjoint)
    return lambda cell, saved, state, new, new_bar: adjoint(saved, state, new, new_bar)


@overload(as_state)
def _(cell, values):
    if _author(cell).states == ("h",):
        return lambda cell, values: Hidden(values[0])
    return lambda cell, values: HiddenAndCell(values[0], values[1])


@overload(apart)
def _(cell, new_bar, total):
    if _author(cell).states == ("h",):
        return lambda cell, new_bar, total: new_bar
    return lambda cell, new_bar, total: HiddenAndCell(new_bar.h, 2.0 * new_bar.c - total.c)


@overload(arriving)
def _(cell, values, scale, entering):
    if _author(cell).states == ("h",):
        return lambda cell, values, scale, entering: Hidden(scale * values[0] + entering)
    return lambda cell, values, scale, entering: HiddenAndCell(scale * values[0] + entering, scale * values[1])
