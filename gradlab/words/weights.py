"""Sentences about a stack's weights."""

import pandas as pd

from gradlab.settings.subject import Subject
from gradlab.words.languages import _
from gradlab.words.numbers import counted


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
