"""Parts of a table, put together, are the table; whether each of them is one line is known before any is made."""

import numpy as np
import pandas as pd
import pytest

from gradlab.analyses.parts import Part, as_parts, blocks, first_and_last, joined, lines_in, together

COLUMNS = ("cell", "layer", "step", "value")


def part(layer, first, last, same=("cell", "layer"), span=True):
    """A line of a layer over some steps, of which the columns `same` are said beforehand."""
    step = np.arange(first, last + 1)
    table = pd.DataFrame({"cell": "rnn", "layer": layer, "step": step, "value": 10.0 * layer + step})
    common = {name: {"cell": "rnn", "layer": layer}[name] for name in same}
    rest = table.drop(columns=list(common))
    return Part(COLUMNS, common, len(table), (first, last) if span else None, lambda: rest), table


def test_parts_together_are_the_table_with_its_columns_in_order():
    pairs = [part(0, 2, 5), part(1, 0, 3, same=()), part(2, 1, 1, same=("layer",))]
    whole = pd.concat([table for _, table in pairs], ignore_index=True)
    assert together([one for one, _ in pairs])[list(COLUMNS)].equals(whole)
    assert tuple(pairs[0][0].rows().columns) == COLUMNS
    assert together(whole) is whole
    assert joined([whole]) is whole
    (alone,) = as_parts(whole)
    assert (alone.columns, alone.count) == (COLUMNS, len(whole))
    assert alone.rows() is whole
    assert as_parts([alone]) == [alone]


@pytest.mark.parametrize(
    ("parts", "lines"),
    [
        ([part(0, 0, 3), part(1, 0, 3)], True),
        ([part(0, 0, 3)], True),
        ([part(0, 0, 3), part(0, 4, 7)], False),  # one line in two parts
        ([part(0, 0, 3), part(1, 0, 3, span=False)], False),
        ([part(0, 0, 3), part(1, 0, 3, same=("cell",))], False),
    ],
)
def test_parts_are_lines_where_each_is_one_of_its_own(parts, lines):
    assert lines_in([one for one, _ in parts], ("cell", "layer")) is lines
    assert lines_in([one for one, _ in parts], ("cell", "layer", "path", "state")) is lines, "of columns that it has"


def test_a_part_that_says_more_than_the_columns_of_a_line_is_one_too():
    assert lines_in([part(0, 0, 3)[0], part(1, 0, 3)[0]], ("layer",))
    assert not lines_in([part(0, 0, 3)[0], part(1, 0, 3)[0]], ("cell",))


@pytest.mark.parametrize("rows", [1, 3, 4, 100])
def test_blocks_hold_every_row_once_in_order_and_no_more_than_asked_for(rows):
    pairs = [part(0, 2, 5), part(1, 0, 8), part(2, 0, -1)]
    found = list(blocks([one for one, _ in pairs], rows))
    assert all(tuple(block.columns) == COLUMNS for block in found)
    assert max(map(len, found)) <= rows
    assert len(found) == -(-4 // rows) + -(-9 // rows) + 1, "an empty part has its columns"
    assert pd.concat(found, ignore_index=True)["value"].tolist() == [2.0, 3.0, 4.0, 5.0, *range(10, 19)]


def test_parts_span_from_the_first_step_of_any_to_the_last_of_any():
    assert first_and_last([part(0, 3, 9)[0], part(1, 1, 5)[0], part(2, 2, 8)[0]]) == (1, 9)
