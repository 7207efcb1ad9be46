"""Work ends with its visitor: after the tab is closed, or at another setting, the server falls idle."""

import time

import psutil
import pytest

from tests.conftest import start_server, stop_server
from tests.visitor import Visitor, button_of, is_finished, progress_of, seconds_at_work, until_idle

pytestmark = pytest.mark.slow

LONG = {  # page → address whose answer takes ten seconds or more
    "weights": "hidden_size=1024&depth=8",
    "itemised": "steps=100000&hidden_size=8&batch_size=8",
    "gates": "steps=100000&hidden_size=64&batch_size=1&gates_units=true&gates_spread=true",
    "gradient_flow": "steps=1000000&depth=8&hidden_size=8&batch_size=1&input_size=1",
    "truncation": "steps=20000&hidden_size=64&batch_size=8&truncation=windows&k1=25&k2=50",
    "jacobians": "steps=300&hidden_size=256&depth=1",
    "why_addition": "steps=20000&hidden_size=64&batch_size=4",
}
AFTER = 3.0  # processor seconds that may be used once nobody waits: one matrix's eigenvalues, and the end of the page


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    process, url = start_server(tmp_path_factory.mktemp("server") / "log.txt")
    try:
        with Visitor(url, "", "") as visitor:  # compiles or loads the kernels
            visitor.wait_for(is_finished)
        until_idle(psutil.Process(process.pid))
        yield psutil.Process(process.pid), url
    finally:
        stop_server(process)


def begun(visitor):
    """Begins what the page asks about first, and waits for a progress bar that says how long it still takes."""

    def is_begun(message):
        if (button := button_of(message, "Begin")) is not None:
            visitor.run(click=button)
        return progress_of(message).endswith(" left")

    return progress_of(visitor.wait_for(is_begun))


@pytest.mark.parametrize("page", LONG)
def test_a_closed_tab_leaves_the_server_idle(server, page):
    process, url = server
    with Visitor(url, page, LONG[page]) as visitor:
        assert begun(visitor)
    assert until_idle(process) < AFTER


def test_another_setting_ends_the_work_for_the_setting_before(server):
    process, url = server
    with Visitor(url, "weights", LONG["weights"]) as visitor:
        assert begun(visitor)
        visitor.run("hidden_size=8&depth=1")
        visitor.wait_for(is_finished, seconds=20)
        assert until_idle(process) < AFTER


def test_a_closed_tab_ends_its_training_though_nobody_pauses_it(server):
    process, url = server
    query = "task_steps=500&task_batch=128&updates=10000&hidden_size=64&cells=GRU"
    with Visitor(url, "training", query) as visitor:
        start = visitor.wait_for(lambda message: button_of(message, "Start training") is not None)
        visitor.wait_for(is_finished)
        visitor.run(click=button_of(start, "Start training"))
        visitor.wait_for(lambda message: progress_of(message).startswith("Update"))
        before = seconds_at_work(process)
        time.sleep(3)
        assert seconds_at_work(process) - before > 0.3, "it trains"
    assert until_idle(process) < AFTER


def test_what_takes_long_is_begun_by_a_button_alone(server):
    process, url = server
    with Visitor(url, "weights", LONG["weights"]) as visitor:
        said = visitor.wait_for(lambda message: "take about" in message.delta.new_element.text.body)
        assert "Lower steps, hidden_size" in said.delta.new_element.text.body
        visitor.wait_for(is_finished)
        assert until_idle(process) < AFTER
