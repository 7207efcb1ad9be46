"""Charts of parts, cuts, units and edges: they draw the tables' numbers, and name only columns that are there."""

import base64
import json
import math
import struct
import zlib

import numpy as np
import pandas as pd
import pytest

from gradlab import CELLS, Experiment
from gradlab.analyses.paths import cut, decompose, edges, gate_statistics, microscope, one_unit
from gradlab.charts import colours, gates, paths, raster, unrolled
from gradlab.exports import svg
from gradlab.words.paths import COMPARED
from tests.charts.drawing import strangers, texts

SMALL = Experiment(hidden_size=6, steps=25, batch_size=2, input_size=3)


def lowest(table, state="c"):
    return table[(table["layer"] == 0) & (table["state"] == state)].reset_index(drop=True)


@pytest.fixture(scope="module")
def pictures():
    parts = lowest(decompose(SMALL, orders=3))
    left = pd.concat([lowest(cut(SMALL, without=without)) for without in ((), "direct", "recurrent")])
    scope = microscope(SMALL)
    wide = pd.DataFrame(scope.values["c"].T)
    unit = scope.table.query("unit == 2 and quantity in ('forget', 'output')")
    statistics = gate_statistics(SMALL).query("gate != 'candidate'")
    flow = edges(SMALL.replace(depth=2))
    return {
        dark: {
            "parts": paths.parts(parts, dark=dark),
            "shares": paths.shares(parts[parts["path"] != "total"], dark=dark),
            "left": paths.left(left, dark=dark),
            "by hand": paths.by_hand(one_unit(0.9, 0.5, 25), dark=dark),
            "heat map": gates.heat_map(
                wide, "c", chosen=3, letters=pd.Series(list("a text of 25 characters …")), dark=dark
            ),
            "one unit": gates.one_unit(unit, "gates", dark=dark),
            "spread": gates.spread(statistics, dark=dark),
            "network": unrolled.network(flow, (-20.0, 0.0), dark=dark),
        }
        for dark in (False, True)
    }


@pytest.mark.parametrize("dark", [False, True])
def test_a_line_after_a_cut_has_the_colour_of_no_cell_on_its_page(dark):
    def rgb(colour):
        return np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)])

    cells = [rgb(colours.cell_colour(cell, dark)) for cell in COMPARED]
    for cut_colour in paths.CUTS[dark]:
        assert min(np.linalg.norm(rgb(cut_colour) - cell) for cell in cells) > 60, cut_colour
        first, second = sorted((luminance(cut_colour), luminance(colours.INKS[dark].paper)))
        assert (second + 0.05) / (first + 0.05) > 3, cut_colour


def luminance(colour):
    """Relative luminance (WCAG 2)."""
    shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def test_a_row_of_a_map_says_the_range_of_its_unit():
    wide = pd.DataFrame([[0.5, -0.25, math.nan], [2.0, 2.0, 2.0]], index=[4, 7], columns=range(3))
    says = gates.heat_map(wide, "c").to_dict()["datasets"].values()
    rows = {row["unit"]: row["says"] for rows in says for row in rows if "says" in row}
    assert rows == {4: "Unit 4: c −0.25 to 0.5\nClick for every step", 7: "Unit 7: c 2\nClick for every step"}
    log = gates.heat_map(pd.DataFrame([[-3.0, 0.0]], index=[1], columns=range(2)), "log10 gradient")
    says = [row.get("says", "") for rows in log.to_dict()["datasets"].values() for row in rows]
    assert any(text.startswith("Unit 1: gradient 0.001 to 1\n") for text in says)


NAMES = ["parts", "shares", "left", "by hand", "heat map", "one unit", "spread", "network"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dark", [False, True])
def test_every_chart_is_valid_draws_and_names_only_columns_of_its_tables(pictures, name, dark):
    chart = pictures[dark][name]
    assert strangers(chart) == set()
    json.dumps(chart.to_dict())  # Vega-Lite's schema
    assert svg(chart).startswith(b"<svg")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_nothing_that_is_written_leaves_the_picture_of_a_phone(pictures, name):
    found, width, height = texts(pictures[False][name], 340)
    for text in found:
        assert text.left >= -1, text
        assert text.right <= width + 2, text
        assert text.bottom <= height + 2, text


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_has_its_parts_and_edges_drawn(cell):
    experiment = SMALL.replace(cell=cell)
    state = CELLS[cell].states[-1]
    svg(paths.parts(lowest(decompose(experiment, orders=2), state)))
    svg(unrolled.network(edges(experiment), (-5.0, 0.0)))


def test_more_orders_than_colours_and_lines_of_nothing_but_zero_are_drawn():
    rnn = lowest(decompose(SMALL.replace(cell="rnn"), orders=12), "h")
    svg(paths.parts(rnn))
    svg(paths.shares(rnn[rnn["path"] != "total"]))


def test_the_total_of_shares_is_one_in_the_drawn_rows(pictures):
    drawn = pictures[False]["shares"].layer[0].data
    assert drawn.groupby("step")["share"].sum().to_numpy() == pytest.approx(1, abs=1e-9)


def pixels(url):
    """Palette colours of a picture made by `raster`, [rows, columns, 3]."""
    data = base64.b64decode(url.removeprefix("data:image/png;base64,"))
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    columns, rows, *kind = struct.unpack(">IIBBBBB", data[16:29])
    assert kind == [8, 3, 0, 0, 0]  # ISO/IEC 15948: eight bits, a palette, deflate, no interlacing
    parts, at = {}, 8
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0] == zlib.crc32(kind + body)
        parts[kind] = body
        at += 12 + length
    index = np.frombuffer(zlib.decompress(parts[b"IDAT"]), np.uint8).reshape(rows, columns + 1)
    assert not index[:, 0].any()  # no filter
    return np.frombuffer(parts[b"PLTE"], np.uint8).reshape(-1, 3)[index[:, 1:]]


def test_a_picture_has_the_colours_of_its_values_in_their_places():
    scale = raster.Scale(0.0, 2.0, ("#000000", "#FF0000", "#FFFFFF"))
    found = pixels(raster.data_url(np.array([[0.0, 1.0], [2.0, np.nan], [-5.0, 9.0]]), scale, "#0000FF"))
    rows, columns = len(found) // 3, found.shape[1] // 2
    corners = [[tuple(found[r * rows + rows // 2, c * columns + columns // 2]) for c in (0, 1)] for r in (0, 1, 2)]
    assert corners == [[(0, 0, 0), (255, 0, 0)], [(255, 255, 255), (0, 0, 255)], [(0, 0, 0), (255, 255, 255)]]
    assert min(found.shape[:2]) >= raster.TALL


@pytest.mark.parametrize("count", [1, 2, 300, 511, 512, 513])
def test_the_colours_of_a_picture_lie_on_straight_lines_between_those_of_its_scale(count):
    """A ramp down and a ramp along, as small and as large as numbers get, and what is not finite in a colour apart."""
    stops = np.array([[0, 200, 16], [255, 100, 16], [55, 0, 255]])
    names = tuple("#" + bytes(stop.tolist()).hex() for stop in stops)
    for low, high in ((-3.0, 5.0), (-1.6e308, 1.7e308), (2.0, 2.0 + 1e-9)):
        place = np.linspace(0, 1, count)
        values = low * (1 - place) + high * place
        expected = np.stack([np.interp(2 * place, [0, 1, 2], stops[:, channel]) for channel in range(3)], axis=1)
        for ramp in (values[:, None], values[None]):
            found = pixels(raster.data_url(ramp, raster.Scale(low, high, names), "#000000"))
            enlarged = [size * math.ceil(raster.TALL / size) for size in ramp.shape]
            assert list(found.shape[:2]) == enlarged
            cells = found.reshape(ramp.shape[0], enlarged[0] // ramp.shape[0], ramp.shape[1], -1, 3)
            assert (cells == cells[:, :1, :, :1]).all()
            assert np.abs(cells[:, 0, :, 0].reshape(-1, 3) - expected).max() <= 1.6  # 254 steps of colour
    flat = pixels(raster.data_url(np.array([[2.0, np.nan, np.inf]]), raster.Scale(2.0, 2.0, names), "#010203"))
    assert [tuple(flat[0, at]) for at in (0, 256, -1)] == [(0, 200, 16), (1, 2, 3), (1, 2, 3)]


def test_more_steps_than_a_screen_has_are_averaged_and_constant_ones_kept():
    values = np.repeat(np.arange(3.0)[:, None], 2000, axis=1)
    binned = gates._binned(values, gates.COLUMNS_SHOWN)
    assert binned.shape[1] <= gates.COLUMNS_SHOWN
    assert (binned == np.arange(3.0)[:, None]).all()


def test_a_map_of_128_units_over_2000_steps_is_a_light_chart():
    random = np.random.default_rng(0)
    chart = gates.heat_map(pd.DataFrame(random.normal(size=(128, 2000))), "c")
    assert len(json.dumps(chart.to_dict(validate=False))) < 300_000
