"""What a notebook shows of a result: the verdict, its sentence and a picture that holds the result's own numbers."""

import base64
import math
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import torch

import gradlab

SMALL = {"steps": 80, "hidden_size": 8, "batch_size": 3}
LINEAR = gradlab.Experiment(cell="rnn_linear", initialization="orthogonal", gain=0.9, **SMALL)


def rows_of(chart, *columns):
    """Every row of a chart that has the columns, as altair writes it, of one dataset."""
    datasets = chart.to_dict()["datasets"].values()
    return max((rows for rows in datasets if rows and set(columns) <= rows[0].keys()), key=len)


def picture_in(html):
    """The drawing inside the HTML, parsed."""
    (encoded,) = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', html)
    return ET.fromstring(base64.b64decode(encoded))


def test_the_chart_of_a_trace_has_the_numbers_of_its_table():
    trace = gradlab.trace(gradlab.Experiment(cell="lstm", depth=2, **SMALL))
    rows = rows_of(trace.chart(), "cell", "layer", "state", "step", "log10_relative_min")
    drawn = {(row["layer"], row["state"], row["step"]): row["log10_relative"] for row in rows}
    table = trace.table
    assert len(drawn) == len(table) == 2 * 2 * 80
    for layer, state, step, value in table[["layer", "state", "step", "log10_relative"]].itertuples(index=False):
        assert drawn[layer, state, step] == pytest.approx(value, rel=1e-12)


def test_the_chart_of_a_diagnosis_is_the_way_back_and_the_line_through_it():
    diagnosis = gradlab.diagnose(gradlab.trace(LINEAR))
    rows = rows_of(diagnosis.chart(), "line", "lag", "log10_norm")
    for row in rows:  # an orthogonal map of gain g leaves g^lag of a unit vector
        assert row["log10_norm"] == pytest.approx(row["lag"] * math.log10(0.9), abs=1e-9)
    assert [row["lag"] for row in rows if row["line"] == "gradient"] == [*range(80)]
    assert [row["lag"] for row in rows if row["line"] == "fitted"] == [*range(20, 80)]


def test_the_way_back_is_the_mean_over_the_sequences_in_which_a_gradient_arrives():
    trace = gradlab.trace(gradlab.Experiment(cell="gru", **SMALL))
    table = gradlab.diagnose(trace).table
    expected = trace.log10_norm("h")[0].mean(axis=1)[::-1]
    np.testing.assert_allclose(table.loc[table["line"] == "gradient", "log10_norm"], expected, rtol=1e-12)


@pytest.mark.parametrize("make", [lambda trace: trace, gradlab.diagnose])
def test_the_html_has_the_verdict_the_sentence_and_a_picture_that_loads_nothing(make):
    result = make(gradlab.trace(LINEAR))
    html = result._repr_html_()
    assert "<strong>vanishing</strong>" in html
    assert "decades per 100 steps: it halves every 6.58 steps" in html  # log 2 / -log .9
    paths = [one for one in picture_in(html).iter() if one.tag.endswith("path")]
    assert len(paths) > 5
    assert "<script" not in html
    assert not re.search(r'(src|href)="(?!data:)', html)


def test_a_long_trace_is_drawn_with_fewer_rows_and_keeps_its_ends():
    trace = gradlab.trace(gradlab.Experiment(cell="rnn_linear", depth=4, steps=20_000, hidden_size=2, batch_size=1))
    spec = trace.chart().to_dict()  # altair raises MaxRowsError above 5000
    rows = max(spec["datasets"].values(), key=len)
    assert {0, 19_999} <= {row["step"] for row in rows}


def test_where_nothing_goes_back_there_is_a_sentence_and_no_picture():
    trace = gradlab.trace(gradlab.Experiment(loss="step", loss_step=0, **SMALL))
    assert "no way back" in trace._repr_html_()
    assert "<img" not in trace._repr_html_()


def test_each_direction_of_a_bidirectional_trace_is_drawn():
    module = torch.nn.GRU(3, 4, bidirectional=True)
    with gradlab.watch(module) as flow:
        module(torch.randn(20, 2, 3))[0].sum().backward()
    trace = flow.trace()
    for direction in ("forward", "reverse"):
        table = trace.table[trace.table["direction"] == direction]
        rows = rows_of(trace.chart(direction=direction), "step", "log10_relative", "log10_relative_min")
        drawn = {row["step"]: row["log10_relative"] for row in rows}
        assert drawn == pytest.approx(dict(zip(table["step"], table["log10_relative"], strict=True)))
    assert "<img" in trace._repr_html_()


def test_what_autograd_alone_measured_is_shown_too():
    inputs, h = torch.randn(20, 2, 3), torch.zeros(2, 3, requires_grad=True)
    with gradlab.watch(torch.nn.Identity()) as flow:
        for step, x in enumerate(inputs):
            h = gradlab.mark(torch.tanh(0.5 * h + x), "h", step)
        h.sum().backward()
    html = flow.trace("h")._repr_html_()
    assert "autograd&#x27;s own numbers" in html
    assert picture_in(html).tag.endswith("svg")


@pytest.mark.slow
def test_nothing_that_draws_is_loaded_before_a_picture_is_asked_for():
    program = (
        "import sys, gradlab; trace = gradlab.trace(gradlab.Experiment(steps=9)); gradlab.diagnose(trace)\n"
        "print('altair' in sys.modules); trace.chart(); print('altair' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == ["False", "True"]
