"""How a figure is to be read: by its own name, by another's, or by words of its own."""

import re

from gradlab.cells import SATURATED
from gradlab.words.how_to_read import READINGS, Reading, Words


def test_a_figure_is_read_as_its_name_or_another_says_or_in_its_own_words():
    own = Reading("x", "Of its own.")
    assert Words("gates", "", "").reading is READINGS["gates"]
    assert Words("gates", "", "", "cuts").reading is READINGS["cuts"]
    assert Words("gates", "", "", own).reading is own


def test_a_gate_is_said_to_saturate_where_the_cells_count_it():
    low, high = re.search(r"< ([\d.]+).*> ([\d.]+)", READINGS["gates"].formula).groups()
    assert (float(low), float(high)) == SATURATED
