"""A sweep on a dask cluster: a scheduler and two worker processes on loopback, one of which is killed in the middle."""

import os
import signal
import threading
import time
from functools import partial

import pytest

from gradlab.settings.experiment import Experiment
from gradlab.sweeps import points, read
from tests.sweeps import measures

distributed = pytest.importorskip("distributed", reason="pip install --group cluster")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]  # of dask's own threads

BASE = Experiment(cell="lstm", hidden_size=4, steps=20, batch_size=1)
AXES = {"gain": [0.5, 1.0, 1.5, 2.0, 2.5]}


@pytest.fixture(scope="module")
def client():
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with distributed.LocalCluster(host="127.0.0.1", **options) as cluster, distributed.Client(cluster) as client:
        yield client


def test_a_worker_that_is_killed_costs_no_point_and_no_bit(client, tmp_path):
    notes, store = tmp_path / "notes", tmp_path / "store"
    notes.mkdir()
    measure = partial(measures.noted, folder=str(notes), seconds=0.3)
    first, *_ = client.run(os.getpid).values()

    def kill():
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and (not store.is_dir() or len(read(store)) < 4):
            time.sleep(0.05)
        os.kill(first, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    table = points(BASE, AXES, measure, seeds=4, executor=client.get_executor(), store=store, in_flight=4)
    killer.join()
    assert first not in client.run(os.getpid).values()
    assert (table["status"] == "done").all()
    places = table[["gain", "seed"]].values.tolist()
    assert table["value"].tolist() == [measures.of_settings(BASE.replace(gain=gain, seed=int(s))) for gain, s in places]
    assert len(read(store)) == 20


def test_a_cluster_gives_the_bits_of_this_machines_processes(client):
    here = points(BASE, AXES, "rate", seeds=2)
    there = points(BASE, AXES, "rate", seeds=2, executor=client.get_executor(), in_flight=4)
    assert (here["status"] == "done").all()
    assert here["value"].tolist() == there["value"].tolist()


def test_the_point_that_kills_every_worker_is_found_on_a_cluster_too(client):
    table = points(BASE, {"gain": [1.0, 2.0]}, measures.killing, seeds=2, executor=client.get_executor(), in_flight=2)
    assert table["status"].tolist() == ["done", "done", "done", "killed"]
