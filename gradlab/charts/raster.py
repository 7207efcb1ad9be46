"""A table of numbers as a small PNG inside a chart: one pixel per cell, so that 128 units × 2000 steps stay light.

A browser handles a few thousand marks well, not a quarter of a million; one picture is one mark.
"""

from __future__ import annotations

import base64
import struct
import zlib
from typing import NamedTuple

import numpy as np
from numpy import ndarray

TALL = 512  # pixels: pictures are enlarged to at least this, or browsers would smooth their cells into each other


class Scale(NamedTuple):
    """Colours at equal distances between two values, straight lines between them."""

    low: float
    high: float
    stops: tuple[str, ...]


SEQUENTIAL = (
    "#00224E",
    "#123570",
    "#3B496C",
    "#575D6D",
    "#707173",
    "#8A8678",
    "#A59C74",
    "#C3B369",
    "#E1CC55",
    "#FEE838",
)
DIVERGING = {  # blue to orange around a zero, which has the paper's colour
    False: ("#134B73", "#3484B2", "#8DC0DC", "#D5E8F2", "#F7F7F7", "#FBDFC3", "#F2B06B", "#D9761B", "#8A4407"),
    True: ("#9AD1F5", "#4FA3D9", "#2A6A99", "#1D3C57", "#171B24", "#4B3017", "#9A5A1A", "#E8913A", "#FFCE94"),
}


def data_url(values: ndarray, scale: Scale, undefined: str) -> str:
    """values [rows, columns] as the data: address of a PNG; `undefined` is the colour of what is not finite."""
    low, high = scale.low / 2, scale.high / 2  # of halves: the largest numbers have no difference
    place = (values / 2 - low) / ((high - low) or 1.0)
    finite = np.isfinite(place)
    index = np.where(finite, np.clip(np.nan_to_num(place), 0, 1) * 254, 255).round().astype(np.uint8)
    index = np.repeat(index, max(1, -(-TALL // len(index))), axis=0)
    index = np.repeat(index, max(1, -(-TALL // index.shape[1])), axis=1)
    stops = np.array([_rgb(stop) for stop in scale.stops], dtype=np.float64)
    at = np.linspace(0, len(stops) - 1, 255)
    palette = np.stack([np.interp(at, np.arange(len(stops)), stops[:, channel]) for channel in range(3)], axis=1)
    colours = np.vstack([palette, _rgb(undefined)]).round().astype(np.uint8)
    return "data:image/png;base64," + base64.b64encode(_png(index, colours)).decode()


def _rgb(colour: str) -> tuple[int, int, int]:
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))  # type: ignore[return-value]


def _png(index: ndarray, palette: ndarray) -> bytes:
    """A PNG of palette indices [rows, columns] (ISO/IEC 15948)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows, columns = index.shape
    header = struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0)
    lines = np.concatenate([np.zeros((rows, 1), np.uint8), index], axis=1).tobytes()
    parts = [(b"IHDR", header), (b"PLTE", palette.tobytes()), (b"IDAT", zlib.compress(lines, 1)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, data) for kind, data in parts)
