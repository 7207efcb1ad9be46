"""gradlab: see, measure and repair gradient flow in recurrent networks.

>>> import gradlab
>>> trace = gradlab.trace(gradlab.Experiment(cell="lstm", steps=1000, keep_bias=1.0))
>>> trace.table, trace.rate(), gradlab.diagnose(trace).sentence

Every module of the analyses, and those of `ELSEWHERE`, belong to the package's top wherever their files lie:
`gradlab.paths.decompose(...)`, `import gradlab.paths`, `from gradlab.paths import decompose`.
"""

import importlib
import pkgutil
import sys

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
from gradlab.version import __version__
from gradlab.watching.flow import Flow
from gradlab.watching.marks import mark
from gradlab.watching.watch import watch

ELSEWHERE = (
    "gradlab.engine.recurrent",
    "gradlab.network.dropout",
    "gradlab.settings.tasks",
    "gradlab.sweeps",
    "gradlab.training.checkpoints",
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
    "__version__",
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
    """The modules of the package's top by name, loaded: all of them take a fiftieth of the time of torch's import.

    They, and the modules inside them, are entered under both names, so that none is ever loaded a second time.
    """
    in_analyses = [module.name for module in pkgutil.iter_modules(analyses.__path__, "gradlab.analyses.")]
    modules = {name.rpartition(".")[2]: name for name in (*in_analyses, *ELSEWHERE)}
    public = {
        name: real for name, real in modules.items() if name not in __all__
    }  # gradlab.check, gradlab.parallel and gradlab.remedies are the functions
    for name, real in public.items():
        globals()[name] = importlib.import_module(real)
        for loaded in [module for module in sys.modules if module == real or module.startswith(f"{real}.")]:
            sys.modules[loaded.replace(real, f"gradlab.{name}", 1)] = sys.modules[loaded]
    return public


MODULES = _at_the_top()
