"""Options made of the catalogue's fields: their names, texts, bounds and choices, and nothing beside it.

The catalogue imports torch, so the options are made when a command parses its line or shows its help.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from gradlab.settings.experiment import Experiment

SEVERAL = "cell"  # may be given again: the networks compared


class OfSettings(click.Command):
    """A command with an option for every setting of an Experiment.

    several     whether --cell may be given again
    examples    calls, which its help shows
    """

    def __init__(self, *arguments: Any, several: bool = False, examples: Sequence[str] = (), **options: Any):
        super().__init__(*arguments, **options)
        self.several, self.examples = several, examples

    @cached_property
    def settings(self) -> list[click.Option]:
        from gradlab.settings.catalogue import SETTINGS

        return [option_of(name, self.several) for name in SETTINGS]

    @property
    def sections(self) -> dict[str, list[click.Option]]:
        """Options that are made of records, by the title under which the help shows them."""
        from gradlab.settings.catalogue import GROUPS

        by_name = {option.name: option for option in self.settings}
        return {f"Settings: {group}": [by_name[name] for name in names] for group, names in GROUPS.items()}

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        made = [option for section in self.sections.values() for option in section]
        return [*super().get_params(ctx), *made]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, params in {"Options": super().get_params(ctx), **self.sections}.items():
            with formatter.section(title):
                formatter.write_dl([record for one in params if (record := one.get_help_record(ctx)) is not None])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.examples:
            with formatter.section("Examples"):
                for line in self.examples:
                    formatter.write(f"{' ' * formatter.current_indent}{line}\n")


def option_of(name: str, several: bool = False) -> click.Option:
    """The option of one setting."""
    from gradlab.settings.catalogue import allowed, default, description, if_none

    value = default(name)
    used = if_none(name) if value is None else value
    text = f"{description(name)} Allowed: {allowed(name)}. Default: {used}."
    if several and name == SEVERAL:
        text += " May be given again, to compare."
    return click.Option([spelt(name)], type=Setting(name), multiple=several and name == SEVERAL, help=text)


def spelt(name: str) -> str:
    """A setting as an option: --hidden-size."""
    return f"--{name.replace('_', '-')}"


class Setting(click.ParamType):
    """The text of a setting. What is allowed is said by Experiment, which knows how settings fit each other."""

    def __init__(self, setting: str):
        self.name = setting

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        from gradlab.settings.catalogue import CHOICES, unit

        return "NAME" if self.name in CHOICES else "TEXT" if unit(self.name) == "characters" else "NUMBER"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from gradlab.settings.catalogue import CHOICES, choices, meaning

        names = choices(self.name) if self.name in CHOICES else ()
        return [CompletionItem(name, help=meaning(self.name, name)) for name in names if name.startswith(incomplete)]


def given(settings: Mapping[str, Any]) -> dict[str, str]:
    """The settings that were named on the line."""
    return {name: value for name, value in settings.items() if value not in (None, ())}


def experiment_of(settings: Mapping[str, Any]) -> Experiment:
    """The Experiment of a line's settings. Raises SettingsError, one sentence for each that is not allowed."""
    from gradlab.settings.links import from_query

    return from_query(given(settings))


def experiments_of(settings: Mapping[str, Any]) -> list[Experiment]:
    """One Experiment for each cell that a line names; of the default cell where it names none."""
    named = given(settings)
    cells = named.pop(SEVERAL, None)
    return [experiment_of(named | ({SEVERAL: cell} if cell else {})) for cell in cells or (None,)]
