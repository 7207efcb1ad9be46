"""The file that a command reads, and the data that its network reads, as arguments and options."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

SCALINGS = ("none", "standard", "unit")  # of gradlab.checkpoints.data, which is not loaded for a help
EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)


def reads_a_file(command: Callable[..., Any]) -> Callable[..., Any]:
    """FILE, --part, --data and how the data are read."""
    for option in (
        click.option("--part", metavar="NAME", help="One network of the file, by its name; else all of them."),
        click.option("--array", metavar="NAME", help="The array of an .npz with several."),
        click.option(
            "--scaling",
            type=click.Choice(SCALINGS),
            default=SCALINGS[0],
            show_default=True,
            help="Of each input: as it is, to mean 0 and deviation 1, or to 0 to 1.",
        ),
        click.option("--batch-first", is_flag=True, help="The data are [sequences, steps, channels]."),
        click.option(
            "--data",
            type=EXISTING,
            help="What the network reads, as .npy, .npz, .csv, .parquet or .txt: [steps, sequences, channels], or one "
            "sequence as [steps, channels]. Else what was recorded, or noise.",
        ),
        click.argument("file", type=EXISTING, required=False),
    ):
        command = option(command)
    return command
