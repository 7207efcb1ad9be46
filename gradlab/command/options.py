"""The file that a command reads, and the data that its network reads, as arguments and options."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)


def reads_a_file(command: Callable[..., Any]) -> Callable[..., Any]:
    """FILE, --data, --batch-first and --part."""
    for option in (
        click.option("--part", metavar="NAME", help="One network of the file, by its name; else all of them."),
        click.option("--batch-first", is_flag=True, help="The data are [sequences, steps, channels]."),
        click.option(
            "--data",
            type=EXISTING,
            help="Sequences that the network reads: [steps, sequences, channels], or one as [steps, channels]. Else "
            "those that were recorded, or noise.",
        ),
        click.argument("file", type=EXISTING, required=False),
    ):
        command = option(command)
    return command
