"""A job trains only while it is polled, resumes where it ended, and is one session's own."""

import threading

import pytest

from gradlab.settings.experiment import Experiment
from gradlab.training import Recipe, Run
from gradlab.ui.training.job import PATIENCE, Job
from tests.ui.jobs import train

SMALL = Experiment(cell="gru", hidden_size=4, steps=10, batch_size=2)


class Clock:
    """Seconds that pass when a test says so; `read` is set whenever somebody has read them."""

    def __init__(self):
        self.now = 0.0
        self.read = threading.Event()

    def __call__(self):
        self.read.set()
        return self.now


def job_of(updates=30, cells=("rnn", "gru"), clock=None):
    runs = [Run(SMALL.replace(cell=cell), "adding", Recipe(updates=updates)) for cell in cells]
    return Job(runs, clock=clock or Clock())


def losses(job):
    return [[record.loss for record in records] for records in job.records]


def test_a_job_opens_with_one_record_a_run_and_trains_all_to_the_end_with_equally_many_updates():
    job = job_of()
    assert [len(records) for records in job.records] == [1, 1]
    assert not job.running
    job.start()
    train(job)
    assert [len(records) for records in job.records] == [30, 30]
    assert losses(job)[1] == [r.loss for r in Run(SMALL, "adding", Recipe(updates=30)).records()]


def test_a_paused_job_stands_still_and_continues_as_if_it_had_not_been():
    job = job_of(updates=120)
    job.start()
    train(job, until=6)
    job.pause()
    stood = job.done
    assert 6 <= stood < 120
    assert not job._thread.is_alive()
    job.polled()
    assert not job._thread.is_alive(), "a poll resumes only what is wanted"
    assert not job.running
    job.start()
    train(job)
    assert losses(job)[0] == [r.loss for r in Run(SMALL.replace(cell="rnn"), "adding", Recipe(updates=120)).records()]


def test_where_nobody_polls_the_thread_ends_and_the_next_poll_resumes():
    clock = Clock()
    job = job_of(updates=1_000_000, clock=clock)
    job.start()
    thread = job._thread
    clock.now += PATIENCE
    clock.read.clear()
    assert clock.read.wait(20), "it trains on"
    assert thread.is_alive(), "its patience is not over yet"
    clock.now += 0.1
    thread.join(20)
    assert not thread.is_alive()
    assert job.running
    stood = job.done
    job.polled()
    train(job, until=stood + 3)
    assert job._thread is not thread
    job.pause()
    assert job.done >= stood + 3


def test_polls_from_many_threads_begin_one_thread():
    job = job_of(updates=1_000_000)
    job.wanted = True
    polls = [threading.Thread(target=job.polled) for _ in range(20)]
    for poll in polls:
        poll.start()
    for poll in polls:
        poll.join()
    job.pause()
    assert not [thread for thread in threading.enumerate() if thread.name == "training"]


def test_the_pace_is_counted_in_updates_per_second_at_work():
    clock = Clock()
    job = job_of(updates=30, clock=clock)
    assert job.pace == 0.0
    for _ in range(10):
        job._round()
    job.seconds = 4.0
    assert (job.pace, job.seconds_left) == (2.5, 8.0)


@pytest.mark.slow
def test_two_jobs_do_not_disturb_each_other():
    jobs = [job_of(updates=60), job_of(updates=60)]
    for job in jobs:
        job.start()
    for job in jobs:
        train(job)
    alone = job_of(updates=60)
    alone.start()
    train(alone)
    assert losses(jobs[0]) == losses(jobs[1]) == losses(alone)


def test_an_error_in_the_thread_is_kept_for_the_page():
    job = job_of()
    job.runs[0].optimizer.step = None
    job.start()
    train(job)
    assert job.error is not None
    assert not job.running


def test_a_diverged_run_ends_and_its_records_stay():
    wild = Run(SMALL.replace(cell="rnn_linear", gain=2.0, dtype="float32"), "adding",
               Recipe(updates=50, optimizer="sgd", learning_rate=10.0, clip_norm=None))  # fmt: skip
    job = Job([wild, Run(SMALL, "adding", Recipe(updates=50))])
    job.start()
    train(job)
    assert job.records[0][-1].diverged is not None
    assert len(job.records[1]) == 50
