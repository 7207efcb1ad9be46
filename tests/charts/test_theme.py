"""The picture language: colours, names, fonts, numbers as powers of ten."""

import ast
import itertools
import math
from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd
import pytest
import vl_convert
from hypothesis import given
from hypothesis import strategies as st

from gradlab import exports
from gradlab.cells import CELLS
from gradlab.charts import annotations, colours, theme, traces
from gradlab.words.numbers import counted, every, number, plain
from tests.charts.drawing import items, swatches


@pytest.mark.parametrize(
    ("log10", "text"),
    [
        (0.0, "1"),
        (-1300.4, "4.0\u00a0×\u00a010⁻¹³⁰¹"),
        (6020.3, "2.0\u00a0×\u00a010⁶⁰²⁰"),
        (-3.00001, "1.0\u00a0×\u00a010⁻³"),  # 9.9998e-4 rounds up into the next decade
        (math.log10(0.05), "0.05"),
        (math.log10(1234.0), "1,234"),
        (math.inf, "infinite"),
        (-math.inf, "exactly 0"),
        (math.nan, "not finite"),
    ],
)
def test_a_number_is_written_from_its_log10(log10, text):
    assert number(log10) == text


@given(st.floats(-300, 300))
def test_what_is_written_reads_back_to_its_two_digits(log10):
    assert math.log10(float(plain(number(log10)).replace(",", ""))) == pytest.approx(
        log10, abs=0.0218
    )  # half of .1 in 1.0


def test_a_tooltip_says_a_number_as_sentences_do():
    exact = [-3000.4, -56.66, -10.0, -3.00001, -3.0, -2.9, -0.41, 0.0, 0.98, 1.0, 1.99, 1.998, 2.7, 3.999, 4.0, 6020.3]
    values = [*exact, *np.random.default_rng(0).uniform(-400, 400, 200), *np.random.default_rng(1).uniform(-4, 5, 200)]
    chart = annotations.with_number(alt.Chart(pd.DataFrame({"log10": values})), "log10").mark_text()
    graph = vl_convert.vegalite_to_scenegraph(chart.encode(text="size:N").to_dict())
    said = [item["text"] for item in items({"items": [graph["scenegraph"]]}, "text")]
    assert said == [number(value) for value in values]


def test_every_channel_is_given_its_type():
    """Altair tries the types one after the other where it is given a text or a value, for 2 to 6 ms each."""
    found = []
    for path in Path(theme.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "encode":
                given = {one: ast.unparse(one.value) for one in node.keywords}
                untyped = ("'", '"', "f'", 'f"', "alt.value", "alt.condition", "alt.when", "alt.datum")
                found += [(path.name, one.lineno, text) for one, text in given.items() if text.startswith(untyped)]
    assert found == []


def test_no_tooltip_says_a_logarithm():
    found = []
    for path in Path(theme.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "alt.Tooltip":
                found.append((path.name, ast.unparse(node)))
    assert len(found) > 20
    assert [text for text in found if "log10" in text[1] or "value}:Q" in text[1]] == []


def test_every_cell_has_a_colour_of_its_own_in_each_theme():
    for dark in (False, True):
        assert len({colours.cell_colour(cell, dark) for cell in CELLS}) == len(CELLS)
    for cell in CELLS:
        assert colours.cell_colour(cell, dark=False) != colours.cell_colour(cell, dark=True)


def channels(colour: str) -> list[int]:
    return [int(colour[n : n + 2], 16) for n in (1, 3, 5)]


@pytest.mark.parametrize("dark", [False, True])
def test_forty_cells_have_forty_colours_that_stand_out_from_the_paper(dark, monkeypatch):
    for place in range(len(CELLS), 40):
        monkeypatch.setitem(CELLS, f"another {place}", CELLS["rnn"])
    drawn = [colours.cell_colour(cell, dark) for cell in CELLS]
    assert len(set(drawn)) == len(CELLS) == 40
    for cell in list(CELLS)[5:]:
        assert contrast(colours.cell_colour(cell, dark), dark) >= 3, cell  # WCAG asks 3 of graphics
    first = drawn[:13]  # as many as are drawn together differ at a glance, not in a bit
    apart = [math.dist(channels(a), channels(b)) for n, a in enumerate(first) for b in first[:n]]
    assert min(apart) > 40


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.1."""
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in (n / 255 for n in channels(colour))]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(colour: str, dark: bool) -> float:
    """Of a colour and the paper, WCAG 2.1."""
    low, high = sorted((luminance(colour), luminance(colours.INKS[dark].paper)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("dark", [False, True])
def test_lines_stand_out_from_the_paper_and_texts_can_be_read(dark):
    ink = colours.INKS[dark]
    for cell in CELLS:
        assert contrast(colours.cell_colour(cell, dark), dark) >= 2.8, cell  # WCAG asks 3 of graphics
    assert min(contrast(colour, dark) for colour in (ink.text, ink.muted, ink.alarm)) >= 4.5


def over_paper(colour: str, opacity: float, dark: bool) -> str:
    both = zip(channels(colour), channels(colours.INKS[dark].paper), strict=True)
    return "#" + "".join(f"{round(opacity * ink + (1 - opacity) * paper):02X}" for ink, paper in both)


def lab(colour: str) -> list[float]:
    """CIE L*a*b* of an sRGB colour, white point D65."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (n / 255 for n in channels(colour))]
    rows = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    white = [sum(row) for row in rows]
    ratios = [sum(a * b for a, b in zip(row, linear, strict=True)) / w for row, w in zip(rows, white, strict=True)]
    x, y, z = (t ** (1 / 3) if t > (6 / 29) ** 3 else t / (3 * (6 / 29) ** 2) + 4 / 29 for t in ratios)
    return [116 * y - 16, 500 * (x - y), 200 * (y - z)]


NOTICED = 2.3  # ΔE of 1976: a difference that is just noticed (Mahy et al. 1994)


@pytest.mark.parametrize("dark", [False, True])
def test_swatches_of_neighbouring_layers_differ_in_shade_and_width_and_stand_out_from_the_paper(traced, dark):
    drawn = swatches(traces.lines(traced("rnn", "gru", depth=8, steps=9), dark=dark), "layer")
    assert len(drawn) == 8
    seen = [over_paper(one["stroke"], one["opacity"], dark) for one in drawn]
    assert min(contrast(colour, dark) for colour in seen) >= 3  # WCAG asks 3 of graphics
    for (one, upper), (swatch, above) in zip(itertools.pairwise(seen), itertools.pairwise(drawn), strict=True):
        assert math.dist(lab(one), lab(upper)) >= 1.8 * NOTICED
        assert swatch["strokeWidth"] >= 1.15 * above["strokeWidth"]
        assert swatch["opacity"] > above["opacity"]
    seen = [math.dist(lab(one), lab(upper)) for one, upper in itertools.pairwise(seen[:4])]
    assert min(seen) >= 2.5 * NOTICED, "more than four layers are seldom compared"


def test_every_gate_of_every_cell_has_a_colour_that_its_other_gates_have_not():
    for dark in (False, True):
        for cell in CELLS.values():
            assert len({colours.gate_colour(gate, dark) for gate in cell.pre_activations}) == len(
                cell.pre_activations
            ), cell


def test_every_font_stack_has_korean_and_ends_in_sans_serif():
    def fonts(value):
        if isinstance(value, dict):
            for key, inner in value.items():
                if key.lower().endswith("font"):
                    yield inner
                yield from fonts(inner)

    for dark in (False, True):
        found = list(fonts(theme.configuration(dark)))
        assert found
        for stack in found:
            names = [name.strip() for name in stack.split(",")]
            assert names[-1] == "sans-serif"
            assert "Noto Sans CJK KR" in names


def test_lines_are_named_by_what_tells_them_apart():
    def names(*lines):
        return list(theme.line_names(pd.DataFrame(lines, columns=["cell", "layer", "state"])))

    assert names(("rnn", 0, "h")) == ["RNN"]
    assert names(("rnn", 0, "h"), ("lstm", 0, "h")) == ["RNN", "LSTM"]
    assert names(("lstm", 0, "h"), ("lstm", 1, "c")) == ["layer 0 h", "layer 1 c"]
    assert names(("gru", 0, "h"), ("lstm", 1, "h")) == ["GRU layer 0", "LSTM layer 1"]


def test_marks_for_the_pointer_bear_the_name_that_still_pictures_leave_out():
    assert theme.POINTER == exports.pictures.POINTER


@pytest.mark.parametrize(
    ("count", "text", "often"),
    [
        (1, "1 step", "every step"),
        (2, "2 steps", "every 2 steps"),
        (0, "0 steps", "every 0 steps"),
        ("1", "1 step", "every step"),
        ("74 to 79", "74 to 79 steps", "every 74 to 79 steps"),
        (1.5, "1.5 steps", "every 1.5 steps"),
    ],
)
def test_a_noun_follows_its_count(count, text, often):
    assert (counted(count, "step"), every(count, "step")) == (text, often)
