"""Pins in words: in what settings a pin differs from the present ones, and what that does to the gradient."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from gradlab.analyses.traces import LAST, GradientTrace
from gradlab.cells import CELLS
from gradlab.settings.catalogue import CHOICES, title
from gradlab.settings.pins import Pin, differing
from gradlab.settings.subject import Subject
from gradlab.words import flow
from gradlab.words.languages import N_, _
from gradlab.words.numbers import counted, listed, number
from gradlab.words.subjects import setting_name, setting_value

SAME = N_("the same settings")
PRESENT = N_("Now")
ABOUT = math.log10(1.05)  # decades; nearer than this, a factor is written as 1


def difference(pin: Pin, now: Sequence[Subject]) -> str:
    """What a pin's settings are where they differ from the present ones: "keep-gate bias default, gain 1.5"."""
    changed = differing(now, pin.subjects)
    return ", ".join(f"{_name(name)} {_value(name, values[1])}" for name, values in changed.items()) or _(SAME)


def label(pin: Pin, now: Sequence[Subject]) -> str:
    """A pin by its name and its difference: "A: keep-gate bias default"."""
    return f"{pin.name}: {difference(pin, now)}"


def comparison(
    pin: Pin, now: Sequence[Subject], traces: Sequence[GradientTrace], pinned: Sequence[GradientTrace]
) -> str:
    """What of the last loss's gradient h at step 0 of the bottom layer keeps, compared with a pin, and what differs.

    traces    of the present subjects; `pinned` of the pin's, in its order
    """
    changed = differing(now, pin.subjects)
    is_drawn = all(subject is subject.settings for subject in now)  # and its weights are no training's
    if not changed and is_drawn:
        return _("Compared with **{pin}**: {what}.").format(pin=pin.name, what=_(SAME))
    return f"{_did(pin, traces, pinned)} {_differ(changed, pin, not is_drawn)}"


def _did(pin: Pin, traces: Sequence[GradientTrace], pinned: Sequence[GradientTrace]) -> str:
    """The sentence of what is kept."""
    of_pin = dict(zip(pin.cells, pinned, strict=True))
    common = [(trace, of_pin[trace.cell]) for trace in traces if trace.cell in of_pin]
    if not common and len(traces) == len(pinned) == 1:
        return _compared(pin, _where(traces[0], pinned[0]), _other_cell(traces[0], pinned[0]))
    if not common:
        return _("Compared with **{pin}**: {what}.").format(pin=pin.name, what=_("none of its cells is shown now"))
    kept = ", ".join(f"{flow.title(trace)} {_change(trace, then, pin.name)}" for trace, then in common)
    return _compared(pin, _where(*common[0]), kept)


def _compared(pin: Pin, where: str, kept: str) -> str:
    return _("Compared with **{pin}**, {where}: {what}.").format(pin=pin.name, where=where, what=kept)


def _where(trace: GradientTrace, then: GradientTrace) -> str:
    """ "at step 0", with the ways back where they are not of equal length."""
    back, before = (int(one.last_loss.max(initial=0)) for one in (trace, then))
    text = _("at step 0") if back == before else _("at step 0 ({steps} back now, {before} there)")
    where = text.format(steps=counted(back, "step"), before=before)
    if flow.several_losses([trace, then]):
        return _("{where}, of the last loss's gradient").format(where=where)
    return where


def _change(trace: GradientTrace, then: GradientTrace, name: str) -> str:
    """How many times more, or less, remains than in a pin."""
    kept, before = (flow.arriving(one, LAST) for one in (trace, then))
    if not (math.isfinite(kept) and math.isfinite(before)):
        text = _("{now}, as there") if kept == before else _("{now}, in {pin} {before}")
        return text.format(now=number(kept), pin=name, before=number(before))
    change = kept - before
    if abs(change) < ABOUT:
        return _("keeps the same") if change == 0 else _("keeps about the same")
    text = _("keeps {factor} times more") if change > 0 else _("keeps {factor} times less")
    return text.format(factor=number(abs(change)))


def _other_cell(trace: GradientTrace, then: GradientTrace) -> str:
    """The same where the two are of different cells."""
    kept, before = (flow.arriving(one, LAST) for one in (trace, then))
    is_factor = math.isfinite(kept) and math.isfinite(before) and abs(kept - before) >= ABOUT
    text = _("{cell} {change} than {other}") if is_factor else "{cell} {change}"
    return text.format(cell=flow.title(trace), change=_change(trace, then, flow.title(then)), other=flow.title(then))


def _differ(changed: Mapping[str, tuple[Any, Any]], pin: Pin, is_trained: bool) -> str:
    """The sentence of what differs."""
    training = [_("training")] if is_trained else []
    if not changed:
        return _("They differ in the {what} alone.").format(what=training[0])
    is_one = len(changed) == 1 and not training
    text = (
        _("They differ in the {name} alone: now {now}, in {pin} {then}.")
        if is_one
        else _("{name} (now {now}, in {pin} {then})")
    )
    texts = [
        text.format(name=_name(name), now=_value(name, now), pin=pin.name, then=_value(name, then))
        for name, (now, then) in changed.items()
    ]
    return texts[0] if is_one else _("They differ in the {what}.").format(what=listed([*texts, *training]))


def _name(name: str) -> str:
    return _("cells") if name == "cells" else setting_name(name)


def _value(name: str, value: Any) -> str:
    """A setting's value as the screen has it."""
    if name == "cells":
        return listed([CELLS[cell].title for cell in value])
    if value is None:
        return _("default")
    return title(value) if name in CHOICES else setting_value(value)
