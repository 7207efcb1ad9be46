"""Networks and their settings in a line: what a picture says of itself, and the title of a tab."""

from collections.abc import Sequence
from typing import Any

from gradlab.settings.catalogue import SETTINGS, default
from gradlab.settings.subject import Subject
from gradlab.settings.trained import Trained
from gradlab.words.languages import N_, _
from gradlab.words.letters import printable

ALWAYS = ("hidden_size", "steps", "seed")  # said though they are at their defaults, which may change
NAMES = {  # that are not as code has them, and those of all others
    "keep_bias": N_("keep-gate bias"), "forget_bias": N_("forget-gate bias"), "dtype": N_("precision"),
    "depth": N_("depth"), "hidden_size": N_("hidden size"), "initialization": N_("initialization"), "gain": N_("gain"),
    "steps": N_("steps"), "batch_size": N_("batch size"), "inputs": N_("inputs"), "input_size": N_("input size"),
    "text": N_("text"), "loss": N_("loss"), "loss_step": N_("loss step"), "loss_steps": N_("loss steps"),
    "reads": N_("reads"), "writes": N_("writes"), "objective": N_("objective"), "output_size": N_("output size"),
    "truncation": N_("truncation"), "seed": N_("seed"), "cell": N_("cell"),
}  # fmt: skip
MOST_LETTERS = 24  # of a text that is a setting


def settings_line(subjects: Sequence[Subject]) -> str:
    """The networks, their size, length and seed, and every setting that is not at its default: "RNN, LSTM · steps 200".

    What they do not have in common stands behind each. It breaks between settings alone.
    """
    own = [_said(subject) for subject in subjects]
    common = [name for name in SETTINGS if own and all(said.get(name) == own[0].get(name) for said in own)]
    networks = [
        _with_own(subject, [text for name, text in said.items() if name not in common])
        for subject, said in zip(subjects, own, strict=True)
    ]
    shared = [own[0][name] for name in common if name in own[0]]
    parts = [", ".join(dict.fromkeys(networks)), *shared]
    return "\u00a0· ".join(part.replace(" ", "\u00a0") for part in parts if part)


def differences(subject: Subject) -> list[str]:
    """The settings that are not at their defaults, but for the cell: "keep-gate bias 3"."""
    return [_setting(name, value) for name, value in subject.settings if name != "cell" and value != default(name)]


def _said(subject: Subject) -> dict[str, str]:
    """What is said of a subject's settings, by name, in the record's order."""
    unused = subject.unused()
    return {
        name: _setting(name, value)
        for name, value in subject.settings
        if name != "cell" and name not in unused and (name in ALWAYS or value != default(name))
    }


def _with_own(subject: Subject, settings: list[str]) -> str:
    trained = [subject.origin] if isinstance(subject, Trained) else []
    more = [*trained, *settings]
    return f"{subject.title} ({', '.join(more)})" if more else subject.title


def _setting(name: str, value: Any) -> str:
    return f"{setting_name(name)} {setting_value(value)}"


def setting_name(name: str) -> str:
    """What a setting is called in a sentence: "keep-gate bias"."""
    return _(NAMES.get(name, name.replace("_", " ")))


def setting_value(value: Any) -> str:
    """A setting's value in a sentence: in short, in one line."""
    text = f"{value:g}" if isinstance(value, float) else printable(str(value))
    short = text if len(text) <= MOST_LETTERS else f"{text[:MOST_LETTERS]}…"
    return " ".join(short.split())
