"""`gradlab diagnose`: how the gradient propagates in the networks of a file; for CI by its exit code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gradlab.command import files
from gradlab.command.options import reads_a_file
from gradlab.command.output import FOUND, as_json, print_json, progress_bar, record_of
from gradlab.command.settings import OfSettings, experiments_of, given

if TYPE_CHECKING:
    from gradlab.watching.log import Log

STEADY = "steady"


@click.command(
    cls=OfSettings,
    short_help="Say how the gradient propagates in a file's networks.",
    several=True,
    examples=(
        "gradlab diagnose training.rnn.safetensors       # a network that gradlab.watch recorded beside its log",
        "gradlab diagnose training.jsonl                 # the latest update of every part in a log",
        "gradlab diagnose model.pt --data batch.npy      # somebody's weights on your data",
        "gradlab diagnose --cell lstm --keep-bias 3      # a drawn network",
    ),
)
@reads_a_file
@as_json
@click.pass_context
def diagnose(
    ctx: click.Context,
    file: Path | None,
    data: Path | None,
    batch_first: bool,
    array: str | None,
    scaling: str,
    part: str | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Say how the gradient propagates in every network of FILE, or in a drawn one.

    Exit code 1 where a gradient vanishes, explodes, is zero or cannot be judged; 0 where all keep their size.
    """
    if file is not None and (found := files.log(file)) is not None:
        if data is not None or given(settings):
            raise ValueError(f"{file.name} is a log, which holds norms alone: leave out --data and every setting")
        records = _of_log(found, part)
    else:
        read_as = {"batch_first": batch_first, "array": array, "scaling": scaling}
        records = _of_networks(_networks(file, data, read_as, part, settings))
    if as_json:
        print_json(records)
    else:
        for record in records:
            click.echo(record["sentence"])
    ctx.exit(FOUND if any(record["verdict"] != STEADY for record in records) else 0)


def _of_log(log: Log, part: str | None) -> list[dict[Any, Any]]:
    """The latest diagnosis of every part in the file's last training."""
    rows = log.diagnoses
    rows = rows[rows["training"] == len(log.trainings) - 1]
    names = list(dict.fromkeys(rows["part"]))
    if part is not None and part not in names:
        raise ValueError(f"part = {part!r} is not in the log: it has {', '.join(names) or 'none'}")
    latest = rows[rows["part"].isin([part] if part else names)].groupby("part", sort=False).tail(1)
    return latest.drop(columns="training").to_dict("records")


def _networks(
    file: Path | None, data: Path | None, read_as: dict[str, Any], part: str | None, settings: dict[str, Any]
) -> dict[str, files.Arguments]:
    if file is not None:
        cells = settings["cell"]
        if len(cells) > 1:
            raise ValueError("cell is named more than once: a file's network has one")
        return files.networks(file, data, read_as, part, settings | {"cell": cells[0] if cells else None})
    if data is not None or part is not None:
        raise ValueError("FILE is missing: --data and --part are about a file's networks")
    return {e.cell: (e,) for e in experiments_of(settings)}


def _of_networks(networks: dict[str, files.Arguments]) -> list[dict[str, Any]]:
    """One Diagnosis per network, layer and direction."""
    import gradlab
    from gradlab.watching.flow import diagnoses_of

    records = []
    with progress_bar("diagnose") as report:
        for number, (name, arguments) in enumerate(networks.items()):
            trace = gradlab.trace(*arguments, progress=lambda done, n=number: report((n + done) / len(networks)))
            records += [record_of(diagnosis) for diagnosis in diagnoses_of(trace, name)]
    return records
