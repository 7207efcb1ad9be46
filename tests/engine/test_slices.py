"""The engine's threads are its own: nobody else's settings change, and nobody else's threads change its numbers."""

import ctypes
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from gradlab.engine import Cotangents, cotangents_of_slice, in_threads, slices_of, threads

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = """
import torch
from gradlab.analyses.traces import trace
from gradlab.settings.experiment import Experiment
from gradlab.engine import warm_up
from tests.engine.test_slices import blas_threads

torch.set_num_threads(3)

def settings():
    return torch.get_num_threads(), torch.get_num_interop_threads(), blas_threads()

before = settings()
warm_up(["lstm"], ["float32"])
trace(Experiment(batch_size=16, steps=800, depth=2, dtype="float32"))
assert settings() == before, (settings(), before)
print(before)
"""


def blas_threads() -> list[int]:
    """How many threads numpy's own OpenBLAS uses; nothing where numpy has another BLAS."""
    found = []
    for path in Path(np.__file__).parents[1].glob("numpy.libs/*openblas*"):
        library = ctypes.CDLL(str(path))
        names = ("scipy_openblas_get_num_threads64_", "openblas_get_num_threads64_", "openblas_get_num_threads")
        found += [getattr(library, name)() for name in names if hasattr(library, name)][:1]
    return found


@pytest.mark.slow
def test_threads_of_torch_and_blas_are_as_they_were_after_a_sweep_in_threads():
    done = subprocess.run([sys.executable, "-c", SETTINGS], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("(3, ")


@pytest.mark.parametrize("sequences", [1, 2, 3, 7, 64])
def test_slices_cover_each_sequence_once_and_follow_from_the_work_alone(sequences):
    for work in (0, 10**6, 10**8, 10**12):
        slices = slices_of(work, sequences)
        assert [b for own in slices for b in range(own.start, own.stop)] == list(range(sequences))
        assert slices == slices_of(work, sequences)
    assert len(slices_of(10**6, sequences)) == 1


def test_the_environment_may_say_how_many_threads(monkeypatch):
    for said in (1, 2, 5):
        monkeypatch.setenv("GRADLAB_THREADS", str(said))
        assert threads() == len(slices_of(10**12, 64)) == said
    monkeypatch.setenv("GRADLAB_THREADS", "")
    assert threads() == os.cpu_count()


def test_entries_of_a_slice_are_those_of_its_sequences_in_every_group_of_rows():
    B, groups, H = 5, 3, 2
    values = np.arange(2.0 * B * groups).reshape(-1, H)
    final = np.arange(1.0 * B * groups * H).reshape(1, B * groups, 1, H)
    whole = Cotangents(np.arange(B * groups), np.arange(B * groups), values, B * groups, final)
    own = slice(1, 4)
    part = cotangents_of_slice(whole, own, B)
    chosen = [row for row in range(B * groups) if 1 <= row % B < 4]
    assert part.rows == 9
    assert np.array_equal(part.values, values[chosen])
    assert np.array_equal(part.steps, chosen)
    assert np.array_equal(part.at, np.arange(9))
    assert np.array_equal(part.final, final[:, chosen])


def test_what_one_thread_raises_reaches_the_caller_and_the_pool_goes_on():
    def run(number, done):
        if number == 2:
            raise ValueError("the third one")
        return number

    for _ in range(3):
        with pytest.raises(ValueError, match="the third one"):
            in_threads(run, 4)
    assert in_threads(lambda number, done: number**2, 6) == [0, 1, 4, 9, 16, 25]
    with ThreadPoolExecutor(4) as callers:  # the pool is shared by all of them
        assert set(callers.map(lambda _: tuple(in_threads(lambda n, done: n, 3)), range(20))) == {(0, 1, 2)}
