"""`gradlab remedies`: what would help a network, each change computed on its weights and its data."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gradlab.command import files
from gradlab.command.options import reads_a_file
from gradlab.command.output import FOUND, as_json, print_json, progress_bar
from gradlab.command.settings import OfSettings, experiment_of

if TYPE_CHECKING:
    from gradlab.analyses.remedies import Remedy

LINES = ("log10_now", "log10_relative")  # of a Remedy: one number per step


@click.command(
    cls=OfSettings,
    short_help="Compute what would help a network.",
    examples=(
        "gradlab remedies training.rnn.safetensors",
        "gradlab remedies model.pt --data batch.npy --json",
        "gradlab remedies --cell lstm --steps 300",
    ),
)
@reads_a_file
@click.option("--layer", type=int, default=0, show_default=True, help="The layer whose gradients are compared.")
@click.option("--lag", type=int, help="Steps back from the last loss at which they are; else the first step.")
@as_json
@click.pass_context
def remedies(
    ctx: click.Context,
    file: Path | None,
    data: Path | None,
    batch_first: bool,
    array: str | None,
    scaling: str,
    part: str | None,
    layer: int,
    lag: int | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Compute what would help the network of FILE, or a drawn one: the most helpful change first, with its code.

    Exit code 1 where a change helps, 0 where none does.
    """
    if file is not None and file.suffix == files.LOG:
        raise ValueError(f"{file.name} is a log, which holds norms alone: give the network that lies beside it")
    if file is None and (data is not None or part is not None):
        raise ValueError("FILE is missing: --data and --part are about a file's networks")
    read_as = {"batch_first": batch_first, "array": array, "scaling": scaling}
    networks: dict[str, files.Arguments] = (
        {"": (experiment_of(settings),)} if file is None else files.networks(file, data, read_as, part, settings)
    )
    if len(networks) > 1:
        raise ValueError(f"{len(networks)} networks are in the file: choose one with --part, {', '.join(networks)}")
    import gradlab

    (arguments,) = networks.values()
    with progress_bar("remedies") as report:
        found = gradlab.remedies(gradlab.trace(*arguments), layer, lag, progress=report)
    if as_json:
        print_json([_record(remedy) for remedy in found])
    else:
        _print(found)
    ctx.exit(FOUND if any(remedy.helps for remedy in found) else 0)


def _record(remedy: Remedy) -> dict[str, Any]:
    return {field.name: getattr(remedy, field.name) for field in fields(remedy) if field.name not in LINES}


def _print(found: list[Remedy]) -> None:
    for remedy in found:
        click.echo(f"{remedy.title}. {remedy.reason} {remedy.cost}")
        if remedy.helps:
            click.echo("".join(f"    {line}\n" for line in remedy.code.splitlines()))
