"""What is said to who waits, read back: the time named is the time given, to half of the unit it is named in."""

import re

import pytest

from gradlab.words.waiting import duration, takes_long, under_way

SECONDS = {"s": 1, "minutes": 60, "hours": 3600}


@pytest.mark.parametrize("seconds", [0.2, 1, 59.6, 60, 89.4, 90, 150, 601, 5399, 5400, 7199, 9001, 86_400])
def test_a_time_is_named_to_half_a_unit_in_one_that_leaves_more_than_one_of_it(seconds):
    count, unit = duration(seconds).split(" ")
    assert int(count) * SECONDS[unit] == pytest.approx(seconds, abs=SECONDS[unit] / 2)
    assert unit == ("s" if seconds < 90 else "minutes" if seconds < 90 * 60 else "hours")


@pytest.mark.parametrize(("fraction", "left"), [(0.004, 3.0), (0.25, 30.0), (0.99, 200.0)])
def test_work_under_way_has_its_share_and_the_time_that_is_left(fraction, left):
    title, percent, rest = re.fullmatch(r"(.*): (\d+)%, about (.*) left", under_way("A check", fraction, left)).groups()
    assert (title, rest) == ("A check", duration(left))
    assert int(percent) / 100 == pytest.approx(fraction, abs=0.005)


def test_work_of_which_nothing_is_known_has_its_title_alone():
    assert under_way("Drawing", 0.0, None) == "Drawing …"


def test_work_that_takes_long_is_named_by_its_first_title_and_the_number_of_the_others():
    assert f"about {duration(700)} (a trace)." in takes_long(["a trace"], 700)
    for titles in (["a trace", "a check"], ["a trace", "a check", "a matrix"]):
        first, others = re.search(r"\((.*) and (\d+) more\)", takes_long(titles, 700)).groups()
        assert (first, int(others)) == (titles[0], len(titles[1:]))
