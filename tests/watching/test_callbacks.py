"""The hooks for other libraries, run with the real ones; they are skipped where a library is not installed."""

import math

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import gradlab
from gradlab.watching import log
from tests.watching.test_watch import Classifier, loss_of, tokens

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # of these libraries


def batches(count=6):
    return [tokens(seed=seed) for seed in range(count)]


def plainly(model, path, optimizer):
    """The log of the same training in a plain loop."""
    with gradlab.watch(model, every=3, log=path):
        for batch in batches():
            optimizer.zero_grad()
            loss_of(model, batch).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.01)
            optimizer.step()
    return log.read(path)


def assert_same_log(found, expected):
    assert found.diagnoses["update"].tolist() == expected.diagnoses["update"].tolist() == [1, 3, 6]
    assert (found.table["log10_norm"] - expected.table["log10_norm"]).abs().max() < 2e-3


def fresh():
    torch.manual_seed(7)
    return Classifier(nn.GRU)


def test_lightning(tmp_path):
    lightning = pytest.importorskip("lightning.pytorch")
    from gradlab.watching.callbacks.lightning import GradientFlow

    class Module(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = fresh()

        def training_step(self, batch, _):
            return loss_of(self.net, batch[0])

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), 0.1)

    module, callback = Module(), GradientFlow(every=3, log=tmp_path / "log.jsonl")
    trainer = lightning.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, gradient_clip_val=0.01, callbacks=[callback],
    )  # fmt: skip
    data = DataLoader(TensorDataset(torch.cat(batches())), batch_size=3)
    trainer.fit(module, data)
    model = fresh()
    expected = plainly(model, tmp_path / "plain.jsonl", torch.optim.SGD(model.parameters(), 0.1))
    assert log.read(tmp_path / "log.jsonl").trainings[0]["parts"] == ["net.rnn"]
    assert_same_log(log.read(tmp_path / "log.jsonl"), expected)
    assert not callback.flow.is_open
    assert not module.net.rnn._forward_hooks


def test_hugging_face(tmp_path):
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    from gradlab.watching.callbacks.hugging_face import GradientFlow

    class Module(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = fresh()

        def forward(self, words):
            return {"loss": loss_of(self.net, words)}

    model = Module()
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path), per_device_train_batch_size=3, num_train_epochs=1, learning_rate=0.1, optim="sgd",
        lr_scheduler_type="constant", max_grad_norm=0.01, report_to=[], save_strategy="no", use_cpu=True,
        disable_tqdm=True, remove_unused_columns=False,
    )  # fmt: skip

    class InOrder(transformers.Trainer):
        def _get_train_sampler(self, *_):
            return None

    trainer = InOrder(
        model=model, args=arguments, train_dataset=[{"words": words} for words in torch.cat(batches())],
        callbacks=[GradientFlow(every=3, log=tmp_path / "log.jsonl")],
    )  # fmt: skip
    trainer.train()
    plain = fresh()
    expected = plainly(plain, tmp_path / "plain.jsonl", torch.optim.SGD(plain.parameters(), 0.1))
    assert_same_log(log.read(tmp_path / "log.jsonl"), expected)
    assert not model.net.rnn._forward_hooks


def test_tensorboard(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter

    from gradlab.watching.callbacks.tensorboard import TensorBoard

    model = fresh()
    with (
        SummaryWriter(tmp_path / "runs") as writer,
        gradlab.watch(model, every=3, writers=[TensorBoard(writer)], log=tmp_path / "log.jsonl"),
    ):
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        for batch in batches():
            loss_of(model, batch).backward()
            optimizer.step()
    events = EventAccumulator(str(tmp_path / "runs")).Reload()
    rate = events.Scalars("gradient_flow/rnn/decades_per_100_steps")
    assert [event.step for event in rate] == [1, 3, 6]
    expected = log.read(tmp_path / "log.jsonl").diagnoses["decades_per_100_steps"]
    for event, value in zip(rate, expected, strict=True):
        assert math.isclose(event.value, value, rel_tol=1e-5)


def test_weights_and_biases(tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    from gradlab.watching.callbacks.weights_and_biases import WeightsAndBiases

    monkeypatch.setenv("WANDB_SILENT", "true")
    model = fresh()
    run = wandb.init(mode="offline", dir=str(tmp_path), project="gradlab")
    with gradlab.watch(model, every=3, writers=[WeightsAndBiases(run)], log=tmp_path / "log.jsonl"):
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        for batch in batches():
            loss_of(model, batch).backward()
            optimizer.step()
    summary = dict(run.summary)
    run.finish()
    last = log.read(tmp_path / "log.jsonl").diagnoses.iloc[-1]
    assert summary["gradient_flow/update"] == 6
    assert math.isclose(summary["gradient_flow/rnn/decades_per_100_steps"], last["decades_per_100_steps"], rel_tol=1e-5)
    assert summary["gradient_flow/rnn/diagnosis"] == last["sentence"]
    assert any(tmp_path.rglob("*.wandb"))
