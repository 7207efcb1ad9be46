"""What a command prints: results on stdout, as sentences and tables or as JSON, and progress on stderr."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import pandas as pd

    from gradlab.analyses.diagnosis import Diagnosis

PARTS = 1000  # of a progress bar
FOUND = 1  # exit code: there is something to look at
LEFT_OUT = ("sequences", "log10_back", "rule")  # of a Diagnosis: what is long, and a text that is always the same

as_json = click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")


def print_json(value: Any) -> None:
    """JSON on stdout; numbers that JSON has not are texts that `float` reads: "-inf", "inf", "nan"."""
    click.echo(json.dumps(strict(value), indent=2, ensure_ascii=False, allow_nan=False))


def strict(value: Any) -> Any:
    """A value of records, numbers of numpy and tables as JSON has it."""
    if isinstance(value, Mapping):
        return {str(key): strict(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [strict(part) for part in value]
    if hasattr(value, "to_dict"):
        return strict(value.to_dict("records"))
    if hasattr(value, "item"):
        return strict(value.item())
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def print_table(table: pd.DataFrame) -> None:
    """A table as a terminal shows it, every row."""
    click.echo(table.to_string(index=False, float_format="{:.4g}".format))


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[float], None]]:
    """A bar on stderr, where that is a terminal; what it gives is called with the fraction done."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    with click.progressbar(length=PARTS, label=label, file=sys.stderr) as bar:

        def report(done: float) -> None:
            if (ahead := round(PARTS * done) - bar.pos) > 0:
                bar.update(ahead)

        yield report


def record_of(diagnosis: Diagnosis) -> dict[str, Any]:
    """A Diagnosis as JSON has it, without what it says of single sequences and steps."""
    fields = [name for name in diagnosis.__dataclass_fields__ if name not in LEFT_OUT]
    return {name: getattr(diagnosis, name) for name in fields}


def write_table(table: pd.DataFrame, path: str, subjects: Any) -> None:
    """A table as a file, whose name's ending says its kind. Raises ValueError for another ending."""
    from gradlab.exports import TABLES

    kind = next((kind for kind in TABLES.values() if path.endswith(kind.extension)), None)
    if kind is None:
        endings = " or ".join(kind.extension for kind in TABLES.values())
        raise ValueError(f"path = {path!r} does not say which kind of table: use a name that ends in {endings}")
    Path(path).write_bytes(kind.write(table, subjects))
