"""The languages of the app: every text in every language, each term with one name, and each visitor their own."""

import ast
import csv
import re
import string
import threading
import tomllib
from collections import Counter
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from gradlab.words import languages
from gradlab.words.languages import FOLDER, SOURCE, _, catalogue, codes, matching, name_of, speak, speaking
from gradlab.words.numbers import number

ROOT = Path(__file__).resolve().parents[2]
OTHERS = [code for code in codes() if code != SOURCE]
FIELDS = re.compile(r"{[^}]*}|\b\w+ = \w+")  # and settings as links have them
ROOMS = ("gradlab", "pages")
# Of a variable nobody knows whether it ends in a consonant: 은 or 는, 이 or 가, 을 or 를, 과 or 와, 으로 or 로.
PARTICLE = re.compile(
    r"}\**(은(?!\(는\))|는|이(?!\(가\)|나 |며 )|가|을(?!\(를\))|를|과(?!\(와\))|와|으로|로)(?=[\s.,;:)]|$)"
)


def texts_of_the_code() -> list[str]:
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["babel"]["mappings"]
    methods = [(one["pattern"], one["method"]) for one in asked]
    found = [message for file, _line, message, _notes, _context in extract_from_dir(
        ROOT, method_map=methods, keywords={"_": None, "N_": None}, directory_filter=is_of_the_app
    ) if Path(file).parts[0] in ROOMS]  # fmt: skip
    return list(dict.fromkeys(found))


def is_of_the_app(folder) -> bool:
    return Path(folder).relative_to(ROOT).parts[0] in ROOMS


def messages(code: str) -> dict:
    with (FOLDER / f"{code}.po").open("rb") as file:
        return {message.id: message for message in read_po(file) if message.id}


def glossary() -> list[dict[str, str]]:
    with (FOLDER / "glossary.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def fields(text: str) -> Counter:
    return Counter(name for _before, name, _form, _how in string.Formatter().parse(text) if name is not None)


def test_there_is_korean():
    assert "ko" in OTHERS
    assert len(texts_of_the_code()) > 100, "nothing was found in the code"


@pytest.mark.parametrize("code", OTHERS)
def test_every_text_is_there_and_none_is_fuzzy_or_unused(code):
    wanted, there = texts_of_the_code(), messages(code)
    assert [text for text in wanted if text not in there] == []
    assert [text for text in there if text not in wanted] == []
    assert [text for text, message in there.items() if not message.string] == []
    assert [text for text, message in there.items() if message.fuzzy] == []


@pytest.mark.parametrize("code", OTHERS)
def test_a_text_has_the_numbers_and_the_marks_of_the_english_one(code):
    for text, message in messages(code).items():
        assert fields(message.string) == fields(text), text
        assert message.string.count("**") == text.count("**"), text
        assert message.string.endswith(".") == text.endswith(".") or text.count(".") > 1 or "." not in text, text


def test_no_korean_particle_depends_on_how_a_variable_ends():
    assert PARTICLE.search("{a}는 크다")
    assert PARTICLE.search("**{a}**를 곱한다")
    assert not PARTICLE.search("{a}은(는) 크다")
    assert not PARTICLE.search("{a}만큼 남고 {b}배가 된다")
    assert [message.string for message in messages("ko").values() if PARTICLE.search(message.string)] == []


def test_the_glossary_has_each_term_once():
    terms = [row["en"] for row in glossary()]
    assert len(set(terms)) == len(terms)
    assert all(row["en"] and row["ko"] for row in glossary())


def wrong_terms(text: str, said: str, row: dict[str, str], code: str) -> list[str]:
    """What of a text is not as the glossary's row has it."""
    term, wanted = row["en"], row[code]
    other = re.compile(row["another in"] or "(?!)", re.IGNORECASE)  # the same word with another meaning
    has_term = re.search(rf"\b{re.escape(term)}(s|es)?\b", other.sub("", FIELDS.sub("", text)), re.IGNORECASE)
    others = [other for other in row[f"not {code}"].split("|") if other]
    others += [wanted.replace(" ", "")] if " " in wanted else []
    found = [other for other in others if other in said]
    return found + ([f"{term} is not {wanted}: {said}"] if has_term and wanted not in said else [])


@pytest.mark.parametrize("code", [code for code in OTHERS if code in glossary()[0]])
def test_a_term_has_one_rendering(code):
    row = {"en": "forget gate", "ko": "망각 게이트", "not ko": "잊기 게이트", "another in": "gates of forget"}
    assert wrong_terms("Forget gates", "망각게이트", row, "ko") == [
        "망각게이트",
        "forget gate is not 망각 게이트: 망각게이트",
    ]
    assert wrong_terms("It", "잊기 게이트", row, "ko") == ["잊기 게이트"]
    assert wrong_terms("Forget gates", "두 망각 게이트", row, "ko") == []
    for text, message in messages(code).items():
        for row in glossary():
            assert wrong_terms(text, message.string, row, code) == [], text


def test_english_is_said_as_it_stands():
    assert _("Weight w") == "Weight w"
    assert _("") == ""
    with speaking("ko"):
        assert _("") == "", "and not the header of the file"
        assert _("Weight w") == messages("ko")["Weight w"].string
        assert _("of no catalogue") == "of no catalogue"
    assert _("Weight w") == "Weight w"


@pytest.mark.parametrize(
    ("locale", "code"),
    [
        ("ko", "ko"),
        ("ko-KR", "ko"),
        ("KO_kr", "ko"),
        ("en-GB", "en"),
        ("kok-IN", "en"),
        ("fr", "en"),
        ("", "en"),
        (None, "en"),
    ],
)
def test_a_browser_s_locale_has_its_language_or_english(locale, code):
    assert matching(locale) == code


def test_no_module_that_says_texts_calls_anything_else_by_that_name():
    for path in [*(ROOT / "gradlab").rglob("*.py"), *(ROOT / "pages").rglob("*.py")]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        if any(name.name == "_" for node in imports for name in node.names):
            set_anew = [
                node.lineno
                for node in ast.walk(tree)
                if isinstance(node, ast.Name) and node.id == "_" and isinstance(node.ctx, ast.Store)
            ]
            assert set_anew == [], path


def test_no_text_is_said_inside_an_f_string_where_it_is_not_found():
    for path in [*(ROOT / "gradlab").rglob("*.py"), *(ROOT / "pages").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            inside = ast.walk(node) if isinstance(node, ast.JoinedStr) else ()
            said = [call for call in inside if isinstance(call, ast.Call) and is_named(call.func, "_")]
            assert not [call.lineno for call in said if isinstance(call.args[0], ast.Constant)], path


def is_named(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def test_a_language_without_a_catalogue_is_refused():
    with pytest.raises(ValueError, match="'xx' is not there: use one of en, ko"):
        speak("xx")
    with pytest.raises(ValueError, match="'xx' is not there"), speaking("xx"):
        pass
    with pytest.raises(ValueError, match="is not there"):
        catalogue("../ko")


def test_a_third_language_costs_one_file(tmp_path, monkeypatch):
    written = {"English": "Deutsch", "Weight w": "Gewicht w", "exactly 0": "genau 0"}
    entries = "\n".join(f'msgid "{text}"\nmsgstr "{said}"\n' for text, said in written.items())
    header = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n\n'
    (tmp_path / "de.po").write_text(header + entries, encoding="utf-8")
    monkeypatch.setattr(languages, "FOLDER", tmp_path)
    for kept in (languages.codes, languages.catalogue):
        kept.cache_clear()
    try:
        assert codes() == ("en", "de")
        assert name_of("de") == "Deutsch"
        assert matching("de-AT") == "de"
        with speaking("de"):
            assert _("Weight w") == "Gewicht w"
            assert number(float("-inf")) == "genau 0"
    finally:
        monkeypatch.undo()
        for kept in (languages.codes, languages.catalogue):
            kept.cache_clear()


def test_visitors_in_two_languages_at_once_do_not_disturb_each_other():
    rounds, together, heard = 50, threading.Barrier(4), {}

    def visit(place: int) -> None:
        code = ("en", "ko")[place % 2]
        speak(code)  # as a run does: there is nothing that ends it
        heard[place] = []
        for _round in range(rounds):
            together.wait(10)
            heard[place].append((languages.current(), _("Weight w"), number(float("-inf"))))

    threads = [threading.Thread(target=visit, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert heard[0] == heard[2] == [("en", "Weight w", "exactly 0")] * rounds
    assert heard[1] == heard[3] == [("ko", "가중치 w", "정확히 0")] * rounds
    assert languages.current() == SOURCE, "what a thread speaks is its own"
