"""What a page draws is handed to the server's thread in bunches, all of it and in its order."""

import asyncio
import threading
from collections import Counter

import pytest
from streamlit.runtime.app_session import AppSession

from gradlab.ui.frame import bunches

COUNT = 500


def test_what_comes_from_several_threads_is_called_once_each_in_the_order_of_its_thread_and_wakes_the_loop_rarely():
    called, wakings = [], Counter()

    async def receive():
        loop = asyncio.get_running_loop()
        wake, all_there = loop.call_soon_threadsafe, asyncio.Event()

        def woken(*arguments):
            wakings["loop"] += 1
            return wake(*arguments)

        loop.call_soon_threadsafe = woken
        bunch = bunches.Bunches(loop)

        def take(name, number):
            called.append((name, number))
            if len(called) == 3 * COUNT:
                all_there.set()

        def send(name):
            for number in range(COUNT):
                bunch.add(lambda number=number: take(name, number))

        threads = [threading.Thread(target=send, args=(name,)) for name in "abc"]
        for thread in threads:
            thread.start()
        await asyncio.wait_for(all_there.wait(), 60)
        for thread in threads:
            thread.join()

    asyncio.run(receive())
    for name in "abc":
        assert [number for sender, number in called if sender == name] == [*range(COUNT)]
    assert wakings["loop"] < COUNT


def test_one_that_fails_keeps_none_of_the_others_back():
    called = []

    async def receive():
        loop = asyncio.get_running_loop()
        failures = []
        loop.set_exception_handler(lambda loop, context: failures.append(context["exception"]))
        bunch = bunches.Bunches(loop)
        bunch.add(lambda: 1 / 0)
        bunch.add(lambda: called.append("after it"))
        await asyncio.sleep(20 * bunches.SECONDS)
        assert [type(error) for error in failures] == [ZeroDivisionError]

    asyncio.run(receive())
    assert called == ["after it"]


def test_a_closed_loop_is_said_each_time():
    loop = asyncio.new_event_loop()
    loop.close()
    bunch = bunches.Bunches(loop)
    for _ in range(2):
        with pytest.raises(RuntimeError):
            bunch.add(lambda: None)


def test_streamlits_sessions_can_hand_over_in_bunches(monkeypatch):
    before = getattr(AppSession, bunches.METHOD)
    monkeypatch.setattr(AppSession, bunches.METHOD, before)
    loop = asyncio.new_event_loop()
    assert bunches.begin(loop)
    assert getattr(AppSession, bunches.METHOD) is not before
    loop.close()
