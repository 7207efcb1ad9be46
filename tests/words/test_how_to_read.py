"""How a figure is to be read: by its own name, by another's, or by words of its own."""

import pkgutil
import re
from importlib import import_module

import pytest
from streamlit.testing.v1 import AppTest

from gradlab import words
from gradlab.cells import SATURATED
from gradlab.words.how_to_read import READINGS, Reading, Words
from gradlab.words.story import LESSONS

MODULES = [import_module(f"{words.__name__}.{module.name}") for module in pkgutil.iter_modules(words.__path__)]
EVERY = READINGS | {f"{name} of the story": lesson.how for name, lesson in LESSONS.items()}
EVERY |= {f"{module.__name__}.{name}": value for module in MODULES for name, value in vars(module).items()
          if isinstance(value, Reading)}  # fmt: skip
LATEX = re.compile(r"[\\^{}$]")


def test_a_figure_is_read_as_its_name_or_another_says_or_in_its_own_words():
    own = Reading("x", "Of its own.", "its line.")
    assert Words("gates", "", "").reading is READINGS["gates"]
    assert Words("gates", "", "", "cuts").reading is READINGS["cuts"]
    assert Words("gates", "", "", own).reading is own


def test_a_gate_is_said_to_saturate_where_the_cells_count_it():
    low, high = re.search(r"< ([\d.]+).*> ([\d.]+)", READINGS["gates"].formula).groups()
    assert (float(low), float(high)) == SATURATED


@pytest.mark.parametrize("reading", EVERY.values(), ids=EVERY)
def test_every_picture_is_read_by_a_sentence_first_and_one_line_says_what_to_look_for(reading):
    first = reading.text.split("\n\n")[0]
    assert re.fullmatch(r"[A-Z].*\.", first)
    assert not LATEX.search(first), "the formula stands below"
    assert LATEX.search(reading.formula) or "=" in reading.formula or "+" in reading.formula
    assert re.fullmatch(r"\*\*Look for:\*\* ([^\n.?]|\.\d)+[.?]", reading.look), "one sentence"


def page():
    from gradlab.ui.parts.figure import how_to_read
    from gradlab.words.how_to_read import Words

    how_to_read(Words("cuts", "", ""))


def test_what_to_look_for_stands_above_the_sentences_and_the_formula_below_both():
    app = AppTest.from_function(page, default_timeout=60)
    app.session_state["read cuts"] = True
    app.run()
    assert not app.exception
    cuts = READINGS["cuts"]
    shown = [(part.type, part.value) for part in app.main if part.type in ("markdown", "latex")]
    assert shown == [("markdown", cuts.look), ("markdown", cuts.text), ("latex", f"$$\n{cuts.formula}\n$$")]
