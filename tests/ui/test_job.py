"""A job trains while its page is open, resumes where it stopped, and is one session's own."""

import threading

import pytest

from gradlab.settings.experiment import Experiment
from gradlab.training import Recipe, Run
from gradlab.ui.training.job import Job
from tests.ui.jobs import stands_still, train

pytestmark = pytest.mark.slow  # each starts a process that trains, which loads torch
SMALL = Experiment(cell="gru", hidden_size=4, steps=10, batch_size=2)
LONG = 1_000_000  # updates


def job_of(updates=30, cells=("rnn", "gru"), **options):
    return Job([Run(SMALL.replace(cell=cell), "adding", Recipe(updates=updates)) for cell in cells], **options)


def losses(job):
    return [[record.loss for record in records] for records in job.records]


def alone(updates, cell="gru"):
    """The losses of a run in this process."""
    return [record.loss for record in Run(SMALL.replace(cell=cell), "adding", Recipe(updates=updates)).records()]


def test_a_job_opens_with_one_record_a_run_and_trains_all_to_the_end_with_equally_many_updates():
    job = job_of()
    assert [len(records) for records in job.records] == [1, 1]
    assert not job.running
    job.start()
    train(job)
    assert losses(job) == [alone(30, "rnn"), alone(30)]
    assert [run.done for run in job.runs] == [30, 30]


def test_a_paused_job_stands_still_and_continues_as_if_it_had_not_been():
    job = job_of(updates=20_000, cells=["gru"])
    job.start()
    train(job, until=6)
    job.pause()
    stood = job.done
    assert 6 <= stood < 20_000
    assert stood == job.runs[0].done == len(job.records[0])
    stands_still(job)
    job.attended()
    stands_still(job)
    assert not job.running, "a page that is drawn resumes only what is wanted"
    job.start()
    train(job, until=stood + 3)
    job.pause()
    assert job.done > stood
    assert losses(job) == [alone(job.done)]


@pytest.mark.parametrize("way", ["page", "session"])
def test_where_the_page_is_left_or_the_session_ends_nothing_trains_until_it_is_drawn_again(way):
    is_open = threading.Event()
    is_open.set()
    job = job_of(LONG, is_open=is_open.is_set)
    job.start()
    train(job, until=3)
    is_open.clear() if way == "session" else job.left()
    stands_still(job)
    assert job.running, "it is wanted still"
    stood = job.done
    is_open.set()
    job.attended()
    train(job, until=stood + 3)
    job.pause()
    assert job.done >= stood + 3


def test_pages_drawn_in_many_threads_begin_one_training():
    job, before = job_of(LONG), set(threading.enumerate())
    job.wanted = True
    pages = [threading.Thread(target=job.attended) for _ in range(20)]
    for page in pages:
        page.start()
    for page in pages:
        page.join()
    begun = [thread for thread in threading.enumerate() if thread.name == "training" and thread not in before]
    assert len(begun) == 1
    job.pause()
    assert not begun[0].is_alive()


def test_the_pace_is_counted_in_updates_per_second_at_work():
    job = job_of(cells=["gru"])
    assert job.pace == 0.0
    job.start()
    train(job)
    job.seconds = 4.0
    assert (job.pace, job.seconds_left) == (7.5, 0.0)


def test_two_jobs_do_not_disturb_each_other():
    jobs = [job_of(updates=60), job_of(updates=60)]
    for job in jobs:
        job.start()
    for job in jobs:
        train(job)
    assert losses(jobs[0]) == losses(jobs[1]) == [alone(60, "rnn"), alone(60)]


def test_a_diverged_run_ends_and_its_records_stay():
    wild = Run(SMALL.replace(cell="rnn_linear", gain=2.0, dtype="float32"), "adding",
               Recipe(updates=50, optimizer="sgd", learning_rate=10.0, clip_norm=None))  # fmt: skip
    job = Job([wild, Run(SMALL, "adding", Recipe(updates=50))])
    job.start()
    train(job)
    assert job.records[0][-1].diverged is not None
    assert len(job.records[1]) == 50
