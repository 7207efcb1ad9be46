"""What a trace takes: its memory is what was said beforehand, at any length."""

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from gradlab.analyses.problem import estimate
from gradlab.cells import CELLS
from gradlab.engine import Size, memory_limit, plan
from gradlab.engine.plan import left_in_container
from gradlab.settings.experiment import Experiment

ROOT = Path(__file__).resolve().parents[2]
ALLOWED = 0.3  # the estimate's relative error
MEASURE = """
import json, sys
from gradlab.analyses.traces import trace
from gradlab.settings.experiment import Experiment

def memory(what):
    lines = open("/proc/self/status").read().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(what))

experiment = Experiment.model_validate_json(sys.argv[1])
trace(experiment.shortened(3))  # what every first trace loads
open("/proc/self/clear_refs", "w").write("5")  # the high-water mark starts here
before = memory("VmRSS")
result = trace(experiment)
print(json.dumps({"growth": memory("VmHWM") - before, "shape": result.log10_norms.shape}))
"""

only_linux = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peak memory is read from /proc")


def growth(experiment: Experiment) -> int:
    """Bytes by which a new process grows at the peak of a trace, its result included."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, experiment.model_dump_json()],
        cwd=ROOT, check=True, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert found["shape"] == [experiment.depth, experiment.steps, experiment.batch_size, 2]
    return found["growth"]


LENGTHS = [10_000, 1_000_000]


@pytest.mark.slow
@only_linux
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("steps", LENGTHS)
def test_a_trace_grows_the_process_by_what_was_estimated_and_at_a_million_steps_by_under_400_megabytes(steps, dtype):
    e = Experiment(cell="lstm", hidden_size=64, batch_size=1, steps=steps, dtype=dtype)
    found = growth(e)
    assert abs(estimate(e).bytes - found) < ALLOWED * found
    assert found < 400e6


@only_linux
@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {"steps": 200_000, "loss": "every"},
        {"steps": 200_000, "loss": "every", "dtype": "float32"},
        {"steps": 20_000, "batch_size": 16, "hidden_size": 50, "depth": 3},
        {
            "steps": 20_000,
            "batch_size": 8,
            "hidden_size": 33,
            "depth": 2,
            "objective": "cross_entropy",
            "loss": "every",
        },
        {"steps": 2_000, "batch_size": 32, "hidden_size": 256, "input_size": 300},
    ],
    ids=lambda settings: " ".join(str(value) for value in settings.values()),
)
def test_other_shapes_and_losses_take_what_was_estimated(settings):
    e = Experiment(**{"cell": "lstm", "hidden_size": 64, "batch_size": 1} | settings)
    found = growth(e)
    assert abs(estimate(e).bytes - found) < ALLOWED * found


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("steps", [2, 63, 64, 1000, 10**6])
def test_chunks_cover_every_step_once_and_memory_does_not_follow_the_work(cell, steps):
    size = Size(cell, 3, 64, 16, steps, 8, 8, "float64")
    cut = plan(size)
    edges = [cut.steps_of(number) for number in range(cut.chunks)]
    assert edges[0][0] == 0
    assert edges[-1][1] == steps
    assert all(end == begin for (_, end), (begin, _) in pairwise(edges))
    assert 1 <= cut.stored <= cut.chunks
    everything = steps * 8 * 64 * 3 * 8 * (len(CELLS[cell].states) + len(CELLS[cell].saved))  # all forward values
    assert steps < 10**6 or cut.bytes < everything / 4


def test_more_of_anything_is_estimated_to_take_no_less():
    e = Experiment(steps=3000, batch_size=4, hidden_size=40, depth=2, input_size=8)
    for change in ({"steps": 9000}, {"batch_size": 8}, {"hidden_size": 80}, {"depth": 4}, {"input_size": 64}):
        more = estimate(e.replace(**change))
        assert more.bytes > estimate(e).bytes, change
        assert more.multiply_adds > estimate(e).multiply_adds, change
    assert estimate(e.replace(loss="every")).bytes > estimate(e).bytes
    assert plan(e.size).multiply_adds == estimate(e).multiply_adds


def test_a_container_leaves_what_its_bound_and_its_use_differ_by(tmp_path, monkeypatch):
    assert left_in_container(tmp_path) == sys.maxsize, "no bound"
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("300\n")
    assert left_in_container(tmp_path) == sys.maxsize
    (tmp_path / "memory.max").write_text("1000\n")
    assert left_in_container(tmp_path) == 700
    module = sys.modules["gradlab.engine.plan"]  # the package's attribute is the function of the same name
    monkeypatch.setattr(module, "CONTAINER", tmp_path)
    module._available.cache_clear()
    assert memory_limit() == 350, "half of it"
    (tmp_path / "memory.current").write_text("1200\n")
    assert left_in_container(tmp_path) == 0
    module._available.cache_clear()
