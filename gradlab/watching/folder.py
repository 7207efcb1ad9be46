"""The logs of one folder, by name alone: whoever names one gets a file of this folder or none.

A server that strangers use opens no paths of theirs. A name is one of those that are listed: no folder below, no way
up, no link that leads out.
"""

from __future__ import annotations

from pathlib import Path

from gradlab.settings.watched import Watched
from gradlab.watching import network

ENDING = ".jsonl"
MOST_NAMES = 1000


def names(folder: Path) -> list[str]:
    """The logs in a folder, the latest written first; none where there is no such folder."""
    try:
        found = [path for path in folder.iterdir() if path.suffix == ENDING and _is_inside(folder, path)]
        dated = sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)
    except OSError:
        return []
    return [path.name for path in dated[:MOST_NAMES]]


def path_of(folder: Path, name: str) -> Path:
    """The file of a name. Raises ValueError where no such log lies there."""
    if name not in names(folder):
        raise ValueError("there is no log of this name in the server's folder")
    return folder / name


def network_of(folder: Path, name: str, part: str) -> Watched | None:
    """The network of a part beside a log; None where there is none. ValueError for what cannot be read."""
    path = network.beside(path_of(folder, name), part)
    if not _is_inside(folder, path) or path.stat().st_size > network.MOST_BYTES:
        return None
    return network.load(path.read_bytes(), path.name)


def _is_inside(folder: Path, path: Path) -> bool:
    """Whether a file lies in the folder itself, and is no link to elsewhere."""
    return path.is_file() and path.resolve().parent == folder.resolve()
