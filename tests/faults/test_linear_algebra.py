"""A visitor's linear algebra leaves the other processors to the others."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

PROGRAM = """
import streamlit.web.cli  # which loads the app's entry
import app
import ctypes, numpy, psutil

paths = {part.path for part in psutil.Process().memory_maps() if "openblas" in part.path}
print(*(ctypes.CDLL(path).scipy_openblas_get_num_threads64_() for path in paths))
"""


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one processor has one thread anyway")
def test_the_servers_matrices_are_taken_apart_by_one_thread_each():
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode == 0 and not done.stdout.split():
        pytest.skip("this numpy has no OpenBLAS")
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == {"1"}
