"""The kernels' disk cache: it spares the second process the compiling, and never serves code of other sources."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gradlab.engine import compiled

ROOT = Path(__file__).resolve().parents[2]

RUN = """
import json
import numpy as np
from gradlab.engine import kernels, sweep
from gradlab.engine.reference import unroll
from gradlab.analyses.traces import sparse
from tests.networks import drawn_case

case = drawn_case("lstm", H=9, T=8)
swept = sweep(case.stack, case.inputs, sparse(case.cotangents), case.initial_state)
*_, last = unroll(case.stack, case.inputs, case.initial_state)
right = np.stack([value.numpy() for value in last[0]], axis=1)
names = [name for name in dir(kernels) if hasattr(getattr(kernels, name), "stats")]
stats = [getattr(kernels, name).stats for name in names]
print(json.dumps({
    "norms": swept.log10_norms.ravel().tolist(),
    "off": float(np.abs(swept.last_states[0] - right).max()),
    "compiled": sum(sum(s.cache_misses.values()) for s in stats),
    "loaded": sum(sum(s.cache_hits.values()) for s in stats),
}))
"""


@pytest.fixture
def copied(tmp_path):
    """A copy of the package whose sources can be edited, with a kernel cache of its own."""
    for part in ("gradlab", "tests"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    environment = {**os.environ, "GRADLAB_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(tmp_path)}

    def run():
        done = subprocess.run(
            [sys.executable, "-c", RUN], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def edit(path, old, new):
        source = (tmp_path / "gradlab" / path).read_text()
        assert source.count(old) == 1, f"{path} no longer has {old!r} once"
        (tmp_path / "gradlab" / path).write_text(source.replace(old, new))

    return run, edit


@pytest.mark.slow
def test_a_second_process_loads_the_kernels_and_an_edit_of_a_cell_or_of_the_engine_is_seen(copied):
    run, edit = copied
    first = run()
    assert first["compiled"] > 0
    assert first["off"] < 1e-13
    second = run()
    assert (second["compiled"], second["loaded"]) == (0, first["compiled"])
    assert second["norms"] == first["norms"]

    edit("cells/lstm.py", "tanh_c = tanh(c)", "tanh_c = tanh(0.5 * c)")
    other_cell = run()
    assert other_cell["loaded"] == 0
    assert other_cell["off"] < 1e-13  # the reference reads the same edited cell
    assert other_cell["norms"] != first["norms"]

    edit("engine/elementary.py", "return minus_one / (minus_one + 2.0)", "return minus_one / (minus_one + 3.0)")
    other_engine = run()
    assert other_engine["loaded"] == 0
    assert other_engine["off"] > 0.01  # the reference does not


def test_an_edit_of_any_file_of_cells_or_engine_and_a_new_or_renamed_file_change_the_key(tmp_path):
    package = tmp_path / "gradlab"
    for room in ("cells", "engine"):
        shutil.copytree(ROOT / "gradlab" / room, package / room, ignore=shutil.ignore_patterns("__pycache__"))
    key = compiled_key(package)
    assert key == compiled_key(package)
    sources = sorted(package.rglob("*.py"))
    assert len(sources) > 15
    keys = {key}
    for path in sources:
        before = path.read_bytes()
        path.write_bytes(before + b"\n")
        keys.add(compiled_key(package))
        path.write_bytes(before)
    assert len(keys) == len(sources) + 1
    (package / "cells" / "new.py").write_text("")
    keys.add(compiled_key(package))
    (package / "cells" / "new.py").rename(package / "cells" / "newer.py")
    keys.add(compiled_key(package))
    assert len(keys) == len(sources) + 3


def compiled_key(package):
    return compiled.source_hash.__wrapped__(package)


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
