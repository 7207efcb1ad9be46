"""Settings that do not fit each other, those that change nothing, and what one left open takes from the others.

`conflict` gives Experiment the setting that a tolerant reading leaves out, and the sentence; None where all fits.
"""

from __future__ import annotations

from typing import Any

from gradlab.cells import CELLS
from gradlab.cells.contract import keep_gate_of
from gradlab.settings.catalogue import Fields
from gradlab.settings.losses import LOSSES, Placement, source
from gradlab.settings.step_sets import StepSet
from gradlab.words.languages import _


def placement(e: Fields) -> Placement:
    """What places the loss: the settings that it names, so that no other one can change it."""
    return Placement(**{name: getattr(e, name) for name in LOSSES[e.loss].placed_by})


def window(e: Fields) -> int:
    """Steps that the truncated gradient goes back over: k2, a tenth of the sequence unless chosen; T where full."""
    if e.truncation == "full":
        return e.steps
    return max(e.steps // 10, 1) if e.k2 is None else e.k2


def stride(e: Fields) -> int:
    """Steps from one truncated back-propagation to the next: k1, half of k2 unless chosen; all of a chunk."""
    if e.truncation != "windows":
        return window(e)
    return max(window(e) // 2, 1) if e.k1 is None else e.k1


def unused(e: Fields) -> frozenset[str]:
    """The settings that change nothing here, because of another setting."""
    placed_by = LOSSES[e.loss].placed_by
    idle = {
        "input_size": e.inputs == "text",
        "text": e.inputs != "text",
        **{name: name not in placed_by for name in Placement._fields},
        "output_size": e.objective == "direction" or e.inputs == "text",
        "k1": e.truncation != "windows",
        "k2": e.truncation == "full",
        "forget_bias": "forget" not in CELLS[e.cell].pre_activations or e.keep_bias is not None,
        "keep_bias": keep_gate_of(CELLS[e.cell]) is None,
    }
    return frozenset(name for name, is_idle in idle.items() if is_idle)


def bias_to_keep(e: Fields) -> float | None:
    """The bias, toward keeping, of the gate that keeps the old state; None where the initialization decides it, or no
    gate does."""
    gate = keep_gate_of(CELLS[e.cell])
    if gate is None:
        return None
    return e.forget_bias if e.keep_bias is None and gate[0] == "forget" else e.keep_bias


def same_source(e: Fields) -> dict[str, Any]:
    """The changes to the default loss that keep which steps have an input: the loss alone says so."""
    n = LOSSES[e.loss].reads(e.steps, placement(e))
    if n == e.steps:
        return {}
    return {"loss": "one_to_one"} if n == 1 else {"loss": "many_to_many_delayed", "reads": n}


def conflict(e: Fields) -> tuple[str, str] | None:
    """What of the settings does not fit the rest."""
    return _loss(e) or _delayed(e) or _truncation(e)


def _loss(e: Fields) -> tuple[str, str] | None:
    if e.loss_step is not None and e.loss_step >= e.steps:
        text = _("loss_step = {step} lies beyond the sequence of steps = {steps}: use 0 to {last}, or raise steps")
        return "loss_step", text.format(step=e.loss_step, steps=e.steps, last=e.steps - 1)
    placed_by = LOSSES[e.loss].placed_by
    if "loss_steps" in placed_by and e.loss_steps is not None and (end := StepSet.parse(e.loss_steps).last) >= e.steps:
        text = _(
            "loss_steps names step {step}, which lies beyond the sequence of steps = {steps}: use 0 to {last}, or "
            "raise steps"
        )
        return "loss_steps", text.format(step=end, steps=e.steps, last=e.steps - 1)
    if LOSSES[e.loss].needs_states and e.objective != "direction":
        text = _(
            "objective = {objective} puts a readout on the network, and loss = {loss} is a loss of its own: use "
            "objective = direction, or another loss"
        )
        return "objective", text.format(objective=e.objective, loss=e.loss)
    return None


def _delayed(e: Fields) -> tuple[str, str] | None:
    placed = placement(e)
    n, m = placed.reads, placed.writes
    for name, length in (("reads", n), ("writes", m)):
        if length is not None and length >= e.steps:
            text = _(
                "{name} = {length} leaves nothing of steps = {steps} to the other side of the delayed type: use 1 to "
                "{last}, or raise steps"
            )
            return name, text.format(name=name, length=length, steps=e.steps, last=e.steps - 1)
    if n is not None and m is not None and n + m != e.steps:
        text = _(
            "reads = {n} and writes = {m} make {sum} steps, and steps = {steps}: the delayed type reads n steps, then "
            "writes m, with n + m = steps; set one of them to none"
        )
        return "writes", text.format(n=n, m=m, sum=n + m, steps=e.steps)
    return None


def _truncation(e: Fields) -> tuple[str, str] | None:
    if e.truncation != "full" and window(e) > e.steps:
        text = _(
            "k2 = {k2} is a window longer than the sequence of steps = {steps}: use 1 to {steps}, or truncation = full"
        )
        return "k2", text.format(k2=e.k2, steps=e.steps)
    if e.truncation == "windows" and stride(e) > window(e):
        text = _(
            "k1 = {k1} is more than k2 = {k2}: losses further back than the window would reach no state; use 1 to "
            "{k2}, or raise k2"
        )
        return "k1", text.format(k1=e.k1, k2=window(e))
    return None


def over_fewer_steps(e: Fields, steps: int) -> dict[str, Any]:
    """The changes that shorten an Experiment to `steps` T, with what places its loss and its truncation fitted in.

    None where it is no longer than that.
    """
    if e.steps <= steps:
        return {}
    T = steps
    changes: dict[str, Any] = {"steps": T}
    if e.k2 is not None:
        changes["k2"] = min(e.k2, T)
    if e.k1 is not None:
        changes["k1"] = min(e.k1, max(T // 10, 1) if e.k2 is None else changes["k2"])
    if e.loss_step is not None:
        changes["loss_step"] = min(e.loss_step, T - 1)
    if e.loss_steps is not None:
        changes["loss_steps"] = str(StepSet.parse(e.loss_steps).clipped(T - 1))
    if "reads" in LOSSES[e.loss].placed_by:
        changes |= {"reads": min(source(e.steps, placement(e)), max(T // 2, 1)), "writes": None}
    return changes
