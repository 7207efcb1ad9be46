"""Characters that nobody sees are shown as ones that can be seen, each the same everywhere."""

import sys
import unicodedata
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from gradlab.words.letters import printable, visible

FORBIDDEN = "\x00\x07\x08\x0b\x0c\x1b\x1f\ud800\udfff\ufffe\uffff"  # by XML 1.0, section 2.2
CATEGORIES = 30  # of Unicode
ONE_OF_EACH = {}  # a character of every category
for code in range(sys.maxunicode + 1):
    ONE_OF_EACH.setdefault(unicodedata.category(chr(code)), chr(code))
    if len(ONE_OF_EACH) == CATEGORIES:
        break


@given(st.text(st.characters(categories=None)))
def test_every_text_becomes_one_that_xml_holds_and_no_longer_changes(text):
    shown = printable(text)
    assert len(shown) == len(text)
    assert printable(shown) == shown
    assert ElementTree.fromstring(f"<t>{shown.translate({38: '+', 60: '+', 13: ' '})}</t>").tag == "t"


def test_a_control_character_is_shown_by_the_picture_of_its_own_name():
    for code in [*range(0x20), 0x7F]:
        if (shown := printable(chr(code))) != chr(code):
            assert unicodedata.name(shown).startswith("SYMBOL FOR ")
    assert printable("a\x1b\x0c\x00\n\t b") == "a␛␌␀\n\t b"
    assert printable(FORBIDDEN[-4:]) == "����"


@given(st.characters(categories=None))
def test_a_single_character_is_never_blank(character):
    shown = visible(character)
    assert shown.isprintable()
    assert shown.strip()
    assert visible(shown) == shown


def test_every_category_of_unicode_can_be_seen_and_letters_stay():
    assert len(ONE_OF_EACH) == CATEGORIES
    for category, character in ONE_OF_EACH.items():
        assert visible(character).strip()
        assert (visible(character) == character) == (category[0] in "LNPS")
