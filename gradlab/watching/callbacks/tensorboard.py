"""What `watch` writes to TensorBoard: watch(model, writers=[TensorBoard(SummaryWriter("runs/a"))]).

Needs `pip install tensorboard`; the writer is that of torch.utils.tensorboard, or of tensorboardX.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from gradlab.analyses.diagnosis import Diagnosis
from gradlab.watching.callbacks.figures import figures_of


class TensorBoard:
    """Scalars under gradient_flow/<part>, the log10 norms over lag as a histogram, the sentence as text."""

    def __init__(self, writer: Any):
        self.writer = writer

    def __call__(self, update: int, part: str, diagnosis: Diagnosis, table: pd.DataFrame) -> None:
        for name, value in figures_of(diagnosis).items():
            self.writer.add_scalar(f"gradient_flow/{part}/{name}", value, update)
        norms = table["log10_relative"].to_numpy()
        if np.isfinite(norms).any():
            self.writer.add_histogram(f"gradient_flow/{part}/log10_relative", norms[np.isfinite(norms)], update)
        self.writer.add_text(f"gradient_flow/{part}/diagnosis", diagnosis.sentence, update)
        self.writer.flush()
