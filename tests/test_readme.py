"""What the README shows of the library runs, at a smaller size."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import gradlab

README = Path(__file__).resolve().parents[1] / "README.md"
SMALLER = {"steps=1000": "steps=40", "updates=500": "updates=3", "after(500)": "after(3)", "seeds=20": "seeds=1"}
SMALLER |= {
    "seeds=5": "seeds=1",
    'phase_map(experiment, "keep_bias")': 'phase_map(experiment, "keep_bias", size=3, seeds=1)',
}


class Model(nn.Module):
    """What a reader may have."""

    def __init__(self):
        super().__init__()
        self.rnn, self.head = nn.LSTM(3, 4, batch_first=True), nn.Linear(4, 1)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])


@pytest.mark.slow
def test_the_readme_s_programs_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    programs = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    names = {"torch": torch, "inputs": torch.randn(5, 2, 16), "cotangents": torch.randn(5, 2, 64)}
    names |= {"model": Model(), "criterion": nn.MSELoss(), "x": torch.randn(2, 5, 3), "y": torch.randn(2, 1)}
    torch.save({"encoder": {"lstm": nn.LSTM(16, 4).state_dict()}}, tmp_path / "model.pt")
    np.save(tmp_path / "inputs.npy", np.random.default_rng(0).standard_normal((9, 2, 16)))
    assert len(programs) == 8
    assert all(any(size in program for program in programs) for size in SMALLER)
    for program in programs:
        for size, smaller in SMALLER.items():
            program = program.replace(size, smaller)
        exec(program, names)
    assert (tmp_path / "figure.pdf").read_bytes().startswith(b"%PDF-")
    assert names["run"].done == 3
    assert len(gradlab.sweeps.read("sweep")) == 6
    names["flow"].close()
    assert (tmp_path / "training.jsonl").exists()
    assert names["record"].update == 2
