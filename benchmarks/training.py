"""Tasks × cells: how many updates each needs, what is left of the loss, and how long it took.

Run from the project's folder: `python -m benchmarks.training [updates] [task ...]`. Hidden size 32, Adam 3e-3, clip 1,
batch 64, seed 0, float64, but for what `OTHERWISE` says of a task: "hello" has one sequence, delayed recall and copy
memory, which are learned late or never otherwise, a larger rate and forget bias. A run ends where its task is solved or
after the updates given.
"""

import sys
import time

from gradlab.settings.experiment import Experiment
from gradlab.settings.tasks import TASKS
from gradlab.training import Recipe, Run, history, solved_at

CELLS = ("rnn", "lstm", "gru")
USUAL = {"steps": 40, "batch_size": 64, "hidden_size": 32}
OTHERWISE = {
    "adding": {"steps": 50},
    "temporal_order": {"steps": 30},
    "delayed_recall": {"steps": 30, "forget_bias": 3.0},
    "parity": {"steps": 10},
    "copy_memory": {
        "steps": 25, "hidden_size": 128, "initialization": "orthogonal", "forget_bias": 3.0, "dtype": "float32",
    },
    "hello": {"batch_size": 1},
    "text": {"steps": 128, "batch_size": 32, "hidden_size": 128, "dtype": "float32"},
}  # fmt: skip
RATES = {"delayed_recall": 1e-2, "copy_memory": 1e-2, "parity": 1e-2, "sine_continuation": 1e-2}
UPDATES = 2000
CHARACTERS = 300  # updates of the text task, which has no end


def main() -> None:
    most = int(sys.argv[1]) if len(sys.argv) > 1 else UPDATES
    print("| task | T | cell | baseline | solved below | updates to solve | final loss | seconds | updates a minute |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in sys.argv[2:] or TASKS:
        for cell in CELLS:
            print(row(name, cell, CHARACTERS if name == "text" else most), flush=True)


def row(name: str, cell: str, updates: int) -> str:
    """One line of the table, after one training run."""
    run = Run(
        Experiment(cell=cell, **USUAL | OTHERWISE.get(name, {})),
        name,
        Recipe(updates=updates, learning_rate=RATES.get(name, 3e-3)),
    )
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
