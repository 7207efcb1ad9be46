"""Experiment: the frozen, validated record of every setting; a subject that its settings describe.

The fields are those of the catalogue. Anything that is not allowed raises SettingsError, whose text is one plain
sentence for each problem.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from numbers import Number
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import quote

from numpy import ndarray
from pydantic import ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError

from gradlab.cells import CELLS
from gradlab.engine import Cotangents, Size
from gradlab.network.readout import Readout
from gradlab.network.stack import Stack
from gradlab.settings import conflicts, drawing
from gradlab.settings.catalogue import CHOICES, GROUPS, SETTINGS, Fields, allowed, default
from gradlab.settings.initializations import INITIALIZATIONS
from gradlab.settings.losses import LOSSES
from gradlab.settings.meant import closest
from gradlab.settings.step_sets import StepSet
from gradlab.words.languages import _

MOST_REFUSALS = 40  # sentences of one error; a file may hold any number of names that are no settings
TEXT_BYTES = 46_000  # of percent-encoded text; the whole address then stays below 48,000, which servers accept


class Refusal(NamedTuple):
    """A setting that is not allowed, and the sentence that says why and what is allowed."""

    setting: str
    sentence: str


class SettingsError(ValueError):
    """Settings that are not allowed. `refusals` has one for each problem; the text is their sentences, one per line."""

    def __init__(self, *refusals: Refusal):
        super().__init__(*refusals)
        self.refusals = refusals

    @property
    def sentences(self) -> list[str]:
        return [refusal.sentence for refusal in self.refusals]

    def __str__(self) -> str:
        return "\n".join(self.sentences)


class Experiment(Fields):
    """Every setting of one run: hashable, and the same record always gives the same numbers.

    Raises SettingsError, a ValueError whose text names each bad setting, its value and what is allowed.
    """

    if not TYPE_CHECKING:  # a type checker reads the arguments off the fields

        def __init__(self, **settings: Any):
            try:
                super().__init__(**settings)
            except ValidationError as error:
                raise SettingsError(*map(_refusal_of, error.errors()[:MOST_REFUSALS])) from None

        @classmethod
        def model_validate(cls, obj: Any) -> Self:
            """An Experiment of a mapping, or of another one's settings."""
            if not isinstance(obj, Mapping | Fields):
                raise SettingsError(Refusal("", f"{shown(obj)} is not a mapping of settings"))
            return cls(**{str(name): value for name, value in dict(obj).items()})

        @classmethod
        def model_validate_json(cls, json_data: str | bytes) -> Self:
            """An Experiment of the JSON that `model_dump_json` writes."""
            try:
                values = json.loads(json_data)
            except ValueError as error:
                raise SettingsError(Refusal("", f"the settings are not JSON: {error}")) from None
            return cls.model_validate(values)

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
            text = _("{setting} is not allowed: {advice}")
            setting, advice = f"{name} = {shown(value)}", _advice(name, value)
            raise _plain(name, text.format(setting=setting, advice=advice)) from None
        if name == "loss_steps" and checked is not None:
            try:
                StepSet.parse(checked)
            except ValueError as error:
                text = _("{setting} is not allowed: {error}; use {allowed}")
                text = text.format(setting=f"{name} = {shown(value)}", error=error, allowed=allowed(name))
                raise _plain(name, text) from None
        if name == "text" and checked is not None and (size := len(quote(checked, safe=""))) > TEXT_BYTES:
            text = _("{setting} takes {size} bytes in a link: at most {most} fit, shorten it")
            raise _plain(name, text.format(setting=f"text = {shown(value)}", size=size, most=TEXT_BYTES))
        return checked

    @model_validator(mode="after")
    def _settings_fit_each_other(self) -> Self:
        if conflict := conflicts.conflict(self):
            raise _plain(*conflict)
        return self

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"an Experiment is frozen: use .replace({name}={value!r}), which makes another one")

    def __repr__(self) -> str:
        """One line with the settings that are not at their default; `code` names all."""
        changed = ", ".join(f"{name}={value!r}" for name, value in self if value != default(name))
        return f"{type(self).__name__}({changed})"

    __str__ = __repr__

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

    def network(self, dtype: str | None = None) -> Stack:
        """The stack that the settings describe: the same settings always give the same weights."""
        return drawing.drawn_stack(self, dtype)

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

    def replace(self, **changes: Any) -> Self:
        """The same experiment with some settings changed, validated (pydantic's model_copy does not validate)."""
        return type(self)(**(dict(self) | changes))

    def shortened(self, steps: int) -> Self:
        """The same experiment over at most `steps` steps; what places its loss and its truncation is fitted in."""
        return self.replace(**conflicts.over_fewer_steps(self, steps))

    def excerpt(self, steps: int, sequences: int, dtype: str | None) -> Self:
        """The same experiment over so many steps of so many sequences, in another precision if named."""
        return self.shortened(steps).replace(batch_size=sequences, dtype=dtype or self.dtype)

    def unused(self) -> frozenset[str]:
        """The settings that change nothing here, because of another setting."""
        return conflicts.unused(self)

    def reading(self, names: frozenset[str]) -> Self:
        """The same experiment with every setting that is not among `names`, or changes nothing, at its default.

        What the named ones draw stays as it is: a loss that leaves steps without an input is replaced by the simplest
        that does so, and the length is kept where the initialization reads it.
        """
        kept: Any = _reading  # a type checker does not see that a frozen record has a hash
        return kept(self, names, LOSSES.get(self.loss), INITIALIZATIONS.get(self.initialization))


@lru_cache(maxsize=1024)  # a page asks it of every call, at each of its runs
def _reading(experiment: Experiment, names: frozenset[str], *_registered: Any) -> Experiment:
    """`Experiment.reading`; what is registered under the experiment's names may be replaced."""
    reads_length = "initialization" in names and drawing.reads_length(experiment)
    kept = names | {"steps"} if reads_length else names
    changes = {name: default(name) for name in (frozenset(SETTINGS) - kept) | experiment.unused()}
    if "loss" not in names and names >= frozenset(GROUPS["sequence"]):
        changes |= conflicts.same_source(experiment)
    return experiment.replace(**changes)


def shown(value: Any) -> str:
    """A value as a message shows it: short, and safe to ask of any object."""
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else value[:39] + "…")
    if isinstance(value, int) and value.bit_length() > 128:
        return _("an integer of {count} bits").format(count=value.bit_length())
    return str(value) if value is None or isinstance(value, Number) else f"<{type(value).__name__}>"


def unknown(name: Any, value: Any) -> str:
    """The sentence about a name that is no setting."""
    close = closest(name, SETTINGS)
    text = (
        _("{setting} is not a setting: did you mean {close}?")
        if close
        else _("{setting} is not a setting: use {names}")
    )
    return text.format(setting=f"{shown(name)} = {shown(value)}", close=close, names=", ".join(SETTINGS))


def _advice(name: str, value: Any) -> str:
    close = closest(value, CHOICES.get(name, ()))
    text = _("did you mean {close}? Use {allowed}") if close else _("use {allowed}")
    return text.format(close=close, allowed=allowed(name))


def _plain(setting: str, sentence: str) -> PydanticCustomError:
    return PydanticCustomError("setting", "{sentence}", {"sentence": sentence, "setting": setting})


def _refusal_of(problem: Any) -> Refusal:
    """One of pydantic's problems as a sentence of ours."""
    if problem["type"] == "extra_forbidden":
        return Refusal(problem["loc"][0], unknown(problem["loc"][0], problem["input"]))
    if "setting" not in problem.get("ctx", {}):  # a name that is no Unicode text: pydantic names no place
        return Refusal("", _("{name} is not a setting").format(name=shown(problem["input"])))
    return Refusal(problem["ctx"]["setting"], problem["msg"])
