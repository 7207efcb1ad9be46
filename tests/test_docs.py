"""The documents: every block of code in them runs, the notebook too, and what is public has its place."""

import ast
import json
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner

import gradlab
from gradlab.command import gradlab as command

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
RUN = ("python", "console")
FOUND = 1  # what a command ends with that found something


def blocks(path):
    """(language, code) of every block of a page."""
    return BLOCK.findall(path.read_text(encoding="utf-8"))


@pytest.mark.slow
@pytest.mark.parametrize("path", [path for path in PAGES if blocks(path)], ids=lambda path: path.stem)
def test_every_block_of_a_page_runs(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for language, code in blocks(path):
        assert language in RUN, f"{path.name} has a block of {language}, which nothing runs"
        if language == "python":
            exec(compile(code, path.name, "exec"), names)
            continue
        for line in code.splitlines():
            prompt, program, *words = shlex.split(line)
            assert (prompt, program) == ("$", "gradlab"), line
            result = CliRunner().invoke(command, words)
            assert result.exit_code in (0, FOUND), f"{line}\n{result.output}"


def shown(value):
    """What a notebook shows of a cell's last line."""
    for way in ("_repr_html_", "_repr_mimebundle_", "__repr__"):
        if hasattr(value, way):
            return getattr(value, way)()
    return None


@pytest.mark.slow
def test_the_notebook_runs_and_shows_pictures(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cells = json.loads((DOCS / "tutorial.ipynb").read_text(encoding="utf-8"))["cells"]
    programs = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    names: dict = {}
    outputs = []
    for number, program in enumerate(programs):
        tree = ast.parse(program, f"cell {number}")
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, f"cell {number}", "exec"), names)
        if last is not None:
            outputs.append(shown(eval(compile(ast.Expression(last.value), f"cell {number}", "eval"), names)))
    pictures = [output for output in outputs if isinstance(output, str) and "data:image/svg+xml" in output]
    assert len(pictures) == 5
    assert (tmp_path / "tutorial.pdf").read_bytes().startswith(b"%PDF-")


def test_the_notebook_holds_no_outputs_that_could_grow_old():
    cells = json.loads((DOCS / "tutorial.ipynb").read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code)


def test_a_link_between_pages_leads_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+?)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_guide_is_in_the_table_of_contents():
    listed = set(re.findall(r"^guides/(\w+)$", (DOCS / "index.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert listed == {page.stem for page in (DOCS / "guides").glob("*.md")}


def test_the_pages_of_the_library_name_everything_that_is_promised():
    text = "".join(page.read_text(encoding="utf-8") for page in (DOCS / "api").glob("*.md"))
    documented = set(re.findall(r"^\.\. auto\w+:: (\S+)$", text, re.MULTILINE))
    named = {f"gradlab.{name}" for name in gradlab.__all__ if name.upper() != name}
    named |= {f"gradlab.{module}" for module in ("paths", "truncation", "training")}
    named |= {f"gradlab.itemised.{name}" for name in ("itemised", "vectors", "Vectors")}
    named |= {"gradlab.checkpoints.load", "gradlab.checkpoints.read"}
    named |= {f"gradlab.weights.{name}" for name in ("singular_values", "eigenvalues", "gate_biases")}
    assert named <= documented, named - documented


@pytest.mark.slow
@pytest.mark.skipif(find_spec("sphinx") is None or find_spec("myst_nb") is None, reason="pip install --group docs")
def test_the_documents_are_built_without_a_warning(tmp_path):
    build = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--fresh-env", "--quiet", str(DOCS), str(tmp_path)]
    done = subprocess.run(build, capture_output=True, text=True, timeout=480)
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "api" / "itemised.html").read_text(encoding="utf-8")
    assert "gradlab.itemised.vectors" in page
    assert "What loss row <code" in page  # the docstring of Vectors.contribution
    assert "data:image/svg+xml" in (tmp_path / "tutorial.html").read_text(encoding="utf-8")
