"""Remedies: what to change where a gradient is lost, each computed on these weights and this data before it is offered.

A remedy that changes weights is a trace of the changed network on the same inputs, initial states and injected
gradients: what it says is how these then propagate, before a single update. The others leave the state gradients as
they are and change what an update gets of them (a clip threshold), where they are cut (a window), where the sequence
begins (an initial state), or what is lost to the precision (subnormal numbers). What does not help here is listed too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Protocol

import numpy as np
from numpy import ndarray

from gradlab.analyses.arguments import whole_number
from gradlab.analyses.batch import of_batch
from gradlab.analyses.diagnosis import DECADES, FLOAT32_NORMAL, diagnose
from gradlab.analyses.nets import NetTrace
from gradlab.analyses.problem import Arrays, Problem
from gradlab.analyses.traces import ALL, LAST, GradientTrace, trace
from gradlab.analyses.truncation import Schedule, window_for
from gradlab.cells import CELLS
from gradlab.engine import Cotangents, Progress, sweep
from gradlab.engine.progress import part_of, silent
from gradlab.network.stack import Stack
from gradlab.settings import repairs
from gradlab.settings.meant import knows_its_options
from gradlab.settings.repairs import Repair
from gradlab.settings.subject import Subject, is_subject
from gradlab.words.languages import N_, Title, _, said, says
from gradlab.words.numbers import counted, number, rounded

RAISES = (1.0, 2.0, 3.0)  # of the bias of the gate that keeps
SHARE = 0.9  # of the parameter gradient that a window has to keep
ROUNDS = 3  # of the search for a factor of U
CLIPS = 2.0  # times the threshold: a norm that is no larger is not what clipping is for
ALIKE = "remedies are computed for layers that are alike and read one way: trace such a part of this network alone"
KEPT = N_("Every parameter is kept, and training goes on.")
OF_ALL, OF_WEIGHTS = {"modules"}, {"modules", "shared"}
NEEDS = {  # by kind: what of `Stack.fixed` keeps it from being done
    "bias": OF_WEIGHTS | {"bias_ih"}, "chrono": OF_WEIGHTS | {"bias_ih"}, "orthogonal": OF_WEIGHTS | {"weight_hh"},
    "scale": OF_WEIGHTS | {"weight_hh"}, "orthogonal and bias": OF_WEIGHTS | {"weight_hh", "bias_ih"},
    "cell": OF_ALL | {"steps"}, "state": OF_ALL | {"steps"}, "window": OF_ALL | {"steps"},
}  # fmt: skip
UNWRITTEN = {
    "bias_ih": N_("it has no bias that could be set; make it with bias=True"),
    "weight_hh": N_("its recurrent weight is made of other parameters; remove that parametrization first"),
    "modules": N_("it is a list of modules; trace each alone"),
    "shared": N_("its layers share parameters; give each its own first"),
    "steps": N_("it reads one step a call; carry its state, or cut it, in the loop around it"),
}


@dataclass(frozen=True, eq=False, repr=False)
class Remedy:
    """One change, and what becomes of the gradient by it.

    The gradient is the last loss's at the chosen lag behind it, in one layer's whole state, relative to what that loss
    injects: log10, mean over the sequences in which it is there.
    """

    kind: str  # of `repairs`, or "state", "clip", "window", "flush"
    title: str  # what is changed
    layer: int
    lag: int  # steps back from the last loss; the longest way where none was chosen
    before: float
    after: float
    helps: bool
    reason: str  # a sentence: why it helps, or why it does not
    kept: int  # parameters that stay as they are
    lost: int  # and that do not
    restart: bool  # whether training must begin again
    cost: str  # the same as a sentence
    code: str  # lines of Python on `rnn`, and where they need them `model`, `x`
    cell: str  # of the network before
    log10_now: ndarray  # [T] the line before the change, by step
    log10_relative: ndarray  # and after it

    def __repr__(self) -> str:
        return f"Remedy({self.title}: {number(self.before)} -> {number(self.after)})"


class HasTraces(Protocol):
    """What `gradlab.watch` gives: traces of the recurrent parts of a model."""

    def diagnose(self) -> Sequence[Any]: ...
    def trace(self, name: str) -> Any: ...
    def passes(self, name: str) -> range: ...


@says
@knows_its_options
def remedies(
    trace_or_flow: GradientTrace | HasTraces | Subject,
    layer: int = 0,
    lag: int | None = None,
    *,
    progress: Progress | None = None,
) -> list[Remedy]:
    """What would help, each change computed on these weights and this data: the most helpful first.

    trace_or_flow    a trace; a flow of `gradlab.watch`, whose worst part it is about; or a subject, which is traced
    layer            whose state gradients are compared
    lag              steps back from the last loss at which they are; None: at the first step of each sequence

    Those that do not help stand behind those that do, with the reason. Raises ValueError for a layer or lag that is not
    there, and for a trace that keeps nothing of what it was made of: one that autograd gave, or one of a training.
    """
    whole, norms = _of(trace_or_flow)
    whole_number("layer", layer, 0, whole.stack.depth - 1)
    longest = int(whole.way_back(ALL, layer).length.max(initial=0))
    if lag is not None:
        whole_number("lag", lag, 0, max(longest, 0))
    case = _Case(whole, layer, lag, longest if lag is None else lag, norms)
    report = progress or silent
    makers = [*_of_weights(case), case.state, case.clip, case.window, case.flush]
    found: list[Remedy | None] = []
    for count, make in enumerate(makers):
        found.append(make(part_of(report, count / len(makers), (count + 1) / len(makers))))
    there = [remedy for remedy in found if remedy is not None]
    return sorted(there, key=_rank)


def _rank(remedy: Remedy) -> tuple[bool, bool, float, int]:
    """Those that help first; of those that leave a decade at most, the one that costs least."""
    return not remedy.helps, remedy.restart, max(_distance(remedy.after), DECADES), remedy.lost


def _of(given: Any) -> tuple[GradientTrace, list[float]]:
    """The trace that it is about, and the norms of the parameters' gradients that were observed in all passes."""
    if isinstance(given, GradientTrace):
        return given, []
    if is_subject(given):
        return trace(given), []
    if isinstance(given, NetTrace):
        raise ValueError(ALIKE)
    if not (hasattr(given, "diagnose") and hasattr(given, "passes")):
        raise TypeError(f"{type(given).__name__} is neither a trace nor a flow: see gradlab.trace and gradlab.watch")
    diagnoses = given.diagnose()
    if not diagnoses:
        raise ValueError(
            "no gradient came back while the model was watched: call loss.backward() inside the with block"
        )
    part = diagnoses[0].part
    traces = [given.trace(part, passed) for passed in given.passes(part)]
    known = [found for found in traces if isinstance(found, GradientTrace)]
    if not known:
        reason = ALIKE if isinstance(traces[-1], NetTrace) else f"autograd alone measured it, {traces[-1].reason}"
        raise ValueError(f"{part}: nothing can be computed on. {reason}")
    return known[-1], [gradient_norm(found.problem) for found in known]


def gradient_norm(problem: Problem, sequence: int | None = None) -> float:
    """‖∂L/∂(W, U, b_W, b_U)‖ of all layers, summed over the batch, or of one sequence alone; inf beyond the range."""
    inputs, loss, states, episodes = problem.inputs, problem.loss, problem.initial_state, problem.episodes
    if sequence is not None:
        own = slice(sequence, sequence + 1)
        inputs, states = np.ascontiguousarray(inputs[:, own]), tuple(np.ascontiguousarray(s[:, own]) for s in states)
        loss, episodes = _of_sequence(loss, own), None if episodes is None else episodes.of(own)
    swept = sweep(problem.stack, inputs, loss, states, episodes=episodes, with_parameters=True)
    values = np.concatenate([part.reshape(-1).astype(np.float64) for layer in swept.parameters_bar for part in layer])
    if not np.isfinite(values).all():
        return math.inf
    largest = np.abs(values).max(initial=0)
    return float(largest * np.linalg.norm(values / largest)) if largest else 0.0


def _of_sequence(loss: Cotangents, own: slice) -> Cotangents:
    chosen = loss.at == own.start
    final = None if loss.final is None else np.ascontiguousarray(loss.final[:, own])
    return Cotangents(loss.steps[chosen], np.zeros(chosen.sum(), loss.at.dtype), loss.values[chosen], 1, final)


@dataclass(frozen=True, eq=False)
class _Case:
    """What is to be repaired."""

    whole: GradientTrace
    layer: int
    asked: int | None  # the lag chosen
    lag: int
    norms: list[float]

    @property
    def problem(self) -> Problem:
        return self.whole.problem

    @cached_property
    def now(self) -> ndarray:
        return line_of(self.whole, self.layer)

    @property
    def before(self) -> float:
        return at_lag(self.whole, self.layer, self.asked)

    @property
    def count(self) -> int:
        return self.whole.stack.parameter_count

    def repaired(self, repair: Repair, progress: Progress) -> Remedy:
        """The trace of a stack in place of the one that is there."""
        if (refused := self.refused(repair.kind, repair.title)) is not None:
            return refused
        after = self.traced(repair.stack, progress)
        restart = repair.kind == "cell"
        kept = 0 if restart else self.count - repair.lost
        return self.remedy(repair.kind, repair.title, repair.code, after, repair.lost, kept, restart)

    def refused(self, kind: str, title: str) -> Remedy | None:
        """A remedy that cannot be done to the module that the weights are from; None where it can."""
        if not (kept_from := NEEDS[kind] & self.whole.stack.fixed):
            return None
        why = UNWRITTEN[min(kept_from)]
        reason = _("It cannot be done to this module: {why}.").format(why=_(why))
        return self._listed(kind, title, (f"# {why}",), self.before, False, reason, self.now)

    def traced(self, stack: Stack, progress: Progress | None = None) -> GradientTrace:
        return trace(problem_with(self.problem, stack), progress=progress)

    def remedy(
        self,
        kind: str,
        title: str,
        code: Sequence[str],
        after: GradientTrace,
        lost: int,
        kept: int,
        restart: bool = False,
        cost: str = "",
    ) -> Remedy:
        """A remedy that is a trace after the change."""
        reached = at_lag(after, self.layer, self.asked)
        helps, reason = judged(self.before, reached, self.lag)
        cost = cost or cost_of(lost, self.count, restart)
        line = line_of(after, self.layer)
        return self._listed(kind, title, code, reached, helps, reason, line, lost, kept, restart, cost)

    def _listed(
        self,
        kind: str,
        title: str,
        code: Sequence[str],
        after: float,
        helps: bool,
        reason: str,
        line: ndarray,
        lost: int = 0,
        kept: int | None = None,
        restart: bool = False,
        cost: str = "",
    ) -> Remedy:
        kept = self.count if kept is None else kept
        return Remedy(
            kind, title, self.layer, self.lag, self.before, after, helps, reason, kept, lost, restart,
            cost or _(KEPT),
            "\n".join(code), self.whole.cell, self.now, line,
        )  # fmt: skip

    # what changes no weight

    def state(self, progress: Progress) -> Remedy:
        """The sequence read from the state that it ends with, as where a state is carried on."""
        problem = self.problem
        swept = sweep(
            problem.stack, problem.inputs, _none(problem), problem.initial_state, episodes=problem.episodes,
            progress=part_of(progress, 0, 0.4),
        )  # fmt: skip
        last = tuple(np.ascontiguousarray(swept.last_states[:, :, n]) for n in range(len(self.whole.states)))
        title = Title(N_("Begin in the state that the sequence ends with"))
        if (refused := self.refused("state", title)) is not None:
            return refused
        code = ("with torch.no_grad(): _, state = rnn(x)", "y, _ = rnn(x, state)")
        if not all(np.isfinite(state).all() for state in last):
            reason = _("It does not help: the forward pass overflows, so that it ends in no state to begin with.")
            return self._listed("state", title, code, self.before, False, reason, self.now)
        arrays = Arrays(problem.stack, problem.inputs, problem.loss, last, problem.episodes)
        after = trace(Problem(arrays.size, arrays), progress=part_of(progress, 0.4, 1))
        cost = _("Every parameter is kept, and training goes on. One more forward pass.")
        return self.remedy("state", title, code, after, 0, self.count, cost=cost)

    def clip(self, progress: Progress) -> Remedy:
        """What an update gets where the parameters' gradient is clipped at a norm that was observed."""
        line = self.now
        norm = gradient_norm(self.problem)
        threshold = self._threshold(progress)
        usable = math.isfinite(threshold) and threshold > 0
        code = (
            f"loss.backward(); torch.nn.utils.clip_grad_norm_(rnn.parameters(), {float(f'{threshold:.3g}')!r})",
            "optimizer.step()",
        )
        title = Title(N_("Clip the gradient's norm at {threshold}"), threshold=partial(rounded, threshold))
        if not usable:
            title = Title(N_("Clip the gradient's norm at a threshold"))
        if not usable or not math.isfinite(norm):
            reason = (
                _("It does not help: the norm itself is beyond the range, and what is divided by it is 0 or undefined.")
                if threshold
                else _("It does not help: no gradient arrives at the parameters, so there is nothing to clip.")
            )
            return self._listed("clip", title, code, self.before, False, reason, line)
        cut = min(0.0, math.log10(float(f"{threshold:.3g}")) - math.log10(norm)) if norm else 0.0
        explodes = bool((self.whole.at_start(ALL, LAST, self.layer) > DECADES).any())
        helps = explodes and norm > CLIPS * threshold
        if helps:
            text = _(
                "It helps: the parameters' gradient has a norm of {norm}, {times} times what most sequences give. Its "
                "direction stays: what comes from far still outweighs the rest."
            )
        elif not explodes:
            text = _("It does not help: a gradient that does not explode is made no larger by a threshold that cuts.")
        else:
            text = _("It does not help: all sequences explode alike, so that a norm of {norm} is the usual one.")
        reason = text.format(norm=rounded(norm), times=rounded(norm / threshold))
        return self._listed("clip", title, code, self.before + cut, helps, reason, line + cut)

    def _threshold(self, progress: Progress) -> float:
        """The median of the norms observed; of one pass, what that of its sequences adds up to."""
        if len(self.norms) > 2:
            return float(np.median(self.norms))
        B = self.problem.size.sequences
        norms = []
        for sequence in range(B):
            progress(sequence / B)
            norms.append(gradient_norm(self.problem, sequence))
        return math.sqrt(B) * float(np.median(norms))

    def window(self, progress: Progress) -> Remedy:
        """The shortest window that keeps a stated share of the parameters' gradient."""
        problem, T, line = self.problem, self.whole.steps, self.now
        title = Title(N_("A window that keeps {share} of the parameters' gradient"), share=f"{SHARE:.0%}")
        if (refused := self.refused("window", title)) is not None:
            return refused
        if problem.loss.final is not None or problem.episodes is not None or len(problem.loss.steps) == 0:
            reason = _("It is not computed: the loss reads last states, or sequences begin and end between others.")
            return self._listed("window", title, (), self.before, False, reason, line)
        at_end = bool((problem.loss.steps == T - 1).all())
        schedule = Schedule("windows" if at_end else "chunks", 1, 1)
        length = window_for(problem, schedule=schedule, error=1 - SHARE, progress=progress)
        if length is None:
            reason = _("It does not help: the parameters' gradient is zero or not finite.")
            return self._listed("window", title, (), self.before, False, reason, line)
        title = Title(N_("Back-propagation over {steps}"), steps=partial(counted, length, "step"))
        first = np.where(self.whole.last_loss < 0, 0, T - length if at_end else self.whole.last_loss // length * length)
        beyond = self.whole.last_loss - self.lag < first
        after = -math.inf if beyond.all() else self.before
        cut = np.where(np.arange(T) < first.min(), -np.inf, line)
        helps = 2 * length <= T
        text = (
            _(
                "It helps with memory and time, not with what is far: {share} of the parameters' gradient come from "
                "within {steps}, which takes {memory} of the memory."
            )
            if helps
            else _(
                "It does not help: {share} of the parameters' gradient come from within {steps} of {all}, so that "
                "little is saved by a shorter window."
            )
        )
        shares = {"share": f"{SHARE:.0%}", "memory": f"{length / T:.0%}"}
        reason = text.format(steps=counted(length, "step"), all=T, **shares)
        code = _tail(problem.stack, length) if at_end else _chunks(problem.stack, length)
        cost = _(
            "Every parameter is kept, and training goes on. What is further back than the window gets no gradient at "
            "all."
        )
        return self._listed("window", title, code, after, helps, reason, cut, cost=cost)

    def flush(self, progress: Progress) -> Remedy:
        """float32's subnormal numbers set to 0."""
        diagnosis = diagnose(self.whole, layer=self.layer)
        steps = diagnosis.steps_to_float32_subnormal
        helps = steps <= diagnosis.length
        line = self.now
        if helps:
            text = _(
                "It helps with time: from {steps} back on float32's numbers are subnormal, and many CPUs are slow with "
                "them. What is set to 0 there would change no weight."
            )
            reason = text.format(steps=counted(steps, "step"))
            size = self.whole.stack.hidden_size * len(self.whole.states)
            absolute = of_batch(self.whole.log10_norm(ALL, LAST)[self.layer], self.whole.spans.exists).mean
            line = np.where(absolute < FLOAT32_NORMAL + 0.5 * math.log10(size), -np.inf, line)
        else:
            reason = _("It does not help: no number on this way back is subnormal in float32.")
        after = -math.inf if helps and self.lag >= steps else self.before
        code = ("import torch", "torch.set_flush_denormal(True)")
        return self._listed("flush", Title(N_("Set subnormal numbers to 0")), code, after, helps, reason, line)


Maker = Callable[[Progress], Remedy | None]


def _of_weights(case: _Case) -> Iterator[Maker]:
    """What makes the remedies that change weights."""
    stack = case.whole.stack

    def of(repair: Callable[[], Repair]) -> Maker:
        return lambda progress: case.repaired(repair(), progress)

    gates = repairs.recurrent_gates(stack.cell)
    if repairs.keeps(stack.cell):
        for by in RAISES:
            yield of(lambda by=by: repairs.raised(stack, by))
        if case.whole.steps > 2:
            yield of(lambda: repairs.chrono(stack, case.whole.steps))
    sets = [*((gate,) for gate in gates if len(gates) > 1), *([gates] if gates else [])]
    for chosen in sets:
        yield of(lambda chosen=chosen: repairs.orthogonal(stack, chosen))
    if repairs.keeps(stack.cell):
        for chosen in sets:
            yield of(lambda chosen=chosen: _with_bias(stack, chosen))
    if gates:
        yield lambda progress: _scaled(case, progress)
    if stack.cell.startswith("rnn"):
        for cell in repairs.MODULES:
            yield of(lambda cell=cell: repairs.replaced(stack, cell))
            yield of(lambda cell=cell: _gated_with_bias(stack, cell))


def _with_bias(stack: Stack, gates: Sequence[str]) -> Repair:
    orthogonal = repairs.orthogonal(stack, gates)
    return repairs.both(orthogonal, repairs.raised(orthogonal.stack, RAISES[-1]), "orthogonal and bias")


def _gated_with_bias(stack: Stack, cell: str) -> Repair:
    gated = repairs.replaced(stack, cell)
    found = repairs.both(gated, repairs.raised(gated.stack, RAISES[-1]), "cell")
    return found._replace(lost=gated.lost)


def _scaled(case: _Case, progress: Progress) -> Remedy | None:
    """U times what the rate asks for: 10^-rate a step, corrected by the rate that is then left."""
    if (refused := case.refused("scale", Title(N_("Rescaled U")))) is not None:
        return refused
    log10_factor, best = 0.0, None
    slope = case.whole.way_back(ALL, case.layer).line().slope
    for count in range(ROUNDS):
        if not math.isfinite(slope) or abs(log10_factor - slope) > 2:
            break
        log10_factor -= slope
        repair = repairs.scaled(case.whole.stack, 10**log10_factor)
        after = case.traced(repair.stack, part_of(progress, count / ROUNDS, (count + 1) / ROUNDS))
        reached = at_lag(after, case.layer, case.asked)
        if best is None or _distance(reached) < _distance(best[0]):
            best = reached, repair, after
        slope = after.way_back(ALL, case.layer).line().slope
    if best is None:
        return None
    repair, after = best[1:]
    stack, layer = repair.stack, case.layer
    square = stack.layers[layer].U.shape[0] == stack.hidden_size
    size = repairs.spectral_radius(stack, layer) if square else repairs.spectral_norm(stack, layer)
    text = N_("{title}, to a spectral radius of {size}") if square else N_("{title}, to a spectral norm of {size}")
    title = Title(text, title=partial(said, repair.title), size=f"{size:.3g}")
    return case.remedy(repair.kind, title, repair.code, after, repair.lost, case.count - repair.lost)


def problem_with(problem: Problem, stack: Stack) -> Problem:
    """The same inputs, injected gradients and initial states with another stack; what it has beyond are zeros."""
    count, loss = len(CELLS[stack.cell].states), problem.loss
    if loss.final is not None and loss.final.shape[2] != count:
        final = np.zeros((*loss.final.shape[:2], count, loss.final.shape[3]), loss.final.dtype)
        final[:, :, :1] = loss.final[:, :, :1]
        loss = loss._replace(final=final)
    states = repairs.drawn_states(stack, problem.initial_state, count)
    arrays = Arrays(stack, problem.inputs, loss, states, problem.episodes)
    return Problem(arrays.size, arrays)


def at_lag(found: GradientTrace, layer: int, lag: int | None) -> float:
    """log10 of the last loss's gradient so many steps behind it, relative to its injection; None: at the first step.

    Mean over the sequences whose way is as long and in which it is there; -inf where it is exactly zero in all of them.
    """
    if lag is None:
        values = found.at_start(ALL, LAST, layer)
        values = values[found.last_loss >= 0]
    else:
        way = found.way_back(ALL, layer)
        values = (way.norms[lag] - found.log10_cotangent_last)[way.length >= lag]
    return float(of_batch(values).mean) if len(values) else math.nan


def line_of(found: GradientTrace, layer: int) -> ndarray:
    """The last loss's gradient in a layer's whole state by step, relative to its injection: log10, [T]."""
    return of_batch(found.log10_relative(ALL, LAST)[layer], found.spans.exists).mean


def judged(before: float, after: float, lag: int) -> tuple[bool, str]:
    """Whether a change helps, and a sentence that says why."""
    gained = _distance(before) - _distance(after)
    helps = gained >= DECADES or (math.isinf(_distance(before)) and math.isfinite(after))
    if _distance(before) <= DECADES:
        helps, text = False, _(
            "It is not needed: nothing is lost or gained here that a step size would not make up for ({before} is left "
            "{steps} back)."
        )  # fmt: skip
    elif math.isnan(after):
        helps, text = False, _("It does not help: with it a pass is not finite.")
    elif helps:
        text = _("It helps: {after} of the gradient is there {steps} back, in place of {before}.")
    elif gained <= -DECADES:
        text = _(
            "It does not help: it makes things worse, {after} of the gradient is there {steps} back, in place of "
            "{before}."
        )
    else:
        text = _(
            "It does not help: it changes less than a decade, {after} of the gradient is there {steps} back, in "
            "place of {before}."
        )
    return helps, text.format(before=number(before), after=number(after), steps=counted(lag, "step"))


def _distance(log10_left: float) -> float:
    """Decades from a gradient that keeps its size."""
    return math.inf if math.isnan(log10_left) else abs(log10_left)


def cost_of(lost: int, count: int, restart: bool) -> str:
    if restart:
        return _("All {parameters} are lost: training must restart.").format(parameters=counted(count, "parameter"))
    share = lost / count if count else 0.0
    text = (
        _("{kept} of {parameters} are kept: what the others had learned is lost, and training goes on from there.")
        if share > 0.25
        else _("{kept} of {parameters} are kept, and training goes on.")
    )
    return text.format(kept=count - lost, parameters=counted(count, "parameter"))


def _none(problem: Problem) -> Cotangents:
    """No loss."""
    H, dtype = problem.size.hidden_size, problem.stack.dtype
    return Cotangents(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, H), dtype), problem.size.sequences)


def _tail(stack: Stack, length: int) -> tuple[str, ...]:
    """Lines that go back over the last steps alone."""
    before, behind = (f":-{length}", f"-{length}:")
    if stack.batch_first:
        before, behind = f":, {before}", f":, {behind}"
    return f"with torch.no_grad(): _, state = rnn(x[{before}])", f"y, _ = rnn(x[{behind}], state)"


def _chunks(stack: Stack, length: int) -> tuple[str, ...]:
    """Lines that cut the gradient between chunks."""
    many = len(CELLS[stack.cell].states) > 1
    detached = "tuple(s.detach() for s in state)" if many else "state.detach()"
    axis = f", dim={int(stack.batch_first)}"
    return (
        "state, ys = None, []",
        f"for part in x.split({length}{axis}): y, state = rnn(part, state); ys.append(y); state = {detached}",
    )
