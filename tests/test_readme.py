"""What the README shows of the library runs, at a smaller size."""

import re
from pathlib import Path

import torch

README = Path(__file__).resolve().parents[1] / "README.md"
SMALLER = {"steps=1000": "steps=40", "updates=500": "updates=3", "after(500)": "after(3)"}


def test_the_readme_s_programs_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    programs = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    names = {"torch": torch, "inputs": torch.randn(5, 2, 16), "cotangents": torch.randn(5, 2, 64)}
    assert len(programs) == 5
    for program in programs:
        for size, smaller in SMALLER.items():
            program = program.replace(size, smaller)
        exec(program, names)
    assert (tmp_path / "figure.pdf").read_bytes().startswith(b"%PDF-")
    assert names["run"].done == 3
    assert names["record"].update == 2
