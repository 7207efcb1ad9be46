"""A cell's hand-derived adjoint against autograd of its own step, value by value; and that comparison itself."""

import ast
import contextlib
import copy
import inspect
import itertools
import textwrap

import pytest
import torch

from gradlab.cells import CELLS
from gradlab.cells.contract import without

VALUES = 400  # of every gate and state, drawn apart
ALLOWED = 1e-12  # relative, for each value
REFUSED = 1e3 * ALLOWED
OFF = 1.0005  # a wrong term: 0.05 % too large


def example(cell):
    """(arguments of the adjoint, what autograd says its four outputs are) for drawn values."""
    random = torch.Generator().manual_seed(0)

    def drawn(names):
        values = [torch.randn(VALUES, generator=random, dtype=torch.float64) for _ in names]
        return [value.requires_grad_() for value in values]

    record = cell.record
    a_x, a_h, state = drawn(cell.pre_activations), drawn(cell.pre_activations), record(*drawn(cell.states))
    new_bar = record(*(value.detach() for value in drawn(cell.states)))
    new, saved = cell.step(tuple(a_x), tuple(a_h), state)
    for value in new:
        value.retain_grad()
    sum((bar * value).sum() for bar, value in zip(new_bar, new, strict=True)).backward()
    zero = torch.zeros(VALUES, dtype=torch.float64)
    exact = [[zero if value.grad is None else value.grad for value in part] for part in (a_x, a_h, state, new)]
    old, reached = (record(*(value.detach() for value in values)) for values in (state, new))
    return (tuple(value.detach() for value in saved), old, reached, new_bar), exact


def largest_error(cell, adjoint):
    """The largest relative error of an adjoint over its outputs and values."""
    arguments, exact = example(cell)
    errors = [
        ((value - right).abs() / right.abs().clamp(min=1e-3)).max()  # 1 - y² loses digits where it nearly cancels
        for found, expected in zip(adjoint(*arguments), exact, strict=True)
        for value, right in zip(found, expected, strict=True)
    ]
    return float(torch.stack(errors).max())


@pytest.mark.parametrize("name", CELLS)
def test_the_adjoint_is_autograd_of_the_step_value_by_value(name):
    assert largest_error(CELLS[name], CELLS[name].adjoint) < ALLOWED


class NotATermError(Exception):
    """A tuple has no factor."""


def off(value):
    """A term 0.05 % too large."""
    if isinstance(value, tuple):
        raise NotATermError
    return OFF * value


class WrongTerm(ast.NodeTransformer):
    """Puts `off` around the n-th term of an adjoint; terms are its expressions but constants and exact zeros."""

    def __init__(self, number):
        self.left, self.term = number, None

    def visit_Assign(self, node):
        node.value = self.visit(node.value)  # and not the names it is bound to
        return node

    def visit_Call(self, node):
        if getattr(node.func, "id", "") == "is_positive":
            return node  # a sign is no larger
        node.args = [self.visit(argument) for argument in node.args]  # and not the function
        return node

    def visit_BinOp(self, node):
        if isinstance(node.left, ast.Constant) and node.left.value == 0:
            return node  # 0 · x: any multiple of it is right
        return self.wrong(node) or self.generic_visit(node)

    def visit_Attribute(self, node):
        return self.wrong(node) or node

    visit_Name = visit_Attribute

    def wrong(self, node):
        self.left -= 1
        if self.left != -1:
            return None
        self.term = ast.unparse(node)
        return ast.Call(ast.Name("off", ast.Load()), [node], [])


def wrong_adjoints(cell):
    """(the term that is off, the adjoint with it) for every term of the cell's adjoint."""
    function = ast.parse(textwrap.dedent(inspect.getsource(cell.adjoint))).body[0]
    function.decorator_list = []
    for number in itertools.count():
        changed, wrong = copy.deepcopy(function), WrongTerm(number)
        changed.body = [wrong.visit(line) for line in changed.body]
        if wrong.term is None:
            return
        names = vars(inspect.getmodule(cell)) | {"off": off}
        exec(compile(ast.fix_missing_locations(ast.Module([changed], [])), wrong.term, "exec"), names)
        yield wrong.term, names["adjoint"]


@pytest.mark.parametrize("name", CELLS)
def test_an_adjoint_with_any_one_term_off_by_a_twentieth_of_a_percent_is_refused(name):
    refused, accepted = [], []
    for term, adjoint in wrong_adjoints(CELLS[name]):
        with contextlib.suppress(NotATermError):
            (refused if largest_error(CELLS[name], adjoint) > REFUSED else accepted).append(term)
    assert accepted == []
    assert len(refused) >= 2  # what reaches the pre-activations, and the total


def scaled(cell, output, entry, factor):
    """The cell's adjoint with one entry of one of its four outputs multiplied."""

    def adjoint(*arguments):
        found = [list(values) for values in cell.adjoint(*arguments)]
        found[output][entry] = found[output][entry] * factor
        return found

    return adjoint


@pytest.mark.parametrize("name", CELLS)
def test_an_adjoint_with_any_one_output_off_or_left_out_is_refused(name):
    cell = CELLS[name]
    _, exact = example(cell)
    outputs = [(output, entry) for output, values in enumerate(exact) for entry in range(len(values))]
    missed = {
        (factor, *place)
        for factor in (OFF, 0.0)
        for place in outputs
        if not largest_error(cell, scaled(cell, *place, factor)) > REFUSED
    }
    zero = {place for place in outputs if not exact[place[0]][place[1]].any()}  # 0, and so is any multiple of it
    assert missed == {(factor, *place) for factor in (OFF, 0.0) for place in zero}
    unread = {(1, cell.pre_activations.index(gate)) for gate in without(cell, "U")} & zero
    assert len(zero - unread) <= 1  # h where it comes back through U alone
