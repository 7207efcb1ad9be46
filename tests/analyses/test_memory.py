"""What a request takes of memory is what was said before it: by measuring a process for each, forked from one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ALLOWED = 0.2  # the estimate's relative error
NOISE = 12 * 2**20  # bytes: what a process takes for its threads and its first imports

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peak memory is read from /proc"),
]


def case(name, drawn="", /, options=None, **settings):
    """An analysis of some settings; `drawn`: the result's view and the reduction for the screen."""
    view, _, reduction = drawn.rpartition(" ")
    asked = {"name": name, "settings": settings, "options": options or {}, "view": view, "reduction": reduction}
    return pytest.param(asked, id=" ".join([name, *map(str, settings.values())]))


LONG = {"hidden_size": 1, "batch_size": 1, "input_size": 1}
CASES = [
    case("trace", "table Lines", cell="rnn", steps=200_000, depth=8, **LONG),
    case("trace", "table Lines", cell="lstm", steps=300_000, depth=2, **LONG),
    case("trace", "table StepBins", cell="lstm", steps=200_000, depth=3, **LONG),
    case("trace", "table Lines", cell="gru", steps=20_000, depth=3, hidden_size=50, batch_size=16),
    case("trace", "table Lines", cell="gru", steps=20_000, depth=3, hidden_size=50, batch_size=16, dtype="float32"),
    case("trace", "table Lines", cell="lstm", steps=100_000, hidden_size=64, batch_size=1, loss="every"),
    case("trace", "table Lines", cell="lstm", steps=2000, hidden_size=256, batch_size=32, input_size=300),
    case("trace", "propagation Lines", cell="lstm", steps=200_000, hidden_size=4, batch_size=2, loss="every"),
    case(
        "trace",
        "table Lines",
        cell="lstm",
        steps=20_000,
        batch_size=8,
        hidden_size=33,
        depth=2,
        loss="every",
        objective="cross_entropy",
    ),
    case("check", cell="gru", steps=500, hidden_size=512, batch_size=2, input_size=64),
    case("gate_statistics", "Lines", cell="lstm", steps=20_000, hidden_size=32, batch_size=2),
    case("gate_statistics", "Lines", cell="gru", steps=5000, hidden_size=64, batch_size=4, depth=2),
    case("microscope", cell="lstm", steps=20_000, hidden_size=32, batch_size=2),
    case("microscope", cell="gru", steps=6000, hidden_size=64, batch_size=4, depth=3),
    case("letters", cell="lstm", steps=100_000, hidden_size=8, batch_size=4, inputs="text"),
    case("gate_product", cell="lstm", steps=2000, hidden_size=64, batch_size=4),
    case("diagram", cell="lstm", steps=4000, hidden_size=64, batch_size=4, loss="every"),
    case("edges", "AllRows", cell="gru", steps=4000, hidden_size=64, batch_size=4, depth=2),
    case("edges", "AllRows", cell="lstm", steps=2000, hidden_size=64, batch_size=8),
    case("mean_passes", "AllRows", cell="lstm", steps=10_000, hidden_size=64, batch_size=4),
    case("mean_passes", "AllRows", cell="rnn", steps=20_000, hidden_size=16, batch_size=4, depth=3),
    case("decompose", "AllRows", cell="lstm", steps=4000, hidden_size=32, batch_size=4),
    case("decompose", "AllRows", cell="gru", steps=16_000, hidden_size=8, batch_size=2, depth=2),
    case("direct_at_biases", cell="lstm", steps=10_000, hidden_size=32, batch_size=4),
    case("cut", "Lines", cell="lstm", steps=100_000, hidden_size=8, batch_size=1, depth=2),
    case("cut", "Lines", cell="gru", steps=10_000, hidden_size=64, batch_size=8),
    case("pairs", "table PairBins", {"most": 40}, cell="rnn", steps=40_000, hidden_size=8, batch_size=4, loss="every"),
    case("pairs", "table PairBins", cell="gru", steps=1000, hidden_size=32, batch_size=16, loss="every"),
    case("itemised", "AllRows", {"most": 20}, cell="lstm", steps=40_000, hidden_size=8, batch_size=2, loss="every"),
    case("vectors", cell="lstm", steps=200, hidden_size=32, batch_size=2, loss="every"),
    case("over_seeds", "table Lines", {"seeds": 20}, cell="lstm", steps=20_000, hidden_size=16, batch_size=2, depth=2),
    case("changes", cell="lstm", steps=50_000, hidden_size=16, batch_size=2),
    case("product_jacobians", cell="lstm", steps=1000, hidden_size=64),
    case("product_jacobians", cell="gru", steps=2000, hidden_size=32, depth=2),
    case("step_jacobians", cell="lstm", steps=1000, hidden_size=64),
    case("step_jacobians", cell="gru", steps=4000, hidden_size=64),
    case("singular_values_by_lag", "AllRows", cell="lstm", steps=1000, hidden_size=64),
    case("lyapunov_exponents", cell="lstm", steps=3000, hidden_size=64),
    case("lyapunov_exponents", options={"count": 2}, cell="gru", steps=50_000, hidden_size=32, depth=2),
    case("spectrum", cell="lstm", steps=3000, hidden_size=64),
    case("step_logarithms", cell="lstm", steps=3000, hidden_size=64),
    case("newton_by_factor", options={"factors": (0.5, 1.0)}, cell="lstm", steps=20_000, hidden_size=32),
    case("parallel", options={"most": 2}, cell="lstm", steps=20_000, hidden_size=32),
    case("gradient", cell="rnn", steps=10_000, hidden_size=32, batch_size=8, loss="every"),
    case("bias", "AllRows", cell="gru", steps=5000, hidden_size=64, batch_size=4, loss="every"),
    case("departure", cell="gru", steps=10_000, hidden_size=32, batch_size=4, depth=2),
    case("departure", cell="lstm", steps=2000, hidden_size=64, batch_size=2, depth=3),
    case("window_for", cell="rnn", steps=8000, hidden_size=64, batch_size=8),
    case("window_for", cell="lstm", steps=2000, depth=2, hidden_size=16, batch_size=3, loss="every"),
    case("singular_values", "AllRows", cell="lstm", steps=20, hidden_size=1024, depth=2),
    case("eigenvalues", "AllRows", cell="gru", steps=20, hidden_size=600, depth=3),
]


@pytest.fixture(scope="module")
def measured():
    """measured(case) -> the bytes that were estimated, and those by which a process grew."""
    command = [sys.executable, "-m", "tests.analyses.measured_memory"]
    alone = os.environ | {"OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=alone
    ) as process:

        def measure(asked: dict) -> tuple[int, int]:
            process.stdin.write(json.dumps(asked) + "\n")
            process.stdin.flush()
            said = json.loads(process.stdout.readline())
            return said["estimated"], said["grown"]

        yield measure
        process.stdin.close()


@pytest.mark.parametrize("asked", CASES)
def test_a_request_takes_what_was_estimated(measured, asked):
    estimated, grown = measured(asked)
    assert abs(estimated - grown) < ALLOWED * grown + NOISE
