"""MeasuredTrace: the norms that autograd itself gave, in the precision of the model, and what they say.

They are totals, as the engine's are, of all losses together: what one injection leaves cannot be told from them. An
entry below the precision's range is 0 there; where the last gradient before it was about to leave that range, the zero
is the precision's and nothing is known of the true one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy import ndarray

from gradlab.analyses.batch import of_batch
from gradlab.analyses.diagnosis import RULE, Diagnosis, OfSequence, judged
from gradlab.analyses.frames import as_one
from gradlab.analyses.pictures import Pictured
from gradlab.analyses.propagation import Way, way_back
from gradlab.analyses.traces import TABLE_COLUMNS, relative
from gradlab.words.numbers import counted, listed, number, signed

NEARLY_OUT = 3.0  # decades above the smallest normal number: a norm below has entries that are about to become 0


@dataclass(frozen=True, eq=False, repr=False)
class MeasuredTrace(Pictured):
    """What `flow.trace` gives where the engine cannot speak; `reason` says why."""

    cell: str  # or "marked": no cell that gradlab knows
    states: tuple[str, ...]
    reason: str
    precision: str  # "float32", …
    at_steps: ndarray  # [n] which steps were seen, rising
    log10_norms: ndarray  # [L, n, B, S]; -inf where zero, NaN where not finite or not seen
    log10_cotangent: ndarray  # [B] log10 of what came in from outside; of a marked tensor, its last step's
    source: str = "autograd"

    def __repr__(self) -> str:
        depth, steps, sequences, _ = self.log10_norms.shape
        return f"MeasuredTrace({self.cell}, {depth} layers, {steps} steps, {sequences} sequences, by autograd)"

    def log10_norm(self, state: str = "h") -> ndarray:
        """log10 ‖∂L/∂s_t‖₂ per layer, step seen and sequence, [L, n, B]; state "all": all of them as one vector.

        -inf where the gradient was zero, which `precision_zero` tells from a true zero. Raises ValueError for a state
        that was not seen.
        """
        if state == "all":
            return as_one(self.log10_norms)
        if state not in self.states:
            raise ValueError(f"state = {state!r} was not seen: use {listed(list(self.states))}, or all")
        return self.log10_norms[..., self.states.index(state)]

    def precision_zero(self, state: str = "h") -> ndarray:
        """Where a zero is the precision's, [L, n, B]: the nearest gradient behind it was about to leave its range."""
        return _lost(self.log10_norm(state), self.precision)

    @property
    def table(self) -> pd.DataFrame:
        """Tidy: one row per layer, state and step seen; the columns of `GradientTrace.table`, and precision_zero.

        precision_zero counts the sequences whose zero is the precision's; path is "autograd".
        """
        rows = []
        for layer in range(len(self.log10_norms)):
            for state in self.states:
                norms = self.log10_norm(state)[layer]
                columns: dict[str, object] = {
                    "cell": self.cell, "layer": layer, "step": self.at_steps,
                    "lag": self.at_steps[-1] - self.at_steps, "state": state, "path": self.source,
                }  # fmt: skip
                for name, values in (("norm", norms), ("relative", relative(norms, self.log10_cotangent))):
                    found = of_batch(values)
                    columns |= {f"log10_{name}": found.mean, f"log10_{name}_min": found.least}
                    columns |= {f"log10_{name}_max": found.most, "left_out": found.left_out}
                columns["precision_zero"] = self.precision_zero(state)[layer].sum(axis=1)
                rows.append(pd.DataFrame(columns))
        return pd.concat(rows, ignore_index=True)[[*TABLE_COLUMNS, "precision_zero"]]

    def diagnose(self, part: str = "", layer: int = 0) -> Diagnosis:
        """What the norms of one layer's whole state say of all losses together."""
        norms = self.log10_norm("all")[layer]
        way, first = _way(norms, self.at_steps)
        line = way.line()
        length = int(way.length.max(initial=-1))
        lost = int(self.at_steps[first] - self.at_steps[0]) if _lost(norms, self.precision).any() else 0
        left = relative(norms[first], self.log10_cotangent)
        verdict = "undefined" if way.undefined.any() and not way.alive.any() else "zero"
        if way.alive.any():
            verdict = judged(line.slope, line.half_width, length)
        alive = np.isfinite(left)
        log10_left = float(left[alive].mean()) if alive.any() else -math.inf
        notes = self._notes(lost)
        sentence = " ".join(filter(None, (_said(part or self.cell, verdict, line.slope, length, log10_left), *notes)))
        of_each = tuple(
            OfSequence(
                verdict if ok else "zero", 100 * way.lines.slope[b], 100 * way.lines.half_width[b],
                way.lines.rms_residual[b], float(left[b]), float(way.zero_from[b]),
            )
            for b, ok in enumerate(way.alive)
        )  # fmt: skip
        half_life = math.inf if line.slope == 0 else -math.log10(2) / line.slope
        return Diagnosis(
            cell=self.cell, layer=layer, state=listed(list(self.states)), verdict=verdict,
            decades_per_100_steps=100 * line.slope, half_width=100 * line.half_width, half_life=half_life,
            rms_residual=line.rms_residual, good_fit=True, steps_back=(line.first, line.last), length=length,
            log10_left=log10_left, log10_arrives=log10_left, losses=0, sequences=of_each,
            steps_to_float32_subnormal=math.inf, steps_to_float32_zero=math.inf, steps_to_float32_norm_zero=math.inf,
            measured=False, precision=self.precision,
            notes=notes, sentence=sentence, rule=RULE, part=part, source=self.source, intercept=line.intercept,
            log10_back=way.mean,
        )  # fmt: skip

    def _notes(self, lost: int) -> tuple[str, ...]:
        why = f"These are autograd's own numbers, of all losses together: {self.reason}."
        if not lost:
            return (why,)
        return (
            why,
            f"At the {counted(lost, 'step')} before, {self.precision} holds no number so small and gives 0: of those "
            "nothing is known.",
        )


def _way(norms: ndarray, at_steps: ndarray) -> tuple[Way, int]:
    """The way back over evenly spaced steps from the last to the first at which a gradient was seen, and that one."""
    seen = np.flatnonzero((norms > -np.inf).any(axis=1))
    first = int(seen[0]) if len(seen) else 0
    if len(at_steps) > 1 and (np.diff(at_steps) != 1).any():
        filled = np.full((int(at_steps[-1] - at_steps[first]) + 1, norms.shape[1]), np.nan)
        for b in range(norms.shape[1]):
            known = first + np.flatnonzero(np.isfinite(norms[first:, b]))
            if len(known):
                filled[:, b] = np.interp(np.arange(at_steps[first], at_steps[-1] + 1), at_steps[known], norms[known, b])
        norms = filled
    else:
        norms = norms[first:]
    arrived = norms > -np.inf
    last = np.where(arrived.any(axis=0), len(norms) - 1 - np.argmax(arrived[::-1], axis=0), -1)
    return way_back(norms, last), first


def _lost(norms: ndarray, precision: str) -> ndarray:
    """Where zeros of norms [..., n, B] follow, going back, a norm that was about to leave the precision's range."""
    smallest = math.log10(torch.finfo(getattr(torch, precision)).tiny)
    lost = np.zeros(norms.shape, bool)
    behind = np.full((*norms.shape[:-2], norms.shape[-1]), np.nan)
    for step in reversed(range(norms.shape[-2])):
        here = norms[..., step, :]
        lost[..., step, :] = np.isneginf(here) & (behind < smallest + NEARLY_OUT)
        behind = np.where(np.isneginf(here), behind, here)
    return lost


def _said(name: str, verdict: str, slope: float, length: int, log10_left: float) -> str:
    if verdict == "zero":
        return f"{name}: zero. No gradient arrives."
    if math.isnan(slope):
        return f"{name}: {verdict}. Too few gradients were seen for a rate."
    over = f"{signed(100 * slope)} decades per 100 steps" if slope else "no change"
    return (
        f"{name}: {verdict}. On its way back over {counted(length, 'step')} the gradient changes by {over}; "
        f"{number(log10_left)} of what came in is there at the end."
    )
