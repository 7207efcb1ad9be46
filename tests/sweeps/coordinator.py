"""A coordinator that a test ends in the middle of its sweep."""

import sys
from functools import partial

from gradlab.settings.experiment import Experiment
from gradlab.sweeps import sweep
from tests.sweeps import measures

BASE = Experiment(cell="rnn", hidden_size=2, steps=5, batch_size=1)
AXES = {"gain": [0.5, 1.0, 1.5, 2.0, 2.5]}

if __name__ == "__main__":
    folder, notes = sys.argv[1:]
    sweep(BASE, AXES, partial(measures.noted, folder=notes, seconds=0.2), seeds=4, store=folder)
