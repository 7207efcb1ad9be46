"""The drawing of rooms and floors as a test: a module imports lower floors or its own room, never upward.

A room is a module or a package. Rooms on one floor know nothing of each other.
"""

import ast
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

FLOORS = [  # from the top down; a line is a floor, its entries are rooms
    ["app", "pages"],
    ["gradlab.ui"],
    ["gradlab.charts"],
    ["gradlab.exports"],
    ["gradlab"],  # the public names, gathered in gradlab/__init__.py
    [
        "gradlab.analyses.diagnosis",
        "gradlab.analyses.check",
        "gradlab.analyses.thinning",
        "gradlab.training.checkpoints",
        "gradlab.analyses.characters",
    ],
    ["gradlab.training"],
    ["gradlab.analyses.truncation", "gradlab.analyses.paths"],
    ["gradlab.analyses.traces", "gradlab.analyses.weights", "gradlab.analyses.truncation"],
    ["gradlab.analyses.itemised", "gradlab.analyses.jacobians"],
    ["gradlab.analyses.problem"],
    ["gradlab.engine.recurrent"],  # a stack that torch trains
    ["gradlab.engine"],
    ["gradlab.network.stack"],
    ["gradlab.settings.drawing"],  # what an Experiment feeds a stack
    ["gradlab.settings.trained"],  # an Experiment whose weights were learned
    ["gradlab.settings.experiment"],
    ["gradlab.settings.conflicts", "gradlab.settings.tasks"],  # settings that do not fit each other; what is trained
    [
        "gradlab.cells",
        "gradlab.settings.initializations",
        "gradlab.settings.inputs",
        "gradlab.settings.losses",
        "gradlab.network.readout",
    ],
]
ANALYSES = {
    "gradlab.analyses.diagnosis",
    "gradlab.analyses.check",
    "gradlab.analyses.thinning",
    "gradlab.analyses.traces",
    "gradlab.analyses.weights",
}
ANALYSES |= {"gradlab.training", "gradlab.training.checkpoints", "gradlab.analyses.characters"}
ANALYSES |= {
    "gradlab.analyses.itemised",
    "gradlab.analyses.jacobians",
    "gradlab.analyses.truncation",
    "gradlab.analyses.paths",
}
NEVER = {"gradlab.charts": ANALYSES, "gradlab.exports": ANALYSES}  # they meet in the column names of a table

LIBRARY_ROOMS = {  # which rooms may import a library
    "streamlit": {"app", "pages", "gradlab.ui"},
    "altair": {"gradlab.charts", "gradlab.exports"},
    "vl_convert": {"gradlab.charts", "gradlab.exports"},
    "starlette": {"app"},
    "numba": {"gradlab.engine"},
    "torch": {
        "gradlab.analyses.check",
        "gradlab.analyses.traces",
        "gradlab.engine.recurrent",
        "gradlab.training",
        "gradlab.training.checkpoints",
        "gradlab.engine",
        "gradlab.network.stack",
        "gradlab.settings.drawing",
        "gradlab.settings.initializations",
    },
}


def module_name(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> tuple[int, str] | None:
    """Floor and room of a module: the longest room that holds it. `gradlab` holds only gradlab/__init__.py."""
    rooms = [(level, room) for level, floor in enumerate(FLOORS) for room in floor]
    held = [(n, r) for n, r in rooms if module == r or (r != "gradlab" and module.startswith(r + "."))]
    return max(held, key=lambda found: len(found[1]), default=None)


def imports_of(path: Path, root: Path) -> list[str]:
    """Every module a file imports, wherever in the file; relative ones resolved, `from package import module` too."""
    package = (
        module_name(path, root).split(".") if path.name == "__init__.py" else module_name(path, root).split(".")[:-1]
    )
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join(above + ([node.module] if node.module else []))
            for name in node.names:
                target = root.joinpath(*base.split("."), name.name)
                is_module = target.is_dir() or target.with_suffix(".py").is_file()
                found.append(f"{base}.{name.name}" if is_module else base)
    return found


def violations(root: Path) -> list[str]:
    """One sentence for each import that the drawing forbids."""
    files = [root / "app.py", *sorted((root / "pages").rglob("*.py")), *sorted((root / "gradlab").rglob("*.py"))]
    wrong = []
    for path in files:
        importer = module_name(path, root)
        place = room_of(importer)
        if place is None:
            wrong.append(f"{importer} stands on no floor: add it to FLOORS")
            continue
        level, room = place
        for imported in imports_of(path, root):
            top = imported.split(".")[0]
            if top in LIBRARY_ROOMS and room not in LIBRARY_ROOMS[top]:
                wrong.append(f"{importer} imports {top}, which belongs to {', '.join(sorted(LIBRARY_ROOMS[top]))}")
            target = room_of(imported)
            if top in {"app", "pages", "gradlab"} and target is None:
                wrong.append(f"{importer} imports {imported}, which stands on no floor")
            elif target and target[1] != room and (target[0] <= level or target[1] in NEVER.get(room, ())):
                wrong.append(f"{importer} (floor {level}) imports {imported} (floor {target[0]})")
    return wrong


def test_no_module_imports_upward_or_leaves_its_room():
    assert violations(ROOT) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("gradlab/losses.py", "from gradlab.settings.experiment import Experiment"),
        ("gradlab/losses.py", "def late():\n    import gradlab.settings.inputs"),
        ("gradlab/stack.py", "from . import traces"),
        ("gradlab/traces.py", "from gradlab import Experiment"),
        ("gradlab/exports.py", "from gradlab.analyses.traces import trace"),
        ("gradlab/charts/wrong.py", "import gradlab.analyses.traces"),
        ("gradlab/charts/wrong.py", "import streamlit as st"),
        ("gradlab/ui/wrong.py", "import altair as alt"),
        ("gradlab/cells/wrong.py", "from numba import njit"),
        ("gradlab/ui/wrong.py", "import torch.nn"),
        ("gradlab/novelty.py", "import math"),
    ],
)
def test_a_wrong_import_is_caught(tmp_path, path, line):
    for part in ("gradlab", "pages"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "app.py", tmp_path)
    before = violations(tmp_path)
    with (tmp_path / path).open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    assert len(violations(tmp_path)) == len(before) + 1
