"""Waiting for a job, as the page's fragment would."""

import time

WAIT = 120  # seconds; a process that trains takes some to start, and more where the machine is busy


def train(job, until=None):
    """Draws the job's page again and again until it has ended, or has made some updates."""
    end = time.monotonic() + WAIT
    while job.running and (until is None or job.done < until):
        assert time.monotonic() < end, "the training did not end"
        job.attended()
        time.sleep(0.01)


def stands_still(job):
    """Waits until nothing trains any more."""
    if job._thread is not None:
        job._thread.join(WAIT)
        assert not job._thread.is_alive(), "the training did not end"
    assert job.pid is None
