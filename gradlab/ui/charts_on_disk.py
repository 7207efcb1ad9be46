"""Compiled charts on the disk, beside the kernels: Vega-Lite's compiler takes a third of a second to begin, which the
first visitor of a new server would wait for."""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gradlab.charts.arriving import COMPILER, vega_of
from gradlab.engine import cache_folder

MOST_FILES = 64  # the first charts of servers; looks without end are not kept


def kept_vega_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """The Vega specification of a Vega-Lite document, read where it was compiled before; else compiled."""
    folder = cache_folder()
    if folder is None:
        return vega_of(document)
    text = f"{COMPILER} {json.dumps(document)}"
    file = folder / f"chart-{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"
    with contextlib.suppress(OSError, ValueError):
        if isinstance(found := json.loads(file.read_text(encoding="utf-8")), dict):
            return found
    made = vega_of(document)
    with contextlib.suppress(OSError):
        if len([*folder.glob("chart-*.json")]) < MOST_FILES:
            _write(file, json.dumps(made))
    return made


def _write(file: Path, text: str) -> None:
    """All at once, for another server may read it."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=".chart-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as part:
            part.write(text)
        Path(name).replace(file)
    except OSError:
        Path(name).unlink()
        raise
