"""The process of a training is killed, raises, hangs or is left: nothing measured is lost, and nothing trains on."""

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from gradlab.settings.experiment import Experiment
from gradlab.settings.tasks import TASKS
from gradlab.training import Recipe, Run, checkpoints
from gradlab.training.process import Died, TrainingProcess
from gradlab.training.replay import Replay
from gradlab.training.worker import Begin, Ended, News
from gradlab.ui.training import job as job_module
from gradlab.ui.training.job import Job
from gradlab.ui.training.places import Places
from tests.ui.jobs import WAIT, stands_still, train

pytestmark = pytest.mark.slow  # each starts a process that trains, which loads torch
ROOT = Path(__file__).resolve().parents[2]
SMALL = Experiment(cell="lstm", hidden_size=4, steps=10, batch_size=2)
LONG = 1_000_000  # updates


@pytest.fixture(scope="module")
def one_place():
    places = Places(most=1)
    yield places
    places.close()


@pytest.fixture
def job_at_one_place(one_place):
    jobs = []

    def begin(run):
        jobs.append(Job([run], places=one_place))
        return jobs[-1]

    yield begin
    for job in jobs:  # a test that fails leaves the place to the next
        job.pause()


def run_of(updates=30, cell="lstm", task="adding", **recipe):
    return Run(SMALL.replace(cell=cell), task, Recipe(updates=updates, trace_every=7, **recipe))


def same(records, others):
    """Whether records are equal to the bit, their traces too."""
    assert len(records) == len(others)
    for record, other in zip(records, others, strict=True):
        assert record._replace(trace=None) == other._replace(trace=None)
        assert (record.trace is None) == (other.trace is None), record.update
        if record.trace is not None:
            np.testing.assert_array_equal(record.trace.log10_norms, other.trace.log10_norms)
            np.testing.assert_array_equal(record.trace.stack.layers[0].U, other.trace.stack.layers[0].U)
    return True


def own_memory(pid):
    """Without the libraries' files, of which systems map more or less at once."""
    memory = psutil.Process(pid).memory_info()
    return memory.rss - memory.shared


def is_alive(pid):
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def ends(pid):
    """Waits until a process has ended."""
    end = time.monotonic() + WAIT
    while is_alive(pid):
        assert time.monotonic() < end, "the process did not end"
        time.sleep(0.02)


def killed(job):
    """Kills the process of a job that trains, and waits until that is known."""
    os.kill(job.pid, signal.SIGKILL)
    stands_still(job)


@pytest.mark.parametrize("text", [None, "to be or not to be"])
def test_a_process_measures_to_the_bit_what_a_run_here_does(text):
    runs = [run_of(cell=cell, gradient_noise=0.01) for cell in ("rnn", "gru")]
    if text is not None:
        runs = [Run(SMALL.replace(cell="gru"), TASKS["text"], Recipe(updates=9, trace_every=4))]
    job = Job(runs)
    job.start()
    train(job)
    for run, records in zip(job.runs, job.records, strict=True):
        here = Replay.of(run).run()
        assert same(records, here.advance(LONG))
        assert here.trained == run.trained


def test_a_training_whose_process_is_killed_says_so_keeps_all_it_measured_and_continues_to_the_same_bits(monkeypatch):
    monkeypatch.setattr(job_module, "STATES_EVERY", 3600.0)  # no weights come before the end
    job = Job([run_of(LONG)])
    job.start()
    train(job, until=5)
    killed(job)
    reached = job.done
    assert 5 <= reached == len(job.records[0])
    assert job.error is not None
    assert f"ended by signal 9 after update {reached}." in job.error
    assert f"from the weights of update 0 and makes {reached} updates again" in job.error
    assert not job.running
    job.start()
    train(job, until=reached + 5)
    job.pause()
    assert job.error is None
    assert same(job.records[0], run_of(LONG).advance(job.done))
    assert job.runs[0].done == job.done


def test_what_a_killed_training_has_learned_is_kept_as_a_file_that_trains_on(monkeypatch):
    monkeypatch.setattr(job_module, "STATES_EVERY", 0.0)  # weights come with every news
    job = Job([run_of(LONG)])
    job.start()
    train(job, until=5)
    killed(job)
    [run] = job.runs
    assert 5 <= run.done == job.done
    here = run_of(LONG).after(run.done)
    opened = checkpoints.load(checkpoints.save(run))
    assert opened.trained == here.trained
    assert opened.advance(3)[-1].loss == here.advance(3)[-1].loss


def test_a_process_that_is_killed_before_it_is_ready_is_reported_too():
    places = Places(most=1)
    job = Job([run_of()], places=places)
    job.start()
    while not job.is_starting:
        time.sleep(0.001)
    killed(job)
    assert not job.is_starting
    assert job.error == (
        "The process that trains ended by signal 9 before it had made an update. Start the training again."
    )
    job.start()
    train(job)
    places.close()
    assert len(job.records[0]) == 30


def breaks(steps, batch_size, generator):
    """A task that fails now and then: at seed 5 after some updates."""
    if generator.integers(9) == 0:
        raise RuntimeError("the batch is broken")
    return TASKS["adding"].draw(steps, batch_size, generator)


def test_what_an_update_raises_is_reported_with_all_that_was_measured_before():
    def broken():
        return Run(SMALL.replace(seed=5), replace(TASKS["adding"], draw=breaks), Recipe(updates=1000))

    job = Job([broken()])
    job.start()
    train(job)
    assert job.error == "RuntimeError: the batch is broken"
    here = broken()
    with pytest.raises(RuntimeError):
        here.advance(1000)
    assert job.done == len(job.records[0]) == here.done > 9
    other = Job([run_of()])
    other.start()
    train(other)
    assert len(other.records[0]) == 30


SLOW = Experiment(cell="lstm", hidden_size=512, steps=400, batch_size=64)  # ten seconds an update


LARGE_PARENT = """
import subprocess, sys
taken = b"x" * (1200 * 2**20)
program = "from gradlab.training import worker; print(worker.most_bytes())"
print(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout)
"""


def test_a_process_that_a_large_server_starts_is_not_taken_for_a_large_one():
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", LARGE_PARENT]
    said = subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout
    assert 100 * 2**20 < int(said) < 1000 * 2**20


@pytest.mark.parametrize("end", ["pause", "left"])
def test_an_update_that_takes_long_is_ended_in_its_middle(end, monkeypatch):
    record = run_of().measured()
    monkeypatch.setattr(Run, "measured", lambda run: record)  # here nothing that long is measured
    job = Job([Run(SLOW, "adding", Recipe(updates=5))])
    job.start()
    while job.pid is None:
        time.sleep(0.01)
    pid = job.pid
    while own_memory(pid) < 600 * 2**20:  # until it is at the update
        time.sleep(0.01)
    getattr(job, end)()
    stands_still(job)
    ends(pid)  # one that had stopped in order would wait for another training


def test_a_process_that_ended_by_itself_is_not_stopped_by_what_it_was_told_too_late():
    process = TrainingProcess()
    measured = []
    for updates in (2, 5):
        run = run_of(updates)
        process.begin(Begin((Replay.of(run),), (run.state,), 0.0))
        while not isinstance(news := process.news(WAIT), Ended):
            assert isinstance(news, tuple)
            assert not isinstance(news, Died)
            measured += news.records[0] if isinstance(news, News) else []
        process.stop()
    process.end()
    assert [record.update for record in measured] == [0, 1, 0, 1, 2, 3, 4]


def test_a_process_has_none_of_the_servers_sockets_and_files(tmp_path):
    with socket.socket() as listening, (tmp_path / "open").open("w") as file:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        for descriptor in (listening.fileno(), file.fileno()):
            os.set_inheritable(descriptor, True)
        process = TrainingProcess()
        assert process.is_ready(WAIT)
        held = psutil.Process(process.pid)
        try:
            assert held.net_connections() == []
            assert str(tmp_path / "open") not in [opened.path for opened in held.open_files()]
        finally:
            process.end()


SERVER = """
import os, signal, sys, time
print("once")
from gradlab.settings.experiment import Experiment
from gradlab.training import Recipe, Run
from gradlab.ui.training.job import Job
from gradlab.ui.training.places import PLACES
job = Job([Run(Experiment(hidden_size=4, steps=10, batch_size=2), "adding", Recipe(updates=1_000_000))])
job.start()
while job.done < 3:
    time.sleep(0.01)
print(job.pid, flush=True)
if sys.argv[1] == "idle":
    job.pause()
if sys.argv[1] == "exit":
    sys.exit()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("way", ["idle", "at work", "exit"])
def test_the_process_ends_with_its_server_whose_program_it_does_not_run(way, tmp_path):
    program = tmp_path / "server.py"  # without a guard: multiprocessing would run it again
    program.write_text(SERVER)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(program), way]
    server = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert server.returncode == (0 if way == "exit" else -signal.SIGKILL), server.stderr
    once, pid = server.stdout.split()
    assert once == "once"
    ends(int(pid))


def test_where_there_are_more_trainings_than_places_they_take_turns(job_at_one_place, monkeypatch):
    monkeypatch.setattr(job_module, "TURN", 0.0)
    monkeypatch.setattr(job_module, "GRACE", WAIT)  # however long an update takes, its process is not ended
    jobs = [job_at_one_place(run_of(LONG, cell=cell)) for cell in ("rnn", "gru")]
    pids = set()
    for job in jobs:
        job.start()
    end = time.monotonic() + WAIT
    while min(job.done for job in jobs) < 5:
        working = {job.pid for job in jobs} - {None}
        assert len(working) <= 1
        pids |= working
        assert {job.ahead for job in jobs} <= {None, 0, 1}
        assert time.monotonic() < end
        time.sleep(0.001)
    for job in jobs:
        job.pause()
    assert len(pids) == 1, "the process of one goes to the next"
    for job, cell in zip(jobs, ("rnn", "gru"), strict=True):
        assert same(job.records[0], run_of(LONG, cell=cell).advance(job.done))


def test_a_training_that_waits_for_a_place_can_be_paused_and_gives_its_turn_to_the_next(job_at_one_place):
    first, second, third = jobs = [job_at_one_place(run_of(LONG)) for _ in range(3)]
    for job in jobs:
        job.start()
        while job is not first and job.ahead is None:
            time.sleep(0.001)
    assert [job.ahead for job in jobs] == [None, 0, 1]
    second.pause()
    assert [job.ahead for job in jobs] == [None, None, 0]
    assert second.done == 0
    first.pause()
    train(third, until=1)
    third.pause()


def test_a_spare_process_is_one_and_does_not_wait_for_ever():
    places = Places(most=2, idle=0.5)
    places.warm()
    spare = places._spare
    places.warm()
    assert places._spare is spare
    ends(spare.pid)
    assert places._spare is None
