"""Sets of steps as a setting names them, "9, 49, 90-99": sorted ranges, of which only a loss makes an array.

A set costs what its text costs, however many steps it names: "0-9999999" is one range.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy import ndarray

from gradlab.words.languages import _

DIGITS = 7  # of a step; the longest sequence has fewer


@dataclass(frozen=True)
class StepSet:
    """Steps, each once: `ranges` are in order, and neither overlap nor touch."""

    ranges: tuple[range, ...]

    @classmethod
    def of(cls, ranges: Iterable[range]) -> Self:
        """The union of ranges of step 1 in any order."""
        united: list[range] = []
        for part in sorted(ranges, key=lambda part: part.start):
            if united and part.start <= united[-1].stop:
                united[-1] = range(united[-1].start, max(united[-1].stop, part.stop))
            elif part:
                united.append(part)
        return cls(tuple(united))

    @classmethod
    def parse(cls, text: str) -> Self:
        """The steps that a text names. Raises ValueError for anything but steps and ranges between commas."""
        return cls.of(map(_range, text.split(",")))

    def __len__(self) -> int:
        return sum(map(len, self.ranges))

    def __contains__(self, step: int) -> bool:
        return any(step in part for part in self.ranges)

    def __str__(self) -> str:
        """The shortest text that names the set; no longer than any other."""
        return ",".join(f"{part[0]}-{part[-1]}" if len(part) > 1 else str(part[0]) for part in self.ranges)

    @property
    def last(self) -> int:
        return self.ranges[-1][-1]

    @property
    def array(self) -> ndarray:
        """Every step, in order; 8 bytes each, so that a length is to be checked before."""
        return np.concatenate([np.arange(part.start, part.stop) for part in self.ranges])

    def clipped(self, last: int) -> Self:
        """The same steps, none beyond `last`: what lies beyond is moved there."""
        return self.of(range(min(part[0], last), min(part[-1], last) + 1) for part in self.ranges)


def _range(part: str) -> range:
    """One step, or a range with its end."""
    part = part.strip()
    first, dash, end = part.partition("-")
    if not all(number.isascii() and number.isdigit() and len(number) <= DIGITS for number in (first, end or "0")):
        text = _("{part} is neither a step nor a range of steps such as 90-99")
        raise ValueError(text.format(part=repr(_shortened(part))))
    low, high = int(first), int(end) if end else int(first)
    if (dash and not end) or high < low:
        text = _("{part} is not a range from a lower to a higher step")
        raise ValueError(text.format(part=repr(_shortened(part))))
    return range(low, high + 1)


def _shortened(text: str) -> str:
    return text if len(text) <= 20 else f"{text[:19]}…"
