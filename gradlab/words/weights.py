"""Sentences about a stack's weights."""

import pandas as pd

from gradlab.settings.subject import Subject
from gradlab.words.languages import _
from gradlab.words.numbers import counted, listed


def of_weights(subject: Subject, singular: pd.DataFrame, eigen: pd.DataFrame, counts: pd.DataFrame) -> str:
    """The size of a stack, its largest spectral norm and its largest spectral radius."""
    depth, units = subject.settings.depth, subject.settings.hidden_size
    text = _(
        "{cell}, {layers} of {units} units, {count} parameters. Over its gates' recurrent weights, the largest "
        "spectral norm is {norm} and the largest spectral radius {radius}."
    )
    sizes = {"norm": f"{singular['singular_value'].max():.3g}", "radius": f"{eigen['modulus'].max():.3g}"}
    layers, count = counted(depth, "layer"), f"{counts['count'].sum():,}"
    return text.format(cell=subject.title, layers=layers, units=units, count=count, **sizes)


def of_singular_values(singular: pd.DataFrame) -> str:
    """The range of all singular values, and how many stretch."""
    values = singular["singular_value"]
    text = _("They run from {low} to {high}, the largest spectral norm; {count} of {all} are above 1.")
    sizes = {"low": f"{values.min():.3g}", "high": f"{values.max():.3g}"}
    return text.format(count=int((values > 1).sum()), all=len(values), **sizes)


def of_eigenvalues(eigen: pd.DataFrame) -> str:
    """The largest modulus, and how many eigenvalues lie outside the unit circle."""
    modulus = eigen["modulus"]
    text = _("The largest modulus, the spectral radius, is {radius}; {count} of {all} lie outside the unit circle.")
    return text.format(radius=f"{modulus.max():.3g}", count=int((modulus > 1).sum()), all=len(modulus))


def of_biases(biases: pd.DataFrame) -> str:
    """The mean of every gate's effective biases, over its units and layers, and the range of all."""
    means = biases.groupby("gate", sort=False)["effective_bias"].mean()
    values = biases["effective_bias"]
    text = _("The means by gate: {means}. All biases lie between {low} and {high}.")
    each = [f"{_(str(gate))} {_short(mean)}" for gate, mean in means.items()]
    return text.format(means=listed(each), low=_short(values.min()), high=_short(values.max()))


def _short(value: float) -> str:
    return f"{value:.2g}".replace("-", "−")
