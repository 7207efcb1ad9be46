"""The table of each kind of chart as a Python expression of `experiments`: what an exported program computes.

Every expression gives the rows of the chart's CSV, to the bit; tests run the programs and compare.
"""

from collections.abc import Sequence

from gradlab.analyses.truncation import Schedule
from gradlab.exports import of_each
from gradlab.settings.inputs import default_text
from gradlab.settings.tasks import HELLO
from gradlab.training import Run
from gradlab.ui.cached_paths import ORDERS
from gradlab.ui.cached_sequences import Place
from gradlab.ui.training.job import Job

FIRST = "experiments[0]"
STACK = "gradlab.Stack.from_experiment(experiment)"
PARTS = f"gradlab.paths.decompose({FIRST}, orders={ORDERS})"
STATISTICS = f"gradlab.paths.gate_statistics({FIRST})"
SPECTRA = {
    "singular values": of_each(f"gradlab.weights.singular_values({STACK})"),
    "eigenvalues": of_each(f"gradlab.weights.eigenvalues({STACK})"),
    "gate biases": of_each(f"gradlab.weights.gate_biases({STACK})"),
}


def diagram(columns: int) -> str:
    """The links of the unrolled network, of at most so many columns."""
    return f"gradlab.sequences.diagram({FIRST}, {columns}).links"


def one_unit(weight: float, gate: float, steps: int) -> str:
    return f"gradlab.paths.one_unit({weight!r}, {gate!r}, {steps})"


def cuts(names: Sequence[str]) -> str:
    """The whole of the first experiment and what each cut leaves of it; of the others the whole."""
    calls = [(0, ()), *((0, (name,)) for name in names)]
    tables = [f"gradlab.paths.cut(experiments[{number}], without={without!r})" for number, without in calls]
    others = "*(gradlab.paths.cut(experiment, without=()) for experiment in experiments[1:])"
    return f"pd.concat([{', '.join([*tables, others])}], ignore_index=True)"


def units(layer: int, sequence: int, quantities: Sequence[str], unit: int | None = None) -> str:
    """Some quantities of all units of a layer in one sequence, or of one unit."""
    which = f"quantity in {list(quantities)}" + ("" if unit is None else f" and unit == {unit}")
    scope = f"gradlab.paths.microscope({FIRST}, layer={layer}, sequence={sequence})"
    return f"{scope}.table.query({which!r}).reset_index(drop=True)"


def edges(first: int, last: int) -> str:
    return f"gradlab.paths.edges({FIRST}, first={first}, last={last})"


def itemised(rows: int) -> str:
    """At most so many rows of the matrix, of every layer and state."""
    loss_steps = f"gradlab.itemised.evenly(gradlab.settings.drawing.loss_steps_of(experiment), {rows})"
    return of_each(
        f"gradlab.itemised.itemised(experiment, loss_steps={loss_steps}).assign(cell=experiment.cell)"
    )


def some_rows(loss_steps: Sequence[int]) -> str:
    """Some rows of the first experiment's matrix, of every layer and state."""
    return f"gradlab.itemised.itemised({FIRST}, loss_steps={[*loss_steps]})"


def lost(rows: int, place: Place) -> str:
    loss_steps = f"gradlab.itemised.evenly(gradlab.settings.drawing.loss_steps_of(experiment), {rows})"
    pairs = f"gradlab.itemised.pairs(experiment, loss_steps={loss_steps})"
    state = "'c' if 'c' in gradlab.CELLS[experiment.cell].states else 'h'" if place.state == "c" else "'h'"
    return of_each(f"gradlab.truncation.beyond({pairs}, experiment.cell, {place.layer}, {state})")


def angles(schedules: Sequence[Schedule]) -> str:
    bias = f"gradlab.truncation.bias(experiment, schedules={_schedules(schedules)})"
    return of_each(f"{bias}.query(\"parameter == 'all'\").assign(cell=experiment.cell)")


def savings(schedules: Sequence[Schedule]) -> str:
    sizes = "experiments[0].steps, experiments[0].batch_size"
    return f"gradlab.truncation.cost(gradlab.Stack.from_experiment({FIRST}), {sizes}, {_schedules(schedules)})"


def history(job: Job) -> str:
    """Every update of every run of a job."""
    return of_each(f"gradlab.training.history({_records(job, 'experiment')}, experiment.cell)")


def reach(job: Job, layer: int, state: str) -> str:
    """One run's map of update and lag."""
    return f"gradlab.training.reach({_records(job, FIRST)}, layer={layer}, state={state!r})"


def traces(job: Job, update: int) -> str:
    """Every run's traces of one update."""
    found = f"gradlab.training.gradients({_records(job, 'experiment')})"
    return of_each(f"{found}.query('update == {update}')")


def _records(job: Job, experiment: str) -> str:
    """A run's records since the job began, which goes on with runs of any number of updates."""
    run, records = job.runs[0], max(job.records, key=len)
    first, made = records[0].update, _run(job.runs[0], experiment)
    if first == run.recipe.updates:
        return f"[{made}.after({first}).measured()]"
    return f"{made}{f'.after({first})' if first else ''}.advance({len(records)})"


def model(run: Run) -> str:
    """The character model that a run has come to."""
    return f"gradlab.characters.CharacterModel.of({_run(run, FIRST)}.after({run.done}))"


def read(run: Run, reading: str, *arguments: object) -> str:
    """What one of the readings of gradlab.characters gives: predictions, reach or activity."""
    return f"gradlab.characters.{reading}({', '.join([model(run), *map(repr, arguments)])})"


def _run(run: Run, experiment: str) -> str:
    return f"gradlab.training.Run({experiment}, {_task(run)}, gradlab.training.{run.recipe!r})"


def _task(run: Run) -> str:
    """The task by its name, or by its text where no setting holds that."""
    text = run.task.text
    if text in (None, HELLO, default_text(), run.experiment.text):
        return repr(run.task.name)
    return f"gradlab.tasks.characters({text!r})"


def _schedules(schedules: Sequence[Schedule]) -> str:
    return f"[{', '.join(f'gradlab.truncation.{one!r}' for one in schedules)}]"
