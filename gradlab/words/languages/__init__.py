"""The language that texts are said in: gettext's catalogues, a file of this folder for each language but English.

English is the source and stands in the code, marked `_("…")` where it is said and `N_("…")` where it is a constant,
which is said later. Numbers come into a text by `format`, with names, for their order differs between languages.
`ko.po` holds the Korean of every text; another language is a file more and nothing else. `glossary.csv` holds the
terms of the field.

The language is that of a context and not of the process: `speak` sets it for one run of one visitor's page, `speaking`
for a while. A thread that begins speaks English until it is told otherwise, so what is kept for others is given its
language by name.
"""

import gettext
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

SOURCE = "en"
FOLDER = Path(__file__).parent

F = TypeVar("F", bound=Callable[..., Any])
_spoken: ContextVar[str] = ContextVar("language", default=SOURCE)


def _(text: str) -> str:
    """A text in the language that is spoken."""
    return catalogue(_spoken.get()).gettext(text) if text else text  # gettext keeps its header under ""


def N_(text: str) -> str:
    """The text itself, which is said later: the mark by which it is found."""
    return text


def says(function: F) -> F:
    """Marks a function whose result has sentences, so that it is kept in each language by itself."""
    function.says = True
    return function


class Title(str):
    """A text that is a key in English, in links and records, and that every language can say.

    values    of the text's fields; a function is called for its value, in the language of who asks
    """

    def __new__(cls, text: str, **values: Any) -> "Title":
        with speaking(SOURCE):
            title = super().__new__(cls, _filled(text, values))
        title.text, title.values = text, values
        return title

    text: str
    values: dict[str, Any]


def said(title: str) -> str:
    """A title in the language that is spoken; any other text as it stands."""
    return _filled(_(title.text), title.values) if isinstance(title, Title) else title


def _filled(text: str, values: dict[str, Any]) -> str:
    return text.format(**{name: value() if callable(value) else value for name, value in values.items()})


def current() -> str:
    """The code of the language that is spoken: "en"."""
    return _spoken.get()


def speak(code: str) -> None:
    """From here on, in this context. Raises ValueError for a language that has no catalogue."""
    catalogue(code)
    _spoken.set(code)


@contextmanager
def speaking(code: str) -> Iterator[None]:
    """Meanwhile, in this context. Raises ValueError for a language that has no catalogue."""
    catalogue(code)
    token = _spoken.set(code)
    try:
        yield
    finally:
        _spoken.reset(token)


@cache
def codes() -> tuple[str, ...]:
    """Every language there is, English first."""
    return (SOURCE, *sorted(path.stem for path in FOLDER.glob("*.po")))


def name_of(code: str) -> str:
    """What a language calls itself: "한국어"."""
    return catalogue(code).gettext(N_("English"))


def matching(locale: str | None) -> str:
    """The language of a browser's locale ("ko-KR"); English where there is none of it."""
    asked = (locale or "").replace("_", "-").lower()
    found = [code for code in codes() if asked == code.lower() or asked.startswith(f"{code.lower()}-")]
    return max(found, key=len, default=SOURCE)


@cache
def catalogue(code: str) -> gettext.NullTranslations:
    """The texts of a language, read from its file once. Raises ValueError for a language that has none."""
    if code == SOURCE:
        return gettext.NullTranslations()
    if code not in codes():
        raise ValueError(f"language = {code!r} is not there: use one of {', '.join(codes())}")
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    compiled = io.BytesIO()
    with (FOLDER / f"{code}.po").open("rb") as file:
        write_mo(compiled, read_po(file))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
