"""A callback of Hugging Face's Trainer: Trainer(…, callbacks=[GradientFlow(log="training.jsonl")]).

Needs `pip install transformers accelerate`.
"""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback  # pyright: ignore[reportMissingImports]

from gradlab.watching.watch import watch


class GradientFlow(TrainerCallback):
    """Watches the model from `on_train_begin` to `on_train_end`.

    options    of `gradlab.watch`: every, log, writers, sequences; the GradScaler of the optimizer is found
    """

    def __init__(self, **options: Any):
        self.options, self.flow = options, None

    def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        scaler = getattr(given.get("optimizer"), "scaler", None)
        self.flow = watch(given["model"], **{"scaler": scaler} | self.options)

    def on_train_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        if self.flow is not None:
            self.flow.close()
