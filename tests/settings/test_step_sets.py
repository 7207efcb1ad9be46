"""Sets of steps: what a text names is what Python's own sets hold, at the cost of the text alone."""

import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gradlab import Experiment
from gradlab.settings.losses import LOSSES, Placement
from gradlab.settings.step_sets import StepSet

PARTS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12)), min_size=1, max_size=12)


def named(parts):
    """(a text, the steps that it names) of pairs of a first step and a number of further ones."""
    text = ", ".join(f"{first}-{first + more}" if more else str(first) for first, more in parts)
    return text, {step for first, more in parts for step in range(first, first + more + 1)}


@given(PARTS, st.integers(0, 80))
@example([(0, 2), (3, 0), (5, 0)], 4)  # ranges that touch
def test_a_set_of_ranges_is_the_set_of_steps_that_its_text_names(parts, last):
    text, steps = named(parts)
    found = StepSet.parse(text)
    assert found.array.tolist() == sorted(steps)
    assert (len(found), found.last) == (len(steps), max(steps))
    assert {step for step in range(90) if step in found} == steps
    assert all(a.stop < b.start for a, b in zip(found.ranges, found.ranges[1:], strict=False))
    assert StepSet.parse(str(found)) == found
    assert len(str(found)) <= len(text)
    assert found.clipped(last).array.tolist() == sorted({min(step, last) for step in steps})
    assert len(str(found.clipped(last))) <= len(text)
    assert np.array_equal(LOSSES["steps"].steps(100, Placement(loss_steps=text)), sorted(steps))


@pytest.mark.parametrize("text", ["", "a", "1,,2", "5-3", "-3", "3-", "1.5", "٣", "99999999", "9" * 400, "1-2-3"])
def test_what_names_no_steps_is_refused_in_a_short_sentence(text):
    with pytest.raises(ValueError, match="range") as refused:
        StepSet.parse(text)
    assert len(str(refused.value)) < 100
    assert len(text) > 10 or any(f"{part.strip()!r} is " in str(refused.value) for part in text.split(","))


def test_a_set_of_ten_million_steps_takes_no_more_than_one_of_ten():
    tracemalloc.start()
    begin = time.process_time()
    e = Experiment(loss_steps=",".join(["0-9999999"] * 40))
    assert Experiment(**dict(e)) == e
    took, (_, most) = time.process_time() - begin, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert took < 0.1
    assert most < 1e6


def test_an_experiment_is_shortened_with_a_set_that_is_as_long_as_a_setting_may_be():
    many = ",".join(map(str, range(122)))
    e = Experiment(loss="steps", loss_steps=many, steps=300)
    assert e.shortened(50).injection_steps.tolist() == list(range(50))


@pytest.mark.parametrize("length", [1, 19, 20, 21, 400])
def test_a_refused_part_is_quoted_whole_where_twenty_characters_hold_it(length):
    text = "x" * length
    with pytest.raises(ValueError, match="neither a step nor a range") as refused:
        StepSet.parse(text)
    quoted = str(refused.value).split("'")[1]
    assert len(quoted) == min(length, 20)
    assert quoted == text if length <= 20 else quoted == text[:19] + "…"
