"""Tasks that recurrent networks are trained on, each with its exact baseline: the loss without learning.

    task.draw(steps, batch_size, generator) -> Batch      a fresh batch; every function below is one task's
    task.baselines(steps) -> tuple of Baseline            exact expected losses, the one to beat first

Losses are means over scored steps and sequences: the squared error (o - y)², without a half, or the cross-entropy in
nats. `TASKS` has the text task over the default text; `characters(text)` makes it over any other.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from gradlab.settings.inputs import default_text, vocabulary
from gradlab.words.languages import N_, _
from gradlab.words.languages.registries import paragraph

HELLO = "hello"
CLOSE = 0.04  # of a sum of two numbers up to 1 (Hochreiter & Schmidhuber 1997, section 5.4)
COPIED, ALPHABET = 10, 8  # symbols to copy, and how many there are (Arjovsky et al. 2016)
PERIODS = (10.0, 30.0)  # steps, of the sines to be continued
ORDER_SYMBOLS = ("E", "B", "a", "b", "c", "d", "X", "Y")


class Batch(NamedTuple):
    """One batch of a task."""

    inputs: ndarray  # [T, B, X] float64
    targets: ndarray  # [T, B] classes, or [T, B, Y] numbers for the squared error; of scored steps only
    scored: ndarray  # [T] bool: the steps whose answers count


class Baseline(NamedTuple):
    """An expected loss that needs no learning, and what has it."""

    loss: float
    text: str
    among: int = 0  # characters

    @property
    def of(self) -> str:
        return _(self.text).format(count=self.among)


@dataclass(frozen=True)
class Task:
    """What is drawn, how it is scored, and what it means to have solved it."""

    name: str
    title: str
    objective: str  # "squared_error" | "cross_entropy"
    metric: str  # "accuracy" | "bits per character"
    input_size: int
    output_size: int
    draw: Callable[[int, int, Generator], Batch]
    baselines: Callable[[int], tuple[Baseline, ...]]
    solved_share: float = 0.1  # solved below this share of the first baseline
    tolerance: float = CLOSE  # a number this near is right
    fewest_steps: int = 2
    own_steps: int | None = None  # where the task itself has a length
    text: str | None = None  # of a character model
    symbols: tuple[str, ...] = ()  # what the classes are called

    def steps(self, asked: int) -> int:
        """The length of its sequences. Raises ValueError for fewer steps than the task needs."""
        if self.own_steps is not None:
            return self.own_steps
        if asked < self.fewest_steps:
            raise ValueError(f"steps = {asked} is too short for {self.title}: use {self.fewest_steps} or more")
        return asked

    def solved(self, steps: int) -> float:
        """The loss below which the task counts as solved."""
        return self.solved_share * self.baselines(steps)[0].loss

    @property
    def meaning(self) -> str:
        """What it asks, in a sentence."""
        return _(paragraph(str(getattr(self.draw, "func", self.draw).__doc__)))


def adding(steps: int, batch_size: int, generator: Generator) -> Batch:
    """Two of many numbers are marked, one in each half. Add them.

    Hochreiter & Schmidhuber 1997, section 5.4, as Le et al. 2015 simplify it: numbers are U(0, 1).
    """
    T, B = steps, batch_size
    inputs = np.zeros((T, B, 2))
    inputs[..., 0] = generator.uniform(size=(T, B))
    every = np.arange(B)
    first, second = generator.integers(0, T // 2, B), generator.integers(T // 2, T, B)
    inputs[first, every, 1] = inputs[second, every, 1] = 1
    sums = inputs.prod(axis=2).sum(axis=0)  # [B]
    return Batch(inputs, np.broadcast_to(sums[:, None], (T, B, 1)), _last(T))


def copy_memory(steps: int, batch_size: int, generator: Generator) -> Batch:
    """Ten symbols are shown, then a long blank: at a cue they must be reproduced in order.

    Hochreiter & Schmidhuber 1997 and Arjovsky et al. 2016. Of the T steps, 10 show and 10 write; every step is scored,
    the others for writing a blank. Inputs are one-hot: 8 symbols, the blank, the sign.
    """
    T, B, blank, sign = steps, batch_size, ALPHABET, ALPHABET + 1
    shown = generator.integers(ALPHABET, size=(COPIED, B))
    codes, targets = np.full((T, B), blank), np.full((T, B), blank)
    codes[:COPIED], codes[T - COPIED - 1], targets[T - COPIED :] = shown, sign, shown
    return Batch(np.eye(ALPHABET + 2)[codes], targets, np.ones(T, bool))


def temporal_order(steps: int, batch_size: int, generator: Generator) -> Batch:
    """Two of many letters, far apart, are X or Y: which, and in which order, is asked at the end.

    Hochreiter & Schmidhuber 1997, task 6a: E, then letters from a, b, c, d, X or Y at a step in [T/10, T/5] and one in
    [T/2, 3T/5], and B. Classes: XX, XY, YX, YY.
    """
    T, B, every = steps, batch_size, np.arange(batch_size)
    codes = generator.integers(2, 6, size=(T, B))
    codes[0], codes[-1] = 0, 1
    kinds = generator.integers(2, size=(2, B))
    for kind, low, high in zip(kinds, (T // 10, T // 2), (T // 5, 3 * T // 5), strict=True):
        codes[generator.integers(max(low, 1), max(high, 2), B, endpoint=True), every] = 6 + kind
    return Batch(np.eye(len(ORDER_SYMBOLS))[codes], np.broadcast_to(2 * kinds[0] + kinds[1], (T, B)), _last(T))


def parity(steps: int, batch_size: int, generator: Generator) -> Batch:
    """Bits come one by one: is the number of ones so far odd? Asked at every step; one error spoils the rest."""
    bits = generator.integers(2, size=(steps, batch_size))
    return Batch(2.0 * bits[..., None] - 1, bits.cumsum(axis=0) % 2, np.ones(steps, bool))


def delayed_recall(steps: int, batch_size: int, generator: Generator) -> Batch:
    """The first symbol is marked, the others distract: at the end the first is asked.

    The latching problem of Bengio et al. 1994 with 8 symbols, one-hot, and a ninth channel that marks.
    """
    T, B = steps, batch_size
    codes = generator.integers(ALPHABET, size=(T, B))
    inputs = np.zeros((T, B, ALPHABET + 1))
    inputs[..., :ALPHABET] = np.eye(ALPHABET)[codes]
    inputs[0, :, ALPHABET] = 1
    return Batch(inputs, np.broadcast_to(codes[0], (T, B)), _last(T))


def sine_continuation(steps: int, batch_size: int, generator: Generator) -> Batch:
    """A sine is the input for the first half, then it must be continued without input.

    Phase uniform, period from 10 to 30 steps; the second half reads zeros and each of its steps is scored.
    """
    T, B = steps, batch_size
    angle = 2 * np.pi * np.arange(T)[:, None] / generator.uniform(*PERIODS, B) + generator.uniform(0, 2 * np.pi, B)
    wave, heard = np.sin(angle)[..., None], np.arange(T) < T // 2
    return Batch(np.where(heard[:, None, None], wave, 0.0), wave, ~heard)


def next_characters(steps: int, batch_size: int, generator: Generator, *, text: str) -> Batch:
    """Text comes one character per step: which one is next? Asked at every step.

    Each sequence starts at a random character and wraps around at the text's end. One-hot over `vocabulary(text)`.
    """
    codes = encoded(text, vocabulary(text))
    which = (generator.integers(len(codes), size=batch_size) + np.arange(steps + 1)[:, None]) % len(codes)
    read = codes[which]  # [T + 1, B]
    return Batch(np.eye(len(vocabulary(text)))[read[:-1]], read[1:], np.ones(steps, bool))


def hello(steps: int, batch_size: int, generator: Generator) -> Batch:
    """The word “hello”, letter by letter: after h comes e, after e l, after l once l and once o."""
    codes = np.repeat(encoded(HELLO, vocabulary(HELLO))[:, None], batch_size, axis=1)
    return Batch(np.eye(len(vocabulary(HELLO)))[codes[:-1]], codes[1:], np.ones(len(HELLO) - 1, bool))


def encoded(text: str, symbols: tuple[str, ...]) -> ndarray:
    """The text's characters as positions in `symbols`. Raises ValueError naming the first that is not among them."""
    place = {symbol: position for position, symbol in enumerate(symbols)}
    for position, character in enumerate(text):
        if character not in place:
            raise ValueError(f"character {character!r} at {position} is not in the vocabulary of the training text")
    return np.array([place[character] for character in text], np.int64)


def characters(text: str | None = None) -> Task:
    """Character-level modelling of a text (None: the default text). Raises ValueError where there is nothing to tell.

    Its exact baselines, with pairs counted around the text's end: every character alike, ln V; how often each occurs;
    and how often each follows each, the best that can be had without memory.
    """
    text = default_text() if text is None else text
    if (surrogate := re.search("[\ud800-\udfff]", text)) is not None:
        raise ValueError(f"text has a lone surrogate at character {surrogate.start()}: use Unicode characters alone")
    symbols = vocabulary(text)
    if len(symbols) < 2:
        raise ValueError(f"text = {text[:20]!r} has {len(symbols)} different characters: at least 2 are needed")
    single = _entropy(Counter(text))
    baselines = (
        Baseline(
            _entropy(Counter(zip(text, text[1:] + text[0], strict=True))) - single, N_("knowing only one character")
        ),
        Baseline(single, N_("knowing how often each occurs")),
        Baseline(math.log(len(symbols)), N_("guessing among {count} characters"), len(symbols)),
    )
    draw, V = partial(next_characters, text=text), len(symbols)
    return Task(
        "text", "Text", "cross_entropy", "bits per character", V, V, draw, partial(_same, baselines),
        solved_share=1.0, text=text, symbols=symbols,
    )  # fmt: skip


def _entropy(counts: Counter) -> float:
    share = np.array(list(counts.values())) / counts.total()
    return float(-(share * np.log(share)).sum())


def _last(steps: int) -> ndarray:
    return np.arange(steps) == steps - 1


def _same(baselines: tuple[Baseline, ...], steps: int) -> tuple[Baseline, ...]:
    return baselines


def _constant(loss: float, of: str) -> Callable[[int], tuple[Baseline, ...]]:
    return partial(_same, (Baseline(loss, of),))


def _copy_baseline(steps: int) -> tuple[Baseline, ...]:
    return (Baseline(COPIED * math.log(ALPHABET) / steps, N_("guessing the symbols, right about the blanks")),)


def _parity_baseline(steps: int) -> tuple[Baseline, ...]:
    return (Baseline((steps - 1) / steps * math.log(2), N_("guessing, but for the first step")),)


_HELLO_BASELINES = (
    Baseline(2 * math.log(2) / 4, N_("without memory")),
    Baseline(math.log(4), N_("guessing among 4 letters")),
)
_SUM, _CLASSES, _BITS = ("squared_error", "accuracy"), ("cross_entropy", "accuracy"), N_("bits per character")
_GUESSING, _ZERO = N_("guessing"), N_("answering 0")
_ORDERS = ("XX", "XY", "YX", "YY")

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task("adding", "Adding problem", *_SUM, 2, 1, adding, _constant(1 / 6, N_("always answering 1")), 0.06),
        Task("copy_memory", "Copy memory", *_CLASSES, 10, 9, copy_memory, _copy_baseline, fewest_steps=2 * COPIED + 1),
        Task(
            "temporal_order", "Temporal order", *_CLASSES, 8, 4, temporal_order, _constant(math.log(4), _GUESSING),
            fewest_steps=10, symbols=_ORDERS,
        ),
        Task("parity", "Parity", *_CLASSES, 1, 2, parity, _parity_baseline, symbols=("even", "odd")),
        Task("delayed_recall", "Delayed recall", *_CLASSES, 9, 8, delayed_recall, _constant(math.log(8), _GUESSING)),
        Task("sine_continuation", "Sine continuation", *_SUM, 1, 1, sine_continuation, _constant(0.5, _ZERO)),
        Task(
            "hello", "“hello”", "cross_entropy", _BITS, 4, 4, hello, partial(_same, _HELLO_BASELINES),
            solved_share=0.1 / _HELLO_BASELINES[0].loss, own_steps=len(HELLO) - 1, text=HELLO,
            symbols=vocabulary(HELLO),
        ),
        characters(),
    )
}  # fmt: skip
