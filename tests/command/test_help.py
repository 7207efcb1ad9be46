"""The command's help, options and completion."""

import os
import shlex
import subprocess
import sys

import click
import pytest

import gradlab
from gradlab.command import COMMANDS, main
from gradlab.command import gradlab as command
from gradlab.command.settings import OfSettings, experiment_of, spelt
from gradlab.settings.catalogue import CHOICES, SETTINGS, bounds, choices, default

OF_SETTINGS = [one for one in COMMANDS if isinstance(one, OfSettings)]
EXAMPLES = [line for one in OF_SETTINGS for line in one.examples]
HEAVY = ("torch", "numba", "numpy", "pandas", "pydantic", "altair", "streamlit")
SMALL = ("--steps", "30", "--hidden-size", "4")


@pytest.mark.parametrize("name", [one.name for one in COMMANDS])
def test_every_command_shows_its_options_and_examples(call, name):
    result = call(name, "--help")
    assert result.exit_code == 0
    assert "Examples:" in result.output
    assert f"gradlab {name}" in result.output


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_is_an_option_and_means_what_the_experiment_means(name):
    if name in CHOICES:
        value = next(choice for choice in choices(name) if choice != default(name))
    elif name == "text":
        value = "to and fro"
    elif name == "loss_steps":
        value = "3,9"
    else:
        low, high = bounds(name)
        value = next(v for v in (low + 1, low + 2, high - 1) if v != default(name))
    for one in OF_SETTINGS:
        options = one.make_context(one.name, [spelt(name), str(value), *_needed(one)]).params
        if isinstance(options["cell"], tuple):
            options["cell"] = options["cell"][0] if options["cell"] else None
        settings = {key: options[key] for key in SETTINGS}
        assert experiment_of(settings) == gradlab.Experiment(**{name: value})


def _needed(one):
    """Arguments that a command does not do without."""
    return {"train": ["adding"], "sweep": ["--over", "gain=1"], "export": ["layers", "--out", "a.svg"]}.get(
        one.name, []
    )


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_of_the_help_runs(call, watched, batch, example):
    words = shlex.split(example.partition("|")[0], comments=True)
    has_file = any(word.endswith((".safetensors", ".jsonl", ".pt")) for word in words)
    smaller = () if has_file and words[1] != "train" else SMALL
    updates = ("--updates", "2") if words[1] == "train" else ()
    result = call(*words[1:], *smaller, *updates)
    assert result.exit_code in (0, 1), result.output
    assert result.stdout


def test_the_help_of_the_whole_loads_nothing_heavy():
    program = (
        "import sys; from gradlab.command import gradlab\n"
        "gradlab(['--help'], standalone_mode=False)\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.endswith("[]\n"), done.stdout
    assert all(f"  {one.name} " in done.stdout for one in COMMANDS)


@pytest.mark.slow
def test_a_shell_completes_commands_and_the_names_of_cells():
    def completed(line):
        words = f"gradlab {line}"
        asked = {"_GRADLAB_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
        run = [sys.executable, "-c", "from gradlab.command import main; main()"]
        done = subprocess.run(run, env=os.environ | asked, capture_output=True, text=True, timeout=120)
        return {row.partition(",")[2] for row in done.stdout.splitlines()}

    assert completed("re") == {"remedies"}
    assert completed("train add") == {"adding"}
    assert completed("trace --cell lstm_") == {name for name in gradlab.CELLS if name.startswith("lstm_")}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (("trace", "--hidden-size", "5000"), "hidden_size = '5000' is not allowed: use a whole number from 1 to 1024"),
        (("trace", "--cell", "lstmm"), "did you mean lstm?"),
        (("trace", "--hiden-size", "5"), "--hidden-size"),
        (("trace", "--steps", "9", "--table", "norms.xls"), "norms.xls"),
        (("paths", "--lag", "-1"), "lag = -1"),
        (("paths", "--orders", "100", "--steps", "9"), "orders"),
        (("train", "addding"), "adding"),
        (("train", "adding", "--learning-rate", "fast"), "learning"),
        (("export", "gates", "--cell", "rnn", "--steps", "9", "--out", "a.svg"), "RNN"),
        (("export", "jacobians", "--cell", "rnn", "--cell", "gru", "--out", "a.svg"), "jacobians shows one network"),
        (("export", "layers", "--steps", "9", "--out", "a.bmp"), "a.bmp"),
        (("diagnose", "nowhere.pt"), "nowhere.pt"),
        (("diagnose", "--part", "rnn"), "FILE is missing"),
        (("remedies", "--layer", "3", "--steps", "9"), "layer"),
        (("app", "--port", "0"), "port"),
    ],
)
def test_a_wrong_call_is_refused_with_2_and_says_why(call, line, said):
    result = call(*line)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_a_failure_of_gradlab_itself_is_neither_a_finding_nor_a_wrong_call(monkeypatch, capsys):
    broken = click.Command("broken", callback=lambda: 1 // 0)
    monkeypatch.setitem(command.commands, "broken", broken)
    monkeypatch.setattr(sys, "argv", ["gradlab", "broken"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 3
    assert "ZeroDivisionError" in capsys.readouterr().err
