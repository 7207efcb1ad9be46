"""Every setting, declared once: its default, group, unit, bounds, what it does, and the names that it may take.

`Fields` is the one source for validation, slider ranges, help texts, links and cache keys: `bounds`, `unit`,
`description`, `choices`, `title`, `meaning`, `default`, `allowed` and `GROUPS` read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, get_args

from pydantic import BaseModel, ConfigDict, Field

from gradlab.cells import CELLS
from gradlab.network.readout import OBJECTIVES
from gradlab.settings.initializations import INITIALIZATIONS
from gradlab.settings.inputs import INPUTS
from gradlab.settings.losses import LOSSES
from gradlab.words.languages import N_, _
from gradlab.words.languages.registries import paragraph

Group = Literal["network", "sequence", "loss", "truncation", "numerics"]

MOST_STEPS = 1_000_000
DTYPES = {"float64": N_("double precision, about 16 digits"), "float32": N_("single precision, about 7 digits")}
TRUNCATIONS = {
    "full": N_("back-propagation through the whole sequence"),
    "chunks": N_("chunks of k2 steps: the state is carried on, the gradient is not"),
    "windows": N_("every k1 steps, back over k2 (Williams & Peng 1990)"),
}
CHOICES: dict[str, Mapping[str, Any]] = {
    "cell": CELLS,
    "initialization": INITIALIZATIONS,
    "inputs": INPUTS,
    "loss": LOSSES,
    "objective": OBJECTIVES,
    "truncation": TRUNCATIONS,
    "dtype": DTYPES,
}
TITLES = {  # of choices whose name in code would be read with effort; the others are called by their name
    "pytorch": "PyTorch default", "irnn": "IRNN", "xavier_uniform": "Xavier uniform", "xavier_normal": "Xavier normal",
    "kaiming": "Kaiming", "kaiming_uniform": "Kaiming uniform", "lecun_normal": "LeCun normal",
    "keras": "Keras default", "flax": "Flax default", "orthogonal_fused": "orthogonal, all gates at once",
    "uniform": "uniform ±.08", "scaled_identity": "scaled identity", "ring": "LRU ring", "unit_keep": "keep bias 1",
    "uniform_gate": "uniform gate", "rising_floors": "rising floors (HGRN)",
    "zeros": "zero", "last": "last step", "first": "first step", "every": "every step",
    "step": "one step", "steps": "several steps", "half_square": "½‖h‖² at the last step", "one_to_one": "one-to-one",
    "one_to_many": "one-to-many", "many_to_one": "many-to-one", "many_to_many": "many-to-many",
    "many_to_many_delayed": "many-to-many delayed", "direction": "random direction", "cross_entropy": "cross-entropy",
    "squared_error": "squared error",
}  # fmt: skip


class About(NamedTuple):
    """What is known of a setting beside its type, default and description."""

    group: Group
    unit: str  # "1": a pure number; "": a name
    bounds: tuple[float, float] | None  # lowest and highest value; of a text, in characters
    none: str  # what None stands for, where it is allowed


def _setting(
    group: Group, default: Any, unit: str, does: str, bounds: tuple[float, float] | None = None, none: str = ""
) -> Any:
    about = About(group, unit, bounds, none)
    extra = about._asdict()
    if bounds is None:
        return Field(default, description=does, json_schema_extra=extra)
    low, high = bounds
    if unit == "characters":
        return Field(default, description=does, json_schema_extra=extra, min_length=int(low), max_length=int(high))
    return Field(default, description=does, json_schema_extra=extra, ge=low, le=high)


class Fields(BaseModel):
    """The settings of an Experiment, group by group."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cell: str = _setting("network", "lstm", "", N_("The recurrent cell of every layer."))
    depth: int = _setting("network", 1, N_("layers"), N_("Number of stacked layers, L."), (1, 8))
    hidden_size: int = _setting(
        "network", 64, N_("units"), N_("Units in the hidden state of every layer, H."), (1, 1024)
    )
    initialization: str = _setting(
        "network",
        "pytorch",
        "",
        N_("How weights are drawn: unless stated, U one gate's block at a time, W and the biases as PyTorch does."),
    )
    gain: float = _setting("network", 1.0, "1", N_("Factor on the recurrent weight U after it is drawn."), (0, 10))
    keep_bias: float | None = _setting(
        "network",
        None,
        "1",
        N_(
            "How open the gate that keeps the old state starts: 0 is half open, 3 is 95 %. It is the sum of "
            "PyTorch's two biases, on every layer: of f in the LSTM, of z in the GRU, of such a gate in the other "
            "cells."
        ),
        (-20, 20),
        N_("the initialization's own"),
    )
    forget_bias: float | None = _setting(
        "network",
        None,
        "1",
        N_(
            "The same for cells whose gate is named forget alone; it leaves the GRU as it is. keep_bias takes its "
            "place."
        ),
        (-20, 20),
        N_("the initialization's own"),
    )

    steps: int = _setting("sequence", 200, N_("steps"), N_("Length of the sequence, T."), (2, MOST_STEPS))
    batch_size: int = _setting(
        "sequence", 8, N_("sequences"), N_("Number of sequences, B; bands in the charts span them."), (1, 256)
    )
    inputs: str = _setting("sequence", "noise", "", N_("The input the network reads."))
    input_size: int = _setting(
        "sequence",
        16,
        N_("channels"),
        N_("Channels of the input at each step, X; inputs = text has one per character of its vocabulary."),
        (1, 512),
    )
    text: str | None = _setting(
        "sequence",
        None,
        "characters",
        N_("What inputs = text reads, one character per step."),
        (1, 5000),
        N_("the default English text"),
    )

    loss: str = _setting("loss", "last", "", N_("Loss placement: the steps at which the loss enters."))
    loss_step: int | None = _setting(
        "loss",
        None,
        N_("step"),
        N_("The step at which loss = step enters."),
        (0, MOST_STEPS - 1),
        N_("the middle step"),
    )
    loss_steps: str | None = _setting(
        "loss",
        None,
        "characters",
        N_("The steps at which loss = steps enters: steps and ranges."),
        (1, 400),
        N_("the ends of quarters"),
    )
    reads: int | None = _setting(
        "loss",
        None,
        N_("steps"),
        N_("n: the delayed type reads n steps, then writes m."),
        (1, MOST_STEPS - 1),
        N_("what writes leaves"),
    )
    writes: int | None = _setting(
        "loss",
        None,
        N_("steps"),
        N_("m: the delayed type writes m steps, each with a loss."),
        (1, MOST_STEPS - 1),
        N_("what reads leaves"),
    )
    objective: str = _setting(
        "loss",
        "direction",
        "",
        N_("Gradient injected at each loss step: a random unit vector, or that of a readout's loss."),
    )
    output_size: int = _setting(
        "loss",
        16,
        N_("scores"),
        N_("Scores of the readout, Y; inputs = text has one per character of its vocabulary."),
        (1, 512),
    )

    truncation: str = _setting("truncation", "full", "", N_("Truncated back-propagation, compared with the full one."))
    k1: int | None = _setting(
        "truncation",
        None,
        N_("steps"),
        N_("Steps between updates of truncation = windows."),
        (1, MOST_STEPS),
        N_("half of k2"),
    )
    k2: int | None = _setting(
        "truncation",
        None,
        N_("steps"),
        N_("Truncation length: steps that the truncated gradient is propagated back."),
        (1, MOST_STEPS),
        N_("a tenth of the sequence"),
    )

    seed: int = _setting(
        "numerics", 0, "1", N_("Seed of weights, inputs and loss, each drawn from a separate stream."), (0, 2**32 - 1)
    )
    dtype: str = _setting(
        "numerics", "float64", "", N_("Precision of the computation; both draw the same weights and inputs.")
    )


def about(name: str) -> About:
    """Group, unit, bounds and the meaning of None of a setting."""
    extra = Fields.model_fields[name].json_schema_extra
    assert isinstance(extra, dict)
    return About(**extra)  # pyright: ignore[reportArgumentType]


SETTINGS: tuple[str, ...] = tuple(Fields.model_fields)
GROUPS: dict[str, tuple[str, ...]] = {
    group: tuple(name for name in SETTINGS if about(name).group == group) for group in get_args(Group)
}


def bounds(name: str) -> tuple[float, float]:
    """(lowest, highest) allowed value of a numeric setting; of a text, in characters. KeyError for names."""
    limits = about(name).bounds
    if limits is None:
        raise KeyError(f"{name} is chosen by name and has no bounds: ask choices({name!r})")
    return limits


def unit(name: str) -> str:
    """The unit a setting counts in: "1" for a pure number, "" for a name."""
    return about(name).unit


def is_whole(name: str) -> bool:
    """Whether a setting is a whole number, or None."""
    return Fields.model_fields[name].annotation in (int, int | None)


def if_none(name: str) -> str:
    """What None stands for; "" where a setting is never None."""
    return _(about(name).none)


def description(name: str) -> str:
    """What a setting does, in a sentence or two."""
    return _(str(Fields.model_fields[name].description))


def default(name: str) -> Any:
    """The default value of a setting."""
    return Fields.model_fields[name].default


def choices(name: str) -> tuple[str, ...]:
    """The names a setting may take, in the registry's order. KeyError for settings that are no names."""
    if name not in CHOICES:
        raise KeyError(f"{name} is not chosen by name: ask bounds({name!r})")
    return tuple(CHOICES[name])


def title(choice: str) -> str:
    """What a choice is called on the screen."""
    return TITLES.get(choice, choice)


def called(name: str, text: str) -> str:
    """The choice of a setting that is called so, in whatever case; the text itself where none is."""
    by_title = {title(choice).lower(): choice for choice in CHOICES[name]}
    return by_title.get(text.lower(), text)


def meaning(name: str, choice: str) -> str:
    """The meaning of one choice of a setting: its sentence, a cell's title, or the first line of a docstring."""
    entry = CHOICES[name][choice]
    if isinstance(entry, str):
        return _(entry)
    sentence = getattr(entry, "meaning", None) or getattr(entry, "title", None)
    return _(sentence or paragraph(entry.__doc__))


def allowed(name: str) -> str:
    """What a setting allows, as a phrase: "a whole number from 1 to 1024 (units)"."""
    if name in CHOICES:
        return _("one of {options}").format(options=", ".join(CHOICES[name]))
    low, high = bounds(name)
    kinds = get_args(annotation := Fields.model_fields[name].annotation) or (annotation,)
    if name == "loss_steps":
        text = _("{low} to {high} characters naming steps and ranges, such as 9, 49, 90-99")
    elif name == "text":
        text = _("{low} to {high} Unicode characters (no lone surrogates)")
    else:
        text = _("a number from {low} to {high}") if float in kinds else _("a whole number from {low} to {high}")
    text = text.format(low=low, high=high)
    if unit(name) not in ("1", "characters"):
        text += f" ({_(unit(name))})"
    return _("{some}, or none for {meaning}").format(some=text, meaning=if_none(name)) if if_none(name) else text
