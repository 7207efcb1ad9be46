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
from gradlab.words.languages import N_, _
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
    Kind("one_to_one", N_("One-to-one"), N_("image → label")),
    Kind("one_to_many", N_("One-to-many"), N_("captioning: image → words")),
    Kind("many_to_one", N_("Many-to-one"), N_("sentiment: words → one label")),
    Kind("many_to_many_delayed", N_("Many-to-many, delayed"), N_("translation: read it, then write")),
    Kind("many_to_many", N_("Many-to-many"), N_("a label for each frame")),
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
    return _(kind.name) if kind else _("Loss: {loss}").format(loss=subject.settings.loss)


def type_sentence(subject: Subject, trace: GradientTrace) -> str:
    """How many steps have an input and a loss, and how much of the gradient remains at the first step."""
    kind, steps = kind_of(subject), subject.settings.steps
    name = f"{_(kind.name)} ({_(kind.task)})" if kind else _("Loss = {loss}").format(loss=subject.settings.loss)
    reads, losses = read_steps_of(subject.settings), len(subject.injection_steps)
    read, judged = (_("one step") if count == 1 else counted(count, "step") for count in (reads, losses))
    text = _("{name}: the {cell} has input at {reads} and a loss at {losses} of {steps}.")
    has = text.format(name=name, cell=subject.title, reads=read, losses=judged, steps=steps)
    if not len(trace.loss_steps):
        return f"{has} {_(NOTHING_INJECTED)}"
    left = _("Remaining in h at step 0 of the bottom layer, relative to the injected gradient: {left}.")
    return f"{has} {left.format(left=number(arriving(trace)))}"


def hiding(matrices: Sequence[Pairs], traces: Sequence[GradientTrace], layer: int, state: str) -> str:
    """The gradient of the last loss at step 0 beside the sum over all losses there, and whether the sum shows it."""
    parts, hidden, shown, dead = [], [], [], []
    for pairs, trace in zip(matrices, traces, strict=True):
        title, of = CELLS[pairs.cell].title, state_of(trace.cell, state)
        last, total = (_mean(trace.log10_norm(of, losses)[layer, 0]) for losses in (LAST, ALL))
        parts.append(_("{cell} {last} and {total}").format(cell=title, last=number(last), total=number(total)))
        each = pairs.norms(layer, state)[:, 0]  # [K, B]
        typical = _root_mean_square(np.array([_mean(one) for one in each]))
        if typical == -math.inf:
            dead.append(title)
        elif not math.isnan(last - typical):
            (shown if last - typical > LITTLE else hidden).append(title)
    if not any(len(pairs.loss_steps) for pairs in matrices):
        return _(NOTHING_INJECTED)
    text = _("The gradient at step 0, of the last loss alone and of all losses together: {parts}.")
    sentences = [text.format(parts="; ".join(parts))]
    if dead:
        sentences.append(_("Of the {cells} nothing arrives at step 0, of any loss.").format(cells=listed(dead)))
    if hidden:
        text = (
            _("The sum of the {cells} says next to nothing about the last loss: it is made up by nearer ones.")
            if shown or dead
            else _("The sum says next to nothing about the last loss: it is made up by nearer ones.")
        )
        sentences.append(text.format(cells=listed(hidden)))
    if shown:
        text = (
            _(
                "In the sum of the {cells} the last loss has its part: at least a tenth of what a loss contributes "
                "(rms)."
            )
            if hidden or dead
            else _("In the sum the last loss has its part: at least a tenth of what a loss contributes (rms).")
        )
        sentences.append(text.format(cells=listed(shown)))
    return " ".join(sentences)


def _root_mean_square(log10_sizes: ndarray) -> float:
    """log10 of the root mean square of sizes given as log10; -inf of none."""
    largest = log10_sizes.max(initial=-math.inf)
    if not math.isfinite(largest):
        return float(largest)
    return float(largest + 0.5 * np.log10(np.mean(10.0 ** (2 * (log10_sizes - largest)))))


def _mean(norms: ndarray) -> float:
    return float(of_batch(norms).mean)


def of_sum(pairs: Pairs, trace: GradientTrace, layer: int, state: str) -> str:
    """The norm of the sum of all losses at step 0 beside the largest of a single loss, among those computed."""
    if not len(pairs.loss_steps):
        return _(NOTHING_INJECTED)
    total = _mean(trace.log10_norm(state_of(trace.cell, state), ALL)[layer, 0])
    each = [_mean(one) for one in pairs.norms(layer, state)[:, 0]]
    text = (
        _("At step 0 the norm of the sum is {total}; the largest gradient of one loss there is {largest}.")
        if len(each) == pairs.losses
        else _("At step 0 the norm of the sum is {total}; the largest of the {some} gradients computed is {largest}.")
    )
    largest = number(max(each, key=lambda norm: (norm == norm, norm)))
    return text.format(total=number(total), some=len(each), largest=largest)


def losses_and_sum(matrices: Sequence[Pairs], layer: int, state: str) -> str:
    """What the thin lines and the bold line show, and what the sum cannot do where the loss enters at every step."""
    first = matrices[0]
    depth, steps = first.log10_norms.shape[0], first.log10_norms.shape[2]
    if not len(first.loss_steps):
        return _(NOTHING_INJECTED)
    each = _(
        "Each thin line is the gradient of one individual loss; the bold line is the norm of their vector sum, which "
        "is what a trace shows."
    )
    if first.losses == 1:
        rest = _("The loss enters at one step, so the two are the same.")
        return f"{each} {rest}"
    if first.losses < steps:
        rest = _(
            "The loss enters at {losses} of {steps} steps. Between two of them the sum goes back as each individual "
            "gradient does; where the bold line rises abruptly, a loss enters."
        )
        return f"{each} {rest.format(losses=first.losses, steps=steps)}"
    if layer == depth - 1 and {state_of(pairs.cell, state) for pairs in matrices} == {"h"}:
        rest = _(
            "Gradient is injected into this state at every step, so the sum cannot fall below what that step's loss "
            "injects, however fast the individual gradients fall, unless they cancel."
        )
        return f"{each} {rest}"
    rest = _("Gradient is injected into h of the top layer at every step, and the nearest losses reach this state.")
    return f"{each} {rest}"


def rows_note(matrices: Sequence[Pairs], shown: Subject, asked: Subject, layer: int, state: str) -> str:
    """Which rows of the matrices were computed, and with which loss: `shown` stands in for the subject `asked` for."""
    first, loss = matrices[0], asked.settings.loss
    notes = [] if len(first.loss_steps) else [_(NOTHING_INJECTED)]
    if shown.settings.loss != loss and first.losses > 1 and loss != "every":
        text = (
            _(
                "The chosen loss, {loss}, enters once; here it enters at every step, each time in another random "
                "direction, so that numbers may differ a little from those of other pages."
            )
            if asked.settings.objective == "direction"
            else _(
                "The chosen loss, {loss}, enters once; here it enters at every step, so that numbers may differ a "
                "little from those of other pages."
            )
        )
        notes.append(text.format(loss=title(loss)))
    if 0 < len(first.loss_steps) < first.losses:
        text = _("{some} of {all} loss steps were computed, evenly spread.")
        notes.append(text.format(some=len(first.loss_steps), all=first.losses))
    states = [*dict.fromkeys(state_of(pairs.cell, state) for pairs in matrices)]
    text = _(
        "State {states} of layer {layer}, mean over the batch's sequences in which it is not exactly zero; the state "
        "is chosen under Display."
    )
    either = states[0] if len(states) == 1 else _("{first} or {last}").format(first=states[0], last=states[1])
    notes.append(text.format(states=either, layer=layer))
    return " ".join(notes)


def window_note(asked: Subject, matrices: Sequence[Pairs], shown: Subject, layer: int, state: str) -> str:
    """That default windows are shown where nothing is truncated, and `rows_note`."""
    note = rows_note(matrices, shown, asked, layer, state)
    if asked.settings.truncation != "full":
        return note
    return _("Truncation is full, so windows of the default lengths are shown. {note}").format(note=note)


def band_title(subject: Subject) -> str:
    return _("Shaded: pairs dropped by the truncation, {cell}").format(cell=subject.title)


def statement(schedule: Schedule, subjects: Sequence[Subject], departures: Sequence[Departure]) -> str:
    """How far the parameter gradient that an optimizer gets is from the full one, of each network."""
    cosines = {_cosine(found.cosine) for found in departures}
    is_shared = len(departures) > 1 and len(cosines) == 1 and all(map(_has_cosine, departures))
    part = _("{how} for this {cell}")
    parts = [
        part.format(how=_departure(found, not is_shared), cell=one.title)
        for one, found in zip(subjects, departures, strict=True)
    ]
    said = _how_far(schedule, subjects, listed(parts))
    return " ".join([said, _("Each cosine is {cosine}.").format(cosine=cosines.pop())]) if is_shared else said


def _how_far(schedule: Schedule, subjects: Sequence[Subject], parts: str) -> str:
    if schedule.kind == "full":
        text, length = _("Back-propagation over all {length} gives a parameter gradient that is {parts}."), subjects[0]
        return text.format(length=counted(length.settings.steps, "step"), parts=parts)
    if schedule.kind == "chunks":
        text = _("Chunks of {length} give a parameter gradient that is {parts}.")
        return text.format(length=counted(schedule.k2, "step"), parts=parts)
    text = _("A window of {length}, {often}, gives a parameter gradient that is {parts}.")
    return text.format(length=schedule.k2, often=every(schedule.k1, "step"), parts=parts)


def _has_cosine(found: Departure) -> bool:
    return found.relative_error >= ROUNDING and not math.isnan(found.cosine)


def _departure(found: Departure, with_cosine: bool = True) -> str:
    if math.isnan(found.relative_error):
        return _("undefined (the full one is exactly zero or not finite)")
    if found.relative_error < ROUNDING:
        return _("the full one")
    with_cosine = with_cosine and _has_cosine(found)
    text = _("{off}% off the full one (cosine {cosine})") if with_cosine else _("{off}% off the full one")
    return text.format(off=number(2 + math.log10(found.relative_error)), cosine=_cosine(found.cosine))


def _cosine(value: float) -> str:
    """With the digits that tell it from 1, as far as anybody reads them: "−0.31", "0.998", "above 0.999"."""
    if NEAR < value < 1:
        return _("above {near}").format(near=NEAR)
    return f"{value:.2f}".replace("-", "−") if value < 0.99 else f"{value:.3f}"


def needed(schedule: Schedule, subjects: Sequence[Subject], lengths: Sequence[int | None], error: float = 0.01) -> str:
    """How long a window each network needs, so that its optimizer gets all but an error of the parameter gradient."""
    text = (
        _("To be within {error}% of the full one takes chunks of {lengths}.")
        if schedule.kind == "chunks"
        else _("To be within {error}% of the full one takes a window of {lengths}.")
    )
    part = _("{steps} for this {cell}")
    parts = [
        part.format(steps=counted(length, "step"), cell=one.title)
        for one, length in zip(subjects, lengths, strict=True)
        if length is not None
    ]
    return text.format(error=f"{100 * error:g}", lengths=listed(parts)) if parts else ""


def kept_of_states(subjects: Sequence[Subject], kept: Sequence[Sequence[ndarray]], layer: int) -> str:
    """What share of the gradient that reaches each state of a layer is kept; `kept` by subject, state and sequence."""
    parts = []
    for subject, shares in zip(subjects, kept, strict=True):
        states = CELLS[subject.settings.cell].states
        at = _("{share} at {state}")
        each = [
            at.format(share=percent(_mean(share)), state=state) for state, share in zip(states, shares, strict=True)
        ]
        parts.append(f"{subject.title} {listed(each)}")
    text = _("So much is kept of the gradient that reaches layer {layer}, as a sum of norms: {parts}.")
    return text.format(layer=layer, parts="; ".join(parts))


def percent(share: float) -> str:
    """A share in percent, with the digits that tell it from 0 and from 100."""
    if math.isnan(share):
        return _("an undefined part")
    if share > 0.9999:
        return _("more than 99.99%") if share < 1 - 1e-12 else _("all of it")
    if share > 0.99:
        return f"{100 * share:.2f}%"
    return f"{number(2 + math.log10(share)) if share else 0}%"


def savings(cost: pd.DataFrame) -> str:
    """What a schedule saves by count; `cost` of it alone."""
    ((memory, work),) = cost[["share_of_bytes", "share_of_multiply_adds"]].to_numpy(float)
    text = (
        _("Counted, not timed: {memory} of the memory for states, as many multiply-adds as full back-propagation.")
        if abs(work - 1) < 0.005
        else _(
            "Counted, not timed: {memory} of the memory for states, {work} times as many multiply-adds as full "
            "back-propagation."
        )
    )
    return text.format(memory=f"{memory:.1%}", work=f"{work:.2f}")


def savings_of_others(cost: pd.DataFrame) -> str:
    """What windows of every length save by count, from the shortest to the longest."""
    by_length = cost.sort_values("k2")
    short, long = by_length.iloc[0], by_length.iloc[-1]
    text = _("A window of {short} takes {least} of the memory of full back-propagation, one of {long} {most}.")
    lengths = {"short": counted(int(short["k2"]), "step"), "long": int(long["k2"])}
    return text.format(least=f"{short['share_of_bytes']:.1%}", most=f"{long['share_of_bytes']:.1%}", **lengths)
