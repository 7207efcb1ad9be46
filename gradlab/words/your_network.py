"""Sentences about one's own network: where its gradient is lost, by which path it came, and what a remedy does."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from gradlab.analyses.paths.summary import Summary
from gradlab.analyses.remedies import Remedy
from gradlab.analyses.repaired import SUMMARY_COLUMNS
from gradlab.analyses.worst import Worst
from gradlab.cells import CELLS
from gradlab.cells.contract import additive_name, keep_gate_of
from gradlab.settings.subject import Subject
from gradlab.settings.trained import Trained
from gradlab.words.numbers import counted, every, number, rounded

CARRIES = 0.5  # of the gradient, as norms: what the direct path brings is then most of it
EXAMPLE = (
    "An example, trained by gradlab itself when this page asked for it: {what}. Your own takes its place: open a file "
    "of weights, write a log with `gradlab.watch(model, every=50, log=path)`, or keep a run of the page *Training*."
)
NONE_HELPS = "Nothing that is tried here helps this network."


def example(subject: Trained) -> str:
    """What is shown where nothing was opened."""
    e = subject.settings
    what = f"{subject.title}, {counted(e.depth, 'layer')} of {counted(e.hidden_size, 'unit')}, {subject.origin}"
    return EXAMPLE.format(what=what)


def name(subject: Subject, place: int) -> str:
    """A network among several."""
    of = getattr(subject, "origin", "").partition(",")[0]
    return f"{place}: {subject.title}, {of}" if of else f"{place}: {subject.title}"


def where(worst: Worst, depth: int) -> str:
    """Layer and step where the gradient is lost."""
    d = worst.diagnosis
    layer = f"layer {d.layer}, of layers 0 to {depth - 1}" if depth > 1 else "its only layer"
    network = CELLS[d.cell].title
    if d.verdict == "steady":
        return f"**The gradient of this {network} keeps its size** on its way back over {counted(d.length, 'step')}."
    if d.verdict == "zero":
        return f"**No gradient arrives at step 0 of this {network}**, in {layer}: it is exactly zero there."
    if d.verdict == "undefined":
        return f"**How the gradient of this {network} propagates cannot be said.** {d.sentence}"
    does = "dies" if d.verdict == "vanishing" else "explodes"
    text = f"**The gradient of this {network} {does}, worst in {layer}:** it {_halves(d.half_life)}"
    if worst.lag is None:
        return f"{text}, and {number(d.log10_left)} of it is left {counted(d.length, 'step')} back."
    size = (
        "less than a thousandth is left of it"
        if d.verdict == "vanishing"
        else "it is more than a thousand times as large"
    )
    return (
        f"{text}. From {counted(worst.lag, 'step')} behind the loss on, at step {worst.step} and before, {size}; "
        f"at the first step {number(d.log10_left)}."
    )


def _halves(half_life: float) -> str:
    word = "halves" if half_life > 0 else "doubles"
    return f"{word} {every(rounded(abs(half_life)), 'step')}"


def path(cell: str, direct: Summary) -> str:
    """By which path what is left came."""
    gate = keep_gate_of(CELLS[cell])
    if gate is None:
        return "It has one way back alone, through U: every step multiplies by Uᵀ and by the slopes of the activation."
    ratio, state = direct.norm_ratio, additive_name(CELLS[cell])
    name = f"the direct path, the product of the {gate[0]} gates in {state} of the lowest layer,"
    at = f"{counted(direct.lag, 'step')} back"
    halves = ""
    if direct.half_life is not None and math.isfinite(direct.half_life) and direct.half_life > 0:
        every_so_many = every(rounded(direct.half_life), "step")
        halves = f" The direct path halves {every_so_many}: a larger bias of that gate keeps it open."
    if math.isnan(ratio):
        return f"By which path it came cannot be said {at}: nothing arrives there, or a pass is not finite."
    if ratio >= CARRIES:
        return f"What is left {at} came by {name} and hardly through U.{halves}"
    return (
        f"Of what is left {at}, {name} alone would bring {rounded(ratio)} times as much: the gradient came through U."
        f"{halves}"
    )


def of_remedies(found: Sequence[Remedy]) -> str:
    """How many help, and the first of them."""
    helping = [remedy for remedy in found if remedy.helps]
    if not helping:
        return NONE_HELPS
    first = helping[0]
    return (
        f"{len(helping)} of {len(found)} changes help, each computed on these weights and this data. First of them: "
        f"{_lower(first.title)}. {first.reason}"
    )


def remedy(found: Remedy) -> str:
    """What one of them does, and what it costs."""
    return f"**{found.title}.** {found.reason} {found.cost}"


def table(summary: pd.DataFrame) -> pd.DataFrame:
    """The summary as people read it."""
    names = dict(
        zip(SUMMARY_COLUMNS, ("Kind", "Remedy", "Helps", "Before", "After", "Kept", "Lost", "Restart"), strict=True)
    )
    shown = summary.assign(
        helps=summary["helps"].map({True: "yes", False: "no"}),
        log10_before=summary["log10_before"].map(number),
        log10_after=summary["log10_after"].map(number),
        restart=summary["restart"].map({True: "yes", False: "no"}),
    )
    return shown.drop(columns="kind").rename(columns=names)


def _lower(text: str) -> str:
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]
