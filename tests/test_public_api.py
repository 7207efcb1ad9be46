"""The names that are promised, with the arguments that are promised; and tables that hold what charts read."""

import inspect

import numpy as np
import pytest
from torch import nn

import gradlab
from gradlab.analyses.weights import eigenvalues, gate_biases, singular_values
from gradlab.charts import traces as trace_charts
from gradlab.charts import weights as weight_charts

REGISTRIES = ["CELLS", "INITIALIZATIONS", "INPUTS", "LOSSES"]
PROMISED = ["Experiment", "Stack", "GradientTrace", "trace", "diagnose", "check", *REGISTRIES]


def test_every_promised_name_is_there_listed_and_documented():
    for name in PROMISED:
        assert hasattr(gradlab, name), name
        assert name in gradlab.__all__, name
    for name in gradlab.__all__:
        value = getattr(gradlab, name)
        assert inspect.getdoc(value), f"{name} has no docstring"


def test_the_promised_defaults_of_an_experiment_hold():
    promised = {
        "cell": "lstm", "depth": 1, "hidden_size": 64, "input_size": 16, "steps": 200, "batch_size": 8,
        "initialization": "pytorch", "gain": 1.0, "forget_bias": None, "inputs": "noise", "loss": "last", "seed": 0,
        "dtype": "float64",
    }  # fmt: skip
    assert promised.items() <= gradlab.Experiment().model_dump().items()


def test_the_promised_names_are_in_the_registries():
    assert {"rnn", "rnn_relu", "rnn_linear", "lstm", "gru"} <= set(gradlab.CELLS)
    assert {"pytorch", "orthogonal", "gaussian"} <= set(gradlab.INITIALIZATIONS)
    assert {"noise", "sines", "impulse", "zero", "text"} <= set(gradlab.INPUTS)
    assert {"last", "half_square", "every", "step"} <= set(gradlab.LOSSES)


@pytest.mark.parametrize("module", [nn.RNN, nn.LSTM, nn.GRU, nn.RNNCell, nn.LSTMCell, nn.GRUCell])
def test_the_promised_calls_work_on_any_recurrent_module_of_torch(module):
    stack = gradlab.Stack.from_torch(module(3, 5))
    cotangents = np.zeros((7, 2, 5))
    cotangents[-1] = 1
    state = [np.zeros((1, 2, 5))] * len(gradlab.CELLS[stack.cell].states)
    trace = gradlab.trace(stack, np.ones((7, 2, 3)), cotangents, initial_state=state)
    assert isinstance(trace, gradlab.GradientTrace)
    promised = {"layer", "step", "lag", "state", "path", "log10_norm", "log10_norm_min", "log10_norm_max"}
    assert promised <= set(trace.table.columns)
    for name in gradlab.CELLS[stack.cell].states:
        norms = trace.log10_norm(name)
        assert norms.shape == (1, 7, 2)
        assert norms[0, -1, 0] == pytest.approx(np.log10(np.sqrt(5))) or name == "c"
    assert {"layer", "state", "decades_per_step"} <= set(trace.rate().columns)


def test_the_example_of_the_package_runs_and_is_true():
    trace = gradlab.trace(gradlab.Experiment(cell="lstm", steps=1000, forget_bias=1.0))
    assert gradlab.diagnose(trace).verdict == "vanishing"
    assert len(trace.table) == 2 * 1000
    assert gradlab.diagnose(trace).sentence.startswith("LSTM, layer 0, h and c: vanishing.")


def test_the_columns_that_charts_read_are_columns_of_the_tables_they_are_given():
    e = gradlab.Experiment(cell="lstm", steps=5, hidden_size=4)
    stack = gradlab.Stack.from_experiment(e)
    assert set(trace_charts.COLUMNS) <= set(gradlab.trace(e).table.columns)
    tables = {
        "SINGULAR_COLUMNS": singular_values(stack),
        "EIGEN_COLUMNS": eigenvalues(stack),
        "BIAS_COLUMNS": gate_biases(stack),
    }
    for name, table in tables.items():
        assert set(getattr(weight_charts, name)) <= set(table.columns), name
