"""Tasks × cells: how many updates each needs, what is left of the loss, and how long it took.

Run from the project's folder: `python -m benchmarks.training [updates] [task ...]`. Hidden size 32, Adam 3e-3, clip 1,
batch 64, seed 0, float64; "hello" has one sequence, and delayed recall, which LSTM and GRU otherwise learn late or
never, Adam 1e-2 and a forget bias of 3. A run ends where its task is solved or after the updates given.
"""

import sys
import time

import torch

from gradlab.experiment import Experiment
from gradlab.tasks import TASKS
from gradlab.training import Recipe, Run, history, solved_at

CELLS = ("rnn", "lstm", "gru")
STEPS = {"adding": 50, "temporal_order": 30, "delayed_recall": 30, "parity": 20, "copy_memory": 30}
RATES, FORGET_BIASES = {"delayed_recall": 1e-2}, {"delayed_recall": 3.0}
UPDATES = 1500
CHARACTERS = 300  # updates of the text task, which has no end


def main() -> None:
    torch.set_num_threads(1)
    most = int(sys.argv[1]) if len(sys.argv) > 1 else UPDATES
    print("| task | T | cell | baseline | solved below | updates to solve | final loss | seconds | updates a minute |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in sys.argv[2:] or TASKS:
        for cell in CELLS:
            print(row(name, cell, CHARACTERS if name == "text" else most), flush=True)


def row(name: str, cell: str, updates: int) -> str:
    """One line of the table, after one training run."""
    sizes = {"steps": STEPS.get(name, 40), "batch_size": 64, "hidden_size": 32}
    if name == "text":
        sizes = {"steps": 128, "batch_size": 32, "hidden_size": 128, "dtype": "float32"}
    if name == "hello":
        sizes["batch_size"] = 1
    sizes["forget_bias"] = FORGET_BIASES.get(name)
    run = Run(Experiment(cell=cell, **sizes), name, Recipe(updates=updates, learning_rate=RATES.get(name, 3e-3)))
    run.trace()  # the kernels are compiled before the clock starts
    records, steps, start = [], run.experiment.steps, time.perf_counter()
    level = run.task.solved(steps)
    for record in run.records():
        records.append(record)
        if name != "text" and record.update % 10 == 9 and solved_at(history(records[-20:], cell), level) is not None:
            break
    seconds = time.perf_counter() - start
    table = history(records, cell)
    at, final = solved_at(table, level), table["loss"].tail(10).mean()
    solved = "-" if name == "text" else "never" if at is None else str(at)
    pace = 60 * len(records) / seconds
    baseline = run.task.baselines(steps)[0].loss
    return (
        f"| {run.task.title} | {steps} | {cell} | {baseline:.4f} | {level:.4f} | {solved} | {final:.4f} "
        f"| {seconds:.1f} | {pace:.0f} |"
    )


if __name__ == "__main__":
    main()
