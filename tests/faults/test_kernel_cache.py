"""The kernels' disk cache where nothing can be written, where the disk is full, and where others have written.

Damaged files in it are in tests/engine/test_compiled.py.
"""

import fcntl
import os
import pickle
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
IS_ROOT = os.getuid() == 0
# A stranger can be had by root alone, and where the interpreter is not in a home that is closed to others.
HAS_STRANGER = IS_ROOT and all(above.stat().st_mode & 0o001 for above in Path(sys.executable).resolve().parents)
QUICKLY = {"NUMBA_OPT": "0"}  # compiles in half the time; and no function is inlined, whose name could be another's
STRANGER = 54321  # a user without a home and without an entry in the list of users, as a container may run
TRACE = """
import gradlab
from gradlab.engine.compiled import cache_folder
print(cache_folder())
print(repr(float(gradlab.trace(gradlab.Experiment(cell="rnn", hidden_size=3, steps=5)).log10_norms.sum())))
"""


def traced(environment: dict[str, str], cwd: Path = ROOT, **options) -> tuple[str, str]:
    """The cache's folder and a trace's norms, of a new process."""
    done = subprocess.run(
        [sys.executable, "-c", TRACE], cwd=cwd, capture_output=True, text=True, timeout=300, check=False,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(cwd)} | QUICKLY | environment, **options,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    folder, norms = done.stdout.splitlines()
    return folder, norms


@pytest.fixture(scope="module")
def norms(tmp_path_factory):
    """What every process has to find, and a cache in which its kernels are."""
    cache = tmp_path_factory.mktemp("cache") / "of this user"
    return traced({"GRADLAB_CACHE": str(cache)})[1], cache


def test_a_read_only_checkout_runs_for_a_user_without_a_home(tmp_path, norms):
    checkout, temporary = tmp_path / "checkout", tmp_path / "temporary"
    shutil.copytree(ROOT / "gradlab", checkout / "gradlab", ignore=shutil.ignore_patterns("__pycache__"))
    temporary.mkdir()
    temporary.chmod(0o1777)
    for folder in [checkout, *checkout.rglob("*")]:
        folder.chmod(folder.stat().st_mode & 0o555)
    for above in [tmp_path, *tmp_path.parents][:3]:  # which pytest closes to other users
        above.chmod(above.stat().st_mode | 0o055)
    other = {"user": STRANGER, "group": STRANGER} if HAS_STRANGER else {}
    try:
        folder, found = traced({"TMPDIR": str(temporary)}, checkout, **other)
    finally:
        for made in [checkout, *checkout.rglob("*")]:
            made.chmod(made.stat().st_mode | 0o200)
    assert found == norms[0]
    if HAS_STRANGER:
        assert Path(folder).parent == temporary / f"gradlab-{STRANGER}"
    assert HAS_STRANGER or not IS_ROOT or not Path(folder).is_relative_to(checkout)  # root may write anywhere


@pytest.fixture
def full_disk(tmp_path):
    """A folder on a file system of a few pages; without the right to mount one, None."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k,mode=700", "tmpfs", str(disk)], capture_output=True, check=False
    )
    yield disk if mounted.returncode == 0 else None
    if mounted.returncode == 0:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_keeps_no_kernel_and_stops_none(full_disk, tmp_path, norms):
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))  # what a write then fails with is an OSError too

    cache = full_disk or tmp_path / "cache"
    for _ in range(2):  # what the first has left half written does not disturb the second
        _, found = traced({"GRADLAB_CACHE": str(cache)}, **({} if full_disk else {"preexec_fn": limited}))
        assert found == norms[0]


class _Planted:
    """What runs a command when it is unpickled."""

    def __init__(self, marker: Path):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch '{self.marker}'",)


def test_kernels_that_another_user_has_planted_are_not_run(tmp_path, norms):
    found, cache = norms
    planted, marker = tmp_path / "planted", tmp_path / "was run"
    shutil.copytree(cache, planted)
    for index in planted.rglob("*.nbi"):
        with index.open("rb") as file:
            version = pickle.load(file)
        index.write_bytes(pickle.dumps(version) + pickle.dumps(_Planted(marker)))
    traced({"GRADLAB_CACHE": str(planted)})
    assert marker.exists(), "of this user's own folder it would have been run"
    marker.unlink()
    for path in [planted, *planted.rglob("*")]:
        if IS_ROOT:
            os.chown(path, STRANGER, STRANGER)
        elif path.is_dir():
            path.chmod(0o777)
    folder, again = traced({"GRADLAB_CACHE": str(planted), "TMPDIR": str(tmp_path)})
    assert again == found
    assert not Path(folder).is_relative_to(planted)
    assert not marker.exists()


SHARE = """
import sys
from gradlab import Experiment, trace
from gradlab.engine import compiled, kernels
compiled.CLAIM_SECONDS = compiled.SAVE_SECONDS = float(sys.argv[1])
for cell in sys.argv[2:]:
    print(repr(float(trace(Experiment(cell=cell, hidden_size=3, steps=5)).log10_norms.sum())))
used = [kernel for kernel in vars(kernels).values() if hasattr(kernel, "_cache_misses")]
print(sum(sum(kernel._cache_misses.values()) for kernel in used))
"""


def sharing(cache: Path, seconds: float, *cells: str) -> subprocess.Popen:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "GRADLAB_CACHE": str(cache)} | QUICKLY
    return subprocess.Popen(
        [sys.executable, "-c", SHARE, str(seconds), *cells], env=environment, stdout=subprocess.PIPE, text=True
    )  # fmt: skip


def test_processes_that_begin_without_kernels_compile_each_once_and_none_loses_the_others(tmp_path):
    """numba alone lets both compile all, and writes both files under one name: an index then names another's code."""
    both = [sharing(tmp_path, 300, *cells) for cells in (("rnn", "lstm"), ("lstm", "rnn"))]
    (first, second) = (process.communicate(timeout=300)[0].split() for process in both)
    kernels = len([*tmp_path.rglob("*.nbc")])
    assert kernels > 4
    assert int(first[2]) + int(second[2]) == kernels
    assert first[:2] == second[1::-1]
    later = sharing(tmp_path, 300, "lstm", "rnn").communicate(timeout=300)[0].split()
    assert later == [*second[:2], "0"]


def test_a_process_that_stands_still_holds_up_the_others_for_a_while_alone(tmp_path, norms):
    shutil.copytree(norms[1], tmp_path / "cache")
    for kernel in (tmp_path / "cache").rglob("*.nb[ci]"):
        kernel.unlink()
    claims = [path.open("wb") for path in (tmp_path / "cache").rglob("*.lock")]
    assert claims
    for claim in claims:
        fcntl.flock(claim, fcntl.LOCK_EX)
    found = sharing(tmp_path / "cache", 0.1, "rnn").communicate(timeout=300)[0].split()
    assert found[0] == norms[0]
    for claim in claims:
        claim.close()


BESIDE = """
import sys, time
from gradlab.engine import compile_beside, warm_up
beside = compile_beside(["rnn"], sys.argv[1].split())
print(beside and beside.pid, flush=True)
if sys.argv[2:]:
    time.sleep(60)
elif beside:
    print(beside.wait())
else:
    warm_up(sys.argv[1].split())
"""


def beside(cache: Path, cells: str, *stays: str) -> subprocess.Popen[str]:
    """A process that begins to compile the cells' kernels in another."""
    command = [sys.executable, "-c", BESIDE, cells, *stays]
    environment = os.environ | QUICKLY | {"GRADLAB_CACHE": str(cache)}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


def test_what_compiles_beside_a_server_begins_once_and_leaves_every_kernel(tmp_path):
    with beside(tmp_path / "cache", "rnn") as first:
        assert first.communicate(timeout=300)[0].splitlines()[1:] == ["0"]
    kernels = {path.name for path in (tmp_path / "cache").rglob("*.nbc")}
    with beside(tmp_path / "cache", "rnn") as again:
        assert again.communicate(timeout=300)[0] == "None\n", "all are there"
    assert {path.name for path in (tmp_path / "cache").rglob("*.nbc")} == kernels != set()


def test_what_compiles_beside_a_server_ends_with_it(tmp_path):
    with beside(tmp_path / "cache", "rnn lstm gru", "stays") as server:
        process = psutil.Process(int(server.stdout.readline()))
        server.kill()
    process.wait(timeout=60)
