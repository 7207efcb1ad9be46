"""Maps under way on a server: one for all who look, ended when nobody does, and resumed from what is kept."""

import threading
import time

import pytest

from gradlab import Experiment
from gradlab.sweeps import read
from gradlab.sweeps.maps import Plan, phase_map
from gradlab.ui import maps
from gradlab.ui.maps import Maps, Turns
from gradlab.ui.work import KEPT

SMALL = Experiment(cell="lstm", hidden_size=3, input_size=2, steps=10, batch_size=1)
WAIT = 120


def plan_of(seed=0, size=4):
    return Plan.of_settings(SMALL.replace(seed=seed), "keep_bias", size, 2)


@pytest.fixture
def server(tmp_path, monkeypatch):
    server = Maps(tmp_path, address="")
    yield server
    for one in list(server._under_way.values()):
        one.leave("a")
        one.join(WAIT)
    server.pool.end()


def here():
    return True


@pytest.fixture
def slow(monkeypatch):
    """Points that take a while, and say how many were measured."""
    made, measured = [], maps.running.measured

    def slowly(settings, measure):
        made.append(settings)
        time.sleep(0.03)
        return measured(settings, measure)

    monkeypatch.setattr(maps.running, "measured", slowly)
    monkeypatch.setattr(maps, "POOLED_FROM", 1e9)
    return made


def test_a_finished_map_is_what_the_library_measures_and_is_kept_for_every_page(server):
    plan = plan_of()
    one = server.of("finished map", plan, "a", here)
    one.join(WAIT)
    assert (one.is_over, one.error, one.fraction) == (True, "", 1.0)
    found = KEPT.get("finished map")
    assert found.table.equals(phase_map(SMALL, "keep_bias", 4, 2).table)
    assert not server._under_way


def test_all_who_look_at_a_map_share_it_and_the_last_one_ends_it(server, slow):
    plan = plan_of(1, 8)
    one = server.of("shared", plan, "a", here)
    assert server.of("shared", plan, "b", here) is one
    one.leave("a")
    time.sleep(0.2)
    assert not one.is_over
    begun = time.monotonic()
    one.leave("b")
    one.join(WAIT)
    assert one.is_over
    assert one.fraction < 1
    assert time.monotonic() - begun < 1 + WAIT * (len(slow) == 0)


def test_a_session_that_looks_at_another_map_or_ends_leaves_the_first(server, slow):
    first = server.of("first", plan_of(2, 8), "a", here)
    is_there = threading.Event()
    is_there.set()
    second = server.of("second", plan_of(3, 8), "a", is_there.is_set)
    first.join(WAIT)
    assert first.fraction < 1
    is_there.clear()
    second.join(WAIT)
    assert second.fraction < 1


def test_a_map_goes_on_after_a_restart_and_measures_no_point_again(server, slow, tmp_path):
    plan = plan_of(4, 6)
    one = server.of("before", plan, "a", here)
    while one.measured.count < 20:
        time.sleep(0.01)
    one.leave("a")
    one.join(WAIT)
    (folder,) = tmp_path.iterdir()
    stored = len(read(folder))
    assert 20 <= stored < len(plan)
    slow.clear()
    again = Maps(tmp_path, address="").of("after", plan, "a", here)
    again.join(WAIT)
    assert again.fraction == 1
    assert len(slow) == len(plan) - stored


def test_the_text_that_a_visitor_typed_is_written_nowhere(server, tmp_path):
    plan = Plan.of_settings(SMALL.replace(inputs="text", text="a secret"), "keep_bias", 3, 1)
    server.of("typed", plan, "a", here).join(WAIT)
    assert KEPT.get("typed").plan == plan
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_costs_no_map(tmp_path):
    (tmp_path / "file").touch()
    one = Maps(tmp_path / "file" / "maps", address="").of("unwritable", plan_of(5, 3), "a", here)
    one.join(WAIT)
    assert (one.error, one.fraction) == ("", 1.0)


def test_the_oldest_maps_go_where_too_much_is_kept(server, tmp_path, monkeypatch):
    plans = [Plan.of_settings(SMALL.replace(hidden_size=size), "keep_bias", 3, 1) for size in (2, 3, 4, 5)]
    for number, plan in enumerate(plans[:3]):
        server.of(f"kept {number}", plan, "a", here).join(WAIT)
    kept = {folder.name: sum(file.stat().st_size for file in folder.iterdir()) for folder in tmp_path.iterdir()}
    monkeypatch.setattr(maps, "MOST_BYTES", sum(kept.values()) + 100)
    server.of("one more", plans[3], "a", here).join(WAIT)
    assert [server.folder_of(plan).is_dir() for plan in plans] == [False, True, True, True]


def test_a_server_takes_so_many_maps_and_no_more(server, slow, monkeypatch):
    monkeypatch.setattr(maps, "MOST", 2)
    assert server.of("one", plan_of(10, 8), "a", here) is not None
    assert server.of("two", plan_of(11, 8), "b", here) is not None
    assert server.of("three", plan_of(12, 8), "c", here) is None
    for one in list(server._under_way.values()):
        one.leave("b")


def test_maps_take_turns():
    turns, clock = Turns(), {"first": object(), "second": object()}
    first, second = clock.values()
    turns.enter(first)
    turns.enter(second)
    assert (turns.is_mine(first), turns.is_mine(second), turns.ahead(second)) == (True, False, 1)
    turns._begun -= maps.TURN + 1
    assert (turns.is_mine(first), turns.is_mine(second), turns.ahead(first)) == (False, True, 1)
    turns.leave(second)
    assert turns.is_mine(first)


@pytest.mark.slow
def test_the_rest_of_a_map_goes_to_the_pool_which_ends_with_a_map_that_is_broken_off(server, monkeypatch):
    monkeypatch.setattr(maps, "COARSE_SECONDS", 0.0)
    monkeypatch.setattr(maps, "POOLED_FROM", 0.0)
    plan = Plan.of_settings(SMALL.replace(hidden_size=48, steps=800), "keep_bias", 21, 3)
    one = server.of("pooled", plan, "a", here)
    deadline = time.monotonic() + WAIT
    while not server.pool.pids and time.monotonic() < deadline:
        time.sleep(0.05)
    assert 0 < len(server.pool.pids) <= server.pool.size
    one.leave("a")
    one.join(WAIT)
    while server.pool.pids and time.monotonic() < deadline:
        time.sleep(0.05)
    assert server.pool.pids == []
    assert 0 < one.fraction < 1


def test_a_cluster_that_does_not_answer_leaves_the_pool(tmp_path, monkeypatch):
    monkeypatch.setattr(maps.cluster, "CONNECT_SECONDS", 0.2)
    server = Maps(tmp_path, address="tcp://127.0.0.1:1")
    assert server.executor()[0] is server.pool
    assert server.no_cluster
    assert server.workers() is None
