"""A picture's layout: inches, points and pixels are each other's, whatever is asked for."""

import re

import pytest

from gradlab.exports.layout import COLUMN, LIMITS, MOST_PIXELS, PAGE, SCREEN, Layout

INCH = 96  # CSS pixels; 72 points


@pytest.mark.parametrize("width", [1.0, COLUMN, 6.1, PAGE, 20.0])
@pytest.mark.parametrize("font_size", [5.0, 7.5, 9.0, 24.0])
def test_labels_of_twelve_pixels_come_out_at_the_size_that_is_asked_for(width, font_size):
    layout = Layout(width=width, font_size=font_size, dpi=100)
    inches_a_pixel = width / layout.chart_width
    assert 12 * inches_a_pixel * 72 == pytest.approx(font_size, rel=0.5 / layout.chart_width)
    assert layout.scale == pytest.approx(inches_a_pixel, rel=0.5 / layout.chart_width)
    assert layout.pixels == round(100 * width)


def test_a_screen_s_picture_is_900_pixels_of_the_chart_and_has_two_dots_for_each():
    assert Layout().chart_width == 900
    assert Layout().pixels == 2 * 900
    assert SCREEN * INCH == 900
    assert Layout().changes == ""


def test_a_page_of_a_conference_is_two_columns_of_three_and_a_quarter_inches_with_a_quarter_between():
    assert COLUMN == 3.25
    assert PAGE == 2 * COLUMN + 0.25


@pytest.mark.parametrize("name", LIMITS)
def test_every_limit_is_allowed_itself_and_nothing_beyond_it_or_of_another_kind(name):
    low, high, unit = LIMITS[name]
    for value in (low, high):
        narrow = {} if name == "width" else {"width": 1.0}
        assert getattr(Layout(**{"dpi": 36} | narrow | {name: value}), name) == value
    for value in (low - 0.001, high + 0.001, True, str(low), None):
        with pytest.raises(ValueError, match=re.escape(f"{name} = {value!r} is not allowed")) as refused:
            Layout(**{name: value})
        assert str(refused.value).endswith(f"use {low:g} to {high:g} {unit}")


@pytest.mark.parametrize("width", [20.0, 15.0, 12.5])
def test_the_dpi_that_a_refusal_names_is_the_largest_that_is_allowed(width):
    with pytest.raises(ValueError, match="pixels a line") as refused:
        Layout(width=width, dpi=1200)
    most = int(re.search(r"up to (\d+)$", str(refused.value))[1])
    assert Layout(width=width, dpi=most).pixels <= MOST_PIXELS == 12_000
    with pytest.raises(ValueError, match="pixels a line"):
        Layout(width=width, dpi=most + 1)


def test_what_differs_from_the_default_is_written_as_arguments_that_make_it_again():
    layout = Layout(width=3.25, dpi=300, powers=False)
    assert layout.changes == "width=3.25, dpi=300, powers=False"
    assert eval(f"Layout({layout.changes})", {"Layout": Layout}) == layout
