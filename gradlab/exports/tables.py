"""Tables as files: every row, to the bit."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from gradlab.engine import refuse_too_large
from gradlab.exports.record import TRACES, one_line, record
from gradlab.settings.subject import Subject
from gradlab.words.letters import printable

Tables = pd.DataFrame | Iterable[pd.DataFrame]  # a table, or its rows block by block, written one after the other


def csv(table: Tables) -> bytes:
    """CSV (RFC 4180, UTF-8) of every row; numbers read back to the bit, -inf and nan are spelled out.

    Text that a spreadsheet would run as a formula (beginning with = + - @, a tab or a return) gets an apostrophe.
    Control characters, which a terminal would obey and few readers of CSV take, become visible ones: ␛.
    """
    file = io.BytesIO()
    for number, block in enumerate(_blocks(table)):
        safe = block.rename(columns=_harmless)
        text = [str(name) for name in safe if not pd.api.types.is_numeric_dtype(safe[name])]
        safe = safe.assign(**{name: safe[name].map(_harmless) for name in text})
        _room_for(file)
        safe.to_csv(file, index=False, header=not number, na_rep="nan", lineterminator="\r\n")
    return file.getvalue()


def _blocks(table: Tables) -> Iterable[pd.DataFrame]:
    return [table] if isinstance(table, pd.DataFrame) else table


def _room_for(file: io.BytesIO) -> None:
    """Raises TooLarge for a file that grows beyond what memory holds."""
    refuse_too_large(file.tell(), "every row as a file", "steps, or take Parquet or the program")


def _harmless(cell: Any) -> Any:
    if not isinstance(cell, str):
        return cell
    return printable(f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell)


def parquet(table: Tables, subjects: Sequence[Subject] = (), code: str = TRACES) -> bytes:
    """Parquet of every row, the record under the key `gradlab` of the file's metadata."""
    about = one_line(record(subjects, code)).encode()
    file, writer = io.BytesIO(), None
    for block in _blocks(table):
        arrow = pa.Table.from_pandas(block, preserve_index=False)
        if writer is None:
            schema = arrow.schema.with_metadata({**arrow.schema.metadata, b"gradlab": about})
            writer = pq.ParquetWriter(file, schema)
        _room_for(file)
        writer.write_table(arrow.cast(writer.schema))
    if writer is not None:
        writer.close()
    return file.getvalue()
