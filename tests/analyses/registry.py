"""Every analysis that there is: what `gradlab.analyses.problem.analysis` marks."""

import importlib
import pkgutil

import gradlab.analyses


def _marked():
    for module in pkgutil.walk_packages(gradlab.analyses.__path__, "gradlab.analyses."):
        for name, thing in vars(importlib.import_module(module.name)).items():
            if hasattr(thing, "reads") and thing.__module__ == module.name:
                yield name, thing


ANALYSES = dict(_marked())
