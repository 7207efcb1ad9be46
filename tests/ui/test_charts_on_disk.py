"""Compiled charts are read from the disk by the next server, and nothing that lies there ends a page."""

import pytest
import vl_convert

from gradlab.ui import charts_on_disk
from gradlab.ui.charts_on_disk import kept_vega_of


def document(field: str = "a") -> dict:
    return {"data": {"name": "rows"}, "mark": "line", "encoding": {"x": {"field": field, "type": "quantitative"}}}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(charts_on_disk, "cache_folder", lambda: tmp_path)
    return tmp_path


@pytest.fixture
def compiled(monkeypatch):
    """The documents that were compiled."""
    found = []

    def vega_of(asked):
        found.append(asked)
        return vl_convert.vegalite_to_vega(asked)

    monkeypatch.setattr(charts_on_disk, "vega_of", vega_of)
    return found


def test_a_chart_is_compiled_once_and_another_one_for_itself(folder, compiled):
    expected = vl_convert.vegalite_to_vega(document())
    assert kept_vega_of(document()) == expected
    assert kept_vega_of(document()) == expected
    assert kept_vega_of(document("b")) == vl_convert.vegalite_to_vega(document("b")) != expected
    assert compiled == [document(), document("b")]


@pytest.mark.parametrize("damage", [b"", b"{", b"[1]", b"\xff\xfe", b'{"marks": ['])
def test_a_damaged_file_is_compiled_anew(folder, compiled, damage):
    expected = kept_vega_of(document())
    (file,) = folder.iterdir()
    file.write_bytes(damage)
    assert [kept_vega_of(document()), kept_vega_of(document())] == [expected, expected]
    assert len(compiled) == 2, "the file is mended"


def test_other_compilers_have_other_charts(folder, compiled, monkeypatch):
    kept_vega_of(document())
    monkeypatch.setattr(charts_on_disk, "COMPILER", "another version")
    kept_vega_of(document())
    assert len(compiled) == len([*folder.iterdir()]) == 2


def test_so_many_are_kept_and_without_a_folder_none(folder, compiled, monkeypatch):
    monkeypatch.setattr(charts_on_disk, "MOST_FILES", 2)
    for field in "abc":
        kept_vega_of(document(field))
    assert len([*folder.iterdir()]) == 2
    for nowhere in (None, folder / "gone"):
        monkeypatch.setattr(charts_on_disk, "cache_folder", lambda nowhere=nowhere: nowhere)
        assert kept_vega_of(document("c")) == vl_convert.vegalite_to_vega(document("c"))
