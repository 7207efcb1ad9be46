"""The modules at the package's top: one module each, by two names, from any number of threads."""

import importlib
import subprocess
import sys

import pytest

import gradlab

THREADS = """
import sys, threading
import gradlab
barrier, failures = threading.Barrier(8), []
def load():
    barrier.wait()
    try:
        from gradlab.checkpoints import load
        from gradlab.paths.orders import decompose
        import gradlab.jacobians, gradlab.training
    except BaseException as error:
        failures.append(repr(error))
threads = [threading.Thread(target=load, daemon=True) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join(60)
sys.exit("; ".join(failures) or any(thread.is_alive() for thread in threads))
"""


@pytest.mark.slow
def test_eight_threads_use_the_modules_at_once():
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", THREADS], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", [*gradlab.MODULES, "paths.orders", "truncation.schedules", "training.run"])
def test_a_module_is_one_by_both_names(name):
    top, _, inner = name.partition(".")
    real = f"{gradlab.MODULES[top]}.{inner}" if inner else gradlab.MODULES[top]
    assert importlib.import_module(f"gradlab.{name}") is importlib.import_module(real)
    assert importlib.import_module(f"gradlab.{name}").__name__ == real
    assert importlib.import_module(real).__spec__.name == real  # by which it is reloaded


def test_the_names_that_are_promised_are_there():
    promised = (
        "paths",
        "itemised",
        "truncation",
        "weights",
        "jacobians",
        "training",
        "checkpoints",
        "theory",
        "sweeps",
    )
    assert all(name in gradlab.MODULES and hasattr(gradlab, name) for name in promised)
    assert callable(gradlab.check)
