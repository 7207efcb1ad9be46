"""Questions about runs: rows that were measured while they trained, and the program that trains them again.

A run follows from its Experiment, task and recipe, so the program gives the rows to the bit: see
`gradlab.analyses.call.Question`. Nothing is computed to answer one, and where a run still trains it has no key.

    History   every update of every run          Reach     one run's map of update and lag
    Traces    every run's trace of one update    Reading   what a character model makes of a text
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, Self

import numpy as np
import pandas as pd

from gradlab.analyses.call import Call
from gradlab.analyses.characters import CharacterModel
from gradlab.analyses.parts import Part
from gradlab.engine import Progress
from gradlab.settings.experiment import Experiment
from gradlab.settings.inputs import default_text
from gradlab.settings.tasks import HELLO, Task
from gradlab.training.recipe import Recipe
from gradlab.training.run import Record, Run
from gradlab.training.tables import history, reach, traces_at

FIRST = "experiments[0]"
EACH = "for experiment in experiments"


@dataclass(frozen=True)
class Replay:
    """What a run follows from."""

    experiment: Experiment
    task: Task
    recipe: Recipe

    @classmethod
    def of(cls, run: Run) -> Self:
        return cls(run.experiment, run.task, run.recipe)

    def run(self) -> Run:
        """The run before its first update."""
        return Run(self.experiment, self.task, self.recipe)

    def code(self, experiment: str) -> str:
        """The run before its first update, as a Python expression."""
        return f"gradlab.training.Run({experiment}, {self._task}, gradlab.training.{self.recipe!r})"

    @property
    def _task(self) -> str:
        """The task by its name, or by its text where no setting holds that."""
        text = self.task.text
        if text in (None, HELLO, default_text(), self.experiment.text):
            return repr(self.task.name)
        return f"gradlab.tasks.characters({text!r})"


@dataclass(frozen=True)
class Measured:
    """The records of a run up to now, from its `first` update on: a run that was opened has none of those before."""

    replay: Replay
    first: int
    fingerprint: str  # of what was measured; the rest follows from the same weights
    grows: bool  # the run trains on
    records: tuple[Record, ...] = field(compare=False, repr=False)

    @classmethod
    def of(cls, run: Run, records: Sequence[Record], grows: bool = False) -> Self:
        """`records` holds one at least."""
        taken = tuple(records)
        numbers = [(r.update, r.loss, r.metric, r.gradient_norm, r.clipped_norm) for r in taken]
        fingerprint = sha256(np.array(numbers, np.float64).tobytes()).hexdigest()
        return cls(Replay.of(run), taken[0].update, fingerprint, grows, taken)

    @property
    def experiment(self) -> Experiment:
        return self.replay.experiment

    def without_traces(self) -> Self:
        """The same numbers of every update, without the traces, which take most of the memory."""
        return replace(self, grows=False, records=tuple(record._replace(trace=None) for record in self.records))

    def code(self, experiment: str) -> str:
        """The records as a Python expression."""
        run = self.replay.code(experiment)
        if self.first == self.replay.recipe.updates:
            return f"[{run}.after({self.first}).measured()]"
        return f"{run}{f'.after({self.first})' if self.first else ''}.advance({len(self.records)})"


class _Answered:
    """What the questions have in common: their rows are there."""

    calls: tuple[Call, ...] = ()

    def refuse(self) -> None:
        """Nothing is computed, so nothing is too large."""

    def rows(self, progress: Progress | None = None) -> pd.DataFrame:
        raise NotImplementedError

    def parts_of(self, results: Sequence[Any]) -> list[Part]:
        return [Part.of(self.rows())]


@dataclass(frozen=True)
class _OfRuns(_Answered):
    runs: tuple[Measured, ...]

    @property
    def subjects(self) -> tuple[Experiment, ...]:
        return tuple(run.experiment for run in self.runs)

    @property
    def code(self) -> str:
        raise NotImplementedError

    @property
    def key(self) -> str | None:
        if any(run.grows for run in self.runs):
            return None
        return digest(self.code, *(f"{run.fingerprint} {run.experiment.key}" for run in self.runs))

    def _records(self, experiments: str = "experiments") -> tuple[list[str], bool]:
        """The records of every run as expressions; as one of `experiment` where that is the same for all."""
        same = {run.code("experiment") for run in self.runs}
        if len(same) == 1 and len(self.runs) > 1:
            return [*same], True
        return [run.code(f"{experiments}[{number}]") for number, run in enumerate(self.runs)], False


@dataclass(frozen=True)
class History(_OfRuns):
    """Every update of every run: `gradlab.training.history`."""

    @property
    def code(self) -> str:
        return self.code_of("experiments")

    def code_of(self, experiments: str) -> str:
        """The table as a Python expression of a list with another name."""
        records, is_same = self._records(experiments)
        if is_same:
            table = f"gradlab.training.history({records[0]}, experiment.cell)"
            return f"pd.concat([{table} for experiment in {experiments}], ignore_index=True)"
        each = [f"gradlab.training.history({one}, {experiments}[{n}].cell)" for n, one in enumerate(records)]
        return each[0] if len(each) == 1 else f"pd.concat([{', '.join(each)}], ignore_index=True)"

    def rows(self, progress: Progress | None = None) -> pd.DataFrame:
        tables = [history(run.records, run.experiment.cell) for run in self.runs]
        return tables[0] if len(tables) == 1 else pd.concat(tables, ignore_index=True)


@dataclass(frozen=True)
class Traces(_OfRuns):
    """The traces of all layers and states at one update: `gradlab.training.traces_at`."""

    update: int

    @property
    def code(self) -> str:
        records, is_same = self._records()
        runs = f"{records[0]} {EACH}" if is_same else ", ".join(records)
        return f"gradlab.training.traces_at([{runs}], {self.update})"

    def rows(self, progress: Progress | None = None) -> pd.DataFrame:
        return traces_at([run.records for run in self.runs], self.update)


@dataclass(frozen=True)
class Reach(_OfRuns):
    """How far back one run's gradient reaches: `gradlab.training.reach`."""

    layer: int
    state: str

    @classmethod
    def of(cls, run: Measured, layer: int, state: str) -> Self:
        return cls((run,), layer, state)

    @property
    def code(self) -> str:
        return f"gradlab.training.reach({self.runs[0].code(FIRST)}, layer={self.layer}, state={self.state!r})"

    def rows(self, progress: Progress | None = None) -> pd.DataFrame:
        return reach(self.runs[0].records, layer=self.layer, state=self.state)


@dataclass(frozen=True)
class Snapshot:
    """A character model as it was after some updates of a run."""

    replay: Replay
    updates: int
    fingerprint: str  # of the weights
    model: CharacterModel = field(compare=False, repr=False)

    @classmethod
    def of(cls, run: Run) -> Self:
        """Raises ValueError for a run whose task is no text."""
        model = CharacterModel.of(run)
        return cls(Replay.of(run), run.done, run.trained.weights.fingerprint, model)

    @property
    def code(self) -> str:
        return f"gradlab.characters.CharacterModel.of({self.replay.code(FIRST)}.after({self.updates}))"


@dataclass(frozen=True)
class Reading(_Answered):
    """What a function of gradlab.characters makes of a model: its predictions, its reach, a unit's activity."""

    function: Callable[..., pd.DataFrame]
    snapshot: Snapshot
    arguments: tuple[Any, ...]
    grows: bool = False  # the model trains on

    @property
    def subjects(self) -> tuple[Experiment, ...]:
        return (self.snapshot.replay.experiment,)

    @property
    def code(self) -> str:
        arguments = ", ".join([self.snapshot.code, *map(repr, self.arguments)])
        return f"gradlab.characters.{self.function.__name__}({arguments})"

    @property
    def key(self) -> str | None:
        if self.grows:
            return None
        return digest(self.code, self.snapshot.fingerprint, self.snapshot.replay.experiment.key)

    def rows(self, progress: Progress | None = None) -> pd.DataFrame:
        return self.function(self.snapshot.model, *self.arguments)


def digest(*parts: str) -> str:
    """A key of any length of parts: a learned text may have millions of characters."""
    return sha256("\0".join(parts).encode()).hexdigest()
