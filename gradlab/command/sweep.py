"""`gradlab sweep`: any settings × seeds, any measure, in processes here or on a cluster."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from gradlab.command.output import FOUND, as_json, print_json, print_table, progress_bar, write_table
from gradlab.command.settings import OfSettings, experiment_of, given

CLUSTER = "GRADLAB_CLUSTER"  # as gradlab.sweeps.cluster names it, which is not loaded for a help


@click.command(
    cls=OfSettings,
    short_help="Measure many settings at many seeds.",
    examples=(
        "gradlab sweep --over gain=0.5:1.5:3 --over initialization=pytorch,orthogonal --seeds 2 --processes 1",
        "gradlab sweep --over keep_bias=none,0,3 --measure decades_left --seeds 2 --processes 1 --table spread.csv",
        "gradlab sweep --over gain=1,2 --store runs --points --processes 1 --json | jq '.[].value'",
    ),
)
@click.option(
    "--over",
    multiple=True,
    required=True,
    metavar="NAME=VALUES",
    help="A setting and its values: gain=0.5,1,1.5, or gain=0:3:21 for 21 values from 0 to 3. May be given again.",
)
@click.option(
    "--measure",
    default="rate",
    show_default=True,
    metavar="NAME",
    help="rate, half_life, decades_left, lyapunov, saturation, updates_to_solve, or module:function, a function of an "
    "Experiment that gives a number.",
)
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="Of each combination, from --seed.")
@click.option(
    "--store",
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder: what is there is not measured again, and each answer is written as it comes.",
)
@click.option(
    "--processes", type=click.IntRange(1), help="Of this machine; 1 measures in this one. Default: its cores."
)
@click.option(
    "--cluster",
    envvar=CLUSTER,
    metavar="ADDRESS",
    help=f"Measure on the cluster of a dask scheduler, as tcp://host:8786; else of the variable {CLUSTER}.",
)
@click.option("--points", "each", is_flag=True, help="Every single point, and not the spread over the seeds.")
@click.option("--table", metavar="FILE", help="Write the rows as .csv or .parquet.")
@as_json
@click.pass_context
def sweep(
    ctx: click.Context,
    over: tuple[str, ...],
    measure: str,
    seeds: int,
    store: Path | None,
    processes: int | None,
    cluster: str | None,
    each: bool,
    table: str | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Measure every combination of settings at several seeds: median, quartiles and extremes of each.

    Exit code 1 where a point could not be measured.
    """
    if processes is not None and ctx.get_parameter_source("cluster") is click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError("--processes and --cluster exclude each other: use one of them.")
    base = experiment_of(settings)
    axes = dict(_axis(text, settings) for text in over)
    from gradlab.sweeps import points, spread

    chosen, executor, in_flight, connected = _named(measure), None, None, None
    if processes is not None:
        executor, in_flight = _of_this_machine(processes), 2 * processes if processes > 1 else 1
    elif cluster:
        from gradlab.sweeps.cluster import connect

        connected = connect(cluster)
        executor, in_flight = connected.executor, connected.in_flight
    listed = [(base.seed + number) for number in range(seeds)]
    try:
        with progress_bar("sweep") as report:
            rows = points(base, axes, chosen, listed, executor, store, report, in_flight)
    finally:
        if connected is not None:
            connected.close()
    is_incomplete = bool((rows["status"] != "done").any())
    rows = rows if each else spread(rows)
    for name, values in axes.items():
        if None in values:  # which a table of numbers does not have
            rows[name] = ["none" if value != value or value is None else str(value) for value in rows[name]]
    if table:
        write_table(rows, table, [base])
    if as_json:
        print_json(rows)
    else:
        print_table(rows)
    ctx.exit(FOUND if is_incomplete else 0)


def _axis(text: str, settings: dict[str, Any]) -> tuple[str, list[Any]]:
    """A setting and its values as Experiment has them. Raises ValueError, which names what is allowed."""
    name, is_there, values = text.partition("=")
    name = name.strip().replace("-", "_")
    if not is_there or not values:
        raise ValueError(f"over = {text!r} has no values: use NAME=VALUES, as gain=0.5,1,1.5 or gain=0:3:21")
    from gradlab.settings.catalogue import SETTINGS, is_whole

    if name not in SETTINGS or name == "seed":
        from gradlab.settings.meant import did_you_mean

        hint = ": use --seed and --seeds" if name == "seed" else did_you_mean(name, SETTINGS)
        raise ValueError(f"over = {text!r}: {name!r} is not a setting that can be swept{hint}")
    words = values.split(",")
    if len(ends := values.split(":")) == 3 and len(words) == 1:
        words = _range(text, ends, is_whole(name))
    read = [getattr(experiment_of(given(settings) | {name: word}), name) for word in words]
    return name, list(dict.fromkeys(read))


def _range(text: str, ends: Sequence[str], whole: bool) -> list[str]:
    """So many values evenly from one to the other, as texts."""
    try:
        low, high, count = float(ends[0]), float(ends[1]), int(ends[2])
        if count < 2:
            raise ValueError
    except ValueError:
        raise ValueError(
            f"over = {text!r} is no range: use NAME=FROM:TO:COUNT with 2 or more, as gain=0:3:21"
        ) from None
    values = [low + (high - low) * number / (count - 1) for number in range(count)]
    return [str(round(value)) if whole else f"{value:.10g}" for value in values]


def _named(measure: str) -> Any:
    """A name of MEASURES, or the function of a module, found from the present folder too."""
    module, is_function, name = measure.partition(":")
    if not is_function:
        return measure
    import importlib

    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"measure = {measure!r} is not there: {error}; use module:function") from error


def _of_this_machine(processes: int) -> Any:
    from gradlab.sweeps.pool import Pool
    from gradlab.sweeps.running import Here

    return Here() if processes == 1 else Pool(processes)
