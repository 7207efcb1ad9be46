"""Training: a stack and a readout learn a task, and every update is measured.

recipe       Recipe: optimizer, learning rate, clipping, how often to trace
network      what is trained, and the loss of a batch, back-propagated in full or truncated
run          Run and train: one record per update
divergence   where a run left the floating-point range
tables       records as tidy tables
story        what the guided story learns
replay       questions about what runs have measured, with the program that trains again
checkpoints  a run as a file
example      a run that has not learned its task, trained when it is asked for
"""

from gradlab.training.divergence import Diverged
from gradlab.training.example import example
from gradlab.training.network import Network
from gradlab.training.recipe import OPTIMIZERS, Recipe
from gradlab.training.run import Record, Run, fitted, one_thread, train
from gradlab.training.story import learning, until
from gradlab.training.tables import clipping, curve, gradients, history, reach, solved_at, traces_at

__all__ = [
    "OPTIMIZERS",
    "Diverged",
    "Network",
    "Recipe",
    "Record",
    "Run",
    "clipping",
    "curve",
    "example",
    "fitted",
    "gradients",
    "history",
    "learning",
    "one_thread",
    "reach",
    "solved_at",
    "traces_at",
    "train",
    "until",
]
