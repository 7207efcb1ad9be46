"""Tables as files: every row, to the bit."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from gradlab.exports.record import TRACES, one_line, record
from gradlab.settings.subject import Subject
from gradlab.words.letters import printable


def csv(table: pd.DataFrame) -> bytes:
    """CSV (RFC 4180, UTF-8) of every row; numbers read back to the bit, -inf and nan are spelled out.

    Text that a spreadsheet would run as a formula (beginning with = + - @, a tab or a return) gets an apostrophe.
    Control characters, which a terminal would obey and few readers of CSV take, become visible ones: ␛.
    """
    safe = table.rename(columns=_harmless)
    text = [str(name) for name in safe if not pd.api.types.is_numeric_dtype(safe[name])]
    safe = safe.assign(**{name: safe[name].map(_harmless) for name in text})
    return safe.to_csv(index=False, na_rep="nan", lineterminator="\r\n").encode()


def _harmless(cell: Any) -> Any:
    if not isinstance(cell, str):
        return cell
    return printable(f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell)


def parquet(table: pd.DataFrame, subjects: Sequence[Subject] = (), code: str = TRACES) -> bytes:
    """Parquet of every row, the record under the key `gradlab` of the file's metadata."""
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    about = one_line(record(subjects, code)).encode()
    arrow = arrow.replace_schema_metadata({**arrow.schema.metadata, b"gradlab": about})
    file = io.BytesIO()
    pq.write_table(arrow, file)
    return file.getvalue()
