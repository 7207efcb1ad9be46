"""Answers are made once for all who wait, kept by bytes, and abandoned when nobody waits any more."""

import threading
import time

import numpy as np
import pandas as pd
import psutil
import pytest

from gradlab.ui import work
from gradlab.ui.kept import MISSING, MOST_BYTES, Kept, bytes_of, most_bytes
from gradlab.ui.work import Abandoned, holding, kept_or_made


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """A store of two megabytes."""
    monkeypatch.setattr(work, "KEPT", Kept(2 * 2**20))


class Left(Exception):
    """The visitor leaves."""


def in_a_thread(call):
    thread = threading.Thread(target=call)
    thread.start()
    return thread


def test_beyond_its_bytes_the_longest_unused_values_go():
    kept, half = Kept(1000), np.zeros(50)
    for key in "abc":
        kept.put(key, half.copy())
        kept.get("a")
    assert [kept.get(key) is MISSING for key in "abc"] == [False, True, False] or kept.bytes <= 1000
    assert kept.get("b") is MISSING
    assert kept.get("a") is not MISSING
    kept.put("larger than all", np.zeros(1000))
    assert kept.bytes <= 1000
    assert kept.get("larger than all") is MISSING
    assert kept.get("a") is not MISSING, "it takes nobody's room"


def test_what_just_fits_is_kept_and_its_bytes_are_counted_once():
    value = np.zeros(50)
    size = bytes_of(value)
    alone, two = Kept(size), Kept(2 * size)
    alone.put("a", value)
    assert alone.get("a") is value
    for key, count in (("a", 1), ("a", 1), ("b", 2), ("a", 2)):
        two.put(key, value.copy())
        assert two.bytes == size * count
    assert not any(two.get(key) is MISSING for key in "ab"), "two of them fill it"
    two.put("c", value)
    assert two.bytes == 2 * size
    two.clear()
    assert (two.bytes, two.get("c") is MISSING) == (0, True)
    two.put("d", value)
    assert two.bytes == size


def test_the_server_keeps_a_sixteenth_of_the_memory_and_a_gigabyte_at_most():
    assert most_bytes(4 * 2**30) == 2**30 / 4
    assert most_bytes(16 * 2**30) == most_bytes(2**40) == 2**30
    assert most_bytes(psutil.virtual_memory().total) == MOST_BYTES


def test_a_view_counts_as_all_that_it_keeps_alive_and_an_array_once():
    whole = np.zeros(10_000)
    view = {"some": whole[:10], "others": [whole[20:30]]}
    assert whole.nbytes <= bytes_of(view) < whole.nbytes + 2000
    table = pd.DataFrame({"x": whole, "name": "LSTM", "drawn": whole > 0})
    held = int(table.memory_usage(index=False).sum())
    assert held <= bytes_of((table,)) < held + 2000


def test_a_small_table_counts_as_what_its_columns_hold_at_least():
    table = pd.DataFrame({"z": np.zeros(30), "lag": np.arange(30), "says": [f"box {number}" for number in range(30)]})
    for held in (table, table.assign(cell="LSTM", drawn=True), table.astype(object), table[["z", "lag"]]):
        assert held.memory_usage(index=False).sum() <= bytes_of(held) < 2 * held.size * 8


def test_what_two_ask_for_at_once_is_made_once():
    made, found, begin = [], [], threading.Event()

    def make(progress):
        made.append(1)
        begin.wait(10)
        return "answer"

    threads = [in_a_thread(lambda: found.append(kept_or_made("key", make, lambda fraction: None))) for _ in range(3)]
    time.sleep(0.2)
    begin.set()
    for thread in threads:
        thread.join()
    assert (made, found) == ([1], ["answer"] * 3)


def leaving_after(seconds):
    deadline = time.monotonic() + seconds

    def watch(fraction):
        if time.monotonic() > deadline:
            raise Left

    return watch


def test_work_ends_when_the_last_who_waits_leaves_and_not_before():
    ended, begun = threading.Event(), time.monotonic()

    def make(progress):
        try:
            while time.monotonic() - begun < 20:
                time.sleep(0.01)
                progress(0.5)
        except Abandoned:
            ended.set()
            raise

    def wait(seconds):
        with pytest.raises(Left):
            kept_or_made("key", make, leaving_after(seconds))

    first, second = in_a_thread(lambda: wait(0.1)), in_a_thread(lambda: wait(0.8))
    first.join()
    assert not ended.wait(0.3), "the other still waits"
    second.join()
    assert ended.wait(2)
    assert not work._under_way


def test_a_page_is_left_at_once_though_the_work_says_nothing():
    begun, free = time.monotonic(), threading.Event()
    with pytest.raises(Left):
        kept_or_made("key", lambda progress: free.wait(10), leaving_after(0.1))
    assert time.monotonic() - begun < 2
    free.set()


def test_an_error_reaches_everyone_who_waits_and_is_not_kept():
    def fails(progress):
        raise ValueError("no")

    for watch in (None, lambda fraction: None):
        with pytest.raises(ValueError, match="no"):
            kept_or_made("failing", fails, watch)
    assert kept_or_made("failing", lambda progress: "yes") == "yes"


def test_a_run_of_a_page_holds_what_the_store_has_no_room_for():
    made = []

    def make(progress):
        made.append(1)
        return np.zeros(2**20)  # eight megabytes

    with holding():
        for _ in range(3):
            kept_or_made("large", make)
    assert len(made) == 1
    kept_or_made("large", make)
    assert len(made) == 2
    assert work.KEPT.bytes == 0


def test_who_waits_hears_how_far_the_work_is_from_nothing_on():
    heard, goes_on = [], threading.Event()

    def make(progress):
        goes_on.wait(10)
        progress(0.25)
        goes_on.clear()
        goes_on.wait(10)
        return "answer"

    def watch(fraction):
        heard.append(fraction)
        if len(heard) in (2, 4):
            goes_on.set()

    assert kept_or_made("key", make, watch) == "answer"
    assert heard[:2] == [0.0, 0.0]
    assert {*heard} == {0.0, 0.25}


def test_memory_is_given_back_after_long_work_alone(monkeypatch):
    given = []
    monkeypatch.setattr(work, "give_back", lambda: given.append(1))
    kept_or_made("short", lambda progress: 1)
    assert not given
    kept_or_made("long", lambda progress: time.sleep(1.5 * work.LARGE_SECONDS))
    assert given


def test_work_that_has_ended_leaves_no_one_waiting_and_can_be_asked_for_again():
    for _ in range(2):
        assert kept_or_made("key", lambda progress: "answer", lambda fraction: None) == "answer"
        assert not work._under_way
        work.KEPT.clear()


def test_what_is_kept_is_made_once_and_held_by_a_page_that_has_asked_for_it():
    made = []

    def make(progress):
        made.append(1)
        return "answer"

    for _ in range(2):
        assert kept_or_made("key", make) == "answer"
    assert made == [1]
    with holding():
        assert kept_or_made("key", make) == "answer"
        work.KEPT.clear()
        assert kept_or_made("key", make) == "answer"
    assert made == [1]
    assert work.kept("key") is MISSING
