"""What the network reads: one array [T, B, X] per batch.

Every function takes `(steps, batch_size, input_size, generator)` and returns a float64 array [T, B, X]. A longer
sequence begins with the shorter one of the same generator state, so lengthening `steps` does not change the past.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pydoc_data.topics import topics

import numpy as np
from numpy import ndarray
from numpy.random import Generator

DEFAULT_TEXT_LENGTH = 5000  # characters
SINES = 3  # waves added up in every input channel
SHORTEST_PERIOD, LONGEST_PERIOD = 4, 256  # steps


def noise(steps: int, batch_size: int, input_size: int, generator: Generator) -> ndarray:
    """Gaussian noise: every entry N(0, 1), independent."""
    return generator.standard_normal((steps, batch_size, input_size))


def sines(steps: int, batch_size: int, input_size: int, generator: Generator) -> ndarray:
    """A mixture of three sine waves per channel, periods from 4 to 256 steps, mean square 1."""
    shape = (SINES, 1, batch_size, input_size)
    period = np.exp(generator.uniform(np.log(SHORTEST_PERIOD), np.log(LONGEST_PERIOD), shape))
    phase = generator.uniform(0, 2 * np.pi, shape)
    step = np.arange(steps)[:, None, None]
    signal = np.zeros((steps, batch_size, input_size))
    for p, φ in zip(period, phase, strict=True):  # one wave at a time: memory stays that of one signal
        signal += np.sin(2 * np.pi * step / p + φ)
    return signal * np.sqrt(2 / SINES)  # a sine's mean square is 1/2


def impulse(steps: int, batch_size: int, input_size: int, generator: Generator) -> ndarray:
    """One impulse: a random direction of norm 1 at step 0, zero after it."""
    direction = generator.standard_normal((batch_size, input_size))
    signal = np.zeros((steps, batch_size, input_size))
    signal[0] = direction / np.linalg.norm(direction, axis=-1, keepdims=True)
    return signal


def zero(steps: int, batch_size: int, input_size: int, generator: Generator) -> ndarray:
    """Zero at every step: the network runs autonomously."""
    return np.zeros((steps, batch_size, input_size))


def text(steps: int, batch_size: int, input_size: int, generator: Generator, *, text: str | None = None) -> ndarray:
    """Real text, one character per step, one-hot over its own sorted vocabulary.

    `input_size` is ignored: X is the size of the vocabulary. Sequence b starts at character ⌊b · length / B⌋ and wraps
    around. `text=None` takes `default_text()`.
    """
    characters = default_text() if text is None else text
    symbols = vocabulary(characters)
    index = {symbol: position for position, symbol in enumerate(symbols)}
    codes = np.array([index[character] for character in characters])
    start = np.arange(batch_size) * len(codes) // batch_size  # [B]
    step = np.arange(steps)  # [T]
    which = codes[(step[:, None] + start) % len(codes)]  # [T, B]
    signal = np.zeros((steps, batch_size, len(symbols)))
    signal[step[:, None], np.arange(batch_size), which] = 1
    return signal


def vocabulary(text: str | None) -> tuple[str, ...]:
    """The characters that occur in a text (None: the default text), each once, in code point order."""
    return tuple(sorted(set(default_text() if text is None else text)))


@cache
def default_text() -> str:
    """The first 5000 characters of Python's own language reference (`pydoc_data.topics`), runs of whitespace folded.

    Topics are joined in the order of their names. The wording is that of the running Python version.
    """
    return " ".join(" ".join(topics[name] for name in sorted(topics)).split())[:DEFAULT_TEXT_LENGTH]


INPUTS: dict[str, Callable[..., ndarray]] = {
    "noise": noise,
    "sines": sines,
    "impulse": impulse,
    "zero": zero,
    "text": text,
}
