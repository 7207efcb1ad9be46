"""Traces to draw: real ones, small enough to be computed anew."""

from collections.abc import Callable

import pandas as pd
import pytest

import gradlab


@pytest.fixture(scope="session")
def traced() -> Callable[..., pd.DataFrame]:
    """`traced("rnn", "lstm", steps=50, …)`: the tables of these cells' traces as one."""

    def table(*cells: str, **settings) -> pd.DataFrame:
        small = {"steps": 60, "hidden_size": 8, "input_size": 4, "batch_size": 3} | settings
        traces = [gradlab.trace(gradlab.Experiment(cell=cell, **small)) for cell in cells]
        return pd.concat([trace.table for trace in traces], ignore_index=True)

    return table
