"""A trained character model: its predictions, its samples, its units, and how far back its gradient reaches.

Tables, one row per character of a text: `step` counts from 0, `character` stands there.

    predictions   step, character, following, symbol, rank, probability      `following` is the text's next character
    activity      step, character, value                                     of one unit
    reach         step, character, lag, log10_gradient                       ‖∂ℓ/∂x_t‖, ℓ = -log p(following) in nats
    in_numbers    every number of reading a short word
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise
from numbers import Real
from typing import NamedTuple, Protocol, Self

import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab.analyses.arguments import whole_number
from gradlab.cells import CELLS
from gradlab.engine import Cotangents, Sweep, log10_norms, sweep
from gradlab.network.readout import Readout, cross_entropy
from gradlab.network.stack import Stack
from gradlab.settings.tasks import encoded
from gradlab.settings.trained import Trained

PREDICTION_COLUMNS = ("step", "character", "following", "symbol", "rank", "probability")
ACTIVITY_COLUMNS = ("step", "character", "value")
REACH_COLUMNS = ("step", "character", "lag", "log10_gradient")


class Learner(Protocol):
    """What has weights that were learned: a `gradlab.training.Run`."""

    @property
    def trained(self) -> Trained: ...


class CharacterModel(NamedTuple):
    """The weights at one moment, and what the classes are called."""

    stack: Stack
    readout: Readout
    symbols: tuple[str, ...]

    @classmethod
    def of(cls, run: Learner) -> Self:
        """A copy of a run's present weights. Raises ValueError where the task is no text."""
        trained = run.trained
        task = trained.weights.task
        if task.text is None:
            raise ValueError(f"task = {task.name!r} is not about characters: use 'hello' or 'text'")
        return cls(trained.network(), trained.readout(), task.symbols)

    def one_hot(self, text: str) -> ndarray:
        """[T, 1, V]; ValueError for an empty text, or one with a character the model does not know."""
        if not text:
            raise ValueError("the text is empty: at least one character is needed")
        return np.eye(len(self.symbols), dtype=self.stack.dtype)[encoded(text, self.symbols)][:, None]

    def knows(self, text: str) -> str:
        """The text without the characters that are not in the vocabulary."""
        return "".join(character for character in text if character in self.symbols)


def hidden_states(model: CharacterModel, text: str) -> ndarray:
    """h of the top layer after every character, [T, H]."""
    run = Sweep(model.stack, model.one_hot(text))
    run.forward()
    return run.top_h()[:, 0]


def scores(model: CharacterModel, text: str) -> ndarray:
    """The readout after every character, [T, V]."""
    return hidden_states(model, text) @ model.readout.V.T + model.readout.b_V


def softmax(values: ndarray, temperature: float = 1.0) -> ndarray:
    """softmax(values / temperature) along the last axis; temperature 0 puts all on the largest. ValueError below 0."""
    if not isinstance(temperature, Real) or not (np.isfinite(temperature) and temperature >= 0):
        raise ValueError(f"temperature = {temperature!r} is not allowed: use 0 or more")
    shifted = (values - values.max(axis=-1, keepdims=True)).astype(np.float64)
    if temperature == 0:
        return np.eye(values.shape[-1])[values.argmax(axis=-1)]
    with np.errstate(under="ignore", over="ignore"):
        weights = np.exp(shifted / temperature)
    return weights / weights.sum(axis=-1, keepdims=True)


def predictions(model: CharacterModel, text: str, temperature: float = 1.0) -> pd.DataFrame:
    """What is expected after every character: one row per step and symbol, rank 0 the likeliest."""
    probability = softmax(scores(model, text), temperature)  # [T, V]
    T, V = probability.shape
    order = np.argsort(-probability, axis=1, kind="stable")
    rank = np.empty((T, V), np.int64)
    np.put_along_axis(rank, order, np.arange(V)[None].repeat(T, axis=0), axis=1)
    columns = {
        "step": np.repeat(np.arange(T), V),
        "character": np.repeat(_each(text), V),
        "following": np.repeat(_each([*text[1:], ""]), V),
        "symbol": np.tile(_each(model.symbols), T),
        "rank": rank.reshape(-1),
        "probability": probability.reshape(-1),
    }
    return pd.DataFrame(columns)


def _each(characters: Iterable[str]) -> ndarray:
    """An array of characters as objects: numpy's own texts drop a NUL."""
    return np.array(list(characters), object)


def sample(model: CharacterModel, length: int, temperature: float = 1.0, seed: int = 0, start: str = "") -> str:
    """`length` characters that the model writes after `start` (empty: a symbol drawn evenly, which counts).

    Each is drawn from softmax(scores / temperature) by a separate generator. Raises ValueError for a length below 1,
    a seed or temperature below 0, and a start with a character that the model does not know.
    """
    length, seed = whole_number("length", length, 1), whole_number("seed", seed, 0)
    generator = np.random.default_rng(seed)
    written = start or model.symbols[generator.integers(len(model.symbols))]
    states: tuple[ndarray, ...] = ()
    read, wanted = written, len(start) + length
    while len(written) < wanted:
        run = Sweep(model.stack, model.one_hot(read), states)
        run.forward()
        last = run.last_states  # [L, 1, S, H]
        states = tuple(last[:, :, kind] for kind in range(last.shape[2]))
        share = softmax(last[-1, 0, 0] @ model.readout.V.T + model.readout.b_V, temperature)
        read = model.symbols[generator.choice(len(share), p=share)]
        written += read
    return written


def activity(model: CharacterModel, text: str, unit: int, layer: int = 0, state: str = "h") -> pd.DataFrame:
    """One unit's value after every character. Raises ValueError for a unit, layer or state that is not there."""
    stack, states = model.stack, CELLS[model.stack.cell].states
    if state not in states:
        raise ValueError(f"state = {state!r} is not a state of {stack.cell}: use {' or '.join(states)}")
    unit = whole_number("unit", unit, 0, stack.hidden_size - 1)
    layer = whole_number("layer", layer, 0, stack.depth - 1)
    run = Sweep(stack, model.one_hot(text))
    run.forward()
    values = run.values()[0][layer, :, 0, states.index(state), unit]
    return pd.DataFrame({"step": range(len(text)), "character": list(text), "value": values.astype(np.float64)})


def reach(model: CharacterModel, text: str, at: int) -> pd.DataFrame:
    """How much the prediction at step `at` depends on every character up to it: log10 ‖∂ℓ/∂x_t‖₂.

    ℓ is -log p(text[at + 1]) in nats, x_t the one-hot input; the adjoint is scaled, so nothing underflows; -inf where
    the gradient is exactly zero. Raises ValueError where no character of the text follows.
    """
    if len(text) < 2:
        raise ValueError(f"text = {text!r} is too short: a character must follow the one at which it predicts")
    at = whole_number("at", at, 0, len(text) - 2)
    stack, inputs = model.stack, model.one_hot(text[: at + 1])
    target = np.eye(len(model.symbols))[encoded(text[at + 1], model.symbols)]
    _, scores_bar = cross_entropy(scores(model, text[: at + 1])[-1:].astype(np.float64), target)
    values = np.ascontiguousarray(scores_bar @ model.readout.V, stack.dtype)  # [1, H]
    swept = sweep(stack, inputs, Cotangents(np.array([at]), np.array([0]), values, 1), keep=("a_x_bar",))
    back = swept.adjoints[0]
    a_x_bar = back.a_x_bar[:, 0].reshape(at + 1, -1).astype(np.float64)  # [T, G·H]
    norms = log10_norms(a_x_bar @ stack.layers[0].W, back.exponents[:, 0])
    step = np.arange(at + 1)
    return pd.DataFrame({"step": step, "character": list(text[: at + 1]), "lag": at - step, "log10_gradient": norms})


def in_numbers(model: CharacterModel, text: str) -> pd.DataFrame:
    """Every number of reading a short word: one-hot input, h, scores, softmax, and the loss of the correct letter.

    Columns: reads, x (symbols), h (a list), must say, score of each symbol, p(symbol) of each, −ln p(right).
    """
    table, outputs, h = predictions(model, text[:-1]), scores(model, text[:-1]), hidden_states(model, text[:-1])
    rows = []
    for step, (character, following) in enumerate(pairwise(text)):
        p = dict(zip(*(table.loc[table["step"] == step, name] for name in ("symbol", "probability")), strict=True))
        hot = " ".join("1" if symbol == character else "0" for symbol in model.symbols)
        row = {"reads": character, f"x ({' '.join(model.symbols)})": hot, "h": h[step].tolist(), "must say": following}
        row |= {f"score {symbol}": float(score) for symbol, score in zip(model.symbols, outputs[step], strict=True)}
        row |= {f"p({symbol})": float(p[symbol]) for symbol in model.symbols}
        rows.append(row | {"−ln p(right)": -math.log(p[following])})
    return pd.DataFrame(rows)
