"""Every analysis that reports its progress goes from nothing to about all, and never back."""

import importlib
import inspect

import numpy as np
import pytest

from gradlab import Experiment
from gradlab.analyses.problem import problem_of
from tests.analyses.registry import ANALYSES
from tests.analyses.test_call import OPTIONS

REPORTING = [
    name
    for name, function in ANALYSES.items()
    if "progress" in inspect.signature(function).parameters and name != "check"  # of which every step is tested
]
SMALL = Experiment(cell="lstm", depth=2, hidden_size=4, steps=60, batch_size=2, loss="every")


@pytest.mark.parametrize("name", REPORTING)
def test_progress_rises_within_nothing_and_all_and_ends_near_it(name, monkeypatch):
    """Of passes that report at every step, so that each part of the work is seen where it begins and ends."""
    monkeypatch.setattr(importlib.import_module("gradlab.engine.plan"), "CHUNK_WORK", 1)
    heard = []
    ANALYSES[name](SMALL, progress=heard.append, **OPTIONS.get(name, {}))
    assert heard == sorted(heard)
    assert heard[0] >= 0
    if name != "parallel":  # Newton's iterations end when they have converged, mostly long before the last allowed
        assert max(np.diff([0, *heard])) <= 0.13, "no part of the work goes by unseen"
    assert 0.75 <= heard[-1] <= 1 + 1e-9


@pytest.mark.parametrize("name", REPORTING)
def test_work_is_named_for_what_reports_its_progress_and_grows_with_the_network(name):
    function = ANALYSES[name]

    def work(subject):
        problem = problem_of(subject)
        return (function.needs(problem, **OPTIONS.get(name, {})) if function.needs else problem.trace_need).work

    assert 0 < work(SMALL) < work(SMALL.replace(hidden_size=64)) < work(SMALL.replace(hidden_size=64, depth=4))
