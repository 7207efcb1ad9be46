"""`gradlab bench`: how long a trace takes on this machine, beside the same gradients by torch's autograd."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import click

from gradlab.command.output import as_json, print_json, print_table, progress_bar
from gradlab.command.settings import OfSettings, experiments_of


@click.command(
    cls=OfSettings,
    short_help="Time traces on this machine.",
    several=True,
    examples=(
        "gradlab bench --cell lstm --cell gru --steps 500 --hidden-size 32 --runs 3",
        "gradlab bench --steps 100000 --no-autograd",
    ),
)
@click.option("--runs", type=click.IntRange(1, 1000), default=5, show_default=True, help="Of which the median counts.")
@click.option("--autograd/--no-autograd", default=True, help="Also time torch's autograd, once; it is slow.")
@as_json
def bench(runs: int, autograd: bool, as_json: bool, **settings: Any) -> None:
    """Time full traces of drawn networks on this machine."""
    experiments = experiments_of(settings)
    import statistics

    import pandas as pd

    import gradlab

    rows = []
    with progress_bar("bench") as report:
        for number, experiment in enumerate(experiments):
            gradlab.trace(experiment)  # compiles, or reads, the cell's kernels
            times = []
            for run in range(runs):
                times.append(_seconds(lambda e=experiment: gradlab.trace(e)))
                report((number + (run + 1) / runs) / len(experiments))
            row = {"cell": experiment.cell, "steps": experiment.steps, "runs": runs}
            row |= {"median_ms": 1e3 * statistics.median(times), "lowest_ms": 1e3 * min(times)}
            row |= {"highest_ms": 1e3 * max(times)}
            row |= {"us_per_step_and_layer": 1e3 * row["median_ms"] / experiment.steps / experiment.depth}
            if autograd:
                row["autograd_ms"] = 1e3 * _of_autograd(experiment)
                row["times_faster"] = row["autograd_ms"] / row["median_ms"]
            rows.append(row)
    if as_json:
        print_json(rows)
    else:
        print_table(pd.DataFrame(rows))


def _seconds(work: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _of_autograd(experiment: Any) -> float:
    """Seconds of the same gradients by autograd, a step of a layer at a time."""
    from gradlab.analyses.problem import problem_of
    from gradlab.engine import autograd

    problem = problem_of(experiment)
    stack, inputs, cotangents = problem.stack, problem.inputs, problem.cotangents
    return _seconds(lambda: autograd(stack, inputs, cotangents, problem.initial_state))
