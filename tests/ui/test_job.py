"""A job trains only while somebody looks, goes on from where it ended, and is one session's own."""

import time

import pytest

from gradlab.settings.experiment import Experiment
from gradlab.training import Recipe, Run
from gradlab.ui.training import job as job_module
from gradlab.ui.training.job import Job

SMALL = Experiment(cell="gru", hidden_size=4, steps=10, batch_size=2)


def job_of(updates=30, cells=("rnn", "gru")):
    return Job([Run(SMALL.replace(cell=cell), "adding", Recipe(updates=updates)) for cell in cells])


def until(condition, job=None, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass in time"
        if job is not None:
            job.watch()
        time.sleep(0.02)


def losses(job):
    return [[record.loss for record in records] for records in job.records]


def test_a_job_opens_with_one_record_a_run_and_trains_all_to_the_end_with_equally_many_updates():
    job = job_of()
    assert [len(records) for records in job.records] == [1, 1]
    assert not job.running
    job.start()
    until(lambda: job.finished, job)
    assert [len(records) for records in job.records] == [30, 30]
    assert losses(job)[1] == [r.loss for r in Run(SMALL, "adding", Recipe(updates=30)).records()]


def test_a_paused_job_stands_still_and_goes_on_as_if_it_had_not_been():
    job = job_of(updates=120)
    job.start()
    until(lambda: job.done > 5, job)
    job.pause()
    stood = job.done
    time.sleep(0.2)
    job.watch()
    assert job.done == stood
    assert not job.running
    job.start()
    until(lambda: job.finished, job)
    assert losses(job)[0] == [r.loss for r in Run(SMALL.replace(cell="rnn"), "adding", Recipe(updates=120)).records()]


def test_where_nobody_looks_the_thread_ends_and_the_next_look_goes_on(monkeypatch):
    monkeypatch.setattr(job_module, "PATIENCE", 0.2)
    job = job_of(updates=1_000_000)
    job.start()
    thread = job._thread
    until(lambda: not thread.is_alive())
    stood = job.done
    time.sleep(0.2)
    assert job.done == stood
    assert job.running
    job.watch()
    until(lambda: job.done > stood + 3, job)
    job.pause()


@pytest.mark.slow
def test_two_jobs_do_not_disturb_each_other():
    jobs = [job_of(updates=60), job_of(updates=60)]
    for job in jobs:
        job.start()
    until(lambda: all(job.finished for job in jobs), jobs[0])
    assert losses(jobs[0]) == losses(jobs[1]) == losses(alone())


def alone():
    job = job_of(updates=60)
    job.start()
    until(lambda: job.finished, job)
    return job


def test_an_error_in_the_thread_is_kept_for_the_page():
    job = job_of()
    job.runs[0].optimizer.step = None
    job.start()
    until(lambda: job.error is not None, job)
    assert not job.running


def test_a_diverged_run_ends_and_its_records_stay():
    wild = Run(SMALL.replace(cell="rnn_linear", gain=2.0, dtype="float32"), "adding",
               Recipe(updates=50, optimizer="sgd", learning_rate=10.0, clip_norm=None))  # fmt: skip
    job = Job([wild, Run(SMALL, "adding", Recipe(updates=50))])
    job.start()
    until(lambda: job.finished, job)
    assert job.records[0][-1].diverged is not None
    assert len(job.records[1]) == 50
