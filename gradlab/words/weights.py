"""Sentences about a stack's weights."""

import pandas as pd

from gradlab.settings.subject import Subject


def of_weights(subject: Subject, singular: pd.DataFrame, eigen: pd.DataFrame, counts: pd.DataFrame) -> str:
    """The size of a stack, its largest spectral norm and its largest spectral radius."""
    depth, units = subject.settings.depth, subject.settings.hidden_size
    return (
        f"{subject.title}, {depth} layer{'s' if depth > 1 else ''} of {units} units, {counts['count'].sum():,} "
        f"parameters. Over its gates' recurrent weights, the largest spectral norm is "
        f"{singular['singular_value'].max():.3g} and the largest spectral radius {eigen['modulus'].max():.3g}."
    )
