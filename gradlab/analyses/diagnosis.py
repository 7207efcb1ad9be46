"""What a trace means: a verdict on how a gradient propagates, and beside it what arrives.

How it propagates and what arrives are two things. Where the loss enters at many steps, fresh gradient is injected all
the way back: what arrives at the first step is made up by the nearest losses, and stays up however fast the gradient of
each one is lost. So the verdict is about one injection, the last loss's, which has the longest way back; it is there
whatever the loss is, and the same as with that loss alone. What arrives is reported beside it, of the last loss and of
the sum of all.

The judgement is of a layer's whole state: an LSTM passes gradient on in h and in c, and either of them alone may be
zero while the other keeps everything. It is made for each sequence and for the mean of those that are alive; a sequence
whose units have all died has no rate, and does not take it from the others.

The rule compares two numbers over a span, the length of the way back and 100 steps at least: what the fitted line gains
or loses (decades), and the half width of its 95 % interval (`propagation`).

    vanishing    it loses more than one decade, and the interval holds no rate of 0 or more
    exploding    it gains more than one decade, and the interval holds no rate of 0 or less
    steady       it does neither, and the half width is one decade at most
    undefined    neither can be said: the interval is too wide, there are too few points, or a pass was not finite
    zero         the gradient of no sequence arrives at step 0: it is exactly zero there

Over the length, because 0.9 decades per 100 steps are nothing in 100 steps and all there is in 10,000. Over 100 steps
at least, because the same network must not become steady by reading a shorter sequence. One decade, because that much
is lost and made up for by a step size; ten are not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from numbers import Integral
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab.analyses.nets import NetTrace
from gradlab.analyses.pictures import Pictured
from gradlab.analyses.propagation import FEWEST_POINTS, Line, Lines, Way, first_of_the_rest
from gradlab.analyses.traces import ALL, LAST, GradientTrace, whole_state
from gradlab.cells import KNOWN
from gradlab.settings.meant import knows_its_options
from gradlab.words.languages import N_, _, says
from gradlab.words.numbers import counted, every, number, rounded, states_called

TABLE_COLUMNS = ("cell", "line", "lag", "log10_norm")
DECADES = 1.0  # over the span
SPAN = 100  # steps at least
POOR_FIT = 0.9  # share of the norms' variance that a good line explains
SCATTER = math.log10(2)  # rms residual, decades: what stays within a factor of two of its line is fitted well anyway
_RULE = N_(
    "Judged is how the last loss's gradient propagates, by a straight line through the last three quarters of its way "
    "back. Vanishing: over the whole way, and over {span} steps at least, more than {decades} decade, a factor of "
    "10, is lost, and the rate's 95 % interval lies below 0; exploding: likewise above; steady: at most {decades} "
    "decade either way, known to {decades} decade; undefined: anything else."
)
RULE = _RULE.format(span=SPAN, decades=f"{DECADES:g}")  # in English
VERDICTS = (N_("vanishing"), N_("exploding"), N_("steady"), N_("zero"), N_("undefined"))
LINEAR_IN_STATE = ("rnn_linear", "rnn_relu", "min_gru", "min_lstm")  # piecewise: rounding stays as small beside states
LOG10_2 = math.log10(2)
FLOAT32_NORMAL = -126 * LOG10_2  # below it float32's numbers are subnormal


class _Range(NamedTuple):
    """Powers of ten at the ends of what a precision holds."""

    zero: float  # half of the smallest subnormal: rounds to 0
    norm_zero: float  # of an entry whose square rounds to 0; torch adds up squares of half precision in float32
    overflow: float  # the first power of two beyond the largest number


RANGES = {
    "float32": _Range(-150 * LOG10_2, -75 * LOG10_2, 128 * LOG10_2),
    "bfloat16": _Range(-134 * LOG10_2, -75 * LOG10_2, 128 * LOG10_2),
    "float16": _Range(-25 * LOG10_2, -25 * LOG10_2, 16 * LOG10_2),  # its squares are no zeros in float32
}
SLOWER = 13  # times, at most: torch's backward pass in subnormal numbers; on some CPUs it is no slower at all


class ByPrecision(NamedTuple):
    """Steps back to where each precision prints 0; infinite where it does not."""

    float32: float
    bfloat16: float
    float16: float


NOWHERE = ByPrecision(math.inf, math.inf, math.inf)


@dataclass(frozen=True)
class OfSequence:
    """One sequence's propagation."""

    verdict: str  # as a Diagnosis's
    decades_per_100_steps: float
    half_width: float  # of the rate's 95 % interval
    rms_residual: float  # decades, from the line
    log10_left: float  # of the last loss's gradient at step 0, relative to what was injected
    zero_from: float  # steps back from the last loss from which on it is exactly zero up to step 0; inf: nowhere


@dataclass(frozen=True)
class Diagnosis(Pictured):
    """How the last loss's gradient propagates in one layer, and what arrives at its first step."""

    cell: str
    layer: int
    state: str  # "h", "c" …, or all of them: "h and c"
    verdict: str  # "vanishing" | "exploding" | "steady" | "zero" | "undefined"
    decades_per_100_steps: float  # of propagation; negative where the gradient shrinks on its way back
    half_width: float  # of the rate's 95 % interval, decades per 100 steps
    half_life: float  # steps in which it halves; negative: doubles; infinite where it keeps, NaN without a rate
    rms_residual: float  # root mean square distance of the norms from their lines, decades
    good_fit: bool  # whether the lines explain 90 % of the norms' variance, or leave less than a factor of two
    steps_back: tuple[int, int]  # from the last loss: which ones the lines were fitted to
    length: int  # steps from the last loss back to step 0
    log10_left: float  # of the last loss's gradient at step 0, relative to its injection; mean over sequences alive
    log10_arrives: float  # of all losses' gradient at step 0, relative to all that they inject; likewise
    losses: int  # at how many steps the loss enters
    sequences: tuple[OfSequence, ...]
    steps_to_float32_subnormal: float  # back from the last loss, to where float32's entries are subnormal
    steps_to_float32_zero: float  # to where float32 prints entries of equal size as 0
    steps_to_float32_norm_zero: float  # to where float32's .norm() prints 0, as the squares of such entries do
    measured: bool  # whether the second of these three lies within every way (else the lines were continued)
    notes: tuple[str, ...]  # sentences: sequences that differ, a poor fit, what cancels, what lies at a kink
    sentence: str
    rule: str = RULE
    precision: str = "float32"  # in which the module computes, as the sentence has it; float32 where nothing is known
    steps_to_zero: ByPrecision = NOWHERE  # back from the last loss, of entries of equal size
    steps_to_norm_zero: ByPrecision = NOWHERE  # of their norm
    part: str = ""  # of a watched model: the path of the recurrent part
    source: str = "engine"  # or "autograd", where the numbers are those that autograd gave
    intercept: float = math.nan  # of the mean line, log10, at the last loss
    log10_back: ndarray = field(
        default_factory=lambda: np.empty(0), compare=False, repr=False
    )  # [length + 1] the norm by steps back

    @property
    def table(self) -> pd.DataFrame:
        """Tidy: one row per line and lag, columns `TABLE_COLUMNS`; log10_norm of line

        gradient    mean over the sequences in which a gradient arrives; -inf where it is exactly zero, or NaN
        fitted      the mean line, at the lags that were fitted; no rows where there is none
        """
        lags = np.arange(len(self.log10_back))
        first, last = self.steps_back
        fitted = lags[max(first, 0) : last + 1] if math.isfinite(self.decades_per_100_steps) else lags[:0]
        of_lines = {"gradient": (lags, self.log10_back)}
        of_lines["fitted"] = (fitted, self.intercept + self.decades_per_100_steps / 100 * fitted)
        rows = [pd.DataFrame({"line": name, "lag": lag, "log10_norm": v}) for name, (lag, v) in of_lines.items()]
        return pd.concat(rows, ignore_index=True).assign(cell=self.cell)[list(TABLE_COLUMNS)]


class _Steps(NamedTuple):
    """Steps back from which on each sequence's norms stay at or below a level; inf: never."""

    by_sequence: ndarray  # [B]
    measured: bool  # within every way; else the lines were continued

    @property
    def everywhere(self) -> float:
        return float(self.by_sequence.max(initial=0)) if len(self.by_sequence) else math.inf

    @property
    def words(self) -> str:
        low, high = self.by_sequence.min(), self.by_sequence.max()
        low, high = f"{low:.0f}", f"{high:.0f}"
        return high if low == high else _("{low} to {high}").format(low=low, high=high)


@says
@knows_its_options
def diagnose(
    trace: GradientTrace | NetTrace, state: str | None = None, layer: int = 0, direction: str = "forward"
) -> Diagnosis:
    """Diagnoses one layer of a trace.

    state        one of the cell's states; None, or "all", judges the whole state, h and c as one vector
    direction    "forward" or "reverse", of a bidirectional network's layer

    Raises ValueError for a state, layer or direction that the network does not have.
    """
    if isinstance(trace, NetTrace):
        return _of_net(trace, state, layer, direction)
    if direction != "forward":
        raise ValueError(f"direction = {direction!r} is not there: the stack reads forward")
    if not isinstance(layer, Integral) or not 0 <= layer < trace.stack.depth:
        raise ValueError(f"layer = {layer!r} is not there: the stack has layers 0 to {trace.stack.depth - 1}")
    state = ALL if state is None else state
    way = trace.way_back(state, layer)
    line, lines, alive = way.line(), way.lines, way.alive
    left, arrives = (trace.at_start(state, losses, layer) for losses in (LAST, ALL))
    length = int(way.length.max(initial=-1))
    verdict = _of_batch(way, line)
    H = trace.stack.hidden_size * (len(trace.states) if state == ALL else 1)
    equal = 0.5 * math.log10(H)  # the norm of H equal entries beside one of them
    precision = trace.stack.precision if trace.stack.precision in RANGES else "float32"
    subnormal = _reaches(way, FLOAT32_NORMAL + equal)
    zeros = {name: _reaches(way, held.zero + equal) for name, held in RANGES.items()}
    norm_zeros = {  # of one entry alone torch takes the magnitude
        name: _reaches(way, (held.norm_zero if H > 1 else held.zero) + equal) for name, held in RANGES.items()
    }
    zero, norm_zero = zeros["float32"], norm_zeros["float32"]
    sequences = tuple(
        OfSequence(
            _of_sequence(way, lines, b), 100 * lines.slope[b], 100 * lines.half_width[b], lines.rms_residual[b],
            float(left[b]), float(way.zero_from[b]) if way.zero_from[b] <= way.length[b] else math.inf,
        )
        for b in range(len(way.length))
    )  # fmt: skip
    good = _is_good(way, line)
    log10_left, log10_arrives = _mean(left, alive), _mean(arrives, np.isfinite(arrives))
    losses = len(np.unique(trace.loss_steps))
    notes = _notes(trace, way, sequences, verdict, line, good)
    said = _said(trace, way, verdict, line, norm_zeros[precision], subnormal, equal, precision)
    arrival = _arrival(trace, way, log10_left, log10_arrives, losses) if verdict not in ("zero", "undefined") else ""
    name = whole_state(trace.cell) if state == ALL else state
    said = _("{cell}, layer {layer}, {state}: {said}").format(
        cell=KNOWN[trace.cell].title, layer=layer, state=states_called(name), said=said
    )
    sentence = " ".join(filter(None, (said, arrival, *notes)))
    return Diagnosis(
        cell=trace.cell,
        layer=layer,
        state=name,
        verdict=verdict,
        decades_per_100_steps=100 * line.slope,
        half_width=100 * line.half_width,
        half_life=_half_life(line.slope),
        rms_residual=line.rms_residual,
        good_fit=good,
        steps_back=(line.first, line.last),
        length=length,
        log10_left=log10_left,
        log10_arrives=log10_arrives,
        losses=losses,
        sequences=sequences,
        steps_to_float32_subnormal=subnormal.everywhere,
        steps_to_float32_zero=zero.everywhere,
        steps_to_float32_norm_zero=norm_zero.everywhere,
        measured=zero.measured,
        precision=precision,
        steps_to_zero=ByPrecision(*(zeros[name].everywhere for name in ByPrecision._fields)),
        steps_to_norm_zero=ByPrecision(*(norm_zeros[name].everywhere for name in ByPrecision._fields)),
        intercept=line.intercept,
        log10_back=way.mean,
        notes=notes,
        sentence=sentence,
        rule=_(_RULE).format(span=SPAN, decades=f"{DECADES:g}"),
    )


def _of_net(trace: NetTrace, state: str | None, layer: int, direction: str) -> Diagnosis:
    """One layer's diagnosis, in the order in which it reads."""
    own = trace.of(layer, direction).trace
    found = diagnose(own, state)
    name = f"layer {layer} {direction}" if trace.net.is_bidirectional else f"layer {layer}"
    sentence = found.sentence.replace("layer 0", name, 1)
    if direction == "reverse":
        sentence += " It reads from the end: its step 0 is the sequence's last."
        if (own.last_loss <= 0).all():  # -1: no loss
            sentence += " Where the loss reads it, it has read one step."
    return replace(found, layer=layer, sentence=sentence)


# the rule


def judged(slope: float, half_width: float, length: int) -> str:
    """The verdict on a line over a way back: slope and half width in decades per step."""
    span = max(SPAN, length)
    change, margin = slope * span, half_width * span
    if math.isnan(change):
        return "undefined"
    if change < -DECADES and change + margin < 0:
        return "vanishing"
    if change > DECADES and change - margin > 0:
        return "exploding"
    return "steady" if margin <= DECADES else "undefined"  # what is known so well changes by no more than that here


def _of_batch(way: Way, line: Line) -> str:
    if way.alive.any():
        return judged(line.slope, line.half_width, int(way.length.max()))
    return "undefined" if way.undefined.any() else "zero"


def _of_sequence(way: Way, lines: Lines, sequence: int) -> str:
    if way.undefined[sequence]:
        return "undefined"
    if not way.alive[sequence]:
        return "zero"
    return judged(float(lines.slope[sequence]), float(lines.half_width[sequence]), int(way.length[sequence]))


def _half_life(slope: float) -> float:
    return math.inf if slope == 0 else -LOG10_2 / slope


def _is_good(way: Way, line: Line) -> bool:
    """Whether lines explain most of what the norms do, or leave little."""
    change = line.slope * (line.last - line.first)
    explained = change**2 / 12  # variance of a line that falls by so much
    return not (line.rms_residual > SCATTER and line.rms_residual**2 > (1 - POOR_FIT) / POOR_FIT * explained)


def _reaches(way: Way, level: float) -> _Steps:
    """Where the norms of the sequences with a loss and defined gradients come to stay at or below a level."""
    with np.errstate(invalid="ignore"):
        below = way.norms <= level
    from_ = first_of_the_rest(below, way.length)
    lines = way.lines
    chosen = (way.length >= 0) & ~way.undefined
    inside = from_ <= way.length
    with np.errstate(divide="ignore", invalid="ignore"):
        continued = np.maximum(way.length + 1, np.ceil((level - lines.intercept) / lines.slope))
    steps = np.where(inside, from_, np.where(lines.slope < 0, continued, math.inf))
    return _Steps(steps[chosen], bool(inside[chosen].all()))


def _mean(values: ndarray, chosen: ndarray) -> float:
    """Over the sequences chosen; -inf where there are none and every value is an exact zero, else NaN."""
    if chosen.any():
        return float(values[chosen].mean())
    return -math.inf if np.isneginf(values).all() else math.nan


# the sentences


def _said(
    trace: GradientTrace,
    way: Way,
    verdict: str,
    line: Line,
    norm_zero: _Steps,
    subnormal: _Steps,
    equal: float,
    precision: str,
) -> str:
    if verdict == "undefined":
        return _("undefined. {why}").format(why=_why_undefined(trace, way, line))
    if verdict == "zero":
        return (
            _how_much_is_zero(way, trace.spans.kind)
            if len(trace.loss_steps)
            else _("zero. Nothing is injected: the loss has no gradient.")
        )
    if verdict == "steady" and line.slope == 0 and line.half_width == 0:
        return _("steady. The gradient's norm does not change on its way back.")
    rate = _loses_or_gains(line)
    if verdict == "steady":
        length = int(way.length.max())
        text = _("steady. {rate}.") if length <= SPAN else _("steady. {rate}, {change} over its way back of {steps}.")
        return text.format(rate=rate, change=rounded(abs(line.slope) * length), steps=counted(length, "step"))
    often = every(rounded(abs(_half_life(line.slope))), "step")
    if verdict == "exploding":
        grows = _("exploding. {rate}: it doubles {often}.").format(rate=rate, often=often)
        return f"{grows} {_overflows(way, RANGES[precision].overflow + equal, precision)}".strip()
    falls = _("vanishing. {rate}: it halves {often}.").format(rate=rate, often=often)
    return f"{falls} {_becomes_zero(norm_zero, subnormal, trace.spans.kind, precision)}".strip()


def _loses_or_gains(line: Line) -> str:
    """How the last loss's gradient changes, without a full stop."""
    text = (
        _("The last loss's gradient loses {rate} decades per 100 steps")
        if line.slope < 0
        else _("The last loss's gradient gains {rate} decades per 100 steps")
    )
    return text.format(rate=_rate(line))


def _rate(line: Line) -> str:
    """Size and interval of a rate, decades per 100 steps: "28.2 ± 0.3"."""
    rate, margin = 100 * abs(line.slope), 100 * line.half_width
    if margin < 5e-4 * rate or rate < 1e-3:
        return rounded(rate)
    digits = max(0, 1 - math.floor(math.log10(margin)))
    return f"{rate:.{digits}f} ± {margin:.{digits}f}"


def _becomes_zero(norm_zero: _Steps, subnormal: _Steps, kind: str, precision: str) -> str:
    """Where a precision prints 0, and where a backward pass in float32 becomes slow."""
    steps = norm_zero.by_sequence
    reached = steps[np.isfinite(steps)]
    if not len(reached):
        return ""
    if norm_zero.measured:
        where = _("from about {steps} back on").format(steps=counted(norm_zero.words, "step"))
    else:
        where = _("after some {steps}, if it goes on like this")
        if len(reached) < len(steps):
            where = _("after some {steps} in {some} of {all} {kind}, if it goes on like this")
        far = counted(float(reached.max()), "step")
        where = where.format(steps=far, some=len(reached), all=len(steps), kind=_(kind))
    text = (
        _("In float32 its norm would print as 0 {where} (estimated for entries of equal size).")
        if precision == "float32"
        else _(
            "In {precision}, as it is computed, its norm prints as 0 {where} (estimated for entries of equal size, "
            "before any scaling of the loss)."
        )
        if precision == "float16"
        else _("In {precision}, as it is computed, its norm prints as 0 {where} (estimated for entries of equal size).")
    )
    text = text.format(precision=precision, where=where)
    if not subnormal.measured or precision != "float32":
        return text
    slow = _(
        "From about {steps} back on its entries would be subnormal: there torch's backward pass is up to {times} times "
        "slower on CPUs that are slow with such numbers, unless torch.set_flush_denormal(True) makes them 0."
    )
    return f"{text} {slow.format(steps=counted(subnormal.words, 'step'), times=SLOWER)}"


def _overflows(way: Way, level: float, precision: str) -> str:
    """Where the first sequence's entries would exceed what a precision holds."""
    found = _reaches(Way(-way.norms, way.length), -level)
    first = found.by_sequence.min()
    if not math.isfinite(first):
        return ""
    text = (
        _(
            "In {precision} its entries would overflow from about {steps} steps back on (estimated for entries of "
            "equal size)."
        )
        if first <= way.length.max()
        else _(
            "In {precision} its entries would overflow after some {steps} steps, if it goes on like this (estimated "
            "for entries of equal size)."
        )
    )
    return text.format(precision=precision, steps=f"{first:.0f}")


def _why_undefined(trace: GradientTrace, way: Way, line: Line) -> str:
    if way.undefined.any() and not way.alive.any():
        return trace.non_finite.sentence if trace.non_finite else _("The last loss's gradient is not finite.")
    length = int(way.length.max())
    if length == 0:
        return _("The loss enters at step 0 alone: there is no way back to follow.")
    if math.isnan(line.slope):
        points = int(way.lines.points[way.alive].max())
        text = _(
            "The way back from the last loss has {steps}: too few for a rate, which takes {fewest}, since through two "
            "points there is always a line."
        )
        return text.format(steps=counted(points, "step"), fewest=FEWEST_POINTS)
    text = _("{rate}, which is not known well enough over {span} steps to tell whether it vanishes, keeps or explodes.")
    return text.format(rate=_loses_or_gains(line), span=max(SPAN, length))


def _how_much_is_zero(way: Way, kind: str) -> str:
    """Where no sequence's gradient arrives."""
    if (way.zero_from == 0).all():
        return _("zero. No gradient arrives at all: it is exactly zero.")
    return _("zero. {where}").format(where=_dead(way, kind))


def _dead(way: Way, kind: str) -> str:
    """From where on the gradient is exactly zero, and in which sequences."""
    dead = ~way.alive & ~way.undefined
    low, high = way.zero_from[dead].min(), way.zero_from[dead].max()
    text = (
        _("The gradient is exactly zero from {steps} back on.")
        if dead.all()
        else _("The gradient is exactly zero from {steps} back on in {some} of {all} {kind}.")
    )
    return text.format(steps=_steps(low, high), some=dead.sum(), all=len(dead), kind=_(kind))


def _steps(low: int, high: int) -> str:
    """ "5 steps", "5 to 9 steps"."""
    return counted(high if low == high else _("{low} to {high}").format(low=low, high=high), "step")


def _arrival(trace: GradientTrace, way: Way, left: float, arrives: float, losses: int) -> str:
    """What is left at step 0, or where an episode begins, of the last loss and of all."""
    low, high = int(way.length[way.alive].min(initial=way.length.max())), int(way.length.max())
    alike = low == high or (trace.spans.are_sequences and trace.spans.exists is None)
    earlier = _steps(high if alike else low, high)
    place = _("step 0") if trace.spans.are_sequences else _("the first step of each of {count} episodes")
    text = (
        _(
            "Of what the last loss injects, {left} is left at {place}, {earlier} earlier; of all {losses} losses "
            "together, {arrives} arrives there."
        )
        if losses > 1
        else _("Of what the last loss injects, {left} is left at {place}, {earlier} earlier.")
    )
    place, arriving = place.format(count=len(way.length)), number(arrives)
    return text.format(left=number(left), place=place, earlier=earlier, losses=losses, arrives=arriving)


def _is_chaotic(trace: GradientTrace, way: Way) -> bool:
    """Whether a rounding of the first state reaches the size of the states at the last loss."""
    grown = way.at_start[way.alive].max(initial=-math.inf) - way.norms[0][way.alive].max(initial=-math.inf)
    return trace.cell not in LINEAR_IN_STATE and grown > -math.log10(np.finfo(trace.stack.dtype).eps)


def _notes(
    trace: GradientTrace, way: Way, sequences: tuple[OfSequence, ...], verdict: str, line: Line, good: bool
) -> tuple[str, ...]:
    notes = []
    kind = trace.spans.kind
    if way.alive.any():
        if (~way.alive & ~way.undefined).any():
            notes.append(_dead(way, kind))
        if way.undefined.any():
            text = _("In {some} of {all} {kind} a pass is not finite.")
            notes.append(text.format(some=way.undefined.sum(), all=len(sequences), kind=_(kind)))
        verdicts = [found.verdict for found in np.array(sequences, object)[way.alive]]
        if verdict != "undefined" and any(found != verdict for found in verdicts):
            each = _("{count} {verdict}")
            counts = [each.format(count=verdicts.count(name), verdict=_(name)) for name in dict.fromkeys(verdicts)]
            text = _("By sequence: {verdicts}.") if trace.spans.are_sequences else _("By episode: {verdicts}.")
            notes.append(text.format(verdicts=", ".join(counts)))
        if not good:
            text = _(
                "A straight line fits poorly: the norms lie {off} decades from it (rms), so the rate is that of a mean "
                "and changes on the way."
            )
            notes.append(text.format(off=f"{line.rms_residual:.2g}"))
    if verdict == "exploding" and _is_chaotic(trace, way):
        text = _(
            "Rounding in the forward pass grows as the gradient does, until it changes the states themselves: the "
            "numbers hold for the pass as it was computed, and another order of its sums gives others."
        )
        notes.append(text)
    if trace.cancels:
        text = _(
            "Sequences that read the same input get gradients that cancel: summed over the batch, the parameters' "
            "gradient is exactly zero, though that of each sequence is not."
        )
        notes.append(text)
    if trace.at_kink:
        text = _(
            "{share} of the ReLU's pre-activations are exactly 0, where its derivative jumps from 0 to 1 and is taken "
            "as 0: any small change of weights or input may open these units."
        )
        notes.append(text.format(share=f"{trace.at_kink:.2g}"))
    return tuple(notes)
