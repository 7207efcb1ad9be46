"""The record every file carries, and the settings as files of their own: JSON that reads back, Python that runs."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import gradlab
from gradlab.experiment import Experiment

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
    """The Experiment as JSON, which `Experiment.model_validate_json` reads; of several, a list of them."""
    settings = [experiment.model_dump(mode="json") for experiment in experiments]
    return json.dumps(settings[0] if len(settings) == 1 else settings, indent=2, ensure_ascii=False).encode()


def python_code(experiments: Experiments) -> bytes:
    """A Python program that makes the numbers again: it names every setting, so defaults may change later."""
    ran = ", ".join(f"{name} {number}" for name, number in record(experiments)["versions"].items())
    calls = []
    for experiment in experiments:
        settings = "".join(f"        {name}={value!r},\n" for name, value in experiment.model_dump().items())
        calls.append(f"    gradlab.Experiment(\n{settings}    ),\n")
    return (
        f"# Made with {ran}\n"
        "import pandas as pd\n\nimport gradlab\n\n"
        f"experiments = [\n{''.join(calls)}]\n"
        "table = pd.concat([gradlab.trace(experiment).table for experiment in experiments], ignore_index=True)\n"
        "print(table)\n"
    ).encode()
