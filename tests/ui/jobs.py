"""Waiting for a job, as the page's fragment would."""

JOIN = 0.1  # seconds, after which the page would poll again
POLLS = 600


def train(job, until=None):
    """Polls until the job has ended, or has made some updates."""
    for _ in range(POLLS):
        if not job.running or (until is not None and job.done >= until):
            return
        job.polled()
        job._thread.join(JOIN if until is None else 0.001)
    raise AssertionError("the training did not end")
