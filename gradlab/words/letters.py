"""Characters that nobody sees, or that files cannot hold, as ones that can be seen: ␣, ⏎, ␛, �.

`printable` is for texts: it leaves spaces, tabs and line ends as they are. `visible` is for a single character that
labels something, where a space has to be seen as well.
"""

import re
import unicodedata

UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
COLOURED = re.compile(r":[a-z-]+\[([^\]]*)\]")
SPACES = {" ": "␣", "\n": "⏎", "\r": "␍", "\t": "⇥"}
PICTURES = {**{chr(code): chr(0x2400 + code) for code in range(0x20)}, "\x7f": "␡"}  # U+2400 to U+2421
REPLACEMENT = "�"


def printable(text: str) -> str:
    """The text with a picture of each control character (␛, ␌), and � for what else XML 1.0 forbids or discourages."""
    return UNPRINTABLE.sub(lambda found: PICTURES.get(found[0], REPLACEMENT), text)


def without_markdown(text: str) -> str:
    """A sentence of ours as those read it who see no markdown: without marks of bold type, colour and size."""
    return COLOURED.sub(r"\1", text).replace("**", "").replace("  \n", " ")


def visible(character: str) -> str:
    """A character that can be seen: the space as an open box, a mark that combines on a dotted circle.

    What has no picture of its own (spaces of other widths, joiners, private characters) is its code: U+200B.
    """
    if len(character) != 1:
        return printable(character)
    if character in SPACES:
        return SPACES[character]
    if UNPRINTABLE.match(character):
        return printable(character)
    if unicodedata.category(character)[0] == "M":
        return f"◌{character}"
    return character if character.isprintable() else f"U+{ord(character):04X}"
