"""The pages that ask why: their sentences are what the library computes, their toggles and choices do what they say."""

import json
import math
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from playwright.sync_api import Page, expect

import gradlab
from gradlab.analyses.paths import change_over, cut, decompose, edges, letters, lowest, microscope, summary
from gradlab.cells.contract import additive_name
from gradlab.ui.frame.link import of_pages
from gradlab.ui.parts import cuts, direct_path
from gradlab.words import paths as sentences
from gradlab.words.numbers import counted, number
from gradlab.words.paths import percent, resting_gate
from tests.ui.browser import CHART, visit
from tests.ui.conftest import SMALL, sent

left = cuts.left
FAR = "layer == 0 and state == 'c' and lag == 29"  # the first step of 30, as drawn


def one_of(app) -> gradlab.Experiment:
    return app.session_state["settings"].one


def summary_of(experiment):
    return summary(lowest(decompose(experiment)))


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
    assert f"makes up **{percent(share['direct'])}** of what arrives" in said(app)
    assert f"its norm is {number(norms['direct'])}, that of the total {number(norms['total'])}" in said(app)
    for bias in (0.0, 1.0, 3.0):
        at = decompose(one_of(app).replace(forget_bias=bias), orders=0).query(
            "layer == 0 and state == 'c' and lag == 29"
        )
        at = at.set_index("path")
        norm = number(at["log10_norm"]["direct"])
        assert f"at {bias:g} **{percent(at['share']['direct'])}** (norm {norm} of" in said(app)


@pytest.mark.parametrize(("bias", "steps"), [(0, 1.0), (1, 2.213), (2, 5.461), (3, 14.266), (4, 38.190), (5, 103.218)])
def test_the_half_life_is_read_out_from_the_forget_bias(bias, steps):
    experiment = gradlab.Experiment(forget_bias=bias, steps=20, hidden_size=4)
    assert f"would halve the direct path every **{counted(f'{steps:.3g}', 'step')}**" in resting_gate(
        experiment, summary_of(experiment)
    )


@pytest.mark.parametrize("cell", ["lstm", "lstm_squashed", "min_lstm", "gru", "leaky", "lstm_peephole"])
def test_the_direct_path_s_own_half_life_is_read_off_the_direct_path(cell):
    experiment = gradlab.Experiment(cell=cell, forget_bias=3.0, steps=80, hidden_size=16)
    found = summary_of(experiment).half_life
    table = cut(experiment, without="recurrent").query("layer == 0")
    norms = table[table["state"] == table["state"].iloc[-1]].set_index("lag")["log10_norm"]
    assert found == pytest.approx(-math.log10(2) * 79 / (norms[79] - norms[0]), rel=0.25)
    assert f"halves every **{found:.3g} steps**" in resting_gate(experiment, summary_of(experiment))


def test_a_direct_path_that_loses_nothing_or_is_not_there_is_not_given_a_half_life():
    carousel = gradlab.Experiment(cell="lstm_1997", inputs="zero", steps=30, hidden_size=4)
    assert "loses nothing" in resting_gate(carousel, summary_of(carousel))
    rnn = carousel.replace(cell="rnn")
    assert resting_gate(rnn, summary_of(rnn)) == ""


def test_cells_without_a_gate_that_keeps_have_no_bias_to_read_out(open_app):
    app = open_app("why_addition", **SMALL, one_cell="RNN (ReLU)")
    assert "keep-gate bias" not in said(app).lower()


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ([1, 0.9, 0.4, 0.6, 0.3, 0.2], "From lag 4 on"),
        ([1, 0.9, 0.8], "At every lag most of the gradient goes around U"),
        ([1, 0.1, 0.2], "At every lag most of the gradient goes through U"),
        ([1, 0.1, 0.2, 0.7], "At 1 of 3 lags most of the gradient goes around U"),
        ([math.nan] * 4, "Nothing arrives from any earlier step"),
    ],
)
def test_where_the_gradient_changes_over_is_true_of_every_later_lag(shares, words):
    found = change_over(pd.DataFrame({"lag": range(len(shares)), "share": shares}))
    assert sentences.change_over(found).startswith(words)


def test_a_toggle_adds_the_line_of_its_cut_and_says_what_it_leaves(open_app):
    app = open_app("why_addition", **SMALL, depth="2")
    assert lines_of(app, 2) == [
        "LSTM", "without the additive path", "without the recurrent weight U", "RNN",
    ]  # fmt: skip
    app.button_group(key="cuts").set_value(["forget"]).run()
    assert not app.exception
    assert lines_of(app, 2) == ["LSTM", "without the forget gate", "RNN"]
    left = cut(one_of(app), without="forget").query(FAR)["log10_relative"].item()
    assert f"without the forget gate: **{number(left)}**" in said(app)
    app.selectbox(key="one_cell").set_value("GRU").run()
    assert not app.exception, "the GRU has no forget gate: that toggle is let go"
    assert lines_of(app, 2)[0] == "GRU"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("query", "verdicts"),
    [
        ({"forget_bias": "3.0"}, {"product": False, "vanish": True}),
        ({"initialization": "zeros", "forget_bias": "1.0"}, {"product": True, "vanish": False}),
        ({"one_cell": "minGRU"}, {"product": True}),
        ({"one_cell": "min_gru"}, {"product": True}),
        ({"one_cell": "LSTM 1997 (no forget gate)", "gain": "3.0"}, {"product": False}),
        # here the direct path has more than the whole, since the other parts point against it
        (
            {"forget_bias": "6.0", "seed": "3", "steps": "101", "hidden_size": "8", "batch_size": "1"},
            {"product": False},
        ),
    ],
    ids=lambda value: " ".join(map(str, value.values())),
)
def test_textbook_sentences_are_judged_by_the_numbers(open_app, query, verdicts):
    app = open_app("why_addition", **({"hidden_size": "32", "steps": "120", "batch_size": "2"} | query))
    for word, holds in verdicts.items():
        sentence = next(e.value for e in app.markdown if e.value.startswith((":green", ":red")) and word in e.value)
        assert sentence.startswith(":green") == holds, sentence


@pytest.mark.parametrize(
    ("cell", "absent"), [("RNN", "product"), ("RNN", "than the RNN"), ("LSTM (peepholes)", "product")]
)
def test_a_textbook_sentence_is_not_judged_of_a_cell_that_it_does_not_speak_of(open_app, cell, absent):
    app = open_app("why_addition", **SMALL, one_cell=cell)
    judged = [e.value for e in app.markdown if e.value.startswith((":green", ":red"))]
    assert judged
    assert not any(absent in sentence for sentence in judged)


def test_the_warm_up_says_both_powers(open_app):
    app = open_app("one_unit")
    app.select_slider(key="weight").set_value(0.5).run()
    app.select_slider(key="gate").set_value(0.5).run()
    assert f"99 steps back the weight 0.5 alone leaves {number(99 * math.log10(0.5))}" in said(app)
    assert f"leaves {number(99 * math.log10(0.75))}" in said(app)
    app.select_slider(key="weight").set_value(-0.5).run()
    assert f"leaves {number(99 * math.log10(0.25))}" in said(app), "z + (1 - z) w"


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["RNN", "LSTM", "GRU", "minLSTM", "LSTM (peepholes)"])
def test_the_microscope_has_a_map_for_every_quantity_and_a_close_up(open_app, cell):
    app = open_app("gates", **SMALL, one_cell=cell, inputs="text", unit="3")
    scope = microscope(one_of(app))
    charts = [json.loads(chart.proto.spec) for chart in app.get("vega_lite_chart")]
    pictures = [chart for chart in charts if '"type": "image"' in json.dumps(chart)]
    assert len(pictures) == len(scope.values)
    rank = int(scope.units.set_index("unit").loc[3, "rank"]) + 1
    assert f"Unit 3 ranks {rank} of 8 by memory" in said(app)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("chosen", "steps"), [(None, range(80)), ("120 to 199", range(120, 200)), ("all, without letters", range(200))]
)
def test_a_long_text_has_its_characters_on_the_axis_a_part_at_a_time(open_app, chosen, steps):
    app = open_app("gates", **SMALL | {"steps": "200"}, inputs="text", text="abc ")
    if chosen:
        app.select_slider(key="characters").set_value(chosen).run()
        assert not app.exception
    picture = next(chart.proto for chart in app.get("vega_lite_chart") if '"image"' in chart.proto.spec)
    spec = json.loads(picture.spec)
    domains = [layer["encoding"]["x"].get("scale", {}).get("domain") for layer in spec["layer"]]
    assert [steps.start, steps.stop] in domains
    lettered = [layer for layer in spec["layer"] if layer["encoding"].get("text", {}).get("field") == "letter"]
    if len(steps) == 200:
        assert not lettered
    else:
        data = next(data for data in picture.datasets if data.name == lettered[0]["data"]["name"])
        drawn = pa.ipc.open_stream(data.data.data).read_pandas()
        assert "".join(drawn["letter"]) == "abc␣" * 20
        assert drawn["step"].tolist() == [step + 0.5 for step in steps]
        assert "".join(letters(one_of(app), sequence=0)) == "abc " * 50


def test_colours_of_the_unrolled_network_mean_the_same_at_every_setting(open_app):
    def colours(**settings):
        app = open_app("unrolled", **SMALL, **settings)
        return sent(app)["frame"]["pictures"][0]["domains"]["colours"]

    assert colours() == colours(keep_bias="5.0") == colours(gain="3.0")


@pytest.mark.parametrize("colours", ["these steps", "the whole sequence"])
def test_colours_of_the_unrolled_network_span_what_is_asked_for(open_app, colours):
    app = open_app("unrolled", **(SMALL | {"steps": "200"}), colours=colours, one_cell="RNN")
    found = sent(app)["frame"]["pictures"][0]["domains"]["colours"]
    shown = edges(one_of(app), first=170)["log10_relative"]
    shown = shown[np.isfinite(shown)]
    far = gradlab.trace(one_of(app)).table["log10_relative"].min()
    low = shown.min() if colours == "these steps" else far
    assert far < shown.min() - 10
    assert found == pytest.approx([low, shown.max()], abs=1e-9)


def test_without_a_choice_the_unit_of_the_longest_memory_is_in_close_up(open_app):
    app = open_app("gates", **SMALL)
    assert f"Unit {microscope(one_of(app)).units['unit'].iloc[0]} ranks 1 of 8 by memory" in said(app)


def test_the_unrolled_network_walks_back_from_the_loss(open_app):
    app = open_app("unrolled", **(SMALL | {"steps": "100"}), depth="2")
    assert "Lag 29" in said(app)
    app.select_slider(key="lag").set_value(70).run()
    assert not app.exception
    assert "Lag 99" in said(app)
    domains = sent(app)["frame"]["pictures"][0]["domains"]
    assert (domains["narrow"], domains["columns"]) == ([19.8, 30], [-0.7, 30])  # a phone shows the last ten


@pytest.mark.browser
def test_toggles_in_the_browser_cut_and_stay_in_the_link(page: Page, app_url: str):
    visit(page, f"{app_url}/why_addition?steps=60&hidden_size=16&why_addition_cuts=true")
    page.get_by_test_id("stMain").get_by_text("the forget gate", exact=True).click()
    expect(page.get_by_text("without the forget gate:")).to_be_visible()
    page.reload()
    expect(page.get_by_text("without the forget gate:")).to_be_visible()


@pytest.mark.browser
def test_a_click_on_a_row_chooses_its_unit(page: Page, app_url: str):
    visit(page, f"{app_url}/gates?steps=60&hidden_size=16&gates_units=true")
    experiment = gradlab.Experiment(steps=60, hidden_size=16)
    units = microscope(experiment).units["unit"].tolist()
    expect(page.get_by_text(f"Unit {units[0]} ranks")).to_be_visible()
    picture = page.locator(f"{CHART}:has(image)").first.locator("image").first
    picture.scroll_into_view_if_needed()
    box = picture.bounding_box()
    picture.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] * 10.5 / 16)
    expect(page.get_by_text(f"Unit {units[10]} ranks")).to_be_visible()
    expect(page).to_have_url(re.compile(f"unit={units[10]}"))


def test_the_mean_number_of_passes_is_said_and_drawn_and_is_that_of_the_orders(open_app):
    app = open_app("why_addition", **SMALL, forget_bias="3.0")
    said = next(text.value for text in app.markdown if "came back over" in text.value)
    for name in ("rnn", "lstm_squashed", "lstm"):
        e = one_of(app).replace(cell=name)
        T, state = e.steps, additive_name(gradlab.CELLS[name])
        parts = decompose(e, orders=T).query(f"layer == 0 and lag == lag.max() and state == {state!r}")
        orders = parts[parts["path"].str.startswith("order")]
        mean = (orders["path"].str.split().str[1].astype(int) * orders["share"]).sum()
        if name == "rnn":
            assert mean == pytest.approx(T - 1)
            assert "RNN, h: through U at every step" in said
        else:
            assert (
                f"{gradlab.CELLS[name].title}, c: **{mean:.1f}** times through U, **{T - 1 - mean:.1f}** times by"
                in said
            )


def test_a_closed_section_computes_nothing_and_an_open_one_stands_in_the_link(open_app, monkeypatch):
    computed = []
    monkeypatch.setattr(direct_path, "orders", lambda *given: computed.append("orders"))
    monkeypatch.setattr(cuts, "left", lambda *given, **options: computed.append("cuts") or left(*given, **options))
    open_app("why_addition", **SMALL, why_addition_cuts="false", why_addition_orders="false")
    assert computed == []
    open_app("why_addition", **SMALL, why_addition_cuts="false", why_addition_orders="true")
    assert computed == ["orders"]
    app = open_app("why_addition", **SMALL, why_addition_cuts="true", why_addition_orders="false")
    assert computed == ["orders", "cuts"]
    assert app.session_state["why_addition_cuts"] is True
    assert of_pages(["why_addition_cuts"]), "a link carries it as a setting of the page"
