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
from gradlab.words.languages import N_, SOURCE, _, current, speaking
from gradlab.words.languages import said as in_words
from gradlab.words.numbers import counted, every, number, rounded

CARRIES = 0.5  # of the gradient, as norms: what the direct path brings is then most of it
EXAMPLE = N_(
    "An example, trained by gradlab itself when this page asked for it: {what}. Your own takes its place: open a file "
    "of weights, write a log with `gradlab.watch(model, every=50, log=path)`, or keep a run of the page *Training*."
)
NONE_HELPS = N_("Nothing that is tried here helps this network.")


def example(subject: Trained) -> str:
    """What is shown where nothing was opened."""
    e = subject.settings
    what = _("{cell}, {layers} of {units}, {origin}")
    sizes = {"layers": counted(e.depth, "layer"), "units": counted(e.hidden_size, "unit")}
    return _(EXAMPLE).format(what=what.format(cell=subject.title, origin=subject.origin, **sizes))


def name(subject: Subject, place: int) -> str:
    """A network among several: an option in links, the same in every language."""
    with speaking(SOURCE):
        of = getattr(subject, "origin", "").partition(",")[0]
    return f"{place}: {subject.title}, {of}" if of else f"{place}: {subject.title}"


def where(worst: Worst, depth: int) -> str:
    """Layer and step where the gradient is lost."""
    d = worst.diagnosis
    layer = _("layer {layer}, of layers 0 to {last}") if depth > 1 else _("its only layer")
    layer, network, steps = layer.format(layer=d.layer, last=depth - 1), CELLS[d.cell].title, counted(d.length, "step")
    if d.verdict == "steady":
        text = _("**The gradient of this {cell} keeps its size** on its way back over {steps}.")
        return text.format(cell=network, steps=steps)
    if d.verdict == "zero":
        text = _("**No gradient arrives at step 0 of this {cell}**, in {layer}: it is exactly zero there.")
        return text.format(cell=network, layer=layer)
    if d.verdict == "undefined":
        text = _("**How the gradient of this {cell} propagates cannot be said.** {why}")
        return text.format(cell=network, why=d.sentence)
    text = (
        _("**The gradient of this {cell} dies, worst in {layer}:** it {halves}")
        if d.verdict == "vanishing"
        else _("**The gradient of this {cell} explodes, worst in {layer}:** it {halves}")
    )
    text, left = text.format(cell=network, layer=layer, halves=_halves(d.half_life)), number(d.log10_left)
    if worst.lag is None:
        return _("{text}, and {left} of it is left {steps} back.").format(text=text, left=left, steps=steps)
    rest = (
        _(
            "{text}. From {steps} behind the loss on, at step {step} and before, less than a thousandth is left of "
            "it; at the first step {left}."
        )
        if d.verdict == "vanishing"
        else _(
            "{text}. From {steps} behind the loss on, at step {step} and before, it is more than a thousand times as "
            "large; at the first step {left}."
        )
    )
    return rest.format(text=text, steps=counted(worst.lag, "step"), step=worst.step, left=left)


def _halves(half_life: float) -> str:
    text = _("halves {often}") if half_life > 0 else _("doubles {often}")
    return text.format(often=every(rounded(abs(half_life)), "step"))


def path(cell: str, direct: Summary) -> str:
    """By which path what is left came."""
    gate = keep_gate_of(CELLS[cell])
    if gate is None:
        return _(
            "It has one way back alone, through U: every step multiplies by Uᵀ and by the slopes of the activation."
        )
    ratio, steps = direct.norm_ratio, counted(direct.lag, "step")
    if math.isnan(ratio):
        text = _("By which path it came cannot be said {steps} back: nothing arrives there, or a pass is not finite.")
        return text.format(steps=steps)
    text = (
        _(
            "What is left {steps} back came by the direct path, the product of the {gate} gates in {state} of the "
            "lowest layer, and hardly through U."
        )
        if ratio >= CARRIES
        else _(
            "Of what is left {steps} back, the direct path, the product of the {gate} gates in {state} of the lowest "
            "layer, alone would bring {ratio} times as much: the gradient came through U."
        )
    )
    times = rounded(ratio) if ratio < CARRIES else ""
    said = text.format(steps=steps, gate=_(gate[0]), state=additive_name(CELLS[cell]), ratio=times)
    if direct.half_life is not None and math.isfinite(direct.half_life) and direct.half_life > 0:
        text = _("The direct path halves {often}: a larger bias of that gate keeps it open.")
        return f"{said} {text.format(often=every(rounded(direct.half_life), 'step'))}"
    return said


def of_remedies(found: Sequence[Remedy]) -> str:
    """How many help, and the first of them."""
    helping = [remedy for remedy in found if remedy.helps]
    if not helping:
        return _(NONE_HELPS)
    first = helping[0]
    text = _(
        "{some} of {all} changes help, each computed on these weights and this data. First of them: {title}. {reason}"
    )
    title = _lower(first.title) if current() == SOURCE else in_words(first.title)
    return text.format(some=len(helping), all=len(found), title=title, reason=first.reason)


def remedy(found: Remedy) -> str:
    """What one of them does, and what it costs."""
    return f"**{in_words(found.title)}.** {found.reason} {found.cost}"


def table(summary: pd.DataFrame, found: Sequence[Remedy]) -> pd.DataFrame:
    """The summary of some remedies as people read it."""
    titles = (_("Kind"), _("Remedy"), _("Helps"), _("Before"), _("After"), _("Kept"), _("Lost"), _("Restart"))
    names, yes, no = dict(zip(SUMMARY_COLUMNS, titles, strict=True)), _("yes"), _("no")
    shown = summary.assign(
        remedy=[in_words(remedy.title) for remedy in found],
        helps=summary["helps"].map({True: yes, False: no}),
        log10_before=summary["log10_before"].map(number),
        log10_after=summary["log10_after"].map(number),
        restart=summary["restart"].map({True: yes, False: no}),
    )
    return shown.drop(columns="kind").rename(columns=names)


def _lower(text: str) -> str:
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]
