"""The distribution: what its wheel carries, and the library, the command and the app of it from any folder."""

import json
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path
from urllib.request import urlopen

import pytest
from streamlit.proto.NewSession_pb2 import Config

from gradlab.version import VERSION
from tests.conftest import free_port, stop_server, wait_until_it_answers
from tests.visitor import Visitor, is_chart

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", str(folder)]
    subprocess.run([*PIP, "wheel", *options, str(ROOT)], check=True, capture_output=True, timeout=120)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def scripts(wheel, tmp_path_factory):
    """The scripts' folder of a fresh environment with the wheel, which has the packages that it needs from this one."""
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment, with_pip=False)
    scripts = environment / ("Scripts" if sys.platform == "win32" else "bin")
    install = ["--python", str(scripts / "python"), "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([*PIP, *install], check=True, capture_output=True, timeout=120)
    (packages,) = environment.rglob("site-packages")
    others = [path for path in sys.path if Path(path).name == "site-packages"]
    (packages / "others.pth").write_text("\n".join(others), encoding="utf-8")
    return scripts


def run(*command, cwd):
    return subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, timeout=300)


def test_it_needs_what_the_first_part_of_the_requirements_names():
    first = (ROOT / "requirements.txt").read_text(encoding="utf-8").split("\n# tests\n")[0]
    assert PROJECT["project"]["dependencies"] == [line for line in first.splitlines() if not line.startswith("#")]


def test_the_extras_of_the_hooks_are_what_their_tests_need():
    extras, groups = PROJECT["project"]["optional-dependencies"], PROJECT["dependency-groups"]
    hooks = ("lightning", "hugging-face", "tensorboard", "weights-and-biases")
    assert groups["callbacks"] == [need for name in hooks for need in extras[name]]


@pytest.mark.slow
def test_the_wheel_has_every_file_of_the_package_and_of_the_app_and_no_other(wheel):
    tracked = run("git", "ls-files", cwd=ROOT).stdout.splitlines()
    if not tracked:
        pytest.skip("this is no checkout of the project")
    of_the_app = [name for name in tracked if name.startswith((".streamlit/", "pages/"))]
    of_the_app += ["app.py", "deploy/Caddyfile"]
    expected = {f"gradlab/app/{name}" for name in of_the_app} | {n for n in tracked if n.startswith("gradlab/")}
    found = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert found == expected


@pytest.mark.slow
def test_the_library_is_imported_from_the_wheel_in_another_folder(scripts, tmp_path):
    program = "import gradlab, sys; print(gradlab.__file__); print(gradlab.trace(gradlab.Experiment(steps=9)).steps)"
    done = run(scripts / "python", "-c", program, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    place, steps = done.stdout.splitlines()
    assert Path(place).is_relative_to(scripts.parent)
    assert steps == "9"


@pytest.mark.slow
def test_the_command_of_the_wheel_works_in_another_folder(scripts, tmp_path):
    assert run(scripts / "gradlab", "--version", cwd=tmp_path).stdout == f"gradlab, version {VERSION}\n"
    small = ("--steps", "40", "--hidden-size", "4")
    done = run(scripts / "gradlab", "diagnose", "--cell", "rnn", *small, "--json", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert [record["verdict"] for record in json.loads(done.stdout)] == ["vanishing"]
    done = run(scripts / "gradlab", "export", "gradient-flow", *small, "--out", "flow.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "flow.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_the_app_of_the_wheel_starts_in_another_folder_with_its_settings(scripts, tmp_path):
    port = free_port()
    with (tmp_path / "log.txt").open("wb") as log:
        command = [str(scripts / "gradlab"), "app", "--no-browser", f"--port={port}"]
        process = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=subprocess.STDOUT)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_it_answers(process, url, tmp_path / "log.txt")
        with urlopen(url, timeout=10) as answer:
            assert answer.headers["X-Content-Type-Options"] == "nosniff"  # app.py's
        with Visitor(url, "", "") as visitor:
            visitor.wait_for(is_chart)
            (config,) = (one.new_session.config for one in visitor.elements if one.HasField("new_session"))
    finally:
        stop_server(process)
    assert config.toolbar_mode == Config.ToolbarMode.VIEWER  # .streamlit/config.toml's
    assert not re.search("Traceback|Error", (tmp_path / "log.txt").read_text())
