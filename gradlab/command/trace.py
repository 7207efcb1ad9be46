"""`gradlab trace`: the gradient at every layer and step of drawn networks, and what it means."""

from __future__ import annotations

from typing import Any

import click

from gradlab.command.output import as_json, print_json, print_table, progress_bar, record_of, write_table
from gradlab.command.settings import OfSettings, experiments_of


@click.command(
    cls=OfSettings,
    short_help="Trace the gradient at every layer and step.",
    several=True,
    examples=(
        "gradlab trace --cell lstm --steps 1000 --keep-bias 1",
        "gradlab trace --cell rnn --cell gru --depth 2 --table norms.csv",
        "gradlab trace --json | jq '.[0].diagnoses[0].decades_per_100_steps'",
    ),
)
@as_json
@click.option("--table", metavar="FILE", help="Write every layer's and step's norms as .csv or .parquet.")
def trace(as_json: bool, table: str | None, **settings: Any) -> None:
    """Trace the gradient of drawn networks: every layer, state and step, and its rate."""
    experiments = experiments_of(settings)
    import pandas as pd

    import gradlab

    with progress_bar("trace") as report:
        traces = []
        for number, experiment in enumerate(experiments):
            traces.append(
                gradlab.trace(experiment, progress=lambda done, n=number: report((n + done) / len(experiments)))
            )
    diagnoses = [[gradlab.diagnose(one, layer=layer) for layer in range(one.stack.depth)] for one in traces]
    if table:
        write_table(pd.concat([one.table for one in traces], ignore_index=True), table, experiments)
    if as_json:
        found = zip(experiments, diagnoses, traces, strict=True)
        print_json(
            [
                {"settings": e.record(), "diagnoses": [record_of(d) for d in of_one], "rate": one.rate()}
                for e, of_one, one in found
            ]
        )
        return
    for of_one in diagnoses:
        for diagnosis in of_one:
            click.echo(diagnosis.sentence)
    click.echo()
    print_table(pd.concat([one.rate() for one in traces], ignore_index=True))
