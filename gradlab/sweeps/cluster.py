"""A dask cluster in place of this machine's processes: its executor, and how many points it takes at a time.

`distributed` is no requirement: `pip install --group cluster`, or `pip install distributed`. The workers of the cluster
import gradlab, so it has to be installed there in the same version.
"""

from __future__ import annotations

from concurrent.futures import Executor
from typing import Any, NamedTuple

ADDRESS = "GRADLAB_CLUSTER"  # the environment variable: of the command, and of the app's operator
CONNECT_SECONDS = 10
EACH = 2  # points submitted for each thread of a worker: one is measured, the next is there


class Cluster(NamedTuple):
    """A connection to a scheduler."""

    client: Any  # distributed.Client

    @property
    def executor(self) -> Executor:
        """Of `concurrent.futures`, for `sweep`."""
        return self.client.get_executor(pure=False)

    @property
    def workers(self) -> dict[str, int]:
        """Threads of every worker that there is now, by its address."""
        return dict(self.client.nthreads())

    @property
    def in_flight(self) -> int:
        """Points submitted at a time: few for every worker, for the coordinator keeps the rest."""
        return EACH * max(sum(self.workers.values()), 1)

    def close(self) -> None:
        self.client.close()


def connect(address: str) -> Cluster:
    """Connects to the scheduler at an address, as `tcp://host:8786`.

    Raises ImportError where `distributed` is not installed, ValueError where nothing answers at the address.
    """
    try:
        from distributed import Client
    except ImportError:
        raise ImportError("a cluster needs dask's scheduler: pip install distributed") from None
    try:
        return Cluster(Client(address, timeout=CONNECT_SECONDS, set_as_default=False))
    except (OSError, ValueError, ImportError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"cluster = {address!r} does not answer: {reason}; use the address of a dask scheduler, as tcp://host:8786"
        ) from error
