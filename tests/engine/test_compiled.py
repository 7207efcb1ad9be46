"""The kernels' disk cache: it spares the second process the compiling, and never serves code of other sources."""

import ast
import itertools
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numba import typeof
from numba.extending import register_jitable

from gradlab.cells import CELLS
from gradlab.engine import compiled

ROOT = Path(__file__).resolve().parents[2]
QUICKLY = {"NUMBA_OPT": "0"}  # compiles in half the time, for other keys of the same cache

RUN = """
import json
import sys
import numpy as np
from gradlab.engine import kernels, sweep
from gradlab.engine.reference import unroll
from gradlab.analyses.arguments import sparse
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


def runs_in(folder):
    """A copy of the package, with a kernel cache of its own: run(*cells) traces them in a new process."""
    environment = os.environ | QUICKLY | {"GRADLAB_CACHE": str(folder / "cache"), "PYTHONPATH": str(folder)}

    def run(*cells):
        arguments = [sys.executable, "-c", RUN, *cells]
        done = subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def copy(folder):
    for part in ("gradlab", "tests"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))


@pytest.fixture(scope="module")
def first_run(tmp_path_factory):
    """A copy of the package whose kernels for two cells are in its cache, and what the process that made them says."""
    folder = tmp_path_factory.mktemp("first")
    copy(folder)
    return folder, runs_in(folder)("leaky", "rnn")


@pytest.fixture
def after_first(first_run, tmp_path):
    """The same again, whose sources and kernels can be changed."""
    folder, said = first_run
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return runs_in(tmp_path), said


@pytest.mark.slow
def test_a_second_process_loads_the_kernels_and_an_edit_compiles_only_what_it_changes(after_first, tmp_path):
    run, first = after_first

    def edit(path, old, new):
        source = (tmp_path / "gradlab" / path).read_text()
        assert source.count(old) == 1, f"{path} no longer has {old!r} once"
        (tmp_path / "gradlab" / path).write_text(source.replace(old, new))

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

    edit("engine/elementary.py", "size = minus_one / (minus_one + 2.0)", "size = minus_one / (minus_one + 3.0)")
    other_engine = run("leaky")["leaky"]
    assert other_engine["loaded"] == 0
    assert other_engine["off"] > 0.01  # the reference does not


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


@pytest.mark.slow
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


FACTORS = np.ones(5000)


def test_the_code_of_a_cell_has_every_entry_of_an_array_that_it_reads(monkeypatch):
    class Reading(CELLS["rnn"]):
        @staticmethod
        def step(a_x, a_h, state):
            return state._replace(h=FACTORS[2500] * (a_x[0] + a_h[0])), ()

    before = compiled.cell_hash.__wrapped__(Reading)
    monkeypatch.setattr(sys.modules[__name__], "FACTORS", np.where(np.arange(5000) == 2500, 0.5, 1.0))
    assert compiled.cell_hash.__wrapped__(Reading) != before


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


@pytest.mark.slow
def test_a_damaged_cache_is_compiled_again_and_never_fatal(tmp_path):
    copy(tmp_path)
    run = runs_in(tmp_path)
    whole = run("rnn")["rnn"]
    files = sorted(path for path in (tmp_path / "cache").rglob("*") if path.is_file())
    assert {path.suffix for path in files} == {".nbi", ".nbc", ".lock"}
    noise = random.Random(0)
    damages = (lambda old: b"", lambda old: old[: len(old) // 2], lambda old: noise.randbytes(len(old)))
    for suffix in (".nbi", ".nbc"):
        ones = [path for path in files if path.suffix == suffix and path.exists()]
        assert len(ones) >= len(damages)
        for path, damage in zip(ones, itertools.cycle(damages), strict=False):
            path.write_bytes(damage(path.read_bytes()))
        again = run("rnn")["rnn"]
        assert (again["norms"], again["compiled"]) == (whole["norms"], len(ones))
        assert run("rnn")["rnn"]["compiled"] == 0, "what was compiled again is kept"


@pytest.mark.slow
def test_one_changed_byte_of_a_kernel_compiles_that_kernel_again_and_no_other(after_first, tmp_path):
    """Machine code with a wrong byte would end the process; another cell's kernels stand in the same index."""
    run, whole = after_first
    kernel = min((tmp_path / "cache").rglob("*.adjoint-*.nbc"))
    data = kernel.read_bytes()
    middle = len(data) // 2
    kernel.write_bytes(data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1 :])
    again = run("leaky", "rnn")
    assert sum(cell["compiled"] for cell in again.values()) == 1
    assert all(again[name]["norms"] == cell["norms"] for name, cell in whole.items())


OF_A_USER = """
import sys
import gradlab
if "mine" in sys.argv:
    import mine
    gradlab.CELLS["mine"] = mine.Mine
for cell in sys.argv[1:]:
    print(repr(float(gradlab.trace(gradlab.Experiment(cell=cell, hidden_size=3, steps=5)).log10_norms.sum())))
"""
MINE = """
from typing import NamedTuple
from gradlab.cells.activations import tanh
from gradlab.cells.states import Hidden

class Mine(NamedTuple):
    title = "mine"
    pre_activations = ("candidate",)
    gates = ()
    record = Hidden
    states = record._fields
    saved = ("slope",)

    @staticmethod
    def step(a_x, a_h, state):
        h, slope = tanh(a_x[0] + a_h[0])
        return Hidden(h), (slope,)

    @staticmethod
    def adjoint(saved, state, new, new_bar):
        a_bar = new_bar.h * saved[0]
        return (a_bar,), (a_bar,), Hidden(0 * new_bar.h), new_bar
"""


@pytest.mark.slow
def test_a_users_cell_follows_its_edits_and_leaves_other_processes_alone(tmp_path):
    environment = os.environ | QUICKLY | {"GRADLAB_CACHE": str(tmp_path / "cache"), "PYTHONPATH": f"{ROOT}:{tmp_path}"}

    def run(*cells, paths=environment["PYTHONPATH"]):
        command = [sys.executable, "-c", OF_A_USER, *cells]
        done = subprocess.run(
            command, env={**environment, "PYTHONPATH": paths}, cwd=tmp_path, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    (tmp_path / "mine.py").write_text(MINE)
    mine, rnn = run("mine", "rnn")
    assert mine == rnn  # the same formula
    (tmp_path / "mine.py").write_text(MINE.replace("tanh(a_x[0] + a_h[0])", "tanh(0.5 * a_x[0] + a_h[0])"))
    edited, _ = run("mine", "rnn")
    assert edited != mine
    (tmp_path / "mine.py").unlink()  # a process that cannot import it
    assert run("rnn", paths=str(ROOT)) == [rnn]


REDEFINED = """
import sys
import gradlab
for text in sys.argv[1:]:
    module = {"__name__": "notebook"}
    exec(text, module)
    gradlab.CELLS["mine"] = module["RNN"]
    found = gradlab.check(gradlab.Experiment(cell="mine", hidden_size=3, input_size=2, steps=5, batch_size=2))
    print(found.table.passed.all())
"""


@pytest.mark.slow
def test_a_cell_may_be_redefined_and_have_another_s_name(tmp_path):
    """As in a notebook. Against autograd over the cell's present formula; numba knows a cell by its name alone."""
    mine = MINE.replace("class Mine", "class RNN")
    edited = mine.replace("tanh(a_x[0] + a_h[0])", "tanh(a_x[0] + a_h[0] + 0.5)")
    environment = os.environ | QUICKLY | {"GRADLAB_CACHE": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", REDEFINED, mine, edited, mine],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stdout.split() == ["True"] * 3, done.stderr


def test_a_folder_that_others_can_write_into_or_own_is_not_used(tmp_path, monkeypatch):
    folder = compiled.cache_folder.__wrapped__
    monkeypatch.setattr(compiled.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    monkeypatch.setenv("GRADLAB_CACHE", str(shared))
    assert folder() == tmp_path / "user" / "gradlab" / compiled.source_hash()
    assert (tmp_path / "user" / "gradlab").stat().st_mode & 0o077 == 0
    monkeypatch.setattr(compiled.os, "getuid", lambda: 4321)  # every folder is now another's
    alone = folder()
    assert alone.parent == tmp_path
    assert alone.name.startswith("gradlab-")
    assert alone not in (tmp_path / "user" / "gradlab", shared)


def test_a_user_without_a_home_has_a_cache_all_the_same(tmp_path, monkeypatch):
    def homeless(cls):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("GRADLAB_CACHE", raising=False)
    monkeypatch.setattr(compiled.Path, "home", classmethod(homeless))
    monkeypatch.setattr(compiled.tempfile, "gettempdir", lambda: str(tmp_path))
    assert compiled.cache_folder.__wrapped__().parent.parent == tmp_path
