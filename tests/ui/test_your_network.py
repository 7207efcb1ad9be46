"""The page of a visitor's own network: the diagnosis, what would help, and every other page on the same network."""

import numpy as np
import pytest

import gradlab
from gradlab.analyses.worst import worst
from gradlab.training import example
from gradlab.watching import folder, log
from gradlab.words import your_network as words
from tests.ui.conftest import ROOT
from tests.ui.test_opened import PAGES, drawn, page
from tests.ui.training_to_follow import train

SMALL = {"steps": "40", "batch_size": "2"}


def said(app):
    return [text.value for text in (*app.markdown, *app.caption)]


def remedies_of(app):
    (one,) = app.session_state["settings"].subjects
    found = gradlab.trace(one)
    return gradlab.remedies(found, layer=worst(found).diagnosis.layer)


def test_it_opens_with_an_example_that_was_trained_and_says_where_its_gradient_dies(open_app):
    app = open_app("your_network", **SMALL)
    (one,) = app.session_state["settings"].subjects
    assert one == example().replace(steps=40, batch_size=2)
    assert one.weights.updates > 0
    found = worst(gradlab.trace(one))
    assert any(words.where(found, 2) in text for text in said(app))
    assert found.diagnosis.sentence in said(app)
    assert any("An example, trained by gradlab itself" in text for text in said(app))


def test_a_remedy_chosen_moves_the_line_to_what_the_library_computes(open_app):
    app = open_app("your_network", **SMALL)
    found = remedies_of(app)
    for place in (0, 1, len(found) - 1):
        app.selectbox(key="your_network_remedy").set_value(found[place].title).run()
        assert not app.exception
        rows = [row for row in drawn(app, "line") if row.get("log10_relative") is not None]
        for line, values in (("now", found[place].log10_now), ("after", found[place].log10_relative)):
            shown = {row["step"]: row["log10_relative"] for row in rows if row["line"] == line}
            expected = {step: value for step, value in enumerate(values) if np.isfinite(value)}
            assert shown == pytest.approx(expected, abs=1e-6)
        assert found[place].code in [code.value for code in app.code]
        assert any(found[place].reason in text and found[place].cost in text for text in said(app))


def test_every_remedy_is_listed_with_those_that_do_not_help(open_app):
    app = open_app("your_network", **SMALL)
    found = remedies_of(app)
    (table,) = app.dataframe
    assert list(table.value["Remedy"]) == [remedy.title for remedy in found]
    assert list(table.value["Helps"]) == ["yes" if remedy.helps else "no" for remedy in found]
    assert set(table.value["Helps"]) == {"yes", "no"}


def test_the_example_is_one_click_from_every_page_and_stays_in_this_session(open_app):
    app = open_app("your_network", **SMALL)
    app.button(key="open yours").click().run()
    assert not app.exception, app.exception
    (one,) = app.session_state["settings"].subjects
    for name in ("gradient_flow", "why_addition", "gates"):
        page(app, name)
        (now,) = app.session_state["settings"].subjects
        assert now.weights == one.weights
        assert "trained on “Adding problem” for 40 updates" in " ".join(said(app))
    page(app, "your_network")
    assert not any("An example" in text for text in said(app))
    assert "opened" not in open_app("gradient_flow").session_state, "another visitor's"


def test_the_page_is_short():
    assert len((ROOT / "pages" / "your_network.py").read_text().splitlines()) <= 40


# logs


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    """The folder with the log of a training of somebody's own, and its network."""
    where = tmp_path_factory.mktemp("logs")
    train(where / "run.jsonl", 5)
    (where / "note.txt").write_text("no log")
    return where


def test_without_a_folder_of_the_server_no_log_is_offered_and_the_page_says_how(open_app, monkeypatch):
    monkeypatch.delenv("GRADLAB_LOGS", raising=False)
    app = open_app("your_network", **SMALL)
    assert not [widget for widget in app.multiselect if widget.key == "logs chosen"]
    assert any("GRADLAB_LOGS" in text for text in said(app))


@pytest.mark.slow
def test_a_log_of_the_folder_is_followed_and_its_network_is_what_the_page_is_about(open_app, monkeypatch, logged):
    monkeypatch.setenv("GRADLAB_LOGS", str(logged))
    app = open_app("your_network", **SMALL)
    chosen = app.multiselect(key="logs chosen")
    assert chosen.options == ["run.jsonl"]
    chosen.set_value(["run.jsonl"]).run()
    assert not app.exception, app.exception
    (one,) = app.session_state["settings"].subjects
    kept = folder.network_of(logged, "run.jsonl", "rnn")
    assert one.recorded == kept.recorded
    assert (one.settings.steps, one.settings.batch_size) == (60, 4)
    sentence = log.read(logged / "run.jsonl").diagnoses.iloc[-1]["sentence"]
    assert any(f"update {kept.recorded.update}" in text and sentence in text for text in said(app))
    found = worst(gradlab.trace(one))
    assert any(words.where(found, 2) in text for text in said(app))
    assert not any("An example" in text for text in said(app))
    app.button(key="open yours").click().run()
    for name in PAGES:
        page(app, name)
        assert app.get("vega_lite_chart") or name == "phase_map", name  # which is measured while it is looked at
    page(app, "gradient_flow")
    (now,) = app.session_state["settings"].subjects
    assert now.recorded == kept.recorded
    rows = {row["step"]: row["log10_relative"] for row in drawn(app, "log10_relative")
            if row.get("layer") == 0 and row.get("state") == "h" and "lag" in row}  # fmt: skip
    expected = gradlab.trace(kept).table.query("layer == 0 and state == 'h'")
    np.testing.assert_allclose([rows[step] for step in expected["step"]], expected["log10_relative"], atol=1e-5)
    another = open_app("your_network", **SMALL)
    assert "yours" not in another.session_state, "another visitor's"


def test_a_later_update_can_be_taken_when_it_is_there(open_app, monkeypatch, logged, tmp_path):
    for file in logged.glob("run*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    monkeypatch.setenv("GRADLAB_LOGS", str(tmp_path))
    app = open_app("your_network", **SMALL)
    app.multiselect(key="logs chosen").set_value(["run.jsonl"]).run()
    before = app.session_state["settings"].one.recorded.update
    assert not [button for button in app.button if button.key == "take run.jsonl"]
    (tmp_path / "run.jsonl").unlink()
    train(tmp_path / "run.jsonl", 9)
    app.run()
    app.button(key="take run.jsonl").click().run()
    assert not app.exception, app.exception
    assert app.session_state["settings"].one.recorded.update > before


def test_what_is_uploaded_is_opened_or_refused_with_a_sentence(open_app, monkeypatch, logged):
    monkeypatch.delenv("GRADLAB_LOGS", raising=False)
    app = open_app("your_network", **SMALL)
    uploader = app.file_uploader(key="logs uploaded")
    uploader.upload("run.jsonl", (logged / "run.jsonl").read_bytes()).run()
    assert any("run.jsonl, update" in text for text in said(app))
    app.file_uploader(key="logs uploaded").upload("run.rnn.safetensors", (logged / "run.rnn.safetensors").read_bytes())
    app.run()
    assert not app.exception, app.exception
    assert app.session_state["settings"].one.recorded.part == "rnn"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.jsonl", b""),
        ("a.jsonl", b"{}\n"),
        ("a.jsonl", b"\xff\xfe\n"),
        ("a.jsonl", b'{"gradlab": "watch 9"}\n'),
        ("a.jsonl", b'{"gradlab": "watch 1"}\n{"update": 1, "part": [], "seconds": "x"}\n'),
        ("a.jsonl", b"[" * 100_000 + b"\n"),
        ("a.safetensors", b"\x00" * 64),
        ("a.safetensors", b""),
    ],
)
def test_a_file_that_is_no_log_and_no_network_is_refused_with_a_sentence(open_app, name, data):
    app = open_app("your_network", **SMALL)
    app.file_uploader(key="logs uploaded").upload(name, data).run()
    assert not app.exception, app.exception
    assert "This cannot be opened" in " ".join(str(text.value) for text in (*app.error, *app.warning, *app.markdown))
