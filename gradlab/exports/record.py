"""The record every file carries, and the settings as files of their own: JSON that reads back, Python that runs."""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import gradlab
from gradlab.settings.experiment import Experiment
from gradlab.settings.trained import Trained

PACKAGES = ("torch", "numpy", "numba", "pandas", "altair", "vl-convert-python")  # whose versions a file names
Experiments = Sequence[Experiment]


def of_each(made: str) -> str:
    """The expression of a table that has a part for every one of `experiments`; made says it of one `experiment`."""
    return f"pd.concat([{made} for experiment in experiments], ignore_index=True)"


TRACES = of_each("gradlab.trace(experiment).table")


def record(experiments: Experiments, made: str = TRACES) -> dict[str, Any]:
    """What is needed to make the numbers again: every setting, with the seed, the table's expression, and the versions.

    made    the numbers as a Python expression of `experiments`, in which `pd` and `gradlab` have their usual meaning
    """
    versions = {"gradlab": gradlab.__version__, "python": platform.python_version()}
    versions |= {name: version(name) for name in PACKAGES}
    settings = [experiment.model_dump(mode="json") for experiment in experiments]
    return {"experiments": settings, "table": made, "versions": versions}


def one_line(value: Any) -> str:
    """JSON without spaces, in ASCII, so that it fits any file's metadata."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))


def settings_json(experiments: Experiments) -> bytes:
    """The Experiment as JSON, which `Experiment.model_validate_json` reads; of several, a list of them.

    Of weights that were learned it holds the fingerprint.
    """
    settings = [experiment.model_dump(mode="json") for experiment in experiments]
    return json.dumps(settings[0] if len(settings) == 1 else settings, indent=2, ensure_ascii=False).encode()


def python_code(experiments: Experiments, made: str = TRACES) -> bytes:
    """A Python program that makes the numbers again: it names every setting, so defaults may change later.

    Of a trained network it reads the kept run, from the file's name under which it was downloaded.
    """
    ran = ", ".join(f"{name} {number}" for name, number in record(experiments)["versions"].items())
    calls = []
    for experiment in experiments:
        values = {name: getattr(experiment, name) for name in Experiment.model_fields}
        settings = "".join(f"        {name}={value!r},\n" for name, value in values.items())
        maker = "gradlab.Experiment"
        if isinstance(experiment, Trained):
            maker = f'gradlab.checkpoints.load(open("{experiment.weights.file_name}", "rb").read()).trained.replace'
        calls.append(f"    {maker}(\n{settings}    ),\n")
    drawn = f"experiments = [\n{''.join(calls)}]\n" if calls else ""
    modules = sorted(set(re.findall(r"\bgradlab\.[a-z_]+(?=\.)", drawn + made)))
    imports = "".join(f"import {module}\n" for module in ("gradlab", *modules))
    return f"# Made with {ran}\nimport pandas as pd\n\n{imports}\n{drawn}table = {made}\nprint(table)\n".encode()
