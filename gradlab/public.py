"""The public names, and the modules of the package's top; `gradlab` itself loads this module with the first of them.

Every module of the analyses, and those of `ELSEWHERE`, belong to the package's top wherever their files lie.
"""

import pkgutil

from gradlab import analyses
from gradlab.analyses.check import check
from gradlab.analyses.diagnosis import Diagnosis, diagnose
from gradlab.analyses.parallel import parallel
from gradlab.analyses.problem import estimate
from gradlab.analyses.remedies import Remedy, remedies
from gradlab.analyses.traces import GradientTrace, trace
from gradlab.cells import CELLS
from gradlab.network.stack import Stack
from gradlab.settings.experiment import Experiment
from gradlab.settings.initializations import INITIALIZATIONS
from gradlab.settings.inputs import INPUTS
from gradlab.settings.losses import LOSSES
from gradlab.settings.tasks import TASKS
from gradlab.watching.flow import Flow
from gradlab.watching.marks import mark
from gradlab.watching.watch import watch

ELSEWHERE = (
    "gradlab.engine.recurrent",
    "gradlab.network.dropout",
    "gradlab.settings.tasks",
    "gradlab.sweeps",
    "gradlab.checkpoints",
    "gradlab.training",
)

__all__ = [
    "CELLS",
    "INITIALIZATIONS",
    "INPUTS",
    "LOSSES",
    "TASKS",
    "Diagnosis",
    "Experiment",
    "Flow",
    "GradientTrace",
    "Remedy",
    "Stack",
    "check",
    "diagnose",
    "estimate",
    "mark",
    "parallel",
    "remedies",
    "trace",
    "watch",
]


def _at_the_top() -> dict[str, str]:
    """The modules of the package's top: where each lies, by its name."""
    in_analyses = [module.name for module in pkgutil.iter_modules(analyses.__path__, "gradlab.analyses.")]
    modules = {name.rpartition(".")[2]: name for name in (*in_analyses, *ELSEWHERE)}
    return {name: real for name, real in modules.items() if name not in __all__}  # gradlab.check is the function


MODULES = _at_the_top()
