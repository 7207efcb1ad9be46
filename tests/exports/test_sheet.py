"""A chart's SVG as a sheet: of the size that is asked for, with its note below and powers with raised exponents."""

import io
import re
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
import vl_convert
from PIL import Image

from gradlab.exports.layout import Layout
from gradlab.exports.sheet import EAST_ASIAN, FONT, NOTE_SIZE, sheet, wrapped

WORDS = "RNN, GRU (keep-gate bias 3) · hidden size 8 · gain 1.5 · WMW @ iljt · steps 40 · 기울기 · seed 11 " * 3
SVG = "{http://www.w3.org/2000/svg}"


def drawing(width=500, height=300, text="a", size=12):
    return (
        f'<svg class="marks" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f'<text font-family="{FONT}" font-size="{size}px" fill="#000">{text}</text></svg>'
    )


def typeset(text, size=12, powers=True):
    """(the attributes of a text of a chart on its sheet, the text with its tags)"""
    inside = sheet(drawing(text=text, size=size), Layout(powers=powers), "", "#fff", "#000").inside
    return re.search(r"<text ([^>]*)>(.*?)</text>", inside).groups()


@pytest.mark.parametrize(("width", "height"), [(500, 300), (312.5, 520)])
@pytest.mark.parametrize("layout", [Layout(), Layout(width=3.25, font_size=8, dpi=300), Layout(width=2, dpi=72)])
def test_png_pdf_and_svg_are_one_size_and_have_the_chart_s_proportions(width, height, layout):
    page = sheet(drawing(width, height), layout, "", "#fff", "#000")
    pixels = np.array(page.pixels(layout)) / layout.dpi
    points = np.array([float(number) for number in page.points(layout)]) / 72
    inches = np.array([float(number.removesuffix("in")) for number in page.inches(layout)])
    assert pixels == pytest.approx(inches, abs=1 / layout.dpi)
    assert points == pytest.approx(inches, abs=1e-3)
    assert inches[0] == layout.width
    assert inches[1] / inches[0] == pytest.approx(page.height / page.width, rel=1e-3)
    assert page.height == height
    assert page.width == max(width, layout.chart_width)
    assert page.left + page.width / 2 == width / 2, "the chart stands in the middle"


def test_a_note_stands_within_the_sheet_below_the_chart_line_below_line_in_its_ink():
    layout = Layout(width=4)
    page = sheet(drawing(), layout, WORDS, "#eee", "#123456")
    root = ElementTree.fromstring(page.document(("4in", "3in"), "<desc>x</desc>"))
    assert (root.get("width"), root.get("height")) == ("4in", "3in")
    box = [float(number) for number in root.get("viewBox").split()]
    assert box == [page.left, 0, page.width, page.height]
    ground = root.find(f"{SVG}rect")
    assert [float(ground.get(name)) for name in ("x", "width", "height")] == [page.left, page.width, page.height]
    assert ground.get("fill") == "#eee"
    _, *lines = root.iter(f"{SVG}text")
    assert {line.get("fill") for line in lines} == {"#123456"}
    assert " ".join(line.text for line in lines).split() == WORDS.split()
    heights = [float(line.get("y")) for line in lines]
    assert len(lines) > 2
    assert heights[0] - NOTE_SIZE * 0.7 >= 300, "capitals are some 0.7 of the size high"
    assert all(NOTE_SIZE < below - above < 1.6 * NOTE_SIZE for above, below in pairwise(heights))
    assert NOTE_SIZE * 0.2 < page.height - heights[-1] < 1.6 * NOTE_SIZE, "room for what hangs below the last line"
    assert len({line.get("x") for line in lines}) == 1
    margin = float(lines[0].get("x")) - page.left
    assert 4 <= margin <= 12
    room = page.width - 2 * margin
    assert [line.text for line in lines] == [line for line in wrapped(WORDS, room, NOTE_SIZE) if line]


@pytest.mark.parametrize("room", [150, 400.5, 3000])
def test_lines_lose_no_word_and_are_as_full_as_they_can_be(room):
    lines = wrapped(WORDS, room, 10)
    assert " ".join(lines) == WORDS
    for line, following in pairwise(lines):
        first = following.split(" ")[0]
        assert len(wrapped(f"{line} {first}", room, 10)) > 1, "it has no room for one word more"
        assert len(wrapped(line, room, 10)) == 1


def test_a_word_longer_than_the_room_stands_alone_and_no_break_spaces_are_kept():
    assert wrapped("a verylongword b", 12, 10) == ["a", "verylongword", "b"]
    assert wrapped("seed\u00a011", 1, 10) == ["seed\u00a011"]


def taken_width(text):
    """Pixels that a text of 100 pixels is taken to need: by so much a line's room must grow for it."""

    def least_room(line):
        low, high = 0.0, 1e5
        while high - low > 0.01:
            middle = (low + high) / 2
            low, high = (low, middle) if len(wrapped(line, middle, 100)) == 1 else (middle, high)
        return high

    return least_room(f"a a{text}") - least_room("a a")


def drawn_width(text):
    """Pixels from the first ink to the last of a text in Liberation Sans of 100 pixels, between two bars."""
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9000" height="150"><text x="10" y="100" xml:space="preserve" '
    svg += f'font-family="Liberation Sans" font-size="100px">|{text}|</text></svg>'
    ink = np.array(Image.open(io.BytesIO(vl_convert.svg_to_png(svg))).convert("RGBA"))[..., 3].any(axis=0)
    columns = np.flatnonzero(ink)
    return columns[-1] - columns[0]


@pytest.mark.parametrize(
    ("letters", "more"),
    [
        ("ijltfrI.,:;' ()[]/", 1.2),
        ("abcdeghknopqsuvxyz0123456789", 1.1),
        ("ABCDEFHJKLNPRSTUVXYZ", 1.1),
        ("mwMWGOQ%", 1.1),
        (WORDS[:72], 1.15),
    ],
)
def test_letters_are_taken_to_be_as_wide_as_they_are_drawn_or_a_little_wider(letters, more):
    letters = letters.replace(" ", "\u00a0")
    real = drawn_width(letters * 2) - drawn_width(letters)  # without the bars
    assert real <= taken_width(letters) <= more * real


def test_an_east_asian_letter_is_as_wide_as_its_font_is_high():
    assert taken_width("기울기漢") == pytest.approx(400, abs=0.1)


def test_a_power_of_ten_is_written_with_its_exponent_raised_and_smaller():
    _, written = typeset("left: 2.2e-57, at most 3e+12")
    assert (
        re.sub(r"<tspan[^>]*>(.*?)</tspan>", r"^\1", written)
        == "left: 2.2\u00a0×\u00a010^−57, at most 3\u00a0×\u00a010^12"
    )
    sizes = re.findall(r'<tspan baseline-shift="super" font-size="([\d.]+)px">', typeset("1e5", size=20)[1])
    assert len(sizes) == 1
    assert 10 < float(sizes[0]) < 20


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("1e-5", "10^−5"), ("1e+05", "10^5"), ("1e−3000", "10^−3000"), ("4e0", "4"), ("1e0", "1"), ("2e", "2e"),
        ("1.0e2", "1.0 × 10^2"), ("a1e5", "a1e5"), ("1e5x", "1e5x"), ("2.1e5", "2.1 × 10^5"), ("3.2.1e5", "3.2.1e5"),
    ],
)  # fmt: skip
def test_only_a_number_in_e_notation_is_a_power(written, shown):
    _, raised = typeset(written)
    assert re.sub(r"<tspan[^>]*>(.*?)</tspan>", r"^\1", raised).replace("\u00a0", " ") == shown
    assert typeset(written, powers=False)[1] == written


def test_tags_within_a_text_stay_and_their_numbers_are_no_powers():
    _, written = typeset('<tspan x="1e5">2e3</tspan>')
    assert written.startswith('<tspan x="1e5">2\u00a0×\u00a010<tspan ')


def test_east_asian_letters_have_a_font_that_has_them_and_others_the_usual_one():
    assert f'font-family="{FONT}"' in typeset("gradient")[0]
    assert f'font-family="{EAST_ASIAN}"' in typeset("a 기")[0]
    assert f'font-family="{FONT}"' in typeset("Ω − ∂")[0]
