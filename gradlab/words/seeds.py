"""Many seeds in words: how far the gradient's norm is spread, and how two networks compare seed by seed."""

from collections.abc import Sequence

import numpy as np

from gradlab.analyses.seeds import OverSeeds
from gradlab.cells import CELLS
from gradlab.words.languages import _
from gradlab.words.numbers import number


def spread(found: Sequence[OverSeeds]) -> str:
    """The range over the seeds of what h at step 0 of the bottom layer keeps of the last loss's gradient."""
    kept = ", ".join(f"{_title(one)} {_range(one.arriving)}" for one in found)
    return _("Over {seeds}, h at step 0 keeps: {kept}.").format(seeds=_seeds(found[0]), kept=kept)


def paired(name: str, now: Sequence[OverSeeds], pinned: Sequence[OverSeeds]) -> str:
    """How many times as much it keeps as in a pin, over the pairs of seeds: the range, and in how many pairs more."""
    of_pin = {one.cell: one for one in pinned}
    common = [(one, of_pin[one.cell]) for one in now if one.cell in of_pin]
    if not common:
        return _("Paired with **{pin}**: none of its cells is shown now.").format(pin=name)
    one, then = common[0]
    there = "" if one.seeds == then.seeds else _(", there {seeds}").format(seeds=_from_to(then.seeds))
    said = ", ".join(f"{_title(one)} {_times(one.arriving, then.arriving)}" for one, then in common)
    return _("Paired with **{pin}** over {seeds}: {said}.").format(pin=name, seeds=_seeds(one, there), said=said)


def _times(now: np.ndarray, then: np.ndarray) -> str:
    """How many times as much, from the least to the most, of the pairs in which both are there."""
    is_there = np.isfinite(now) & np.isfinite(then)
    changes = now[is_there] - then[is_there]
    absent = len(now) - len(changes)
    text = _("({few} of {all} pairs left out: one of the two is exactly 0 or not finite)")
    aside = f" {text.format(few=absent, all=len(now))}" if absent else ""
    if not len(changes):
        return _("no pair has a factor") + aside
    if not changes.any():
        return _("keeps the same") + aside
    factor = _span(number(float(changes.min())), number(float(changes.max())))
    text = _("keeps {factor} times as much, more in {some} of {all}")
    return text.format(factor=factor, some=int((changes > 0).sum()), all=len(changes)) + aside


def _range(values: np.ndarray) -> str:
    """From the least to the most, exact zeros among them."""
    return _span(number(float(values.min())), number(float(values.max())))


def _span(low: str, high: str) -> str:
    return low if low == high else _("{low} to {high}").format(low=low, high=high)


def _seeds(one: OverSeeds, there: str = "") -> str:
    return _("{count} seeds ({seeds})").format(count=len(one.seeds), seeds=f"{_from_to(one.seeds)}{there}")


def _from_to(seeds: Sequence[int]) -> str:
    return _("{low} to {high}").format(low=seeds[0], high=seeds[-1])


def _title(one: OverSeeds) -> str:
    return CELLS[one.cell].title
