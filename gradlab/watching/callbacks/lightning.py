"""A callback of PyTorch Lightning: Trainer(callbacks=[GradientFlow(log="training.jsonl")]).

Needs `pip install lightning` (or pytorch-lightning).
"""

from __future__ import annotations

from typing import Any

try:
    from lightning.pytorch import Callback  # pyright: ignore[reportMissingImports]
except ImportError:  # the package under its older name
    from pytorch_lightning import Callback  # pyright: ignore[reportMissingImports]

from gradlab.watching.watch import watch


class GradientFlow(Callback):
    """Watches the LightningModule from `on_train_start` to the end of the training, also one that raises.

    options    of `gradlab.watch`: every, log, writers, sequences; the precision plugin's GradScaler is found
    """

    def __init__(self, **options: Any):
        self.options, self.flow = options, None

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        scaler = getattr(trainer.precision_plugin, "scaler", None)
        self.flow = watch(pl_module, **{"scaler": scaler} | self.options)

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        if self.flow is not None:
            self.flow.close()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        self.on_train_end(trainer, pl_module)
