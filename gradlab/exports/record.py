"""The record every file carries, and the settings as files: JSON that reads back, Python that runs."""

from __future__ import annotations

import ast
import json
import platform
import textwrap
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import gradlab
from gradlab.settings.subject import Subject

PACKAGES = ("torch", "numpy", "numba", "pandas", "altair", "vl-convert-python")  # whose versions a file names
TRACES = "pd.concat([gradlab.trace(experiment).table for experiment in experiments], ignore_index=True)"


def record(subjects: Sequence[Subject], code: str = TRACES) -> dict[str, Any]:
    """What is needed to make the numbers again: every setting, with the seed, the table's expression, and the versions.

    code    the table as a Python expression of `experiments`, in which `pd` and `gradlab` have their usual meaning
    """
    versions = {"gradlab": gradlab.__version__, "python": platform.python_version()}
    versions |= {name: version(name) for name in PACKAGES}
    return {"experiments": [subject.record() for subject in subjects], "table": code, "versions": versions}


def one_line(value: Any) -> str:
    """JSON without spaces, in ASCII, so that it fits any file's metadata."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))


def settings_json(subjects: Sequence[Subject]) -> bytes:
    """The Experiment as JSON, which `Experiment.model_validate_json` reads; of several, a list of them.

    Of weights that were learned it holds the fingerprint.
    """
    settings = [subject.record() for subject in subjects]
    return json.dumps(settings[0] if len(settings) == 1 else settings, indent=2, ensure_ascii=False).encode()


def python_code(subjects: Sequence[Subject], code: str = TRACES) -> bytes:
    """A Python program that makes the numbers again: it names every setting, so defaults may change later."""
    ran = ", ".join(f"{name} {number}" for name, number in record(subjects)["versions"].items())
    makers = "".join(f"{textwrap.indent(subject.code, '    ')},\n" for subject in subjects)
    experiments = f"experiments = [\n{makers}]\n" if makers else ""
    modules = sorted(_modules_of(f"{experiments}table = {code}"))
    imports = "".join(f"import {module}\n" for module in ("gradlab", *modules))
    return f"# Made with {ran}\nimport pandas as pd\n\n{imports}\n{experiments}table = {code}\nprint(table)\n".encode()


def _modules_of(program: str) -> set[str]:
    """The modules of gradlab whose names a program uses; what its texts say does not count."""
    names = (node.value for node in ast.walk(ast.parse(program)) if isinstance(node, ast.Attribute))
    return {
        f"gradlab.{name.attr}"
        for name in names
        if isinstance(name, ast.Attribute)
        and isinstance(name.value, ast.Name)
        and name.value.id == "gradlab"
        and name.attr.islower()
    }
