"""Many seeds in words: how far the gradient's norm is spread, and how two networks compare seed by seed."""

from collections.abc import Sequence

import numpy as np

from gradlab.analyses.seeds import OverSeeds
from gradlab.cells import CELLS
from gradlab.words.numbers import number


def spread(found: Sequence[OverSeeds]) -> str:
    """The range over the seeds of what h at step 0 of the bottom layer keeps of the last loss's gradient."""
    kept = ", ".join(f"{_title(one)} {_range(one.arriving)}" for one in found)
    return f"Over {_seeds(found[0])}, h at step 0 keeps: {kept}."


def paired(name: str, now: Sequence[OverSeeds], pinned: Sequence[OverSeeds]) -> str:
    """How many times as much it keeps as in a pin, over the pairs of seeds: the range, and in how many pairs more."""
    of_pin = {one.cell: one for one in pinned}
    common = [(one, of_pin[one.cell]) for one in now if one.cell in of_pin]
    if not common:
        return f"Paired with **{name}**: none of its cells is shown now."
    one, then = common[0]
    there = "" if one.seeds == then.seeds else f", there {_from_to(then.seeds)}"
    said = ", ".join(f"{_title(one)} {_times(one.arriving, then.arriving)}" for one, then in common)
    return f"Paired with **{name}** over {_seeds(one, there)}: {said}."


def _times(now: np.ndarray, then: np.ndarray) -> str:
    """How many times as much, from the least to the most, of the pairs in which both are there."""
    is_there = np.isfinite(now) & np.isfinite(then)
    changes = now[is_there] - then[is_there]
    absent = len(now) - len(changes)
    aside = f" ({absent} of {len(now)} pairs left out: one of the two is exactly 0 or not finite)" if absent else ""
    if not len(changes):
        return f"no pair has a factor{aside}"
    if not changes.any():
        return f"keeps the same{aside}"
    low, high = number(float(changes.min())), number(float(changes.max()))
    factor = low if low == high else f"{low} to {high}"
    return f"keeps {factor} times as much, more in {int((changes > 0).sum())} of {len(changes)}{aside}"


def _range(values: np.ndarray) -> str:
    """From the least to the most, exact zeros among them."""
    low, high = number(float(values.min())), number(float(values.max()))
    return low if low == high else f"{low} to {high}"


def _seeds(one: OverSeeds, there: str = "") -> str:
    return f"{len(one.seeds)} seeds ({_from_to(one.seeds)}{there})"


def _from_to(seeds: Sequence[int]) -> str:
    return f"{seeds[0]} to {seeds[-1]}"


def _title(one: OverSeeds) -> str:
    return CELLS[one.cell].title
