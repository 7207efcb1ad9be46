"""`gradlab paths`: by which path the gradient came back, around the recurrent weight or through it."""

from __future__ import annotations

from typing import Any

import click

from gradlab.command.output import as_json, print_json, print_table, progress_bar, write_table
from gradlab.command.settings import OfSettings, experiments_of

COLUMNS = ["path", "log10_norm", "log10_relative", "share"]
BOLD = "**"  # of the sentences, which pages read as Markdown


@click.command(
    cls=OfSettings,
    short_help="Split the gradient by the path it took.",
    several=True,
    examples=(
        "gradlab paths --cell lstm --keep-bias 3",
        "gradlab paths --cell gru --orders 4 --lag 50 --json",
    ),
)
@click.option("--orders", type=int, default=8, show_default=True, help="Parts that passed U 1, 2, … so many times.")
@click.option("--lag", type=int, default=100, show_default=True, help="Steps back from the last loss.")
@click.option("--table", metavar="FILE", help="Write the parts at every layer and step as .csv or .parquet.")
@as_json
def paths(orders: int, lag: int, table: str | None, as_json: bool, **settings: Any) -> None:
    """Split the last loss's gradient by the path it took: directly, or through U once, twice, …"""
    if lag < 0:
        raise ValueError(f"lag = {lag} is not allowed: use a whole number of 0 or more")
    experiments = experiments_of(settings)
    import pandas as pd

    from gradlab.analyses.paths import decompose, lowest, mean_passes, passes_at, summary
    from gradlab.analyses.traces import LAST
    from gradlab.words import paths as words

    parts, found = [], []
    with progress_bar("paths") as report:
        for number, experiment in enumerate(experiments):
            split = decompose(
                experiment,
                orders=orders,
                losses=LAST,
                progress=lambda done, n=number: report((n + done) / len(experiments)),
            )
            parts.append(split)
            found.append((summary(lowest(split), lag), passes_at(mean_passes(experiment, losses=LAST), lag)))
    if table:
        write_table(pd.concat(parts, ignore_index=True), table, experiments)
    at_lag = [
        pd.DataFrame(
            {"path": one.share.index, "log10_norm": one.log10_norm.values, "log10_relative": one.log10_relative.values,
             "share": one.share.values}
        )
        for one, _ in found
    ]  # fmt: skip
    if as_json:
        rows = zip(experiments, found, at_lag, strict=True)
        print_json(
            [
                {"settings": e.record(), "lag": one.lag, "half_life": one.half_life, "parts": of_lag,
                 "passes": passes._asdict()}
                for e, (one, passes), of_lag in rows
            ]
        )  # fmt: skip
        return
    for (one, passes), of_lag in zip(found, at_lag, strict=True):
        click.echo(words.of_parts(one).replace(BOLD, ""))
        click.echo(words.of_passes([passes]).replace(BOLD, ""))
        print_table(of_lag)
        click.echo()
