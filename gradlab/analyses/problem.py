"""Problem: what an analysis is called with, checked, lazily: nothing is drawn before it is read.

Every analysis begins in the same way: `problem_of(subject, inputs, cotangents, initial_state)` takes an Experiment, a
trained run or any other subject, or a Stack with arrays; the size is known at once, so that an analysis refuses what
does not fit into memory before the first weight is drawn.

`analysis` marks a function as an analysis. It says what the function needs of memory, so that a `Call` can refuse
without running it, which settings the function reads, and what an unknown option may have meant.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Any, NamedTuple, ParamSpec, TypeVar

import numpy as np
from numpy import ndarray

from gradlab import engine
from gradlab.analyses.arguments import (
    as_episodes,
    as_sequence,
    as_states,
    refuse_behind_the_end,
    refuse_swapped,
    sparse,
)
from gradlab.analyses.memory import result_bytes, screen_bytes
from gradlab.analyses.spans import Spans
from gradlab.cells import FORMS, KNOWN
from gradlab.engine import Cotangents, Episodes, Plan, Size, buffers, plan_in_slices
from gradlab.network.arrays import ArrayLike, Lengths, StatesLike
from gradlab.network.stack import Layer, Net, Stack
from gradlab.settings.catalogue import GROUPS
from gradlab.settings.experiment import Experiment
from gradlab.settings.meant import knows_its_options, refuse_unknown_options
from gradlab.settings.subject import Subject, is_subject
from gradlab.words.languages import N_

P = ParamSpec("P")
R = TypeVar("R")

SIZES_TO_LOWER = N_("steps, batch_size, hidden_size or depth")
STEP_WORK = 5000
ALL_GROUPS = ("network", "sequence", "loss", "numerics")


class Need(NamedTuple):
    """The memory that an analysis takes at its peak, with what is drawn of its result, and how a refusal names it."""

    bytes: int
    what: str  # takes them
    to_lower: str  # settings that help
    work: float = 0.0  # multiply-adds, about: how long it takes
    kept: int = 0  # bytes among these that its result holds from then on, where that is known

    def refuse(self) -> None:
        """Raises TooLarge where that is more than there is."""
        engine.refuse_too_large(self.bytes, self.what, self.to_lower)


@dataclass(frozen=True, eq=False, repr=False)
class Problem:
    """What every analysis starts from. Arrays are made when first read, and kept."""

    size: Size
    source: Subject | Arrays
    whole: Subject | Arrays | None = None  # of an excerpt: its weights are the whole's, whose law may read the length

    @property
    def settings(self) -> Experiment | None:
        """The settings that describe the subject; None where a caller brought arrays."""
        return self.source.settings

    @cached_property
    def stack(self) -> Stack:
        return (self.whole or self.source).network(np.dtype(self.size.dtype).name)

    @cached_property
    def inputs(self) -> ndarray:
        """[T, B, X] in the stack's dtype."""
        return self.source.sequence()

    @cached_property
    def loss(self) -> Cotangents:
        """The injected gradients, and where they enter."""
        return self.source.injected(self.stack, self.inputs)

    @cached_property
    def initial_state(self) -> tuple[ndarray, ...]:
        """One [L, B, H] per state, or none for zeros."""
        return self.source.initial_state()

    @cached_property
    def cotangents(self) -> ndarray:
        """The loss's cotangents at every step, [T, B, H], mostly zeros: for short sequences."""
        dense = np.zeros((self.size.steps, self.size.sequences, self.size.hidden_size), self.stack.dtype)
        dense[self.loss.steps, self.loss.at] = self.loss.values
        return dense

    @property
    def episodes(self) -> Episodes | None:
        """Where sequences begin anew, and end; None where each is of all steps."""
        return self.source.episodes if isinstance(self.source, Arrays) else None

    @property
    def is_plain(self) -> bool:
        """Whether every sequence is one of all steps, and no last state has a cotangent."""
        return not isinstance(self.source, Arrays) or (self.episodes is None and self.source.loss.final is None)

    @cached_property
    def spans(self) -> Spans:
        """The steps over which states are carried."""
        return Spans.of(self.episodes, self.size.steps, self.size.sequences)

    @property
    def cell(self) -> str:
        return self.size.cell

    @property
    def losses(self) -> int:
        """At how many steps the loss enters, known before anything is drawn."""
        return len(self.source.injection_steps)

    @property
    def trace_bytes(self) -> int:
        """Memory of a trace."""
        return self._trace_plan.bytes

    @property
    def _trace_plan(self) -> Plan:
        if not isinstance(self.source, Arrays):
            return _trace_plan(self.size, self.losses, self.source.loss_bytes)
        size = self.size._replace(with_inputs=True)
        return _trace_plan(size, self.losses, self.source.loss_bytes, self.source.final_bytes)

    def excerpt(self, steps: int, sequences: int, dtype: str | None = None) -> Problem:
        """The first steps of the first sequences, with a loss among them, in another precision if named."""
        source = self.source.excerpt(min(steps, self.size.steps), min(sequences, self.size.sequences), dtype)
        return Problem(source.size, source, self.whole or self.source)

    @property
    def trace_need(self) -> Need:
        """What a trace takes."""
        plan = self._trace_plan
        peak = max(plan.bytes, plan.bytes - max(plan.held - buffers.MOST_BYTES, 0) + screen_bytes(self.size))
        cotangents = 8 * self.losses * self.size.sequences
        kept = cotangents + (1 if self.losses < 2 else 2) * result_bytes(self.size)
        return Need(peak, sizes(self.size), SIZES_TO_LOWER, work_of(plan), kept)

    def refuse(self, need: Need) -> None:
        """Raises TooLarge where an analysis needs more memory than there is."""
        need.refuse()

    def refuse_too_large(self, limit: int | None = None) -> None:
        """Raises TooLarge where one forward pass and one adjoint need more than `limit` bytes (default: all)."""
        engine.refuse_too_large(self.trace_bytes, sizes(self.size), SIZES_TO_LOWER, limit)

    def __repr__(self) -> str:
        return f"Problem({sizes(self.size)})"


@dataclass(frozen=True, eq=False)
class Arrays:
    """A stack with a caller's arrays: what a Problem reads where nobody has settings."""

    stack: Stack
    inputs: ndarray
    loss: Cotangents
    states: tuple[ndarray, ...]
    episodes: Episodes | None = None

    settings = None
    loss_bytes = 0

    @property
    def size(self) -> Size:
        stack, (T, B, X) = self.stack, self.inputs.shape
        breaks = () if self.episodes is None else self.episodes.breaks
        return Size(stack.cell, stack.depth, stack.hidden_size, X, T, B, B, stack.dtype.name, breaks=breaks)

    @property
    def injection_steps(self) -> ndarray:
        return injection_steps(self.loss, self.lengths)

    @property
    def lengths(self) -> ndarray:
        """Steps of each sequence, [B]."""
        T, B, _ = self.inputs.shape
        return np.full(B, T) if self.episodes is None else self.episodes.lengths

    @property
    def final_bytes(self) -> int:
        """Memory of the last states' cotangents: of all losses and of the last one, given, copied and carried."""
        return 0 if self.loss.final is None else 6 * self.loss.final.nbytes

    def excerpt(self, steps: int, sequences: int, dtype: str | None) -> Arrays:
        """Where no loss enters at the first steps, the latest one of each sequence is moved to the last of them."""
        to = self.stack.dtype if dtype is None else np.dtype(dtype)
        dense = np.zeros((steps, sequences, self.stack.hidden_size), to)
        entries = [(t, b, value) for t, b, value in zip(*self.loss[:3], strict=True) if b < sequences]
        among = [entry for entry in entries if entry[0] < steps]
        for t, b, value in among or [(steps - 1, b, value) for _, b, value in entries]:
            dense[t, b] = value
        states = tuple(state[:, :sequences].astype(to) for state in self.states)
        inputs = np.ascontiguousarray(self.inputs[:steps, :sequences], to)
        loss, episodes = sparse(dense), self.episodes
        if self.loss.final is not None:
            loss = loss._replace(final=np.ascontiguousarray(self.loss.final[:, :sequences], to))
        if episodes is not None:
            lengths = episodes.lengths[:sequences].clip(max=steps)
            episodes = Episodes(episodes.resets[:steps, :sequences], lengths)
        return Arrays(self.network(to.name), inputs, loss, states, episodes)

    def network(self, dtype: str | None = None) -> Stack:
        to = self.stack.dtype if dtype is None else np.dtype(dtype)
        if to == self.stack.dtype:
            return self.stack
        return Stack(
            self.stack.cell, tuple(Layer(*(array.astype(to) for array in layer)) for layer in self.stack.layers)
        )

    def sequence(self) -> ndarray:
        return self.inputs

    def injected(self, stack: Stack, inputs: ndarray) -> Cotangents:
        return self.loss

    def initial_state(self) -> tuple[ndarray, ...]:
        return self.states


def problem_of(
    subject: Subject | Stack | Problem,
    inputs: ArrayLike | None = None,
    cotangents: ArrayLike | None = None,
    initial_state: StatesLike | None = None,
    final_cotangents: StatesLike | None = None,
    resets: ArrayLike | None = None,
    lengths: Lengths | None = None,
) -> Problem:
    """The arguments of `gradlab.trace`, checked and in the stack's dtype.

    Raises ValueError for arrays that do not fit and for what one trace of takes more memory than there is, TypeError
    for what is neither a Stack nor a subject.
    """
    if isinstance(subject, Stack) and subject.cell in FORMS:
        raise TypeError(f"{KNOWN[subject.cell].title} is run in two halves: only gradlab.trace takes it")
    if isinstance(subject, Stack):
        return _with_arrays(subject, inputs, cotangents, initial_state, final_cotangents, resets, lengths)
    if not isinstance(subject, Problem):
        _refuse_no_subject(subject)
    given = (inputs, cotangents, initial_state, final_cotangents, resets, lengths)
    if any(value is not None for value in given):
        kind = "an Experiment" if isinstance(subject, Experiment) else f"a {type(subject).__name__}"
        raise ValueError(f"{kind} has its own inputs and loss: pass a Stack to choose inputs or cotangents")
    if isinstance(subject, Problem):
        return subject
    problem = Problem(subject.size, subject)
    problem.refuse_too_large()
    return problem


def _with_arrays(
    stack: Stack,
    inputs: ArrayLike | None,
    cotangents: ArrayLike | None,
    initial_state: StatesLike | None,
    final_cotangents: StatesLike | None = None,
    resets: ArrayLike | None = None,
    lengths: Lengths | None = None,
) -> Problem:
    ends_only = cotangents is None and final_cotangents is not None
    x, dense = as_sequence(stack, inputs, cotangents, (stack.hidden_size, "H"), lengths, ends_only)
    T, B, _ = x.shape
    if T != B:
        refuse_swapped(stack, x, (initial_state, final_cotangents), lengths)
    states = as_states(stack, initial_state, B)
    final = as_states(stack, final_cotangents, B, "final_cotangents")
    loss = sparse(dense)
    if any(part.any() for part in final):
        loss = loss._replace(final=np.ascontiguousarray(np.stack(final, axis=2)))
    episodes = as_episodes(resets, lengths, T, B, stack.batch_first)
    if episodes is not None:
        refuse_behind_the_end(loss, episodes.lengths, stack.batch_first)
    arrays = Arrays(stack, x, loss, states, episodes)
    problem = Problem(arrays.size, arrays)
    problem.refuse_too_large()
    return problem


def without_loss(
    subject: Subject | Stack | Problem,
    inputs: ArrayLike | None = None,
    cotangents: ArrayLike | None = None,
    initial_state: StatesLike | None = None,
) -> Problem:
    """As `problem_of`, for analyses that need no loss: a Stack's cotangents may be left out."""
    if isinstance(subject, Stack) and cotangents is None and inputs is not None:
        cotangents = np.zeros((*np.shape(inputs)[:2], subject.hidden_size))
    return problem_of(subject, inputs, cotangents, initial_state)


def stack_of(subject: Subject | Stack | Problem) -> Stack:
    """The weights alone, for analyses of weights."""
    if isinstance(subject, Stack):
        return subject
    if isinstance(subject, Problem):
        return subject.stack
    _refuse_no_subject(subject)
    return subject.network()


def _refuse_no_subject(value: Any) -> None:
    if isinstance(value, Net):
        levels = "its levels' parts, .levels[0][0].stack"
        raise TypeError(f"{value!r} is no single stack: gradlab.trace takes it whole, other analyses {levels}")
    if not is_subject(value):
        raise TypeError(f"{type(value).__name__} is neither an Experiment nor a Stack: see Stack.from_torch")


def analysis(
    needs: Callable[..., Need] | None = None, reads: Iterable[str] = ALL_GROUPS, only_plain: bool = True
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Marks a function as an analysis, whose first argument is a subject.

    needs    (problem, **options) -> Need: the peak of memory, known before any work; None where a trace's is all
    reads    groups of settings, or settings, on which the result depends: moving any other setting changes nothing
    only_plain    whether it knows no resets, lengths and cotangents of last states: a Problem with them is refused,
                  unless the inputs are not read either
    """
    names = frozenset(name for group in reads for name in GROUPS.get(group, (group,)))

    def mark(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)

        @wraps(function)
        def called(*arguments: P.args, **options: P.kwargs) -> R:
            refuse_unknown_options(function.__name__, options, signature.parameters)
            subject = arguments[0] if arguments else options.get("subject")
            if only_plain and "inputs" in names and isinstance(subject, Problem) and not subject.is_plain:
                raise ValueError(
                    f"{function.__name__} knows no resets, no lengths and no final_cotangents, which this problem has: "
                    "use gradlab.trace or gradlab.remedies, or a problem of sequences of one length without them"
                )
            return function(*arguments, **options)

        called.__dict__.update(needs=needs, reads=names)
        return called

    return mark


def work_of(plan: Plan) -> float:
    """What a sweep costs, in multiply-adds: a step of a layer takes as long as so many whatever its width."""
    return plan.multiply_adds + STEP_WORK * plan.size.steps * plan.size.depth


def sizes(size: Size) -> str:
    """The sizes of a sweep by the names of their settings."""
    return (
        f"steps = {size.steps}, batch_size = {size.sequences}, hidden_size = {size.hidden_size}, depth = {size.depth}"
    )


def injection_steps(loss: Cotangents, lengths: ndarray) -> ndarray:
    """The steps at which a loss enters, in order; that of a last state enters at its sequence's last step."""
    return np.unique(np.concatenate([loss.steps, lengths[_with_final(loss)] - 1]))


def _with_final(loss: Cotangents) -> ndarray:
    """Whether a last state of a row has a cotangent, [N]."""
    return np.zeros(loss.rows, bool) if loss.final is None else np.any(loss.final != 0, axis=(0, 2, 3))


def last_losses(cotangents: Cotangents, spans: Spans) -> ndarray:
    """Which entries are the last of their span, in order.

    Where a span ends with a state that has a cotangent itself, these are the entries at its last step alone.
    """
    latest = np.full(len(spans.begin), -1)
    np.maximum.at(latest, spans.at(cotangents), np.arange(len(cotangents.at)))
    has = latest >= 0
    earlier = np.zeros(len(latest), bool)
    earlier[has] = cotangents.steps[latest[has]] < spans.end[has] - 1
    latest[earlier & spans.end_with(_with_final(cotangents))] = -1
    return np.sort(latest[latest >= 0])


def last_loss_steps(last: Cotangents, spans: Spans) -> ndarray:
    """The step of each span's last loss, [E]; -1 where none enters. `last` is that loss alone."""
    steps = np.where(spans.end_with(_with_final(last)), spans.end - 1, -1)
    steps[spans.at(last)] = last.steps
    return steps


def of_last_loss(cotangents: Cotangents, spans: Spans) -> Cotangents:
    """What the last loss of each span injects, alone."""
    last = last_losses(cotangents, spans)
    exponents = None if cotangents.exponents is None else cotangents.exponents[last]
    return cotangents._replace(
        steps=cotangents.steps[last], at=cotangents.at[last], values=cotangents.values[last], exponents=exponents
    )


@knows_its_options
def estimate(subject: Subject) -> Plan:
    """The engine's Plan of a trace of a subject: its `bytes` at the peak and its `multiply_adds`."""
    return _trace_plan(subject.size, len(subject.injection_steps), subject.loss_bytes)


def _trace_plan(size: Size, losses: int, loss_bytes: int, final_bytes: int = 0) -> Plan:
    """One forward pass and the adjoint of the loss; of several losses, that of the last one alone as further rows."""
    alone = plan_in_slices(size)
    # where the loss reads states, these are there before the adjoint begins
    drawing = alone.bytes + loss_bytes + final_bytes
    if losses < 2:
        return alone._replace(bytes=drawing)
    plan = plan_in_slices(size._replace(rows=2 * size.rows))
    entries = losses * size.sequences * (np.dtype(size.dtype).itemsize * size.hidden_size + 16)
    return plan._replace(bytes=max(drawing, plan.bytes + min(loss_bytes, entries) + entries + final_bytes))


def refuse_too_large(subject: Subject, limit: int | None = None) -> None:
    """Raises TooLarge, naming the settings, if the trace needs more than `limit` bytes (default: `memory_limit`)."""
    Problem(subject.size, subject).refuse_too_large(limit)
