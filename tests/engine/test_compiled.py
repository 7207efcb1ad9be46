"""The kernels' disk cache: it spares the second process the compiling, and never serves code of other sources."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from numba import typeof
from numba.extending import register_jitable

from gradlab.cells import CELLS
from gradlab.engine import compiled

ROOT = Path(__file__).resolve().parents[2]

RUN = """
import json
import sys
import numpy as np
from gradlab.engine import kernels, sweep
from gradlab.engine.reference import unroll
from gradlab.analyses.problem import sparse
from tests.networks import drawn_case

compiled_kernels = [kernel for kernel in vars(kernels).values() if hasattr(kernel, "stats")]


def counted():
    stats = [kernel.stats for kernel in compiled_kernels]
    return np.array([[sum(s.cache_misses.values()), sum(s.cache_hits.values())] for s in stats]).sum(axis=0)


found = {}
for cell in sys.argv[1:]:
    before = counted()
    case = drawn_case(cell, H=9, T=8)
    swept = sweep(case.stack, case.inputs, sparse(case.cotangents), case.initial_state)
    compiled, loaded = counted() - before
    *_, last = unroll(case.stack, case.inputs, case.initial_state)
    right = np.stack([value.numpy() for value in last[0]], axis=1)
    found[cell] = {
        "norms": swept.log10_norms.ravel().tolist(),
        "off": float(np.abs(swept.last_states[0] - right).max()),
        "compiled": int(compiled),
        "loaded": int(loaded),
    }
print(json.dumps(found))
"""


@pytest.fixture
def copied(tmp_path):
    """A copy of the package whose sources can be edited, with a kernel cache of its own."""
    for part in ("gradlab", "tests"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    environment = {**os.environ, "GRADLAB_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(tmp_path)}

    def run(*cells):
        arguments = [sys.executable, "-c", RUN, *cells]
        done = subprocess.run(arguments, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def edit(path, old, new):
        source = (tmp_path / "gradlab" / path).read_text()
        assert source.count(old) == 1, f"{path} no longer has {old!r} once"
        (tmp_path / "gradlab" / path).write_text(source.replace(old, new))

    return run, edit


@pytest.mark.slow
def test_a_second_process_loads_the_kernels_and_an_edit_compiles_only_what_it_changes(copied):
    run, edit = copied
    first = run("leaky", "rnn")
    for_a_cell = first["rnn"]["compiled"]  # what no cell is part of was compiled before
    assert first["leaky"]["compiled"] > for_a_cell > 0
    assert first["leaky"]["off"] < 1e-13
    second = run("leaky", "rnn")
    for cell in ("leaky", "rnn"):
        assert (second[cell]["compiled"], second[cell]["loaded"]) == (0, first[cell]["compiled"])
        assert second[cell]["norms"] == first[cell]["norms"]

    for old, new in (("tanh(a_x[0] + a_h[0])", "tanh(0.5 * a_x[0] + a_h[0])"), ("LEAK = 0.1", "LEAK = 0.2")):
        edit("cells/leaky.py", old, new)
        edited = run("leaky", "rnn")
        assert edited["leaky"]["compiled"] == for_a_cell
        assert edited["leaky"]["off"] < 1e-13  # the reference reads the same edited cell
        assert edited["leaky"]["norms"] != second["leaky"]["norms"]
        assert (edited["rnn"]["compiled"], edited["rnn"]["loaded"]) == (0, for_a_cell)
        second = edited

    edit("cells/leaky.py", "tanh RNN that moves", "RNN that moves")  # a docstring
    assert run("leaky")["leaky"]["compiled"] == 0

    edit("engine/elementary.py", "minus_one / (minus_one + 2.0)", "minus_one / (minus_one + 3.0)")
    other_engine = run("leaky")["leaky"]
    assert other_engine["loaded"] == 0
    assert other_engine["off"] > 0.01  # the reference does not


MINE = """
from gradlab.cells import CELLS
from gradlab.cells.activations import tanh
from gradlab.cells.rnn import RNN
from gradlab.cells.states import Hidden


class Mine(RNN):
    @staticmethod
    def step(a_x, a_h, state):
        h, slope = tanh(0.5 * (a_x[0] + a_h[0]))
        return Hidden(h), (slope,)

    @staticmethod
    def adjoint(saved, state, new, new_bar):
        a_bar = 0.5 * new_bar.h * saved[0]
        return (a_bar,), (a_bar,), Hidden(0 * new_bar.h), new_bar


CELLS["mine"] = Mine
"""


@pytest.mark.slow
def test_a_users_cell_is_compiled_anew_when_its_formula_changes_and_harms_no_other_process(copied, tmp_path):
    run, _ = copied
    source, users = tmp_path / "mine.py", tmp_path / "tests" / "__init__.py"
    source.write_text(MINE)
    users.write_text("import mine")  # imported by the process before it asks for the cell
    first = run("mine")["mine"]
    assert run("mine")["mine"] == first | {"compiled": 0, "loaded": first["compiled"]}
    source.write_text(MINE.replace("0.5", "0.25"))
    edited = run("mine")["mine"]
    assert edited["compiled"] > 0
    assert edited["off"] < 1e-13  # the reference reads the same edited step
    assert edited["norms"] != first["norms"]
    source.unlink()
    users.write_text("")
    assert run("rnn")["rnn"]["off"] < 1e-13


def cut_off(data):
    return data[: len(data) // 2]


def changed_in_the_middle(data):
    at = len(data) // 2
    return data[:at] + bytes([data[at] ^ 255]) + data[at + 1 :]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "broken"),  # kernels, and the indices by which they are found
    [("nbc", cut_off), ("nbc", changed_in_the_middle), ("nbi", cut_off), ("nbi", lambda data: b"garbage")],
)
def test_a_broken_cache_is_compiled_again_with_the_same_numbers_and_kept(copied, tmp_path, kind, broken):
    run, _ = copied
    first = run("leaky")["leaky"]
    for path in (tmp_path / "cache").rglob(f"*.{kind}"):
        path.write_bytes(broken(path.read_bytes()))
    again = run("leaky")["leaky"]
    assert again["norms"] == first["norms"]
    assert again["compiled"] > 0
    kept = run("leaky")["leaky"]
    assert (kept["compiled"], kept["norms"]) == (0, first["norms"])


def imported(path):
    """The cells' and the engine's modules that a source imports, as paths in the package."""
    for node in ast.walk(ast.parse((ROOT / "gradlab" / path).read_text())):
        modules = []
        if isinstance(node, ast.ImportFrom):
            modules = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        for module in modules:
            file = module.removeprefix("gradlab.").replace(".", "/") + ".py"
            if module.startswith(("gradlab.cells.", "gradlab.engine.")) and (ROOT / "gradlab" / file).exists():
                yield file


def test_the_key_has_every_module_that_kernels_are_made_of_and_no_other():
    reached, ahead = set(), ["engine/kernels.py"]
    while ahead:
        path = ahead.pop()
        reached.add(path)
        ahead += [other for other in imported(path) if other not in reached]
    assert sorted(reached) == sorted(compiled.SOURCES)


def test_an_edit_of_any_of_these_modules_changes_the_key(tmp_path):
    package = tmp_path / "gradlab"
    shutil.copytree(ROOT / "gradlab", package, ignore=shutil.ignore_patterns("__pycache__"))
    keys = {compiled_key(package), compiled_key(package)}
    assert len(keys) == 1
    for name in compiled.SOURCES:
        path = package / name
        before = path.read_bytes()
        path.write_bytes(before + b"\n")
        keys.add(compiled_key(package))
        path.write_bytes(before)
    assert len(keys) == len(compiled.SOURCES) + 1


def compiled_key(package):
    return compiled.source_hash.__wrapped__(package)


def test_any_two_cells_have_different_code_and_a_cell_has_the_same_in_every_process():
    hashes = {name: compiled.cell_hash(cell) for name, cell in CELLS.items()}
    assert len(set(hashes.values())) == len(CELLS)
    other = "from gradlab.cells import CELLS; from gradlab.engine.compiled import cell_hash; "
    other += "print({name: cell_hash(cell) for name, cell in CELLS.items()})"
    done = subprocess.run([sys.executable, "-c", other], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ast.literal_eval(done.stdout) == hashes


@register_jitable
def half(x):
    return 0.5 * x


def test_the_code_of_a_cell_has_what_its_step_calls(monkeypatch):
    class Halving(CELLS["rnn"]):
        @staticmethod
        def step(a_x, a_h, state):
            return state._replace(h=half(a_x[0] + a_h[0])), ()

    before = compiled.cell_hash.__wrapped__(Halving)
    monkeypatch.setattr(sys.modules[__name__], "half", register_jitable(lambda x: 0.25 * x))
    assert compiled.cell_hash.__wrapped__(Halving) != before


def test_the_index_of_the_cache_holds_plain_text_which_needs_no_import():
    cache = compiled._KernelCache(half)
    names, processor = cache._index_key((typeof(CELLS["lstm"]()), typeof(1.0)), SimpleNamespace(magic_tuple=tuple))
    assert names == (f"gradlab.cells.lstm.LSTM {compiled.cell_hash(CELLS['lstm'])}", "float64")
    assert processor == ()


def test_kernels_with_and_without_bounds_checking_are_kept_apart(monkeypatch):
    keys = set()
    for checked in (None, 0, 1):
        monkeypatch.setattr(compiled.numba.config, "BOUNDSCHECK", checked)
        keys.add(compiled_key(compiled.PACKAGE))
    assert len(keys) == 3


def test_the_cache_goes_where_it_can_be_written_and_nowhere_if_nothing_can(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("")
    folder = compiled.cache_folder.__wrapped__
    monkeypatch.setattr(compiled.tempfile, "gettempdir", lambda: str(tmp_path / "temporary"))
    monkeypatch.setenv("GRADLAB_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    key = compiled.source_hash()
    assert folder() == tmp_path / "own" / key
    monkeypatch.setenv("GRADLAB_CACHE", str(blocked / "below a file"))
    assert folder() == tmp_path / "user" / "gradlab" / key
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    found = folder()
    assert found.parent.parent == tmp_path / "temporary"
    monkeypatch.setattr(compiled.tempfile, "gettempdir", lambda: str(blocked))
    assert folder() is None
