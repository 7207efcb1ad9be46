"""Files taken home: right kind, right size, the plotted numbers to the bit, the record inside, no request."""

import io
import json
import os
import re
import struct
import subprocess
import sys
import zlib
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import altair as alt
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gradlab
from gradlab import Experiment, exports, trace
from gradlab.analyses.thinning import bin_steps, line_ends
from gradlab.analyses.weights import eigenvalues as spectrum
from gradlab.charts.heatmap import layers_by_steps
from gradlab.charts.traces import lines, opening
from gradlab.charts.weights import eigenvalues
from gradlab.engine.compiled import cache_folder
from gradlab.exports.layout import Layout
from gradlab.training import Recipe, Run
from gradlab.training.checkpoints import save
from gradlab.words.numbers import number

ROOT = Path(__file__).resolve().parents[1]
EXPERIMENTS = tuple(
    gradlab.Experiment(cell=cell, steps=40, hidden_size=8, input_size=4, batch_size=3, seed=11)
    for cell in ("rnn", "gru")
)
NASTY = '기울기 </script><b>&amp; "quoted" ]]> ${scripts}'


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return pd.concat([gradlab.trace(one).table for one in EXPERIMENTS], ignore_index=True)


@pytest.fixture(scope="module")
def chart(table):
    return lines(table)


def png_chunks(data: bytes):
    """(kind, content) of every chunk, its checksum verified."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at = 8
    while at < len(data):
        (length,), kind = struct.unpack(">I", data[at : at + 4]), data[at + 4 : at + 8]
        content = data[at + 8 : at + 8 + length]
        (checksum,) = struct.unpack(">I", data[at + 8 + length : at + 12 + length])
        assert checksum == zlib.crc32(kind + content)
        yield kind, content
        at += 12 + length


@pytest.mark.parametrize("dpi", [96, 192, 336])
def test_a_png_of_the_screen_s_width_has_dpi_pixels_for_96_of_the_chart_s(chart, dpi):
    chunks = dict(png_chunks(exports.png(chart, EXPERIMENTS, layout=Layout(dpi=dpi))))
    assert struct.unpack(">II", chunks[b"IHDR"][:8]) == (900 * dpi / 96, 440 * dpi / 96)
    assert struct.unpack(">IIB", chunks[b"pHYs"]) == (round(dpi / 0.0254), round(dpi / 0.0254), 1)


@pytest.mark.parametrize(("width", "font_size", "dpi"), [(3.25, 8, 300), (6.75, 10, 150), (3.25, 6.5, 200)])
def test_every_kind_of_picture_is_as_wide_as_asked_for_and_its_labels_as_large(chart, tmp_path, width, font_size, dpi):
    def saved(name):
        path = exports.save(
            chart, tmp_path / name, EXPERIMENTS, title="T" * 9, width=width, font_size=font_size, dpi=dpi
        )
        assert path == tmp_path / name
        return path.read_bytes()

    pixels = struct.unpack(">I", dict(png_chunks(saved("figure.png")))[b"IHDR"][:4])
    assert pixels == (int(width * dpi),)
    (box,) = re.findall(rb"/MediaBox \[0 0 ([\d.]+) [\d.]+\]", saved("figure.pdf"))
    assert float(box) == width * 72
    drawing = saved("figure.svg").decode()
    (inches, left, of_chart) = re.search(
        r'<svg [^>]*width="([\d.]+)in"[^>]*viewBox="(\S+) 0 ([\d.]+)', drawing
    ).groups()
    assert (float(inches), float(left)) == (width, 0)
    tick = re.search(r'font-size="([\d.]+)px"[^>]*>20</text>', drawing)
    assert float(tick[1]) / float(of_chart) * width * 72 == pytest.approx(font_size, rel=2e-3)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"width": 0.5}, "width = 0.5 is not allowed: use 1 to 20 inches"),
        ({"font_size": "8"}, "font_size = '8' is not allowed: use 5 to 24 points"),
        ({"dpi": 0}, "dpi = 0 is not allowed: use 36 to 1200 dots an inch"),
        ({"width": float("nan")}, "width = nan is not allowed"),
        ({"width": 20, "dpi": 1200}, "at most 12000 are allowed, so use a dpi up to 600"),
        (
            {"path": "figure.tiff"},
            "path = 'figure.tiff' does not say which kind of picture: use a name that ends in .png",
        ),
    ],
)
def test_what_no_picture_can_have_is_refused_with_a_sentence_before_any_work(option, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        exports.save(None, **{"path": "figure.png"} | option)


def test_a_chart_of_fixed_size_stands_in_the_middle_of_a_picture_as_wide_as_asked_for():
    square = eigenvalues(spectrum(gradlab.Stack.from_experiment(EXPERIMENTS[0])))
    drawing = exports.svg(square, layout=Layout(width=6.75, font_size=9)).decode()
    left, width = map(float, re.search(r'viewBox="(\S+) 0 ([\d.]+)', drawing).groups())
    assert width == 648
    assert left < -100


def test_the_settings_that_are_not_at_their_defaults_stand_below_a_picture_unless_they_are_not_wanted(chart, tmp_path):
    changed = [one.replace(keep_bias=3.0, gain=1.5) for one in EXPERIMENTS]
    drawing = exports.save(chart, tmp_path / "figure.svg", changed).read_text()
    written = "".join(ElementTree.fromstring(drawing).itertext()).replace("\u00a0", " ")
    assert "RNN, GRU (keep-gate bias 3) · hidden size 8 · gain 1.5 · steps 40 · batch size 3 · input size 4" in written
    assert "seed 11" in written
    without = exports.save(chart, tmp_path / "figure.svg", changed, note="").read_text()
    assert "hidden size" not in without.partition("<metadata>")[0] + without.partition("</metadata>")[2]
    height, less = (float(re.search(r'height="([\d.]+)in"', text)[1]) for text in (drawing, without))
    assert height > less


def test_a_picture_without_heading_has_its_title_for_those_who_do_not_see_it(chart):
    drawing = exports.svg(chart, title="A title", subtitle="and more", layout=Layout(heading=False)).decode()
    root = ElementTree.fromstring(drawing)
    assert root.find("{http://www.w3.org/2000/svg}title").text == "A title"
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert not {"A title", "and more"} & set(texts)


def test_a_heading_makes_the_picture_higher_and_not_the_plot_lower(chart):
    plain, headed = exports.specification(chart), exports.specification(chart, title="Title", subtitle="Subtitle")
    assert headed["height"] == plain["height"] + exports.pictures.TITLE_LINE + exports.pictures.SUBTITLE_LINE
    assert headed["title"]["text"] == ["Title"]


def test_a_long_heading_is_broken_within_the_width_and_loses_no_word(chart):
    words = "RNN loses 26 decades over 100 steps while 기울기는 거의 사라진다 and the GRU keeps more of it " * 4
    title = exports.specification(chart, title=words, subtitle=words, layout=Layout(width=400 / 96))["title"]
    for key, size in (("text", 16), ("subtitle", 13)):
        assert " ".join(title[key]).split() == words.split()
        assert all(len(line) * size / 2 <= 400 for line in title[key])
        assert len(title[key]) > 4


def test_an_svg_keeps_its_text_and_titles_as_text(chart):
    data = exports.svg(chart, EXPERIMENTS, title=NASTY, subtitle="what came out").decode()
    root = ElementTree.fromstring(data)
    svg = "{http://www.w3.org/2000/svg}"
    assert root.find(f"{svg}title").text == NASTY
    assert root.find(f"{svg}desc").text == "what came out"
    written = ["".join(text.itertext()) for text in root.iter(f"{svg}text")]
    assert {NASTY, "what came out", "step t", "RNN", "GRU", "1"} <= set(written)


def test_still_pictures_leave_out_marks_of_the_pointer_and_interactive_ones_keep_them(chart):
    def rules(spec):
        return [layer for layer in spec["layer"] if layer["mark"].get("style") == exports.pictures.POINTER]

    assert rules(json.loads(exports.vega_lite(chart)))
    drawing = exports.svg(chart).decode()
    assert len(re.findall('class="mark-rule role-mark[^>]*><line', drawing)) == 0
    assert len(re.findall('class="mark-line role-mark[^>]*><path', drawing)) == 2


def pdf_information(data: bytes) -> dict[str, str]:
    """The information dictionary that the last trailer names, found by the last cross-reference table."""
    start = int(re.search(rb"startxref\s+(\d+)\s+%%EOF\s*$", data).group(1))
    number, offset = re.match(rb"xref\n0 1\n0{10} 65535 f\r\n(\d+) 1\n(\d{10}) 00000 n", data[start:]).groups()
    assert b"/Info %s 0 R" % number in data[start:]
    previous = int(re.search(rb"/Prev (\d+)", data[start:]).group(1))
    assert data[previous : previous + 4] == b"xref"
    entry = data[int(offset) :]
    assert entry.startswith(b"%s 0 obj" % number)
    pairs = re.findall(rb"/(\w+) <([0-9A-F]+)>", entry[: entry.index(b"endobj")])
    return {key.decode(): bytes.fromhex(text.decode()).decode("utf-16") for key, text in pairs}


def test_a_pdf_has_its_heading_and_record_where_its_last_table_points(chart):
    data = exports.pdf(chart, EXPERIMENTS, title=NASTY)
    assert data.startswith(b"%PDF-")
    about = pdf_information(data)
    assert about["Title"] == NASTY
    assert json.loads(about["Subject"]) == exports.record(EXPERIMENTS)


class Page(HTMLParser):
    """The tags of a page with their attributes, and what each script and heading holds."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.held: dict[str, str] = {}
        self.feed(data.decode())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        if not self.tags:
            return
        tag, attributes = self.tags[-1]
        key = attributes.get("id", tag)
        self.held[key] = self.held.get(key, "") + data


def test_an_html_page_asks_nobody_for_anything_and_carries_its_chart_and_record(chart):
    page = Page(exports.html(chart, EXPERIMENTS, title=NASTY, subtitle="what came out"))
    assert not [tag for tag, attributes in page.tags if {"src", "href", "srcset", "data"} & set(attributes)]
    assert {tag for tag, _ in page.tags} == {
        "html", "head", "meta", "title", "style", "body", "h1", "p", "div", "script"
    }  # fmt: skip
    policy = next(a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy
    assert page.held["title"].strip() == page.held["h1"].strip() == NASTY
    assert json.loads(page.held["gradlab"]) == exports.record(EXPERIMENTS)
    spec = json.loads(page.held["spec"])
    assert spec["width"] == "container"
    assert spec["description"].startswith(NASTY)
    assert "vegaEmbed" in page.held["script"]
    assert spec["usermeta"]["embedOptions"]["actions"]["editor"] is False  # the menu's one way out of the page


def test_a_chart_of_fixed_width_keeps_it_on_a_page():
    stack = gradlab.Stack.from_experiment(EXPERIMENTS[0])
    square = eigenvalues(spectrum(stack))
    spec = json.loads(Page(exports.html(square, title="λ")).held["spec"])
    assert spec["width"] == spec["height"] == 270


def drawn_values(spec: dict, column: str) -> list:
    """The column as the document's line layer holds it."""
    layer = next(layer for layer in spec["layer"] if layer["mark"]["type"] == "line")
    return [row[column] for row in spec["datasets"][layer["data"]["name"]]]


def test_a_vega_lite_document_holds_every_plotted_number_and_no_address_but_its_schema(chart, table):
    text = exports.vega_lite(chart, EXPERIMENTS).decode()
    spec = json.loads(text)
    assert drawn_values(spec, "log10_relative") == list(table["log10_relative"])
    assert spec["usermeta"]["gradlab"] == exports.record(EXPERIMENTS)
    assert re.findall(r"https?://[^\"]*", text) == [spec["$schema"]]
    alt.Chart.from_dict(spec)  # raises where the document breaks the schema


def test_more_rows_than_altair_allows_are_drawn_without_touching_its_global_settings():
    random = np.random.default_rng(0).normal(size=6000)
    step = np.arange(6000)
    long = pd.DataFrame({"cell": "rnn", "layer": 0, "state": "h", "step": step, "lag": step[::-1]})
    names = ("log10_norm", "log10_norm_min", "log10_norm_max", "log10_relative")
    long = long.assign(**dict.fromkeys((*names, "log10_relative_min", "log10_relative_max"), random))
    before = alt.data_transformers.active, alt.data_transformers.options
    assert drawn_values(exports.specification(lines(long)), "log10_relative") == list(random)
    assert (alt.data_transformers.active, alt.data_transformers.options) == before


def test_a_dark_chart_is_drawn_on_dark_paper(table):
    assert exports.specification(lines(table, dark=True))["background"] == "#0E1117"
    assert exports.specification(lines(table))["background"] == "#FFFFFF"


def test_a_table_in_a_chart_is_never_fetched_from_elsewhere():
    elsewhere = alt.Chart("https://example.invalid/table.csv").mark_point().encode(x="a:Q")
    with pytest.raises(ValueError, match="External data url not allowed"):
        exports.png(elsewhere)


def read_back(data: bytes) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(data))


def test_csv_gives_back_every_plotted_number_to_the_bit(table):
    table = table.copy()
    table.loc[3, "log10_norm"], table.loc[4, "log10_norm"] = -np.inf, np.nan
    pd.testing.assert_frame_equal(read_back(exports.csv(table)), table, check_exact=True, check_dtype=False)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(allow_nan=True, allow_infinity=True, width=64), min_size=1, max_size=30))
def test_csv_keeps_every_float(numbers):
    back = read_back(exports.csv(pd.DataFrame({"number": numbers})))
    np.testing.assert_array_equal(back["number"].to_numpy(dtype=float), np.array(numbers))


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r"])
def test_csv_text_that_a_spreadsheet_would_run_is_quoted_and_numbers_are_not(sign):
    table = pd.DataFrame({f"{sign}name": [f"{sign}1+2", "plain", None], "number": [-1.5, -np.inf, 2.0]})
    back = read_back(exports.csv(table))
    assert list(back.columns) == [f"'{sign}name", "number"]
    assert list(back[f"'{sign}name"])[:2] == [f"'{sign}1+2", "plain"]
    assert list(back["number"]) == [-1.5, -np.inf, 2.0]


def test_categories_of_text_are_quoted_too():
    table = pd.DataFrame({"name": pd.Categorical(["=1", "b", "=1"])})
    assert list(read_back(exports.csv(table))["name"]) == ["'=1", "b", "'=1"]


def test_parquet_gives_back_the_table_and_the_record(table):
    data = exports.parquet(table, EXPERIMENTS)
    pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(data)), table)
    assert json.loads(pq.read_schema(io.BytesIO(data)).metadata[b"gradlab"]) == exports.record(EXPERIMENTS)


def test_json_makes_the_experiment_again():
    one = EXPERIMENTS[0].replace(forget_bias=1.5, inputs="text", text='한국어 "text"\n=1', dtype="float32")
    assert gradlab.Experiment.model_validate_json(exports.settings_json([one])) == one
    several = json.loads(exports.settings_json(EXPERIMENTS))
    assert tuple(gradlab.Experiment.model_validate(settings) for settings in several) == EXPERIMENTS


def bare(home: Path) -> dict[str, str]:
    """An environment with the project, its kernels, and BLAS's choice, by which the last digit may differ, alone."""
    blas = {name: value for name, value in os.environ.items() if name.startswith("OPENBLAS_")}
    kernels = {"GRADLAB_CACHE": str(cache_folder().parent)}
    return {"PYTHONPATH": str(ROOT), "PATH": "", "HOME": str(home)} | kernels | blas


@pytest.mark.slow
def test_the_python_program_makes_the_same_numbers_again_in_a_fresh_interpreter(table, tmp_path):
    program = tmp_path / "again.py"
    program.write_bytes(exports.python_code(EXPERIMENTS) + b'table.to_parquet("again.parquet")\n')
    subprocess.run([sys.executable, str(program)], cwd=tmp_path, env=bare(tmp_path), check=True, capture_output=True)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "again.parquet"), table, check_exact=True)


@pytest.mark.slow
def test_the_python_program_of_a_trained_network_reads_its_kept_run(tmp_path):
    run = Run(gradlab.Experiment(cell="gru", hidden_size=4, steps=12, batch_size=2), "adding", Recipe(updates=2))
    list(run.records())
    one = run.trained.replace(steps=20)
    (tmp_path / one.weights.file_name).write_bytes(save(run))
    program = tmp_path / "again.py"
    program.write_bytes(exports.python_code([one]) + b'table.to_parquet("again.parquet")\n')
    subprocess.run([sys.executable, str(program)], cwd=tmp_path, env=bare(tmp_path), check=True, capture_output=True)
    again = pd.read_parquet(tmp_path / "again.parquet")
    pd.testing.assert_frame_equal(again, gradlab.trace(one).table, check_exact=True)
    assert exports.record([one])["experiments"][0]["weights"] == one.weights.fingerprint


def test_the_python_program_names_every_setting_so_that_defaults_may_change():
    program = exports.python_code(EXPERIMENTS).decode()
    for name in gradlab.Experiment.model_fields:
        assert program.count(f" {name}=") == len(EXPERIMENTS)


def test_the_record_has_every_setting_with_the_seed_and_the_versions():
    record = exports.record(EXPERIMENTS)
    assert [gradlab.Experiment.model_validate(one) for one in record["experiments"]] == list(EXPERIMENTS)
    assert record["experiments"][0]["seed"] == 11
    assert record["versions"]["numpy"] == np.__version__
    assert {"gradlab", "torch", "numba", "python", "altair", "pandas"} <= set(record["versions"])


def test_png_and_svg_carry_the_record(chart):
    texts = [content for kind, content in png_chunks(exports.png(chart, EXPERIMENTS)) if kind == b"tEXt"]
    records = [json.loads(text.split(b"\0", 1)[1]) for text in texts if text.startswith(b"gradlab\0")]
    assert records == [exports.record(EXPERIMENTS)]
    metadata = ElementTree.fromstring(exports.svg(chart, EXPERIMENTS)).find("{http://www.w3.org/2000/svg}metadata")
    assert json.loads(metadata.text)["gradlab"] == exports.record(EXPERIMENTS)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in exports.PICTURES if name != "PDF"])
def test_the_same_picture_twice_is_the_same_file(table, name):
    first, second = (exports.PICTURES[name].write(lines(table), EXPERIMENTS, title="T") for _ in range(2))
    assert first == second


@pytest.mark.parametrize("name", exports.PICTURES)
def test_every_kind_of_chart_leaves_in_every_format(table, name):
    stack = gradlab.Stack.from_experiment(EXPERIMENTS[0])
    for chart in (layers_by_steps(bin_steps(table)), eigenvalues(spectrum(stack))):
        assert len(exports.PICTURES[name].write(chart, EXPERIMENTS, title="T", subtitle="S")) > 1000


def test_a_file_s_name_tells_what_is_in_it():
    name = exports.file_name(EXPERIMENTS, "Gradient flow: h/c", ".png")
    assert name == "gradlab-Gradient-flow-h-c-rnn-gru-T40-seed11.png"


def test_a_text_that_speaks_of_a_module_is_imported_by_no_program():
    e = gradlab.Experiment(inputs="text", text="I use gradlab.nothing.here", steps=5, hidden_size=3, batch_size=1)
    program = exports.python_code([e], "gradlab.paths.decompose(experiments[0], orders=1)").decode()
    assert "import gradlab.nothing" not in program
    assert "import gradlab.paths" in program
    names = {}
    exec(program, names)
    assert len(names["table"])


@pytest.mark.parametrize("picture", ["", "chart = gradlab.charts.traces.lines(gradlab.paths.thinned(table))"])
def test_a_program_imports_each_module_once_and_in_order_and_has_no_experiments_where_there_are_none(picture):
    code = "gradlab.training.tables.history(gradlab.VERSION)"
    made, *program = exports.python_code([], code, picture).decode().splitlines()
    assert made.startswith("# Made with gradlab ")
    drawn = ["gradlab.charts", "gradlab.charts.traces", "gradlab.paths"] if picture else []
    modules = ["gradlab", *drawn, "gradlab.training", "gradlab.training.tables"]
    imports = [f"import {module}" for module in modules]
    shown = ["", picture] if picture else []
    assert program == ["import pandas as pd", "", *imports, "", f"table = {code}", "print(table)", *shown]


def test_the_program_of_a_trained_network_refuses_another_run_of_the_same_name():
    settings = {"hidden_size": 4, "steps": 12, "batch_size": 2}
    runs = (Run(gradlab.Experiment(cell="gru", seed=seed, **settings), "adding", Recipe(updates=2)) for seed in (0, 1))
    one, other = (run.trained for run in runs)
    assert one.weights.file_name == other.weights.file_name
    assert one.expected(one.weights.fingerprint) == one
    with pytest.raises(ValueError, match="holds another run"):
        other.expected(one.weights.fingerprint)
    assert repr(one.weights.fingerprint) in one.code


@pytest.mark.parametrize("powers", [True, False])
def test_a_still_picture_has_letters_that_every_font_has_and_powers_with_raised_exponents(powers):
    rows = trace(Experiment(cell="rnn", steps=60, hidden_size=4)).table.query("state == 'h'")
    said = f"This much remains: {number(-57.3)}, at most {number(12.5)} and {number(-1.2)}, 기울기."
    chart = opening(rows, ends=line_ends(rows, relative=True))
    text = exports.svg(chart, subtitle=said, layout=Layout(powers=powers)).decode()
    drawn = text.partition("<desc>")[0] + text.partition("</metadata>")[2]
    assert not set("⁻⁰¹²³⁴⁵⁶⁷⁸⁹") & set(drawn)
    texts = [
        "".join(element.itertext())
        for element in ElementTree.fromstring(drawn).iter("{http://www.w3.org/2000/svg}text")
    ]
    fonts = set(re.findall(r'font-family="([^"]*)"', drawn))
    assert {font.split(",")[0] for font in fonts} == {
        "Liberation Sans",
        "Noto Sans CJK KR",
    }  # the latter for 기울기 alone
    written = " ".join(texts).replace("\u00a0", " ")
    assert ("5.0 × 10−58, at most 3.2 × 1012 and 0.063" if powers else "5.0e-58, at most 3.2e+12 and 0.063") in written
    assert ("10−10" if powers else "1e-10") in texts
    assert ('baseline-shift="super"' in drawn) == powers
    page = exports.html(chart, subtitle=said).decode()
    assert number(-57.3) in page


@pytest.mark.slow
def test_no_character_of_a_text_ends_the_process_that_draws_a_picture():
    """In a process of its own, which a panic of the converter would abort."""
    program = """
import altair as alt, pandas as pd
from gradlab import exports
letters = [*map(chr, range(32)), chr(0x7f), chr(0xfffe), chr(0xffff), chr(0x1f600), "가"]
rows = pd.DataFrame({"x": range(len(letters)), "letter": letters})
chart = alt.Chart(rows).mark_text().encode(x="x:Q", text="letter:N").properties(width=300, height=40)
for write in (exports.png, exports.svg, exports.pdf):
    assert len(write(chart, title="".join(letters[:31]), subtitle=letters[31] + letters[33])) > 500
text = exports.svg(chart).decode()
assert "␛" in text and "␌" in text and "�" in text
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-800:]
