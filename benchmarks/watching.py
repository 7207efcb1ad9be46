"""What `gradlab.watch(model, every=50, log=…)` costs a training: `python -m benchmarks.watching [LOOKS]`.

A 2-layer LSTM of 256 units with a linear head over a batch of 32 sequences of 100 steps, float32, Adam. In turn: four
updates of a plain training, four that the watch passes over, one that it looks at, in wall time. The share is what a
look takes, by 50 updates, and what the watch costs the others; medians. The memory is what the copies of one pass take,
counted, and by how much the process grew. The kernels are compiled, or read from the cache, before the clock starts:
that takes seconds, once.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import psutil
import torch
from torch import nn

import gradlab
from gradlab.watching import log

UNITS, LAYERS, STEPS, SEQUENCES, INPUTS = 256, 2, 100, 32, 64
EVERY = 50
AT_MOST = 0.05


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.head = nn.LSTM(INPUTS, UNITS, LAYERS, batch_first=True), nn.Linear(UNITS, 10)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])


def seconds(model: nn.Module, optimizer: torch.optim.Optimizer, batch: tuple[torch.Tensor, ...]) -> float:
    """Of one update."""
    begin = time.perf_counter()
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(batch[0]), batch[1]).backward()
    optimizer.step()
    return time.perf_counter() - begin


def copies(flow: gradlab.Flow) -> int:
    """Bytes of what the latest pass holds: weights, what was read and returned, gradients."""
    last = flow._in_order("rnn")[-1]
    weights = sum(array.nbytes for layer in last.weights.layers for array in layer)
    tensors = [last.inputs, *last.start, *last.final, last.output_bar, *last.states_bar, *last.through_bar]
    return weights + sum(tensor.nbytes for tensor in tensors if tensor is not None)


def main() -> None:
    looks = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    torch.manual_seed(0)
    model = Model()
    optimizer = torch.optim.Adam(model.parameters())
    batch = (torch.randn(SEQUENCES, STEPS, INPUTS), torch.randint(10, (SEQUENCES,)))
    process = psutil.Process()
    plain, passed, looked = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.jsonl"
        for _ in range(3):
            seconds(model, optimizer, batch)
        before = process.memory_info().rss
        with gradlab.watch(model, every=EVERY, log=path) as flow:
            seconds(model, optimizer, batch)  # the kernels are made ready
            held, grown = copies(flow), process.memory_info().rss - before
        for _ in range(looks):
            plain += [seconds(model, optimizer, batch) for _ in range(4)]
            with gradlab.watch(model, every=EVERY, log=path) as flow:
                flow.rest()
                passed += [seconds(model, optimizer, batch) for _ in range(4)]
                flow.attend()
                looked.append(seconds(model, optimizer, batch))
        found = log.read(path)
        size = path.stat().st_size / len(found.diagnoses)
    assert len(found.diagnoses) == looks + 1
    one, idle, look = (statistics.median(times) for times in (plain, passed, looked))
    share = (look - one) / (EVERY * one)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {looks} looks")
    print(f"an update: {1e3 * one:.0f} ms; passed over: {1e3 * idle:.0f} ms; looked at: {1e3 * look:.0f} ms")
    print(f"share of the training's time at every {EVERY}th update: {100 * share:.2f} % (at most {100 * AT_MOST:g} %)")
    print(
        f"memory: copies {held / 1e6:.1f} MB, the process grew by {grown / 1e6:.0f} MB; a record: {size / 1e3:.0f} kB"
    )


if __name__ == "__main__":
    main()
