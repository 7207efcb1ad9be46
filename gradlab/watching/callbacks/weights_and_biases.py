"""What `watch` writes to Weights & Biases: watch(model, writers=[WeightsAndBiases(wandb.init(mode="offline"))]).

Needs `pip install wandb`.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from gradlab.analyses.diagnosis import Diagnosis
from gradlab.watching.callbacks.figures import figures_of


class WeightsAndBiases:
    """Logs the figures of each part's Diagnosis, its verdict and sentence, beside the update that they belong to."""

    def __init__(self, run: Any):
        self.run = run

    def __call__(self, update: int, part: str, diagnosis: Diagnosis, table: pd.DataFrame) -> None:
        prefix = f"gradient_flow/{part}"
        figures = {f"{prefix}/{name}": value for name, value in figures_of(diagnosis).items()}
        said = {f"{prefix}/verdict": diagnosis.verdict, f"{prefix}/diagnosis": diagnosis.sentence}
        self.run.log({"gradient_flow/update": update, **figures, **said})
