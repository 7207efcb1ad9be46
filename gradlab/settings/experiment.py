"""Experiment: the frozen, validated record of every setting, and what is allowed for each.

Its fields are the one source for validation, slider ranges, help texts, links, cache keys and the command's options:
`bounds`, `unit`, `description`, `choices`, `meaning` and `default` read them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches
from numbers import Number
from typing import Any, Self, get_args
from urllib.parse import quote

from numpy import ndarray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError

from gradlab.cells import CELLS
from gradlab.engine import Cotangents, Size
from gradlab.network.readout import OBJECTIVES, Readout
from gradlab.network.stack import Stack
from gradlab.settings import drawing
from gradlab.settings.conflicts import misfit, over_fewer_steps
from gradlab.settings.initializations import INITIALIZATIONS
from gradlab.settings.inputs import INPUTS
from gradlab.settings.losses import LOSSES, step_set

LINK_VERSION = "1"  # raised when a link's settings change their meaning
TEXT_BYTES = 46_000  # of percent-encoded text; the whole address then stays below 48,000, which servers accept
DTYPES = {"float64": "double precision, about 16 digits", "float32": "single precision, about 7 digits"}
TRUNCATIONS = {
    "full": "back-propagation through the whole sequence",
    "chunks": "chunks of k2 steps: the state is carried on, the gradient is not",
    "windows": "every k1 steps, back over k2 (Williams & Peng 1990)",
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
MOST_STEPS = 1_000_000


def _setting(default: Any, unit: str, does: str, bounds: tuple[float, float] | None = None, none: str = "") -> Any:
    """A field with its unit ("1": a pure number, "": a name), bounds, and what None means where allowed."""
    low, high = bounds or (None, None)
    rules = {"min_length": low, "max_length": high} if unit == "characters" else {"ge": low, "le": high}
    about = {"unit": unit, "bounds": bounds, "none": none}
    return Field(default, description=does, json_schema_extra=about, **rules if bounds else {})


class Experiment(BaseModel):
    """Every setting of one run: hashable, and the same record always gives the same numbers.

    A bad value raises pydantic's ValidationError (a ValueError) whose message names the setting, the value and what is
    allowed; `describe_errors` turns it into one sentence a problem.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cell: str = _setting("lstm", "", "The recurrent cell of every layer.")
    depth: int = _setting(1, "layers", "Number of layers, one above the other.", (1, 8))
    hidden_size: int = _setting(64, "units", "Size of every layer's hidden state, H.", (1, 1024))
    input_size: int = _setting(16, "channels", "Size of the input at a step, X; inputs = text has its own.", (1, 512))
    steps: int = _setting(200, "steps", "Length of the sequence, T.", (2, MOST_STEPS))
    batch_size: int = _setting(8, "sequences", "Number of sequences, B; the bands are over them.", (1, 256))
    initialization: str = _setting("pytorch", "", "How the recurrent weight U is drawn, one gate's block at a time.")
    gain: float = _setting(1.0, "1", "Multiplies the recurrent weight U after it is drawn.", (0, 10))
    forget_bias: float | None = _setting(
        None,
        "1",
        "Effective bias of the forget gate, the sum of PyTorch's two, on every layer.",
        (-20, 20),
        "the initialization's own",
    )
    inputs: str = _setting("noise", "", "What the network reads.")
    text: str | None = _setting(
        None, "characters", "What inputs = text reads, one character a step.", (1, 5000), "the default English text"
    )
    loss: str = _setting("last", "", "Where the loss enters.")
    loss_step: int | None = _setting(
        None, "step", "The step at which loss = step enters.", (0, MOST_STEPS - 1), "the middle step"
    )
    loss_steps: str | None = _setting(
        None,
        "characters",
        "The steps at which loss = steps enters: steps and ranges.",
        (1, 400),
        "the ends of quarters",
    )
    reads: int | None = _setting(
        None, "steps", "n: the delayed type reads n steps, then writes m.", (1, MOST_STEPS - 1), "what writes leaves"
    )
    writes: int | None = _setting(
        None,
        "steps",
        "m: the steps the delayed type writes, each with a loss.",
        (1, MOST_STEPS - 1),
        "what reads leaves",
    )
    objective: str = _setting("direction", "", "What a loss step puts in: a direction, or a readout's gradient.")
    output_size: int = _setting(
        16, "scores", "Size of the readout's output, Y; inputs = text has its vocabulary.", (1, 512)
    )
    truncation: str = _setting("full", "", "The truncated back-propagation that is compared with the full one.")
    k1: int | None = _setting(
        None, "steps", "truncation = windows goes back every k1 steps.", (1, MOST_STEPS), "half of k2"
    )
    k2: int | None = _setting(
        None, "steps", "Steps the truncated gradient goes back over.", (1, MOST_STEPS), "a tenth of the sequence"
    )
    seed: int = _setting(0, "1", "Seed of weights, inputs and loss direction, each its own stream.", (0, 2**32 - 1))
    dtype: str = _setting("float64", "", "Precision of the computation; weights and inputs are drawn the same.")

    @field_validator("*", mode="wrap")
    @classmethod
    def _in_plain_words(cls, value: Any, validate: Callable[[Any], Any], info: Any) -> Any:
        """Validates as pydantic does, with this module's sentence in place of pydantic's."""
        name = info.field_name
        try:
            if isinstance(value, bool) or not isinstance(value, str | Number | None):
                raise ValueError  # Python counts True as 1, and pydantic would; no setting means it
            checked = validate(value)
            if name in CHOICES and checked not in CHOICES[name]:
                raise ValueError
        except ValueError:
            raise _refusal(f"{name} = {_shown(value)} is not allowed: use {allowed(name)}") from None
        if name == "loss_steps" and checked is not None:
            try:
                step_set(checked)
            except ValueError as error:
                raise _refusal(f"{name} = {_shown(value)} is not allowed: {error}; use {allowed(name)}") from None
        if name == "text" and checked is not None and (size := len(quote(checked, safe=""))) > TEXT_BYTES:
            raise _refusal(f"text = {_shown(value)} takes {size} bytes in a link: at most {TEXT_BYTES} fit, shorten it")
        return checked

    @model_validator(mode="after")
    def _settings_fit_each_other(self) -> Self:
        if found := misfit(self):
            setting, sentence = found
            raise PydanticCustomError("misfit", "{sentence}", {"sentence": sentence, "setting": setting})
        return self

    @property
    def settings(self) -> Self:
        """An Experiment is a subject that its settings describe: itself."""
        return self

    @property
    def title(self) -> str:
        return CELLS[self.cell].title

    @property
    def key(self) -> str:
        return self.arguments

    @property
    def code(self) -> str:
        return f"gradlab.Experiment{self.arguments}"

    @property
    def arguments(self) -> str:
        """Every setting as the arguments of a Python call, so that defaults may change later."""
        return "(\n" + "".join(f"    {name}={value!r},\n" for name, value in self) + ")"

    @property
    def size(self) -> Size:
        return drawing.size_of(self)

    @property
    def injection_steps(self) -> ndarray:
        return drawing.loss_steps_of(self)

    @property
    def loss_bytes(self) -> int:
        return drawing.loss_bytes_of(self)

    def network(self) -> Stack:
        """The stack that the settings describe: the same settings always give the same weights."""
        return drawing.drawn_stack(self)

    def sequence(self) -> ndarray:
        """What the network reads, [T, B, X], in its dtype."""
        return drawing.inputs_of(self)

    def injected(self, stack: Stack, inputs: ndarray) -> Cotangents:
        """∂L/∂h_t of the top layer by the loss alone, where it is not zero."""
        return drawing.injected_by(self, stack, inputs)

    def initial_state(self) -> tuple[ndarray, ...]:
        """Every state begins at zero."""
        return ()

    def signal(self, steps: int) -> ndarray:
        return drawing.drawn_signal(self, steps)

    def readout(self) -> Readout:
        return drawing.drawn_readout(self)

    def targets(self) -> ndarray:
        return drawing.drawn_targets_of(self)

    def record(self) -> dict[str, Any]:
        """Every setting as JSON keeps it."""
        return self.model_dump(mode="json")

    def excerpt(self, steps: int, sequences: int, dtype: str | None) -> Self:
        """The same experiment over so many steps of so many sequences, in another precision if named."""
        return self.shortened(steps).replace(batch_size=sequences, dtype=dtype or self.dtype)

    def reading(self, names: frozenset[str]) -> Self:
        """The same experiment with every setting that is not among `names`, or changes nothing, at its default."""
        idle = (frozenset(Experiment.model_fields) - names) | self.unused()
        return self.replace(**{name: default(name) for name in idle})

    @property
    def placement(self) -> dict[str, Any]:
        """What places the loss, as the functions of LOSSES take it."""
        return {name: getattr(self, name) for name in ("loss_step", "loss_steps", "reads", "writes")}

    def shortened(self, steps: int) -> Self:
        """The same experiment over at most `steps` steps; what places its loss and its truncation is fitted in."""
        return self.replace(**over_fewer_steps(self, steps))

    def replace(self, **changes: Any) -> Self:
        """The same experiment with some settings changed, validated (pydantic's model_copy does not validate)."""
        return type(self).model_validate(dict(self) | changes)

    def unused(self) -> frozenset[str]:
        """The settings that change nothing here, because of another setting."""
        idle = {
            "input_size": self.inputs == "text",
            "text": self.inputs != "text",
            "loss_step": self.loss != "step",
            "loss_steps": self.loss != "steps",
            "reads": self.loss != "many_to_many_delayed",
            "writes": self.loss != "many_to_many_delayed",
            "output_size": self.objective == "direction" or self.inputs == "text",
            "k1": self.truncation != "windows",
            "k2": self.truncation == "full",
            "forget_bias": "forget" not in CELLS[self.cell].pre_activations,
        }
        return frozenset(name for name, is_idle in idle.items() if is_idle)

    def to_query(self) -> dict[str, str]:
        """Every setting and the link's version as URL query parameters; None is "none", an empty value for text."""
        values = {name: getattr(self, name) for name in Experiment.model_fields}
        none = {name: "" if name == "text" else "none" for name in values}
        return {"version": LINK_VERSION} | {n: none[n] if value is None else str(value) for n, value in values.items()}

    @classmethod
    def from_query(cls, query: Mapping[str, Any]) -> Self:
        """Strict reading of `to_query`'s form; settings left out take their default. Raises ValueError."""
        settings = {name: _parsed(name, value) for name, value in query.items()}
        version = settings.pop("version", LINK_VERSION)
        if version != LINK_VERSION:
            raise ValueError(f"version = {_shown(version)} of the link is not known: use {LINK_VERSION}")
        return cls.model_validate(settings)

    @classmethod
    def read_query(cls, query: Mapping[Any, Any], ignore: Collection[str] = ()) -> tuple[Self, list[str]]:
        """Tolerant reading: what cannot be used falls back to the default, with one sentence each. Never raises.

        `ignore` lists the caller's own keys, which are passed over.
        """
        sentences: list[str] = []
        settings: dict[str, Any] = {}
        for name, value in query.items():
            parsed = _parsed(name, value)
            if name in cls.model_fields:
                settings[name] = parsed
            elif name == "version" and str(parsed) != LINK_VERSION:
                sentences.append(f"version = {_shown(parsed)} of the link is not known: it is read as {LINK_VERSION}.")
            elif name != "version" and name not in ignore:
                sentences.append(f"{_unknown(name, parsed)}; it is left out.")
        while True:  # every round drops at least one setting, so it ends
            try:
                return cls.model_validate(settings), sentences
            except ValidationError as error:
                for problem in error.errors():
                    name = problem["loc"][0] if problem["loc"] else problem["ctx"]["setting"]
                    del settings[name]
                    used = default(name) if default(name) is not None else _about(name)["none"]
                    sentences.append(f"{problem['msg']}; the default, {used}, is used instead.")


def _refusal(sentence: str) -> PydanticCustomError:
    return PydanticCustomError("setting", "{sentence}", {"sentence": sentence})


def _parsed(name: Any, value: Any) -> Any:
    """A query value as its field takes it; `urllib.parse.parse_qs` wraps each in a list."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    can_be_none = name in Experiment.model_fields and _about(name)["none"]
    nothing = () if not can_be_none else ("",) if name == "text" else ("", "none")
    return None if isinstance(value, str) and value in nothing else value


def _shown(value: Any) -> str:
    """A value as a message shows it: short, and safe to ask of any object."""
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else value[:39] + "…")
    if isinstance(value, int) and value.bit_length() > 128:
        return f"an integer of {value.bit_length()} bits"
    return str(value) if value is None or isinstance(value, Number) else f"<{type(value).__name__}>"


def _unknown(name: Any, value: Any) -> str:
    close = get_close_matches(name, Experiment.model_fields, 1) if isinstance(name, str) else []
    advice = f"did you mean {close[0]}?" if close else f"the settings are {', '.join(Experiment.model_fields)}"
    return f"{_shown(name)} = {_shown(value)} is not a setting: {advice}"


def _about(name: str) -> dict[str, Any]:
    return Experiment.model_fields[name].json_schema_extra


def bounds(name: str) -> tuple[float, float]:
    """(lowest, highest) allowed value of a numeric setting; of `text`, in characters. KeyError for names."""
    if _about(name)["bounds"] is None:
        raise KeyError(f"{name} is chosen by name and has no bounds: ask choices({name!r})")
    return _about(name)["bounds"]


def unit(name: str) -> str:
    """The unit a setting counts in: "1" for a pure number, "" for a name."""
    return _about(name)["unit"]


def description(name: str) -> str:
    """What a setting does, in a sentence or two."""
    return Experiment.model_fields[name].description


def default(name: str) -> Any:
    """The value a setting has when it is not given."""
    return Experiment.model_fields[name].default


def choices(name: str) -> tuple[str, ...]:
    """The names a setting may take, in the registry's order. KeyError for settings that are no names."""
    if name not in CHOICES:
        raise KeyError(f"{name} is not chosen by name: ask bounds({name!r})")
    return tuple(CHOICES[name])


def meaning(name: str, choice: str) -> str:
    """What one choice of a setting is: a cell's title, the first line of a registered function's docstring."""
    entry = CHOICES[name][choice]
    if isinstance(entry, str):
        return entry
    return getattr(entry, "title", None) or entry.__doc__.splitlines()[0]


def allowed(name: str) -> str:
    """What a setting allows, as a phrase: "a whole number from 1 to 1024 (units)"."""
    if name in CHOICES:
        return f"one of {', '.join(CHOICES[name])}"
    low, high = bounds(name)
    none = _about(name)["none"]
    or_none = f", or none for {none}" if none else ""
    if name == "loss_steps":
        return f"{low} to {high} characters naming steps and ranges, such as 9, 49, 90-99{or_none}"
    if name == "text":
        return f"{low} to {high} Unicode characters (no lone surrogates){or_none}"
    kinds = get_args(annotation := Experiment.model_fields[name].annotation) or (annotation,)
    kind = "a number" if float in kinds else "a whole number"
    counted = "" if unit(name) == "1" else f" ({unit(name)})"
    return f"{kind} from {low} to {high}{counted}{or_none}"


def describe_errors(error: ValueError) -> list[str]:
    """One plain sentence for each problem an Experiment was refused for."""
    if not isinstance(error, ValidationError):
        return [str(error)]
    return [
        _unknown(problem["loc"][-1], problem["input"]) if problem["type"] == "extra_forbidden" else problem["msg"]
        for problem in error.errors()
    ]
