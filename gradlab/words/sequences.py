"""Sentences of the pages about sequences; every number is read from computed results."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab.analyses.batch import of_batch
from gradlab.analyses.itemised import Pairs, state_of
from gradlab.analyses.traces import ALL, LAST, GradientTrace
from gradlab.analyses.truncation import Departure, Schedule
from gradlab.cells import CELLS
from gradlab.settings.catalogue import title
from gradlab.settings.drawing import read_steps_of
from gradlab.settings.subject import Subject
from gradlab.words.flow import NOTHING_INJECTED, arriving
from gradlab.words.numbers import counted, every, listed, number

ROUNDING = 1e-12  # a relative error below it is none
NEAR = 0.999  # a cosine beyond it is near enough to 1
LITTLE = -1.0  # decades: a loss that gives less than a tenth of what the others do is not seen in the sum


class Kind(NamedTuple):
    """A sequence type under its usual name."""

    loss: str
    name: str
    task: str


KINDS = (
    Kind("one_to_one", "One-to-one", "image → label"),
    Kind("one_to_many", "One-to-many", "captioning: image → words"),
    Kind("many_to_one", "Many-to-one", "sentiment: words → one label"),
    Kind("many_to_many_delayed", "Many-to-many, delayed", "translation: read it, then write"),
    Kind("many_to_many", "Many-to-many", "a label for each frame"),
)
ALIKE = {"last": "many_to_one", "half_square": "many_to_one", "every": "many_to_many"}


def kind_of(subject: Subject) -> Kind | None:
    """The sequence type of a subject's loss; other names of a placement count too."""
    placement = subject.settings.loss
    loss = ALIKE.get(placement, placement)
    return next((kind for kind in KINDS if kind.loss == loss), None)


def type_name(subject: Subject) -> str:
    """The sequence type, or the name of a loss placement without one."""
    kind = kind_of(subject)
    return kind.name if kind else f"Loss: {subject.settings.loss}"


def type_sentence(subject: Subject, trace: GradientTrace) -> str:
    """How many steps have an input and a loss, and how much of the gradient remains at the first step."""
    kind, steps = kind_of(subject), subject.settings.steps
    name = f"{kind.name} ({kind.task})" if kind else f"Loss = {subject.settings.loss}"
    reads, losses = read_steps_of(subject.settings), len(subject.injection_steps)
    read = "one step" if reads == 1 else f"{reads} steps"
    judged = "one step" if losses == 1 else f"{losses} steps"
    has = f"{name}: the {subject.title} has input at {read} and a loss at {judged} of {steps}."
    if not len(trace.loss_steps):
        return f"{has} {NOTHING_INJECTED}"
    return (
        f"{has} Remaining in h at step 0 of the bottom layer, relative to the injected gradient: "
        f"{number(arriving(trace))}."
    )


def hiding(matrices: Sequence[Pairs], traces: Sequence[GradientTrace], layer: int, state: str) -> str:
    """The gradient of the last loss at step 0 beside the sum over all losses there, and whether the sum shows it."""
    parts, hidden, shown, dead = [], [], [], []
    for pairs, trace in zip(matrices, traces, strict=True):
        title, of = CELLS[pairs.cell].title, state_of(trace.cell, state)
        last, total = (_mean(trace.log10_norm(of, losses)[layer, 0]) for losses in (LAST, ALL))
        parts.append(f"{title} {number(last)} and {number(total)}")
        each = pairs.norms(layer, state)[:, 0]  # [K, B]
        typical = _root_mean_square(np.array([_mean(one) for one in each]))
        if typical == -math.inf:
            dead.append(title)
        elif not math.isnan(last - typical):
            (shown if last - typical > LITTLE else hidden).append(title)
    if not any(len(pairs.loss_steps) for pairs in matrices):
        return NOTHING_INJECTED
    text = f"The gradient at step 0, of the last loss alone and of all losses together: {'; '.join(parts)}."
    if dead:
        text += f" Of the {listed(dead)} nothing arrives at step 0, of any loss."
    if hidden:
        whose = "" if not (shown or dead) else f" of the {listed(hidden)}"
        text += f" The sum{whose} says next to nothing about the last loss: it is made up by nearer ones."
    if shown:
        whose = "" if not (hidden or dead) else f" of the {listed(shown)}"
        text += f" In the sum{whose} the last loss has its part: at least a tenth of what a loss contributes (rms)."
    return text


def _root_mean_square(log10_sizes: ndarray) -> float:
    """log10 of the root mean square of sizes given as log10; -inf of none."""
    largest = log10_sizes.max(initial=-math.inf)
    if not math.isfinite(largest):
        return float(largest)
    return float(largest + 0.5 * np.log10(np.mean(10.0 ** (2 * (log10_sizes - largest)))))


def _mean(norms: ndarray) -> float:
    return float(of_batch(norms).mean)


def losses_and_sum(matrices: Sequence[Pairs], layer: int, state: str) -> str:
    """What the thin lines and the bold line show, and what the sum cannot do where the loss enters at every step."""
    first = matrices[0]
    depth, _, steps = first.log10_norms.shape[:3]
    if not len(first.loss_steps):
        return NOTHING_INJECTED
    text = (
        "Each thin line is the gradient of one individual loss; the bold line is the norm of their vector sum, which "
        "is what a trace shows. "
    )
    if first.losses == 1:
        return f"{text}The loss enters at one step, so the two are the same."
    if first.losses < steps:
        return (
            f"{text}The loss enters at {first.losses} of {steps} steps. Between two of them the sum goes back as each "
            "individual gradient does; where the bold line rises abruptly, a loss enters."
        )
    if layer == depth - 1 and {state_of(pairs.cell, state) for pairs in matrices} == {"h"}:
        return (
            f"{text}Gradient is injected into this state at every step, so the sum cannot fall below what that step's "
            "loss injects, however fast the individual gradients fall, unless they cancel."
        )
    return f"{text}Gradient is injected into h of the top layer at every step, and the nearest losses reach this state."


def rows_note(matrices: Sequence[Pairs], shown: Subject, asked: Subject, layer: int, state: str) -> str:
    """Which rows of the matrices were computed, and with which loss: `shown` stands in for the subject `asked` for."""
    first, loss = matrices[0], asked.settings.loss
    notes = [] if len(first.loss_steps) else [NOTHING_INJECTED]
    if shown.settings.loss != loss and first.losses > 1 and loss != "every":
        each = ", each time in another random direction" if asked.settings.objective == "direction" else ""
        notes.append(
            f"The chosen loss, {title(loss)}, enters once; here it enters at every step{each}, so that numbers "
            "may differ a little from those of other pages."
        )
    if 0 < len(first.loss_steps) < first.losses:
        notes.append(f"{len(first.loss_steps)} of {first.losses} loss steps were computed, evenly spread.")
    states = " or ".join(dict.fromkeys(state_of(pairs.cell, state) for pairs in matrices))
    notes.append(
        f"State {states} of layer {layer}, mean over the batch's sequences in which it is not exactly zero; the state "
        "is chosen under Display."
    )
    return " ".join(notes)


def window_note(asked: Subject, matrices: Sequence[Pairs], shown: Subject, layer: int, state: str) -> str:
    """That default windows are shown where nothing is truncated, and `rows_note`."""
    full = "Truncation is full, so windows of the default lengths are shown. "
    return (full if asked.settings.truncation == "full" else "") + rows_note(matrices, shown, asked, layer, state)


def band_title(subject: Subject) -> str:
    return f"Shaded: pairs dropped by the truncation, {subject.title}"


def schedule_words(schedule: Schedule, steps: int) -> str:
    if schedule.kind == "full":
        return f"Back-propagation over all {counted(steps, 'step')}"
    if schedule.kind == "chunks":
        return f"Chunks of {counted(schedule.k2, 'step')}"
    return f"A window of {schedule.k2}, {every(schedule.k1, 'step')},"


def statement(schedule: Schedule, subjects: Sequence[Subject], departures: Sequence[Departure]) -> str:
    """How far the parameter gradient that an optimizer gets is from the full one, of each network."""
    parts = [f"{_departure(found)} for this {one.title}" for one, found in zip(subjects, departures, strict=True)]
    verb = "give" if schedule.kind == "chunks" else "gives"
    words = schedule_words(schedule, subjects[0].settings.steps)
    return f"{words} {verb} a parameter gradient that is {listed(parts)}."


def _departure(found: Departure) -> str:
    if math.isnan(found.relative_error):
        return "undefined (the full one is exactly zero or not finite)"
    if found.relative_error < ROUNDING:
        return "the full one"
    angle = "" if math.isnan(found.cosine) else f" (cosine {_cosine(found.cosine)})"
    return f"{number(2 + math.log10(found.relative_error))} % off the full one{angle}"


def _cosine(value: float) -> str:
    """With the digits that tell it from 1, as far as anybody reads them: "−0.31", "0.998", "above 0.999"."""
    if NEAR < value < 1:
        return f"above {NEAR}"
    return f"{value:.2f}".replace("-", "−") if value < 0.99 else f"{value:.3f}"


def needed(schedule: Schedule, subjects: Sequence[Subject], lengths: Sequence[int | None], error: float = 0.01) -> str:
    """How long a window each network needs, so that its optimizer gets all but an error of the parameter gradient."""
    what = "chunks" if schedule.kind == "chunks" else "a window"
    parts = [
        f"{counted(length, 'step')} for this {one.title}"
        for one, length in zip(subjects, lengths, strict=True)
        if length is not None
    ]
    return f"To be within {100 * error:g} % of the full one takes {what} of {listed(parts)}." if parts else ""


def kept_of_states(subjects: Sequence[Subject], kept: Sequence[Sequence[ndarray]], layer: int) -> str:
    """What share of the gradient that reaches each state of a layer is kept; `kept` by subject, state and sequence."""
    parts = []
    for subject, shares in zip(subjects, kept, strict=True):
        states = CELLS[subject.settings.cell].states
        each = [f"{percent(_mean(share))} at {state}" for state, share in zip(states, shares, strict=True)]
        parts.append(f"{subject.title} {listed(each)}")
    return f"So much is kept of the gradient that reaches layer {layer}, as a sum of norms: {'; '.join(parts)}."


def percent(share: float) -> str:
    """A share in percent, with the digits that tell it from 0 and from 100."""
    if math.isnan(share):
        return "an undefined part"
    if share > 0.9999:
        return "more than 99.99 %" if share < 1 - 1e-12 else "all"
    if share > 0.99:
        return f"{100 * share:.2f} %"
    return f"{number(2 + math.log10(share)) if share else 0} %"


def savings(cost: pd.DataFrame) -> str:
    """What a schedule saves by count; `cost` of it alone."""
    ((memory, work),) = cost[["share_of_bytes", "share_of_multiply_adds"]].to_numpy(float)
    compared = "as many multiply-adds" if abs(work - 1) < 0.005 else f"{work:.2f} times as many multiply-adds"
    return f"Counted, not timed: {memory:.1%} of the memory for states, {compared} as full back-propagation."
