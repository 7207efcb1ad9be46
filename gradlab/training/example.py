"""An example of a network that does not learn what is far: trained here and now, not read from a file."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from gradlab.settings.experiment import Experiment
from gradlab.settings.trained import Trained
from gradlab.training.recipe import Recipe
from gradlab.training.run import Run

TASK = "adding"
EXPERIMENT = Experiment(cell="lstm", hidden_size=24, depth=2, steps=60, batch_size=16, dtype="float32")
RECIPE = Recipe(updates=40, trace_every=None)


@lru_cache(maxsize=1)
def example() -> Trained:
    """Two layers of LSTM as PyTorch draws them, after 40 updates on the adding problem: they have not learned it."""
    run = Run(EXPERIMENT, TASK, RECIPE)
    run.advance(RECIPE.updates)
    trained = run.trained
    return replace(trained, weights=replace(trained.weights, source="gradlab.training.example()"))
