"""Sentences of the pages about sequences; every number is read off what was computed."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from gradlab.analyses.truncation import Schedule
from gradlab.cells import CELLS
from gradlab.settings.drawing import read_steps_of
from gradlab.settings.experiment import Experiment
from gradlab.ui.cached_sequences import Matrix, Truncated
from gradlab.words.numbers import power_of_ten


class Kind(NamedTuple):
    """A sequence type as people know it."""

    loss: str
    name: str
    task: str


KINDS = (
    Kind("one_to_one", "One-to-one", "image → label"),
    Kind("one_to_many", "One-to-many", "captioning: image → words"),
    Kind("many_to_one", "Many-to-one", "sentiment: words → one mark"),
    Kind("many_to_many_delayed", "Many-to-many, delayed", "translation: read it, then write"),
    Kind("many_to_many", "Many-to-many", "a label for each frame"),
)
ALIKE = {"last": "many_to_one", "half_square": "many_to_one", "every": "many_to_many"}


def kind_of(experiment: Experiment) -> Kind | None:
    """The sequence type that an experiment's loss is, or is another name of."""
    loss = ALIKE.get(experiment.loss, experiment.loss)
    return next((kind for kind in KINDS if kind.loss == loss), None)


def title(experiment: Experiment) -> str:
    return CELLS[experiment.cell].title


def size(log10_value: float) -> str:
    """A norm in words: as a plain number near 1, else as a power of ten."""
    if abs(log10_value) < 2:
        return f"{10**log10_value:.2g}"
    return power_of_ten(log10_value).replace("e-", "e−")  # at a hyphen a line may break


def type_sentence(experiment: Experiment, first: float, steps: int, losses: int) -> str:
    """What is read and judged, and how much of the gradient reaches the first step; `first` relative, log10."""
    kind = kind_of(experiment)
    name = f"{kind.name} ({kind.task})" if kind else f"Loss = {experiment.loss}"
    reads = read_steps_of(experiment)
    read = "one step" if reads == 1 else f"{reads} steps"
    judged = "one step" if losses == 1 else f"{losses} steps"
    return (
        f"{name}: the {title(experiment)} reads at {read} and is judged at {judged} of {steps}. "
        f"Of the gradient that the loss puts in, {size(first)} reaches step 0 of the lowest layer."
    )


def hiding_sentence(found: Sequence[Matrix], first: Sequence[float]) -> str:
    """How the last loss's own gradient at step 0 compares with the sum over all losses there; log10."""
    parts = []
    for matrix, total in zip(found, first, strict=True):
        last = matrix.rows[matrix.rows["loss_step"] == matrix.rows["loss_step"].max()]
        own = size(float(last["log10_norm"].iloc[0]))
        parts.append(f"{title(matrix.experiment)} {own} and {size(total)}")
    return (
        "The gradient at step 0, of the last loss alone and of all losses together: "
        f"{'; '.join(parts)}. The sum says nothing of the last loss: the nearest ones make it up."
    )


def comb_sentence() -> str:
    """What the teeth and the line above them are."""
    return (
        "Each thin line is one loss's own gradient on its way back; the bold line is the sum of all of them, as "
        "vectors: what a trace shows. Fresh gradient enters at every step, so the sum "
        "stays up however fast the parts fall."
    )


def window_note(asked: Experiment) -> str:
    """What is shown where the settings truncate nothing."""
    if asked.truncation != "full":
        return ""
    return "Truncation is full, so windows of the default lengths are shown."


def rows_note(found: Sequence[Matrix], asked: Experiment) -> str:
    """What of the matrix was computed, and with which loss."""
    first = found[0]
    notes = []
    if first.experiment.loss != asked.loss and first.losses > 1 and asked.loss != "every":
        notes.append(f"The chosen loss, {asked.loss}, enters once; here it enters at every step.")
    if first.chosen < first.losses:
        notes.append(f"{first.chosen} of {first.losses} loss steps were computed, evenly spread.")
    states = " or ".join(dict.fromkeys(matrix.place.state for matrix in found))
    notes.append(f"State {states} of layer {first.place.layer}, mean over the batch; h or c is chosen under Display.")
    return " ".join(notes)


def schedule_words(schedule: Schedule, steps: int) -> str:
    if schedule.kind == "full":
        return f"Back-propagation over all {steps} steps"
    if schedule.kind == "chunks":
        return f"Chunks of {schedule.k2} steps"
    return f"A window of {schedule.k2}, every {schedule.k1} steps,"


def statement(found: Sequence[Truncated]) -> str:
    """What share of each network's gradient the truncation keeps."""
    kept = [f"{percent(one.kept)} of this {title(one.experiment)}'s" for one in found]
    *first, last = kept
    together = f"{', '.join(first)} and {last}" if first else last
    steps = found[0].experiment.steps
    verb = "keep" if found[0].schedule.kind == "chunks" else "keeps"
    return f"{schedule_words(found[0].schedule, steps)} {verb} {together} gradient."


def percent(share: float) -> str:
    """A share in percent: digits where they tell it from 0 and from 100."""
    if math.isnan(share):
        return "an undefined part"
    if share > 0.9999:
        return "more than 99.99 %" if share < 1 - 1e-12 else "all"
    if share > 0.99:
        return f"{100 * share:.2f} %"
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.2g} %"


def savings_sentence(one: Truncated) -> str:
    """What the schedule saves by count."""
    row = one.cost.iloc[-1]
    work = row.share_of_multiply_adds
    told = "the same multiply-adds" if abs(work - 1) < 0.005 else f"{work:.2f} times the multiply-adds"
    return f"Counted, not timed: {row.share_of_bytes:.1%} of the memory for states, {told} of full back-propagation."
