"""Sphinx's settings: `sphinx-build docs site`, with the dependency group docs.

Docstrings here are plain text: sentences, and blocks of aligned columns. `as_written` hands them to Sphinx as such.
"""

import os
import re
import sys
from itertools import groupby
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[1])  # of the package, whether it is installed or not
sys.path.insert(0, ROOT)
os.environ["PYTHONPATH"] = ROOT  # of the notebook's kernel

from gradlab.version import VERSION  # noqa: E402

project, version, release = "gradlab", VERSION, VERSION
extensions = ["sphinx.ext.autodoc", "myst_nb"]
exclude_patterns = ["home.png", "gradient_flow.png"]
html_theme, html_title = "furo", "gradlab"
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings give shapes and units, which types do not
nb_execution_mode, nb_execution_raise_on_error, nb_execution_timeout = "force", True, 300
nb_execution_in_temp = True  # for the files that it writes
suppress_warnings = ["mystnb.unknown_mime_type"]

COLUMNS = re.compile(r"\S {2,}\S|^ ")  # aligned, or indented


def as_written(lines: list[str]) -> list[str]:
    """A docstring as reStructuredText: its sentences as text, its aligned and indented blocks as they stand."""
    written: list[str] = []
    for is_text, paragraph in groupby(lines, bool):
        block = list(paragraph)
        if not is_text:
            written += block
        elif any(map(COLUMNS.search, block)):
            written += ["::", "", *(f"    {line}" for line in block), ""]
        else:
            written += map(_escaped, block)
    return written


def _escaped(line: str) -> str:
    """A line of text in which only `code` means something."""
    parts = line.split("`")
    return "".join(
        f"``{part}``" if odd % 2 else re.sub(r"([\\\\*_|])", r"\\\1", part) for odd, part in enumerate(parts)
    )


def setup(app):
    def process(app, what, name, thing, options, lines):
        lines[:] = as_written(lines)

    app.connect("autodoc-process-docstring", process)
