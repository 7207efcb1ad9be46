"""Flow: the hooks in a watched model, and what they noted."""

from __future__ import annotations

import math
import sys
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from types import TracebackType
from typing import Any, Protocol, Self

import pandas as pd
import torch
from numpy import ndarray
from torch import Tensor, nn

from gradlab.analyses.diagnosis import Diagnosis, diagnose
from gradlab.analyses.nets import NetTrace
from gradlab.analyses.traces import GradientTrace
from gradlab.engine.recurrent import Recurrent
from gradlab.network.dropout import replay
from gradlab.network.stack import Stack
from gradlab.watching.calls import Call, Weights, noted
from gradlab.watching.marks import Marked, Marks
from gradlab.watching.measured import MeasuredTrace
from gradlab.watching.parts import nothing_recurrent, parts_of
from gradlab.watching.passes import Arrays, arguments_of, trace_of

Trace = GradientTrace | NetTrace | MeasuredTrace
_flows = count()


class Hook:
    """A hook of a watch. A copy of its module, or a file of it, has one that does nothing."""

    def __init__(self, call: Callable[..., None] | None = None):
        self._call = call

    def __call__(self, *given: Any) -> None:
        if self._call is not None:
            self._call(*given)

    def __deepcopy__(self, memo: dict[int, Any]) -> Hook:
        return Hook()

    def __reduce__(self) -> tuple[type[Hook], tuple[()]]:
        return Hook, ()


class Scaler(Protocol):
    """torch.amp.GradScaler, or what is like it."""

    def get_scale(self) -> float: ...


class Flow:
    """What `watch` noted of a model: `names`, `trace`, `diagnose`, `table`.

    A *pass* of a part is a call of it, or a chain of calls in which each reads the state that the one before returned,
    of which a gradient came back. Passes are counted from 0 in the order of their first calls; the latest are kept.
    """

    def __init__(self, model: nn.Module, sequences: int | None, scaler: Scaler | None, passes: int):
        self.parts = parts_of(model)
        self.is_open, self.is_attending = True, False
        self._model, self._sequences, self._scaler, self._most = model, sequences, scaler, passes
        self._key = f"gradlab {next(_flows)}"
        self._hooks: list[Any] = []
        self._waiting: weakref.WeakSet[Call] = weakref.WeakSet()  # no gradient yet: they live as long as their graph
        self._passes: dict[str, dict[Call, Call]] = {}  # by part: the first call, and the latest with a gradient
        self._dropped: dict[str, set[int]] = {}  # by part: the first calls of passes that are no longer kept
        self._versions: dict[str, tuple[Any, ...]] = {}
        self._failures: dict[str, Exception] = {}
        self._random: weakref.WeakKeyDictionary[nn.Module, Tensor] = weakref.WeakKeyDictionary()
        self._traces: weakref.WeakKeyDictionary[Call | Marked, Trace] = weakref.WeakKeyDictionary()
        self._marks = Marks(passes, self._scale)

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
        """The paths of the recurrent parts inside the model, as `named_modules` has them; then names of `mark`."""
        return [*self.parts, *(name for name in self._marks.sequences if name not in self.parts)]

    def close(self) -> None:
        """Ends the watch: no hook is left in the model or in a graph. What was noted stays."""
        self.is_open = False
        self.rest()

    def passes(self, name: str | None = None) -> range:
        """The numbers of the passes that are kept of a part."""
        name = self._name(name)
        dropped = self._dropped if name in self.parts else self._marks.dropped
        first = len(dropped.get(name, ()))
        return range(first, first + len(self._in_order(name)))

    def trace(self, name: str | None = None, number: int | None = None) -> Trace:
        """The trace of one pass of a part: the latest one, unless its number is given.

        name      may be left out where the model has one part

        A `GradientTrace`, or a `NetTrace` of a part that is no plain stack, of the weights and the batch as they were
        in that pass, computed by the engine; where it cannot speak for the network, a `MeasuredTrace` of what autograd
        gave, whose `reason` says why. Raises ValueError for a name or number that is not there, and where no gradient
        came back; TypeError or ValueError for a part that the engine does not know.
        """
        last = self._pass(name, number)
        if isinstance(last, Marked):
            return last.trace
        if last not in self._traces:
            self._traces[last] = trace_of(last)
        return self._traces[last]

    def arrays(self, name: str | None = None, number: int | None = None) -> Arrays:
        """The same pass as the arguments of `gradlab.trace`: `gradlab.trace(*flow.arrays("rnn"))` is its trace. Another
        analysis takes `flow.trace("rnn").problem`.

        Raises ValueError, with the reason, where the engine cannot speak for the network.
        """
        last = self._pass(name, number)
        if isinstance(last, Marked):
            raise ValueError(f"{last.name} was marked in a loop: gradlab knows its gradients and not its network")
        return arguments_of(last)

    @property
    def refused(self) -> dict[str, str]:
        """Parts of which a gradient came back, but that have no trace: why not, by part."""
        return {name: str(error) for name, error in self._refusals().items()}

    def diagnose(self) -> list[Diagnosis]:
        """One Diagnosis per part of which a gradient came back, the worst first: of its worst pass and layer.

        Parts that have no trace are in `refused`, and raise where there are no others. Worst is where most is lost or
        gained on the way back, in decades; nothing that arrives, or a pass that is not finite, is worse than any
        number.
        """
        found = []
        for name, numbers in self._seen():
            of_part = [diagnosis for number in numbers for diagnosis in diagnoses_of(self.trace(name, number), name)]
            found.append(max(of_part, key=badness))
        return sorted(found, key=badness, reverse=True)

    @property
    def table(self) -> pd.DataFrame:
        """Tidy: the tables of all passes that are kept, of all parts, below each other.

        Columns part, pass, source ("engine" or "autograd") and direction ("forward" or "reverse", of a bidirectional
        part), then those of `GradientTrace.table`; precision_zero counts the sequences in which autograd's gradient is
        0 because the precision has no number so small.
        """
        tables = []
        for name, numbers in self._seen():
            for number in numbers:
                found = self.trace(name, number)
                rows = found.table
                rows.insert(0, "part", name)
                rows.insert(1, "pass", number)
                rows.insert(2, "source", "autograd" if isinstance(found, MeasuredTrace) else "engine")
                direction = rows.pop("direction") if "direction" in rows else "forward"
                rows.insert(3, "direction", direction)
                if "precision_zero" not in rows:
                    rows["precision_zero"] = 0
                tables.append(rows)
        return pd.concat(tables, ignore_index=True)

    # the hooks

    def attend(self) -> None:
        """Notes what happens from now on; what was noted before is dropped."""
        self._passes.clear()
        self._traces.clear()
        self._dropped.clear()
        self._failures.clear()
        self._marks.open()
        self.is_attending = True
        for name, part in self.parts.items():
            note: Any = partial(self._note, name)
            if "torch._dynamo" in sys.modules:  # a compiled model leaves its graph for the hook
                note = torch.compiler.disable(note)
            self._hooks.append(part.register_forward_hook(Hook(note), prepend=True, with_kwargs=True))
            if getattr(part, "dropout", 0):
                self._hooks.append(part.register_forward_pre_hook(Hook(self._keep_random_state)))

    def rest(self) -> None:
        """Notes nothing until `attend`: no hook is left in the model or in a graph. What was noted stays."""
        while self._hooks:
            self._hooks.pop().remove()
        self._marks.close()
        self.is_attending = False
        for call in self._waiting:
            _let_go(call)
        for passes in self._passes.values():
            for last in passes.values():
                _let_go(last)

    def _note(
        self, name: str, module: nn.Module, arguments: tuple[Any, ...], options: dict[str, Any], output: Any
    ) -> None:
        """A part was called. Whatever goes wrong here is said when the trace is asked for, and not in the training."""
        given = (*arguments, *(options[key] for key in ("input", "hx", "inputs", "initial_state") if key in options))
        weights = partial(self._weights, name, module, given, output)
        key = f"{self._key} {name}"
        try:
            call = noted(name, module, weights, given, output, self._sequences, key, self._arrived)
        except Exception as error:
            self._failures[name] = error
            return
        if call is not None:
            self._waiting.add(call)

    def _keep_random_state(self, module: nn.Module, _arguments: Any) -> None:
        """Reads the generator that dropout between layers is about to draw from."""
        if module.training and torch.is_grad_enabled():
            device = next(module.parameters()).device
            self._random[module] = torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()

    def _masks(
        self, module: nn.Module, given: tuple[Any, ...], output: Any, chosen: Tensor | None
    ) -> tuple[ndarray, ...] | None:
        """Of dropout between layers, as it was drawn for the sequences that are copied; None where none was on."""
        if not (isinstance(module, nn.RNNBase) and module.training and module.dropout and module.num_layers > 1):
            return None
        inputs, start, *_ = *given, None
        masks = replay(module, inputs, output[0], self._random.pop(module, None), start)
        return masks if chosen is None else tuple(mask[:, chosen.numpy()] for mask in masks)

    def _weights(
        self,
        name: str,
        module: nn.Module,
        given: tuple[Any, ...],
        output: Any,
        previous: Call | None,
        half: str | None,
        chosen: Tensor | None,
    ) -> Weights:
        """A copy of the part's weights as they are; that of the call before, where none was changed since."""
        versions = tuple((id(parameter), parameter._version) for parameter in module.parameters())
        try:
            masks = self._masks(module, given, output, chosen)
            if masks is None and previous is not None and self._versions.get(name) == versions:
                return previous.weights
            self._versions[name] = versions
            return module.stack if isinstance(module, Recurrent) else Stack.from_torch(module, masks, half)
        except (TypeError, ValueError) as error:
            return error

    def _arrived(self, call: Call) -> float:
        """A gradient came in; returns the scale that it carries."""
        passes, dropped = self._passes.setdefault(call.name, {}), self._dropped.setdefault(call.name, set())
        if call.first.number in dropped:
            return self._scale()
        latest = passes.get(call.first)
        if latest is None or latest.number < call.number:
            passes[call.first] = call
        self._traces.pop(passes[call.first], None)  # more of it came in
        while len(passes) > self._most:
            oldest = min(passes, key=lambda first: first.number)
            del passes[oldest]
            dropped.add(oldest.number)
        return self._scale()

    def _scale(self) -> float:
        return 1.0 if self._scaler is None else float(self._scaler.get_scale())

    # what was noted

    def _seen(self) -> list[tuple[str, range]]:
        """The parts that have traces, and their passes. Raises where there are only others, or none."""
        refused = self._refusals()
        seen = [(name, self.passes(name)) for name in self.names if name not in refused and self._in_order(name)]
        if not seen:
            raise next(iter(refused.values()), ValueError(self._nothing("")))
        return seen

    def _refusals(self) -> dict[str, Exception]:
        refused = dict(self._failures)
        for name in self.names:
            try:
                for number in () if name in refused else self.passes(name):
                    self.trace(name, number)
            except (TypeError, ValueError) as error:
                refused[name] = error
        return refused

    def _pass(self, name: str | None, number: int | None) -> Call | Marked:
        """The last call of a pass."""
        name = self._name(name)
        if name in self._failures:
            raise self._failures[name]
        passes, kept = self._in_order(name), self.passes(name)
        if not passes:
            raise ValueError(self._nothing(name))
        number = kept[-1] if number is None else number
        if number not in kept:
            raise ValueError(f"number = {number!r} is no pass of {name}: {kept[0]} to {kept[-1]} are kept")
        return passes[number - kept[0]]

    def _in_order(self, name: str) -> Sequence[Call | Marked]:
        """The last calls of the passes of a part, in the order of the first ones; marked sequences likewise."""
        if name not in self.parts:
            return self._marks.sequences.get(name, [])
        passes = self._passes.get(name, {})
        return [passes[first] for first in sorted(passes, key=lambda first: first.number)]

    def _name(self, name: str | None) -> str:
        if name is None:
            if not self.names:
                raise ValueError(nothing_recurrent(self._model))
            if len(self.names) > 1:
                raise ValueError(f"name is missing: {len(self.names)} parts are watched, {', '.join(self.names)}")
            return self.names[0]
        if name not in self.names:
            known = f"use {', '.join(self.names)}" if self.names else nothing_recurrent(self._model)
            raise ValueError(f"name = {name!r} is no recurrent part of the model: {known}")
        return name

    def _nothing(self, name: str) -> str:
        if not self.names:
            return nothing_recurrent(self._model)
        what = name or "any part"
        return (
            f"No gradient came back into {what} while it was watched: call loss.backward() inside the with block, on a "
            "loss that depends on it; passes under torch.no_grad() are not noted"
        )


def _let_go(last: Call) -> None:
    """Takes the hooks of a chain out of its graph."""
    call: Call | None = last
    while call is not None:
        while call.handles:
            call.handles.pop().remove()
        call = call.previous


def diagnoses_of(trace: Trace, name: str) -> list[Diagnosis]:
    """Of every layer, and direction, of a part's trace, with the name of the part."""
    if isinstance(trace, MeasuredTrace):
        return [trace.diagnose(name, layer) for layer in range(len(trace.log10_norms))]
    if isinstance(trace, NetTrace):
        found = [diagnose(trace, layer=part.layer, direction=part.direction) for part in trace.layers]
    else:
        found = [diagnose(trace, layer=layer) for layer in range(trace.stack.depth)]
    return [replace(said, part=name, sentence=f"{name}: {said.sentence}") for said in found] if name else found


def badness(diagnosis: Diagnosis) -> float:
    """By how many decades the gradient leaves what it should be, over the way back."""
    change = abs(diagnosis.decades_per_100_steps) / 100 * max(diagnosis.length, 1)
    if diagnosis.verdict == "zero":
        return math.inf
    return change if math.isfinite(change) else -1.0 if diagnosis.length <= 2 else math.inf
