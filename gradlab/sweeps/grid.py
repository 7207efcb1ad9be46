"""The points of a sweep: every combination of the axes' values and the seeds, keyed by content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

from gradlab.settings.catalogue import SETTINGS
from gradlab.settings.experiment import Experiment, SettingsError
from gradlab.settings.meant import did_you_mean
from gradlab.version import VERSION


class Point(NamedTuple):
    """One combination of settings, with one seed."""

    axes: dict[str, Any]
    seed: int
    settings: dict[str, Any]  # all of an Experiment's; of what is refused, the base's with these
    refusal: str  # why these settings are not allowed, "" where they are
    key: str  # of its content: settings, measure and version


class Grid(NamedTuple):
    """The axes of a sweep around a base; nothing is made before it is asked for."""

    base: Experiment
    axes: dict[str, tuple[Any, ...]]
    seeds: tuple[int, ...]
    measure: str  # its name

    @classmethod
    def of(cls, base: Experiment, axes: Mapping[str, Sequence[Any]], seeds: int | Sequence[int], measure: str) -> Grid:
        """Raises ValueError for what is no grid: an unknown setting, an axis without values, no seeds."""
        for name, values in axes.items():
            if name not in SETTINGS or name == "seed":
                hint = ": pass seeds" if name == "seed" else did_you_mean(name, SETTINGS)
                raise ValueError(f"axes: {name!r} is not a setting that can be swept{hint}")
            if isinstance(values, str) or not len(values):
                raise ValueError(f"axes: {name} = {values!r} has no values: use a list of one or more")
        chosen = tuple(range(seeds)) if isinstance(seeds, int) else tuple(seeds)
        if not chosen:
            raise ValueError(f"seeds = {seeds!r} is not allowed: use a number of seeds from 1, or a list of seeds")
        return cls(base, {name: tuple(values) for name, values in axes.items()}, chosen, measure)

    def __len__(self) -> int:
        count = len(self.seeds)
        for values in self.axes.values():
            count *= len(values)
        return count

    def in_order(self) -> Iterator[Point]:
        """Every point, the last axis fastest, then the seeds."""
        for values in product(*self.axes.values()):
            for seed in self.seeds:
                yield self.point(values, seed)

    def coarse_to_fine(self) -> Iterator[Point]:
        """Every point, so that a map of the whole range is there early, and all of the first seed before the others."""
        values = [*self.axes.values()]
        places = coarse_to_fine([len(axis) for axis in values])
        for seed in self.seeds:
            for place in places:
                yield self.point([axis[i] for axis, i in zip(values, place, strict=True)], seed)

    def point(self, values: Sequence[Any], seed: int) -> Point:
        axes = dict(zip(self.axes, values, strict=True))
        refusal = ""
        try:
            settings = self.base.replace(**axes, seed=seed).model_dump(mode="json")
        except SettingsError as error:
            settings, refusal = self.base.model_dump(mode="json") | axes | {"seed": seed}, str(error)
        content = json.dumps([VERSION, self.measure, settings], sort_keys=True, default=repr)
        return Point(axes, seed, settings, refusal, hashlib.sha256(content.encode()).hexdigest()[:32])


def coarse_to_fine(sizes: Sequence[int]) -> list[tuple[int, ...]]:
    """Every place of a grid, the coarsest grid first: those at multiples of the largest power of two, then finer."""

    def level(place: tuple[int, ...]) -> int:
        """0 for the coarsest; of two places on different axes the finer one counts."""
        highest = max((max(sizes) - 1).bit_length(), 1)
        return max((highest - ((i & -i).bit_length() - 1 if i else highest) for i in place), default=0)

    return sorted(product(*map(range, sizes)), key=level)
