"""The record every file carries, and the settings as files: JSON that reads back, Python that runs."""

from __future__ import annotations

import ast
import json
import platform
import textwrap
from collections.abc import Sequence
from importlib.metadata import version
from itertools import takewhile
from typing import Any

from gradlab.settings.subject import Subject
from gradlab.version import VERSION

PACKAGES = ("torch", "numpy", "numba", "pandas", "altair", "vl-convert-python")  # whose versions a file names
TRACES = "pd.concat([gradlab.trace(experiment).table for experiment in experiments], ignore_index=True)"


def record(subjects: Sequence[Subject], code: str = TRACES) -> dict[str, Any]:
    """What is needed to make the numbers again: every setting, with the seed, the table's expression, and the versions.

    code    the table as a Python expression of `experiments`, in which `pd` and `gradlab` have their usual meaning
    """
    versions = {"gradlab": VERSION, "python": platform.python_version()}
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


def python_code(subjects: Sequence[Subject], code: str = TRACES, picture: str = "") -> bytes:
    """A Python program that makes the numbers again: it names every setting, so defaults may change later.

    picture     lines that make a picture of `table`
    """
    ran = ", ".join(f"{name} {number}" for name, number in record(subjects)["versions"].items())
    experiments = f"{experiments_code(subjects)}\n" if subjects else ""
    program = f"{experiments}table = {code}\nprint(table)\n" + (f"\n{picture}\n" if picture else "")
    imports = "".join(f"import {module}\n" for module in ("gradlab", *sorted(_modules_of(program))))
    return f"# Made with {ran}\nimport pandas as pd\n\n{imports}\n{program}".encode()


def experiments_code(subjects: Sequence[Subject], name: str = "experiments") -> str:
    """The list of some subjects as Python."""
    makers = "".join(f"{textwrap.indent(subject.code, '    ')},\n" for subject in subjects)
    return f"{name} = [\n{makers}]"


def _modules_of(program: str) -> set[str]:
    """The modules of gradlab whose names a program uses; what its texts say does not count."""
    return {module for node in ast.walk(ast.parse(program)) if (module := _module_of(node))}


def _module_of(node: ast.AST) -> str:
    """Of `gradlab.charts.traces.lines` the module `gradlab.charts.traces`; "" for what is no name in a module."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id != "gradlab":
        return ""
    modules = list(takewhile(str.islower, names[:-1]))
    return ".".join(["gradlab", *modules]) if modules else ""
