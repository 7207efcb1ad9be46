"""Problem: what an analysis is called with, checked, lazily: nothing is drawn before it is read.

Every analysis begins in the same way: `problem_of(subject, inputs, cotangents, initial_state)` takes an Experiment, a
trained run or any other subject, or a Stack with arrays; the size is known at once, so that an analysis refuses what
does not fit into memory before the first weight is drawn.

`analysis` marks a function as an analysis. It says what the function needs of memory, so that a `Call` can refuse
without running it, which settings the function reads, and what an unknown option may have meant.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, wraps
from numbers import Integral
from typing import Any, NamedTuple, ParamSpec, TypeVar

import numpy as np
from numpy import ndarray

from gradlab import engine
from gradlab.analyses.memory import screen_bytes
from gradlab.cells import CELLS
from gradlab.engine import Cotangents, Plan, Size, buffers, is_finite, plan_in_slices
from gradlab.network.arrays import ArrayLike, StatesLike, on_the_cpu
from gradlab.network.stack import Layer, Stack
from gradlab.settings.catalogue import GROUPS
from gradlab.settings.experiment import Experiment
from gradlab.settings.meant import knows_its_options, refuse_unknown_options
from gradlab.settings.subject import Subject, is_subject

P = ParamSpec("P")
R = TypeVar("R")

SIZES_TO_LOWER = "steps, batch_size, hidden_size or depth"
STEP_WORK = 5000
ALL_GROUPS = ("network", "sequence", "loss", "numerics")


class Need(NamedTuple):
    """The memory that an analysis takes at its peak, with what is drawn of its result, and how a refusal names it."""

    bytes: int
    what: str  # takes them
    to_lower: str  # settings that help
    work: float = 0.0  # multiply-adds, about: how long it takes

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
    def cell(self) -> str:
        return self.size.cell

    @property
    def losses(self) -> int:
        """At how many steps the loss enters, known before anything is drawn."""
        return len(self.source.injection_steps)

    @property
    def trace_bytes(self) -> int:
        """Memory of a trace."""
        return _trace_plan(self.size, self.losses, self.source.loss_bytes).bytes

    def excerpt(self, steps: int, sequences: int, dtype: str | None = None) -> Problem:
        """The first steps of the first sequences, with a loss among them, in another precision if named."""
        source = self.source.excerpt(min(steps, self.size.steps), min(sequences, self.size.sequences), dtype)
        return Problem(source.size, source, self.whole or self.source)

    @property
    def trace_need(self) -> Need:
        """What a trace takes."""
        plan = _trace_plan(self.size, self.losses, self.source.loss_bytes)
        peak = max(plan.bytes, plan.bytes - max(plan.held - buffers.MOST_BYTES, 0) + screen_bytes(self.size))
        return Need(peak, sizes(self.size), SIZES_TO_LOWER, work_of(plan))

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

    settings = None
    loss_bytes = 0

    @property
    def size(self) -> Size:
        stack, (T, B, X) = self.stack, self.inputs.shape
        return Size(stack.cell, stack.depth, stack.hidden_size, X, T, B, B, stack.dtype.name)

    @property
    def injection_steps(self) -> ndarray:
        return np.unique(self.loss.steps)

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
        return Arrays(self.network(to.name), inputs, sparse(dense), states)

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
) -> Problem:
    """The arguments of `gradlab.trace`, checked and in the stack's dtype.

    Raises ValueError for arrays that do not fit and for what one trace of takes more memory than there is, TypeError
    for what is neither a Stack nor a subject.
    """
    if isinstance(subject, Stack):
        return _with_arrays(subject, inputs, cotangents, initial_state)
    if not isinstance(subject, Problem):
        _refuse_no_subject(subject)
    if inputs is not None or cotangents is not None or initial_state is not None:
        kind = "an Experiment" if isinstance(subject, Experiment) else f"a {type(subject).__name__}"
        raise ValueError(f"{kind} has its own inputs and loss: pass a Stack to choose inputs or cotangents")
    if isinstance(subject, Problem):
        return subject
    problem = Problem(subject.size, subject)
    problem.refuse_too_large()
    return problem


def _with_arrays(
    stack: Stack, inputs: ArrayLike | None, cotangents: ArrayLike | None, initial_state: StatesLike | None
) -> Problem:
    first, second = ("B", "T") if stack.batch_first else ("T", "B")
    x = as_array(inputs, "inputs", stack.dtype, (None, None, stack.input_size), f"[{first}, {second}, X]")
    shape = (*x.shape[:2], stack.hidden_size)
    dense = as_array(cotangents, "cotangents", stack.dtype, shape, f"[{first}, {second}, H]")
    if stack.batch_first:  # as its module reads them
        x, dense = (np.ascontiguousarray(array.swapaxes(0, 1)) for array in (x, dense))
    B = x.shape[1]
    states = as_states(stack, initial_state, B)
    arrays = Arrays(stack, x, sparse(dense), states)
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
    if not is_subject(value):
        raise TypeError(f"{type(value).__name__} is neither an Experiment nor a Stack: see Stack.from_torch")


def analysis(
    needs: Callable[..., Need] | None = None, reads: Iterable[str] = ALL_GROUPS
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Marks a function as an analysis, whose first argument is a subject.

    needs    (problem, **options) -> Need: the peak of memory, known before any work; None where a trace's is all
    reads    groups of settings, or settings, on which the result depends: moving any other setting changes nothing
    """
    named = [GROUPS.get(name, (name,)) for name in reads]

    def mark(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)

        @wraps(function)
        def called(*arguments: P.args, **options: P.kwargs) -> R:
            refuse_unknown_options(function.__name__, options, signature.parameters)
            return function(*arguments, **options)

        called.__dict__.update(needs=needs, reads=frozenset(name for names in named for name in names))
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


def sparse(cotangents: ndarray) -> Cotangents:
    """Only the steps and sequences of [T, B, H] at which something enters."""
    enters = cotangents.any(axis=2)
    steps, at = np.nonzero(enters)
    values = cotangents.reshape(enters.size, -1) if len(at) == enters.size else cotangents[steps, at]
    return Cotangents(steps, at, values, cotangents.shape[1])


def as_array(value: ArrayLike | None, name: str, dtype: np.dtype, shape: Sequence[int | None], letters: str) -> ndarray:
    """A numpy array or torch tensor as a contiguous array of `dtype`, checked for its shape and for finiteness."""
    if value is None:
        raise ValueError(f"{name} is missing: pass an array {letters}")
    array = on_the_cpu(value, name)
    wanted = ", ".join("any" if size is None else str(size) for size in shape)
    if array.ndim != len(shape) or any(w is not None and w != s for w, s in zip(shape, array.shape, strict=True)):
        raise ValueError(f"{name} has shape {array.shape}: {letters} = ({wanted}) is needed")
    if array.dtype.kind not in "fiub" or 0 in array.shape:
        raise ValueError(
            f"{name} has dtype {array.dtype} and shape {array.shape}: real numbers, at least one, are needed"
        )
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused as such
        array = np.ascontiguousarray(array, dtype)
    if not is_finite(array):
        first = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ValueError(f"{name} is {array[first]} at {list(first)}: values must be finite in {dtype}")
    return array


def whole_number(name: str, value: Any, low: int, high: int | None = None) -> int:
    """An argument that counts or chooses. Raises ValueError for what is no whole number of the range."""
    number = int(value) if isinstance(value, Integral) and not isinstance(value, bool) else low - 1
    if number < low or (high is not None and number > high):
        wanted = f"from {low} to {high}" if high is not None else f"of {low} or more"
        raise ValueError(f"{name} = {value!r} is not allowed: use a whole number {wanted}")
    return number


def as_states(stack: Stack, initial_state: StatesLike | None, sequences: int) -> tuple[ndarray, ...]:
    """The initial states, one [L, B, H] per state; none for zeros."""
    if initial_state is None:
        return ()
    names = CELLS[stack.cell].states
    values = initial_state if isinstance(initial_state, Sequence) else (initial_state,)
    if len(values) != len(names):
        raise ValueError(
            f"initial_state has {len(values)} parts: {stack.cell} needs {len(names)}, ({', '.join(names)})"
        )
    shape = (stack.depth, sequences, stack.hidden_size)
    return tuple(
        as_array(value, f"initial_state {name}", stack.dtype, shape, "[L, B, H]")
        for value, name in zip(values, names, strict=True)
    )


def last_losses(cotangents: Cotangents) -> ndarray:
    """Which entries are the last of their row, in order."""
    latest = np.full(cotangents.rows, -1)
    np.maximum.at(latest, cotangents.at, np.arange(len(cotangents.at)))
    return np.sort(latest[latest >= 0])


def of_last_loss(cotangents: Cotangents) -> Cotangents:
    """What the last loss of each row injects, alone."""
    last = last_losses(cotangents)
    return cotangents._replace(steps=cotangents.steps[last], at=cotangents.at[last], values=cotangents.values[last])


@knows_its_options
def estimate(subject: Subject) -> Plan:
    """The engine's Plan of a trace of a subject: its `bytes` at the peak and its `multiply_adds`."""
    return _trace_plan(subject.size, len(subject.injection_steps), subject.loss_bytes)


def _trace_plan(size: Size, losses: int, loss_bytes: int) -> Plan:
    """One forward pass and the adjoint of the loss; of several losses, that of the last one alone as further rows."""
    alone = plan_in_slices(size)
    drawing = alone.bytes + loss_bytes  # where the loss reads states, these are there before the adjoint begins
    if losses < 2:
        return alone._replace(bytes=drawing)
    plan = plan_in_slices(size._replace(rows=2 * size.rows))
    entries = losses * size.sequences * (np.dtype(size.dtype).itemsize * size.hidden_size + 16)
    return plan._replace(bytes=max(drawing, plan.bytes + min(loss_bytes, entries) + entries))


def refuse_too_large(subject: Subject, limit: int | None = None) -> None:
    """Raises TooLarge, naming the settings, if the trace needs more than `limit` bytes (default: `memory_limit`)."""
    Problem(subject.size, subject).refuse_too_large(limit)
