"""Sentences of the pages about sequences; every number is read off what was computed."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
from numpy import ndarray

from gradlab.analyses.itemised import Pairs, state_of
from gradlab.analyses.traces import GradientTrace
from gradlab.analyses.truncation import Schedule
from gradlab.cells import CELLS
from gradlab.settings.drawing import read_steps_of
from gradlab.settings.subject import Subject
from gradlab.words.flow import arriving
from gradlab.words.numbers import listed, number


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


def kind_of(subject: Subject) -> Kind | None:
    """The sequence type that a subject's loss is, or is another name of."""
    placement = subject.settings.loss
    loss = ALIKE.get(placement, placement)
    return next((kind for kind in KINDS if kind.loss == loss), None)


def type_name(subject: Subject) -> str:
    """The sequence type, or the loss placement that is none."""
    kind = kind_of(subject)
    return kind.name if kind else f"Loss: {subject.settings.loss}"


def size(log10_value: float) -> str:
    """A norm in words: as a plain number near 1, else as a power of ten."""
    return f"{10**log10_value:.2g}" if abs(log10_value) < 2 else number(log10_value)


def type_sentence(subject: Subject, trace: GradientTrace) -> str:
    """What is read and judged, and how much of the gradient remains at the first step."""
    kind, steps = kind_of(subject), subject.settings.steps
    name = f"{kind.name} ({kind.task})" if kind else f"Loss = {subject.settings.loss}"
    reads, losses = read_steps_of(subject.settings), len(subject.injection_steps)
    read = "one step" if reads == 1 else f"{reads} steps"
    judged = "one step" if losses == 1 else f"{losses} steps"
    return (
        f"{name}: the {subject.title} reads at {read} and is judged at {judged} of {steps}. "
        f"Remaining at step 0 of the bottom layer, relative to the injected gradient: {size(arriving(trace))}."
    )


def hiding(found: Sequence[Pairs], traces: Sequence[GradientTrace], layer: int, state: str) -> str:
    """How the last loss's own gradient at step 0 compares with the sum over all losses there."""
    parts = []
    for pairs, trace in zip(found, traces, strict=True):
        last = pairs.norms(layer, state)[-1, 0].mean()
        total = trace.log10_norm(state_of(trace.cell, state))[layer, 0].mean()
        parts.append(f"{CELLS[pairs.cell].title} {size(float(last))} and {size(float(total))}")
    return (
        "The gradient at step 0, of the last loss alone and of all losses together: "
        f"{'; '.join(parts)}. The sum says nothing of the last loss: the nearest ones make it up."
    )


def losses_and_sum() -> str:
    """What the individual losses and the line above them are."""
    return (
        "Each thin line is the gradient of one individual loss on its way back; the bold line is the sum of all of "
        "them, as vectors: what a trace shows. Fresh gradient enters at every step, so the sum stays up however fast "
        "the individual ones fall."
    )


def rows_note(found: Sequence[Pairs], shown: Subject, asked: Subject, layer: int, state: str) -> str:
    """What of the matrices was computed, and with which loss: `shown` in place of what was asked for."""
    first, loss = found[0], asked.settings.loss
    notes = []
    if shown.settings.loss != loss and first.losses > 1 and loss != "every":
        notes.append(f"The chosen loss, {loss}, enters once; here it enters at every step.")
    if len(first.loss_steps) < first.losses:
        notes.append(f"{len(first.loss_steps)} of {first.losses} loss steps were computed, evenly spread.")
    states = " or ".join(dict.fromkeys(state_of(pairs.cell, state) for pairs in found))
    notes.append(f"State {states} of layer {layer}, mean over the batch; h or c is chosen under Display.")
    return " ".join(notes)


def window_note(asked: Subject, found: Sequence[Pairs], shown: Subject, layer: int, state: str) -> str:
    """What is shown where the settings truncate nothing, and `rows_note`."""
    full = "Truncation is full, so windows of the default lengths are shown. "
    return (full if asked.settings.truncation == "full" else "") + rows_note(found, shown, asked, layer, state)


def band_title(subject: Subject) -> str:
    return f"Shaded: the pairs that the truncation drops, {subject.title}"


def schedule_words(schedule: Schedule, steps: int) -> str:
    if schedule.kind == "full":
        return f"Back-propagation over all {steps} steps"
    if schedule.kind == "chunks":
        return f"Chunks of {schedule.k2} steps"
    return f"A window of {schedule.k2}, every {schedule.k1} steps,"


def statement(schedule: Schedule, subjects: Sequence[Subject], kept: Sequence[ndarray]) -> str:
    """What share of each network's gradient the truncation keeps; `kept` of each, by sequence."""
    shares = zip(subjects, kept, strict=True)
    together = listed([f"{percent(float(share.mean()))} of this {subject.title}'s" for subject, share in shares])
    verb = "keep" if schedule.kind == "chunks" else "keeps"
    return f"{schedule_words(schedule, subjects[0].settings.steps)} {verb} {together} gradient."


def percent(share: float) -> str:
    """A share in percent: digits where they tell it from 0 and from 100."""
    if math.isnan(share):
        return "an undefined part"
    if share > 0.9999:
        return "more than 99.99 %" if share < 1 - 1e-12 else "all"
    if share > 0.99:
        return f"{100 * share:.2f} %"
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.2g} %"


def savings(cost: pd.DataFrame) -> str:
    """What a schedule saves by count; `cost` of it alone."""
    ((memory, work),) = cost[["share_of_bytes", "share_of_multiply_adds"]].to_numpy(float)
    compared = "the same multiply-adds" if abs(work - 1) < 0.005 else f"{work:.2f} times the multiply-adds"
    return f"Counted, not timed: {memory:.1%} of the memory for states, {compared} of full back-propagation."
