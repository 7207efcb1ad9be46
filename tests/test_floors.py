"""The drawing of rooms and floors as a test: a module imports lower floors or its own room, never upward.

A room is a package of `gradlab`. Charts and analyses, on floors of their own, meet in the column names of a table.
"""

import ast
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

FLOORS = [  # from the top down; a line is a floor, its entries are rooms
    ["gradlab.__main__"],
    ["app", "pages", "gradlab.command"],
    ["gradlab.ui"],
    ["gradlab"],  # gradlab/__init__.py alone, which loads nothing before it is used
    ["gradlab.notebook"],
    ["gradlab.charts", "gradlab.exports"],
    ["gradlab.words", "gradlab.public"],  # the public names, gathered
    ["gradlab.sweeps"],
    ["gradlab.training", "gradlab.watching", "gradlab.checkpoints"],
    ["gradlab.analyses"],
    ["gradlab.settings"],
    ["gradlab.engine"],
    ["gradlab.network"],
    ["gradlab.cells", "gradlab.words.numbers", "gradlab.words.letters", "gradlab.version"],  # know nothing of the rest
    ["gradlab.words.languages"],
]
ROOMS_OF_UI = [
    ["gradlab.ui.main"],
    ["gradlab.ui.training"],
    ["gradlab.ui.parts"],
    ["gradlab.ui.ask", "gradlab.ui.frame"],
    ["gradlab.ui.maps"],
    ["gradlab.ui.pace", "gradlab.ui.work"],
    ["gradlab.ui.charts_on_disk", "gradlab.ui.kept", "gradlab.ui.place"],
]
NEVER = {  # rooms that a room does not know, though they lie below
    "gradlab.charts": {"gradlab.analyses", "gradlab.training", "gradlab.settings", "gradlab.network", "gradlab.engine"},
    "gradlab.exports": {"gradlab.analyses", "gradlab.training", "gradlab.charts"},
    "pages": {"gradlab.engine", "gradlab.network", "gradlab.exports"},
}
LIBRARY_ROOMS = {  # which rooms may import a library
    "streamlit": {"app", "pages", "gradlab.ui", "gradlab.command"},  # the last starts it
    "altair": {"gradlab.charts", "gradlab.exports"},
    "vl_convert": {"gradlab.charts", "gradlab.exports"},
    "starlette": {"app"},
    "numba": {"gradlab.engine"},
    "pydantic": {"gradlab.settings"},
    "babel": {"gradlab.words.languages"},
    "lightning": {"gradlab.watching"},
    "pytorch_lightning": {"gradlab.watching"},
    "transformers": {"gradlab.watching"},
    "onnx": {"gradlab.checkpoints"},
    "h5py": {"gradlab.checkpoints"},
    "torch": {
        *("gradlab.network", "gradlab.engine", "gradlab.settings"),
        *("gradlab.training", "gradlab.watching", "gradlab.checkpoints"),
    },
}


def module_name(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str, floors: list[list[str]] = FLOORS) -> tuple[int, str] | None:
    """Floor and room of a module: the longest room that holds it. `gradlab` holds only gradlab/__init__.py."""
    rooms = [(level, room) for level, floor in enumerate(floors) for room in floor]
    held = [(n, r) for n, r in rooms if module == r or (r != "gradlab" and module.startswith(r + "."))]
    return max(held, key=lambda found: len(found[1]), default=None)


def imports_of(path: Path, root: Path) -> list[str]:
    """Every module a file imports, wherever in the file; relative ones resolved, `from package import module` too."""
    name = module_name(path, root).split(".")
    package = name if path.name == "__init__.py" else name[:-1]
    imported = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported += [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join(above + ([node.module] if node.module else []))
            for name in node.names:
                target = root.joinpath(*base.split("."), name.name)
                is_module = target.is_dir() or target.with_suffix(".py").is_file()
                imported.append(f"{base}.{name.name}" if is_module else base)
    return imported


def violations(root: Path) -> list[str]:
    """One sentence for each import that the drawing forbids."""
    files = [root / "app.py", *sorted((root / "pages").rglob("*.py")), *sorted((root / "gradlab").rglob("*.py"))]
    return [sentence for path in files for sentence in _violations_of(path, root)]


def _violations_of(path: Path, root: Path) -> list[str]:
    importer = module_name(path, root)
    place = room_of(importer)
    if place is None:
        return [f"{importer} stands on no floor: add it to FLOORS"]
    level, room = place
    wrong = []
    for imported in imports_of(path, root):
        top = imported.split(".")[0]
        if top in LIBRARY_ROOMS and room not in LIBRARY_ROOMS[top]:
            wrong.append(f"{importer} imports {top}, which belongs to {', '.join(sorted(LIBRARY_ROOMS[top]))}")
        target = room_of(imported)
        if top in {"app", "pages", "gradlab"} and target is None:
            wrong.append(f"{importer} imports {imported}, which stands on no floor")
        elif target and target[1] != room and (target[0] <= level or target[1] in NEVER.get(room, ())):
            wrong.append(f"{importer} (floor {level}) imports {imported} (floor {target[0]})")
        elif target and room == target[1] == "gradlab.ui":
            here, there = room_of(importer, ROOMS_OF_UI), room_of(imported, ROOMS_OF_UI)
            if here and there and there[0] < here[0]:
                wrong.append(f"{importer} imports {imported}, which lies above it in the ui")
    return wrong


def circles(root: Path) -> list[str]:
    """Modules of `gradlab` that import each other, directly or by way of others, imports for types included."""
    graph = {}
    for path in sorted((root / "gradlab").rglob("*.py")):
        name = module_name(path, root)
        graph[name] = {imported for imported in imports_of(path, root) if imported.startswith("gradlab.")} - {name}
    while leaves := [name for name, imported in graph.items() if not imported & graph.keys()]:
        for name in leaves:
            del graph[name]
    while ends := [name for name in graph if not any(name in imported for imported in graph.values())]:
        for name in ends:
            del graph[name]
    return sorted(graph)


def test_no_module_imports_upward_or_leaves_its_room():
    assert violations(ROOT) == []


def test_a_page_is_short_and_computes_nothing():
    for path in sorted((ROOT / "pages").glob("*.py")):
        source = path.read_text(encoding="utf-8")
        assert len(source.splitlines()) <= 40, path.name
        for node in ast.walk(ast.parse(source)):
            assert not isinstance(node, ast.BinOp | ast.FunctionDef | ast.ClassDef), (path.name, node.lineno)
            unpacked = isinstance(node, ast.keyword) and node.arg is None
            assert not unpacked, (path.name, "options by **")


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    root = tmp_path_factory.mktemp("floors")
    for part in ("gradlab", "pages"):
        shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "app.py", root)
    return root


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("gradlab/settings/losses.py", "from gradlab.analyses.traces import trace"),
        ("gradlab/settings/losses.py", "def late():\n    import gradlab.analyses.traces"),
        ("gradlab/network/stack.py", "from ..settings import tasks"),
        ("gradlab/analyses/traces.py", "from gradlab import Experiment"),
        ("gradlab/analyses/traces.py", "import gradlab.words.flow"),
        ("gradlab/exports/wrong.py", "from gradlab.analyses.traces import trace"),
        ("gradlab/charts/wrong.py", "import gradlab.analyses.traces"),
        ("gradlab/charts/wrong.py", "import streamlit as st"),
        ("gradlab/words/wrong.py", "import streamlit as st"),
        ("gradlab/ui/wrong.py", "import altair as alt"),
        ("gradlab/ui/frame/wrong.py", "from gradlab.ui.parts import figure"),
        ("gradlab/cells/wrong.py", "from numba import njit"),
        ("gradlab/engine/wrong.py", "import pydantic"),
        ("gradlab/engine/wrong.py", "from gradlab.settings import tasks"),
        ("gradlab/ui/wrong.py", "import torch.nn"),
        ("pages/wrong.py", "from gradlab.engine import Sweep"),
        ("gradlab/novelty.py", "import math"),
        ("gradlab/analyses/wrong.py", "import gradlab.notebook"),
        ("gradlab/ui/wrong.py", "from gradlab.command import settings"),
    ],
)
def test_a_wrong_import_is_caught(copied, path, line):
    file = copied / path
    before = file.read_bytes() if file.exists() else None
    assert before is None or _violations_of(file, copied) == []
    with file.open("a", encoding="utf-8") as more:
        more.write(f"\n{line}\n")
    try:
        assert len(_violations_of(file, copied)) == 1
    finally:
        file.write_bytes(before) if before is not None else file.unlink()


def test_modules_do_not_import_in_circles():
    assert circles(ROOT) == []
