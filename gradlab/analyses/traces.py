"""GradientTrace: the norms of ∂L/∂h_t and ∂L/∂c_t of every layer and step, and tables of them.

Norms are given as log10 ‖·‖₂ of one sequence's gradient, a pure number; the states are those *after* step t, and the
derivatives are total: over all later steps and higher layers, and for c_t also through h_t.

What arrives is the gradient of all losses; how one propagates is seen in that of each sequence's last loss alone, which
has the longest way back. Where the loss enters once the two are the same; else a second set of rows in the same adjoint
pass gives the last loss alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab.analyses.batch import of_batch
from gradlab.analyses.exact_zeros import at_kink, cancels
from gradlab.analyses.frames import Frame, as_one, frame_of
from gradlab.analyses.nets import traced_net
from gradlab.analyses.parts import Part, together
from gradlab.analyses.pictures import Pictured
from gradlab.analyses.problem import Arrays, Problem, analysis, problem_of
from gradlab.analyses.propagation import Way, way_back
from gradlab.analyses.spans import Spans
from gradlab.cells import FORMS, KNOWN
from gradlab.engine import NEVER, Progress, Scaled, Swept, log10_norms, sweep, times_power
from gradlab.network.arrays import ArrayLike, Lengths, StatesLike
from gradlab.network.stack import Net, Stack
from gradlab.settings.experiment import Experiment
from gradlab.settings.subject import Subject
from gradlab.words.languages import _

TABLE_COLUMNS = (
    "cell", "layer", "step", "lag", "state", "path",
    "log10_norm", "log10_norm_min", "log10_norm_max",
    "log10_relative", "log10_relative_min", "log10_relative_max", "left_out",
)  # fmt: skip
RATE_COLUMNS = (
    "cell", "layer", "state", "decades_per_step", "half_width", "intercept", "lag_from", "lag_to", "rms_residual",
    "sequences",
)  # fmt: skip
ALL = "all"  # states, or losses, together
LAST = "last"  # loss of each sequence, alone


@dataclass(frozen=True)
class NonFinite:
    """Where a number first left the floating-point range."""

    pass_: str  # "forward" | "adjoint"
    layer: int
    step: int
    sequence: int

    @property
    def sentence(self) -> str:
        where = _("step {step} of layer {layer} (sequence {sequence})")
        where = where.format(step=self.step, layer=self.layer, sequence=self.sequence)
        if self.pass_ == "forward":
            text = _(
                "The forward pass overflows: the first state that is not finite is at {where}. Gradients that depend "
                "on such states are undefined and left out of the lines."
            )
        else:
            text = _(
                "The gradient is not finite at {where} and, going back, at all earlier ones: one step multiplied it "
                "beyond the floating-point range."
            )
        return text.format(where=where)


@dataclass(frozen=True, eq=False, repr=False)
class GradientTrace(Pictured):
    """The result of `trace`."""

    stack: Stack
    experiment: Experiment | None
    log10_norms: ndarray  # [L, T, B, S]
    log10_cotangent: ndarray  # [E] log10 of the injected gradient: the root of the sum over steps of ‖cotangent_t‖²
    loss_steps: ndarray  # the steps at which the loss enters
    non_finite: NonFinite | None
    last_loss: ndarray  # [E] the last step at which the loss enters a span, -1 where it does not
    log10_norms_last: ndarray  # [L, T, B, S] of the gradient of that last loss alone
    log10_cotangent_last: ndarray  # [E] of what it injects
    spans: Spans  # over which states are carried: the B sequences, or, between resets, E parts of them
    initial: Scaled  # [L, N, S, H] ∂L/∂(initial states): N = B of all losses, and B more of the last where they differ
    read: Callable[[], Scaled]  # makes ∂L/∂x_t, [T, N, X], rows likewise
    batch_first: bool = False  # how a caller's arrays lie
    cancels: bool = False  # over the batch, so that the parameters' gradient is exactly zero (`exact_zeros`)
    at_kink: float = 0.0  # share of a ReLU's pre-activations that are exactly 0
    source: Subject | Arrays | None = None  # what it is a trace of; None where that was not kept
    whole: Subject | Arrays | None = None  # as a Problem has it

    def __repr__(self) -> str:
        depth, steps, sequences = self.log10_norms.shape[:3]
        return f"GradientTrace({self.cell}, {depth} layers, {steps} steps, {sequences} sequences)"

    @property
    def cell(self) -> str:
        return self.stack.cell

    @property
    def problem(self) -> Problem:
        """What it is a trace of, made anew: what is drawn of settings is drawn when it is read, and not kept here.

        Raises ValueError where the trace keeps nothing of it, as the many of a training do.
        """
        if self.source is None:
            raise ValueError("this trace keeps neither inputs nor loss: trace the network again, as run.trained, say")
        return Problem(self.source.size, self.source, self.whole)

    @property
    def states(self) -> tuple[str, ...]:
        return KNOWN[self.cell].states

    @property
    def steps(self) -> int:
        return self.log10_norms.shape[1]

    def log10_norm(self, state: str = "h", losses: str = ALL) -> ndarray:
        """log10 ‖∂L/∂s_t‖₂ per layer, step and sequence, [L, T, B].

        state     a state of the cell, or "all": ∂L/∂h_t, ∂L/∂c_t … as one vector; or "x": ∂L/∂x_t of the inputs, which
                  belong to no layer, [T, B] (`inputs_bar` has the vectors)
        losses    "all", or "last": the gradient of each sequence's last loss alone

        -inf only where the gradient is exactly zero as computed; NaN where it is undefined because a pass was not
        finite, and at steps that a sequence does not have. Zero are then also what a saturated σ or tanh rounds to
        zero, as in autograd, and entries some 10^300 (float32: 10^37) below the largest of the same layer, sequence and
        step, h and c together.
        Raises ValueError for a state the cell does not have.
        """
        if state == "x":
            return self._norms_of_inputs[0 if self._is_all(losses) else -1]
        norms = self.log10_norms if self._is_all(losses) else self.log10_norms_last
        return as_one(norms) if state == ALL else norms[..., self._kind(state)]

    def log10_initial(self, state: str = "h", losses: str = ALL) -> ndarray:
        """log10 ‖∂L/∂(initial state)‖₂ per layer and sequence, [L, B]; -inf where it is exactly zero.

        state, losses    as `log10_norm` has them
        """
        first = 0 if self._is_all(losses) else self.initial.values.shape[1] - self.spans.sequences
        of_rows = slice(first, first + self.spans.sequences)
        values, exponents = self.initial.values[:, of_rows], self.initial.exponents[:, of_rows]
        norms = log10_norms(values, exponents[..., None])
        return as_one(norms) if state == ALL else norms[..., self._kind(state)]

    @property
    def initial_bar(self) -> tuple[ndarray, ...]:
        """∂L/∂(initial states), one [L, B, H] per state: the `final_cotangents` of a stack that these states came from.

        What is beyond the dtype's range is 0 or infinite here; `log10_initial` has its norm.
        """
        values = times_power(*(part[:, : self.spans.sequences] for part in self.initial))
        return tuple(np.ascontiguousarray(values[:, :, kind]) for kind in range(len(self.states)))

    @property
    def inputs_bar(self) -> ndarray:
        """∂L/∂x_t as the inputs came, [T, B, X] or [B, T, X]: the `cotangents` of a stack whose outputs these are.

        What is beyond the dtype's range is 0 or infinite here; `log10_norm("x")` has its norm. Zeros at steps that a
        sequence does not have.
        """
        values = times_power(*(part[:, : self.spans.sequences] for part in self._at_inputs))
        return np.ascontiguousarray(values.swapaxes(0, 1)) if self.batch_first else values

    @cached_property
    def _at_inputs(self) -> Scaled:
        return self.read()

    @cached_property
    def _norms_of_inputs(self) -> ndarray:
        """[1 or 2, T, B]: of all losses, and of the last ones where they differ."""
        norms = self._at_inputs.log10_norms.reshape(self.steps, -1, self.spans.sequences).swapaxes(0, 1)
        return self.spans.without_padding(norms[..., None])[..., 0]

    def log10_relative(self, state: str = "h", losses: str = ALL) -> ndarray:
        """`log10_norm` minus log10 of what those losses inject into the sequence, or between its resets, [L, T, B];
        -inf where it is zero."""
        injected = self.log10_cotangent if self._is_all(losses) else self.log10_cotangent_last
        return relative(self.log10_norm(state, losses), self.spans.of_steps(injected))

    def way_back(self, state: str = "h", layer: int = 0) -> Way:
        """The norms of the last loss's gradient by steps back from it."""
        norms = self.log10_norms_last[layer]  # nothing is made of the other layers'
        norms = as_one(norms) if state == ALL else norms[..., self._kind(state)]
        return way_back(norms, self.last_loss, self.spans)

    def at_start(self, state: str = "h", losses: str = ALL, layer: int = 0) -> ndarray:
        """`log10_relative` at step 0 of one layer, [B], or at the first step of each span, [E]."""
        norms = (self.log10_norms if self._is_all(losses) else self.log10_norms_last)[layer]
        norms = norms[self.spans.begin, self.spans.sequence]
        injected = self.log10_cotangent if self._is_all(losses) else self.log10_cotangent_last
        return relative(as_one(norms) if state == ALL else norms[..., self._kind(state)], injected)

    def _kind(self, state: str) -> int:
        if state not in self.states:
            raise ValueError(f"state = {state!r} is not a state of {self.cell}: use {' or '.join(self.states)}")
        return self.states.index(state)

    def _is_all(self, losses: str) -> bool:
        if losses not in (ALL, LAST):
            raise ValueError(f"losses = {losses!r} is not allowed: use {ALL} or {LAST}")
        return losses == ALL

    @property
    def table(self) -> pd.DataFrame:
        """Tidy: one row per layer, state and step, columns `TABLE_COLUMNS`; made anew each time it is read.

        Mean, min and max are over the sequences of the batch in which the gradient is neither exactly zero nor
        undefined; left_out counts the others, those that have no such step among them. Where there are only others:
        -inf if it is exactly zero in all, or NaN. Lag counts from the last step of the longest sequence; `rate` and
        `diagnose` count each sequence's steps from its own last loss.
        """
        return together(self.table_parts)

    @property
    def table_parts(self) -> list[Part]:
        """`table`, one part per layer and state."""
        entered = self.spans.of_steps(self.log10_cotangent)
        return norm_parts(self.cell, self.log10_norms, entered, exists=self.spans.exists)

    @property
    def propagation(self) -> pd.DataFrame:
        """Tidy: one row per layer, path and step of each layer's whole state (h and c as one vector).

        Columns `TABLE_COLUMNS`; path is "all losses" (what arrives) or "last loss" (how one injection propagates).
        """
        return together(self.propagation_parts)

    @property
    def propagation_parts(self) -> list[Part]:
        """`propagation`, one part per path and layer."""
        paths = {
            "all losses": (self.log10_norms, self.spans.of_steps(self.log10_cotangent)),
            "last loss": (self.log10_norms_last, self.spans.of_steps(self.log10_cotangent_last)),
        }
        name, lags = whole_state(self.cell), np.arange(self.steps)
        return [
            _norm_part(
                self.cell, layer, name, path, lags[::-1], entered, partial(_as_one_of, norms, layer), self.spans.exists
            )
            for path, (norms, entered) in paths.items()
            for layer in range(len(norms))
        ]

    def rate(self) -> pd.DataFrame:
        """How fast the gradient of the last loss alone changes on its way back: one row per layer and state.

        Columns `RATE_COLUMNS`; of each sequence a least-squares line through its log10 norms against lag, T - 1 - t:

        decades_per_step   mean of the slopes, decades per step; negative where the gradient shrinks on its way back
        half_width         half of its 95 % interval, as `gradlab.analyses.propagation` has it
        intercept          mean of the lines at lag 0
        lag_from, lag_to   the lags fitted: the last three quarters of those behind the last loss step, where finite;
                           all of them where that leaves fewer than three
        rms_residual       root mean square distance of the norms from their lines, decades
        sequences          how many have a line: three finite points at least, and a gradient that is not exactly zero
                           at step 0; where it is zero in all, the lines are of what came before

        NaN where no sequence has a line.
        """
        shift = self.steps - 1 - int(self.last_loss.max(initial=0))
        rows = []
        for layer in range(self.log10_norms.shape[0]):
            for state in self.states:
                way = self.way_back(state, layer)
                line = way.line()
                of_line = (line.slope, line.half_width, line.intercept - line.slope * shift)
                lags = [steps if steps < 0 else steps + shift for steps in (line.first, line.last)]
                rows.append((self.cell, layer, state, *of_line, *lags, line.rms_residual, line.sequences))
        return pd.DataFrame(rows, columns=list(RATE_COLUMNS))


def whole_state(cell: str) -> str:
    """The names of a cell's states as a phrase."""
    *first, last = KNOWN[cell].states
    return f"{', '.join(first)} and {last}" if first else last


def norm_table(
    cell: str,
    log10_norms: ndarray,
    log10_entered: ndarray,
    path: str = "total",
    states: tuple[str, ...] = (),
    lag_from: int | None = None,
) -> pd.DataFrame:
    """log10 norms [L, T, B, S] as tidy rows, columns `TABLE_COLUMNS`, relative to what entered each sequence [B].

    states      names of the S states; the cell's if none
    lag_from    the step from which lags count, T - 1 if None
    """
    return together(norm_parts(cell, log10_norms, log10_entered, path, states, lag_from))


def norm_parts(
    cell: str,
    log10_norms: ndarray,
    log10_entered: ndarray,
    path: str = "total",
    states: tuple[str, ...] = (),
    lag_from: int | None = None,
    exists: ndarray | None = None,
) -> list[Part]:
    """`norm_table`, one part per layer and state."""
    steps = log10_norms.shape[1]
    lags = (steps - 1 if lag_from is None else lag_from) - np.arange(steps)
    return [
        _norm_part(cell, layer, state, path, lags, log10_entered, partial(_of_kind, log10_norms, layer, kind), exists)
        for layer in range(len(log10_norms))
        for kind, state in enumerate(states or KNOWN[cell].states)
    ]


def _of_kind(log10_norms: ndarray, layer: int, kind: int) -> ndarray:
    """Those of one layer and state, [T, B]."""
    return log10_norms[layer, ..., kind]


def _as_one_of(log10_norms: ndarray, layer: int) -> ndarray:
    """Those of one layer's whole state, [T, B]."""
    return as_one(log10_norms[layer])


def _norm_part(
    cell: str,
    layer: int,
    state: str,
    path: str,
    lags: ndarray,
    log10_entered: ndarray,
    norms: Callable[[], ndarray],
    exists: ndarray | None = None,
) -> Part:
    """One line of a table of norms: lags [T], what makes its log10 norms [T, B], and which of these there are."""

    def make() -> pd.DataFrame:
        values = norms()
        columns: dict[str, Any] = {"step": np.arange(len(values)), "lag": lags}
        for name, of_sequences in (("norm", values), ("relative", relative(values, log10_entered))):
            found = of_batch(of_sequences, exists)
            columns |= {f"log10_{name}": found.mean, f"log10_{name}_min": found.least}
            columns |= {f"log10_{name}_max": found.most, "left_out": found.left_out}
        return pd.DataFrame({name: columns[name] for name in TABLE_COLUMNS if name in columns})

    same = {"cell": cell, "layer": layer, "state": state, "path": path}
    return Part(TABLE_COLUMNS, same, len(lags), (0, len(lags) - 1), make)


@analysis(only_plain=False)
def trace(
    subject: Subject | Stack | Problem | Net,
    inputs: ArrayLike | None = None,
    cotangents: ArrayLike | None = None,
    initial_state: StatesLike | None = None,
    final_cotangents: StatesLike | None = None,
    resets: ArrayLike | None = None,
    lengths: Lengths | None = None,
    *,
    progress: Progress | None = None,
) -> GradientTrace:
    """Back-propagates through time and measures the gradient at every layer and step.

    trace(experiment)                      draws the stack, its inputs and its loss; any other subject has its own
    trace(net, …)                          likewise, a `NetTrace`: states and their cotangents are [layers and
                                           directions, B, H], as PyTorch has them; cotangents [T, B, all outputs]
    trace(stack, inputs, cotangents)       inputs [T, B, X]; cotangents [T, B, H] = ∂L/∂(top layer's h_t) by the loss
                                           alone; numpy arrays or torch tensors, computed in the stack's dtype;
                                           [B, T, …], and resets too, where the stack's module is batch_first
    initial_state                          h or (h, c), each [L, B, H]; zeros if None
    final_cotangents                       ∂L/∂(last states) by what reads them, as h_n and c_n: h or (h, c), each
                                           [L, B, H]; beside them cotangents may be None
    resets                                 [T, B], 1 where an episode begins: before this step the state is set to
                                           zeros, as RL code does by multiplying it with 1 - done; at step 0 too
    lengths                                [B] steps of each sequence: later ones do not exist, nothing there is read,
                                           and a sequence's last state is that at its length
    progress                               called with the fraction done; an exception it raises aborts

    Raises ValueError for shapes that do not fit, for values that are not finite, and where more memory would be needed
    than there is. A forward pass that overflows is no error: see `GradientTrace.non_finite`.
    """
    if isinstance(subject, Stack) and subject.cell in FORMS:
        subject = Net.of_stacks([subject])
    if isinstance(subject, Net):
        given = (inputs, cotangents, initial_state, final_cotangents, resets, lengths)
        of_net: Any = traced_net(subject, *given, traced=traced, progress=progress)
        return of_net  # a NetTrace, which has all that a GradientTrace is asked for
    problem = problem_of(subject, inputs, cotangents, initial_state, final_cotangents, resets, lengths)
    frame = _frame_of(problem)
    swept = _swept(problem, frame, with_inputs=isinstance(problem.source, Arrays), progress=progress)
    return traced(problem, frame, swept)


def traced(problem: Problem, frame: Frame, swept: Swept) -> GradientTrace:
    """The trace of a sweep that has been made."""
    B, spans = problem.size.sequences, problem.spans
    of_all = swept._replace(log10_norms=swept.log10_norms[:, :, :B])
    norms = spans.without_padding(of_all.log10_norms)
    once, given = frame.both.rows == B, isinstance(problem.source, Arrays)
    return GradientTrace(
        stack=problem.stack,
        experiment=problem.settings,
        log10_norms=norms,
        log10_cotangent=frame.entered,
        loss_steps=frame.loss_steps,
        non_finite=_first_non_finite(of_all),
        last_loss=frame.last_loss,
        log10_norms_last=norms if once else spans.without_padding(swept.log10_norms[:, :, B:]),
        log10_cotangent_last=frame.entered_last,
        spans=spans,
        initial=swept.initial,
        read=partial(_kept, swept.inputs) if given else partial(_read_again, problem.source, problem.whole),
        batch_first=problem.stack.batch_first,
        cancels=cancels(problem),
        at_kink=at_kink(problem),
        source=problem.source,
        whole=problem.whole,
    )


def _frame_of(problem: Problem) -> Frame:
    loss = problem.loss
    steps = loss.steps if loss.final is None else problem.source.injection_steps
    return frame_of(loss, problem.spans, steps)


def _swept(problem: Problem, frame: Frame, **wanted: Any) -> Swept:
    """The adjoint of all losses, and of each span's last one beside it where these are not the same."""
    return sweep(problem.stack, problem.inputs, frame.both, problem.initial_state, episodes=problem.episodes, **wanted)


def _kept(inputs: Scaled) -> Scaled:
    """The inputs' gradients that a caller's arrays were given for."""
    return inputs


def _read_again(subject: Subject | Arrays, whole: Subject | Arrays | None) -> Scaled:
    """The gradients of inputs that were drawn: who asks for them waits for another pass."""
    problem = Problem(subject.size, subject, whole)
    return _swept(problem, _frame_of(problem), with_inputs=True).inputs


def relative(log10_norms: ndarray, log10_entered: ndarray) -> ndarray:
    """Log norms minus the gradient injected into each sequence (the last axis); exact zeros stay -inf."""
    return np.where(
        np.isneginf(log10_norms), -np.inf, log10_norms - np.where(np.isneginf(log10_entered), 0, log10_entered)
    )


def _first_non_finite(swept: Swept) -> NonFinite | None:
    """Where the first non-finite number arose: forward the earliest step, in the adjoint the latest."""
    if (earliest := swept.non_finite.min()) != NEVER:
        layer, sequence = (int(i) for i in np.argwhere(swept.non_finite == earliest)[0])
        return NonFinite("forward", layer, int(earliest), sequence)
    undefined = np.logical_or.reduce(np.isnan(swept.log10_norms), axis=3)  # [L, T, B]
    if not undefined.any():
        return None
    step = int(np.flatnonzero(undefined.any(axis=(0, 2)))[-1])
    layer, sequence = (int(i) for i in np.argwhere(undefined[:, step])[-1])
    return NonFinite("adjoint", layer, step, sequence)
