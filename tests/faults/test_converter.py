"""The process that converts pictures dies, hangs or takes too much: a sentence, and the next picture is made."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import altair as alt
import pandas as pd
import pytest

from gradlab import exports
from gradlab.exports.converter import Converter, NotConverted

ROOT = Path(__file__).resolve().parents[2]
FORBIDDEN = "\x00\x07\x08\x0b\x0c\x1b\ufffe\uffff"
SMALL = {"mark": "point", "data": {"values": [{"x": 1}]}, "encoding": {"x": {"field": "x", "type": "quantitative"}}}
KINDS = {"PNG": b"\x89PNG", "SVG": b"<svg", "PDF": b"%PDF"}


@pytest.fixture
def converter():
    made = Converter()
    yield made
    made.close()


def converted(converter, spec=SMALL, kind="svg"):
    return converter.convert(kind.upper(), f"vegalite_to_{kind}", vl_spec=spec, allowed_base_urls=[])


def lines(rows):
    """A document of so many rows."""
    values = [{"x": x, "y": x % 97} for x in range(rows)]
    axes = {name: {"field": name, "type": "quantitative"} for name in "xy"}
    return {"mark": "line", "data": {"values": values}, "encoding": axes}


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("character", [*FORBIDDEN])
def test_a_label_with_a_character_that_xml_forbids_becomes_a_picture(kind, character):
    table = pd.DataFrame({"x": [1], "name": [f"a{character}b"]})
    chart = alt.Chart(table, title=f"t{character}").mark_text().encode(x="x:Q", text="name:N")
    assert exports.PICTURES[kind].write(chart, title=f"title {character}").startswith(KINDS[kind])


@pytest.mark.slow
def test_what_aborts_the_process_raises_a_sentence_and_the_next_picture_is_made(converter):
    """The oracle of the test above: unguarded, the character ends the process."""
    first = converted(converter)
    with pytest.raises(NotConverted, match=r"the SVG was not made: the process .* ended by signal 6"):
        converted(converter, SMALL | {"title": "a\x1bb"})
    assert converted(converter) == first


@pytest.mark.slow
def test_a_process_that_is_killed_at_work_raises_a_sentence_and_the_next_picture_is_made(converter):
    first, pid = converted(converter), converter.pid
    os.kill(pid, signal.SIGSTOP)  # so that it is at work for as long as it lives
    killer = threading.Timer(0.2, os.kill, (pid, signal.SIGKILL))
    killer.start()
    with pytest.raises(NotConverted, match=r"the PNG was not made: .*by signal 9.* export it again"):
        converted(converter, lines(10), "png")
    killer.join()
    assert converted(converter) == first
    assert converter.pid not in (None, pid)


@pytest.mark.slow
def test_a_process_that_is_killed_while_idle_is_not_missed(converter):
    first, pid = converted(converter), converter.pid
    os.kill(pid, signal.SIGKILL)
    time.sleep(0.1)
    assert converted(converter) == first


@pytest.mark.slow
def test_the_same_process_makes_picture_after_picture_and_is_ended_after_a_large_one(converter):
    converted(converter)
    pid = converter.pid
    converted(converter)
    assert converter.pid == pid
    converted(converter, lines(200) | {"description": "x" * 2**23})
    assert converter.pid is None
    assert not is_alive(pid)


@pytest.mark.slow
def test_a_conversion_that_takes_too_long_is_ended():
    converter, begin = Converter(most_seconds=0.3), time.monotonic()
    with pytest.raises(NotConverted, match=r"took more than 0.3 s"):
        converted(converter, lines(150_000))
    assert time.monotonic() - begin < 3
    assert converter.pid is None


@pytest.mark.slow
def test_a_conversion_that_takes_too_much_memory_is_ended():
    converter = Converter(most_bytes=700 * 2**20)
    assert converted(converter)
    with pytest.raises(NotConverted, match=r"in at most 0.7 GB"):
        converted(converter, lines(200_000), "pdf")
    converter.close()


@pytest.mark.slow
def test_a_document_that_is_refused_is_told_and_keeps_the_process(converter):
    converted(converter)
    pid = converter.pid
    with pytest.raises(ValueError, match="the SVG was not made: vl-convert refuses the chart"):
        converted(converter, {"mark": 3})
    assert converter.pid == pid


@pytest.mark.slow
def test_the_process_imports_the_converter_alone_and_starts_fast():
    begin = time.monotonic()
    converter = Converter()
    with pytest.raises(ValueError, match="refuses"):
        converter.convert("SVG", "vegalite_to_svg", vl_spec="no document")
    mapped = Path(f"/proc/{converter.pid}/maps").read_text()
    converter.close()
    assert time.monotonic() - begin < 2  # 0.4 s, of which the process 0.05 s
    assert "vl_convert" in mapped
    assert not any(name in mapped for name in ("torch", "numba", "pandas", "numpy"))


AT_WORK = """
import threading, time
values = [{"x": x, "y": x % 97} for x in range(150_000)]
axes = {"x": {"field": "x"}, "y": {"field": "y"}}  # without a type, so one band for each value, which takes minutes
large = {"mark": "line", "data": {"values": values}, "encoding": axes}
work = lambda: CONVERTER.convert("SVG", "vegalite_to_svg", vl_spec=large)
threading.Thread(target=work, daemon=True).start()
time.sleep(0.7)
"""


@pytest.mark.slow
@pytest.mark.parametrize("work", ["", AT_WORK], ids=["idle", "at work"])
def test_the_process_ends_with_a_server_that_is_killed(work):
    program = f"""
import os, signal
from gradlab.exports.converter import CONVERTER
CONVERTER.convert("SVG", "vegalite_to_svg", vl_spec={SMALL!r})
print(CONVERTER.pid, flush=True)
{work}
os.kill(os.getpid(), signal.SIGKILL)
"""
    server = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    assert server.returncode == -signal.SIGKILL, server.stderr
    deadline = time.monotonic() + 5
    while is_alive(int(server.stdout)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(int(server.stdout))


@pytest.mark.slow
def test_two_threads_get_their_own_pictures(converter):
    found = {}

    def make(name):
        found[name] = converted(converter, SMALL | {"title": name})

    threads = [threading.Thread(target=make, args=(name,)) for name in ("one", "two", "three")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(name in found[name].decode() for name in ("one", "two", "three"))


@pytest.mark.slow
def test_importing_the_exports_starts_no_process_and_loads_no_converter():
    program = "import sys; from gradlab.exports.converter import CONVERTER; import gradlab.exports; "
    program += "print(CONVERTER.pid, 'vl_convert' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    assert ran.stdout.split() == ["None", "False"]
