"""The pages that ask why: their sentences are what the library computes, their toggles and choices do what they say."""

import json
import math

import pytest
from playwright.sync_api import Page, expect

import gradlab
from gradlab.paths import cut, decompose, microscope
from gradlab.ui.story import half_life, number, percent
from tests.ui.conftest import SMALL

CHART = '[data-testid="stVegaLiteChart"]'
WAIT = 60_000
FAR = "layer == 0 and state == 'c' and lag == 29"  # the first step of 30, as drawn


def one_of(app) -> gradlab.Experiment:
    return app.session_state["settings"].one


def said(app) -> str:
    return "\n".join(element.value for element in app.markdown)


def lines_of(app, number):
    spec = json.loads(app.get("vega_lite_chart")[number].proto.spec)
    return next(
        layer["encoding"]["color"]["scale"]["domain"] for layer in spec["layer"] if "color" in layer["encoding"]
    )


def test_the_story_says_the_share_and_norms_that_decompose_gives(open_app):
    app = open_app("why_addition", **SMALL, forget_bias="1.0")
    table = decompose(one_of(app), orders=8).query(FAR).set_index("path")
    share, norms = table["share"], table["log10_norm"]
    assert f"carries **{percent(share['direct'])}** of what arrives ({number(norms['direct'])} of" in said(app)
    for bias in (0.0, 1.0, 3.0):
        at = decompose(one_of(app).replace(forget_bias=bias), orders=0).query(
            "layer == 0 and state == 'c' and lag == 29"
        )
        at = at.set_index("path")
        assert f"at {bias:g} **{percent(at['share']['direct'])}** ({number(at['log10_norm']['direct'])} of" in said(app)


@pytest.mark.parametrize(("bias", "steps"), [(0, 1.0), (1, 2.213), (2, 5.461), (3, 14.266), (4, 38.190), (5, 103.218)])
def test_the_half_life_is_read_out_from_the_forget_bias(bias, steps):
    assert f"every **{steps:.3g} steps**" in half_life(gradlab.Experiment(forget_bias=bias))


def test_cells_without_a_forget_gate_have_no_forget_bias_to_read_out(open_app):
    app = open_app("why_addition", **SMALL, one_cell="GRU")
    assert "forget bias" not in said(app)
    assert half_life(gradlab.Experiment(cell="gru")) == ""


def test_a_toggle_adds_the_line_of_its_cut_and_says_what_it_leaves(open_app):
    app = open_app("why_addition", **SMALL, depth="2")
    cuts = app.get("vega_lite_chart")
    assert lines_of(app, len(cuts) - 1) == [
        "LSTM", "without the additive path", "without the recurrent weight U", "RNN",
    ]  # fmt: skip
    app.button_group(key="cuts").set_value(["forget"]).run()
    assert not app.exception
    assert lines_of(app, len(cuts) - 1) == ["LSTM", "without the forget gate", "RNN"]
    left = cut(one_of(app), without="forget").query(FAR)["log10_relative"].item()
    assert f"without the forget gate: {number(left)}" in said(app)
    app.selectbox(key="one_cell").set_value("GRU").run()
    assert not app.exception, "the GRU has no forget gate: that toggle is let go"
    assert lines_of(app, len(cuts) - 1)[0] == "GRU"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("query", "verdicts"),
    [
        ({"forget_bias": "3.0"}, {"product": False, "vanish": True}),
        ({"initialization": "zeros", "forget_bias": "1.0"}, {"product": True, "vanish": False}),
        ({"one_cell": "minGRU"}, {"product": True}),
    ],
    ids=lambda value: " ".join(map(str, value.values())),
)
def test_textbook_sentences_are_judged_by_the_numbers(open_app, query, verdicts):
    app = open_app("why_addition", **({"hidden_size": "32", "steps": "120", "batch_size": "2"} | query))
    for word, holds in verdicts.items():
        sentence = next(e.value for e in app.markdown if e.value.startswith((":green", ":red")) and word in e.value)
        assert sentence.startswith(":green") == holds, sentence


def test_the_warm_up_says_both_powers(open_app):
    app = open_app("one_unit")
    app.select_slider(key="weight").set_value(0.5).run()
    app.select_slider(key="gate").set_value(0.5).run()
    assert f"leaves {number(99 * math.log10(0.5))}" in said(app)
    assert f"leaves {number(99 * math.log10(0.75))}" in said(app)


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["RNN", "LSTM", "GRU", "minLSTM", "LSTM (peepholes)"])
def test_the_microscope_has_a_map_for_every_quantity_and_a_close_up(open_app, cell):
    app = open_app("gates", **SMALL, one_cell=cell, inputs="text", unit="3")
    scope = microscope(one_of(app))
    charts = [json.loads(chart.proto.spec) for chart in app.get("vega_lite_chart")]
    pictures = [chart for chart in charts if '"type": "image"' in json.dumps(chart)]
    assert len(pictures) == len(scope.values)
    assert app.subheader[0].value == "Unit 3"
    rank = int(scope.units.set_index("unit").loc[3, "rank"]) + 1
    assert f"Unit 3 is number {rank} of 8 by memory" in said(app)


def test_without_a_choice_the_unit_of_the_longest_memory_is_in_close_up(open_app):
    app = open_app("gates", **SMALL)
    assert app.subheader[0].value == f"Unit {microscope(one_of(app)).units['unit'].iloc[0]}"


def test_the_unrolled_network_walks_back_from_the_loss(open_app):
    app = open_app("unrolled", **(SMALL | {"steps": "100"}), depth="2")
    assert "At lag 29" in said(app)
    app.select_slider(key="lag").set_value(70).run()
    assert not app.exception
    assert "At lag 99" in said(app)
    spec = json.loads(app.get("vega_lite_chart")[0].proto.spec)
    assert spec["layer"][0]["encoding"]["x"]["scale"]["domain"] == [-0.7, 30]


def settled(page: Page) -> None:
    page.locator(f"{CHART} svg, {CHART} canvas").first.wait_for(timeout=WAIT)
    running = page.get_by_test_id("stApp")
    expect(running).to_have_attribute("data-test-script-state", "notRunning", timeout=WAIT)


@pytest.mark.browser
def test_toggles_in_the_browser_cut_and_stay_in_the_link(page: Page, app_url: str):
    page.goto(f"{app_url}/why_addition?steps=60&hidden_size=16")
    settled(page)
    page.get_by_test_id("stMain").get_by_text("the forget gate", exact=True).click()
    expect(page.get_by_text("without the forget gate:")).to_be_visible(timeout=WAIT)
    page.reload()
    settled(page)
    expect(page.get_by_text("without the forget gate:")).to_be_visible(timeout=WAIT)


@pytest.mark.browser
def test_a_click_on_a_row_chooses_its_unit(page: Page, app_url: str):
    page.goto(f"{app_url}/gates?steps=60&hidden_size=16")
    settled(page)
    experiment = gradlab.Experiment(steps=60, hidden_size=16)
    units = microscope(experiment).units["unit"].tolist()
    expect(page.get_by_role("heading", name=f"Unit {units[0]}", exact=True)).to_be_visible(timeout=WAIT)
    picture = page.locator(CHART).first.locator("image").first
    box = picture.bounding_box()
    picture.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] * 10.5 / 16)
    expect(page.get_by_role("heading", name=f"Unit {units[10]}", exact=True)).to_be_visible(timeout=WAIT)
    assert f"unit={units[10]}" in page.url
