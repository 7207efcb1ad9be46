"""`gradlab train`: a drawn network learns a task, and the run is kept as a file."""

from __future__ import annotations

from dataclasses import MISSING, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from gradlab.command.output import FOUND, as_json, print_json, progress_bar, record_of
from gradlab.command.settings import OfSettings, experiment_of, spelt

NONE = "none"


class OfRecipe(OfSettings):
    """A command with an option for every field of a Recipe, too."""

    @cached_property
    def recipe(self) -> list[click.Option]:
        from gradlab.training.recipe import Recipe

        return [_option_of(field) for field in fields(Recipe)]

    @property
    def sections(self) -> dict[str, list[click.Option]]:
        return {"Recipe": self.recipe, **super().sections}


def _option_of(field: Any) -> click.Option:
    from gradlab.training.recipe import BOUNDS, CAN_BE_NONE, OPTIMIZERS, WHOLE

    name, default = field.name, None if field.default is MISSING else field.default
    if name not in BOUNDS:
        return click.Option([spelt(name)], type=click.Choice(list(OPTIMIZERS)), default=default, show_default=True)
    low, high = BOUNDS[name]
    none = f", or {NONE}" if name in CAN_BE_NONE else ""
    text = f"From {low:g} to {high:g}{none}. Default: {NONE if default is None else default}."
    return click.Option([spelt(name)], type=Number(name in WHOLE, name in CAN_BE_NONE), default=default, help=text)


class Number(click.ParamType):
    """A number, or none where that is allowed."""

    name = "number"

    def __init__(self, whole: bool, can_be_none: bool):
        self.whole, self.can_be_none = whole, can_be_none

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == NONE and self.can_be_none:
            return None
        try:
            return int(value) if self.whole else float(value)
        except ValueError:
            self.fail(f"{value!r} is no {'whole ' if self.whole else ''}number", param, ctx)


class TaskName(click.ParamType):
    """The name of a task; what is allowed is said by Run."""

    name = "task"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from gradlab.settings.tasks import TASKS

        return [CompletionItem(name, help=task.title) for name, task in TASKS.items() if name.startswith(incomplete)]


@click.command(
    cls=OfRecipe,
    short_help="Train a drawn network on a task.",
    examples=(
        "gradlab train adding --cell gru --steps 50 --updates 500 --save run.safetensors",
        "gradlab train copy_memory --cell lstm --hidden-size 32 --json",
    ),
)
@click.argument("task", type=TaskName())
@click.option("--save", type=click.Path(dir_okay=False, path_type=Path), help="Keep the run: it opens in the app too.")
@as_json
@click.pass_context
def train(ctx: click.Context, task: str, save: Path | None, as_json: bool, **options: Any) -> None:
    """Train a drawn network on TASK, and say how far its gradient reaches then.

    Exit code 1 where the training diverged.
    """
    from gradlab.training.recipe import Recipe

    names = [field.name for field in fields(Recipe)]
    recipe = Recipe(**{name: options.pop(name) for name in names})
    experiment = experiment_of(options)
    import gradlab
    from gradlab.training import Run
    from gradlab.training import checkpoints as runs

    run, records = Run(experiment, task, recipe), []
    with progress_bar("train") as report:
        for record in run.records():
            records.append(record)
            report(run.done / recipe.updates)
    if save is not None:
        save.write_bytes(runs.save(run))
    first, last = records[0], records[-1]
    layers = range(0 if run.diverged else experiment.depth)
    diagnoses = [gradlab.diagnose(run.trace(), layer=layer) for layer in layers]
    if as_json:
        measured = [{"update": r.update, "loss": r.loss, "metric": r.metric} for r in (first, last)]
        about = {"settings": run.experiment.record(), "task": run.task.name, "updates": run.done}
        diverged = None if run.diverged is None else run.diverged._asdict()
        print_json(
            {**about, "measured": measured, "diverged": diverged, "diagnoses": [record_of(d) for d in diagnoses]}
        )
    else:
        click.echo(f"{run.task.title}: loss {first.loss:.4g} before, {last.loss:.4g} after {run.done} updates.")
        for diagnosis in diagnoses:
            click.echo(diagnosis.sentence)
        if run.diverged is not None:
            click.echo(run.diverged.sentence)
    ctx.exit(FOUND if run.diverged is not None else 0)
