"""An exported page in a real browser: the hover names every line, the legend puts lines aside, nobody is asked."""

import re

import pytest

from gradlab import exports
from gradlab.charts import theme
from gradlab.charts.traces import lines
from gradlab.words.numbers import number

pytestmark = pytest.mark.browser


@pytest.fixture
def opened(page, tmp_path, traced):
    """The page with its table; its requests and everything on its console are collected."""
    table = traced("rnn", "lstm", depth=2)
    file = tmp_path / "chart.html"
    file.write_bytes(exports.html(lines(table), title="A chart </script> & more"))
    page.asked, page.said = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.set_viewport_size({"width": 1000, "height": 700})
    page.goto(file.as_uri())
    page.wait_for_selector("#chart svg.marks")
    yield page, table
    assert page.asked == [file.as_uri()]
    assert page.said == []


def test_the_pointer_is_answered_with_the_step_the_lag_and_every_line_s_value(opened):
    page, table = opened
    box = page.locator("#chart svg.marks").bounding_box()
    page.mouse.move(box["x"] + 0.55 * box["width"], box["y"] + 0.6 * box["height"])
    tip = page.locator("#vg-tooltip-element.visible")
    tip.wait_for()
    shown = dict(zip(*(tip.locator(f"td.{part}").all_inner_texts() for part in ("key", "value")), strict=True))
    step = int(shown.pop("step"))
    assert 20 < step < 40
    assert int(shown.pop("lag")) == 59 - step
    at = table[table["step"] == step]
    assert shown == dict(zip(theme.line_names(at), at["log10_relative"].map(number), strict=True))


def test_a_click_on_the_legend_puts_the_other_cells_aside_and_a_second_click_brings_them_back(opened):
    page, _ = opened

    def faint() -> int:
        found = page.locator("#chart .mark-line path").all()
        return sum(float(line.get_attribute("opacity") or 1) < 0.1 for line in found)

    name = page.locator("#chart .role-legend-label text", has_text=re.compile("^LSTM$"))
    assert faint() == 0
    name.click()
    page.wait_for_function("document.querySelectorAll('#chart .mark-line path[opacity=\"0.06\"]').length")
    assert faint() == 2  # the RNN's two layers
    name.click()
    page.wait_for_function("!document.querySelectorAll('#chart .mark-line path[opacity=\"0.06\"]').length")
    assert faint() == 0


def test_a_click_on_one_legend_leaves_what_another_has_put_aside(opened):
    page, _ = opened
    faint = "document.querySelectorAll('#chart .mark-line path[opacity=\"0.06\"]').length"
    names = {
        text: page.locator("#chart .role-legend-label text", has_text=re.compile(f"^{text}$")) for text in ("LSTM", "1")
    }
    names["LSTM"].click()
    page.wait_for_function(f"{faint} === 2")
    names["1"].click()
    page.wait_for_function(f"{faint} === 4")  # all but the LSTM's h and c of layer 1
    names["1"].click()
    page.wait_for_function(f"{faint} === 2")
