"""`watch`: follows the recurrent parts of a model while it trains, and changes nothing of it."""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import count
from types import TracebackType
from typing import Any, Protocol, Self

import pandas as pd
from torch import nn

from gradlab.analyses.diagnosis import Diagnosis, diagnose
from gradlab.analyses.traces import GradientTrace
from gradlab.engine.recurrent import Recurrent
from gradlab.network.stack import Stack
from gradlab.watching.calls import Call, Weights, noted
from gradlab.watching.measured import MeasuredTrace
from gradlab.watching.parts import nothing_recurrent, parts_of
from gradlab.watching.passes import trace_of

PASSES = 16
Trace = GradientTrace | MeasuredTrace
_flows = count()


class Scaler(Protocol):
    """torch.amp.GradScaler, or what is like it."""

    def get_scale(self) -> float: ...


class Flow:
    """What `watch` noted of a model: `names`, `trace`, `diagnose`, `table`.

    A *pass* of a part is a call of it, or a chain of calls in which each reads the state that the one before returned,
    of which a gradient came back. Passes are counted from 0 in the order of their first calls; the latest are kept.
    """

    def __init__(
        self, model: nn.Module, sequences: int | None = None, scaler: Scaler | None = None, passes: int = PASSES
    ):
        self.parts = parts_of(model)
        self.is_open = True
        self._model, self._sequences, self._scaler, self._most = model, sequences, scaler, passes
        self._key = f"gradlab {next(_flows)}"
        self._hooks: list[Any] = []
        self._waiting: weakref.WeakSet[Call] = weakref.WeakSet()  # no gradient yet: they live as long as their graph
        self._passes: dict[str, dict[Call, Call]] = {}  # by part: the first call, and the latest with a gradient
        self._dropped: dict[str, int] = {}
        self._versions: dict[str, tuple[Any, ...]] = {}
        self._failures: dict[str, Exception] = {}
        self._traces: weakref.WeakKeyDictionary[Call, Trace] = weakref.WeakKeyDictionary()
        self._attach()

    def __repr__(self) -> str:
        noted = ", ".join(f"{name}: {len(passes)}" for name, passes in self._passes.items()) or "none yet"
        return f"Flow({type(self._model).__name__}, passes {noted})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    @property
    def names(self) -> list[str]:
        """The paths of the recurrent parts inside the model, as `named_modules` has them."""
        return list(self.parts)

    def close(self) -> None:
        """Ends the watch: no hook is left in the model or in a graph. What was noted stays."""
        self.is_open = False
        self._detach()
        for call in self._waiting:
            _let_go(call)
        for passes in self._passes.values():
            for last in passes.values():
                _let_go(last)

    def passes(self, name: str | None = None) -> range:
        """The numbers of the passes that are kept of a part."""
        name = self._name(name)
        first = self._dropped.get(name, 0)
        return range(first, first + len(self._passes.get(name, {})))

    def trace(self, name: str | None = None, number: int | None = None) -> Trace:
        """The trace of one pass of a part: the latest one, unless its number is given.

        name      may be left out where the model has one part

        A `GradientTrace` of the weights and the batch as they were in that pass, computed by the engine; where it
        cannot speak for the network, a `MeasuredTrace` of what autograd gave, whose `reason` says why. Raises
        ValueError for a name or number that is not there, and where no gradient came back; TypeError or ValueError for
        a part that the engine does not know.
        """
        name = self._name(name)
        if name in self._failures:
            raise self._failures[name]
        passes = list(self._passes.get(name, {}).values())
        if not passes:
            raise ValueError(self._nothing(name))
        kept = self.passes(name)
        number = kept[-1] if number is None else number
        if number not in kept:
            raise ValueError(f"number = {number!r} is no pass of {name}: {kept[0]} to {kept[-1]} are kept")
        last = passes[number - kept[0]]
        if last not in self._traces:
            self._traces[last] = trace_of(last)
        return self._traces[last]

    def diagnose(self) -> list[Diagnosis]:
        """One Diagnosis per part of which a gradient came back, the worst first: of its worst pass and layer.

        Worst is where most is lost or gained on the way back, in decades; nothing that arrives, or a pass that is not
        finite, is worse than any number.
        """
        found = []
        for name, numbers in self._seen():
            of_part = [
                _diagnosis(self.trace(name, number), name, layer)
                for number in numbers
                for layer in _layers(self.trace(name, number))
            ]
            found.append(max(of_part, key=_badness))
        return sorted(found, key=_badness, reverse=True)

    @property
    def table(self) -> pd.DataFrame:
        """Tidy: the tables of all passes that are kept, of all parts, below each other.

        Columns part, pass and source ("engine" or "autograd"), then those of `GradientTrace.table`; precision_zero
        counts the sequences in which autograd's gradient is 0 because the precision has no number so small.
        """
        tables = []
        for name, numbers in self._seen():
            for number in numbers:
                found = self.trace(name, number)
                rows = found.table
                rows.insert(0, "part", name)
                rows.insert(1, "pass", number)
                rows.insert(2, "source", "autograd" if isinstance(found, MeasuredTrace) else "engine")
                if "precision_zero" not in rows:
                    rows["precision_zero"] = 0
                tables.append(rows)
        if not tables:
            raise ValueError(self._nothing(""))
        return pd.concat(tables, ignore_index=True)

    # the hooks

    def _attach(self) -> None:
        for name, part in self.parts.items():
            note = partial(self._note, name)
            self._hooks.append(part.register_forward_hook(note, prepend=True, with_kwargs=True))

    def _detach(self) -> None:
        while self._hooks:
            self._hooks.pop().remove()

    def _note(
        self, name: str, module: nn.Module, arguments: tuple[Any, ...], options: dict[str, Any], output: Any
    ) -> None:
        """A part was called. Whatever goes wrong here is said when the trace is asked for, and not in the training."""
        given = (*arguments, *(options[key] for key in ("input", "hx", "inputs", "initial_state") if key in options))
        weights = partial(self._weights, name, module)
        key = f"{self._key} {name}"
        try:
            call = noted(name, module, weights, given, output, self._sequences, key, self._arrived)
        except Exception as error:
            self._failures[name] = error
            return
        if call is not None:
            self._waiting.add(call)

    def _weights(self, name: str, module: nn.Module, previous: Call | None) -> Weights:
        """A copy of the part's weights as they are; that of the call before, where none was changed since."""
        versions = tuple((id(parameter), parameter._version) for parameter in module.parameters())
        if previous is not None and self._versions.get(name) == versions:
            return previous.weights
        self._versions[name] = versions
        try:
            return module.stack if isinstance(module, Recurrent) else Stack.from_torch(module)
        except (TypeError, ValueError) as error:
            return error

    def _arrived(self, call: Call) -> float:
        """A gradient came in; returns the scale that it carries."""
        passes = self._passes.setdefault(call.name, {})
        latest = passes.get(call.first)
        if latest is None or latest.number < call.number:
            passes[call.first] = call
            self._traces.pop(call, None)
        while len(passes) > self._most:
            oldest = min(passes, key=lambda first: first.number)
            del passes[oldest]
            self._dropped[call.name] = self._dropped.get(call.name, 0) + 1
        return 1.0 if self._scaler is None else float(self._scaler.get_scale())

    # what was noted

    def _seen(self) -> Iterator[tuple[str, range]]:
        for name in self.parts:
            if self._passes.get(name):
                yield name, self.passes(name)

    def _name(self, name: str | None) -> str:
        if name is None:
            if len(self.parts) != 1:
                raise ValueError(
                    f"name is missing: the model has {len(self.parts)} recurrent parts, {', '.join(self.parts)}"
                    if self.parts
                    else nothing_recurrent(self._model)
                )
            return next(iter(self.parts))
        if name not in self.parts:
            raise ValueError(
                f"name = {name!r} is no recurrent part of the model: use {', '.join(self.parts) or 'none'}"
            )
        return name

    def _nothing(self, name: str) -> str:
        what = name or "any part"
        return (
            f"No gradient came back into {what} while it was watched: call loss.backward() inside the with block, on a "
            "loss that depends on it; passes under torch.no_grad() are not noted"
        )


def watch(
    model: nn.Module, *, sequences: int | None = None, scaler: Scaler | None = None, passes: int = PASSES
) -> Flow:
    """Follows the recurrent parts of a model: what goes in, and all gradients that come back.

    with gradlab.watch(model) as flow:
        criterion(model(x), y).backward()
    flow.diagnose()[0].sentence

    Without `with`, `flow = gradlab.watch(model)` watches until `flow.close()`.

    model       any nn.Module with nn.RNN, nn.LSTM, nn.GRU, their cells or gradlab's Recurrent anywhere inside
    sequences   of each batch that are looked at, evenly spread; all if None
    scaler      the GradScaler whose scale the gradients carry: they are divided by it
    passes      of each part that are kept, the latest

    The model, its results, its gradients, its hooks, its training mode and the random state stay as they are, to the
    bit. Gradients are those that come in, before any clipping. Each pass holds a copy of what the part read and
    returned, and of its weights. Raises TypeError for what is no nn.Module, or is scripted.
    """
    return Flow(model, sequences, scaler, passes)


def _let_go(last: Call) -> None:
    """Takes the hooks of a chain out of its graph."""
    call: Call | None = last
    while call is not None:
        while call.handles:
            call.handles.pop().remove()
        call = call.previous


def _layers(trace: Trace) -> range:
    return range(len(trace.log10_norms))


def _diagnosis(trace: Trace, name: str, layer: int) -> Diagnosis:
    if isinstance(trace, MeasuredTrace):
        return trace.diagnose(name, layer)
    found = diagnose(trace, layer=layer)
    return replace(found, part=name, sentence=f"{name}: {found.sentence}")


def _badness(diagnosis: Diagnosis) -> float:
    """By how many decades the gradient leaves what it should be, over the way back."""
    change = abs(diagnosis.decades_per_100_steps) / 100 * max(diagnosis.length, 1)
    if diagnosis.verdict == "zero":
        return math.inf
    return change if math.isfinite(change) else -1.0 if diagnosis.length <= 2 else math.inf
