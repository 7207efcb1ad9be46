"""gradlab: see, measure and repair gradient flow in recurrent networks.

>>> import gradlab
>>> trace = gradlab.trace(gradlab.Experiment(cell="lstm", steps=1000, forget_bias=1.0))
>>> trace.table, trace.rate(), gradlab.diagnose(trace).sentence

The modules of `MODULES` belong to the package's top wherever their files lie: `gradlab.paths.decompose(...)`,
`import gradlab.paths` and `from gradlab.paths import decompose` load them when first used.
"""

import importlib
import importlib.abc
import importlib.machinery
import sys
from types import ModuleType

from gradlab.analyses.check import check
from gradlab.analyses.diagnosis import Diagnosis, diagnose
from gradlab.analyses.problem import estimate
from gradlab.analyses.traces import GradientTrace, trace
from gradlab.cells import CELLS
from gradlab.network.stack import Stack
from gradlab.settings.experiment import Experiment
from gradlab.settings.initializations import INITIALIZATIONS
from gradlab.settings.inputs import INPUTS
from gradlab.settings.losses import LOSSES
from gradlab.settings.tasks import TASKS

__version__ = "0.1.0"

MODULES = {
    "paths": "gradlab.analyses.paths",
    "itemised": "gradlab.analyses.itemised",
    "truncation": "gradlab.analyses.truncation",
    "weights": "gradlab.analyses.weights",
    "jacobians": "gradlab.analyses.jacobians",
    "characters": "gradlab.analyses.characters",
    "recurrent": "gradlab.engine.recurrent",
    "tasks": "gradlab.settings.tasks",
    "checkpoints": "gradlab.training.checkpoints",
    "training": "gradlab.training",
}

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
    "trace",
]


class _TopModules(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds `gradlab.paths` where MODULES says that it lies."""

    def find_spec(self, fullname, path=None, target=None):
        name = fullname.removeprefix("gradlab.")
        if name in MODULES and MODULES[name] != fullname:
            return importlib.machinery.ModuleSpec(fullname, self)
        return None

    def create_module(self, spec):
        """An empty module, which `exec_module` replaces."""

    def exec_module(self, module):
        sys.modules[module.__name__] = importlib.import_module(MODULES[module.__name__.removeprefix("gradlab.")])


sys.meta_path.append(_TopModules())


def __getattr__(name: str) -> ModuleType:
    if name in MODULES:
        return importlib.import_module(MODULES[name])
    raise AttributeError(f"module 'gradlab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, *MODULES]
