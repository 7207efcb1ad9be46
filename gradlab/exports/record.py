"""The record every file carries, and the settings as files of their own: JSON that reads back, Python that runs."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import gradlab
from gradlab.experiment import Experiment
from gradlab.trained import Trained

PACKAGES = ("torch", "numpy", "numba", "pandas", "altair", "vl-convert-python")  # whose versions a file names
Experiments = Sequence[Experiment]


def record(experiments: Experiments) -> dict[str, Any]:
    """What is needed to make the numbers again: every setting, with the seed, and the versions that ran."""
    versions = {"gradlab": gradlab.__version__, "python": platform.python_version()}
    versions |= {name: version(name) for name in PACKAGES}
    return {"experiments": [experiment.model_dump(mode="json") for experiment in experiments], "versions": versions}


def one_line(value: Any) -> str:
    """JSON without spaces, in ASCII, so that it fits any file's metadata."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))


def settings_json(experiments: Experiments) -> bytes:
    """The Experiment as JSON, which `Experiment.model_validate_json` reads; of several, a list of them.

    Of weights that were learned it holds the fingerprint.
    """
    settings = [experiment.model_dump(mode="json") for experiment in experiments]
    return json.dumps(settings[0] if len(settings) == 1 else settings, indent=2, ensure_ascii=False).encode()


def python_code(experiments: Experiments) -> bytes:
    """A Python program that makes the numbers again: it names every setting, so defaults may change later.

    Of a trained network it reads the kept run, from the file's name under which it was downloaded.
    """
    ran = ", ".join(f"{name} {number}" for name, number in record(experiments)["versions"].items())
    calls = []
    for experiment in experiments:
        values = {name: getattr(experiment, name) for name in Experiment.model_fields}
        settings = "".join(f"        {name}={value!r},\n" for name, value in values.items())
        made = "gradlab.Experiment"
        if isinstance(experiment, Trained):
            made = f'gradlab.checkpoints.load(open("{experiment.weights.file_name}", "rb").read()).trained.replace'
        calls.append(f"    {made}(\n{settings}    ),\n")
    return (
        f"# Made with {ran}\n"
        "import pandas as pd\n\nimport gradlab\nimport gradlab.checkpoints\n\n"
        f"experiments = [\n{''.join(calls)}]\n"
        "table = pd.concat([gradlab.trace(experiment).table for experiment in experiments], ignore_index=True)\n"
        "print(table)\n"
    ).encode()
