"""gradlab: see, measure and repair gradient flow in recurrent networks.

>>> import gradlab
>>> trace = gradlab.trace(gradlab.Experiment(cell="lstm", steps=1000, forget_bias=1.0))
>>> trace.table, trace.rate(), gradlab.diagnose(trace).sentence
"""

from gradlab import paths
from gradlab.cells import CELLS
from gradlab.check import check
from gradlab.diagnosis import Diagnosis, diagnose
from gradlab.experiment import Experiment
from gradlab.initializations import INITIALIZATIONS
from gradlab.inputs import INPUTS
from gradlab.losses import LOSSES
from gradlab.stack import Stack
from gradlab.tasks import TASKS
from gradlab.traces import GradientTrace, estimate, trace

__version__ = "0.1.0"

__all__ = [
    "CELLS",
    "INITIALIZATIONS",
    "INPUTS",
    "LOSSES",
    "TASKS",
    "Diagnosis",
    "Experiment",
    "GradientTrace",
    "Stack",
    "check",
    "diagnose",
    "estimate",
    "paths",
    "trace",
]
