"""What a cell declares, and what follows from it."""

import pytest

from gradlab.cells import CELLS
from gradlab.cells.contract import Cell, additive_state, as_cell, peepholes_of, without
from tests.cells.four_states import SLSTM

PARTS = [name for name in vars(Cell) if not name.startswith("_")]


@pytest.mark.parametrize("part", PARTS)
def test_a_class_without_a_part_of_the_contract_is_refused_and_the_part_named(part):
    parts = {name: getattr(SLSTM, name) for name in PARTS if name != part}
    with pytest.raises(TypeError, match=f"Half is no cell: it lacks {part}$"):
        as_cell(type("Half", (), parts))
    assert as_cell(SLSTM) is SLSTM


@pytest.mark.parametrize("name", CELLS)
def test_names_of_a_cell_are_told_once_and_fit_each_other(name):
    cell = CELLS[name]
    assert cell.states == cell.record._fields
    assert cell.states[0] == "h"
    for names in (cell.pre_activations, cell.gates, cell.saved):
        assert len(set(names)) == len(names)
    assert set(cell.gates) <= set(cell.saved)
    assert set(peepholes_of(cell)) <= set(cell.gates)
    for weight in ("W", "U"):
        assert set(peepholes_of(cell).values()) <= set(without(cell, weight)) <= set(cell.pre_activations)


def test_peepholes_read_neither_input_nor_h_and_a_cell_without_u_reads_no_h():
    weights = ("peephole_input", "peephole_forget", "peephole_output")
    assert without(CELLS["lstm_peephole"], "W") == without(CELLS["lstm_peephole"], "U") == weights
    assert without(CELLS["min_gru"], "U") == CELLS["min_gru"].pre_activations
    assert without(CELLS["min_gru"], "W") == without(CELLS["lstm"], "U") == ()


def test_the_additive_state_is_c_where_there_is_one():
    assert [additive_state(CELLS[name]) for name in ("gru", "lstm")] == [0, 1]
    assert additive_state(SLSTM) == 1
